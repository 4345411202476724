"""How much, and how often? Bars with their numbers, and histograms."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from course_utils.arguments import a_whole_number
from course_utils.plots.arguments import (
    LARGEST,
    Array,
    Values,
    as_named,
    as_named_numbers,
    as_numbers,
    as_row,
)
from course_utils.plots.colors import COLORS, INK, OTHERS, PALE_INK, algorithm_of, looks_of
from course_utils.plots.frame import Figure, legend_handle, new_figure, set_axes, styled, write_legend
from course_utils.plots.words import axes_in_words, in_words, quoted, value

__all__ = ["bar_plot", "histograms"]

_MOST_BARS = 30
_a_bin_count = a_whole_number(2, 500, example=50)


@styled
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
    named = as_named("values", values, _MOST_BARS)
    lengths = as_row("values", list(named.values()))
    errors, references = as_named_numbers("errors", errors), as_named_numbers("references", references)
    for name in [*errors, *([] if highlight is None else [highlight])]:
        if name not in named or errors.get(name, 0.0) < 0:
            raise ValueError(
                f"errors and highlight must name bars, errors 0 or more, got {name!r}; try {next(iter(named))!r}"
            )
    figure = new_figure(title, source, height=max(2.6, 1.7 + 0.55 * len(named)))
    axes = figure.subplots()
    for place, (name, length) in enumerate(zip(named, lengths, strict=True)):
        color = COLORS.get(algorithm_of(name) or "", OTHERS[0]) if highlight in (None, name) else "#B8BCC4"
        _draw_bar(axes, place, float(length), errors.get(name), color)
    axes.set(yticks=range(len(named)), yticklabels=[textwrap.fill(name, 28) for name in named], xlabel=xlabel)
    axes.set_ylim(len(named) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(x=0.14)
    for name, length in references.items():
        axes.axvline(length, color=PALE_INK, linewidth=1.4, linestyle=(0, (1.5, 2)))
        axes.annotate(name, (length, 1), xycoords=axes.get_xaxis_transform(), ha="center", va="bottom", color=PALE_INK)
    items = [
        f"{name}: {_in_words(float(length), errors.get(name))}" for name, length in zip(named, lengths, strict=True)
    ]
    strong = f", {quoted(highlight)} is strong, the others pale" if highlight else ""
    items += [f"dotted line {quoted(name)}: {value(length)}" for name, length in references.items()]
    figure.alt = in_words("Bars", title, f"length: {xlabel}{strong}", items, source)
    return figure


def _in_words(length: float, error: float | None) -> str:
    if not abs(length) <= LARGEST:
        return "left the scale"
    return value(length) if error is None else f"{value(length)} ± {value(error, 2)}"


def _draw_bar(axes: Axes, place: int, length: float, error: float | None, color: str) -> None:
    if not abs(length) <= LARGEST:
        axes.annotate("✕ left the scale", (0, place), xytext=(6, 0), textcoords="offset points", va="center")
        return
    axes.barh(place, length, height=0.62, color=color)
    if error is not None:
        axes.errorbar(length, place, xerr=error, color=INK, capsize=5, linewidth=1.5)
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


@styled
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
    bins = _a_bin_count("bins", bins)
    named = as_named("samples", samples)
    rows = {name: as_row(name, as_numbers(f"samples[{name!r}]", values).ravel()) for name, values in named.items()}
    shown = {name: row[(np.abs(row) <= LARGEST) & ((row >= 1 / LARGEST) | (not log))] for name, row in rows.items()}
    edges = _edges(np.concatenate(list(shown.values())), bins, log=log)
    figure = new_figure(title, source)
    axes = figure.subplots()
    set_axes(axes, xlabel, "share of the values (%)", log_x=log)
    looks, handles = looks_of(list(rows)), []
    for name, row in rows.items():
        shares = 100 * np.histogram(shown[name], edges)[0] / len(row)
        axes.stairs(shares, edges, fill=True, color=looks[name].color, alpha=0.14)
        axes.stairs(shares, edges, color=looks[name].color, linewidth=2.2, linestyle=looks[name].dash)
        missing = 100 * (1 - len(shown[name]) / len(row))
        note = f" ({missing:.3g} % not on this scale)" if missing else ""
        handles.append(legend_handle(name + note, looks[name], marker=False))
    axes.set_ylim(bottom=0)
    write_legend(figure, handles)
    items = [f"{handle.get_label()}: {_spread(shown[name])}" for name, handle in zip(rows, handles, strict=True)]
    to_the_right = axes_in_words(xlabel, "share of the values (%)", log_x=log)
    figure.alt = in_words(f"Histograms in {bins} bins", title, to_the_right, items, source)
    return figure


def _spread(row: Array) -> str:
    if not len(row):
        return "none on this scale"
    tenth, quarter, half, three_quarters, most = (value(q) for q in np.quantile(row, (0.1, 0.25, 0.5, 0.75, 0.9)))
    return (
        f"{len(row):,} values from {value(row.min())} to {value(row.max())}; a tenth below {tenth}, a quarter below "
        f"{quarter}, half below {half}, three quarters below {three_quarters}, nine tenths below {most}"
    )


def _edges(values: Array, bins: int, *, log: bool) -> Array:
    if not len(values):
        raise ValueError("samples must hold values that the scale can show, got none; try log=False")
    low, high = float(values.min()), float(values.max())
    if log:
        return np.geomspace(low / 1.1, high * 1.1, bins + 1)
    room = 0.02 * (high - low) or max(abs(low) * 0.1, 0.5)
    return np.linspace(low - room, high + room, bins + 1)
