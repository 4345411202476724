"""Which parameters of a scheduler can a hand set? Controls found by introspection, with values worth trying.

A parameter has a control if its kind can be told from its default and its values in the catalog. A scheduler that needs
something else, such as a function or other schedulers, is played as the sample of the catalog, without controls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from course_utils.apps.common.settings import Refused, a_choice, a_number, a_whole_number
from course_utils.catalog import ParameterEntry, SchedulerEntry, schedulers

__all__ = ["Control", "checked_value", "controls_of", "entry_of", "names", "starting_values"]

Kind = Literal["number", "whole number", "choice", "switch", "list"]

# Of the optimizer itself, and of resuming: both are no matter of the shape of a curve.
_LEFT_OUT = ("optimizer", "last_epoch")
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Control:
    """How one parameter is set: what it may hold, where it starts, what is worth trying."""

    name: str
    kind: Kind
    start: Any  #: what the lab begins with
    optional: bool  #: whether it may be None
    values: tuple[Any, ...]  #: worth trying, smallest first
    summary: str  #: what it does, in one sentence


def names() -> list[str]:
    """Every scheduler of the installed torch, the simple ones first."""
    return list(_entries())


def entry_of(scheduler: str) -> SchedulerEntry:
    """What the catalog says about ``scheduler``."""
    return _entries()[scheduler]


@cache
def controls_of(scheduler: str) -> tuple[Control, ...]:
    """The controls of ``scheduler``, in the order of its signature; none if it is played as its sample."""
    asked = [row for row in entry_of(scheduler).parameters if row.name not in _LEFT_OUT]
    if any(row.required and _kind(row) is None for row in asked):
        return ()
    found = [(row, kind) for row in asked if (kind := _kind(row))]
    return tuple(
        Control(row.name, kind, _start(row), row.default is None, _listed(row.worth_trying), row.summary)
        for row, kind in found
    )


def starting_values(scheduler: str) -> dict[str, Any]:
    """A value for every control: torch's default where a curve of 20 calls can show it, else one worth trying."""
    return {control.name: control.start for control in controls_of(scheduler)}


def checked_value(control: Control, value: Any) -> Any:
    """What is kept of ``value``.

    Raises:
        Refused: it is of the wrong kind or out of range; the text says what is allowed.
    """
    if value is None and control.optional:
        return None
    return _CHECKS[control.kind](control, value)


@cache
def _entries() -> Mapping[str, SchedulerEntry]:
    """The installed torch does not change while a kernel lives, so its table is made once."""
    return {entry.name: entry for entry in schedulers()}


def _kind(row: ParameterEntry) -> Kind | None:
    """The kind of value, told from the default and from what is worth trying; None if no control can hold it."""
    known = [*row.worth_trying, *([] if row.required or row.default is None else [row.default])]
    return _KINDS.get(frozenset(type(value) for value in known))


def _start(row: ParameterEntry) -> Any:
    """The default of torch, unless it is missing or too large for a short curve: then a value from the middle."""
    if not row.required and (row.default is None or not row.worth_trying or row.default in row.worth_trying):
        return row.default
    middle = row.worth_trying[(len(row.worth_trying) - 1) // 2]
    return list(middle) if isinstance(middle, list) else middle


def _listed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(list(value) if isinstance(value, list) else value for value in values)


def _a_number(control: Control, value: Any) -> Any:
    example = next((worth for worth in control.values if worth), 0.1)
    return a_number(0, _LARGEST, example=example)(control.name, value)


def _a_whole_number(control: Control, value: Any) -> Any:
    return a_whole_number(0, _LARGEST, example=max(control.values, default=10))(control.name, value)


def _a_choice(control: Control, value: Any) -> Any:
    return a_choice(control.values)(control.name, value)


def _a_switch(control: Control, value: Any) -> Any:
    if not isinstance(value, bool):
        raise Refused(f"{control.name} must be True or False, got {value!r}; try {control.start!r}")
    return value


def _a_list(control: Control, value: Any) -> list[int]:
    """Whole numbers, each above the one before: torch would take them in any order and count them wrongly."""
    whole = isinstance(value, (list, tuple)) and all(type(each) is int and 0 < each <= _LARGEST for each in value)
    if not whole or not value or sorted(set(value)) != list(value):
        raise Refused(f"{control.name} must be increasing whole numbers above 0, got {value!r}; try {control.start!r}")
    return list(value)


_KINDS: dict[frozenset[type], Kind] = {
    frozenset({bool}): "switch",
    frozenset({str}): "choice",
    frozenset({int}): "whole number",
    frozenset({list}): "list",
    frozenset({float}): "number",
    frozenset({int, float}): "number",
}
_CHECKS: dict[Kind, Callable[[Control, Any], Any]] = {
    "number": _a_number,
    "whole number": _a_whole_number,
    "choice": _a_choice,
    "switch": _a_switch,
    "list": _a_list,
}
