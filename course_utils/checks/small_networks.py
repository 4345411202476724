"""What do the checks of notebook 05 try an answer on? A small network, its batches, and whether two are the same."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from course_utils.checks.verdict import NotYetError
from course_utils.seeding import generator

__all__ = ["a_batch", "a_network", "drawn", "learn", "must_be_trainable", "same", "same_models"]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same at every call."""
    return torch.randn(*shape, generator=generator(seed, "check/practice"))


def a_network(classes: int = 4, seed: int = 0) -> nn.Sequential:
    """Two linear layers around a norm, the same at every call."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(0.3 * drawn(*parameter.shape, seed=seed + number))
    return model


def a_batch(seed: int, count: int = 8, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Inputs (count, 6) and labels (count,), the same at every call."""
    return drawn(count, 6, seed=100 + seed), torch.arange(count) % classes


def learn(model: nn.Module, optimizer: Optimizer, batch: tuple[Tensor, Tensor]) -> None:
    """One update."""
    optimizer.zero_grad()
    cross_entropy(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors differ by rounding alone."""
    return a.shape == b.shape and torch.allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-6)


def same_models(a: nn.Module, b: nn.Module) -> bool:
    """Whether two models have the same weights and buffers."""
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(same(mine[name], theirs[name]) for name in mine)


def must_be_trainable(model: nn.Module) -> None:
    """The model can go on learning: nothing is frozen, and no layer was left in evaluation mode."""
    if frozen := [name for name, parameter in model.named_parameters() if not parameter.requires_grad]:
        raise NotYetError(f"{', '.join(frozen)} must require a gradient, or it never learns; leave requires_grad True")
    if not all(module.training for module in model.modules()):
        raise NotYetError("the model was left in evaluation mode; a training that goes on needs model.train()")
