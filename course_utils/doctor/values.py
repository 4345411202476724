"""What did the learner hand over? Tensors found in arguments of any form, and the words of an exception."""

from typing import Any

import torch
from torch import Tensor

from course_utils.doctor.recording import Stop

__all__ = ["first_line", "first_tensor", "near", "readable", "several", "stop_of", "wide"]


def readable(tensor: Tensor) -> bool:
    """Whether ``tensor`` holds numbers of its own, in rows and columns: it is not sparse, nested, empty, or on meta."""
    return tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta) and tensor.numel() > 0


def near(tensor: Tensor) -> Tensor:
    """``tensor``, on the CPU where its device lacks operations, as Apple's GPUs do."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def wide(tensor: Tensor) -> Tensor:
    """``tensor`` in float64, which Apple's GPUs do not have; of complex numbers both parts."""
    return near(torch.view_as_real(tensor) if tensor.is_complex() else tensor).double()


def first_tensor(value: Any) -> Tensor | None:
    """The first readable tensor in a model's output or arguments, which may be tuples or dicts."""
    if isinstance(value, Tensor):
        return value if readable(value) else None
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for found in map(first_tensor, value) if found is not None), None)
    return None


def several(tensors: Any) -> tuple[Tensor, ...]:
    """All tensors that were given, one or several."""
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def first_line(error: BaseException) -> str:
    """What ``error`` says in its first line, cut to a length that can be shown."""
    try:
        said = str(error)
    except Exception:  # the learner's own exception may be broken, and passes on all the same
        return ""
    return (said.splitlines() or [""])[0][:160]


def stop_of(error: BaseException) -> Stop:
    """What is remembered of the exception that ended a block."""
    return Stop(type(error).__name__, first_line(error))
