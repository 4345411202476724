"""Which device? The name of a device, checked against what this machine has."""

import torch

from course_utils.arguments import an_instance

__all__ = ["pick_device"]

_a_device = an_instance(str, torch.device, must="be a string or a torch.device", example='"auto"')


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device to compute on; ``"auto"`` takes CUDA, else Apple's MPS, else the CPU.

    Raises:
        TypeError: ``device`` is neither a string nor a ``torch.device``.
        ValueError: the name is unknown, or this machine has no such device.
    """
    available = _available()
    if _a_device("device", device) == "auto":
        return torch.device(available[0])
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f'device must be "auto" or one of {available}, got {device!r}; try "auto"') from error
    # "meta" holds shapes without numbers: it is there on every machine, and tests use it.
    if chosen.type not in (*available, "meta"):
        raise ValueError(f'this machine has no device {device!r}, only {available}; try device="auto"')
    return chosen


def _available() -> list[str]:
    """Types of device on this machine, the fastest first."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, present in has.items() if present]
