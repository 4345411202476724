"""What is replaced where torch has no hook that costs as little? Calls, losses, backward, schedulers, loaders..."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from course_utils.doctor import events
from course_utils.doctor.probes.threads import THREADS
from course_utils.doctor.registry import kinds
from course_utils.doctor.values import readable, several
from course_utils.reading import Readable, Source

__all__ = ["Tell", "Wanted", "replaced"]

Tell = Callable[[events.Event], None]
Wanted = Callable[[nn.Module], bool]
Make = Callable[[Any, Tell], Any]

# Every form of a loss (layer, functional, imported by name) ends in one of these; with the position of `reduction`.
_HEADS: tuple[tuple[Any, str, str, int], ...] = (
    (torch._C._nn, "cross_entropy_loss", "cross_entropy", 3),
    (torch._C._nn, "nll_loss_nd", "nll", 3),
    (torch._C._nn, "binary_cross_entropy", "bce", 3),
    (torch, "binary_cross_entropy_with_logits", "bce_with_logits", 4),
    (torch._C._nn, "mse_loss", "mse", 2),
    (torch._C._nn, "l1_loss", "l1", 2),
    (torch._C._nn, "smooth_l1_loss", "smooth_l1", 2),
    (torch._C._nn, "huber_loss", "huber", 2),
    (torch, "kl_div", "kl_div", 2),
)


_OF_CLASSES = ("cross_entropy", "nll")
_SUMS = ("__add__", "__radd__", "__iadd__", "__sub__", "__rsub__", "__isub__")


_BUILTINS = (
    *((owner, name) for owner, name, *_ in _HEADS),
    (torch._VF, "dropout"),
    (nn.functional, "scaled_dot_product_attention"),
)


def replaced(wanted: Wanted) -> list[tuple[Any, str, Make]]:
    """What is replaced: the owner, the name, and the function that makes the wrapper of the original.

    ``wanted`` says of a model that is called from outside whether what happens inside that call is to be told, too.
    """
    heads = [(owner, name, functools.partial(_loss_head, kind, place)) for owner, name, kind, place in _HEADS]
    schedulers = [(kind, "step", _scheduler_step) for kind in kinds(LRScheduler) if "step" in vars(kind)]
    return [
        *((torch.jit, name, _scripting) for name in ("script", "trace")),
        (nn.Module, "__call__", functools.partial(_call, wanted)),
        *heads,
        *schedulers,
        (ReduceLROnPlateau, "__init__", functools.partial(_made, events.SchedulerMade)),
        (Optimizer, "__init__", functools.partial(_made, events.OptimizerMade)),
        *((Tensor, name, _sum) for name in _SUMS),
        (torch._VF, "dropout", functools.partial(_drops, 1, "p", lambda args: bool(args[2]))),
        (nn.functional, "scaled_dot_product_attention", functools.partial(_drops, 4, "dropout_p", lambda _: True)),
        (torch.autograd, "backward", _backward),
        (torch.autograd, "grad", _grad),
        (Optimizer, "zero_grad", _zero_grad),
        (nn.Module, "zero_grad", _zero_grad),
        (DataLoader, "__iter__", _loader_iter),
        (_BaseDataLoaderIter, "__next__", _loader_next),
        (nn.Module, "state_dict", _state_dict),
        (nn.Module, "load_state_dict", _load_state_dict),
        (torch, "save", _save),
        (clip_grad, "_clip_grads_with_norm_", _clip),
        (GradScaler, "scale", functools.partial(_scaler, True)),
        (GradScaler, "unscale_", functools.partial(_scaler, False)),
        (Readable, "passing", _passing),
    ]


def _call(wanted: Wanted, original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or THREADS.passing():
            return original(self, *args, **kwargs)
        amid = THREADS.amid()
        if amid.model is not None and not amid.inside:
            return original(self, *args, **kwargs)
        if outermost := amid.model is None:
            amid.model, amid.inside = self, wanted(self)
        output = None
        tell(events.ForwardBegins(self, args, outermost))
        try:
            output = original(self, *args, **kwargs)
        finally:
            if outermost:
                amid.model = None
            tell(events.ForwardEnded(self, args, output, outermost))
        return output

    return call


def _scripting(original: Any, tell: Tell) -> Any:
    """TorchScript knows torch's own functions by their identity: it is to find them."""

    @functools.wraps(original)
    def script(*args: Any, **kwargs: Any) -> Any:
        ours = [getattr(owner, name) for owner, name in _BUILTINS]
        for (owner, name), wrapper in zip(_BUILTINS, ours, strict=True):
            setattr(owner, name, getattr(wrapper, "__wrapped__", wrapper))
        try:
            return original(*args, **kwargs)
        finally:
            for (owner, name), wrapper in zip(_BUILTINS, ours, strict=True):
                setattr(owner, name, wrapper)

    return script


def _loss_head(kind: str, place: int, original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def loss(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or len(args) < 2 or not all(map(readable, args[:2])):
            return original(*args, **kwargs)
        try:
            output = original(*args, **kwargs)
        except Exception as error:
            tell(events.LossRefused(kind, args[0], args[1], error))
            raise
        reduction = args[place] if len(args) > place else None
        ignored = args[place + 1] if kind in _OF_CLASSES and len(args) > place + 1 else -100
        logs = bool(kwargs.get("log_target", False))
        again = _like(original, args[2:], kwargs)
        tell(events.LossComputed(kind, args[0], args[1], output, reduction, ignored, logs, again))
        return output

    return loss


def _like(original: Any, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss function with the options of one call."""
    return lambda inputs, target: original(inputs, target, *rest, **kwargs)


def _sum(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def add(self: Any, other: Any) -> Any:
        output = original(self, other)
        if torch.compiler.is_compiling() or not isinstance(output, Tensor) or output.grad_fn is None:
            return output
        if not output.dim():
            tell(events.Summed(output, next(filter(_has_no_graph, (self, other)), None)))
        elif output.dim() == 2 and isinstance(other, Tensor) and _stretched(self, other):
            tell(events.Stretched(self, other, output))
        return output

    return add


def _has_no_graph(side: Any) -> bool:
    return not side.requires_grad if isinstance(side, Tensor) else isinstance(side, int | float) and bool(side)


def _drops(place: int, name: str, on: Callable[[tuple[Any, ...]], bool], original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def drop(*args: Any, **kwargs: Any) -> Any:
        p = kwargs.get(name, args[place] if len(args) > place else 0.0)
        if not torch.compiler.is_compiling() and p and on(args):
            tell(events.Dropped(float(p)))
        return original(*args, **kwargs)

    return drop


def _stretched(one: Tensor, other: Tensor) -> bool:
    """Whether one is ``(N, 1)``, and the other ``(N,)``."""
    high, low = (one, other) if one.dim() > other.dim() else (other, one)
    return low.dim() == 1 < len(low) and tuple(high.shape) == (len(low), 1)


def _backward(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if THREADS.passing() or not all(map(readable, several(tensors))):
            return original(tensors, *args, **kwargs)
        amid = THREADS.amid()
        amid.backward = True
        tell(events.BackwardBegins(tensors))
        try:
            original(tensors, *args, **kwargs)
        except Exception as error:
            tell(events.BackwardEnded(tensors, error))
            raise
        finally:
            amid.backward = False
        tell(events.BackwardEnded(tensors))
        return None

    return backward


def _grad(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        if all(map(readable, several(outputs))):
            tell(events.GradientsTaken(outputs))
        return original(outputs, *args, **kwargs)

    return grad


def _zero_grad(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def zero_grad(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        tell(events.Zeroed(self))

    return zero_grad


def _made(event: Callable[[Any], events.Event], original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        tell(event(self))

    return made


def _scheduler_step(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def step(self: LRScheduler, *args: Any, **kwargs: Any) -> Any:
        amid = THREADS.amid()
        if amid.scheduler:
            return original(self, *args, **kwargs)
        amid.scheduler = True
        try:
            result = original(self, *args, **kwargs)
        except Exception as error:
            tell(events.SchedulerStepped(self, error))
            raise
        finally:
            amid.scheduler = False
        metric = (*args, kwargs.get("metrics"), None)[0] if isinstance(self, ReduceLROnPlateau) else None
        tell(events.SchedulerStepped(self, metric=None if metric is None else float(metric)))
        return result

    return step


def _loader_iter(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def iterate(self: DataLoader[Any]) -> Any:
        iterator = original(self)
        tell(events.PassBegins(self, iterator))
        return iterator

    return iterate


def _loader_next(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def read(self: Any) -> Any:
        try:
            batch = original(self)
        except StopIteration:
            tell(events.PassEnded())
            raise
        tell(events.BatchRead(self, batch))
        return batch

    return read


def _state_dict(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def state_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
        state = original(self, *args, **kwargs)
        if not args and kwargs.get("destination") is None:  # else a part of a larger module's
            tell(events.StateTaken(self, state))
        return state

    return state_dict


def _load_state_dict(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def load_state_dict(self: Any, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        tell(events.StateLoaded(self, state_dict))
        return original(self, state_dict, *args, **kwargs)

    return load_state_dict


def _save(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def save(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        tell(events.StateSaved())
        return result

    return save


def _clip(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def clip(parameters: Any, max_norm: Any, total_norm: Any, *args: Any, **kwargs: Any) -> Any:
        tell(events.Clipped(float(max_norm), total_norm))
        return original(parameters, max_norm, total_norm, *args, **kwargs)

    return clip


def _scaler(multiplied: bool, original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def scaled(self: GradScaler, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        tell(events.GradientsScaled(multiplied and self.is_enabled()))
        return result

    return scaled


def _passing(original: Any, tell: Tell) -> Any:
    @functools.wraps(original)
    def passing(self: Any, batches: Iterator[Any]) -> Iterator[Any]:
        return _followed(original(self, batches), self, tell)

    return passing


def _followed(batches: Iterator[Any], loader: Source, tell: Tell) -> Iterator[Any]:
    """The same batches, none of them kept."""
    tell(events.PassBegins(loader, batches))
    while True:
        try:
            batch = [next(batches)]
        except StopIteration:
            tell(events.PassEnded())
            return
        tell(events.BatchRead(batches, batch[0]))
        yield batch.pop()
