"""How does a report look in a notebook? A strip of the first steps, and a card for each finding."""

from collections.abc import Sequence
from html import escape

from course_utils.doctor.finding import Finding

__all__ = ["page"]

# Paul Tol's "bright" scheme, safe for colour-blind readers; each with the colour of the letter on it.
# Source: P. Tol, Colour schemes, 2021.
_EVENTS = {
    "Z": ("zero_grad", "#BBBBBB", "#000000"),
    "F": ("forward", "#4477AA", "#FFFFFF"),
    "L": ("loss", "#66CCEE", "#000000"),
    "B": ("backward", "#AA3377", "#FFFFFF"),
    "S": ("optimizer step", "#228833", "#FFFFFF"),
    "C": ("scheduler step", "#CCBB44", "#000000"),
}
_SEVERITIES = {"error": ("✕", "#CC3311"), "warning": ("!", "#B86E00"), "note": ("i", "#0077BB")}
_HEALTHY = "#228833"

# Text takes the colour of the theme; surfaces are a veil over whatever lies below: readable on light and on dark.
_STYLE = """<style>
.doctor{font-family:system-ui,sans-serif;font-size:15px;line-height:1.5;max-width:62em;color:inherit}
.doctor b,.doctor h4{font-weight:600}
.doctor .head{font-size:18px;font-weight:600;margin:4px 0 10px;border-left:6px solid;padding-left:10px}
.doctor .strip{display:flex;flex-wrap:wrap;gap:3px;align-items:center;margin:6px 0}
.doctor .cell{display:inline-block;min-width:22px;text-align:center;border-radius:4px;padding:2px 4px;
 font:600 14px ui-monospace,monospace}
.doctor .bar{display:inline-block;width:2px;height:26px;margin:0 5px;background:rgba(128,128,128,.7)}
.doctor .legend{font-size:13px;gap:4px 12px}
.doctor .card{border:1px solid rgba(128,128,128,.45);border-left:6px solid;border-radius:6px;padding:8px 14px;
 margin:10px 0;background:rgba(128,128,128,.07)}
.doctor .card h4{font-size:16px;margin:0 0 6px}
.doctor .badge{display:inline-block;border-radius:4px;padding:0 8px;margin-right:8px;color:#fff;font-size:13px}
.doctor .card p{margin:4px 0}
.doctor pre{margin:4px 0;padding:8px 10px;border-radius:4px;background:rgba(128,128,128,.16);color:inherit;
 overflow-x:auto;font:13.5px/1.45 ui-monospace,monospace}
.doctor code{background:none;color:inherit}
.doctor a{color:inherit;text-decoration:underline}
</style>"""


def page(headline: str, *, strip: str, findings: Sequence[Finding], remarks: Sequence[str]) -> str:
    """A report as HTML that stands by itself and takes the colours of its surroundings.

    Args:
        headline: what was observed, in one line.
        strip: a letter for each event of the first steps.
        findings: the most severe first.
        remarks: sentences that go below.
    """
    color = _SEVERITIES[findings[0].severity][1] if findings else _HEALTHY
    parts = [
        f'<div class="head" style="border-color:{color}">{escape(headline)}</div>',
        _strip(strip),
        *map(_card, findings),
        *(f"<p>{escape(remark)}</p>" for remark in remarks),
    ]
    return f'{_STYLE}<div class="doctor">{"".join(parts)}</div>'


def _strip(letters: str) -> str:
    """What happened in the first steps, a coloured letter each, with a bar after every step of an optimizer."""
    if not letters:
        return ""
    bar = '<span class="bar"></span>'
    cells = "".join(_cell(letter) + (bar if letter == "S" else "") for letter in letters)
    shown = [letter for letter in _EVENTS if letter in letters]
    legend = "".join(f"<span>{_cell(letter)} {_EVENTS[letter][0]}</span>" for letter in shown)
    said = " ".join(_EVENTS[letter][0] for letter in letters)
    return (
        f'<div>First steps, in order:</div><div class="strip" role="img" aria-label="{said}">{cells}</div>'
        f'<div class="strip legend">{legend}</div>'
    )


def _cell(letter: str) -> str:
    name, background, ink = _EVENTS[letter]
    return f'<span class="cell" title="{name}" style="background:{background};color:{ink}">{letter}</span>'


def _card(finding: Finding) -> str:
    sign, color = _SEVERITIES[finding.severity]
    notebook, _, section = finding.lesson.partition(", ")
    return (
        f'<div class="card" style="border-left-color:{color}">'
        f'<h4><span class="badge" style="background:{color}">{sign} {finding.severity}</span>'
        f"{escape(finding.title)}</h4>"
        f"<p><b>Cause:</b> <code>{finding.name}</code></p>"
        f"<p><b>Seen in this run:</b> {escape(finding.seen.rstrip('.'))}.</p>"
        f"<p><b>Why it hurts:</b> {escape(finding.why)}</p><p><b>Fix:</b></p><pre>{escape(finding.fix)}</pre>"
        f'<p><b>Lesson:</b> <a href="{notebook}">{notebook}</a>, {section}</p></div>'
    )
