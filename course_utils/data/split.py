"""What is a set of images? Pixels, labels and the names of the classes, with the split they belong to."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from course_utils.arguments import a_text, a_tuple, a_whole_number, kind_of, one_of

__all__ = ["Source", "Split", "SplitName", "a_split_name"]

Source = Literal["cifar10", "photos"]
SplitName = Literal["train", "test"]

_TITLES = {"cifar10": "CIFAR-10", "photos": "photos"}

_a_source = one_of(get_args(Source), example="photos")
a_split_name = one_of(get_args(SplitName))
_names = a_tuple(a_text(example="cat"), of="names", example=("cat", "dog"))


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
        _a_source("source", self.source)
        a_split_name("name", self.name)
        _check_tensor("images", self.images, torch.uint8, (3, 32, 32))
        _check_tensor("labels", self.labels, torch.int64, ())
        if len(self.images) != len(self.labels):
            raise ValueError(f"images and labels must pair up, got {len(self.images)} and {len(self.labels)}")
        count, low, high = len(_names("classes", self.classes)), int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= count:
            raise ValueError(f"labels must be 0 to {count - 1} for {count} classes, got {low} to {high}")

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
            TypeError: ``n`` is no whole number.
            ValueError: ``n`` is not between 1 and the number of images.
        """
        n = a_whole_number(1, len(self), example=1)("n", n)
        return replace(self, images=self.images[:n].clone(), labels=self.labels[:n].clone())


def _check_tensor(name: str, value: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Check a tensor whose rows have this dtype and shape; it must have at least one row."""
    if not isinstance(value, Tensor) or value.dtype != dtype:
        got = value.dtype if isinstance(value, Tensor) else kind_of(value)
        raise TypeError(f"{name} must be a tensor of {dtype}, got {got}; try {name}.to({dtype})")
    if value.dim() != 1 + len(shape) or tuple(value.shape[1:]) != shape or len(value) == 0:
        wanted = ", ".join(map(str, ("n", *shape)))
        raise ValueError(f"{name} must have the shape ({wanted}) with n of 1 or more, got {tuple(value.shape)}")
