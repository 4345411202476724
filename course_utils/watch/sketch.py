"""How does a curve look while it still grows? A drawing as SVG, in a hundredth of the time that matplotlib takes.

It has the size and the places of the picture by ``course_utils.plots`` that replaces it at the end.
"""

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

__all__ = ["sketch"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 91, 805, 55, 430  # of the axes, in pixels of the page
_MOST_POINTS = 400  # a line is no longer than 714 pixels
_TITLE_LINE = 28
_PAGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="880" height="{height}" viewBox="0 0 880 {height}" role="img" '
    'aria-label="{label}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="20" fill="{ink}">'
    '<rect width="880" height="{height}" fill="white"/>{title}'
    '<g transform="translate(0 {down})">{axes}{lines}</g></svg>'
)


def sketch(losses: Sequence[float], smoothed: Sequence[float], *, title: str, first: int, steps: int) -> str:
    """The loss of every step so far, pale, and its moving average, strong, on an axis with room for all ``steps``.

    Args:
        losses: of the steps from ``first`` on; one that is no finite number is left out.
        smoothed: as many.
        title: what is seen.
        first: number of the first step drawn.
        steps: number of the step after the last one of the run.
    """
    from course_utils.plots.colors import INK, OTHERS

    stride = max(1, len(losses) // _MOST_POINTS)
    low, high = _range(losses)
    places = _Places(first, max(steps - 1, first + 1), low, high)
    xs = range(first, first + len(losses), stride)
    lines = "".join(
        f'<path d="{places.path(xs, values[::stride])}" fill="none" stroke="{OTHERS[0]}" {style}/>'
        for values, style in (
            (losses, 'stroke-width="1.5" opacity="0.3"'),
            (smoothed, 'stroke-width="3.4" stroke-linejoin="round" stroke-linecap="round"'),
        )
    )
    words, heading = _heading(title)
    down = _TITLE_LINE * (len(words) - 1)
    return _PAGE.format(
        height=495 + down, label=" ".join(words), ink=INK, title=heading, down=down, axes=_axes(places), lines=lines
    )


def _heading(title: str) -> tuple[list[str], str]:
    """The lines of the title, fit to stand in XML, and the drawing of them."""
    from course_utils.plots.frame import balanced

    lines = [escape(line, {'"': "&quot;"}) for line in balanced(title).splitlines()]
    texts = (
        f'<text x="11" y="{30 + _TITLE_LINE * k}" font-size="23" font-weight="bold">{line}</text>'
        for k, line in enumerate(lines)
    )
    return lines, "".join(texts)


class _Places:
    """From steps and losses to pixels."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, step: float) -> float:
        return _LEFT + 10 + (_RIGHT - _LEFT - 20) * (step - self.first) / (self.last - self.first)

    def y(self, loss: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (loss - self.low) / (self.high - self.low)

    def path(self, steps: Iterable[int], losses: Iterable[float]) -> str:
        points = [f"{self.x(k):.1f} {self.y(loss):.1f}" for k, loss in zip(steps, losses, strict=True) if _finite(loss)]
        return "M" + "L".join(points) if points else ""


def _finite(loss: float) -> bool:
    return math.isfinite(loss) and abs(loss) < 1e30  # beyond, the differences of two losses may overflow


def _range(losses: Iterable[float]) -> tuple[float, float]:
    """Lowest and highest height shown: a margin of 7 % around the losses, and some height even if all are equal."""
    finite = [loss for loss in losses if _finite(loss)] or [0.0]
    low, high = min(finite), max(finite)
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def _axes(places: _Places) -> str:
    """The two axes with their names and numbers, and a pale line at each height that has a number."""
    from course_utils.plots.colors import GRID

    heights = [(places.y(tick), text) for tick, text in _ticks(places.low, places.high)]
    columns = [(places.x(tick), text) for tick, text in _ticks(places.first, places.last) if "." not in text]
    return "".join(
        [
            *(f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{GRID}"/>' for y, _ in heights),
            *(f'<text x="{_LEFT - 11}" y="{y + 7:.1f}" text-anchor="end">{text}</text>' for y, text in heights),
            *(f'<text x="{x:.1f}" y="{_BOTTOM + 27}" text-anchor="middle">{text}</text>' for x, text in columns),
            f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#999999"/>',
            f'<text x="{(_LEFT + _RIGHT) / 2}" y="481" text-anchor="middle">step (updates)</text>',
            f'<text transform="translate(24 {(_TOP + _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
            "cross-entropy loss (nats)</text>",
        ]
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """At most seven round numbers from ``low`` to ``high``, as a reader writes them."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    texts = [f"{tick:.6g}" for tick in ticks]
    digits = max(len(text.partition(".")[2]) for text in texts) if not any("e" in text for text in texts) else 0
    return [
        (float(tick), f"{tick:.{digits}f}" if digits else text)
        for tick, text in zip(ticks, texts, strict=True)
        if low <= tick <= high
    ]
