"""Where does each line end, and where does its name stand? To the right of the axes, never one over another."""

from __future__ import annotations

import itertools
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from course_utils.plots.arguments import Limits
from course_utils.plots.colors import readable
from course_utils.plots.frame import HEIGHT, TEXT
from course_utils.plots.smoothing import smooth
from course_utils.plots.strokes import Line, share_of_axes, with_gaps

__all__ = ["End", "draw_end", "write_ends"]


@dataclass(frozen=True)
class End:
    """A name to write beside the axes, and the point from which to lead to it as shares of the axes."""

    text: str
    point: Limits
    color: str


def draw_end(axes: Axes, line: Line, beta: float = 0.0) -> End:
    """A cross on the edge of the scale if the line left it; its name and the point where it ends."""
    (low, high), shown = axes.get_ylim(), smooth(line.y, beta)
    drawable = with_gaps(axes, shown)
    on_scale = (drawable >= low) & (drawable <= high)
    first = _first_exit(np.isnan(drawable), ~on_scale)
    if first is not None:
        fell = shown[first] < low or (axes.get_yscale() == "log" and shown[first] <= 0)
        edge = low if fell else high
        cross: dict[str, Any] = {
            "marker": "X",
            "markersize": 12,
            "markeredgecolor": "white",
            "clip_on": False,
            "zorder": 5,
        }
        axes.plot([line.x[first]], [edge], color=line.look.color, **cross)
        if not on_scale[-1]:
            return End(
                f"{line.name}\n✕ left the scale", (1.0, share_of_axes(axes, line.x[first], edge)[1]), line.look.color
            )
    right, up = share_of_axes(axes, line.x[-1], drawable[-1])
    return End(line.name, (right if right > 0.97 else 1.0, up), line.look.color)


def _first_exit(gaps: npt.NDArray[np.bool_], off: npt.NDArray[np.bool_]) -> int | None:
    """The step from which the row stays off the scale, or else its first gap, or None."""
    if off[-1]:
        back = np.flatnonzero(~off)
        return int(back[-1]) + 1 if len(back) else 0
    return int(np.flatnonzero(gaps)[0]) if gaps.any() else None


def write_ends(axes: Axes, ends: list[End]) -> None:
    """The names to the right of the axes, each joined to the end of its line and never one over another."""
    texts = ["\n".join(textwrap.fill(part, 20) for part in end.text.split("\n")) for end in ends]
    line = 1.3 * TEXT / (72 * 0.7 * HEIGHT)  # height of one line of text as a share of the axes
    places = _spread([end.point[1] for end in ends], [line * (text.count("\n") + 1) for text in texts])
    for end, text, place in zip(ends, texts, places, strict=True):
        leader = {
            "arrowstyle": "-",
            "color": end.color,
            "linewidth": 1.2,
            "shrinkA": 1,
            "shrinkB": 5,
            "relpos": (0, 0.5),
        }
        axes.annotate(
            text,
            end.point,
            xytext=(1.04, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color=readable(end.color),
            linespacing=1.05,
            arrowprops=leader,
            annotation_clip=False,
        )


def _spread(wanted: list[float], sizes: list[float]) -> list[float]:
    """Places of the given sizes between 0 and 1 that do not overlap, in the order wanted, moved as little as possible.

    Least squares under an order is isotonic regression: neighbours in the wrong order are pooled at their mean.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    below = np.cumsum([0.0] + [(sizes[a] + sizes[b]) / 2 for a, b in itertools.pairwise(order)])
    pools: list[list[float]] = []
    for index, offset in zip(order, below, strict=True):
        pools.append([wanted[index] - float(offset)])
        while len(pools) > 1 and np.mean(pools[-2]) >= np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    bases = [float(np.mean(pool)) for pool in pools for _ in pool]
    room = max(1.0 - float(below[-1]), 0.0) if len(below) else 0.0
    places = [0.0] * len(wanted)
    for index, base, offset in zip(order, bases, below, strict=True):
        places[index] = min(max(base, 0.0), room) + float(offset)
    return places
