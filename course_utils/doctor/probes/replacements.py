"""What is replaced where torch has no hook? Loss functions, backward, zero_grad, scheduler steps and loaders."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from course_utils.data.loader import Loader
from course_utils.doctor.graph import sequence

__all__ = ["replaced"]

Tell = Callable[..., None]
Make = Callable[[Any, Tell], Any]

# Every form of a loss (layer, functional, imported by name) ends in one of these; with the position of `reduction`.
_MEAN = 1
_HEADS: tuple[tuple[Any, str, str, int], ...] = (
    (torch._C._nn, "cross_entropy_loss", "cross_entropy", 3),
    (torch._C._nn, "nll_loss_nd", "nll", 3),
    (torch._C._nn, "binary_cross_entropy", "bce", 3),
    (torch, "binary_cross_entropy_with_logits", "bce_with_logits", 4),
    (torch._C._nn, "mse_loss", "mse", 2),
    (torch._C._nn, "l1_loss", "l1", 2),
    (torch._C._nn, "smooth_l1_loss", "smooth_l1", 2),
    (torch._C._nn, "huber_loss", "huber", 2),
)


def replaced() -> list[tuple[Any, str, Make]]:
    """What is replaced: the owner, the name, and the function that makes the wrapper of the original."""
    heads = [(owner, name, functools.partial(_loss_head, kind, place)) for owner, name, kind, place in _HEADS]
    schedulers = [(kind, "step", _scheduler_step) for kind in _kinds(LRScheduler) if "step" in vars(kind)]
    return [
        *heads,
        *schedulers,
        (torch.autograd, "backward", _backward),
        (torch.autograd, "grad", _grad),
        (Optimizer, "zero_grad", _optimizer_zero_grad),
        (nn.Module, "zero_grad", _module_zero_grad),
        (DataLoader, "__iter__", _loader_iter),
        (_BaseDataLoaderIter, "__next__", _loader_next),
        (Loader, "batches", _course_batches),
    ]


def _kinds(kind: type) -> list[type]:
    """``kind`` and every class below it, each once."""
    classes: list[type] = type.__subclasses__(kind)
    below = [deeper for direct in classes for deeper in _kinds(direct)]
    return list(dict.fromkeys([kind, *below]))


def _loss_head(kind: str, place: int, original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def loss(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or len(args) < 2:
            return original(*args, **kwargs)
        try:
            output = original(*args, **kwargs)
        except Exception as error:
            tell("loss_refused", kind, args[0], args[1], error)
            raise
        mean = len(args) > place and args[place] == _MEAN
        tell("loss_computed", kind, args[0], args[1], output, mean)
        return output

    return loss


def _backward(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        losses = _several(tensors)
        numbers = [sequence(loss) for loss in losses]
        tell("backward_begins", losses)
        try:
            original(tensors, *args, **kwargs)
        except Exception as error:
            tell("backward_failed", losses, error)
            raise
        tell("backward_ended", numbers)

    return backward


def _grad(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        tell("gradients_taken", _several(outputs))
        return original(outputs, *args, **kwargs)

    return grad


def _optimizer_zero_grad(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def zero_grad(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        tell("optimizer_zeroed", self)

    return zero_grad


def _module_zero_grad(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def zero_grad(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        tell("zeroed", list(self.parameters()))

    return zero_grad


_stepping: list[LRScheduler] = []  # a SequentialLR steps others inside its own step


def _scheduler_step(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def step(self: LRScheduler, *args: Any, **kwargs: Any) -> Any:
        if _stepping:
            return original(self, *args, **kwargs)
        _stepping.append(self)
        try:
            result = original(self, *args, **kwargs)
        except Exception as error:
            tell("scheduler_stepped", self, error)
            raise
        finally:
            _stepping.pop()
        tell("scheduler_made" if self._is_initial else "scheduler_stepped", self, None)
        return result

    return step


def _loader_iter(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def iterate(self: DataLoader[Any]) -> Any:
        iterator = original(self)
        tell("pass_begins", self, iterator)
        return iterator

    return iterate


def _loader_next(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def read(self: Any) -> Any:
        try:
            batch = original(self)
        except StopIteration:
            tell("pass_ended")
            raise
        tell("batch_read", self)
        return batch

    return read


def _course_batches(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def batches(self: Loader, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return _followed(original(self, *args, **kwargs), self, tell)

    return batches


def _followed(batches: Iterator[Any], loader: Loader, tell: Tell) -> Iterator[Any]:
    """The same batches, none of them kept."""
    tell("pass_begins", loader, batches)
    while True:
        try:
            batch = [next(batches)]
        except StopIteration:
            tell("pass_ended")
            return
        tell("batch_read", batches)
        yield batch.pop()


def _several(tensors: Any) -> tuple[Tensor, ...]:
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
