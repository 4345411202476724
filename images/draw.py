"""Which figures does the course show? `python images/draw.py` draws them all again.

Names, words, years and defaults come from `course_utils.catalog`, paths from torch's own optimizers. A test compares
the committed files with what this script draws, so a figure cannot fall behind unseen. Notebooks and README take the
alternative text of a figure from ``ALT``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib.style
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, Rectangle
from sheet import CARD, FAINT, INK, LINE, STYLE, band_ink, box, page, say, window, wrapped
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from course_utils.catalog import OptimizerEntry, ParameterEntry, Table, optimizers
from course_utils.plots import COLORS

HERE = Path(__file__).parent
VALLEY = ("#EEF0F3", "#E2E6EB", "#D5DBE3", "#C7D0DA", "#B8C3D0")  # from the rim down to the lowest point

ALT = {
    "01_common_optimizers": (
        "Seven cards in two rows, each with the path of one optimizer through the same ravine. One step size for all "
        "weights: SGD zigzags between the walls, Momentum swings in wide curves, Nesterov brakes earlier. One step "
        "size per weight: Adagrad goes straight but its steps die out, RMSprop forgets old gradients and arrives, Adam "
        "adds momentum to it, AdamW is also pulled towards zero. Arrows name the weakness that the next one cures. "
        "Below: the other optimizers of torch.optim."
    ),
    "01_common_parameters": (
        "A grid: the parameters that several optimizers share, one per row with its meaning in a sentence, against "
        "all optimizers of torch.optim, one per column, with the defaults of the five most common. All have params and "
        "lr. SGD, RMSprop and Muon have momentum, the Adam family has betas, and all that divide by past gradients "
        "have eps. The last rows, from maximize to differentiable, are switches, by default off or left to torch."
    ),
}


# --- Paths through a ravine ------------------------------------------------------------------------------------------

STEPS = 40
CURVATURE = torch.tensor([1.0, 12.0], dtype=torch.float64)
START = torch.tensor([-4.0, 1.1], dtype=torch.float64)  # as seen from the lowest point, like all points drawn
ZERO = torch.tensor([-2.5, -0.8], dtype=torch.float64)  # where both weights are 0, which matters to weight decay

Entries = Iterable[OptimizerEntry]
Make = Callable[[list[torch.Tensor]], Optimizer]


def path(make: Make) -> np.ndarray:
    """The STEPS + 1 points (x, y) of an optimizer on (x² + 12 y²) / 2, of shape (STEPS + 1, 2)."""
    weights = (START - ZERO).requires_grad_()
    optimizer = make([weights])
    points = [START.numpy()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        (CURVATURE * (weights + ZERO) ** 2 / 2).sum().backward()
        optimizer.step()
        points.append((weights + ZERO).detach().numpy())
    return np.array(points)


# --- 01_common_optimizers --------------------------------------------------------------------------------------------

CARD_WIDTH, CARD_HEIGHT = 2.5, 2.82
COLUMNS, ROWS = (0.65, 4.2, 7.75, 11.3), (1.2, 4.74)


@dataclass(frozen=True)
class Card:
    """A card of the first figure: where it lies, how the optimizer steps, and how to make it."""

    name: str
    place: tuple[int, int]  # column, row
    step: str
    setting: str
    make: Make
    year: int = 0  # 0: the catalog knows year and words
    adds: str = ""

    @property
    def corner(self) -> tuple[float, float]:
        """The upper left corner, in inches."""
        return COLUMNS[self.place[0]], ROWS[self.place[1]]


CARDS = (
    Card("SGD", (0, 0), "lr · g", "lr 0.155", lambda w: SGD(w, lr=0.155)),
    Card(
        "Momentum",
        (1, 0),
        "lr · v,   v = μ v + g",
        "lr 0.03  μ 0.85",
        lambda w: SGD(w, lr=0.03, momentum=0.85),
        1964,  # B. T. Polyak: Some methods of speeding up the convergence of iteration methods
        "a memory of past steps: SGD with momentum=0.9",
    ),
    Card(
        "Nesterov",
        (2, 0),
        "lr · (g + μ v)",
        "lr 0.03  μ 0.85",
        lambda w: SGD(w, lr=0.03, momentum=0.85, nesterov=True),
        1983,  # Y. Nesterov: A method of solving a convex programming problem with convergence rate O(1/k²)
        "a look ahead along the memory: SGD with nesterov=True",
    ),
    Card("Adagrad", (0, 1), "lr · g / √ sum(g²)", "lr 0.4", lambda w: Adagrad(w, lr=0.4)),
    Card("RMSprop", (1, 1), "lr · g / √ mean(g²)", "lr 0.15  α 0.9", lambda w: RMSprop(w, lr=0.15, alpha=0.9)),
    Card(
        "Adam",
        (2, 1),
        "lr · mean(g) / √ mean(g²)",
        "lr 0.3  β 0.9, 0.95",
        lambda w: Adam(w, lr=0.3, betas=(0.9, 0.95)),
    ),
    Card(
        "AdamW",
        (3, 1),
        "Adam's step + lr · λ w",
        "as Adam, λ 0.6",
        lambda w: AdamW(w, lr=0.3, betas=(0.9, 0.95), weight_decay=0.6),
    ),
)
SHOWN = {card.name for card in CARDS}

# From which card to which, and the weakness that the second one cures.
ARROWS = (
    ("SGD", "Momentum", "zigzags\nin ravines"),
    ("Momentum", "Nesterov", "overshoots"),
    ("Adagrad", "RMSprop", "steps\ndie out"),
    ("RMSprop", "Adam", "no\nmomentum"),
    ("Adam", "AdamW", "decay gets\nrescaled"),
)


def common_optimizers() -> Figure:
    """The family of the common optimizers, each with its path, and the rest of torch.optim below."""
    known = optimizers()
    figure, axes = page(
        14.2,
        9.9,
        "Each optimizer cures a weakness of one before it",
        f"The same ravine and start for all, {STEPS} steps each; settings chosen to show the character, not the speed. "
        "Formulas: w ← w − step",
    )
    for row, words in enumerate(("one step size for all weights", "one step size per weight")):
        say(axes, 0.33, ROWS[row] + CARD_HEIGHT / 2, words, 13.5, rotation=90, ha="center", color=FAINT)
    draw_arrows(axes)
    for card in CARDS:
        draw_card(axes, card, known)
    draw_legend(axes)
    draw_others(axes, known.where(lambda entry: entry.name not in SHOWN))
    return figure


def draw_card(axes: Axes, card: Card, known: Table[OptimizerEntry]) -> None:
    """Name, year, path, formula of the step, and what the optimizer adds."""
    (x, y), color = card.corner, COLORS[card.name]
    year, adds = (card.year, card.adds) if card.year else (known[card.name].year, known[card.name].adds)
    box(axes, x, y, CARD_WIDTH, CARD_HEIGHT, facecolor=color, edgecolor="none")
    box(axes, x + 0.03, y + 0.44, CARD_WIDTH - 0.06, CARD_HEIGHT - 0.47, edgecolor="none")
    say(axes, x + 0.14, y + 0.23, card.name, 17, weight="bold", color=band_ink(card.name))
    say(axes, x + CARD_WIDTH - 0.14, y + 0.23, str(year), 14, ha="right", color=band_ink(card.name))
    draw_path(card, window(axes, x + 0.1, y + 0.53, CARD_WIDTH - 0.2, 1.18))
    say(axes, x + 0.14, y + 1.92, card.step, 13)
    say(axes, x + 0.14, y + 2.11, wrapped(adds, 12, CARD_WIDTH - 0.24), 12, va="top", color=FAINT, linespacing=1.25)


def draw_path(card: Card, picture: Axes) -> None:
    """The path of one optimizer on the contour lines of the ravine."""
    draw_ravine(picture)
    color, points = COLORS[card.name], path(card.make)
    if card.name == "AdamW":
        draw_decay(picture)
    picture.plot(*points.T, "-", color=color, lw=1.6)
    picture.plot(*points.T, "o", color=color, ms=2.6)
    picture.plot(*points[0], "o", color=CARD, mec=color, mew=1.8, ms=6)
    picture.text(1.52, 1.32, card.setting, size=11, ha="right", va="center", color=INK)


def draw_decay(picture: Axes) -> None:
    """What AdamW is compared with: the path of Adam, and the point it is pulled to."""
    (adam,) = (card.make for card in CARDS if card.name == "Adam")
    picture.plot(*path(adam).T, color=COLORS["Adam"], lw=1.2)
    picture.text(1.0, -0.55, "Adam", size=11, ha="center", va="center")
    picture.plot(*ZERO, "s", color=INK, ms=5)
    picture.text(ZERO[0] - 0.2, ZERO[1] - 0.12, "w = 0", size=11, ha="right", va="center")


def draw_ravine(picture: Axes) -> None:
    """Contours of (x² + 12 y²) / 2 around its lowest point, which is marked."""
    picture.set(xlim=(-4.6, 1.65), ylim=(-1.62, 1.62), xticks=[], yticks=[], facecolor=VALLEY[0])
    for spine in picture.spines.values():
        spine.set_visible(False)
    for radius, shade in zip((4.4, 3.2, 2.1, 1.1), VALLEY[1:], strict=True):
        picture.add_patch(Ellipse((0, 0), 2 * radius, 2 * radius / np.sqrt(12), facecolor=shade))
    picture.plot(0, 0, "+", color=INK, ms=9, mew=1.8)


def draw_arrows(axes: Axes) -> None:
    """Arrows between neighbours with the weakness, and the two that join the rows."""
    corner = {card.name: card.corner for card in CARDS}
    for start, end, words in ARROWS:
        left, right, y = corner[start][0] + CARD_WIDTH, corner[end][0], corner[start][1] + CARD_HEIGHT / 2
        draw_arrow(axes, (left + 0.05, y), (right - 0.05, y), COLORS[end])
        say(axes, (left + right) / 2, y - 0.14, words, 12, ha="center", va="bottom")
    top, bottom = ROWS[0] + CARD_HEIGHT, ROWS[1]
    draw_arrow(axes, (COLUMNS[0] + 1.25, top + 0.05), (COLUMNS[0] + 1.25, bottom - 0.05), COLORS["Adagrad"])
    say(axes, COLUMNS[0] + 1.4, (top + bottom) / 2, "one size does not fit\nevery weight", 12)
    draw_arrow(axes, (COLUMNS[1] + 1.9, top + 0.05), (COLUMNS[2] + 0.6, bottom - 0.05), COLORS["Adam"])
    say(axes, COLUMNS[2] + 0.05, (top + bottom) / 2 - 0.1, "momentum joins in", 12)


def draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """A straight arrow."""
    head = "-|>,head_length=7,head_width=4"
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle=head, color=color, lw=2.4, shrinkA=0, shrinkB=0))


def draw_legend(axes: Axes) -> None:
    """What the signs of the pictures and the letters of the formulas mean."""
    x, y = COLUMNS[3], ROWS[0]
    box(axes, x, y, CARD_WIDTH, CARD_HEIGHT, edgecolor=LINE, facecolor="none", linestyle=(0, (4, 3)))
    say(axes, x + 0.15, y + 0.24, "How to read", 14, weight="bold")
    axes.plot(x + 0.32, y + 0.56, "o", color=CARD, mec=INK, mew=1.8, ms=7)
    axes.plot(x + 0.32, y + 0.85, "+", color=INK, ms=10, mew=1.8)
    letters = ("", "", "w", "g", "v", "μ", "λ", "mean")
    words = ("start", "lowest loss", "weight", "gradient", "memory", "momentum", "weight decay", "moving average")
    for line, (letter, word) in enumerate(zip(letters, words, strict=True)):
        say(axes, x + 0.32, y + 0.56 + 0.29 * line, letter, 12, ha="center", weight="bold")
        say(axes, x + 0.75, y + 0.56 + 0.29 * line, word, 12.5)


def draw_others(axes: Axes, entries: Entries) -> None:
    """The optimizers of torch without a card, oldest first, five to a line."""
    say(axes, 0.35, 7.9, "Also in torch.optim", 14, weight="bold")
    for index, entry in enumerate(entries):
        x, y = 0.35 + 2.72 * (index % 5), 8.14 + 0.84 * (index // 5)
        box(axes, x, y, 2.62, 0.76, edgecolor=LINE)
        say(axes, x + 0.1, y + 0.17, entry.name, 12.5, weight="bold")
        say(axes, x + 2.52, y + 0.17, str(entry.year), 12, color=FAINT, ha="right")
        say(axes, x + 0.1, y + 0.32, wrapped(entry.adds, 11.5, 2.44), 11.5, va="top", color=FAINT, linespacing=1.2)


# --- 01_common_parameters --------------------------------------------------------------------------------------------

ROW, TOP = 0.465, 2.47
NAME_X, WIDE_X, WIDE, NARROW = 1.0, 4.9, 1.02, 0.32
NARROW_X = WIDE_X + 5 * WIDE + 0.15
# What a parameter is for. One that a single optimizer has, and that is no household name, is listed below the grid.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "basics": ("params", "lr"),
    "memory of\nthe direction": ("momentum", "nesterov", "dampening", "betas"),
    "a step size\nper weight": ("alpha", "eps", "centered", "amsgrad"),
    "small\nweights": ("weight_decay", "decoupled_weight_decay"),
    "switches": ("maximize", "foreach", "fused", "capturable", "differentiable"),
}

FALSE_FRIENDS = {("ASGD", "alpha")}  # the name of a row, but another meaning


def common_parameters() -> Figure:
    """Which optimizer has which of the common parameters, and with which default."""
    known = optimizers()
    wide = known.where(lambda entry: entry.name in SHOWN)
    narrow = known.where(lambda entry: entry.name not in SHOWN)
    figure, axes = page(
        13.75,
        12.3,
        "The same few parameters return again and again",
        "In the cells: the default. Bold and ●: at work from the start. Pale and ○: off, or left to torch.",
    )
    draw_headings(axes, wide, narrow)
    y = TOP
    for group, names in GROUPS.items():
        draw_group(axes, y, group, names, wide, narrow)
        y += ROW * len(names) + 0.2
    draw_rest(axes, y + 0.15, known)
    return figure


def draw_group(axes: Axes, y: float, group: str, names: tuple[str, ...], wide: Entries, narrow: Entries) -> None:
    """A box around the rows that serve one purpose, with thin lines between them."""
    height = ROW * len(names)
    box(axes, 0.35, y - 0.05, 13.05, height + 0.1, edgecolor=LINE)
    say(axes, 0.65, y + height / 2, group, 11.5, rotation=90, ha="center", color=FAINT, linespacing=1.1)
    for index, name in enumerate(names):
        draw_parameter(axes, y + ROW * index, name, wide, narrow)
        if index:
            axes.plot((NAME_X, 13.25), (y + ROW * index,) * 2, color=LINE, lw=0.6)


def draw_headings(axes: Axes, wide: Entries, narrow: Entries) -> None:
    """The names above the columns: in colour where the cells show defaults, upright where they show dots."""
    for column, entry in enumerate(wide):
        x = WIDE_X + WIDE * column
        box(axes, x + 0.03, TOP - 0.57, WIDE - 0.06, 0.42, facecolor=COLORS[entry.name], edgecolor="none")
        say(axes, x + WIDE / 2, TOP - 0.36, entry.name, 12.5, ha="center", weight="bold", color=band_ink(entry.name))
    for column, entry in enumerate(narrow):
        x = NARROW_X + NARROW * (column + 0.5)
        say(axes, x, TOP - 0.15, entry.name, 12.5, ha="center", va="bottom", rotation=90)


def draw_parameter(axes: Axes, y: float, name: str, wide: Entries, narrow: Entries) -> None:
    """One row: name and meaning, a default for each of the common optimizers, a dot for each of the others."""
    middle = y + ROW / 2
    say(axes, NAME_X, middle - 0.1, name, 13.5, weight="bold")
    say(axes, NAME_X, middle + 0.11, meaning(name, wide), 11.5, color=FAINT)
    for column, entry in enumerate(wide):
        if found := parameter(entry, name):
            draw_default(axes, WIDE_X + WIDE * column, y, found, COLORS[entry.name])
    for column, entry in enumerate(narrow):
        if found := parameter(entry, name):
            inside = INK if at_work(found) else CARD
            axes.plot(NARROW_X + NARROW * (column + 0.5), middle, "o", ms=7, color=inside, mec=INK, mew=1.2)


def draw_default(axes: Axes, x: float, y: float, found: ParameterEntry, color: str) -> None:
    """One cell in the colour of its optimizer, with the default."""
    size = (WIDE - 0.06, ROW - 0.09)
    axes.add_patch(Rectangle((x + 0.03, y + 0.045), *size, facecolor=color, alpha=0.22))
    weight, ink = ("bold", INK) if at_work(found) else ("normal", FAINT)
    say(axes, x + WIDE / 2, y + ROW / 2, brief(found), 11, ha="center", weight=weight, color=ink)


def draw_rest(axes: Axes, y: float, known: Entries) -> None:
    """The parameters that have no row, by optimizer."""
    rows = {name for names in GROUPS.values() for name in names}
    own = {
        entry.name: [each.name for each in entry.parameters if each.name not in rows or not parameter(entry, each.name)]
        for entry in known
    }
    words = "  ·  ".join(f"{optimizer}: {', '.join(names)}" for optimizer, names in own.items() if names)
    say(axes, 0.35, y, "And of one optimizer alone", 13, weight="bold")
    say(axes, 0.35, y + 0.2, wrapped(words, 11.5, 12.9), 11.5, va="top", color=FAINT, linespacing=1.35)


def parameter(entry: OptimizerEntry, name: str) -> ParameterEntry | None:
    """The parameter of this optimizer with that name and the common meaning, if it has one."""
    if (entry.name, name) in FALSE_FRIENDS:
        return None
    return next((each for each in entry.parameters if each.name == name), None)


def meaning(name: str, entries: Entries) -> str:
    """The first sentence about a parameter, from the first of these optimizers that has it."""
    return next(found.summary for entry in entries if (found := parameter(entry, name)))


def at_work(found: ParameterEntry) -> bool:
    """Whether the default does something, or a value must be given."""
    return found.required or bool(found.default)


def brief(found: ParameterEntry) -> str:
    """The default in few letters."""
    return "required" if found.required else found.cell("default").strip("()")


# --- Writing ---------------------------------------------------------------------------------------------------------

FIGURES: dict[str, Callable[[], Figure]] = {
    "01_common_optimizers": common_optimizers,
    "01_common_parameters": common_parameters,
}


def svg(name: str) -> bytes:
    """The figure as an SVG that is the same on every run: letters as outlines, no date, no random ids."""
    written = BytesIO()
    with matplotlib.style.context(["default", STYLE], after_reset=True):
        FIGURES[name]().savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def main() -> None:
    """Draw every figure into this folder and say its alternative text."""
    for name in FIGURES:
        (HERE / f"{name}.svg").write_bytes(svg(name))
        print(f"images/{name}.svg\n{ALT[name]}\n")


if __name__ == "__main__":
    main()
