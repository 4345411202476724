"""What can happen in a watched block? A record for each event, made where torch is observed, heard by all observers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_utils.reading import Source

__all__ = [
    "BackwardBegins",
    "BackwardEnded",
    "BatchRead",
    "Clipped",
    "Dropped",
    "Event",
    "ForwardBegins",
    "ForwardEnded",
    "GradientsScaled",
    "GradientsTaken",
    "LossComputed",
    "LossRefused",
    "OptimizerMade",
    "PassBegins",
    "PassEnded",
    "SchedulerMade",
    "SchedulerStepped",
    "StateLoaded",
    "StateSaved",
    "StateTaken",
    "StepBegins",
    "StepEnded",
    "Stretched",
    "Summed",
    "Zeroed",
]


class Event:
    """Something has happened."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ForwardBegins(Event):
    """A module is called; ``ForwardEnded`` follows."""

    module: nn.Module
    args: tuple[Any, ...]
    outermost: bool  #: whether no other module calls it


@dataclass(frozen=True, slots=True)
class ForwardEnded(Event):
    """A module has returned ``output``, or None after an error."""

    module: nn.Module
    args: tuple[Any, ...]
    output: Any
    outermost: bool


@dataclass(frozen=True, slots=True)
class LossComputed(Event):
    """A loss function has returned ``output``."""

    kind: str  #: "cross_entropy", "nll", "bce", "bce_with_logits", "mse", ...
    inputs: Tensor
    target: Tensor
    output: Tensor
    reduction: Any  #: as torch's core counts them, 1 is the mean; None where it was not given
    ignored: int = -100  #: the label that does not count
    logs: bool = False  #: whether the target of a kl_div is given as logarithms
    again: Callable[[Tensor, Tensor], Tensor] | None = None  #: the same function, for other inputs and targets


@dataclass(frozen=True, slots=True)
class LossRefused(Event):
    """A loss function has raised ``error``."""

    kind: str
    inputs: Tensor
    target: Tensor
    error: Exception


@dataclass(frozen=True, slots=True)
class BackwardBegins(Event):
    """A backward pass starts from ``losses``, one or several; ``BackwardEnded`` follows."""

    losses: Any


@dataclass(frozen=True, slots=True)
class BackwardEnded(Event):
    """A backward pass from ``losses`` is done, or has raised ``error``."""

    losses: Any
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class GradientsTaken(Event):
    """``torch.autograd.grad`` is called on ``outputs``, one or several."""

    outputs: Any


@dataclass(frozen=True, slots=True)
class Zeroed(Event):
    """``zero_grad()`` of ``owner`` has returned."""

    owner: Optimizer | nn.Module


@dataclass(frozen=True, slots=True)
class StepBegins(Event):
    """``optimizer.step()`` is called; ``StepEnded`` follows."""

    optimizer: Optimizer


@dataclass(frozen=True, slots=True)
class StepEnded(Event):
    """``optimizer.step()`` has returned."""

    optimizer: Optimizer


@dataclass(frozen=True, slots=True)
class Summed(Event):
    """``+`` or ``-`` has made a scalar with a graph."""

    output: Tensor
    loose: Tensor | float | None = None  #: the side that has no graph


@dataclass(frozen=True, slots=True)
class Dropped(Event):
    """A function has dropped some of its numbers, each with the chance ``p``."""

    p: float


@dataclass(frozen=True, slots=True)
class Stretched(Event):
    """``one - other`` has stretched ``(N, 1)`` and ``(N,)`` to ``(N, N)``, with a graph."""

    one: Tensor
    other: Tensor
    output: Tensor


@dataclass(frozen=True, slots=True)
class OptimizerMade(Event):
    """An optimizer was made."""

    optimizer: Optimizer


@dataclass(frozen=True, slots=True)
class SchedulerMade(Event):
    """A scheduler was made whose constructor does not step it."""

    scheduler: LRScheduler


@dataclass(frozen=True, slots=True)
class SchedulerStepped(Event):
    """``scheduler.step()`` has returned, or raised ``error``; its constructor calls it, too."""

    scheduler: LRScheduler
    error: Exception | None = None
    metric: float | None = None  #: the number that it was given, where it follows one


@dataclass(frozen=True, slots=True)
class PassBegins(Event):
    """A pass over ``loader`` begins; ``iterator`` gives its batches."""

    loader: Source
    iterator: Any


@dataclass(frozen=True, slots=True)
class BatchRead(Event):
    """``iterator`` has given a batch."""

    iterator: Any
    batch: Any = None


class PassEnded(Event):
    """A loader has no more batches."""


@dataclass(frozen=True, slots=True)
class StateTaken(Event):
    """``module.state_dict()`` has returned ``state``."""

    module: nn.Module
    state: Any


@dataclass(frozen=True, slots=True)
class StateLoaded(Event):
    """``module.load_state_dict(state)`` is about to copy."""

    module: nn.Module
    state: Any


class StateSaved(Event):
    """``torch.save`` has written something."""


@dataclass(frozen=True, slots=True)
class Clipped(Event):
    """Gradients are about to be scaled down to a norm of ``limit`` at most."""

    limit: float
    norm: Tensor


@dataclass(frozen=True, slots=True)
class GradientsScaled(Event):
    """A ``GradScaler`` multiplies a loss by its factor, or has divided the gradients by it again."""

    multiplied: bool
