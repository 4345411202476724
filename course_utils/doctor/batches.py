"""Which images does the model see? Follows its batches: told apart by fingerprints, and recognised when they return."""

import weakref
from typing import Any

from torch import Tensor

from course_utils.doctor.calls import Call
from course_utils.doctor.numbers import Ledger
from course_utils.doctor.vitals import fingerprints

__all__ = ["Batches"]

_ROWS = 4096  # images of a source that are told apart


class Batches:
    """Notes the fingerprints of trained and measured images, and after how many batches the first one comes again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows: dict[str, int] = {}
        self._learned = 0
        self._first: tuple[Any, int] | None = None
        self.period: int | None = None  #: batches learned from until the first one came again

    def follow(self, call: Call, batch: Tensor, source: int | None) -> None:
        """``batch`` is what ``call`` was given."""
        base = batch if batch._base is None else batch._base
        alive, place = weakref.ref(base), batch.data_ptr() - base.data_ptr()
        call.decided.append(lambda learned: self._count(alive, place) if learned else None)
        of, step = "" if source is None else str(source), call.step
        if batch.requires_grad or self._rows.get(of, 0) >= _ROWS:
            return
        self._rows[of] = self._rows.get(of, 0) + len(batch)
        prints = fingerprints(batch)
        call.decided.append(lambda learned: self._ledger.note("trained" if learned else "measured", of, step, prints))

    def _count(self, base: Any, place: int) -> None:
        self._learned += 1
        if self._first is None:
            self._first = base, place
        elif self.period is None and self._is_first(base(), place):
            self.period = self._learned - 1

    def _is_first(self, base: Tensor | None, place: int) -> bool:
        # Comparing the weak references themselves would compare the tensors by their numbers.
        return self._first is not None and base is not None and self._first[0]() is base and self._first[1] == place
