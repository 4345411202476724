"""What can be changed while a training runs? Its optimizer, the lr and the momentum, between two steps."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from course_utils.algorithms import ALGORITHMS
from course_utils.apps.common.settings import a_choice, a_number

__all__ = [
    "CHOICES",
    "LR_RANGE",
    "a_momentum",
    "a_rate",
    "an_optimizer",
    "lr_of",
    "make",
    "momentum_of",
    "name_of",
    "set_lr",
    "set_momentum",
]

# Two that differ only in the value of an option are one choice here: SGD has a momentum to set.
_MADE = {(algorithm.rule, *algorithm.fixed): algorithm for algorithm in reversed(ALGORITHMS.values())}
CHOICES = tuple(name for name, algorithm in ALGORITHMS.items() if algorithm in _MADE.values())
LR_RANGE = (1e-6, 10.0)
a_rate = a_number(*LR_RANGE, example=0.01)
a_momentum = a_number(0.0, 0.999, example=0.9)
an_optimizer = a_choice(CHOICES)


def name_of(optimizer: Optimizer) -> str:
    """The name of the class; "Nesterov" for an SGD that looks ahead."""
    nesterov = isinstance(optimizer, torch.optim.SGD) and optimizer.param_groups[0]["nesterov"]
    return "Nesterov" if nesterov else type(optimizer).__name__


def lr_of(optimizer: Optimizer) -> float:
    """The lr of the first parameter group."""
    return float(optimizer.param_groups[0]["lr"])


def momentum_of(optimizer: Optimizer) -> float | None:
    """The momentum of SGD, or β₁ of Adam and its kin; None where it cannot be changed in the middle of a run."""
    group = optimizer.param_groups[0]
    if "betas" in group:
        return float(group["betas"][0])
    return float(group["momentum"]) if isinstance(optimizer, torch.optim.SGD) else None


def make(name: str, parameters: Iterable[torch.nn.Parameter], *, lr: float) -> Optimizer:
    """A new optimizer of torch with the defaults of the course, but with torch's own weight decay."""
    algorithm = ALGORITHMS[name]
    options = {key: value for key, value in algorithm.options({}).items() if key != "weight_decay"}
    made: Optimizer = algorithm.find()(parameters, lr=lr, **options)
    return made


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group this lr, as a scheduler does: ``optimizer.step()`` reads it anew each time."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def set_momentum(optimizer: Optimizer, momentum: float) -> None:
    """Give every parameter group this momentum, or this β₁."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum
