"""Where do the batches come from? What a dataset says about itself, and which loader is being read."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader

from course_utils.doctor.recording import DataSource
from course_utils.doctor.registry import Registry
from course_utils.reading import Source

__all__ = ["Sources"]

_TEST_NAMES = ("test", "testing", "val", "valid", "validation", "eval", "holdout")
_MARKS = ("split", "name", "mode", "subset", "partition", "phase", "stage", "image_set")


class Sources:
    """The loaders seen so far; ``active`` is the number of the one that gave the latest batch."""

    def __init__(self) -> None:
        self._loaders = Registry()
        self._datasets = Registry()
        self._facts: list[DataSource] = []
        self._passes: dict[int, int] = {}  # by the address of an iterator; a later one may overwrite it
        self.active: int | None = None

    def begin(self, loader: Source, iterator: Any) -> None:
        """A pass over ``loader`` begins; ``iterator`` will give its batches."""
        number = self._loaders.number(loader)
        if number == len(self._facts):
            self._facts.append(self._describe(loader, number))
        facts = self._facts[number]
        self._facts[number] = replace(facts, epochs=facts.epochs + 1)
        self._passes[id(iterator)] = number

    def read(self, iterator: Any) -> None:
        """``iterator`` has given a batch."""
        self.active = self._passes.get(id(iterator))

    def facts(self) -> tuple[DataSource, ...]:
        """Everything known of each source."""
        return tuple(self._facts)

    def _describe(self, loader: Source, number: int) -> DataSource:
        dataset, batch_size = loader.dataset, loader.batch_size
        images = _length(dataset)
        split, mark = _split_of(dataset)
        incomplete = images % batch_size if images and batch_size and not loader.drop_last else 0
        return DataSource(
            number=number,
            kind=type(loader).__name__,
            dataset=self._datasets.number(dataset),
            split=split,
            mark=mark,
            batches=_length(loader),
            epochs=0,
            batch_size=batch_size,
            last_batch=incomplete or None,
            drop_last=loader.drop_last,
        )


def _length(thing: Any) -> int | None:
    try:
        return len(thing)
    except (TypeError, NotImplementedError):  # an IterableDataset has no length
        return None


def _split_of(dataset: Any) -> tuple[str | None, str]:
    """The split that ``dataset``, or the one it wraps, says it belongs to, and how it says so."""
    for inner in _unwrapped(dataset):
        kind = type(inner).__name__
        train = getattr(inner, "train", None)
        if isinstance(train, bool):
            return ("train" if train else "test"), f"{kind}(train={train})"
        for mark in _MARKS:
            value = getattr(inner, mark, None)
            if isinstance(value, str) and value.lower() in ("train", "training", *_TEST_NAMES):
                return ("test" if value.lower() in _TEST_NAMES else "train"), f'{kind} with {mark}="{value}"'
    return None, ""


def _unwrapped(dataset: Any) -> Iterator[Any]:
    """``dataset`` and whatever datasets it wraps, as Subset, ConcatDataset or a wrapper of one's own does."""
    todo, seen = [dataset], set[int]()
    while todo and len(seen) < 20:
        inner = todo.pop(0)
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        for value in getattr(inner, "__dict__", {}).values():
            several = value if isinstance(value, (list, tuple)) and len(value) < 10 else [value]
            todo += [one for one in several if _like_a_dataset(one)]


def _like_a_dataset(value: Any) -> bool:
    has_items = hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__")
    return (
        has_items and hasattr(value, "__dict__") and not hasattr(value, "dtype") and not isinstance(value, DataLoader)
    )
