"""What does each line of a training step touch? `python images/draw_training_step.py` draws the figure again.

Page, boxes and words are those of `draw.py` beside it.
"""

from io import BytesIO
from pathlib import Path

import matplotlib.style
from draw import CARD, FAINT, INK, LINE, STYLE, box, page, say
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

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

UP, DOWN = 2.55, 6.3  # heights of the two rows of things, in inches from the top
IMAGES, NETWORK, SCORES, LOSS = 1.35, 4.25, 8.3, 12.35  # their middles, from the left
OPTIMIZER, GRAD = 8.3, 12.35


def training_step() -> Figure:
    """The cycle forward, loss, zero_grad, backward, step."""
    figure, axes = page(
        14.2,
        8.35,
        "A training step is a circle of five lines",
        "Network and optimizer share two things only: the weights, and .grad, the slope of the loss along each weight.",
    )
    draw_grounds(axes)
    draw_things(axes)
    draw_lines(axes)
    return figure


def draw_grounds(axes: Axes) -> None:
    """Where the network ends and the optimizer begins."""
    box(axes, 2.75, 1.2, 11.1, 2.62, facecolor="#ECECF6", edgecolor="none")
    say(axes, 13.7, 1.4, "torch.nn and autograd: how good are the weights?", 12.5, color=FAINT, ha="right")
    box(axes, 2.75, 5.2, 11.1, 2.62, facecolor="#E6F1E9", edgecolor="none")
    say(axes, 13.7, 7.62, "torch.optim: how shall they change?", 12.5, color=FAINT, ha="right")


def draw_things(axes: Axes) -> None:
    """The nouns: what there is before and after each line."""
    thing(axes, (IMAGES, UP), "images, labels", "a batch of 64")
    for k, color in enumerate(TILES):
        place = (IMAGES - 0.36 + 0.25 * (k % 3), UP - 0.62 + 0.25 * (k // 3))
        axes.add_patch(Rectangle(place, 0.22, 0.22, facecolor=color))
    thing(axes, (NETWORK, UP), "model", "layer after layer")
    for k, height in enumerate((0.7, 0.58, 0.46, 0.34, 0.22)):
        place = (NETWORK - 0.52 + 0.22 * k, UP - 0.25 - height / 2)
        axes.add_patch(Rectangle(place, 0.15, height, facecolor=COLORS[1], alpha=0.35 + 0.13 * k))
    thing(axes, (SCORES, UP), "scores", "ten per image")
    for k, height in enumerate((0.2, 0.34, 0.12, 0.26, 0.62, 0.3, 0.16, 0.4, 0.22, 0.1)):
        place = (SCORES - 0.52 + 0.105 * k, UP + 0.08 - height)
        axes.add_patch(Rectangle(place, 0.08, height, facecolor=COLORS[1] if k == 4 else "#B9B5D6"))
    thing(axes, (LOSS, UP), "loss", "one number")
    say(axes, LOSS, UP - 0.25, "2.3", 28, ha="center", weight="bold", color=COLORS[2])
    thing(axes, (NETWORK, DOWN), "weights", "shared")
    draw_numbers(axes, (NETWORK, DOWN), ("0.12", "−0.05", "0.31", "0.08", "−0.22", "0.17"), INK)
    thing(axes, (OPTIMIZER, DOWN), "optimizer", "its memory: momentum buffer")
    say(axes, OPTIMIZER, DOWN - 0.25, "w ← w − lr · v", 17, ha="center", weight="bold", color=COLORS[5])
    thing(axes, (GRAD, DOWN), ".grad", "shared: None, or one slope per weight")
    draw_numbers(axes, (GRAD, DOWN), ("+0.4", "−1.1", "+0.2", "−0.3", "+0.9", "−0.6"), COLORS[4])


def thing(axes: Axes, middle: Point, name: str, note: str) -> None:
    """A card with room for a small picture, a name and what it is."""
    x, y = middle
    box(axes, x - 1.1, y - 0.78, 2.2, 1.56, edgecolor=LINE)
    say(axes, x, y + 0.32, name, 15, ha="center", weight="bold")
    say(axes, x, y + 0.57, note, 11, ha="center", color=FAINT)


def draw_numbers(axes: Axes, middle: Point, numbers: tuple[str, ...], color: str) -> None:
    """Two rows of three small numbers: a tensor."""
    for k, number in enumerate(numbers):
        say(
            axes, middle[0] - 0.62 + 0.62 * (k % 3), middle[1] - 0.42 + 0.28 * (k // 3), number, 13, ha="center",
            color=color,
        )


def draw_lines(axes: Axes) -> None:
    """The verbs: five numbered arrows, each with its line of code and what it touches."""
    arrow(axes, (IMAGES + 1.13, UP), (NETWORK - 1.13, UP), COLORS[1])
    arrow(axes, (NETWORK + 1.13, UP), (SCORES - 1.13, UP), COLORS[1])
    label(axes, 1, (NETWORK + SCORES) / 2, UP - 0.62, "scores =\nmodel(images)", "makes scores")
    arrow(axes, (SCORES + 1.13, UP), (LOSS - 1.13, UP), COLORS[2])
    label(axes, 2, (SCORES + LOSS) / 2, UP - 0.62, "loss = cross_\nentropy(scores, …)", "makes loss")
    arrow(axes, (LOSS, UP + 0.81), (GRAD, DOWN - 0.81), COLORS[4])
    label(axes, 4, LOSS - 1.6, 4.5, "loss.backward()", "fills .grad")
    arrow(axes, (OPTIMIZER + 1.13, DOWN - 0.3), (GRAD - 1.13, DOWN - 0.3), COLORS[3])
    label(axes, 3, (OPTIMIZER + GRAD) / 2, DOWN - 0.72, "zero_grad()", "empties .grad")
    arrow(axes, (GRAD - 1.13, DOWN + 0.3), (OPTIMIZER + 1.13, DOWN + 0.3), COLORS[5])
    arrow(axes, (OPTIMIZER - 1.13, DOWN), (NETWORK + 1.13, DOWN), COLORS[5])
    label(axes, 5, (NETWORK + OPTIMIZER) / 2, DOWN - 0.62, "optimizer.step()", "moves the weights")
    arrow(axes, (NETWORK, DOWN - 0.81), (NETWORK, UP + 0.81), INK)
    say(axes, NETWORK + 0.25, 4.5, "the next batch\nmeets new weights", 13, linespacing=1.3)


def label(axes: Axes, number: int, x: float, y: float, code: str, touches: str) -> None:
    """The number of a line in a disc, its code, and below the arrow what it touches."""
    axes.add_patch(Circle((x - 0.85, y), 0.17, facecolor=COLORS[number], edgecolor="none"))
    say(axes, x - 0.85, y, str(number), 13, ha="center", weight="bold", color=CARD)
    say(axes, x - 0.6, y, code, 12, family="DejaVu Sans Mono", weight="bold", color=COLORS[number])
    say(axes, x - 0.6, y + 0.3, touches, 12, color=FAINT)


def arrow(axes: Axes, start: Point, end: Point, color: str) -> None:
    """A straight arrow."""
    head = "-|>,head_length=9,head_width=5"
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle=head, color=color, lw=3.2, shrinkA=0, shrinkB=0))


def svg() -> bytes:
    """The figure as an SVG that is the same on every run: letters as outlines, no date, no random ids."""
    written = BytesIO()
    with matplotlib.style.context(["default", STYLE], after_reset=True):
        training_step().savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def main() -> None:
    """Draw the figure into this folder and say its alternative text."""
    (HERE / f"{NAME}.svg").write_bytes(svg())
    print(f"images/{NAME}.svg\n{ALT}")


if __name__ == "__main__":
    main()
