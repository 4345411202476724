"""Is this argument one? Checks keep what fits, and refuse the rest in words: what came, what is allowed, what to try.

A check is made once and used at a public door with the name of the argument; it returns what to keep of the value:

    a_count = a_whole_number(1, example=64)
    ...
    batch_size = a_count("batch_size", batch_size)

Another kind of thing is a TypeError; a thing of the right kind that is out of range, or unknown, is a ValueError.
"""

import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Check",
    "a_check",
    "a_dict",
    "a_function",
    "a_number",
    "a_row",
    "a_switch",
    "a_text",
    "a_title",
    "a_tuple",
    "a_whole_number",
    "an_array",
    "an_instance",
    "kind_of",
    "one_of",
    "or_none",
    "shown",
]

Array = npt.NDArray[np.float64]
Kept = TypeVar("Kept")
Check = Callable[[str, Any], Kept]

LARGEST = sys.float_info.max
SHOWN_LETTERS = 60
LONGEST_TITLE = 180


def shown(value: object) -> str:
    """A value as an error quotes it, in one short line."""
    return textwrap.shorten(repr(value), SHOWN_LETTERS)


def kind_of(value: object) -> str:
    """The name of the class of a value, for an error about a thing whose content does not matter."""
    return type(value).__name__


def _words(name: str, must: str, came: str, example: str) -> str:
    return f"{name} must {must}, got {came}; try {example}"


def a_check(
    must: str,
    *,
    kind: Callable[[Any], bool],
    fits: Callable[[Any], bool] = lambda value: True,
    keep: Callable[[Any], Kept],
    came: Callable[[Any], str] = shown,
    example: str,
) -> Check[Kept]:
    """A check for what the argument ``must`` be, such as "be a number from 0 to 1".

    The check raises a TypeError unless ``kind(value)``, and a ValueError unless ``fits(value)``; it returns
    ``keep(value)``. ``came`` writes the value down in the error, ``example`` is what to try instead, as code.
    """

    def check(name: str, value: Any) -> Kept:
        right_kind = kind(value)
        if not right_kind or not fits(value):
            error = ValueError if right_kind else TypeError
            raise error(_words(name, must, came(value), example))
        return keep(value)

    return check


def a_number(
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    must: str | None = None,
    example: float,
) -> Check[float]:
    """A check for a finite real number within these limits, kept as a float: ``a_number(0, below=1, example=0.9)``.

    ``must`` says it in better words than the limits.
    """
    lowest, highest = (-LARGEST if low is None else low), (LARGEST if high is None else high)
    noun = "a finite number" if None in (low, high) and below is None else "a number"
    return a_check(
        must or f"be {noun}{_limits(low, high, above, below)}",
        kind=lambda value: isinstance(value, Real) and not isinstance(value, bool),
        fits=lambda value: (
            lowest <= value <= highest and (above is None or value > above) and (below is None or value < below)
        ),
        keep=float,
        example=repr(example),
    )


def a_whole_number(low: int | None = None, high: int | None = None, *, example: int) -> Check[int]:
    """A check for a whole number from ``low`` to ``high``; those of numpy will do."""
    return a_check(
        f"be a whole number{_limits(low, high)}",
        kind=lambda value: isinstance(value, Integral) and not isinstance(value, bool),
        fits=lambda value: (low is None or low <= value) and (high is None or value <= high),
        keep=int,
        example=repr(example),
    )


def a_switch(*, example: bool = False) -> Check[bool]:
    """A check for True or False."""
    return a_check("be True or False", kind=lambda value: isinstance(value, bool), keep=bool, example=repr(example))


def a_text(low: int = 0, high: int | None = None, *, example: str) -> Check[str]:
    """A check for a text of ``low`` to ``high`` letters, not counting blanks at its ends."""
    return a_check(
        "be a text" if high is None else f"be a text of {low} to {high} letters",
        kind=lambda value: isinstance(value, str),
        fits=lambda value: low <= len(value.strip()) <= (sys.maxsize if high is None else high),
        keep=str,
        example=repr(example),
    )


def a_title() -> Check[str]:
    """A check for what can stand above a figure."""
    return a_text(1, LONGEST_TITLE, example="Loss of SGD")


def one_of(allowed: Iterable[str], *, example: str | None = None) -> Check[str]:
    """A check for one of the names in ``allowed``; anything else is a ValueError."""
    names = tuple(allowed)
    return a_check(
        f"be one of {', '.join(map(repr, names))}",
        kind=lambda value: True,
        fits=lambda value: isinstance(value, str) and value in names,
        keep=str,
        example=repr(example or names[0]),
    )


def an_instance(*kinds: type, example: str, must: str | None = None) -> Check[Any]:
    """A check for an object of one of these classes; ``must`` says it in better words than their names."""
    named = " or ".join(kind.__name__ for kind in kinds)
    return a_check(
        must or f"be {'an' if named[0] in 'AEIOUaeiou' else 'a'} {named}",
        kind=lambda value: isinstance(value, kinds),
        keep=lambda value: value,
        came=kind_of,
        example=example,
    )


def a_function(of: str, *, example: str) -> Check[Callable[..., Any]]:
    """A check for something that can be called with ``of``, such as "the optimizer"."""
    return a_check(f"be a function of {of}", kind=callable, keep=lambda value: value, example=example)


def a_tuple(
    each: Check[Kept], length: int | None = None, *, of: str, kinds: tuple[type, ...] = (tuple,), example: object
) -> Check[tuple[Kept, ...]]:
    """A check for a tuple of things that ``each`` keeps; ``of`` names them, such as "two numbers"."""
    parts = a_check(
        f"be a tuple of {of}",
        kind=lambda value: isinstance(value, kinds),
        fits=lambda value: length is None or len(value) == length,
        keep=enumerate,
        example=repr(example),
    )
    return lambda name, value: tuple(each(f"{name}[{i}]", part) for i, part in parts(name, value))


def a_dict(*needed: str, least: int = 0, most: int | None = None, of: str, example: str) -> Check[dict[Any, Any]]:
    """A check for a dict that has the names ``needed``, ``least`` to ``most`` in all, kept as a copy."""
    return a_check(
        f"be a dict of {of}",
        kind=lambda value: isinstance(value, Mapping),
        fits=lambda value: (
            value.keys() >= set(needed) and least <= len(value) <= (sys.maxsize if most is None else most)
        ),
        keep=dict,
        came=lambda value: f"one of {', '.join(map(repr, value))}" if isinstance(value, Mapping) else kind_of(value),
        example=example,
    )


def an_array(
    must: str = "be numbers", *, fits: Callable[[Array], bool] = lambda numbers: True, example: str
) -> Check[Array]:
    """A check for real numbers in a tensor, an array, a list or alone; kept as float64 on the CPU, in their shape."""

    def check(name: str, value: Any) -> Array:
        numbers = _as_array(value)
        if numbers is None or not fits(numbers):
            error = TypeError if numbers is None else ValueError
            raise error(_words(name, must, shown(value), example))
        return numbers

    return check


def a_row(
    length: int | None = None,
    *,
    must: str = "be a row of numbers",
    fits: Callable[[Array], bool] = lambda row: True,
    example: str,
) -> Check[Array]:
    """A check for one or more numbers in a row, or as many as ``length``; kept as float64 ``(n,)``."""

    def is_row(row: Array) -> bool:
        return row.ndim == 1 and len(row) > 0 and length in (None, len(row)) and fits(row)

    return an_array(must, fits=is_row, example=example)


def or_none(check: Check[Kept]) -> Check[Kept | None]:
    """A check that lets None pass, and looks at everything else."""
    return lambda name, value: None if value is None else check(name, value)


def _limits(low: float | None, high: float | None, above: float | None = None, below: float | None = None) -> str:
    """The limits in words, with a blank before them; empty if there are none."""
    if low is not None and high is not None:
        return f" from {_written(low)} to {_written(high)}"
    limits = {"of {} or more": low, "of {} or less": high, "above {}": above, "below {}": below}
    words = [text.format(_written(limit)) for text, limit in limits.items() if limit is not None]
    return f" {' and '.join(words)}" if words else ""


def _written(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _as_array(value: Any) -> Array | None:
    """The numbers in ``value``, or None if there is anything else in it."""
    try:
        if isinstance(value, (list, tuple)) and any(hasattr(part, "detach") for part in value):
            value = [_as_array(part) for part in value]
        elif hasattr(value, "detach"):  # a tensor
            value = value.detach().cpu().to_dense()
            value = value.numpy() if value.dtype.is_complex else value.double().numpy()
        numbers = np.asarray(value)
        return numbers.astype(np.float64) if numbers.dtype.kind in "biuf" else None
    except (TypeError, ValueError, RuntimeError):
        return None
