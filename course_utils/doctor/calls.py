"""Was this forward pass learned from? Calls wait here until a backward pass has reached them, or has not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from course_utils.doctor.batches import Batch, Batches
from course_utils.doctor.graph import nodes
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.recording import Forwards, LossHead

__all__ = ["WALK", "Call", "Calls"]

_PATIENCE = 2  # updates that a call may wait for its backward pass
WALK = 5000  #: operations behind a loss that are looked at


@dataclass(slots=True, eq=False)
class Call:
    """One call of a model or of a loss function."""

    kind: Forwards | LossHead  #: what kind of call it was
    sequence: int  #: the running number of the operation that made its output; -1 without a graph
    step: int  #: updates done before it
    notes: list[Note] = field(default_factory=list)  #: what is noted of it once it is learned from
    batch: Batch | None = None  #: what the model was given


class Calls:
    """Counts calls by kind, and by whether they were learned from."""

    def __init__(self, ledger: Ledger, batches: Batches) -> None:
        self._ledger, self._batches = ledger, batches
        self._counts: Counter[tuple[Forwards | LossHead, bool]] = Counter()
        self._waiting: list[Call] = []

    def add(self, call: Call) -> None:
        """A call was made; without a graph it cannot be learned from."""
        if call.sequence < 0:
            self._decide(call, learned=False)
        else:
            self._waiting.append(call)

    def backward(self, loss: Tensor, step: int, passed: Sequence[Any] | None = None) -> list[Call]:
        """A backward pass starts from ``loss`` and goes through ``passed``; returns the calls behind it."""
        behind = self._behind(loss, passed)
        for call in behind:
            self._decide(call, learned=True)
        waiting = [call for call in self._waiting if call not in behind]
        self._waiting = [call for call in waiting if call.step >= step - _PATIENCE]
        for call in waiting:
            if call.step < step - _PATIENCE:
                self._decide(call, learned=False)
        return behind

    def finish(self, *, complete: bool) -> None:
        """No more backward passes: the rest was not learned from; the last one of a cut-off block is unknown."""
        rest = self._waiting if complete else []
        for call in rest:
            self._decide(call, learned=False)
        self._waiting = []

    def forwards(self) -> tuple[Forwards, ...]:
        """Every kind of call of a model, with its count."""
        return tuple(call for call in self._counted() if isinstance(call, Forwards))

    def heads(self) -> tuple[LossHead, ...]:
        """Every kind of call of a loss function, with its count."""
        return tuple(call for call in self._counted() if isinstance(call, LossHead))

    def _counted(self) -> list[Forwards | LossHead]:
        return [replace(kind, learned_from=learned, count=n) for (kind, learned), n in self._counts.items()]

    def _behind(self, loss: Tensor, passed: Sequence[Any] | None) -> list[Call]:
        if loss.grad_fn is None or not self._waiting:
            return []
        sought, found, walked = {call.sequence for call in self._waiting}, set[int](), 0
        for node in nodes(loss.grad_fn, WALK) if passed is None else passed:
            walked += 1
            if (number := node._sequence_nr()) in sought:
                found.add(number)
                if len(found) == len(sought):
                    break
        if walked == WALK:  # too large to be sure: believe that they belong to it
            return list(self._waiting)
        return [call for call in self._waiting if call.sequence in found]

    def _decide(self, call: Call, *, learned: bool) -> None:
        self._counts[call.kind, learned] += 1
        if call.batch is not None:
            self._batches.decided(call.batch, learned=learned)
        if learned:
            for note in call.notes:
                self._ledger.add(note)
