"""What does a check say? A ``Verdict``: passed or not yet, and why, in words that help to go on.

All checks read an answer in one way: ``one_number``, ``whole_number``, ``row_of_numbers`` and ``same_name`` take it in
any honest form and refuse the rest in words. Whatever an answer raises, called or looked at, becomes words too.
"""

import math
import textwrap
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from itertools import islice
from numbers import Real
from typing import Any, ParamSpec

import numpy as np
import torch
from torch import Tensor

from course_utils.arguments import shown

__all__ = [
    "NotYetError",
    "Verdict",
    "call",
    "explained",
    "one_number",
    "row_of_numbers",
    "said_by",
    "same_name",
    "same_number",
    "same_numbers",
    "whole_number",
]

P = ParamSpec("P")

RETURNED = "your function"  # what one_number reads, unless told otherwise
SHOWN_LETTERS = 200


@dataclass(frozen=True)
class Verdict:
    """The answer of a check; as the last line of a cell it shows itself."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"✓ right: {self.message}" if self.passed else f"✗ not yet: {self.message}"


class NotYetError(Exception):
    """Raised inside a check, with the words that the student should read."""


def explained(check: Callable[P, str]) -> Callable[P, Verdict]:
    """Make a ``Verdict`` of a check that returns praise, or raises ``NotYetError`` with what is missing.

    An answer may also raise when it is compared, long after it was called: that is a refusal as well.
    """

    @wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Verdict:
        try:
            return Verdict(passed=True, message=check(*args, **kwargs))
        except NotYetError as missing:
            return Verdict(passed=False, message=str(missing))
        except (Exception, SystemExit) as error:
            return Verdict(passed=False, message=f"your answer could not be judged; it raised {said_by(error)}")

    return checked


def call(answer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the student's function returns; whatever it raises becomes words.

    Raises:
        NotYetError: ``answer`` is no function, is still the stub, or raised an error.
    """
    if not callable(answer):
        raise NotYetError(f"expected a function, got {shown(answer)}; pass its name without parentheses")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # a warning is no error, whatever the filters of the day
            return answer(*args, **kwargs)
    except NotImplementedError as stub:
        raise NotYetError("the stub is still there; replace `raise NotImplementedError` by your lines") from stub
    except (Exception, SystemExit) as error:
        raise NotYetError(f"your function raised {said_by(error)}") from error


def said_by(error: BaseException) -> str:
    """The kind of ``error`` and what it says, cut where that is long."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", SHOWN_LETTERS)


# ---- reading an answer ----------------------------------------------------------------------------------------------


def one_number(got: Any, what: str = RETURNED) -> float:
    """The finite number in ``got`` as a float: of Python, numpy or torch, alone or in an array of one.

    Raises:
        NotYetError: ``what`` ("your answer") gave nothing, no number, or one that is not finite.
    """
    value = _taken_out(got, what)
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        quotes = "; leave the quotes out" if isinstance(value, str) else ""
        raise NotYetError(f"return a number: {what} must give a finite number, got {_in_words(got)}{quotes}")
    try:
        number = float(value)
    except OverflowError as error:
        raise NotYetError(
            f"return a finite number; that of {what} is a whole number with more than 300 digits"
        ) from error
    if not math.isfinite(number):
        raise NotYetError(f"return a number: {what} must give a finite number, got {shown(got)}")
    return number


def whole_number(got: Any, what: str = RETURNED) -> int:
    """The whole number in ``got``; a float will do if nothing stands behind its point.

    Raises:
        NotYetError: it is no number, or not a whole one.
    """
    number = one_number(got, what)
    if not number.is_integer():
        raise NotYetError(f"return a whole number: {what} gave {number:.6g}")
    return int(number)


def row_of_numbers(got: Any, length: int, what: str = RETURNED) -> list[Any]:
    """The ``length`` finite numbers in ``got``: a list, tuple, array, tensor, or whatever else can be walked through.

    Each stays of its own type, as ``same_numbers`` wants them; ``float`` takes them all.

    Raises:
        NotYetError: it is nothing, no row of numbers, or of another length.
    """
    wish = f"return one number for {f'each of the {length} values' if length != 1 else 'the one value'}"
    if got is None:
        raise NotYetError(f"{wish}, in a list; {_none_of(what)}")
    shape = tuple(getattr(got, "shape", ()))
    if isinstance(got, (str, bytes, dict)) or not isinstance(got, Iterable):
        raise NotYetError(f"{wish}, in a list; got {_in_words(got)}")
    if len(shape) > 1 and shape.count(1) < len(shape) - 1:
        raise NotYetError(f"{wish}; got shape {shape}")
    walked: Any = got.flatten() if len(shape) > 1 and hasattr(got, "flatten") else got
    entries: list[Any] = call(lambda: list(islice(iter(walked), length + 1)))
    if len(entries) != length:
        came = f"more than {length}" if len(entries) > length else str(len(entries))
        raise NotYetError(f"{wish}; got {came}")
    for entry in entries:
        one_number(entry, what)
    return entries


def same_number(got: Any, wanted: float, *, rel_tol: float = 1e-6, abs_tol: float = 1e-12) -> bool:
    """Whether the number in ``got`` is ``wanted``, as far as its own type holds it: three digits in half precision."""
    rounding, least = _grid_of(got)
    return math.isclose(one_number(got), wanted, rel_tol=max(rel_tol, 4 * rounding), abs_tol=max(abs_tol, least))


def same_numbers(got: Iterable[Any], wanted: Iterable[float], *, rel_tol: float = 1e-6, abs_tol: float = 1e-12) -> bool:
    """Whether the numbers in ``got`` are ``wanted``, one by one; each may have the rounding of the largest."""
    pairs = list(zip(got, wanted, strict=True))
    largest = max(abs(right) for _, right in pairs)
    return all(
        same_number(one, right, rel_tol=rel_tol, abs_tol=max(abs_tol, 4 * _grid_of(one)[0] * largest))
        for one, right in pairs
    )


def same_name(got: Any, wanted: str) -> bool:
    """Whether ``got`` is the name ``wanted``, whatever its capitals, blanks, hyphens and quotes."""
    return isinstance(got, str) and _letters(got) == _letters(wanted)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _taken_out(got: Any, what: str) -> Any:
    """A number out of a tensor or an array of one; anything else as it is."""
    if got is None:
        raise NotYetError(_nothing(what))
    if isinstance(got, (Tensor, np.ndarray, np.generic)):
        if math.prod(got.shape) != 1:
            raise NotYetError(
                f"return one number: {what} must give a finite number, got {_in_words(got)} of shape {tuple(got.shape)}"
            )
        return got.item()
    return got


def _nothing(what: str) -> str:
    return f"return a number: {_none_of(what)}"


def _none_of(what: str) -> str:
    if what == RETURNED:
        return "your function returned None; is the `return` forgotten?"
    return f"{what} gave None; is a `return` forgotten, or the number not yet written?"


def _in_words(got: Any) -> str:
    """What came, for a refusal: a generator or a coroutine is named with the keyword that made it."""
    kind = type(got).__name__
    if kind == "coroutine":
        got.close()  # else Python complains that it was never awaited
    made = {"generator": " (made by `yield`; use `return`)", "coroutine": " (made by `async`)"}
    return f"a {kind}{made[kind]}" if kind in made else shown(got)


def _grid_of(got: Any) -> tuple[float, float]:
    """How far apart the numbers of its type are, beside 1 and beside 0; 0 for whole numbers and for those of Python."""
    info: Any = None
    if isinstance(got, Tensor) and got.is_floating_point():
        info = torch.finfo(got.dtype)
    elif isinstance(got, (np.ndarray, np.floating)) and np.issubdtype(got.dtype, np.floating):
        info = np.finfo(got.dtype)
    return (0.0, 0.0) if info is None else (float(info.eps), float(info.tiny) * float(info.eps))
