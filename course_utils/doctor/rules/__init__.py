"""Which faults are known? Every ``Rule`` that one of the modules here defines, each a pure function of a recording."""

from course_utils.doctor.rule import Rule
from course_utils.doctor.rules import (
    arrangement,
    copies,
    data,
    heads,
    learning,
    measuring,
    memory,
    objective,
    order,
    parameters,
    probed,
    scheduling,
    stopping,
    updating,
)

__all__ = ["PROBED", "RULES", "by_name", "catalogue"]

_THEMES = (
    order, heads, parameters, updating, scheduling, data, arrangement, objective, learning, measuring, memory, copies,
    stopping,
)  # fmt: skip

#: what shows in any loop, and what shows only where the model was tried out on copies
RULES: tuple[Rule, ...] = tuple(thing for theme in _THEMES for thing in vars(theme).values() if isinstance(thing, Rule))
PROBED: tuple[Rule, ...] = tuple(thing for thing in vars(probed).values() if isinstance(thing, Rule))
_BY_NAME = {rule.name: rule for rule in (*RULES, *PROBED)}


def by_name(name: str) -> Rule:
    """The rule of this name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]


def catalogue() -> str:
    """A line for each known fault, as a table in Markdown: name, severity, what it is, where the course explains it."""
    rows = [f"| `{rule.name}` | {rule.severity} | {rule.title} | {rule.lesson} |" for rule in (*RULES, *PROBED)]
    return "\n".join(["| fault | severity | what it is | lesson |", "|---|---|---|---|", *rows]) + "\n"
