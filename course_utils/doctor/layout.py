"""Do the numbers stand where they should? Compares what a loader gave with what the model gets."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_utils.doctor.recording import Reshaped
from course_utils.doctor.values import first_tensor

__all__ = ["Layout"]

_SOME = 64


class _Given(NamedTuple):
    shape: tuple[int, ...]
    first: Tensor
    last: Tensor


class Layout:
    """Remembers the sizes and a few numbers of each batch, and whether the model got them in another order."""

    def __init__(self) -> None:
        self._given: _Given | None = None
        self._shapes: tuple[int, ...] | None = None
        self.found: Reshaped | None = None
        self.samples = 0  #: that the latest loss function was given one label each; 0 where it was given others

    @property
    def batch(self) -> tuple[int, ...] | None:
        """The sizes of the first tensor of the latest batch."""
        return self._shapes

    def read(self, batch: Any, *, closely: bool) -> None:
        """A loader gives ``batch``."""
        tensor = first_tensor(batch)
        self._shapes = None if tensor is None else tuple(tensor.shape)
        self._given = None
        if (
            closely
            and tensor is not None
            and tensor.dim() >= 3
            and tensor.is_contiguous()
            and tensor.is_floating_point()
        ):
            flat = tensor.detach().view(-1)
            self._given = _Given(tuple(tensor.shape), flat[:_SOME].clone(), flat[-_SOME:].clone())

    def judged(self, target: Tensor) -> None:
        """A loss function gets ``target``."""
        self.samples = len(target) if target.dim() == 1 else 0

    def used(self, inputs: Tensor) -> None:
        """A model gets ``inputs``."""
        given, self._given = self._given, None
        shape = tuple(inputs.shape)
        if given is None or shape == given.shape or sorted(shape) != sorted(given.shape) or not inputs.is_contiguous():
            return
        flat = inputs.detach().view(-1)
        ends = ((flat[:_SOME], given.first), (flat[-_SOME:], given.last))
        varied = bool(given.first.max() > given.first.min())
        if varied and all(mine.device == its.device and torch.equal(mine, its) for mine, its in ends):
            self.note(given.shape, shape)

    def note(self, before: tuple[int, ...], after: tuple[int, ...], *, inside: bool = False) -> None:
        """Sizes have changed their order, and the numbers have not."""
        known = self.found
        count = 1 if known is None or known.inside != inside else known.count + 1
        if known is None or known.inside == inside:
            self.found = Reshaped(before, after, inside, count)
