"""Which images does the model see? Follows its batches: told apart by fingerprints, and recognised when they return."""

import weakref
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from course_utils.doctor.measures import MeasuredInputs, MeasuredOn, TrainedOn
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.vitals import fingerprints

__all__ = ["Batch", "Batches"]

_ROWS = 4096  # images of a source that are told apart


class _Place(NamedTuple):
    """Where in memory a batch lies."""

    base: weakref.ref[Tensor]
    offset: int

    def is_that_of(self, other: "_Place") -> bool:
        # Comparing the weak references themselves would compare the tensors by their numbers.
        base = self.base()
        return base is not None and other.base() is base and self.offset == other.offset


class Batch(NamedTuple):
    """What a model was given in one call."""

    place: _Place
    source: int | None
    step: int
    prints: Tensor | None  #: as ``fingerprints`` gives them; None where enough images of the source are known
    model: int = 0
    scale: Mapping[str, Tensor] | None = None  #: an ``InputScale``, where it was measured


class Batches:
    """Notes the fingerprints of trained and measured images, and after how many batches the first one comes again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows: dict[int | None, int] = {}
        self._learned = self._again = self._other = 0
        self._labels: dict[tuple[float, float], int] = {}
        self._torn = 0.0  # pairs of equal images with different labels in one batch, over its size
        self._first: _Place | None = None
        self.period: int | None = None  #: batches learned from until the first one came again

    def look(
        self, images: Tensor, source: int | None, step: int, model: int, scale: Mapping[str, Tensor] | None
    ) -> Batch:
        """A batch whose images are told apart, if not enough of its source are already."""
        base = images if images._base is None else images._base
        place = _Place(weakref.ref(base), images.data_ptr() - base.data_ptr())
        if images.requires_grad or self._rows.get(source, 0) >= _ROWS:
            return Batch(place, source, step, None, model, scale)
        self._rows[source] = self._rows.get(source, 0) + len(images)
        return Batch(place, source, step, fingerprints(images), model, scale)

    def decided(self, batch: Batch, *, learned: bool) -> None:
        """It is known now whether ``batch`` was learned from."""
        if learned:
            self._count(batch.place)
        of = batch.model, batch.source
        if batch.prints is not None:
            kind = TrainedOn if learned else MeasuredOn
            self._ledger.add(Note(kind, of, batch.step, {"prints": batch.prints}))
        if batch.scale is not None and not learned:
            self._ledger.add(Note(MeasuredInputs, batch.model, batch.step, batch.scale))

    def labelled(self, batch: Batch, labels: Tensor) -> None:
        """A loss function gives the images of ``batch`` these ``labels``."""
        if batch.prints is None or len(self._labels) > _ROWS:
            return
        pairs = [(first, second) for first, second in batch.prints.view(-1, 2).tolist()]
        here = Counter(zip(pairs, labels.tolist(), strict=True))
        for pair, label in here.elements():
            known = self._labels.setdefault(pair, label)
            self._again += 1
            self._other += known != label
        unlike = sum(n * n for n in Counter(pairs).values()) - sum(n * n for n in here.values())
        self._torn += unlike / 2 / max(1, len(pairs))

    @property
    def relabelled(self) -> tuple[int, int]:
        """Images that came again, and those of them that had another label then.

        The latter is 0 where the data themselves give equal images different labels: in one batch stand so many such
        pairs that about as many are to be met over the epochs.
        """
        by_nature = 4 * self._torn * len(self._labels)
        return self._again - len(self._labels), self._other if self._other > by_nature else 0

    def _count(self, place: _Place) -> None:
        self._learned += 1
        if self._first is None:
            self._first = place
        elif self.period is None and place.is_that_of(self._first):
            self.period = self._learned - 1
