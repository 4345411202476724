"""How do the numbers look? Numbers in, a finished matplotlib Figure out; nothing is shown or kept.

Every figure has its own white ground (for dark themes), text that can be read from the last row, one colour per
algorithm and a second sign beside each colour: a marker, a dash or the name at the end of the line. The same numbers
give the same picture, whatever the reader has set in ``rcParams``.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import matplotlib.figure
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, LogNorm, Normalize, to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "COLORS",
    "MARKERS",
    "bar_plot",
    "heat_map",
    "histograms",
    "image_grid",
    "line_panels",
    "line_plot",
    "loss_curves",
    "lr_curves",
    "lr_range",
    "smooth",
    "surface_paths",
]

Array = npt.NDArray[np.float64]
Values: TypeAlias = "npt.ArrayLike | Tensor | Sequence[Tensor]"
Limits = tuple[float, float]

# One colour per algorithm, everywhere. Source: M. Okabe, K. Ito, Color universal design, 2008.
COLORS: dict[str, str] = {
    "SGD": "#0072B2",
    "Momentum": "#56B4E9",
    "Nesterov": "#009E73",
    "RMSprop": "#E69F00",
    "Adagrad": "#CC79A7",
    "Adam": "#D55E00",
    "AdamW": "#000000",
}
# And one marker, so that the lines differ in print and to every eye.
MARKERS: dict[str, str] = {
    "SGD": "o",
    "Momentum": "s",
    "Nesterov": "^",
    "RMSprop": "D",
    "Adagrad": "v",
    "Adam": "P",
    "AdamW": "X",
}
# Whatever is no algorithm takes a colour that no algorithm has. Source: P. Tol, Colour schemes, 2021, "muted".
_OTHERS = ("#332288", "#CC6677", "#117733", "#882255", "#999933", "#44AA99", "#AA4499")
_OTHER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 3)))
_RIGHT, _WRONG = "#117733", "#882255"
_INK, _PALE_INK, _GRID = "#222222", "#666666", "#E4E4E4"

_WIDTH, _HEIGHT, _DPI, _TEXT = 8.0, 4.5, 110, 13.0  # inches, inches, pixels per inch, points
_MOST_LINES, _MOST_PANELS, _MOST_IMAGES, _MOST_BARS = 12, 20, 120, 30
_TALL = 0.72  # a map whose height is a larger share of its width leaves room for a legend beside it
_LARGEST = 1e100  # larger numbers overflow inside matplotlib

_styled = matplotlib.style.context(
    [
        "default",
        {
            "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
            "font.size": _TEXT,
            "axes.labelsize": _TEXT,
            "axes.titlesize": _TEXT,
            "axes.titlelocation": "left",
            "xtick.labelsize": _TEXT,
            "ytick.labelsize": _TEXT,
            "legend.fontsize": _TEXT,
            "legend.frameon": False,
            "figure.titlesize": 15,
            "figure.titleweight": "bold",
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": "#999999",
            "xtick.color": "#999999",
            "ytick.color": "#999999",
            "xtick.labelcolor": _INK,
            "ytick.labelcolor": _INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": _GRID,
            "grid.linewidth": 1.0,
            "hatch.linewidth": 0.8,
            "figure.constrained_layout.h_pad": 0.08,
            "figure.constrained_layout.w_pad": 0.08,
        },
    ]
)
_PAPER = LinearSegmentedColormap.from_list("paper", ["#FFFFFF", "#EDF2F6", "#BCCBD8"])


class Figure(matplotlib.figure.Figure):
    """A figure drawn in the style of the course whenever it is drawn: matplotlib makes the tick labels only then."""

    @_styled
    def draw(self, renderer: Any) -> None:
        """Draw everything, as matplotlib asks for."""
        super().draw(renderer)


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


@dataclass(frozen=True)
class _Look:
    color: str
    marker: str
    dash: Any


@dataclass(frozen=True)
class _Line:
    """A named row with its place to the right; ``y`` may hold what the axis cannot show."""

    name: str
    x: Array
    y: Array
    look: _Look


@dataclass(frozen=True)
class _End:
    """A name to write beside the axes, and the point from which to lead to it as shares of the axes."""

    text: str
    point: Limits
    color: str


# ---------------------------------------------------------------------------------------------------- lines


def smooth(values: Values, beta: float) -> Array:
    """The exponential moving average of ``values``, corrected so that it starts at the first value, float64 ``(n,)``.

    m <- beta m + (1 - beta) x, and step k (from 0) gives m / (1 - beta^(k + 1)). From a NaN on it is NaN, except
    with beta 0, which changes nothing.

    Raises:
        ValueError: ``beta`` is not in [0, 1), or ``values`` is not a row of numbers.

    Source: D. Kingma, J. Ba, Adam, 2015, section 3.
    """
    _check_beta(beta)
    row = _row("values", values)
    if beta == 0:
        return row
    average, weight, smoothed = 0.0, 0.0, []
    for value in row.tolist():
        average = beta * average + (1 - beta) * value
        weight = beta * weight + (1 - beta)
        smoothed.append(average / weight)
    return np.array(smoothed)


@_styled
def line_plot(
    lines: Mapping[str, Values],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    source: str | None = None,
    x: Values | Mapping[str, Values] | None = None,
    beta: float = 0.0,
    log_x: bool = False,
    log_y: bool = False,
    ylim: Limits | None = None,
    references: Mapping[str, float] | None = None,
    marks: Mapping[str, float] | None = None,
    stairs: bool = False,
) -> Figure:
    """One line for each named row of numbers, its name at its end.

    A name that begins with an algorithm of ``COLORS`` ("Adam, lr 0.01") has that colour. A value that is not finite, or
    not positive on a log scale, is a gap; a line that ends off the scale has a cross where it left and says so.

    Args:
        lines: 1 to 12 names with rows of numbers: lists, arrays, tensors. They may differ in length.
        title: what is seen, as a sentence.
        xlabel: what runs to the right, with its unit.
        ylabel: what runs up, with its unit.
        source: where the data come from, added to the title.
        x: one row for all lines, a row for each name, or None for 0, 1, 2, ...
        beta: draw the values pale and their exponential moving average strong.
        log_x: logarithmic scale to the right.
        log_y: logarithmic scale upwards.
        ylim: lower and upper edge.
        references: named heights, drawn as dotted lines.
        marks: named places on the x axis, drawn as upright lines.
        stairs: hold each value until the next.

    Raises:
        TypeError: ``lines`` is no dict.
        ValueError: nothing to draw, not numbers, or lengths that differ from those of ``x``.
    """
    named = _check_dict("lines", lines, _MOST_LINES)
    drawn = _lines("lines", named, x, _looks(list(named)), positive=log_x)
    references = _check_heights("references", references, positive=log_y)
    marks = _check_heights("marks", marks, positive=log_x)
    _check_beta(beta)
    figure = _figure(title, source)
    axes = figure.subplots()
    _set_axes(axes, xlabel, ylabel, log_x=log_x, log_y=log_y)
    _draw_lines(axes, drawn, beta=beta, stairs=stairs)
    _draw_references(axes, references)
    _set_limits(axes, drawn, ylim)
    _draw_marks(axes, marks)
    ends = [_draw_end(axes, line, beta) for line in drawn]
    ends += [_End(name, (1.0, _share(axes, 1.0, y)[1]), _PALE_INK) for name, y in references.items()]
    _write_ends(axes, ends)
    return figure


def loss_curves(
    losses: Mapping[str, Values],
    *,
    title: str,
    source: str | None = None,
    x: Values | Mapping[str, Values] | None = None,
    xlabel: str = "step (updates)",
    ylabel: str = "cross-entropy loss (nats)",
    beta: float = 0.0,
    log: bool = False,
    ylim: Limits | None = None,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """The loss of one or several runs against the step: ``line_plot`` with the labels of a loss.

    Raises:
        TypeError: ``losses`` is no dict.
        ValueError: nothing to draw, not numbers, or lengths that differ from those of ``x``.
    """
    return line_plot(
        losses,
        title=title,
        xlabel=xlabel,
        ylabel=ylabel,
        source=source,
        x=x,
        beta=beta,
        log_y=log,
        ylim=ylim,
        references=references,
    )


def lr_curves(
    curves: Mapping[str, Values],
    *,
    title: str,
    steps_per_epoch: int | None = None,
    log: bool = False,
    ylim: Limits | None = None,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """The learning rate of every update under one or several schedules, as stairs; epochs to the right if given.

    Raises:
        TypeError: ``curves`` is no dict.
        ValueError: nothing to draw, not numbers, or ``steps_per_epoch`` not above 0.
    """
    xlabel, x = "step (updates)", None
    if steps_per_epoch is not None:
        _check_count("steps_per_epoch", steps_per_epoch, 1, 10**9)
        xlabel = f"epoch ({steps_per_epoch} updates each)"
        named = _check_dict("curves", curves, _MOST_LINES)
        x = {name: np.arange(len(_row(name, row))) / steps_per_epoch for name, row in named.items()}
    return line_plot(
        curves,
        title=title,
        xlabel=xlabel,
        ylabel="learning rate",
        x=x,
        log_y=log,
        ylim=ylim,
        references=references,
        stairs=True,
    )


def lr_range(
    lrs: Values,
    losses: Mapping[str, Values],
    *,
    title: str,
    source: str | None = None,
    beta: float = 0.9,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """The loss of a learning-rate range test: one short run during which the lr grows from batch to batch.

    The scale ends a little above the first loss: what happens after the loss explodes tells nothing.

    Raises:
        TypeError: ``losses`` is no dict.
        ValueError: nothing to draw, not numbers, or lengths that differ from those of ``lrs``.
    """
    named = _check_dict("losses", losses, _MOST_LINES)
    rows = {name: _row(f"losses[{name!r}]", row) for name, row in named.items()}
    smoothed = np.concatenate([smooth(row, beta) for row in rows.values()])
    first = max(float(row[0]) for row in rows.values())
    low = float(np.min(smoothed[np.isfinite(smoothed)], initial=first))
    room = max(first - low, 0.1 * abs(first), 1e-6) if math.isfinite(first) else 1.0
    return line_plot(
        losses,
        title=title,
        xlabel="learning rate",
        ylabel="cross-entropy loss (nats)",
        source=source,
        x=lrs,
        beta=beta,
        log_x=True,
        ylim=(low - 0.15 * room, first + 0.6 * room) if math.isfinite(first) else None,
        marks=marks,
    )


@_styled
def line_panels(
    panels: Mapping[str, Mapping[str, Values]],
    *,
    title: str,
    xlabel: str,
    ylabel: str | None = None,
    source: str | None = None,
    x: Values | None = None,
    columns: int = 2,
    log_y: bool = False,
    ylim: Limits | None = None,
    stairs: bool = False,
) -> Figure:
    """Several small line plots over the same x, with one legend; the same name has the same look in all.

    Two panels side by side, "loss (nats)" and "accuracy (%)", each with "train" and "test"; or one for each of many
    schedules. With ``ylabel`` the panels show the same quantity: they share its scale, and their names are titles.
    Without it each name is the label of its own axis.

    Raises:
        TypeError: ``panels`` or one of them is no dict.
        ValueError: nothing to draw, not numbers, more than 20 panels, or lengths that differ from that of ``x``.
    """
    _check_count("columns", columns, 1, 4)
    named = _check_dict("panels", panels, _MOST_PANELS)
    inside = {name: _check_dict(f"panels[{name!r}]", lines, _MOST_LINES) for name, lines in named.items()}
    looks = _looks([name for lines in inside.values() for name in lines])
    drawn = {name: _lines(f"panels[{name!r}]", lines, x, looks) for name, lines in inside.items()}
    count, columns = math.ceil(len(drawn) / columns), min(columns, len(drawn))
    figure = _figure(title, source, height=max(_HEIGHT, 1.3 + 2.1 * count))
    grid = figure.subplots(count, columns, squeeze=False, sharex=True, sharey=ylabel is not None)
    for number, (axes, (name, lines)) in enumerate(zip(grid.flat, drawn.items(), strict=False)):
        lowest = number + columns >= len(drawn)  # nothing below it
        _set_axes(axes, xlabel if lowest else "", name if ylabel is None else "", log_y=log_y)
        axes.tick_params(axis="x", labelbottom=lowest)
        axes.set_title("" if ylabel is None else textwrap.fill(name, 75 // columns))
        _draw_lines(axes, lines, stairs=stairs, thin=count > 1)
        _set_limits(axes, lines, ylim, ticks=8 // columns + 1)
        for line in lines:
            _draw_end(axes, line)
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    if ylabel is not None:
        figure.supylabel(ylabel, fontsize=_TEXT)
    _write_legend(figure, [_handle(name, look) for name, look in looks.items()] if len(looks) > 1 else [])
    return figure


def _lines(
    argument: str, named: dict[str, Any], x: Any, looks: dict[str, _Look], *, positive: bool = False
) -> list[_Line]:
    """The rows with their x, all checked."""
    lines = []
    for name, values in named.items():
        row = _row(f"{argument}[{name!r}]", values)
        if isinstance(x, Mapping) and name not in x:
            raise ValueError(f"x must have a row for every line, got none for {name!r}; try x=None")
        right = np.arange(len(row)) if x is None else (x[name] if isinstance(x, Mapping) else x)
        right = _row("x", right)
        if len(right) != len(row) or not (np.abs(right) <= _LARGEST).all():
            raise ValueError(f"x must be {len(row)} finite numbers for {name!r}, got {len(right)} numbers; try x=None")
        if positive and not (right > 0).all():
            raise ValueError(f"x must be above 0 on a log scale, got {right.min():g} for {name!r}; try log_x=False")
        lines.append(_Line(name, right, row, looks[name]))
    return lines


def _draw_lines(axes: Axes, lines: list[_Line], *, beta: float = 0.0, stairs: bool = False, thin: bool = False) -> None:
    """Every line, the first on top; if smoothed, its values pale behind it. Markers are sparse and out of step."""
    for number, line in enumerate(lines):
        look, order = line.look, 3 - 0.01 * number
        if beta:
            axes.plot(line.x, _drawable(axes, line.y), color=look.color, alpha=0.25, linewidth=1.0, zorder=2)
        every = max(len(line.y) // 8, 1)
        axes.plot(
            line.x,
            _drawable(axes, smooth(line.y, beta)),
            color=look.color,
            linestyle=look.dash,
            linewidth=1.5 if thin or (len(line.y) > 200 and not beta and not stairs) else 2.2,
            marker=look.marker,
            markersize=_size(look.marker, 6 if thin else 8),
            markeredgecolor="white",
            markeredgewidth=0.8,
            markevery=(every * number // len(lines), every),
            drawstyle="steps-post" if stairs else "default",
            zorder=order,
        )


def _drawable(axes: Axes, row: Array) -> Array:
    """The row with NaN wherever the axis cannot show the value, which matplotlib draws as a gap."""
    lowest = 1 / _LARGEST if axes.get_yscale() == "log" else -_LARGEST
    return np.where((row >= lowest) & (row <= _LARGEST), row, np.nan)


def _draw_end(axes: Axes, line: _Line, beta: float = 0.0) -> _End:
    """A cross on the edge of the scale if the line left it; its name and the point where it ends."""
    (low, high), shown = axes.get_ylim(), smooth(line.y, beta)
    drawable = _drawable(axes, shown)
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
            return _End(f"{line.name}\n✕ left the scale", (1.0, _share(axes, line.x[first], edge)[1]), line.look.color)
    right, up = _share(axes, line.x[-1], drawable[-1])
    return _End(line.name, (right if right > 0.97 else 1.0, up), line.look.color)


def _first_exit(gaps: npt.NDArray[np.bool_], off: npt.NDArray[np.bool_]) -> int | None:
    """The step from which the row stays off the scale, or else its first gap, or None."""
    if off[-1]:
        back = np.flatnonzero(~off)
        return int(back[-1]) + 1 if len(back) else 0
    return int(np.flatnonzero(gaps)[0]) if gaps.any() else None


def _draw_references(axes: Axes, references: Mapping[str, float]) -> None:
    for height in references.values():
        axes.axhline(height, color=_PALE_INK, linewidth=1.4, linestyle=(0, (1.5, 2)), zorder=1.5)


def _draw_marks(axes: Axes, marks: Mapping[str, float]) -> None:
    """Upright lines; their names stand in steps under the upper edge, so that near ones do not collide."""
    for number, (name, place) in enumerate(marks.items()):
        left = _share(axes, place, axes.get_ylim()[0])[0] > 0.6
        axes.axvline(place, color=_PALE_INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=1.5)
        axes.annotate(
            name,
            (place, 1 - 0.1 * number),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-5 if left else 5, -3),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            color=_PALE_INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            zorder=6,
        )


def _write_ends(axes: Axes, ends: list[_End]) -> None:
    """The names to the right of the axes, each joined to the end of its line and never one over another."""
    texts = ["\n".join(textwrap.fill(part, 20) for part in end.text.split("\n")) for end in ends]
    line = 1.3 * _TEXT / (72 * 0.7 * _HEIGHT)  # height of one line of text as a share of the axes
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
            color=_readable(end.color),
            linespacing=1.05,
            arrowprops=leader,
            annotation_clip=False,
        )


def _share(axes: Axes, x: float, y: float) -> Limits:
    """Where a point of the data lies between the left and lower (0) and the right and upper (1) edge."""
    axes.get_xlim(), axes.get_ylim()  # bring the limits up to date
    with np.errstate(divide="ignore"):
        place = axes.transLimits.transform(axes.transScale.transform((x, y)))
    right, up = np.clip(place, 0.0, 1.0).tolist()
    return right, up


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


# ---------------------------------------------------------------------------------------- bars, counts, maps


@_styled
def bar_plot(
    values: Mapping[str, float],
    *,
    title: str,
    xlabel: str,
    source: str | None = None,
    errors: Mapping[str, float] | None = None,
    references: Mapping[str, float] | None = None,
    highlight: str | None = None,
) -> Figure:
    """One bar for each named number, the number written at its end: what a cure gains.

    Args:
        values: 1 to 30 names with numbers; one that is not finite has no bar and says "left the scale".
        title: what is seen, as a sentence.
        xlabel: what the length means, with its unit.
        source: where the data come from, added to the title.
        errors: half length of the error bar of some names, e.g. one standard deviation.
        references: named lengths, drawn as dotted lines.
        highlight: the name whose bar is strong while the others are pale, or None: all strong.

    Raises:
        TypeError: ``values`` is no dict.
        ValueError: nothing to draw, not numbers, or ``errors`` or ``highlight`` with a name that has no bar.
    """
    named = _check_dict("values", values, _MOST_BARS)
    lengths = _row("values", list(named.values()))
    errors, references = _check_heights("errors", errors), _check_heights("references", references)
    for name in [*errors, *([] if highlight is None else [highlight])]:
        if name not in named or errors.get(name, 0.0) < 0:
            raise ValueError(
                f"errors and highlight must name bars, errors 0 or more, got {name!r}; try {next(iter(named))!r}"
            )
    figure = _figure(title, source, height=max(2.6, 1.7 + 0.55 * len(named)))
    axes = figure.subplots()
    for place, (name, length) in enumerate(zip(named, lengths, strict=True)):
        color = COLORS.get(_algorithm(name) or "", _OTHERS[0]) if highlight in (None, name) else "#B8BCC4"
        _draw_bar(axes, place, float(length), errors.get(name), color)
    axes.set(yticks=range(len(named)), yticklabels=[textwrap.fill(name, 28) for name in named], xlabel=xlabel)
    axes.set_ylim(len(named) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(x=0.14)
    for name, length in references.items():
        axes.axvline(length, color=_PALE_INK, linewidth=1.4, linestyle=(0, (1.5, 2)))
        axes.annotate(name, (length, 1), xycoords=axes.get_xaxis_transform(), ha="center", va="bottom", color=_PALE_INK)
    return figure


def _draw_bar(axes: Axes, place: int, length: float, error: float | None, color: str) -> None:
    if not abs(length) <= _LARGEST:
        axes.annotate("✕ left the scale", (0, place), xytext=(6, 0), textcoords="offset points", va="center")
        return
    axes.barh(place, length, height=0.62, color=color)
    if error is not None:
        axes.errorbar(length, place, xerr=error, color=_INK, capsize=5, linewidth=1.5)
    text = (f"{length:.4g}" if error is None else f"{length:.4g} ± {error:.2g}").replace("-", "−")
    end, side = (length + (error or 0), 1) if length >= 0 else (length - (error or 0), -1)
    axes.annotate(
        text,
        (end, place),
        xytext=(7 * side, 0),
        textcoords="offset points",
        va="center",
        ha="left" if side > 0 else "right",
        fontweight="bold",
    )


@_styled
def histograms(
    samples: Mapping[str, Values],
    *,
    title: str,
    xlabel: str,
    source: str | None = None,
    log: bool = True,
    bins: int = 50,
) -> Figure:
    """How often each size occurs in each named sample, as shares of the sample, over the same bins.

    Args:
        samples: 1 to 12 names with numbers, e.g. the magnitudes of all gradients; any shape, flattened.
        title: what is seen, as a sentence.
        xlabel: what is counted, with its unit.
        source: where the data come from, added to the title.
        log: logarithmic bins; the legend says what share is 0 or less and has no place there.
        bins: number of bins.

    Raises:
        TypeError: ``samples`` is no dict.
        ValueError: nothing to draw, not numbers, or ``bins`` out of range.
    """
    _check_count("bins", bins, 2, 500)
    named = _check_dict("samples", samples, _MOST_LINES)
    rows = {name: _row(name, _numbers(f"samples[{name!r}]", values).ravel()) for name, values in named.items()}
    shown = {name: row[(np.abs(row) <= _LARGEST) & ((row >= 1 / _LARGEST) | (not log))] for name, row in rows.items()}
    edges = _edges(np.concatenate(list(shown.values())), bins, log=log)
    figure = _figure(title, source)
    axes = figure.subplots()
    _set_axes(axes, xlabel, "share of the values (%)", log_x=log)
    looks, handles = _looks(list(rows)), []
    for name, row in rows.items():
        shares = 100 * np.histogram(shown[name], edges)[0] / len(row)
        axes.stairs(shares, edges, fill=True, color=looks[name].color, alpha=0.14)
        axes.stairs(shares, edges, color=looks[name].color, linewidth=2.2, linestyle=looks[name].dash)
        missing = 100 * (1 - len(shown[name]) / len(row))
        note = f" ({missing:.3g} % not on this scale)" if missing else ""
        handles.append(_handle(name + note, looks[name], marker=False))
    axes.set_ylim(bottom=0)
    _write_legend(figure, handles)
    return figure


def _edges(values: Array, bins: int, *, log: bool) -> Array:
    if not len(values):
        raise ValueError("samples must hold values that the scale can show, got none; try log=False")
    low, high = float(values.min()), float(values.max())
    if log:
        return np.geomspace(low / 1.1, high * 1.1, bins + 1)
    room = 0.02 * (high - low) or max(abs(low) * 0.1, 0.5)
    return np.linspace(low - room, high + room, bins + 1)


@_styled
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
    across, up, cells = _ascending("x", x, positive=log_x), _ascending("y", y), _numbers("values", values)
    if cells.shape != (len(up), len(across)):
        raise ValueError(
            f"values must have shape (len(y), len(x)) = {(len(up), len(across))}, got {cells.shape}; try values.T"
        )
    hidden = ~(np.abs(cells) <= _LARGEST)
    if lost is not None:
        hidden = hidden | _mask("lost", lost, cells.shape)
    figure = _figure(title, source)
    axes = figure.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", facecolor="#F0F0F0")
    axes.patch.set(hatch="////", edgecolor="#C4C4C4")
    norm = _norm(cells[~hidden], limits, log=log_values)
    shown = np.ma.masked_array(np.clip(cells, norm.vmin, norm.vmax), hidden)
    mesh = axes.pcolormesh(across, up, shown, norm=norm, cmap="viridis_r", shading="nearest")
    figure.colorbar(mesh, ax=axes, pad=0.02).set_label(value_label)
    handles = _draw_on_map(axes, np.ma.masked_array(cells, hidden), across, up, lines or {})
    lost_patch = Patch(facecolor="#F0F0F0", edgecolor="#B0B0B0", hatch="////", label=lost_label)
    _write_legend(figure, handles + ([lost_patch] if hidden.any() else []))
    return figure


def _draw_on_map(
    axes: Axes, cells: Any, across: Array, up: Array, lines: Mapping[str, tuple[Values, Values]]
) -> list[Line2D]:
    """The lines on a heat map and the star at its lowest cell; what the legend says of them."""
    handles: list[Line2D] = []
    limits = axes.axis()
    for (name, (line_x, line_y)), dash in zip(lines.items(), itertools.cycle(_DASHES[1:]), strict=False):
        row_x, row_y = _row(f"lines[{name!r}]", line_x), _row(f"lines[{name!r}]", line_y)
        handles += axes.plot(row_x, row_y, color="black", linewidth=2.4, linestyle=dash, label=name)
        handles[-1].set_path_effects([Stroke(linewidth=4.5, foreground="white"), Normal()])
    axes.axis(limits)
    if cells.count():
        row, column = np.unravel_index(int(cells.argmin()), cells.shape)
        handles += axes.plot(across[column], up[row], label="lowest", **_STAR)
    return handles


_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 19,
    "color": "#FFD23F",
    "markeredgecolor": "black",
    "linestyle": "none",
    "zorder": 6,
    "clip_on": False,
}


def _norm(values: Array, limits: Limits | None, *, log: bool) -> Normalize:
    low, high = _check_limits("limits", limits) or (_ends(np.sort(values)) if len(values) else (0.1, 1.0))
    if not log:
        return Normalize(low, high if high > low else low + 1.0)
    high = max(high, 1 / _LARGEST)
    return LogNorm(min(max(low, high * 1e-12), high / 10), high)


# ------------------------------------------------------------------------------------------------- surfaces


@_styled
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
    named = _check_dict("paths", paths, _MOST_LINES, least=0)
    tracks = {name: _points(name, path) for name, path in named.items()}
    x, y, z = (_numbers("surface.grid()", numbers) for numbers in surface.grid())
    ratio = float((y[-1] - y[0]) / (x[-1] - x[0]))
    note = f"{surface.name}: loss $= {surface.formula}$"
    figure = _figure(title, None, note=note, height=_map_height(ratio, len(tracks)))
    axes = figure.subplots()
    norm = BoundaryNorm(surface.levels, _PAPER.N, extend="both")
    axes.contourf(x, y, z, levels=surface.levels, norm=norm, cmap=_PAPER, extend="both")
    axes.contour(x, y, z, levels=surface.levels, colors="#8FA3B5", linewidths=0.8)
    axes.set(xlabel="parameter x", ylabel="parameter y", xlim=_ends(x), ylim=_ends(y), aspect="equal")
    axes.spines[:].set_visible(True)
    for point in surface.minima:
        axes.plot(*point, **_STAR)
        _write_on_map(axes, "minimum", point, -15)
    looks = _looks(list(tracks))
    handles = [_draw_track(axes, name, track, looks[name], surface) for name, track in tracks.items()]
    _write_legend(figure, handles, right=ratio > _TALL, title="Loss at the end")
    return figure


def _map_height(ratio: float, names: int) -> float:
    """The height of a figure, in inches, that leaves no empty margin around a map of height ``ratio`` times width."""
    legend = 0.3 + 0.3 * math.ceil(names / 3) if names else 0.0
    return 1.3 + 4.6 * ratio if ratio > _TALL else 1.35 + 6.9 * ratio + legend


def _draw_track(axes: Axes, name: str, track: Array, look: _Look, surface: Landscape) -> Line2D:
    """One path, cut where it leaves the map for good; its entry in the legend."""
    shown, left_at = _cut_at_edge(track, axes.get_xlim(), axes.get_ylim())
    outline = [Stroke(linewidth=4.0, foreground="white"), Normal()]
    dot: dict[str, Any] = {"marker": "." if len(shown) <= 101 else "", "markersize": 8}  # more would hide the line
    axes.plot(*shown.T, color=look.color, linewidth=2.0, linestyle=look.dash, path_effects=outline, zorder=3, **dot)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 2}
    axes.plot(*track[0], marker="o", markersize=12, zorder=5, **ring)
    _write_on_map(axes, "start", tuple(track[0]), 15)
    marker = look.marker if left_at is None else "X"
    end: dict[str, Any] = {"marker": marker, "markersize": _size(marker, 11), "markeredgecolor": "white", "zorder": 5}
    axes.plot(*shown[-1], color=look.color, clip_on=False, **end)
    fate = f"{float(surface(*track[-1].tolist())):.2g}" if left_at is None else f"left at step {left_at}"
    return _handle(f"{name}: {fate}", look)


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
    inside, outside = track[last], np.clip(track[last + 1], -_LARGEST, _LARGEST)
    move = outside - inside
    room = np.where(move > 0, high - inside, low - inside)
    share = np.min(room[move != 0] / move[move != 0])
    return np.vstack([track[: last + 1], inside + share * move]), last + 1


def _points(name: str, path: Any) -> Array:
    points = _numbers(f"paths[{name!r}]", getattr(path, "points", path))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or np.isnan(points).any():
        raise ValueError(
            f"paths[{name!r}] must be points (steps + 1, 2) without NaN, got shape {points.shape}; try descend(...)"
        )
    return points


# --------------------------------------------------------------------------------------------------- images


@_styled
def image_grid(
    images: Values,
    *,
    title: str,
    source: str | None = None,
    labels: Values | None = None,
    predictions: Values | None = None,
    classes: Sequence[str] | None = None,
    columns: int = 6,
) -> Figure:
    """The images in rows, each with its class below; with predictions, what the network said and whether it is right.

    Args:
        images: ``(n, 3, size, size)``, uint8, or floats from 0 to 1; 1 to 120 of them.
        title: what is seen, as a sentence.
        source: where the images come from, added to the title.
        labels: ``(n,)``, the number of the class of each.
        predictions: ``(n,)``, the number of the class predicted; right ones get a tick, wrong ones a cross.
        classes: the names of the classes, or None to write numbers.
        columns: images in a row.

    Raises:
        ValueError: wrong shape or range, too many images, lengths that differ, or a label without a class.
    """
    pictures = _pictures(images)
    _check_count("columns", columns, 1, _MOST_IMAGES)
    captions = _captions(len(pictures), labels, predictions, classes)
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    size = min((_WIDTH - 0.2) / columns, 1.6)  # inches
    text = 0.25 * max(caption.count("\n") + 1 if caption else 0 for caption, _ in captions)  # inches
    figure = _figure(title, source, height=0.65 + rows * (size + text))
    axes = figure.subplots()
    axes.set(xlim=(0, columns * size), ylim=(rows * (size + text), 0), aspect="equal")
    axes.set_axis_off()
    for number, (picture, (caption, color)) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        _draw_picture(axes, picture, (column * size, row * (size + text)), size, caption, color)
    return figure


def _draw_picture(axes: Axes, picture: Any, corner: Limits, size: float, caption: str, color: str) -> None:
    """One image inside a square of ``size`` inches, framed if it is judged, and its caption below."""
    left, top, edge = corner[0] + 0.06, corner[1] + 0.06, size - 0.12
    axes.imshow(picture, extent=(left, left + edge, top + edge, top), interpolation="nearest")
    if color != _INK:
        axes.add_patch(Rectangle((left, top), edge, edge, fill=False, edgecolor=color, linewidth=3.5))
    for number, line in enumerate(caption.split("\n")):
        axes.text(left + edge / 2, top + edge + 0.2 + 0.22 * number, line, ha="center", va="baseline", color=color)


def _captions(
    count: int, labels: Values | None, predictions: Values | None, classes: Sequence[str] | None
) -> list[tuple[str, str]]:
    """What to write below each image, and in which colour."""
    if labels is None:
        if predictions is not None:
            raise ValueError("predictions need labels to be right or wrong, got none; try labels=split.labels[:12]")
        return [("", _INK)] * count
    truths = _class_names("labels", labels, count, classes)
    if predictions is None:
        return [(truth, _INK) for truth in truths]
    guesses = _class_names("predictions", predictions, count, classes)
    return [
        (f"✓ {guess}", _RIGHT) if guess == truth else (f"✗ {guess}\nis {truth}", _WRONG)
        for guess, truth in zip(guesses, truths, strict=True)
    ]


def _class_names(argument: str, numbers: Values, count: int, classes: Sequence[str] | None) -> list[str]:
    row = _row(argument, numbers)
    if len(row) != count:
        raise ValueError(f"{argument} must have one number per image, got {len(row)} for {count}; cut both alike")
    if classes is None:
        return [f"{number:g}" for number in row]
    if not ((row >= 0) & (row < len(classes)) & (row == np.floor(row))).all():
        raise ValueError(
            f"{argument} must be whole numbers from 0 to {len(classes) - 1}, got {row.min():g} to {row.max():g}"
        )
    return [str(classes[int(number)]) for number in row]


def _pictures(images: Values) -> Any:
    """``(n, size, size, 3)`` as uint8 or as floats from 0 to 1, as matplotlib wants it."""
    whole = "uint8" in str(getattr(images, "dtype", ""))
    pictures = _numbers("images", images)
    if pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape or pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"images must have shape (n, 3, size, size), got {pictures.shape}; try images[:12]")
    if len(pictures) > _MOST_IMAGES:
        raise ValueError(f"images must be at most {_MOST_IMAGES}, got {len(pictures)}; try images[:12]")
    if not whole and not ((pictures >= 0) & (pictures <= 1)).all():
        came = f"{pictures.min():.3g} to {pictures.max():.3g}"
        raise ValueError(f"images must be uint8 or floats from 0 to 1, got {came}; undo the normalisation first")
    return np.moveaxis(pictures.astype(np.uint8) if whole else pictures, 1, -1)


# ------------------------------------------------------------------------------------- what all figures share


def _figure(title: str, source: str | None, *, note: str | None = None, height: float = _HEIGHT) -> Figure:
    """An empty figure with its title and a pale line below it; the margins are found when it is drawn."""
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= 180:
        raise ValueError(f"title must say what is seen in 1 to 180 letters, got {title!r}; try 'Momentum is first'")
    heading, note = _balanced(title), note or (source and f"Data: {source}")
    height += 0.25 * heading.count("\n") + (0.3 if note else 0.0)
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="compressed", facecolor="white")
    above = figure.suptitle(heading + ("\n" if note else ""), x=0.012, ha="left", linespacing=1.25)
    if note:
        below: dict[str, Any] = {"xycoords": above, "va": "bottom", "color": _PALE_INK, "in_layout": False}
        figure.add_artist(Annotation(note, (0, 0), **below))
    return figure


def _balanced(title: str) -> str:
    """The title in as few lines as fit, of about the same length."""
    count = math.ceil(len(title) / 60)
    return textwrap.fill(title, min(60, math.ceil(len(title) / count) + 8))


def _set_axes(axes: Axes, xlabel: str, ylabel: str, *, log_x: bool = False, log_y: bool = False) -> None:
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    axes.grid(axis="y")
    axes.margins(y=0.07)


def _set_limits(axes: Axes, lines: list[_Line], ylim: Limits | None, *, ticks: int = 8) -> None:
    """From the first to the last x of all lines, a little wider, so that names can stand at the ends."""
    low, high = min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines)
    if axes.get_xscale() == "log":
        widen = max(high / low, 1.2) ** 0.015 if high > low else 2.0
        axes.set_xlim(low / widen, high * widen)
    else:
        room = 0.015 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=high - low >= 2, steps=[1, 2, 5, 10]))
    if _check_limits("ylim", ylim) is not None:
        axes.set_ylim(ylim)


def _looks(names: Sequence[str]) -> dict[str, _Look]:
    """One look per name: the colour of its algorithm, or one that no algorithm has; darker and dashed on repeats."""
    looks: dict[str, _Look] = {}
    used: Counter[str] = Counter()
    others = itertools.cycle(zip(_OTHERS, _OTHER_MARKERS, strict=True))
    for name in dict.fromkeys(names):
        algorithm = _algorithm(name)
        color, marker = (COLORS[algorithm], MARKERS[algorithm]) if algorithm else next(others)
        repeat = used[color]
        used[color] += 1
        looks[name] = _Look(_shade(color, repeat), marker, _DASHES[repeat % len(_DASHES)])
    return looks


def _shade(color: str, repeat: int) -> str:
    """The colour, darker at each repeat; black, which cannot be darker, is lighter."""
    share = 0.6 ** (repeat % len(_DASHES))
    red, green, blue = (share * part if any(to_rgb(color)) else 1 - max(share, 0.3) for part in to_rgb(color))
    return to_hex((red, green, blue)) if repeat else color


def _algorithm(name: str) -> str | None:
    """The algorithm with which a name begins, as a whole word: "Adam, lr 0.1" but not "Adamax"."""
    word = re.split(r"\W", name, maxsplit=1)[0]
    return word if word in COLORS else None


def _handle(name: str, look: _Look, *, marker: bool = True) -> Line2D:
    style: dict[str, Any] = {"color": look.color, "linestyle": look.dash, "linewidth": 2.2, "markeredgecolor": "white"}
    return Line2D([], [], label=name, marker=look.marker if marker else "", markersize=_size(look.marker, 9), **style)


def _size(marker: str, points: float) -> float:
    """The size at which a marker looks as large as a dot of ``points``: crosses cover less of their square."""
    return 1.3 * points if marker in ("P", "X") else points


def _write_legend(figure: Figure, handles: list[Any], *, right: bool = False, title: str | None = None) -> None:
    """A legend below the axes, in as few rows as fit, or in one column to their right."""
    if handles and right:
        figure.legend(handles=handles, loc="outside right center", title=title, handlelength=1.8, labelspacing=0.8)
    elif handles:
        columns = _columns([str(handle.get_label()) for handle in handles])
        below: dict[str, Any] = {"loc": "outside lower center", "handlelength": 1.8, "columnspacing": 1.6}
        figure.legend(handles=handles, ncols=columns, title=title, **below)


def _columns(labels: list[str]) -> int:
    """The most legend columns that fit across the figure; a column is as wide as its longest label."""
    for columns in range(len(labels), 1, -1):
        widths = [max(map(len, column)) for column in np.array_split(labels, columns)]
        if sum(0.58 * _TEXT * width + 4.5 * _TEXT for width in widths) <= 72 * _WIDTH:
            return columns
    return 1


def _readable(color: str) -> str:
    """The colour, darkened until text in it has the contrast of 4.5 to white that WCAG 2.1 asks for."""
    rgb = np.array(to_rgb(color))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.95
    return to_hex(rgb.tolist())


def _luminance(rgb: Array) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _ends(values: Sequence[float] | Array) -> Limits:
    return float(values[0]), float(values[-1])


# ------------------------------------------------------------------------------------------------- the door


def _check_dict(argument: str, named: Any, most: int, *, least: int = 1) -> dict[str, Any]:
    if not isinstance(named, Mapping):
        raise TypeError(f"{argument} must be a dict of names, got {type(named).__name__}; try {{'SGD': ...}}")
    if not least <= len(named) <= most:
        raise ValueError(
            f"{argument} must hold {least} to {most} names, got {len(named)}; draw them in several figures"
        )
    return {str(name): value for name, value in named.items()}


def _row(argument: str, values: Any) -> Array:
    row = _numbers(argument, values)
    if row.ndim != 1 or not len(row):
        raise ValueError(f"{argument} must be a row of one or more numbers, got shape {row.shape}; try [2.3, 1.9, 1.7]")
    return row


def _numbers(argument: str, values: Any) -> Array:
    """Any tensor, list of tensors, array or list as float64 on the CPU."""
    if isinstance(values, (list, tuple)) and any(hasattr(value, "detach") for value in values):
        values = [_numbers(argument, value) for value in values]
    elif hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "biuf":
            raise TypeError(f"{numbers.dtype} is no type of real numbers")
        return numbers.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{argument} must be numbers, got {textwrap.shorten(repr(values), 60)}; try [2.3, 1.9]"
        ) from error


def _ascending(argument: str, values: Any, *, positive: bool = False) -> Array:
    row = _row(argument, values)
    if not (np.diff(row) > 0).all() or not (np.abs(row) <= _LARGEST).all() or (positive and row[0] <= 0):
        kind = "finite, ascending and above 0" if positive else "finite and ascending"
        raise ValueError(f"{argument} must be {kind}, got {row[0]:g} to {row[-1]:g}; try sorted({argument})")
    return row


def _mask(argument: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = _numbers(argument, values).astype(np.bool_)
    if mask.shape != shape:
        raise ValueError(
            f"{argument} must have the shape of the values, {shape}, got {mask.shape}; transpose both alike"
        )
    return mask


def _check_heights(argument: str, named: Mapping[str, float] | None, *, positive: bool = False) -> dict[str, float]:
    """Named numbers, finite, and above 0 if they are to stand on a log scale."""
    numbers = {} if named is None else _check_dict(argument, named, _MOST_LINES, least=0)
    for name, number in numbers.items():
        value = _numbers(f"{argument}[{name!r}]", number)
        if value.ndim or not abs(value) <= _LARGEST or (positive and value <= 0):
            kind = "a number above 0" if positive else "a finite number"
            raise ValueError(f"{argument}[{name!r}] must be {kind}, got {number!r}; try 1.0")
        numbers[name] = float(value)
    return numbers


def _check_limits(argument: str, limits: Limits | None) -> Limits | None:
    if limits is not None:
        ends = _row(argument, limits)
        if len(ends) != 2 or not -_LARGEST <= ends[0] < ends[1] <= _LARGEST:
            raise ValueError(f"{argument} must be two finite numbers, the lower first, got {limits!r}; try (0.0, 2.5)")
    return limits


def _check_count(argument: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(
            f"{argument} must be a whole number from {least} to {most}, got {value!r}; try {max(least, 2)}"
        )


def _check_beta(beta: float) -> None:
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < 1:
        raise ValueError(f"beta must be 0 or more and below 1, got {beta!r}; try 0.9")
