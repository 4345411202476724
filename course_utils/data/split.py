"""What is a set of images? Pixels, labels and the names of the classes, with the split they belong to."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from course_utils.data.arguments import check_count

__all__ = ["Source", "Split", "SplitName"]

Source = Literal["cifar10", "photos"]
SplitName = Literal["train", "test"]

_TITLES = {"cifar10": "CIFAR-10", "photos": "photos"}


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels, all from one split of one source.

    Raises:
        TypeError: a field has the wrong type or dtype.
        ValueError: a field has the wrong shape or range, or an unknown source or name.
    """

    images: Tensor  #: uint8 ``(n, 3, 32, 32)``, 0 to 255; ``load_images`` gives them in channels_last memory
    labels: Tensor  #: int64 ``(n,)``, 0 to ``len(classes) - 1``
    classes: tuple[str, ...]  #: name of each label
    source: Source  #: where the images come from
    name: SplitName  #: "train" to learn from, "test" to measure on

    def __post_init__(self) -> None:
        _check_origin(self.source, self.name)
        _check_tensor("images", self.images, torch.uint8, (3, 32, 32))
        _check_tensor("labels", self.labels, torch.int64, ())
        if len(self.images) != len(self.labels):
            raise ValueError(f"images and labels must pair up, got {len(self.images)} and {len(self.labels)}")
        _check_classes(self.classes, self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({self.source} {self.name}: {len(self):,} images, {len(self.classes)} classes)"

    @property
    def title(self) -> str:
        """What a plot's title says about its data, such as ``"photos, train split"``."""
        return f"{_TITLES[self.source]}, {self.name} split"

    def take(self, n: int) -> "Split":
        """The first ``n`` images as a split of their own, copied, so that the rest can be freed.

        Raises:
            TypeError: ``n`` is not an int.
            ValueError: ``n`` is not between 1 and the number of images.
        """
        check_count("n", n, at_most=len(self))
        return replace(self, images=self.images[:n].clone(), labels=self.labels[:n].clone())


def _check_origin(source: str, name: str) -> None:
    if not isinstance(source, str) or source not in get_args(Source):
        raise ValueError(f'source must be one of {get_args(Source)}, got {source!r}; try "photos"')
    if not isinstance(name, str) or name not in get_args(SplitName):
        raise ValueError(f'name must be one of {get_args(SplitName)}, got {name!r}; try "train"')


def _check_tensor(name: str, value: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Check a tensor whose rows have this dtype and shape; it must have at least one row."""
    if not isinstance(value, Tensor) or value.dtype != dtype:
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a tensor of {dtype}, got {got}; try {name}.to({dtype})")
    if value.dim() != 1 + len(shape) or tuple(value.shape[1:]) != shape or len(value) == 0:
        wanted = ", ".join(map(str, ("n", *shape)))
        raise ValueError(f"{name} must have the shape ({wanted}) with n of 1 or more, got {tuple(value.shape)}")


def _check_classes(classes: tuple[str, ...], labels: Tensor) -> None:
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"classes must be a tuple of names, got {classes!r}; try tuple(classes)")
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= len(classes):
        raise ValueError(f"labels must be 0 to {len(classes) - 1} for {len(classes)} classes, got {low} to {high}")
