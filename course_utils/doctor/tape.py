"""What would have to be done again? The first steps of a training: copies of its start, and each call with its batch.

A ``Tape`` listens to the events of a block. It copies the model and the optimizer before they are used, and the batches
as they come, so that ``replay`` can do the same steps again.
"""

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor import events
from course_utils.doctor.copies import Unable, copied, random_state, tensors_in, with_tensors
from course_utils.doctor.graph import operation, sequence, terms
from course_utils.doctor.models import has_parameters
from course_utils.doctor.values import first_line, several

__all__ = ["PASSES", "Called", "Cleared", "Clipped", "Differentiated", "Entry", "Scored", "Stepped", "Tape"]

PASSES = 40  # backward passes that are kept
_BYTES = 256 * 2**20  # of batches that are kept
_CALLS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid", "Relu": "relu", "Tanh": "tanh"}


@dataclass(frozen=True, slots=True)
class Called:
    """The model was called to learn from it."""

    args: tuple[Any, ...]
    training: bool
    random: list[Tensor]  #: state of the random generators before it


@dataclass(frozen=True, slots=True)
class Scored:
    """A loss function was given numbers of the latest call, and a target."""

    kind: str
    again: Callable[[Tensor, Tensor], Tensor]
    place: int  #: of the tensor among the outputs of the model
    way: tuple[Any, ...]  #: what was done to it on the way: () nothing, or an operation with its options
    target: Tensor


@dataclass(frozen=True, slots=True)
class Differentiated:
    """A backward pass."""

    scored: tuple[int, ...]  #: which of all ``Scored`` are its terms, counted from 0
    factor: Tensor | float  #: what their sum was multiplied by
    value: Tensor  #: the loss it started from


class Cleared(NamedTuple):
    """The gradients were cleared."""


@dataclass(frozen=True, slots=True)
class Clipped:
    """Gradients were scaled down to a norm of ``limit`` at most."""

    limit: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """The optimizer stepped with these settings, one dict for each of its groups."""

    settings: tuple[dict[str, Any], ...]


Entry = Called | Scored | Differentiated | Cleared | Clipped | Stepped


class Tape:
    """A listener that keeps the first steps of one model with one optimizer, or says in ``missing`` why it cannot."""

    def __init__(self) -> None:
        self.open = True
        self.missing = ""
        self.entries: list[Entry] = []
        self.model: nn.Module | None = None  #: as it was before its first call
        self.optimizer: Optimizer | None = None  #: as it was before its first step, holding the copy's parameters
        self._memo: dict[int, Any] = {}
        self._model: weakref.ref[nn.Module] | None = None  # the loop's own
        self._optimizer: weakref.ref[Optimizer] | None = None
        self._called, self._inside = cast("Called | None", None), False
        self._bytes, self._scores, self._passes = 0, 0, 0
        self._outputs: list[weakref.ref[Tensor]] = []  # of the latest call
        self._losses: dict[int, tuple[int, Tensor]] = {}  # number and value, by autograd's running number
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.ForwardBegins: self._forward_begins,
            events.ForwardEnded: self._forward_ended,
            events.LossComputed: self._loss_computed,
            events.BackwardBegins: self._backward_begins,
            events.GradientsTaken: lambda _: self._give_up("torch.autograd.grad was used"),
            events.Zeroed: self._zeroed,
            events.Clipped: lambda event: self.entries.append(Clipped(event.limit)),
            events.StepBegins: self._step_begins,
            events.StepEnded: self._step_ended,
        }

    def hear(self, event: events.Event) -> None:
        """Keep what has happened."""
        note = self._handlers.get(type(event))
        try:
            if note is not None:
                note(event)
        except Unable as reason:
            self._give_up(str(reason))

    def looks_inside(self, _: nn.Module) -> bool:
        """It does not."""
        return False

    def stumbled(self, error: Exception) -> None:
        """An error in the tape itself."""
        self._give_up(f"the doctor could not follow ({type(error).__name__}: {first_line(error)})")

    def close(self) -> None:
        """No more is kept; the loop's own objects are let go."""
        self.open = False
        self._memo, self._outputs, self._losses = {}, [], {}
        if not self.missing and self.model is None:
            self.missing = "no model was called"
        if not self.missing and self.optimizer is None:
            self.missing = "no optimizer was seen"

    def _give_up(self, reason: str) -> None:
        self.missing = self.missing or reason
        self.entries, self.model, self.optimizer = [], None, None
        self.close()

    def _forward_begins(self, event: events.ForwardBegins) -> None:
        if not event.outermost or not has_parameters(event.module):
            return
        if self.model is None:
            self.model = copied(event.module, self._memo)
            self._model = weakref.ref(event.module)
        self._called = None
        if self._model is not None and self._model() is event.module:
            self._called = Called(with_tensors(event.args, _kept), event.module.training, random_state())

    def _forward_ended(self, event: events.ForwardEnded) -> None:
        if not event.outermost or not has_parameters(event.module):
            return
        called, self._called = self._called, None
        outputs = tensors_in(event.output)
        if not any(output.requires_grad for output in outputs):
            if not any(isinstance(entry, Called) for entry in self.entries):
                self.model = None  # it was not learned from; another one may be
            return
        if called is None:
            raise Unable("more than one model was called")
        if any(tensor.requires_grad for tensor in tensors_in(event.args)):
            raise Unable("the model was given numbers with a graph of their own, such as a hidden state")
        self._bytes += sum(tensor.nbytes for tensor in tensors_in(called.args))
        self._outputs = [weakref.ref(output) for output in outputs]
        self.entries.append(called)

    def _loss_computed(self, event: events.LossComputed) -> None:
        if not event.output.requires_grad:
            return
        if event.target.requires_grad or event.again is None:
            raise Unable("the target of a loss function has a graph of its own")
        found = _way(event.inputs, [ref() for ref in self._outputs])
        if found is None:
            raise Unable("the model's output goes through operations of the loop before the loss function")
        self._bytes += event.target.nbytes
        self.entries.append(Scored(event.kind, event.again, *found, _kept(event.target)))
        self._losses[sequence(event.output)] = self._scores, event.output.detach().clone()
        self._scores += 1

    def _backward_begins(self, event: events.BackwardBegins) -> None:
        if self._inside:
            raise Unable("the loss is computed inside the step, by a closure")
        losses = several(event.losses)
        parts = (
            [(int(node._sequence_nr()), scaled) for node, scaled in terms(losses[0].grad_fn)]
            if losses[0].grad_fn
            else []
        )
        known = [self._losses.get(number) for number, _ in parts]
        if len(losses) > 1 or losses[0].dim() or not known or None in known:
            raise Unable("the loss is made of more than torch's own loss functions")
        scaled, value = any(factor for _, factor in parts), losses[0].detach().clone()
        if scaled and len(parts) > 1:
            raise Unable("the terms of the loss have weights")
        heads = [head for head in known if head is not None]
        factor = value / heads[0][1] if scaled else 1.0
        self.entries.append(Differentiated(tuple(index for index, _ in heads), factor, value))
        self._passes += 1
        if self._passes >= 4 * PASSES:
            self.close()

    def _zeroed(self, event: events.Zeroed) -> None:
        if isinstance(event.owner, Optimizer):
            self._know(event.owner)
        self.entries.append(Cleared())

    def _step_begins(self, event: events.StepBegins) -> None:
        self._know(event.optimizer)
        self._inside = True
        groups = [{k: v for k, v in group.items() if k != "params"} for group in event.optimizer.param_groups]
        self.entries.append(Stepped(tuple(copy.deepcopy(groups))))

    def _step_ended(self, event: events.StepEnded) -> None:
        self._inside = False
        if self._passes >= PASSES or self._bytes > _BYTES:
            self.close()

    def _know(self, optimizer: Optimizer) -> None:
        if self.optimizer is None:
            self.optimizer = copied(optimizer, self._memo)
            self._optimizer = weakref.ref(optimizer)
        elif self._optimizer is None or self._optimizer() is not optimizer:
            raise Unable("more than one optimizer stepped")


def _kept(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _way(inputs: Tensor, outputs: list[Tensor | None]) -> tuple[int, tuple[Any, ...]] | None:
    """From which output the ``inputs`` of a loss function came, and how; None where that is not plain."""
    for place, output in enumerate(outputs):
        if output is None:
            continue
        if inputs is output:
            return place, ()
        if inputs.dtype == output.dtype and inputs.untyped_storage().data_ptr() == output.untyped_storage().data_ptr():
            return place, ("as_strided", tuple(inputs.shape), inputs.stride(), inputs.storage_offset())
        node = inputs.grad_fn
        if node is None or output.grad_fn is None or node.next_functions[0][0] is not output.grad_fn:
            continue
        if operation(node) in ("Softmax", "LogSoftmax"):
            dim = int(node._saved_dim)  # type: ignore[attr-defined]
            return place, (_CALLS[operation(node)], dim if dim < inputs.dim() else dim - 2**64)
        if operation(node) in _CALLS:
            return place, (_CALLS[operation(node)],)
    return None
