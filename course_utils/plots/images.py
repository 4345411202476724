"""Which images are these, and was the network right? Pictures in rows with their classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from course_utils.arguments import a_whole_number
from course_utils.plots.arguments import Limits, Values, as_numbers, as_row
from course_utils.plots.colors import INK, RIGHT, WRONG
from course_utils.plots.frame import WIDTH, Figure, new_figure, styled
from course_utils.plots.words import in_words

__all__ = ["image_grid"]

_MOST_IMAGES = 120
_a_column_count = a_whole_number(1, _MOST_IMAGES, example=6)


@styled
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
    columns = _a_column_count("columns", columns)
    captions = _captions(len(pictures), labels, predictions, classes)
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    size = min((WIDTH - 0.2) / columns, 1.6)  # inches
    text = 0.25 * max(caption.count("\n") + 1 if caption else 0 for caption, _ in captions)  # inches
    figure = new_figure(title, source, height=0.65 + rows * (size + text))
    axes = figure.subplots()
    axes.set(xlim=(0, columns * size), ylim=(rows * (size + text), 0), aspect="equal")
    axes.set_axis_off()
    for number, (picture, (caption, color)) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        _draw_picture(axes, picture, (column * size, row * (size + text)), size, caption, color)
    figure.alt = in_words(
        "Images", title, f"{len(pictures)} in rows of {columns}", _in_words(captions, columns), source
    )
    return figure


def _in_words(captions: list[tuple[str, str]], columns: int) -> list[str]:
    judged = [color for _, color in captions if color != INK]
    right = [f"{judged.count(RIGHT)} of {len(judged)} right"] if judged else []
    said = [caption.replace("✓ ", "right: ").replace("✗ ", "wrong: ").replace("\n", ", ") for caption, _ in captions]
    rows = (said[k : k + columns] for k in range(0, len(said), columns))
    return right + [f"row {k}: {'; '.join(row)}" for k, row in enumerate(rows, start=1) if any(row)]


def _draw_picture(axes: Axes, picture: Any, corner: Limits, size: float, caption: str, color: str) -> None:
    """One image inside a square of ``size`` inches, framed if it is judged, and its caption below."""
    left, top, edge = corner[0] + 0.06, corner[1] + 0.06, size - 0.12
    axes.imshow(picture, extent=(left, left + edge, top + edge, top), interpolation="nearest")
    if color != INK:
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
        return [("", INK)] * count
    truths = _class_names("labels", labels, count, classes)
    if predictions is None:
        return [(truth, INK) for truth in truths]
    guesses = _class_names("predictions", predictions, count, classes)
    return [
        (f"✓ {guess}", RIGHT) if guess == truth else (f"✗ {guess}\nis {truth}", WRONG)
        for guess, truth in zip(guesses, truths, strict=True)
    ]


def _class_names(argument: str, numbers: Values, count: int, classes: Sequence[str] | None) -> list[str]:
    row = as_row(argument, numbers)
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
    pictures = as_numbers("images", images)
    if pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape or pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"images must have shape (n, 3, size, size), got {pictures.shape}; try images[:12]")
    if len(pictures) > _MOST_IMAGES:
        raise ValueError(f"images must be at most {_MOST_IMAGES}, got {len(pictures)}; try images[:12]")
    if not whole and not ((pictures >= 0) & (pictures <= 1)).all():
        came = f"{pictures.min():.3g} to {pictures.max():.3g}"
        raise ValueError(f"images must be uint8 or floats from 0 to 1, got {came}; undo the normalisation first")
    return np.moveaxis(pictures.astype(np.uint8) if whole else pictures, 1, -1)
