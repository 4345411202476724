"""What does a figure show, for whoever cannot see it? Its text alternative, made from the numbers that are drawn.

One or two sentences first, then a line for each thing that is drawn. A value has four significant digits and always a
point; a place on an axis stands behind "≈". A line counts as above or below another only where it is clearly so, by
a fiftieth of the height; where it gets there is where the two really cross.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from course_utils.plots.arguments import Array
from course_utils.plots.smoothing import smooth
from course_utils.plots.strokes import Line, with_gaps

__all__ = ["LOG", "about", "axes_in_words", "in_words", "lines_in_words", "marks_in_words", "quoted", "value"]

LOG = " (log scale)"
_MOST_PAIRED = 4  # lines: six pairs are as many as a reader can hold
_MOST_STAIRS = 8  # that are told one by one
_BAND = 0.02  # of the height of the axes
_FEW = 0.25  # of the points: where no more are apart, two lines are nearly one
_SUPERSCRIPTS = {"^2": "²", "^3": "³", "\\,": " ", "$": ""}


# --- words for numbers and names --------------------------------------------------------------------------------------


def value(number: float, digits: int = 4) -> str:
    """A number with so many significant digits, and a point even where a whole number falls out."""
    if not math.isfinite(number):
        return "not finite"
    if number and not 1e-4 <= abs(number) < 1e6:
        return _minus(f"{number:.{digits}g}")
    text = f"{float(f'{number:.{digits}g}'):.10g}"
    return _minus(text if "." in text else f"{text}.0")


def about(number: float) -> str:
    """Where on an axis, as a reader would point at it: three digits."""
    return _minus(f"≈ {float(f'{number:.3g}'):.10g}")


def _minus(text: str) -> str:
    return text.replace("-", "−")  # a hyphen is not read aloud


def plain(text: str) -> str:
    """A text in one line, its formulas as a reader without TeX writes them."""
    text = re.sub(r"\\frac\{(.*?)\}\{(.*?)\}", r"\1/\2", " ".join(text.split()))
    for tex, sign in _SUPERSCRIPTS.items():
        text = text.replace(tex, sign)
    return text


def quoted(name: str) -> str:
    """The name of a thing, told apart from the words around it."""
    return f"“{plain(name)}”"


def in_words(kind: str, title: str, axes: str, items: Iterable[str], source: str | None = None) -> str:
    """The alternative as a whole: what it is, its message, its axes; then one line for each item."""
    head = [f"{kind}: {title}", axes[:1].upper() + axes[1:], f"Data: {source}" if source else ""]
    lines = [" ".join(_ended(part) for part in head if part), *(f"- {_ended(item)}" for item in items)]
    return "\n".join(lines)


def _ended(sentence: str) -> str:
    """In one line, and ended, so that a voice pauses there."""
    sentence = plain(sentence)
    return sentence if sentence[-1:] in ".!?" else f"{sentence}."


def axes_in_words(x: str, y: str, lines: Iterable[Line] = (), *, log_x: bool = False, log_y: bool = False) -> str:
    """Both axes with their units, their scales where they are not linear, and how far the ``lines`` reach."""
    across = [line.x for line in lines]
    ends = (
        [float(end(row)) for end, row in ((np.min, np.concatenate(across)), (np.max, np.concatenate(across)))]
        if across
        else []
    )
    span = _minus(f", {ends[0]:.6g} to {ends[1]:.6g}") if ends else ""
    return f"to the right: {x}{LOG * log_x}{span}; upwards: {y}{LOG * log_y}"


def marks_in_words(axes: Axes, references: Mapping[str, float], marks: Mapping[str, float] | None = None) -> list[str]:
    """The named heights and places that a figure is compared with, as far as it shows them."""
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    heights = [f"dotted line {quoted(name)}: {value(y)}{_off(y, low, high)}" for name, y in references.items()]
    return heights + [f"mark {quoted(name)}: {about(x)}{_off(x, left, right)}" for name, x in (marks or {}).items()]


def _off(number: float, low: float, high: float) -> str:
    return "" if low <= number <= high else ", off the scale"


# --- words for lines --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """What is drawn of a line: ``y`` as it is, ``on`` where the picture shows it, and in heights of the axes ``up``."""

    name: str
    x: Array
    y: Array
    on: npt.NDArray[np.bool_]
    up: Array  #: 0 at the lower edge, 1 at the upper; infinite where a log scale has no place for it


def lines_in_words(
    axes: Axes,
    lines: Sequence[Line],
    *,
    beta: float = 0.0,
    stairs: bool = False,
    references: Mapping[str, float] | None = None,
) -> list[str]:
    """For each line where it begins, ends, is lowest and highest, and what it crosses; averages if drawn."""
    rows = [_row(axes, line, beta) for line in lines]
    heights = {quoted(name): _upwards(axes, np.array([height])) for name, height in (references or {}).items()}
    linear = axes.get_xscale() == axes.get_yscale() == "linear"
    items = []
    for line, row in zip(lines, rows, strict=True):
        parts = [_course(row, stairs=stairs, mean=linear)]
        if beta:
            parts.append(f"the values scatter by {value(_scatter(axes, line, row), 3)}")
        parts += [f"it {_against(row, up, name)}" for name, up in heights.items()]
        items.append(f"{plain(row.name)}: {'; '.join(parts)}")
    pairs = itertools.combinations(rows, 2) if len(rows) <= _MOST_PAIRED else ()
    together = [(a, b) for a, b in pairs if np.array_equal(a.x, b.x)]
    return items + [f"{quoted(a.name)} {_against(a, b.up, quoted(b.name))}" for a, b in together]


def _row(axes: Axes, line: Line, beta: float) -> _Row:
    low, high = sorted(axes.get_ylim())
    y = smooth(line.y, beta)
    drawn = with_gaps(axes, y)
    return _Row(line.name, line.x, y, (drawn >= low) & (drawn <= high), _upwards(axes, y))


def _upwards(axes: Axes, y: Array) -> Array:
    """Heights as shares of the axes, 0 at the lower edge and 1 at the upper; NaN stays NaN."""
    low, high = sorted(axes.get_ylim())
    if axes.get_yscale() != "log":
        return (y - low) / (high - low)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.log(np.maximum(y, 0.0)) - math.log(low)) / (math.log(high) - math.log(low))


def _scatter(axes: Axes, line: Line, row: _Row) -> float:
    """How far the values lie from their moving average where both are on the scale, as a standard deviation."""
    up = _upwards(axes, line.y)
    both = row.on & (up >= 0) & (up <= 1)
    return float(np.std((line.y - row.y)[both])) if both.any() else math.nan


def _course(row: _Row, *, stairs: bool, mean: bool) -> str:
    """One line from its first point to its last."""
    count = f"{len(row.y):,} points" if len(row.y) > 1 else "one point"
    seen = np.flatnonzero(row.on)
    if not len(seen):
        return f"{count}, none of them on the scale"
    if len(row.y) == 1:
        return f"{count}, {value(row.y[0])} at {about(row.x[0])}"
    if row.on.all() and np.ptp(row.y) == 0:
        return f"{count}, all {value(row.y[0])}"
    parts = [count, f"begins {_end(row, 0)}", _last(row), *_extremes(row, seen)]
    if mean and row.on.all():
        parts.append(f"mean {value(float(np.mean(row.y)))}")
    levels = [float(level) for level, _ in itertools.groupby(row.y.tolist())]
    if stairs and len(levels) <= _MOST_STAIRS:
        parts.append(f"stairs {', '.join(map(value, levels))}")
    return ", ".join(parts)


def _end(row: _Row, k: int) -> str:
    """Where the row is at its first or last point."""
    if row.on[k]:
        return f"at {value(row.y[k])}"
    return "with a gap" if np.isnan(row.up[k]) else f"{_side(row.up[k])} the scale"


def _side(up: float) -> str:
    return "above" if up > 0.5 else "below"


def _last(row: _Row) -> str:
    """How the row ends, and whether it was away before."""
    inside = row.on[np.flatnonzero(row.on)[0] :]
    away = np.flatnonzero(~row.on)
    if row.on[-1]:
        gaps = "" if inside.all() else ", with gaps" if np.isnan(row.up[away]).all() else ", off the scale in between"
        return f"ends at {value(row.y[-1])}{gaps}"
    first = int(np.flatnonzero(row.on)[-1]) + 1
    if np.isnan(row.up[first]):
        return f"no values from {about(row.x[first])} on"
    before = "" if len(away) == len(row.y) - first else "for the last time "
    return f"leaves the scale {'upwards' if row.up[first] > 0.5 else 'downwards'} {before}at {about(row.x[first])}"


def _extremes(row: _Row, seen: npt.NDArray[np.int_]) -> list[str]:
    known = row.up[~np.isnan(row.up)]
    lowest, highest = seen[np.argmin(row.y[seen])], seen[np.argmax(row.y[seen])]
    low = f"{value(row.y[lowest])} at {about(row.x[lowest])}" if known.min() >= 0 else "below the scale"
    high = f"{value(row.y[highest])} at {about(row.x[highest])}" if known.max() <= 1 else "above the scale"
    return [f"lowest {low}", f"highest {high}"]


# --- words for what a line crosses ------------------------------------------------------------------------------------


def _against(row: _Row, other: Array, name: str) -> str:
    """On which side of something the row is, and where it gets to the other side."""
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(row.up - other, nan=0.0, posinf=9.0, neginf=-9.0)
    sides = np.where(np.abs(apart) > _BAND, np.sign(apart), 0).astype(int)
    taken = np.flatnonzero(sides)
    if len(taken) < _FEW * len(sides):
        return f"lies {'mostly ' if len(taken) else ''}on {name}"
    changes = [(int(a), int(b)) for a, b in itertools.pairwise(taken) if sides[a] != sides[b]]
    same = int(np.argmax(apart != 0))  # so many points at the start are equal
    start = f"is the same as {name} up to {about(row.x[same - 1])}, then " if same > 1 else ""
    name = "it" if start else name
    if changes:
        verb = "rises above" if sides[changes[-1][1]] > 0 else "falls below"
        often = "" if len(changes) == 1 else ", not for the first time,"
        return f"{start}{verb} {name}{often} at {about(_crossing(row.x, apart, *changes[-1]))}"
    side = "above" if sides[taken[0]] > 0 else "below"
    if start:
        return f"{start}{side} it"
    return f"stays {side} {name}" if len(taken) == len(sides) else f"is close to {name} or {side} it"


def _crossing(x: Array, apart: Array, before: int, after: int) -> float:
    """The last place between two points at which the difference has its sign changed."""
    turn = max(k for k in range(before, after) if np.sign(apart[k]) != np.sign(apart[after]))
    a, b = apart[turn], apart[turn + 1]
    share = a / (a - b) if max(abs(a), abs(b)) < 9 else 1.0
    return float(x[turn] + share * (x[turn + 1] - x[turn]))
