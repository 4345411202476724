"""Which pair of settings is best? A number for every pair, as colour."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from course_utils.plots.arguments import (
    LARGEST,
    Array,
    Limits,
    Values,
    as_ascending,
    as_limits,
    as_mask,
    as_numbers,
    as_row,
    first_and_last,
)
from course_utils.plots.colors import DASHES, STAR
from course_utils.plots.frame import Figure, new_figure, styled, write_legend
from course_utils.plots.words import LOG, about, axes_in_words, in_words, quoted, value

__all__ = ["heat_map"]


@styled
def heat_map(
    values: Values,
    *,
    x: Values,
    y: Values,
    title: str,
    xlabel: str,
    ylabel: str,
    value_label: str,
    source: str | None = None,
    lost: Values | None = None,
    lost_label: str = "diverged",
    log_x: bool = False,
    log_values: bool = True,
    limits: Limits | None = None,
    lines: Mapping[str, tuple[Values, Values]] | None = None,
) -> Figure:
    """A number for every pair of settings as colour, e.g. the final loss for each lr and momentum.

    A star stands at the lowest.

    Args:
        values: ``(len(y), len(x))``; what is not finite counts as lost.
        x: the settings to the right, ascending.
        y: the settings upwards, ascending.
        title: what is seen, as a sentence.
        xlabel: name and unit of x.
        ylabel: name and unit of y.
        value_label: name and unit of the values.
        source: where the data come from, added to the title.
        lost: true where a cell shall be hatched instead of coloured, of the shape of ``values``.
        lost_label: what the hatched cells mean.
        log_x: logarithmic scale to the right.
        log_values: logarithmic colours; values below 1e-12 of the highest have the colour of the lowest.
        limits: lowest and highest value with a colour of its own, or None for those on the map.
        lines: named curves (x, y) across the map, e.g. a boundary from theory.

    Raises:
        ValueError: the shapes disagree, not numbers, or x or y not ascending.
    """
    across, up, cells = as_ascending("x", x, positive=log_x), as_ascending("y", y), as_numbers("values", values)
    if cells.shape != (len(up), len(across)):
        raise ValueError(
            f"values must have shape (len(y), len(x)) = {(len(up), len(across))}, got {cells.shape}; try values.T"
        )
    hidden = ~(np.abs(cells) <= LARGEST)
    if lost is not None:
        hidden = hidden | as_mask("lost", lost, cells.shape)
    figure = new_figure(title, source)
    axes = figure.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", facecolor="#F0F0F0")
    axes.patch.set(hatch="////", edgecolor="#C4C4C4")
    norm = _norm(cells[~hidden], limits, log=log_values)
    shown = np.ma.masked_array(np.clip(cells, norm.vmin, norm.vmax), hidden)
    mesh = axes.pcolormesh(across, up, shown, norm=norm, cmap="viridis_r", shading="nearest")
    figure.colorbar(mesh, ax=axes, pad=0.02).set_label(value_label)
    handles = _draw_on_map(axes, np.ma.masked_array(cells, hidden), across, up, lines or {})
    lost_patch = Patch(facecolor="#F0F0F0", edgecolor="#B0B0B0", hatch="////", label=lost_label)
    write_legend(figure, handles + ([lost_patch] if hidden.any() else []))
    names = axes_in_words(f"{xlabel}{_span(across)}", f"{ylabel}{_span(up)}", log_x=log_x)
    items = _in_words(np.ma.masked_array(cells, hidden), across, up, lost_label, ylabel)
    items += [f"line {quoted(name)}: {_ends(*line)}" for name, line in (lines or {}).items()]
    figure.alt = in_words("Heat map", title, f"{names}; colour: {value_label}{LOG * log_values}", items, source)
    return figure


def _span(row: Array) -> str:
    return f" from {value(row[0])} to {value(row[-1])}"


def _ends(x: Values, y: Values) -> str:
    (x0, x1), (y0, y1) = (first_and_last(as_row("lines", row)) for row in (x, y))
    return f"from ({about(x0)}, {about(y0)}) to ({about(x1)}, {about(y1)})"


def _in_words(cells: Any, across: Array, up: Array, lost: str, ylabel: str) -> list[str]:
    """The map in a few numbers: how much of it is coloured, its lowest cell, its rows at the edges and the middle."""
    items = [f"{cells.count():,} of {cells.size:,} cells have a colour, {cells.size - cells.count():,} are {lost}"]
    if cells.count():
        row, column = np.unravel_index(int(cells.argmin()), cells.shape)
        half = float(np.median(cells.compressed()))
        items.append(f"lowest {value(cells.min())} at ({about(across[column])}, {about(up[row])})")
        items.append(f"highest {value(cells.max())}, half of the coloured cells below {value(half)}")
    places = {0: "bottom", len(up) // 2: "middle", len(up) - 1: "top"}
    return items + [
        f"{place} row, {ylabel} {about(up[k])}: {_row(cells[k], across, lost)}" for k, place in places.items()
    ]


def _row(cells: Any, across: Array, lost: str) -> str:
    """The best cell of one row, and where it is lost for good."""
    coloured = np.flatnonzero(~np.ma.getmaskarray(cells))
    if not len(coloured):
        return f"all {lost}"
    best = int(cells.argmin())
    told = f"lowest {value(float(cells[best]))} at {about(across[best])}"
    if coloured[-1] == len(cells) - 1:
        return told
    return f"{told}, {lost} from {about(across[coloured[-1] + 1])} on"


def _draw_on_map(
    axes: Axes, cells: Any, across: Array, up: Array, lines: Mapping[str, tuple[Values, Values]]
) -> list[Line2D]:
    """The lines on a heat map and the star at its lowest cell; what the legend says of them."""
    handles: list[Line2D] = []
    limits = axes.axis()
    for (name, (line_x, line_y)), dash in zip(lines.items(), itertools.cycle(DASHES[1:]), strict=False):
        row_x, row_y = as_row(f"lines[{name!r}]", line_x), as_row(f"lines[{name!r}]", line_y)
        handles += axes.plot(row_x, row_y, color="black", linewidth=2.4, linestyle=dash, label=name)
        handles[-1].set_path_effects([Stroke(linewidth=4.5, foreground="white"), Normal()])
    axes.axis(limits)
    if cells.count():
        row, column = np.unravel_index(int(cells.argmin()), cells.shape)
        handles += axes.plot(across[column], up[row], label="lowest", **STAR)
    return handles


def _norm(values: Array, limits: Limits | None, *, log: bool) -> Normalize:
    low, high = as_limits("limits", limits) or (first_and_last(np.sort(values)) if len(values) else (0.1, 1.0))
    if not log:
        return Normalize(low, high if high > low else low + 1.0)
    high = max(high, 1 / LARGEST)
    return LogNorm(min(max(low, high * 1e-12), high / 10), high)
