"""What do all figures share? The page with its title, the style, the axes and the legend."""

from __future__ import annotations

import base64
import html
import io
import math
import textwrap
from typing import Any

import matplotlib.figure
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from PIL import Image

from course_utils.arguments import a_title
from course_utils.plots.colors import GRID, INK, PALE_INK, Look, marker_size

__all__ = [
    "HEIGHT",
    "TEXT",
    "WIDTH",
    "Figure",
    "balanced",
    "legend_handle",
    "new_figure",
    "picture_in_html",
    "set_axes",
    "styled",
    "write_legend",
]

_a_title = a_title()
WIDTH, HEIGHT, _DPI, TEXT = 8.0, 4.5, 110, 13.0  # inches, inches, pixels per inch, points
styled = matplotlib.style.context(
    [
        "default",
        {
            "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
            "font.size": TEXT,
            "axes.labelsize": TEXT,
            "axes.titlesize": TEXT,
            "axes.titlelocation": "left",
            "xtick.labelsize": TEXT,
            "ytick.labelsize": TEXT,
            "legend.fontsize": TEXT,
            "legend.frameon": False,
            "figure.titlesize": 15,
            "figure.titleweight": "bold",
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": "#999999",
            "xtick.color": "#999999",
            "ytick.color": "#999999",
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": GRID,
            "grid.linewidth": 1.0,
            "hatch.linewidth": 0.8,
            "figure.constrained_layout.h_pad": 0.08,
            "figure.constrained_layout.w_pad": 0.08,
        },
    ]
)


class Figure(matplotlib.figure.Figure):
    """A figure that says what it shows: ``alt`` is its text for whoever cannot see the picture.

    It is drawn in the style of the course whenever it is drawn: matplotlib makes the tick labels only then.
    """

    alt = ""

    def __repr__(self) -> str:
        return self.alt or super().__repr__()

    __str__ = __repr__

    @styled
    def draw(self, renderer: Any) -> None:
        """Draw everything, as matplotlib asks for."""
        super().draw(renderer)

    def bundle(self, heading: str = "") -> tuple[dict[str, str], dict[str, Any]]:
        """The figure as an output of a notebook: its contents by MIME type, and their metadata.

        The text stands in ``text/plain`` for terminals and diffs, below ``heading`` if there is one, and where readers
        of screens look for a picture's alternative: nbconvert takes it from the metadata, JupyterLab only from HTML.
        """
        picture = base64.b64encode(_in_256_colours(self)).decode()
        text = "\n".join(filter(None, [heading, self.alt]))
        data = {"text/plain": text, "text/html": picture_in_html(picture, text), "image/png": picture}
        return data, {"image/png": {"alt": text}}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self.bundle()
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


def picture_in_html(png: str, alt: str) -> str:
    """A picture, in base64, with its alternative, as the element of a page."""
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png}">'


def _in_256_colours(figure: Figure) -> bytes:
    """The figure as PNG, in half the bytes of one in true colour, so that a notebook may hold it twice."""
    true_colour, small = io.BytesIO(), io.BytesIO()
    figure.savefig(true_colour, format="png")
    Image.open(true_colour).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


def new_figure(title: str, source: str | None, *, note: str | None = None, height: float = HEIGHT) -> Figure:
    """An empty figure with its title and a pale line below it; the margins are found when it is drawn."""
    heading, note = balanced(_a_title("title", title)), note or (source and f"Data: {source}")
    height += 0.25 * heading.count("\n") + (0.3 if note else 0.0)
    figure = Figure(figsize=(WIDTH, height), dpi=_DPI, layout="compressed", facecolor="white")
    above = figure.suptitle(heading + ("\n" if note else ""), x=0.012, ha="left", linespacing=1.25)
    if note:
        below: dict[str, Any] = {"xycoords": above, "va": "bottom", "color": PALE_INK, "in_layout": False}
        figure.add_artist(Annotation(note, (0, 0), **below))
    return figure


def balanced(title: str) -> str:
    """The title in as few lines as fit, of about the same length."""
    count = math.ceil(len(title) / 60)
    return textwrap.fill(title, min(60, math.ceil(len(title) / count) + 8))


def set_axes(axes: Axes, xlabel: str, ylabel: str, *, log_x: bool = False, log_y: bool = False) -> None:
    """The labels with their units, the scales, and lines of a grid to read heights by."""
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    axes.grid(axis="y")
    axes.margins(y=0.07)


def legend_handle(name: str, look: Look, *, marker: bool = True) -> Line2D:
    """The sample of a line that stands before its name in a legend."""
    style: dict[str, Any] = {"color": look.color, "linestyle": look.dash, "linewidth": 2.2, "markeredgecolor": "white"}
    return Line2D(
        [], [], label=name, marker=look.marker if marker else "", markersize=marker_size(look.marker, 9), **style
    )


def write_legend(figure: Figure, handles: list[Any], *, right: bool = False, title: str | None = None) -> None:
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
        if sum(0.58 * TEXT * width + 4.5 * TEXT for width in widths) <= 72 * WIDTH:
            return columns
    return 1
