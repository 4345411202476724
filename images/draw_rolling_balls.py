"""Which ball gets down first? `python images/draw_rolling_balls.py` draws the moving figure again.

matplotlib draws what stands still; the balls and their trails are added as SVG animations, which a browser plays inside
an image. Whoever shows no animations, shows the end of the race.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from sheet import CARD, FAINT, INK, PAPER, STYLE, page, say
from torch.optim import SGD, Adam

from course_utils import descent
from course_utils.plots import COLORS
from course_utils.surfaces import RAVINE

HERE = Path(__file__).parent
NAME = "01_rolling_balls"

ALT = (
    "Three balls roll down the same ravine from the same place, 40 steps each. SGD jumps from wall to wall. Momentum "
    "takes short cuts between the walls and is the first at the lowest point. Adam sets out diagonally, in even steps, "
    "and swings past it."
)

STEPS, STEPS_PER_S, REST_S, ROUNDS = 40, 6, 3.0, 4
LEFT, TOP, WIDTH, HEIGHT = 0.35, 1.2, 10.4, 4.16  # the map on the page, in inches
POINTS = 72  # SVG units per inch
DEEP = LinearSegmentedColormap.from_list("deep", ["#E8E4DA", "#D3DADF", "#A9BCCB", "#6F8FA8", "#4A6C88"])


@dataclass(frozen=True)
class Ball:
    """One competitor."""

    name: str
    setting: str
    says: str
    make: Callable[[list[Any]], Any]

    @property
    def path(self) -> descent.Path:
        """Its way down the ravine."""
        return descent.descend(RAVINE, self.make, steps=STEPS)


BALLS = (
    Ball("SGD", "lr 0.095", "from wall to wall", lambda params: SGD(params, lr=0.095)),
    Ball("Momentum", "lr 0.12, momentum 0.44", "remembers its last steps", lambda p: SGD(p, lr=0.12, momentum=0.44)),
    Ball("Adam", "lr 0.4", "an equal pace in x and y", lambda params: Adam(params, lr=0.4)),
)


# --- What stands still ------------------------------------------------------------------------------------------------


def ravine() -> Figure:
    """Title, map and legend."""
    figure, axes = page(
        14.2,
        5.6,
        "One hill, three rules: which ball gets down first?",
        f"The loss ½x² + 10y² from above: the darker, the deeper. The same start for all, {STEPS} steps each.",
    )
    draw_map(axes)
    for row, ball in enumerate(BALLS):
        draw_legend(axes, ball, TOP + 0.6 + 1.35 * row)
    return figure


def draw_map(axes: Axes) -> None:
    """The lines of equal loss are ellipses; those that leave the map are cut off at its edge."""
    frame = Rectangle((LEFT, TOP), WIDTH, HEIGHT, facecolor=DEEP(0.0))
    axes.add_patch(frame)
    middle, losses = (LEFT + WIDTH / 2, TOP + HEIGHT / 2), np.geomspace(200, 0.12, 15)
    for loss, depth in zip(losses, np.linspace(0.06, 1, len(losses)), strict=True):
        size = 2 * np.sqrt(2 * loss) * WIDTH / 20, 2 * np.sqrt(loss / 10) * HEIGHT / 8
        ring = Ellipse(middle, *size, facecolor=DEEP(depth), edgecolor=PAPER, linewidth=0.8)
        axes.add_patch(ring)
        ring.set_clip_path(frame)
    axes.plot(*middle, marker="*", markersize=20, color="#FFD23F", markeredgecolor=INK, zorder=3)
    start = np.array(place(RAVINE.start)) / POINTS
    axes.plot(*start, marker="o", markersize=17, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.6)
    say(axes, start[0], start[1] - 0.3, "start", 14, ha="center")


def draw_legend(axes: Axes, ball: Ball, y: float) -> None:
    """Colour, name, setting and character."""
    x = LEFT + WIDTH + 0.35
    axes.plot(x, y, "o", markersize=17, color=COLORS[ball.name], markeredgecolor=CARD, markeredgewidth=1.5)
    say(axes, x + 0.3, y, ball.name, 18, weight="bold")
    say(axes, x + 0.3, y + 0.3, ball.setting, 13, color=FAINT)
    say(axes, x + 0.3, y + 0.56, ball.says, 13, color=FAINT)


# --- What moves -------------------------------------------------------------------------------------------------------


def place(point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of the ravine lies in the SVG."""
    x, y = point
    return (LEFT + (x + 10) / 20 * WIDTH) * POINTS, (TOP + (4 - y) / 8 * HEIGHT) * POINTS


def moving(ball: Ball) -> Iterator[str]:
    """A ball and its trail as SVG; their plain attributes are those of the end."""
    points = np.array([place(point) for point in ball.path.points.tolist()])
    lengths = np.hypot(*np.diff(points, axis=0).T)
    drawn = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    line = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    style = 'fill="none" stroke-width="2.6" stroke-linejoin="round" pathLength="1" stroke-dasharray="1"'
    yield f'<polyline points="{line}" {style} stroke="{COLORS[ball.name]}">'
    yield animation("stroke-dashoffset", 1 - drawn)
    yield "</polyline>"
    (x, y), look = points[-1], f'r="9" fill="url(#{ball.name})" stroke="#FFFFFF" stroke-width="1.5"'
    yield f'<circle cx="{x:.2f}" cy="{y:.2f}" {look}>'
    yield animation("cx", points[:, 0])
    yield animation("cy", points[:, 1])
    yield "</circle>"


def animation(attribute: str, values: Any) -> str:
    """The attribute takes one value a step, rests at the last, and all that a few times."""
    rest = [values[-1]] * round(REST_S * STEPS_PER_S)
    row = ";".join(f"{value:.4f}" if abs(value) <= 1 else f"{value:.2f}" for value in [*values, *rest])
    seconds = (len(values) + len(rest) - 1) / STEPS_PER_S
    repeat = f'dur="{seconds:.3f}s" repeatCount="{ROUNDS}" fill="freeze"'
    return f'<animate attributeName="{attribute}" values="{row}" {repeat}/>'


def shine(ball: Ball) -> str:
    """The shading that makes a disc a ball."""
    stops = f'<stop offset="0" stop-color="#FFFFFF"/><stop offset="0.75" stop-color="{COLORS[ball.name]}"/>'
    return f'<radialGradient id="{ball.name}" cx="0.35" cy="0.3" r="0.8">{stops}</radialGradient>'


# --- Writing ----------------------------------------------------------------------------------------------------------


def svg() -> str:
    """The figure as an SVG that is the same on every run: letters as outlines, no date, no random ids."""
    written = BytesIO()
    with matplotlib.style.context(["default", STYLE], after_reset=True):
        ravine().savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    extra = [shine(ball) for ball in BALLS] + [line for ball in BALLS for line in moving(ball)]
    return written.getvalue().decode().replace("</svg>", "\n".join([*extra, "</svg>"]))


def main() -> None:
    """Draw the figure into this folder and say its alternative text."""
    (HERE / f"{NAME}.svg").write_text(svg(), encoding="utf-8")
    print(f"images/{NAME}.svg\n{ALT}")


if __name__ == "__main__":
    main()
