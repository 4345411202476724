"""Which optimizers, schedulers and parameters are in the tables? And a weight and an optimizer to try them with."""

import torch

from course_utils.catalog import optimizers, schedulers

__all__ = [
    "OPTIMIZER_NAMES",
    "PARAMETERS_OF_OPTIMIZERS",
    "PARAMETERS_OF_SCHEDULERS",
    "SCHEDULER_NAMES",
    "an_optimizer",
    "weight",
]

OPTIMIZER_NAMES = [entry.name for entry in optimizers()]
SCHEDULER_NAMES = [entry.name for entry in schedulers()]
PARAMETERS_OF_OPTIMIZERS = [(entry.name, each) for entry in optimizers() for each in entry.parameters]
PARAMETERS_OF_SCHEDULERS = [(entry.name, each) for entry in schedulers() for each in entry.parameters]


def weight(value=1.0):
    return torch.full((2, 2), value, dtype=torch.float64, requires_grad=True)


def an_optimizer():
    return torch.optim.SGD([weight()], lr=0.1, momentum=0.9)
