"""Who listens? Passes each event to all observers, and keeps torch observed as long as there is one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Lock, get_ident
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes

from course_utils.doctor.events import Event
from course_utils.doctor.probes.install import install
from course_utils.doctor.probes.threads import THREADS, strangers

__all__ = ["HUB", "Hub", "Listener"]


class Listener(Protocol):
    """Whoever hears of events."""

    open: bool  #: whether it wants to hear more

    def hear(self, event: Event) -> None:
        """Something has happened."""

    def looks_inside(self, model: nn.Module) -> bool:
        """Whether it wants to hear of the modules that ``model`` calls, too."""

    def stumbled(self, error: Exception) -> None:
        """``hear`` has raised ``error``."""


class _Place(NamedTuple):
    """Where an observer listens."""

    observer: Listener
    thread: int  #: that has opened the block
    strangers: frozenset[int | None]  #: threads that were there before it


class Hub:
    """The observers of this process. There is one hub, because there is one torch to observe."""

    def __init__(self) -> None:
        self._observers: list[_Place] = []
        self._installed = ExitStack()
        self._changing = Lock()

    def enter(self, observer: Listener) -> None:
        """Let ``observer`` hear from now on of all that happens in this thread, and in those that may work for it."""
        with self._changing:
            if not self._observers:
                with ExitStack() as stack:  # undone at once if one of the probes cannot be installed
                    install(stack, self.tell, self._looks_inside)
                    self._installed = stack.pop_all()
            self._observers.append(_Place(observer, THREADS.open(), strangers()))

    def leave(self, observer: Listener) -> None:
        """Let ``observer`` hear no more; after the last one torch is as it was."""
        with self._changing:
            for place in [place for place in self._observers if place.observer is observer]:
                THREADS.close(place.thread)
            self._observers = [place for place in self._observers if place.observer is not observer]
            if not self._observers:
                self._installed.close()

    @contextmanager
    def muted(self) -> Iterator[None]:
        """A block of which no observer hears: what the doctor itself tries out on a copy."""
        amid = THREADS.amid()
        before, amid.trial = amid.trial, True
        try:
            yield
        finally:
            amid.trial = before

    def _listeners(self) -> list[Listener]:
        """Who hears of what happens in this thread."""
        here, number = THREADS.here(), get_ident()
        places = [place for place in self._observers if here in (None, place.thread) and number not in place.strangers]
        return [place.observer for place in places if place.observer.open]

    def _looks_inside(self, model: nn.Module) -> bool:
        return any(observer.looks_inside(model) for observer in self._listeners())

    def tell(self, event: Event) -> None:
        """Report ``event`` to all observers. One that fails is closed and says so in its report."""
        for observer in () if THREADS.trying() or _transformed() else self._listeners():
            try:
                with torch.no_grad(), _unobserved():
                    observer.hear(event)
            except Exception as error:  # the training must not suffer from an error of the doctor
                observer.stumbled(error)


def _unobserved() -> AbstractContextManager[Any]:
    """A block whose operations no mode of torch sees, such as one that counts them."""
    return _disable_current_modes() if torch._C._len_torch_dispatch_stack() else nullcontext()


def _transformed() -> bool:
    """Whether torch is being traced, or inside ``vmap`` and its kind: then what is called has no numbers of its own."""
    return torch._C._get_tracing_state() is not None or torch._C._functorch.peek_interpreter_stack() is not None


HUB = Hub()
