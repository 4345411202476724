"""Which loader gives these batches? What a loader shows to whoever follows it, as torch's DataLoader does."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

__all__ = ["Readable", "Source"]

Batch = TypeVar("Batch")


class Source(Protocol):
    """What is known of a loader: torch's ``DataLoader`` has all this, too. It may have a length, in batches."""

    batch_size: int | None
    drop_last: bool

    @property
    def dataset(self) -> object:
        """Where the images come from; it may have a length, and say which split it is."""


class Readable:
    """A ``Source`` that hands every pass over its data through ``passing``, where the doctor can follow it."""

    def passing(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """``batches``, as they are."""
        return batches
