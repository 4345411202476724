"""What is every playground? A widget that draws in the browser, and leaves a picture where no kernel runs.

An app is settings, a pure ``render(state) -> Figure`` for the picture, and a page. The page is written in ``page/`` of
its wing; what the browser gets is the bundle of it in ``static/`` (``make pages`` builds it).

Page and kernel talk by numbered wishes. The page shows at once what the hand wants, and repeats its wishes until they
are answered; the kernel does each once, and answers with the last number, how things stand, and what it refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from course_utils.apps.common.settings import Refused

if TYPE_CHECKING:
    from course_utils.plots import Figure

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

    A saved notebook holds the picture and the text of what it shows beside the widget, so GitHub, nbconvert and a
    JupyterLab whose kernel was never started show the app as it was.
    """

    _facts = traitlets.Dict().tag(sync=True)  #: what the page must know and cannot change
    _wishes = traitlets.Dict().tag(sync=True, echo_update=False)  #: those of the hand that the page has no answer to
    _answer = traitlets.Dict().tag(sync=True)  #: the number of the last wish, what was refused, how things stand

    _heard = 0  # the number of the last wish that was done or refused
    _hearing = False  # whether wishes are being done, which are answered together
    _refused: Mapping[str, str] = {}  # words beside the control they are about

    @abstractmethod
    def figure(self) -> Figure:
        """The present state as a matplotlib Figure."""

    @abstractmethod
    def _told(self) -> Mapping[str, Any]:
        """How things stand, for the page; its settings under ``settings``."""

    @abstractmethod
    def _set(self, settings: Mapping[str, Any]) -> None:
        """Do what the hand did to some settings, or raise ``Refused``."""

    def _do(self, name: str, *given: Any) -> None:
        """Do what a button of the page says; what is unknown is nothing to do."""

    def _tell(self) -> None:
        """Answer the page, or tell it what has changed without a wish."""
        self._answer = {"number": self._heard, "refused": dict(self._refused), **self._told()}

    @traitlets.observe("_wishes")
    def _hear(self, change: Any) -> None:
        """Do every wish that was not done yet, and answer once."""
        refused: dict[str, str] = {}
        self._hearing = True
        try:
            for wish in change["new"].get("list", ()):
                if wish["number"] > self._heard:
                    refused |= self._fulfil(wish.get("do", ""), wish.get("with", ()), wish.get("set", {}))
                    self._heard = wish["number"]
        finally:
            self._hearing, self._refused = False, refused
        self._tell()

    def _fulfil(self, name: str, given: Sequence[Any], settings: Mapping[str, Any]) -> dict[str, str]:
        """Do what the hand wants, or say beside which control why not."""
        try:
            if name:
                self._do(name, *given)
            if settings:
                self._set(settings)
        except Refused as error:
            return {error.setting or next(iter(settings), "words"): str(error)}
        return {}

    def _follow(self, change: Any = None) -> None:
        """Tell the page what a cell has changed; whatever was refused before is no longer on show."""
        if not self._hearing:
            self._refused = {}
            self._tell()

    def __repr__(self) -> str:
        return f"{type(self).__name__}: run this cell to play with it"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        picture, alternative = self.figure().bundle(repr(self))
        del picture["text/html"]  # a page that prefers it to a widget would show no widget
        return {**data, **picture}, {**metadata, **alternative}
