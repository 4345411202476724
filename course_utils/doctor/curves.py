"""How do two curves of losses look? A small picture that stands by itself, and says in words what it shows."""

import math
from collections.abc import Sequence
from html import escape

from course_utils.doctor.words import number

__all__ = ["picture"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 430, 190, 62, 34
# Paul Tol's "vibrant" and "bright" schemes, safe for colour-blind readers; the dashes part them without colour.
_WITHOUT, _CURED = "#CC3311", "#228833"


def picture(without: Sequence[float], cured: Sequence[float], *, said: str) -> str:
    """Two curves over backward passes as HTML with an inline SVG, in the colours of its surroundings.

    Args:
        without: losses without the cure; numbers that are not finite end the curve with a cross.
        cured: losses with it.
        said: the picture's message in words, shown below and read to who cannot see it.
    """
    finite = [value for value in (*without, *cured) if math.isfinite(value)]
    caption = f'<p style="margin:4px 0">{escape(said)}</p>'
    if not cured or not finite:
        return f'<div style="font-family:system-ui,sans-serif">{caption}</div>'
    low, high = min(finite), max(finite)
    logs = low > 0 and high > 50 * low
    ends = (math.log(low), math.log(high)) if logs else (low, high)
    drawn = _axes(low, high, len(cured), logs=logs)
    drawn += _curve(without, ends, logs=logs, color=_WITHOUT, dashes=' stroke-dasharray="6 4"')
    drawn += _curve(cured, ends, logs=logs, color=_CURED, dashes="")
    return (
        f'<div style="font-family:system-ui,sans-serif;max-width:{_WIDTH}px">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" aria-label="{escape(said)}" '
        f'font-size="12" fill="currentColor">{drawn}{_legend()}</svg>{caption}</div>'
    )


def _axes(low: float, high: float, passes: int, *, logs: bool) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - 8
    kind = "loss, log scale" if logs else "loss"
    return (
        f'<path d="M{_LEFT} 22V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
        f'<text x="{_LEFT - 4}" y="30" text-anchor="end">{number(high)}</text>'
        f'<text x="{_LEFT - 4}" y="{bottom}" text-anchor="end">{number(low)}</text>'
        f'<text x="2" y="12">{kind}</text><text x="{_LEFT}" y="{bottom + 16}">1</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{passes}</text>'
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{bottom + 28}" text-anchor="middle">backward passes</text>'
    )


def _legend() -> str:
    entries = ((_WITHOUT, ' stroke-dasharray="6 4"', "as it is", 170), (_CURED, "", "with the cure", 290))
    return "".join(
        f'<path d="M{x} 8h26" stroke="{color}" stroke-width="2.5"{dashes}/><text x="{x + 32}" y="12">{name}</text>'
        for color, dashes, name, x in entries
    )


def _curve(losses: Sequence[float], ends: tuple[float, float], *, logs: bool, color: str, dashes: str) -> str:
    points = []
    for index, loss in enumerate(losses):
        if not math.isfinite(loss):
            break
        points.append(_point(index / max(1, len(losses) - 1), math.log(loss) if logs else loss, ends))
    line = " ".join(points)
    drawn = f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2.5"{dashes}/>'
    if points and len(points) < len(losses):
        x, y = points[-1].split(",")
        drawn += f'<text x="{x}" y="{y}" fill="{color}" font-weight="700">✕</text>'
    return drawn


def _point(share: float, height: float, ends: tuple[float, float]) -> str:
    """A place in the picture: ``share`` of the way to the right, and as high as ``height`` lies between ``ends``."""
    bottom, right = _HEIGHT - _BOTTOM - 2, _WIDTH - 8
    part = (height - ends[0]) / ((ends[1] - ends[0]) or 1.0)
    return f"{_LEFT + share * (right - _LEFT):.1f},{bottom - part * (bottom - 24):.1f}"
