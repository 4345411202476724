"""Which causes can be recognised? Every rule: a pure function from a ``Recording`` to a ``Finding``, or None."""

from collections.abc import Callable

from course_utils.doctor.finding import Finding
from course_utils.doctor.record import Recording
from course_utils.doctor.rules import data, heads, learning, measuring, memory, order, parameters, scheduling

__all__ = ["RULES", "Rule"]

Rule = Callable[[Recording], Finding | None]

RULES: tuple[Rule, ...] = tuple(
    getattr(theme, name)
    for theme in (order, heads, parameters, scheduling, learning, memory, measuring, data)
    for name in theme.__all__
)
