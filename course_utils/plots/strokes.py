"""How is a row of numbers drawn on its axes? As a line with gaps, beside heights and places to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from course_utils.plots.arguments import LARGEST, Array, Limits, as_limits, as_row
from course_utils.plots.colors import PALE_INK, Look, marker_size
from course_utils.plots.smoothing import smooth

__all__ = [
    "Line",
    "as_lines",
    "draw_lines",
    "draw_marks",
    "draw_references",
    "set_limits",
    "share_of_axes",
    "with_gaps",
]


@dataclass(frozen=True)
class Line:
    """A named row with its place to the right; ``y`` may hold what the axis cannot show."""

    name: str
    x: Array
    y: Array
    look: Look


def as_lines(
    argument: str, named: dict[str, Any], x: Any, looks: dict[str, Look], *, positive: bool = False
) -> list[Line]:
    """The rows with their x, all checked."""
    lines = []
    for name, values in named.items():
        row = as_row(f"{argument}[{name!r}]", values)
        if isinstance(x, Mapping) and name not in x:
            raise ValueError(f"x must have a row for every line, got none for {name!r}; try x=None")
        right = np.arange(len(row)) if x is None else (x[name] if isinstance(x, Mapping) else x)
        right = as_row("x", right)
        if len(right) != len(row) or not (np.abs(right) <= LARGEST).all():
            raise ValueError(f"x must be {len(row)} finite numbers for {name!r}, got {len(right)} numbers; try x=None")
        if positive and not (right > 0).all():
            raise ValueError(f"x must be above 0 on a log scale, got {right.min():g} for {name!r}; try log_x=False")
        lines.append(Line(name, right, row, looks[name]))
    return lines


def draw_lines(axes: Axes, lines: list[Line], *, beta: float = 0.0, stairs: bool = False, thin: bool = False) -> None:
    """Every line, the first on top; if smoothed, its values pale behind it. Markers are sparse and out of step."""
    for number, line in enumerate(lines):
        look, order = line.look, 3 - 0.01 * number
        if beta:
            axes.plot(line.x, with_gaps(axes, line.y), color=look.color, alpha=0.25, linewidth=1.0, zorder=2)
        every = max(len(line.y) // 8, 1)
        axes.plot(
            line.x,
            with_gaps(axes, smooth(line.y, beta)),
            color=look.color,
            linestyle=look.dash,
            linewidth=1.5 if thin or (len(line.y) > 200 and not beta and not stairs) else 2.2,
            marker=look.marker,
            markersize=marker_size(look.marker, 6 if thin else 8),
            markeredgecolor="white",
            markeredgewidth=0.8,
            markevery=(every * number // len(lines), every),
            drawstyle="steps-post" if stairs else "default",
            zorder=order,
        )


def with_gaps(axes: Axes, row: Array) -> Array:
    """The row with NaN wherever the axis cannot show the value, which matplotlib draws as a gap."""
    lowest = 1 / LARGEST if axes.get_yscale() == "log" else -LARGEST
    return np.where((row >= lowest) & (row <= LARGEST), row, np.nan)


def set_limits(axes: Axes, lines: list[Line], ylim: Limits | None, *, ticks: int = 8) -> None:
    """From the first to the last x of all lines, a little wider, so that names can stand at the ends."""
    low, high = min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines)
    if axes.get_xscale() == "log":
        widen = max(high / low, 1.2) ** 0.015 if high > low else 2.0
        axes.set_xlim(low / widen, high * widen)
    else:
        room = 0.015 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=high - low >= 2, steps=[1, 2, 5, 10]))
    if as_limits("ylim", ylim) is not None:
        axes.set_ylim(ylim)


def draw_references(axes: Axes, references: Mapping[str, float]) -> None:
    """Dotted lines at named heights."""
    for height in references.values():
        axes.axhline(height, color=PALE_INK, linewidth=1.4, linestyle=(0, (1.5, 2)), zorder=1.5)


def draw_marks(axes: Axes, marks: Mapping[str, float]) -> None:
    """Upright lines; their names stand in steps under the upper edge, so that near ones do not collide."""
    for number, (name, place) in enumerate(marks.items()):
        left = share_of_axes(axes, place, axes.get_ylim()[0])[0] > 0.6
        axes.axvline(place, color=PALE_INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=1.5)
        axes.annotate(
            name,
            (place, 1 - 0.1 * number),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-5 if left else 5, -3),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            color=PALE_INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            zorder=6,
        )


def share_of_axes(axes: Axes, x: float, y: float) -> Limits:
    """Where a point of the data lies between the left and lower (0) and the right and upper (1) edge."""
    axes.get_xlim(), axes.get_ylim()  # bring the limits up to date
    with np.errstate(divide="ignore"):
        place = axes.transLimits.transform(axes.transScale.transform((x, y)))
    right, up = np.clip(place, 0.0, 1.0).tolist()
    return right, up
