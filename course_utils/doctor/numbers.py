"""How are numbers read without slowing the loop? Later: they stay on the device until many are read at once."""

import torch
from torch import Tensor

from course_utils.doctor.record import Measure

__all__ = ["Ledger"]

_FLUSH_AT = 512


class Ledger:
    """Collects small tensors of measured numbers and reads them together, so that the device is rarely waited for."""

    def __init__(self) -> None:
        self._read: list[Measure] = []
        self._unread: list[tuple[str, str, int, Tensor]] = []

    def note(self, kind: str, of: str, step: int, values: Tensor) -> None:
        """Remember ``values``, a tensor of its own (no view, no graph) with a few numbers."""
        self._unread.append((kind, of, step, values))
        if len(self._unread) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Read all that is unread, with one transfer for each device."""
        by_device: dict[torch.device, list[int]] = {}
        for index, (_, _, _, values) in enumerate(self._unread):
            by_device.setdefault(values.device, []).append(index)
        read: dict[int, tuple[float, ...]] = {}
        for indices in by_device.values():
            read |= self._transfer(indices)
        self._read += [Measure(kind, of, step, read[i]) for i, (kind, of, step, _) in enumerate(self._unread)]
        self._unread.clear()

    def measures(self) -> tuple[Measure, ...]:
        """Everything noted so far, in order."""
        self.flush()
        return tuple(self._read)

    def _transfer(self, indices: list[int]) -> dict[int, tuple[float, ...]]:
        flat = [self._unread[index][3].reshape(-1) for index in indices]
        numbers = torch.cat([values.double() for values in flat]).tolist()
        read, start = {}, 0
        for index, values in zip(indices, flat, strict=True):
            read[index] = tuple(numbers[start : start + len(values)])
            start += len(values)
        return read
