"""Which path does an optimizer take on a surface? Contour lines, and every step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from course_utils.plots.arguments import LARGEST, Array, Limits, as_named, as_numbers, first_and_last
from course_utils.plots.colors import STAR, Look, looks_of, marker_size
from course_utils.plots.frame import Figure, legend_handle, new_figure, styled, write_legend
from course_utils.plots.words import in_words, value

__all__ = ["surface_paths"]

_TALL = 0.72  # a map whose height is a larger share of its width leaves room for a legend beside it
_PAPER = LinearSegmentedColormap.from_list("paper", ["#FFFFFF", "#EDF2F6", "#BCCBD8"])


class Landscape(Protocol):
    """What ``surface_paths`` draws on; ``course_utils.surfaces.Surface`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def formula(self) -> str: ...
    @property
    def minima(self) -> tuple[tuple[float, float], ...]: ...
    @property
    def levels(self) -> tuple[float, ...]: ...
    def grid(self) -> tuple[Any, Any, Any]: ...
    def __call__(self, x: float, y: float) -> Any: ...


@styled
def surface_paths(
    surface: Landscape,
    paths: Mapping[str, Any],
    *,
    title: str,
) -> Figure:
    """The contour lines of a surface and the path of each optimizer on it, all steps visible.

    A ring is the start, a star a minimum, the large marker the end of a path. A path that does not come back to the map
    has a cross where it left; the legend says at which step.

    Args:
        surface: a ``Surface`` of ``course_utils.surfaces``.
        paths: up to 12 names with points ``(steps + 1, 2)``, or with a ``Path`` of ``course_utils.descent``; may be
            empty, to show the surface alone.
        title: what is seen, as a sentence.

    Raises:
        TypeError: ``paths`` is no dict.
        ValueError: a path is not a row of points.
    """
    if not callable(getattr(surface, "grid", None)):
        raise TypeError(f"surface must be a Surface, got {type(surface).__name__}; try course_utils.surfaces.RAVINE")
    named = as_named("paths", paths, least=0)
    tracks = {name: _points(name, path) for name, path in named.items()}
    x, y, z = (as_numbers("surface.grid()", numbers) for numbers in surface.grid())
    ratio = float((y[-1] - y[0]) / (x[-1] - x[0]))
    note = f"{surface.name}: loss $= {surface.formula}$"
    figure = new_figure(title, None, note=note, height=_map_height(ratio, len(tracks)))
    axes = figure.subplots()
    norm = BoundaryNorm(surface.levels, _PAPER.N, extend="both")
    axes.contourf(x, y, z, levels=surface.levels, norm=norm, cmap=_PAPER, extend="both")
    axes.contour(x, y, z, levels=surface.levels, colors="#8FA3B5", linewidths=0.8)
    axes.set(xlabel="parameter x", ylabel="parameter y", xlim=first_and_last(x), ylim=first_and_last(y), aspect="equal")
    axes.spines[:].set_visible(True)
    for point in surface.minima:
        axes.plot(*point, **STAR)
        _write_on_map(axes, "minimum", point, -15)
    looks = looks_of(list(tracks))
    handles = [_draw_track(axes, name, track, looks[name], surface) for name, track in tracks.items()]
    write_legend(figure, handles, right=ratio > _TALL, title="Loss at the end")
    limits = axes.get_xlim(), axes.get_ylim()
    items = [f"minimum at {_point(minimum)}" for minimum in surface.minima]
    items += [f"{name}: {_in_words(track, surface, *limits)}" for name, track in tracks.items()]
    figure.alt = in_words(f"Paths on the surface {surface.name}", title, f"loss = {surface.formula}", items)
    return figure


def _point(point: Any) -> str:
    return f"({value(float(point[0]))}, {value(float(point[1]))})"


def _in_words(track: Array, surface: Landscape, xlim: Limits, ylim: Limits) -> str:
    """Where one path begins and ends, with the losses there, how far it swings, and where it left the map for good."""
    losses = [float(surface(*track[k].tolist())) for k in (0, -1)]
    steps = len(track) - 1
    begins = f"{steps:,} step{'s' * (steps != 1)} from {_point(track[0])}, loss {value(losses[0])}"
    left_at = _cut_at_edge(track, xlim, ylim)[1]
    if left_at is not None:
        return f"{begins}; {f'leaves the map at step {left_at}' if left_at else 'nowhere on the map'}"
    (x0, y0), (x1, y1) = track.min(axis=0), track.max(axis=0)
    swings = f"x from {value(x0)} to {value(x1)}, y from {value(y0)} to {value(y1)}"
    return f"{begins}; to {_point(track[-1])}, loss {value(losses[1])}; {swings}"


def _map_height(ratio: float, names: int) -> float:
    """The height of a figure, in inches, that leaves no empty margin around a map of height ``ratio`` times width."""
    legend = 0.3 + 0.3 * math.ceil(names / 3) if names else 0.0
    return 1.3 + 4.6 * ratio if ratio > _TALL else 1.35 + 6.9 * ratio + legend


def _draw_track(axes: Axes, name: str, track: Array, look: Look, surface: Landscape) -> Line2D:
    """One path, cut where it leaves the map for good; its entry in the legend."""
    shown, left_at = _cut_at_edge(track, axes.get_xlim(), axes.get_ylim())
    outline = [Stroke(linewidth=4.0, foreground="white"), Normal()]
    dot: dict[str, Any] = {"marker": "." if len(shown) <= 101 else "", "markersize": 8}  # more would hide the line
    axes.plot(*shown.T, color=look.color, linewidth=2.0, linestyle=look.dash, path_effects=outline, zorder=3, **dot)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 2}
    axes.plot(*track[0], marker="o", markersize=12, zorder=5, **ring)
    _write_on_map(axes, "start", tuple(track[0]), 15)
    marker = look.marker if left_at is None else "X"
    end: dict[str, Any] = {
        "marker": marker,
        "markersize": marker_size(marker, 11),
        "markeredgecolor": "white",
        "zorder": 5,
    }
    axes.plot(*shown[-1], color=look.color, clip_on=False, **end)
    fate = f"{float(surface(*track[-1].tolist())):.2g}" if left_at is None else f"left at step {left_at}"
    return legend_handle(f"{name}: {fate}", look)


def _write_on_map(axes: Axes, text: str, point: Any, above: float) -> None:
    """A word above or below a point, legible on any ground."""
    place: dict[str, Any] = {"xytext": (0, above), "textcoords": "offset points", "ha": "center", "va": "center"}
    axes.annotate(text, point, path_effects=[Stroke(linewidth=3, foreground="white"), Normal()], zorder=7, **place)


def _cut_at_edge(track: Array, xlim: Limits, ylim: Limits) -> tuple[Array, int | None]:
    """The track up to the point where it crosses the edge of the map for good, and the step that did it, or None."""
    low, high = np.array([xlim, ylim]).T
    on_map = ((track >= low) & (track <= high)).all(axis=1)
    if not on_map.any():
        return np.clip(track, low, high), 0
    if on_map[-1]:
        return np.clip(track, low - 9 * (high - low), high + 9 * (high - low)), None
    last = int(np.flatnonzero(on_map)[-1])
    inside, outside = track[last], np.clip(track[last + 1], -LARGEST, LARGEST)
    move = outside - inside
    room = np.where(move > 0, high - inside, low - inside)
    share = np.min(room[move != 0] / move[move != 0])
    return np.vstack([track[: last + 1], inside + share * move]), last + 1


def _points(name: str, path: Any) -> Array:
    points = as_numbers(f"paths[{name!r}]", getattr(path, "points", path))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or np.isnan(points).any():
        raise ValueError(
            f"paths[{name!r}] must be points (steps + 1, 2) without NaN, got shape {points.shape}; try descend(...)"
        )
    return points
