"""Is the graph of an old loss, or output, still in memory? Marks tied to autograd's nodes tell, and keep nothing."""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from course_utils.doctor.calls import Call
from course_utils.doctor.graph import count_operations
from course_utils.doctor.recording import Survivors

__all__ = ["Retention"]

_MOST = 256  # outputs that may wait for their backward pass
_OLD = 3  # updates after which a healthy loop has let go of a loss
_KEY = "course_utils.doctor"


class _Mark:
    """Lives in the metadata of an autograd node, exactly as long as the node."""

    __slots__ = ("__weakref__",)


@dataclass(slots=True)
class _Loss:
    step: int
    node: weakref.ref[Any]
    tensor: weakref.ref[Tensor]
    spent: bool  #: whether a backward pass has started from it


class Retention:
    """Follows the losses that were learned from, and counts those whose graph outlives its use."""

    def __init__(self) -> None:
        self._losses: list[_Loss] = []
        self._seen = 0
        self._operations = 0
        self._counts: list[Survivors] = []
        self._fresh: dict[int, weakref.ref[Tensor]] = {}  # outputs by running number, not learned from yet
        self._outputs: list[tuple[int, weakref.ref[Tensor]]] = []

    def mark(self, loss: Tensor, step: int, *, spent: bool) -> None:
        """Follow ``loss``: a loss function has returned it, or a backward pass starts from it, then it is ``spent``."""
        node = loss.grad_fn
        if node is None:
            return
        mark = node.metadata.setdefault(_KEY, _Mark())  # type: ignore[attr-defined]
        known = next((one for one in self._losses[-4:] if one.node() is mark), None)
        if known is not None:
            known.spent = known.spent or spent
            return
        self._losses.append(_Loss(step, weakref.ref(mark), weakref.ref(loss), spent))
        self._operations = self._operations or count_operations(node)

    def output(self, output: Tensor, number: int) -> None:
        """Follow the ``output`` of a model, made by the operation of this number."""
        if number >= 0:
            if len(self._fresh) >= _MOST:
                self._fresh.clear()
            self._fresh[number] = weakref.ref(output)

    def learned(self, calls: Iterable[Call], step: int) -> None:
        """A backward pass is about to go through these ``calls``."""
        known = [self._fresh.pop(call.sequence, None) for call in calls]
        self._outputs += [(step, output) for output in known if output is not None]

    def count(self, step: int) -> None:
        """Count the survivors among losses that are old by now, and forget the dead ones."""
        old = [loss for loss in self._losses if loss.step <= step - _OLD]
        alive = [loss for loss in old if loss.node() is not None]
        tensors = sum(loss.tensor() is not None for loss in alive)
        self._seen += len(old) - len(alive)
        self._losses = alive + [loss for loss in self._losses if loss.step > step - _OLD]
        self._outputs = [(made, output) for made, output in self._outputs if _holds_graph(output())]
        outputs = sum(made <= step - _OLD for made, _ in self._outputs)
        seen = self._seen + len(alive)
        spent = sum(loss.spent and loss.tensor() is None for loss in alive)
        self._counts.append(Survivors(step, seen, tensors, len(alive) - tensors, self._operations, outputs, spent))

    def counts(self) -> tuple[Survivors, ...]:
        """All counts so far, in order of time."""
        return tuple(self._counts)


def _holds_graph(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.grad_fn is not None
