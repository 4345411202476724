"""What do all apps share? A widget that draws in the browser, and leaves a picture where no kernel runs.

An app is settings (checked traits), a pure ``render(state) -> Figure`` for the picture, and wiring in JavaScript.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["STATIC", "App", "joined", "style"]

STATIC = Path(__file__).parent / "static"
_IMPORT = re.compile(r"^import\s[^;]*?\sfrom\s+\"\./[\w.]+\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const |class )", re.MULTILINE)


class App(anywidget.AnyWidget):
    """The base of every app: its page in ``_esm`` and ``_css``, its picture from ``figure``.

    A saved notebook holds the picture and the text of what it shows beside the widget, so GitHub, nbconvert and a
    JupyterLab whose kernel was never started show the app as it was.
    """

    @abstractmethod
    def figure(self) -> Figure:
        """The present state as a matplotlib Figure."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}: run this cell to play with it"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        picture, alternative = self.figure().bundle(repr(self))
        del picture["text/html"]  # a page that prefers it to a widget would show no widget
        return {**data, **picture}, {**metadata, **alternative}


def joined(*names: str) -> str:
    """JavaScript modules of ``static/`` as the one module that a widget may have, each after those it imports.

    The modules share one scope: imports from each other fall away, and only the last one exports. Two modules
    must not declare the same name; the browser refuses that as a syntax error, which a test would meet.

    Raises:
        FileNotFoundError: there is no such module.
    """
    *parts, last = ((STATIC / name).read_text(encoding="utf-8") for name in names)
    return "\n".join([*(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts), _IMPORT.sub("", last)])


def style(*names: str) -> str:
    """Style sheets of ``static/`` as one.

    Raises:
        FileNotFoundError: there is no such sheet.
    """
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
