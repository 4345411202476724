"""What do the embedded photographs give? 32 x 32 patches in the shapes of CIFAR-10; the class is the photograph.

Each photograph is a board of 5 x 5 tiles. One tile of every row and column is for testing, the other 20 are for
training, and a patch never crosses the edge of its tile: no pixel of a test patch was ever trained on.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from course_utils.data.split import Split, SplitName
from course_utils.seeding import generator

__all__ = ["CLASSES", "PATCHES_PER_CLASS", "read_photos", "read_pixels"]

#: the photographs, as a plot names them; photos/LICENSES.md says who took them
CLASSES = (
    "admiral", "astronaut", "cat", "coffee", "flower", "galaxies", "pagoda", "raccoon", "retina", "rocket",
)  # fmt: skip
PATCHES_PER_CLASS = 1_000

_PATCH = 32
_TILE = 60
_TEST_TILE_OF_ROW = torch.tensor([0, 2, 4, 1, 3])  # like a knight's moves: no two test tiles touch at an edge
_SEED = 0


def read_photos(name: SplitName) -> Split:
    """All 10,000 patches of the split, 1,000 of each photograph in mixed order; the same ones on every machine."""
    count = PATCHES_PER_CLASS * len(CLASSES)
    pixels = torch.empty((count, _PATCH, _PATCH, 3), dtype=torch.uint8)
    labels = torch.empty(count, dtype=torch.int64)
    corners = _corners(name)
    places = torch.randperm(count, generator=generator(_SEED, f"photos/{name}"))
    for label, places_of_class in enumerate(places.view(len(CLASSES), -1)):
        pixels[places_of_class] = _patches(CLASSES[label], name, corners)
        labels[places_of_class] = label
    return Split(pixels.permute(0, 3, 1, 2), labels, CLASSES, "photos", name)


def read_pixels(photo: str) -> Tensor:
    """One embedded photograph, uint8 ``(300, 300, 3)``."""
    with Image.open(Path(__file__).parent / "photos" / f"{photo}.png") as image:
        return torch.from_numpy(np.array(image))


def _patches(photo: str, name: SplitName, corners: Tensor) -> Tensor:
    """The patches of one photograph, uint8 ``(PATCHES_PER_CLASS, 32, 32, 3)``, no two from the same corner.

    Of two random patches the one with more detail is kept, or half of the rocket would be bare sky. In training
    every other one, by chance, is mirrored.
    """
    stream = generator(_SEED, f"photos/{name}/{photo}")
    pixels = read_pixels(photo)
    detail = _detail(pixels)
    chosen = torch.randperm(corners.shape[1], generator=stream)[: 2 * PATCHES_PER_CLASS]
    one, other = corners[:, chosen].chunk(2, dim=1)
    kept = _cut(pixels, torch.where(detail[*one] >= detail[*other], one, other))
    if name == "test":
        return kept
    mirrored = torch.rand((PATCHES_PER_CLASS, 1, 1, 1), generator=stream) < 0.5
    return torch.where(mirrored, kept.flip(dims=(2,)), kept)


def _corners(name: SplitName) -> Tensor:
    """Row and column of the upper left corner of every patch of the split, int64 ``(2, m)``."""
    along = torch.arange(len(_TEST_TILE_OF_ROW) * _TILE - _PATCH + 1)
    along = along[along // _TILE == (along + _PATCH - 1) // _TILE]  # from edge to edge within one tile
    corners = torch.cartesian_prod(along, along).T
    row, column = corners // _TILE
    return corners[:, (column == _TEST_TILE_OF_ROW[row]) == (name == "test")]


def _cut(pixels: Tensor, corners: Tensor) -> Tensor:
    """The patches at these corners, ``(m, 32, 32, 3)``."""
    windows = pixels.unfold(0, _PATCH, 1).unfold(1, _PATCH, 1)  # (row, column, 3, 32, 32), still without a copy
    return windows[*corners].permute(0, 2, 3, 1)


def _detail(pixels: Tensor) -> Tensor:
    """Variance about its mean colour of the patch at every corner, times a constant: int64 ``(row, column)``.

    In integers, so that it is the same on every machine.
    """
    values = pixels.long()
    return (_PATCH**2 * _window_sums(values.square()) - _window_sums(values).square()).sum(dim=2)


def _window_sums(values: Tensor) -> Tensor:
    """The sum over the 32 x 32 window at every corner, ``(row, column, 3)``, from a table of running sums."""
    above_left = pad(values, (0, 0, 1, 0, 1, 0)).cumsum(dim=0).cumsum(dim=1)
    rows = above_left[_PATCH:] - above_left[:-_PATCH]
    return rows[:, _PATCH:] - rows[:, :-_PATCH]
