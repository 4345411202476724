"""How is a model tried out without a trace? On a copy, unheard, and with all random streams put back."""

import copy
import random
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.doctor.probes import HUB
from course_utils.doctor.values import first_line

__all__ = ["Unable", "aside", "copied", "random_state", "restore_random", "tensors_in", "with_tensors"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_FUNCTIONS = (types.FunctionType, types.LambdaType, types.BuiltinFunctionType)


class Unable(Exception):  # noqa: N818 - it is told as a reason, and never leaves the doctor
    """Why something cannot be tried out on a copy, in words."""


@contextmanager
def aside() -> Iterator[None]:
    """A block that no observer hears, and after which torch, Python and numpy draw what they would have drawn."""
    numpy: Any = sys.modules.get("numpy")
    of_python, of_torch = random.getstate(), random_state()
    of_numpy = None if numpy is None else numpy.random.get_state()
    try:
        with HUB.muted(), torch.enable_grad():
            yield
    finally:
        random.setstate(of_python)
        restore_random(of_torch)
        if of_numpy is not None:
            numpy.random.set_state(of_numpy)


def random_state() -> list[Tensor]:
    """The state of torch's generators: the CPU's, then that of each CUDA device that was used."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if used else [])]


def restore_random(states: list[Tensor]) -> None:
    """Put back what ``random_state`` gave."""
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])


def copied(thing: Any, memo: dict[int, Any] | None = None) -> Any:
    """A deep copy; for a model with weights, buffers, modes and gradients of its own.

    Args:
        thing: a model, or what belongs to it.
        memo: what was copied before and is not to be copied again, as ``copy.deepcopy`` takes it; is added to.

    Raises:
        Unable: it cannot be copied, or a hook of the reader's own would be called with the copy's numbers.
    """
    owned = _hooked(thing) if isinstance(thing, nn.Module) else ""
    if owned:
        raise Unable(f"{owned} has a hook that is a function, which would see the copy's numbers; try without it")
    try:
        return copy.deepcopy(thing, memo)
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        raise Unable(f"{type(thing).__name__} could not be copied ({said})") from error


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in a model's arguments or output, in order, in tuples, lists and dicts of any depth."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def with_tensors(value: Any, change: Any) -> Any:
    """``value`` with ``change(tensor)`` in place of each tensor."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: with_tensors(part, change) for key, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(with_tensors(part, change) for part in value)
    return value


def _hooked(model: nn.Module) -> str:
    """The class of a module with a hook that is a plain function; those of torch are objects, and are copied."""
    for module in model.modules():
        if any(isinstance(hook, _FUNCTIONS) for name in _HOOKS for hook in getattr(module, name, {}).values()):
            return type(module).__name__
    return ""
