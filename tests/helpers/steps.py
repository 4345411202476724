"""What do the tests of the optimizers step? Names, streams and leaves in float64."""

import torch

__all__ = ["NAMES", "leaf", "randn", "stream"]

NAMES = ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(shape, rng):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)
