"""What is every playground? A widget that draws in the browser, and leaves a picture where no kernel runs.

An app is settings (checked traits), a pure ``render(state) -> Figure`` for the picture, and a page. The page is written
in ``page/`` of its wing; what the browser gets is the bundle of it in ``static/`` (``make pages`` builds it).
"""

from __future__ import annotations

import base64
import io
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["STATIC", "App", "page"]

STATIC = Path(__file__).parent.parent / "static"


def page(wing: str) -> tuple[str, str]:
    """Script and style sheet of a wing's page, as they were bundled.

    Raises:
        FileNotFoundError: there is no such page.
    """
    script, sheet = ((STATIC / f"{wing}.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    return script, sheet


class App(anywidget.AnyWidget):
    """The base of every app: its page in ``_esm`` and ``_css``, its picture from ``figure``.

    A saved notebook holds the picture and one constant line of text beside the widget, so GitHub, nbconvert and a
    JupyterLab whose kernel was never started show the app as it was.
    """

    @abstractmethod
    def figure(self) -> Figure:
        """The present state as a matplotlib Figure."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}: run this cell to play with it"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/plain": repr(self), "image/png": _png(self.figure())}, metadata


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()
