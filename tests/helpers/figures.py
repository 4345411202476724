"""What can be read from a figure? Its picture, its words, its lines and the names at their ends."""

import io

from matplotlib.patches import Rectangle
from matplotlib.text import Annotation, Text

__all__ = ["bars", "end_labels", "line_of", "png", "texts", "words"]


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def texts(figure):
    """Every visible text of a figure."""
    if figure.stale:
        figure.draw_without_rendering()
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    hidden = [label for axes in figure.axes if not axes.axison for label in [axes.xaxis, axes.yaxis]]
    kept = {text for axis in hidden for text in axis.findobj(Text)}
    return [text for text in found if text not in kept]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def line_of(figure, color):
    """The first line of a colour, that of the numbers."""
    return next(line for line in figure.axes[0].lines if line.get_color() == color)


def end_labels(figure):
    return [text for text in texts(figure) if isinstance(text, Annotation) and text.arrow_patch is not None]


def bars(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
