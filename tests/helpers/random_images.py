"""Which images do the tests cut into batches? Random ones, in a split."""

import torch

from course_utils.data import Split
from course_utils.seeding import generator

__all__ = ["some_split"]


def some_split(n=10, *, planar=False, **changed):
    """A split of random images."""
    stream = generator(0, "test images")
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=stream)
    fields = {
        "images": images if planar else images.to(memory_format=torch.channels_last),
        "labels": torch.arange(n) % 2,
        "classes": ("cat", "rocket"),
        "source": "photos",
        "name": "train",
    }
    return Split(**(fields | changed))
