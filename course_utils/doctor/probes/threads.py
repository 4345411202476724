"""Whose thread is this? Each thread that has opened a block is told apart from all others, and what it is amid."""

import threading
from collections import Counter
from dataclasses import dataclass
from threading import get_ident

from torch import nn

__all__ = ["THREADS", "Amid", "Threads", "strangers"]


@dataclass(slots=True)
class Amid:
    """What is under way in one thread."""

    model: nn.Module | None = None  #: that is being called from outside
    inside: bool = False  #: whether what it calls in turn is told
    scheduler: bool = False  #: a step of a scheduler: a SequentialLR steps others inside its own
    backward: bool = False  #: a pass: a checkpoint calls its part of the model again, and has passes of its own
    trial: bool = False  #: the doctor's own experiment on a copy


class Threads:
    """The threads that have opened a block. All others are one: they may work for any of these, as autograd's do."""

    def __init__(self) -> None:
        self._opened = Counter[int]()
        self._amid: dict[int | None, Amid] = {}

    def open(self) -> int:
        """This thread opens a block; its number."""
        self._opened[get_ident()] += 1
        return get_ident()

    def close(self, thread: int) -> None:
        """A block of ``thread`` is over."""
        self._opened[thread] -= 1
        if not self._opened[thread]:
            del self._opened[thread]
            self._amid.pop(thread, None)

    def here(self) -> int | None:
        """The number of this thread if it has opened a block, else None."""
        number = get_ident()
        return number if number in self._opened else None

    def amid(self) -> Amid:
        """What is under way in this thread."""
        here = self.here()
        return self._amid.get(here) or self._amid.setdefault(here, Amid())

    def passing(self) -> bool:
        """Whether a backward pass is under way here, or anywhere if this thread may be working for it."""
        return any(amid.backward for amid in self._concerned())

    def trying(self) -> bool:
        """Whether an experiment of the doctor is under way here, or anywhere if this thread may be working for it."""
        return any(amid.trial for amid in self._concerned())

    def _concerned(self) -> tuple[Amid, ...]:
        return tuple(self._amid.values()) if self.here() is None else (self.amid(),)


THREADS = Threads()


def strangers() -> frozenset[int | None]:
    """The other threads that Python has started by now: what they train is not this thread's."""
    others = [thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)]
    return frozenset(thread.ident for thread in others) - {get_ident()}
