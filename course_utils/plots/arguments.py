"""Can this be drawn? What the reader hands over, as rows of numbers, or refused in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "LARGEST",
    "MOST_LINES",
    "Array",
    "Limits",
    "Values",
    "as_ascending",
    "as_mask",
    "as_numbers",
    "as_row",
    "check_beta",
    "check_count",
    "check_dict",
    "check_heights",
    "check_limits",
    "first_and_last",
]

Array = npt.NDArray[np.float64]
Values: TypeAlias = "npt.ArrayLike | Tensor | Sequence[Tensor]"
Limits = tuple[float, float]
MOST_LINES = 12  # more could not be told apart
MOST_VALUES = 100_000_000
LARGEST = 1e100  # larger numbers overflow inside matplotlib


def as_row(argument: str, values: Any) -> Array:
    """One or more numbers in a row, float64 ``(n,)``."""
    row = as_numbers(argument, values)
    if row.ndim != 1 or not len(row):
        raise ValueError(f"{argument} must be a row of one or more numbers, got shape {row.shape}; try [2.3, 1.9, 1.7]")
    return row


def as_numbers(argument: str, values: Any) -> Array:
    """Any tensor, list of tensors, array or list as float64 on the CPU."""
    count = math.prod(getattr(values, "shape", ()))
    if count > MOST_VALUES:  # a view of one number may claim more of them than there is memory
        raise ValueError(f"{argument} must be at most {MOST_VALUES:,} numbers, got {count:,}; try every 1000th")
    if isinstance(values, (list, tuple)) and any(hasattr(value, "detach") for value in values):
        values = [as_numbers(argument, value) for value in values]
    try:
        if hasattr(values, "detach"):
            if values.is_complex():
                raise TypeError(f"{values.dtype} is no type of real numbers")
            values = values.detach().cpu().double().numpy()
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "biuf":
            raise TypeError(f"{numbers.dtype} is no type of real numbers")
        return numbers.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise ValueError(
            f"{argument} must be numbers, got {textwrap.shorten(repr(values), 60)}; try [2.3, 1.9]"
        ) from error


def as_ascending(argument: str, values: Any, *, positive: bool = False) -> Array:
    """A row that is finite and ascending, and above 0 if it is to stand on a log scale."""
    row = as_row(argument, values)
    if not (np.diff(row) > 0).all() or not (np.abs(row) <= LARGEST).all() or (positive and row[0] <= 0):
        kind = "finite, ascending and above 0" if positive else "finite and ascending"
        raise ValueError(f"{argument} must be {kind}, got {row[0]:g} to {row[-1]:g}; try sorted({argument})")
    return row


def as_mask(argument: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """True or false for each of the values."""
    mask: npt.NDArray[np.bool_] = as_numbers(argument, values).astype(np.bool_)
    if mask.shape != shape:
        raise ValueError(
            f"{argument} must have the shape of the values, {shape}, got {mask.shape}; transpose both alike"
        )
    return mask


def first_and_last(values: Sequence[float] | Array) -> Limits:
    """Both ends of a row."""
    return float(values[0]), float(values[-1])


def check_dict(argument: str, named: Any, most: int, *, least: int = 1) -> dict[str, Any]:
    """A dict of ``least`` to ``most`` names, every name a str."""
    if not isinstance(named, Mapping):
        raise TypeError(f"{argument} must be a dict of names, got {type(named).__name__}; try {{'SGD': ...}}")
    if not least <= len(named) <= most:
        raise ValueError(
            f"{argument} must hold {least} to {most} names, got {len(named)}; draw them in several figures"
        )
    return {str(name): value for name, value in named.items()}


def check_heights(argument: str, named: Mapping[str, float] | None, *, positive: bool = False) -> dict[str, float]:
    """Named numbers, finite, and above 0 if they are to stand on a log scale."""
    numbers = {} if named is None else check_dict(argument, named, MOST_LINES, least=0)
    for name, number in numbers.items():
        value = as_numbers(f"{argument}[{name!r}]", number)
        if value.ndim or not abs(value) <= LARGEST or (positive and value <= 0):
            kind = "a number above 0" if positive else "a finite number"
            raise ValueError(f"{argument}[{name!r}] must be {kind}, got {number!r}; try 1.0")
        numbers[name] = float(value)
    return numbers


def check_limits(argument: str, limits: Limits | None) -> Limits | None:
    """None, or the lower and the upper edge of a scale."""
    if limits is not None:
        ends = as_row(argument, limits)
        if len(ends) != 2 or not -LARGEST <= ends[0] < ends[1] <= LARGEST:
            raise ValueError(f"{argument} must be two finite numbers, the lower first, got {limits!r}; try (0.0, 2.5)")
    return limits


def check_count(argument: str, value: int, least: int, most: int) -> None:
    """Refuse what is not a whole number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(
            f"{argument} must be a whole number from {least} to {most}, got {value!r}; try {max(least, 2)}"
        )


def check_beta(beta: float) -> None:
    """Refuse what is not a weight of the past: 0 or more and below 1."""
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < 1:
        raise ValueError(f"beta must be 0 or more and below 1, got {beta!r}; try 0.9")
