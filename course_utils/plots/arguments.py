"""Can this be drawn? The checks for what figures take: numbers, rows, named things, the ends of a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from course_utils.arguments import Array, a_dict, a_number, a_row, an_array

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "LARGEST",
    "MOST_LINES",
    "Array",
    "Limits",
    "Values",
    "a_beta",
    "as_ascending",
    "as_limits",
    "as_mask",
    "as_named",
    "as_named_numbers",
    "as_numbers",
    "as_row",
    "first_and_last",
]

Values: TypeAlias = "npt.ArrayLike | Tensor | Sequence[Tensor]"
Limits = tuple[float, float]
MOST_LINES = 12  # more could not be told apart
LARGEST = 1e100  # larger numbers overflow inside matplotlib

a_beta = a_number(0, below=1, must="be 0 or more and below 1", example=0.9)
as_numbers = an_array(example="[2.3, 1.9]")
as_row = a_row(must="be a row of one or more numbers", example="[2.3, 1.9, 1.7]")
_as_ends = a_row(
    2,
    must="be two finite numbers, the lower first",
    fits=lambda ends: bool(-LARGEST <= ends[0] < ends[1] <= LARGEST),
    example="(0.0, 2.5)",
)


def as_ascending(argument: str, values: Any, *, positive: bool = False) -> Array:
    """A row that is finite and ascending, and above 0 if it is to stand on a log scale."""
    lowest = 0 if positive else -LARGEST
    check = a_row(
        must="be finite, ascending and above 0" if positive else "be finite and ascending",
        fits=lambda row: bool((np.diff(row) > 0).all() and lowest < row[0] and row[-1] < LARGEST),
        example=f"sorted({argument})",
    )
    return check(argument, values)


def as_mask(argument: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """True or false for each of the values."""
    must = f"have the shape of the values, {shape}"
    check = an_array(must, fits=lambda mask: mask.shape == shape, example="~numpy.isfinite(values)")
    return check(argument, values).astype(np.bool_)


def first_and_last(values: Sequence[float] | Array) -> Limits:
    """Both ends of a row."""
    return float(values[0]), float(values[-1])


def as_named(argument: str, named: Any, most: int = MOST_LINES, *, least: int = 1) -> dict[str, Any]:
    """A dict of ``least`` to ``most`` names, every name a str."""
    check = a_dict(least=least, most=most, of=f"{least} to {most} names", example="{'SGD': [2.3, 1.9]}")
    return {str(name): value for name, value in check(argument, named).items()}


def as_named_numbers(argument: str, named: Mapping[str, float] | None, *, positive: bool = False) -> dict[str, float]:
    """Named numbers, finite, and above 0 if they are to stand on a log scale; none for None."""
    lowest = 0 if positive else -LARGEST
    check = an_array(
        "be a number above 0" if positive else "be a finite number",
        fits=lambda number: number.ndim == 0 and bool(lowest < number < LARGEST),
        example="1.0",
    )
    numbers = as_named(argument, {} if named is None else named, least=0)
    return {name: float(check(f"{argument}[{name!r}]", number)) for name, number in numbers.items()}


def as_limits(argument: str, limits: Limits | None) -> Limits | None:
    """None, or the lower and the upper end of a scale."""
    return None if limits is None else first_and_last(_as_ends(argument, limits))
