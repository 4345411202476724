"""How does a schedule look where nobody can play? One figure, drawn by matplotlib from the plans alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from course_utils.apps.schedule.plan import FLOOR, Plan

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["render"]


def render(plan: Plan, pinned: Sequence[Plan], *, log: bool) -> Figure:
    """The curve of ``plan`` and those that are pinned, over the update; on a log scale with the floor of float32."""
    from course_utils import plots

    drawn: dict[str, Plan] = {}
    for each in (plan, *pinned):  # two equal names would be one line
        name = each.name if each.name not in drawn else f"{each.name}, lr {each.lr:g}"
        drawn.setdefault(name, each)
    lowest = min(float(each.curve[each.curve > 0].min(initial=each.lr)) for each in drawn.values())
    return plots.lr_curves(
        {name: each.curve for name, each in drawn.items()},
        title=f"{plan.scheduler}: the lr of every update",
        log=log,
        references={"too small for float32": FLOOR} if log and lowest < FLOOR else None,
    )
