"""Which values may a control hold? Traits that refuse a wrong value in words, whether code or a hand sets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from traitlets import TraitError, TraitType

__all__ = ["Refused", "Setting", "a_choice", "a_number", "a_whole_number", "names_of"]

Check = Callable[[str, Any], Any]


class Refused(TraitError, ValueError):  # noqa: N818
    """A setting got a value that it may not hold. A ``ValueError``, and a ``TraitError`` for traitlets to roll back."""

    setting: str = ""  #: the control beside which the words belong, where that is not the one that was set


class Setting(TraitType):  # type: ignore[type-arg]  # not subscriptable in traitlets 5.7, which Colab has
    """A trait whose value has passed ``check(name, value)``, which returns what to keep."""

    def __init__(self, check: Check, default: Any) -> None:
        self.check = check
        super().__init__(default)

    def validate(self, obj: Any, value: Any) -> Any:
        """What the setting keeps of ``value``, or an exception in words; called by traitlets at each assignment."""
        return self.check(self.name or "value", value)


def a_number(low: float, high: float, *, example: float) -> Check:
    """A check for a finite number from ``low`` to ``high``, kept as a float."""

    def check(name: str, value: Any) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise Refused(f"{name} must be a number from {low:g} to {high:g}, got {value!r}; try {example:g}")
        return float(value)

    return check


def a_whole_number(low: int, high: int, *, example: int) -> Check:
    """A check for a whole number from ``low`` to ``high``."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"{name} must be a whole number from {low} to {high}, got {value!r}; try {example}")
        return value

    return check


def a_choice(allowed: Sequence[str]) -> Check:
    """A check for one of the names in ``allowed``."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Refused(f"{name} must be one of {', '.join(allowed)}, got {value!r}; try {allowed[0]!r}")
        return value

    return check


def names_of(allowed: Sequence[str]) -> Check:
    """A check for some of the names in ``allowed``, kept as a list in the order of ``allowed``; it may be empty."""

    def check(name: str, value: Any) -> list[str]:
        listed = isinstance(value, (list, tuple, set, frozenset))
        unknown = [entry for entry in value if not (isinstance(entry, str) and entry in allowed)] if listed else [value]
        if unknown:
            found, example = unknown[0], tuple(allowed[:2])
            raise Refused(f"{name} must be a list of {', '.join(allowed)}, got {found!r}; try {example}")
        return [entry for entry in allowed if entry in value]

    return check
