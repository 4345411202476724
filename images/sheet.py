"""What are the drawn figures made of? Words and boxes on a page measured in inches, y downwards, in one style."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.textpath import TextPath

STYLE = {"font.family": "DejaVu Sans", "svg.fonttype": "path", "svg.hashsalt": "images/draw.py"}

INK, FAINT, LINE, PAPER, CARD = "#1F2430", "#566070", "#C4CAD3", "#F7F5F0", "#FFFFFF"


def page(width: float, height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """An empty page with its title, and the axes to draw on."""
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    say(axes, 0.35, 0.42, title, 24, weight="bold")
    say(axes, 0.35, 0.84, subtitle, 13.5, color=FAINT)
    return figure, axes


def say(axes: Axes, x: float, y: float, words: str, size: float, **style: Any) -> None:
    """Write words with their left middle at (x, y), unless ``style`` says otherwise."""
    axes.text(x, y, words, **({"size": size, "color": INK, "va": "center", "ha": "left"} | style))


def width_of(words: str, size: float) -> float:
    """How wide words are, in inches."""
    return TextPath((0, 0), words, size=size).get_extents().width / 72


def wrapped(words: str, size: float, width: float) -> str:
    """The words with line breaks, so that no line is wider than ``width`` inches."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def box(axes: Axes, x: float, y: float, width: float, height: float, **style: Any) -> None:
    """A rounded box with its upper left corner at (x, y)."""
    rounded = "round,pad=0,rounding_size=0.09"
    axes.add_patch(FancyBboxPatch((x, y), width, height, rounded, **({"facecolor": CARD, "linewidth": 1.2} | style)))


def band_ink(name: str) -> str:
    """Black or white, whichever stands out from the colour of this algorithm."""
    return CARD if name in ("SGD", "AdamW") else "#000000"


def window(axes: Axes, x: float, y: float, width: float, height: float) -> Axes:
    """New axes on the page, with their upper left corner at (x, y)."""
    figure = axes.get_figure()
    full_width, full_height = figure.get_size_inches()
    place = (x / full_width, 1 - (y + height) / full_height, width / full_width, height / full_height)
    return figure.add_axes(place)
