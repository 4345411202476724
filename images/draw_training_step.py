"""What does each line of a training step touch? `python images/draw_training_step.py` draws the figure again.

Page, boxes and words are those of `sheet.py` beside it.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from sheet import CARD, FAINT, INK, LINE, PAPER, STYLE, box, page, say

HERE = Path(__file__).parent
NAME = "01_training_step"

ALT = (
    "A training step as a cycle of five lines. 1: model(images) makes the scores. 2: cross_entropy makes the loss. "
    "3: zero_grad empties .grad. 4: backward fills .grad. 5: step reads .grad and moves the weights, with its own "
    "memory, the momentum buffer. The next batch meets the new weights. The network and the optimizer share only the "
    "weights and .grad."
)

# Colours that no algorithm has. Source: P. Tol, Colour schemes, 2021, "muted".
COLORS = {1: "#332288", 2: "#AA4499", 3: "#7A7A1F", 4: "#B5485A", 5: "#117733"}
TILES = ("#88CCEE", "#44AA99", "#DDCC77", "#CC6677", "#AA4499", "#117733", "#332288", "#999933", "#882255")
Point = tuple[float, float]

WIDE, HIGH = 1.0, 0.78  # half the width and half the height of a card
UP, DOWN = 2.62, 6.25  # heights of the two rows of things, in inches from the top
IMAGES, NETWORK, SCORES, LOSS = 1.35, 4.25, 8.45, 12.65  # their middles, from the left
OPTIMIZER, GRAD = SCORES, LOSS


def training_step() -> Figure:
    """The cycle forward, loss, zero_grad, backward, step."""
    figure, axes = page(
        14.2,
        8.3,
        "A training step is a circle of five lines",
        "Network and optimizer share two things only: the weights, and .grad, the slope of the loss along each weight.",
    )
    draw_grounds(axes)
    draw_things(axes)
    draw_pictures(axes)
    draw_lines(axes)
    return figure


def draw_grounds(axes: Axes) -> None:
    """Where the network ends and the optimizer begins."""
    box(axes, 2.95, 1.22, 10.9, 2.42, facecolor="#ECECF6", edgecolor="none")
    say(axes, 13.65, 1.46, "torch.nn and autograd: how good are the weights?", 13, color=FAINT, ha="right")
    box(axes, 2.95, 5.25, 10.9, 2.42, facecolor="#E3EFE7", edgecolor="none")
    say(axes, 13.65, 7.42, "torch.optim: how shall they change?", 13, color=FAINT, ha="right")


def draw_things(axes: Axes) -> None:
    """The nouns: what there is before and after each line."""
    thing(axes, (IMAGES, UP), "images, labels", "one batch")
    thing(axes, (NETWORK, UP), "model", "layer after layer")
    thing(axes, (SCORES, UP), "scores", "ten per image")
    thing(axes, (LOSS, UP), "loss", "one number")
    thing(axes, (NETWORK, DOWN), "weights", "shared")
    thing(axes, (OPTIMIZER, DOWN), "optimizer", "lr, momentum buffer")
    thing(axes, (GRAD, DOWN), ".grad", "shared")


def thing(axes: Axes, middle: Point, name: str, note: str) -> None:
    """A card with room for a small picture above its name and what it is."""
    x, y = middle
    box(axes, x - WIDE, y - HIGH, 2 * WIDE, 2 * HIGH, edgecolor=LINE)
    say(axes, x, y + 0.31, name, 15, ha="center", weight="bold")
    say(axes, x, y + 0.57, note, 12, ha="center", color=FAINT)


def draw_pictures(axes: Axes) -> None:
    """A small picture in every card."""
    for k, color in enumerate(TILES):
        draw_bar(axes, IMAGES - 0.36 + 0.25 * (k % 3), UP - 0.43 + 0.25 * (k // 3), 0.22, 0.22, color)
    for k, shade in enumerate(("#C9C6E0", "#A9A4CE", "#8983BC", "#6861A9", "#4D4399")):
        draw_bar(axes, NETWORK - 0.52 + 0.22 * k, UP + 0.1 - 0.06 * k, 0.15, 0.7 - 0.12 * k, shade)
    for k, height in enumerate((0.2, 0.34, 0.12, 0.26, 0.66, 0.3, 0.16, 0.4, 0.22, 0.1)):
        draw_bar(axes, SCORES - 0.52 + 0.105 * k, UP + 0.06, 0.08, height, COLORS[1] if k == 4 else "#B9B5D6")
    say(axes, LOSS, UP - 0.26, "2.3", 30, ha="center", weight="bold", color=COLORS[2])
    draw_numbers(axes, (NETWORK, DOWN), ("0.12", "−0.05", "0.31", "0.08", "−0.22", "0.17"), INK)
    say(axes, OPTIMIZER, DOWN - 0.25, "w ← w − lr · v", 16, ha="center", weight="bold", color=COLORS[5])
    draw_numbers(axes, (GRAD, DOWN), ("+0.4", "−1.1", "+0.2", "−0.3", "+0.9", "−0.6"), COLORS[4])


def draw_bar(axes: Axes, left: float, bottom: float, width: float, height: float, color: str) -> None:
    """An upright rectangle that stands on ``bottom``."""
    axes.add_patch(Rectangle((left, bottom - height), width, height, facecolor=color))


def draw_numbers(axes: Axes, middle: Point, numbers: tuple[str, ...], color: str) -> None:
    """Two rows of three small numbers: a tensor."""
    for k, number in enumerate(numbers):
        x, y = middle[0] + 0.62 * (k % 3 - 1), middle[1] - 0.43 + 0.29 * (k // 3)
        say(axes, x, y, number, 13, ha="center", color=color)


def draw_lines(axes: Axes) -> None:
    """The verbs: five numbered arrows, each with its line of code and what it does to the thing it points at."""
    arrow(axes, (IMAGES + WIDE, UP), (NETWORK - WIDE, UP), COLORS[1])
    line(axes, 1, (NETWORK + WIDE, UP), (SCORES - WIDE, UP), "scores =\nmodel(images)", "makes scores")
    line(axes, 2, (SCORES + WIDE, UP), (LOSS - WIDE, UP), "loss = cross_entropy(\nscores, labels)", "makes loss")
    above, below = DOWN - 0.36, DOWN + 0.36
    line(axes, 3, (OPTIMIZER + WIDE, above), (GRAD - WIDE, above), "optimizer.zero_grad()", "empties .grad")
    line(axes, 5, (OPTIMIZER - WIDE, DOWN), (NETWORK + WIDE, DOWN), "optimizer.step()", "moves the weights")
    arrow(axes, (GRAD - WIDE, below), (OPTIMIZER + WIDE, below), COLORS[5])
    say(axes, (OPTIMIZER + GRAD) / 2, below + 0.26, "step() reads .grad", 12.5, ha="center", color=FAINT)
    down = (UP + DOWN) / 2
    arrow(axes, (LOSS, UP + HIGH), (GRAD, DOWN - HIGH), COLORS[4])
    disc(axes, 4, (LOSS, down))
    code(axes, (LOSS - 0.3, down - 0.13), "loss.backward()", COLORS[4], ha="right")
    say(axes, LOSS - 0.3, down + 0.16, "fills .grad", 12.5, ha="right", color=FAINT)
    arrow(axes, (NETWORK, DOWN - HIGH), (NETWORK, UP + HIGH), INK)
    say(axes, NETWORK + 0.25, down, "the next batch meets\nthe new weights", 13, linespacing=1.35)


def line(axes: Axes, number: int, start: Point, end: Point, words: str, touches: str) -> None:
    """A level arrow with its number, the code above it and below it what it touches."""
    x, y = (start[0] + end[0]) / 2, start[1]
    arrow(axes, start, end, COLORS[number])
    disc(axes, number, (x, y))
    code(axes, (x, y - 0.27), words, COLORS[number], ha="center", va="bottom")
    say(axes, x, y + 0.36, touches, 12.5, ha="center", color=FAINT)


def arrow(axes: Axes, start: Point, end: Point, color: str) -> None:
    """A straight arrow from edge to edge."""
    head = "-|>,head_length=9,head_width=5"
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle=head, color=color, lw=3.2, shrinkA=2, shrinkB=2))


def disc(axes: Axes, number: int, middle: Point) -> None:
    """A number on a disc."""
    axes.add_patch(Circle(middle, 0.2, facecolor=COLORS[number], edgecolor=PAPER, linewidth=2, zorder=3))
    say(axes, *middle, str(number), 14, ha="center", weight="bold", color=CARD, zorder=4)


def code(axes: Axes, place: Point, words: str, color: str, **style: Any) -> None:
    """Words as in a program."""
    say(axes, *place, words, 12, family="DejaVu Sans Mono", weight="bold", color=color, linespacing=1.2, **style)


def svg() -> str:
    """The figure as an SVG that is the same on every run: letters as outlines, no date, no random ids."""
    written = BytesIO()
    with matplotlib.style.context(["default", STYLE], after_reset=True):
        training_step().savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue().decode()


def main() -> None:
    """Draw the figure into this folder and say its alternative text."""
    (HERE / f"{NAME}.svg").write_text(svg(), encoding="utf-8")
    print(f"images/{NAME}.svg\n{ALT}")


if __name__ == "__main__":
    main()
