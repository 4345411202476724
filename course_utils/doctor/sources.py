"""Where do the batches come from? What a dataset says about itself, and which loader is being read."""

from collections.abc import Iterator
from dataclasses import replace
from types import CodeType
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler

from course_utils.doctor.recording import DataSource
from course_utils.doctor.registry import Registry
from course_utils.reading import Source

__all__ = ["Sources"]

_TEST_NAMES = ("test", "testing", "val", "valid", "validation", "eval", "holdout")
_READING = ("__getitem__", "__getitems__", "__iter__", "__call__", "forward")
_GENERATORS = ("RandomState", "Generator", "Random")  # of numpy, torch and the standard library
_MARKS = ("split", "name", "mode", "subset", "partition", "phase", "stage", "image_set")


class Sources:
    """The loaders seen so far; ``active`` is the number of the one that gave the latest batch."""

    def __init__(self) -> None:
        self._loaders = Registry()
        self._datasets = Registry()
        self._facts: list[DataSource] = []
        self._versions: dict[int, int] = {}
        self._passes: dict[int, int] = {}  # by the address of an iterator; a later one may overwrite it
        self.active: int | None = None

    def begin(self, loader: Source, iterator: Any) -> None:
        """A pass over ``loader`` begins; ``iterator`` will give its batches."""
        number = self._loaders.number(loader)
        if number == len(self._facts):
            self._facts.append(self._describe(loader, number))
        facts = self._facts[number]
        epoch, versions = _epoch(loader), _versions(loader.dataset)
        before = self._versions.get(number)
        self._versions[number] = versions
        self._facts[number] = replace(
            facts,
            epochs=facts.epochs + 1,
            epochs_set=(*facts.epochs_set, *epoch),
            changes=facts.changes if before is None else (*facts.changes, versions - before),
        )
        self._passes[id(iterator)] = number

    def read(self, iterator: Any) -> None:
        """``iterator`` has given a batch."""
        self.active = self._passes.get(id(iterator))
        if self.active is not None:
            facts = self._facts[self.active]
            self._facts[self.active] = replace(facts, reads=facts.reads + 1)

    def end(self) -> None:
        """The batch is used up, or the pass is over."""
        self.active = None

    @property
    def batch_size(self) -> int | None:
        """The batch size of the source that gave the latest batch."""
        return None if self.active is None else self._facts[self.active].batch_size

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
            workers=int(getattr(loader, "num_workers", 0) or 0),
            random=tuple(_generators(dataset)),
            shuffles=isinstance(getattr(loader, "sampler", None), RandomSampler),
            reseeded=getattr(loader, "worker_init_fn", None) is not None,
        )


def _length(thing: Any) -> int | None:
    try:
        return len(thing)
    except (TypeError, NotImplementedError):  # an IterableDataset has no length
        return None


def _epoch(loader: Any) -> tuple[int, ...]:
    """The epoch that a sampler with ``set_epoch`` shuffles for."""
    for sampler in (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
        epoch = getattr(sampler, "epoch", None)
        if hasattr(type(sampler), "set_epoch") and isinstance(epoch, int) and getattr(sampler, "shuffle", True):
            return (epoch,)
    return ()


def _versions(dataset: Any) -> int:
    """A number that grows with every change in place of the tensors that ``dataset`` holds."""
    found = 0
    for inner in _unwrapped(dataset):
        for value in getattr(inner, "__dict__", {}).values():
            several = value if isinstance(value, (list, tuple)) and len(value) < 10 else [value]
            found += sum(one._version for one in several if isinstance(one, Tensor) and not one.is_inference())
    return found


def _generators(dataset: Any) -> Iterator[str]:
    """Names of the random generators that ``dataset``, or what it holds, uses when an item is read."""
    for inner in _unwrapped(dataset):
        for holder in (inner, *getattr(inner, "__dict__", {}).values()):
            used = _names_used(type(holder))
            for name, value in getattr(holder, "__dict__", {}).items():
                if name in used and type(value).__name__ in _GENERATORS:
                    yield f"{type(holder).__name__}.{name}"


def _names_used(kind: type) -> set[str]:
    """The names that come up when an item of ``kind`` is read, or a transform called; in methods called there, too."""
    used, todo = set[str](), [getattr(kind, name, None) for name in _READING]
    while todo:
        thing = todo.pop()
        code = getattr(thing, "__code__", thing)
        if isinstance(code, CodeType):
            new = set(code.co_names) - used
            used |= new
            todo += [*code.co_consts, *(getattr(kind, name, None) for name in new)]
    return used


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
