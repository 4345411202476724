"""What does a figure show, for whoever cannot see it? Its text alternative, made from the numbers that are drawn.

One or two sentences first, then a line for each thing that is drawn. A value has four significant digits and always a
point, a place on the x axis stands behind "≈": where a row reaches its lowest hundredth, not where its last digit is
lowest. What lies off the scale of the picture is off the text as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from course_utils.plots.arguments import Array
from course_utils.plots.smoothing import smooth
from course_utils.plots.strokes import Line, with_gaps

__all__ = ["LOG", "about", "axes_in_words", "in_words", "lines_in_words", "marks_in_words", "value"]

LOG = " (log scale)"
_MOST_PAIRED = 4  # lines: six pairs are as many as a reader can hold
_BAND = 0.02  # of the height of the axes: a line that is nearer to another lies on it
_REACHED = 0.01  # of a row's range: so near to its lowest value it has got there


def value(number: float) -> str:
    """Four significant digits, and a point even where a whole number falls out."""
    if not math.isfinite(number):
        return "not finite"
    digits = f"{number:.4g}"
    return digits if set(digits) & set(".e") else f"{digits}.0"


def about(number: float) -> str:
    """Where on an axis, or how many, as a reader would say it: three digits."""
    return f"≈ {float(f'{number:.3g}'):.10g}"


def in_words(kind: str, title: str, axes: str, items: Iterable[str], source: str | None = None) -> str:
    """The alternative as a whole: what it is, its message, its axes; then one line for each item."""
    message = f"{kind}: {title.strip()}" + "." * (title.strip()[-1] not in ".!?")
    head = [message, f"{axes[:1].upper()}{axes[1:]}.", f"Data: {source}." if source else ""]
    return "\n".join([" ".join(filter(None, head)), *(f"- {' '.join(item.split())}" for item in items)])


def axes_in_words(x: str, y: str, lines: Iterable[Line] = (), *, log_x: bool = False, log_y: bool = False) -> str:
    """Both axes with their units, their scales where they are not linear, and how far the ``lines`` reach."""
    across = [line.x for line in lines]
    span = f", {min(map(np.min, across)):.4g} to {max(map(np.max, across)):.4g}" if across else ""
    return f"to the right: {x}{LOG * log_x}{span}; upwards: {y}{LOG * log_y}"


def marks_in_words(references: Mapping[str, float], marks: Mapping[str, float] | None = None) -> list[str]:
    """The named heights and places that a figure is compared with."""
    heights = [f"dotted line {name!r}: {value(height)}" for name, height in references.items()]
    return heights + [f"mark {name!r}: {about(where)}" for name, where in (marks or {}).items()]


def lines_in_words(
    axes: Axes, lines: Sequence[Line], *, beta: float = 0.0, references: Mapping[str, float] | None = None
) -> list[str]:
    """For each line where it begins, ends, is lowest and highest, and what it crosses; averages if drawn."""
    rows = {line.name: _on_scale(axes, line, beta) for line in lines}
    heights = references or {}
    items = []
    for line in lines:
        level = (_crossing(axes, line, rows[line.name], height, name) for name, height in heights.items())
        items.append("; ".join([f"{line.name}: {_row(line.x, rows[line.name])}", *level]))
    pairs = itertools.combinations(lines, 2) if len(lines) <= _MOST_PAIRED else ()
    both = (_meeting(axes, a, b, rows) for a, b in pairs if np.array_equal(a.x, b.x))
    return items + list(filter(None, both))


def _on_scale(axes: Axes, line: Line, beta: float) -> Array:
    """The row as it is drawn, NaN where the picture does not show it."""
    low, high = sorted(axes.get_ylim())
    row = with_gaps(axes, smooth(line.y, beta))
    return np.where((row >= low) & (row <= high), row, np.nan)


def _row(x: Array, y: Array) -> str:
    seen = np.flatnonzero(np.isfinite(y))
    if not len(seen):
        return f"{about(len(y))} points, none of them on the scale"
    first, last = seen[0], seen[-1]
    if len(y) == 1:
        return f"one point, {value(y[0])} at {about(x[0])}"
    if len(seen) == len(y) and np.ptp(y) == 0:
        return f"{about(len(y))} points, all {value(y[0])}"
    parts = [f"{about(len(y))} points, begins at {value(y[first])}"]
    parts.append(f"ends at {value(y[last])}" if last == len(y) - 1 else f"leaves the scale at {about(x[last + 1])}")
    for word, sign in (("lowest", 1), ("highest", -1)):
        where = seen[np.flatnonzero(sign * y[seen] <= np.min(sign * y[seen]) + _REACHED * np.ptp(y[seen]))[0]]
        parts.append(f"{word} {value(sign * np.min(sign * y[seen]))} at {about(x[where])}")
    return ", ".join([*parts, f"mean {value(float(np.mean(y[seen])))}"])


def _sides(axes: Axes, y: Array, other: Any) -> npt.NDArray[np.int_]:
    """For each point 1 above ``other``, -1 below it, 0 on it or not on the scale."""
    scale = np.log if axes.get_yscale() == "log" else np.asarray
    low, high = scale(np.array(sorted(axes.get_ylim())))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = scale(y) - scale(np.asarray(other, dtype=float))
    return np.where(np.isfinite(apart) & (np.abs(apart) > _BAND * (high - low)), np.sign(apart), 0).astype(int)


def _changes(sides: npt.NDArray[np.int_]) -> list[int]:
    """The points that lie on another side than the last point that was on any."""
    taken = np.flatnonzero(sides)
    return [int(b) for a, b in itertools.pairwise(taken) if sides[a] != sides[b]]


def _crossing(axes: Axes, line: Line, y: Array, height: float, other: str) -> str:
    """Where the row gets to the other side of a height, or on which side of it all of it lies."""
    sides = _sides(axes, y, height)
    changes = _changes(sides)
    if changes:
        return _change(sides, changes, line.x, repr(other))
    side = "above" if sides.max() > 0 else "below" if sides.min() < 0 else "on"
    return f"nowhere {'below' if side == 'above' else 'above'} {other!r}" if side != "on" else f"all of it on {other!r}"


def _change(sides: npt.NDArray[np.int_], changes: list[int], x: Array, other: str) -> str:
    verb = "rises above" if sides[changes[-1]] > 0 else "falls below"
    often = "" if len(changes) == 1 else ", not for the first time,"
    return f"{verb} {other}{often} at {about(x[changes[-1]])}"


def _meeting(axes: Axes, a: Line, b: Line, rows: Mapping[str, Array]) -> str:
    sides = _sides(axes, rows[a.name], rows[b.name])
    changes = _changes(sides)
    return f"{a.name!r} {_change(sides, changes, a.x, repr(b.name))}" if changes else ""
