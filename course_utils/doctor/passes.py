"""Which backward passes were there? A record of each, and whether it went through the graph of an earlier one."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import Tensor

from course_utils.doctor.graph import sequence
from course_utils.doctor.recording import Backward

__all__ = ["Passes"]

_ROOTS = 200  # losses of earlier passes that are remembered


class Passes:
    """The backward passes of one block."""

    def __init__(self) -> None:
        self._done: list[Backward] = []
        self._roots = deque[int](maxlen=_ROOTS)  # running numbers of the losses of earlier passes
        self._numbers: dict[int, int] = {}  # the place of a pass by its number among the gradients
        self._operations = self._again = 0

    def __len__(self) -> int:
        return len(self._done)

    def begins(self, loss: Tensor, operations: int, numbers: set[int]) -> None:
        """A pass starts from ``loss``; behind it are ``operations`` with these running ``numbers``."""
        self._operations, self._again = operations, len(numbers & {*self._roots})
        self._roots.append(sequence(loss))

    def failed(self, losses: Sequence[Tensor], step: int, watched: int, failure: str) -> None:
        """The pass from ``losses`` has ended with an error."""
        attached = any(loss.grad_fn is not None for loss in losses)
        self._done.append(Backward(step, (), 0, watched, attached, failure))
        self._roots.clear()

    def ended(self, done: Backward, number: int) -> None:
        """The pass is over; ``number`` counts those that gave gradients."""
        self._numbers[number] = len(self._done)
        self._done.append(replace(done, again=self._again, operations=self._operations))

    def facts(self, lost: Collection[int]) -> tuple[Backward, ...]:
        """All of them; ``lost`` are the numbers of those whose gradients no step has used."""
        places = {self._numbers[number] for number in lost if number in self._numbers}
        return tuple(replace(one, lost=True) if i in places else one for i, one in enumerate(self._done))
