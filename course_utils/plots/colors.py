"""Which colour and which second sign stand for a name? The same ones in every figure of the course."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from course_utils.algorithms import ALGORITHMS
from course_utils.plots.arguments import Array

__all__ = [
    "COLORS",
    "DASHES",
    "GRID",
    "INK",
    "MARKERS",
    "OTHERS",
    "PALE_INK",
    "RIGHT",
    "STAR",
    "WRONG",
    "Look",
    "algorithm_of",
    "looks_of",
    "marker_size",
    "readable",
]

# One colour and one marker per algorithm, everywhere, so that the lines differ in print and to every eye.
COLORS: dict[str, str] = {name: algorithm.color for name, algorithm in ALGORITHMS.items()}
MARKERS: dict[str, str] = {name: algorithm.marker for name, algorithm in ALGORITHMS.items()}
# Whatever is no algorithm takes a colour that no algorithm has. Source: P. Tol, Colour schemes, 2021, "muted".
OTHERS = ("#332288", "#CC6677", "#117733", "#882255", "#999933", "#44AA99", "#AA4499")
_OTHER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 3)))
RIGHT, WRONG = "#117733", "#882255"
INK, PALE_INK, GRID = "#222222", "#666666", "#E4E4E4"
STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 19,
    "color": "#FFD23F",
    "markeredgecolor": "black",
    "linestyle": "none",
    "zorder": 6,
    "clip_on": False,
}


@dataclass(frozen=True)
class Look:
    """How one name is drawn: its colour, its marker and the dash of its line."""

    color: str
    marker: str
    dash: Any


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """One look per name: the colour of its algorithm, or one that no algorithm has; darker and dashed on repeats."""
    looks: dict[str, Look] = {}
    used: Counter[str] = Counter()
    others = itertools.cycle(zip(OTHERS, _OTHER_MARKERS, strict=True))
    for name in dict.fromkeys(names):
        algorithm = algorithm_of(name)
        color, marker = (COLORS[algorithm], MARKERS[algorithm]) if algorithm else next(others)
        repeat = used[color]
        used[color] += 1
        looks[name] = Look(_shade(color, repeat), marker, DASHES[repeat % len(DASHES)])
    return looks


def _shade(color: str, repeat: int) -> str:
    """The colour, darker at each repeat; black, which cannot be darker, is lighter."""
    share = 0.6 ** (repeat % len(DASHES))
    red, green, blue = (share * part if any(to_rgb(color)) else 1 - max(share, 0.3) for part in to_rgb(color))
    return to_hex((red, green, blue)) if repeat else color


def algorithm_of(name: str) -> str | None:
    """The algorithm with which a name begins, as a whole word: "Adam, lr 0.1" but not "Adamax"."""
    word = re.split(r"\W", name, maxsplit=1)[0]
    return word if word in COLORS else None


def marker_size(marker: str, points: float) -> float:
    """The size at which a marker looks as large as a dot of ``points``: crosses cover less of their square."""
    return 1.3 * points if marker in ("P", "X") else points


def readable(color: str) -> str:
    """The colour, darkened until text in it has the contrast of 4.5 to white that WCAG 2.1 asks for."""
    rgb = np.array(to_rgb(color))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.95
    return to_hex(rgb.tolist())


def _luminance(rgb: Array) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
