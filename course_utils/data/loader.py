"""In which order do the images reach the network? In batches cut from memory, in an order set by (seed, epoch)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from course_utils.arguments import a_switch, a_whole_number, an_instance
from course_utils.data.split import Split
from course_utils.devices import pick_device
from course_utils.reading import Readable
from course_utils.seeding import a_seed, generator

__all__ = ["Loader"]

_a_split = an_instance(Split, example="load_images()")
_a_count = a_whole_number(1, example=64)
_a_switch = a_switch()


class Loader(Readable):
    """Batches ``(images, labels)`` of a split, as ``DataLoader`` with ``ToTensor`` gives them, but cut from memory.

    ``images`` is float32 ``(batch, 3, 32, 32)`` from 0 to 1 in channels_last memory, ``labels`` int64 ``(batch,)``.
    A ``for`` loop over the loader is one epoch, and the next loop is the next epoch in another order;
    ``batches(epoch)`` is a chosen epoch. The order depends on ``(seed, epoch)`` alone. The last batch of an epoch is
    smaller where the images do not divide evenly, or left out with ``drop_last``.

    The images stay uint8 and are not copied, unless they must move to another ``device``.

    Raises:
        TypeError: ``split`` is no ``Split``, ``batch_size`` or ``seed`` no whole number, a switch no bool.
        ValueError: ``batch_size`` is below 1, or ``drop_last`` leaves no batch at all; an unknown device.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int = 64,
        seed: int = 0,
        drop_last: bool = False,
        shuffle: bool = True,
        device: str | torch.device = "cpu",
    ) -> None:
        self.split: Split = _a_split("split", split)
        self.batch_size = _a_count("batch_size", batch_size)
        self.seed = a_seed("seed", seed)
        self.drop_last = _a_switch("drop_last", drop_last)
        self.shuffle = _a_switch("shuffle", shuffle)
        if not len(self):
            raise ValueError(
                f"drop_last=True leaves no batch: batch_size is {batch_size}, the split has {len(split)} images; "
                "try drop_last=False or a smaller batch_size"
            )
        self.device = pick_device(device)
        # Rows of one image each: in channels_last memory a row is one piece, copied as such.
        self._pixels = split.images.permute(0, 2, 3, 1).to(self.device)
        self._labels = split.labels.to(self.device)
        self._next_epoch = 0

    @property
    def dataset(self) -> Split:
        """The split, under the name that torch's ``DataLoader`` has for it."""
        return self.split

    def __len__(self) -> int:
        """Batches in one epoch."""
        whole, rest = divmod(len(self.split), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of the next epoch: 0 in the first loop, then 1, and so on."""
        self._next_epoch += 1
        return self.batches(self._next_epoch - 1)

    def __repr__(self) -> str:
        return f"Loader({self.split.title}: {len(self)} batches of {self.batch_size})"

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of ``epoch`` from number ``start`` on, on ``device``.

        Raises:
            TypeError: ``epoch`` or ``start`` is no whole number.
            ValueError: ``epoch`` is negative, or ``start`` is not between 0 and ``len(loader)``.
        """
        start = a_whole_number(0, len(self), example=0)("start", start)
        chosen = torch.split(self._order(epoch).to(self.device), self.batch_size)[start : len(self)]
        return self.passing(map(self._batch, chosen))

    def _order(self, epoch: int) -> Tensor:
        """The images of ``epoch`` by their index in the split, int64 ``(n,)``."""
        stream = generator(self.seed, "order", epoch)
        count = len(self.split)
        return torch.randperm(count, generator=stream) if self.shuffle else torch.arange(count)

    def _batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        # To float32 and then divided by 255, as ToTensor does: multiplying by 1/255 would round differently.
        pixels = self._pixels.index_select(0, chosen).float().div_(255)
        return pixels.permute(0, 3, 1, 2), self._labels.index_select(0, chosen)
