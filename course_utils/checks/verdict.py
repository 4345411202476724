"""What does a check say? A ``Verdict``: passed or not yet, and why, in words that help to go on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from torch import Tensor

__all__ = ["NotYetError", "Verdict", "call", "explained", "one_number"]

P = ParamSpec("P")


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
    """Make a ``Verdict`` of a check that returns praise, or raises ``NotYetError`` with what is missing."""

    @wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Verdict:
        try:
            return Verdict(passed=True, message=check(*args, **kwargs))
        except NotYetError as missing:
            return Verdict(passed=False, message=str(missing))

    return checked


def call(answer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the student's function returns; whatever it raises becomes words.

    Raises:
        NotYetError: ``answer`` is no function, is still the stub, or raised an error.
    """
    if not callable(answer):
        raise NotYetError(f"expected a function, got {answer!r}; pass its name without parentheses")
    try:
        return answer(*args, **kwargs)
    except NotImplementedError as stub:
        raise NotYetError("the stub is still there; replace `raise NotImplementedError` by your lines") from stub
    except Exception as error:
        raise NotYetError(f"your function raised {type(error).__name__}: {error}") from error


def one_number(got: Any) -> float:
    """The number that the student's function returned, as a float.

    Raises:
        NotYetError: it is no number, or a whole number that no float can hold.
    """
    value = got.item() if isinstance(got, Tensor) and got.numel() == 1 else got
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotYetError(f"return a number, got {got!r}")
    try:
        return float(value)
    except OverflowError as error:
        raise NotYetError("return a number; yours is a whole number with more than 300 digits") from error
