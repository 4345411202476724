"""How are numbers read without slowing the loop? Later: they stay on the device until many are read at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_utils.doctor.measures import Measure, Owner
from course_utils.doctor.values import wide

__all__ = ["Ledger", "Note"]

_FLUSH_AT = 512


class Note(NamedTuple):
    """A measurement whose numbers are not read yet."""

    kind: type[Measure]
    of: Owner
    step: int
    values: Mapping[str, Tensor]  #: by the fields of ``kind``: 0-d, or 1-d for several numbers; no view, no graph


class Ledger:
    """Collects small tensors of measured numbers and reads them together, so that the device is rarely waited for."""

    def __init__(self) -> None:
        self._read: list[Measure] = []
        self._unread: list[Note] = []

    def add(self, note: Note) -> None:
        """Remember ``note``."""
        self._unread.append(note)
        if len(self._unread) >= _FLUSH_AT:
            self._flush()

    def measures(self) -> tuple[Measure, ...]:
        """Everything noted so far, in order."""
        self._flush()
        return tuple(self._read)

    def _flush(self) -> None:
        """Read all that is unread, with one transfer for each device and kind of number."""
        notes, self._unread = self._unread, []
        numbers = iter(_numbers([value for note in notes for value in note.values.values()]))
        for kind, of, step, values in notes:
            fields: dict[str, Any] = {name: next(numbers) for name in values}
            self._read.append(kind(of=of, step=step, **fields))


def _numbers(tensors: Sequence[Tensor]) -> list[float | tuple[float, ...]]:
    """What ``tensors`` hold, of any devices and kinds."""
    read: list[float | tuple[float, ...]] = [()] * len(tensors)
    kinds = [(tensor.device, tensor.dtype) for tensor in tensors]
    for kind in set(kinds):
        there = [index for index, other in enumerate(kinds) if other == kind]
        flat = wide(torch.cat([tensors[index].reshape(-1) for index in there])).tolist()
        for index, some in zip(there, _cut(flat, [tensors[index].numel() for index in there]), strict=True):
            read[index] = some if tensors[index].dim() else some[0]
    return read


def _cut(numbers: list[float], lengths: Sequence[int]) -> Iterator[tuple[float, ...]]:
    """``numbers`` in pieces of these lengths."""
    start = 0
    for length in lengths:
        yield tuple(numbers[start : start + length])
        start += length
