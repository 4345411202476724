"""How do numbers change from step to step? Lines: losses, learning rates, several panels."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping

import numpy as np

from course_utils.arguments import a_whole_number
from course_utils.plots.arguments import (
    Limits,
    Values,
    a_beta,
    as_named,
    as_named_numbers,
    as_row,
)
from course_utils.plots.colors import PALE_INK, looks_of
from course_utils.plots.frame import HEIGHT, TEXT, Figure, legend_handle, new_figure, set_axes, styled, write_legend
from course_utils.plots.line_ends import End, draw_end, write_ends
from course_utils.plots.smoothing import smooth
from course_utils.plots.strokes import as_lines, draw_lines, draw_marks, draw_references, set_limits, share_of_axes
from course_utils.plots.words import axes_in_words, in_words, lines_in_words, marks_in_words

__all__ = ["line_panels", "line_plot", "loss_curves", "lr_curves", "lr_range"]

_MOST_PANELS = 20
_a_count = a_whole_number(1, example=156)
_a_column_count = a_whole_number(1, 4, example=2)


@styled
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
    named = as_named("lines", lines)
    drawn = as_lines("lines", named, x, looks_of(list(named)), positive=log_x)
    references = as_named_numbers("references", references, positive=log_y)
    marks = as_named_numbers("marks", marks, positive=log_x)
    beta = a_beta("beta", beta)
    figure = new_figure(title, source)
    axes = figure.subplots()
    set_axes(axes, xlabel, ylabel, log_x=log_x, log_y=log_y)
    draw_lines(axes, drawn, beta=beta, stairs=stairs)
    draw_references(axes, references)
    set_limits(axes, drawn, ylim)
    draw_marks(axes, marks)
    ends = [draw_end(axes, line, beta) for line in drawn]
    ends += [End(name, (1.0, share_of_axes(axes, 1.0, y)[1]), PALE_INK) for name, y in references.items()]
    write_ends(axes, ends)
    items = lines_in_words(axes, drawn, beta=beta, stairs=stairs, references=references)
    items += marks_in_words(axes, references, marks)
    kind = f"Moving averages (beta {beta:g}), the values pale behind them" if beta else "Stairs" if stairs else "Lines"
    figure.alt = in_words(kind, title, axes_in_words(xlabel, ylabel, drawn, log_x=log_x, log_y=log_y), items, source)
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
        steps_per_epoch = _a_count("steps_per_epoch", steps_per_epoch)
        xlabel = f"epoch ({steps_per_epoch} updates each)"
        named = as_named("curves", curves)
        x = {name: np.arange(len(as_row(f"curves[{name!r}]", row))) / steps_per_epoch for name, row in named.items()}
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
    named = as_named("losses", losses)
    rows = {name: as_row(f"losses[{name!r}]", row) for name, row in named.items()}
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


@styled
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
    columns = _a_column_count("columns", columns)
    named = as_named("panels", panels, _MOST_PANELS)
    inside = {name: as_named(f"panels[{name!r}]", lines) for name, lines in named.items()}
    looks = looks_of([name for lines in inside.values() for name in lines])
    drawn = {name: as_lines(f"panels[{name!r}]", lines, x, looks) for name, lines in inside.items()}
    count, columns = math.ceil(len(drawn) / columns), min(columns, len(drawn))
    figure = new_figure(title, source, height=max(HEIGHT, 1.3 + 2.1 * count))
    grid = figure.subplots(count, columns, squeeze=False, sharex=True, sharey=ylabel is not None)
    for number, (axes, (name, lines)) in enumerate(zip(grid.flat, drawn.items(), strict=False)):
        lowest = number + columns >= len(drawn)  # nothing below it
        set_axes(axes, xlabel if lowest else "", name if ylabel is None else "", log_y=log_y)
        axes.tick_params(axis="x", labelbottom=lowest)
        axes.set_title("" if ylabel is None else textwrap.fill(name, 75 // columns))
        draw_lines(axes, lines, stairs=stairs, thin=count > 1)
        set_limits(axes, lines, ylim, ticks=8 // columns + 1)
        for line in lines:
            draw_end(axes, line)
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    if ylabel is not None:
        figure.supylabel(ylabel, fontsize=TEXT)
    write_legend(figure, [legend_handle(name, look) for name, look in looks.items()] if len(looks) > 1 else [])
    items = [
        f"{name}, {item}"
        for (name, lines), axes in zip(drawn.items(), grid.flat, strict=False)
        for item in lines_in_words(axes, lines, stairs=stairs)
    ]
    scales = axes_in_words(xlabel, ylabel or ", ".join(drawn), itertools.chain(*drawn.values()), log_y=log_y)
    figure.alt = in_words("Panels", title, scales, items, source)
    return figure
