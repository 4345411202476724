"""Which images can be had here and now? CIFAR-10 where it is or can be fetched, else the embedded photographs."""

import os
from pathlib import Path
from typing import Literal, get_args

from course_utils.data.arguments import check_count
from course_utils.data.cifar10 import ensure_cifar10, read_cifar10
from course_utils.data.errors import DataError
from course_utils.data.patches import read_photos
from course_utils.data.split import Source, Split, SplitName

__all__ = ["load_images"]

_CHOICES = ("auto", *get_args(Source))


def load_images(
    source: Literal["auto", "cifar10", "photos"] = "auto",
    split: SplitName = "train",
    limit: int | None = 10_000,
    *,
    root: str | os.PathLike[str] | None = None,
    announce: bool = True,
) -> Split:
    """The first ``limit`` images of a split (None: all), and a printed line that says which ones and why.

    ``"photos"``: 10,000 patches to train on and 10,000 to test on, from ten photographs in this package.
    ``"cifar10"``: the 50,000 and 10,000 images of CIFAR-10 in the folder ``root`` (or ``$COURSE_DATA_DIR``, or
    ``~/.cache/course_utils``); what is missing or damaged there is downloaded, 170 MB.
    ``"auto"``: what the environment variable ``COURSE_DATA`` says, else CIFAR-10 if it can be had, else photos.

    The images are uint8 ``(n, 3, 32, 32)`` in channels_last memory, 3 kB each.

    Raises:
        TypeError: ``limit`` is not an int, ``root`` not a path, or ``announce`` no bool.
        ValueError: an unknown ``source`` or ``split``, a ``limit`` below 1 or above the number of images, or
            a ``root`` that is a file.
        DataError: CIFAR-10 was asked for and cannot be had; the text names the path and the cure.
    """
    if not isinstance(split, str) or split not in get_args(SplitName):
        raise ValueError(f'split must be one of {get_args(SplitName)}, got {split!r}; try "train"')
    if limit is not None:
        check_count("limit", limit)
    if root is not None and not isinstance(root, (str, os.PathLike)):
        raise TypeError(f'root must be a path, got {root!r}; try root="data"')
    if not isinstance(announce, bool):
        raise TypeError(f"announce must be True or False, got {type(announce).__name__}; try announce=False")
    images, why = _load(_choose(source), split, limit, root)
    if announce:
        print(f"{images.source}: {len(images):,} {images.name} images, {len(images.classes)} classes ({why})")
    return images


def _choose(source: str) -> str:
    """The source that is meant, after a look at ``COURSE_DATA``."""
    if not isinstance(source, str) or source not in _CHOICES:
        raise ValueError(f'source must be one of {_CHOICES}, got {source!r}; try "photos"')
    if source != "auto":
        return source
    wish = os.environ.get("COURSE_DATA") or "auto"
    if wish not in _CHOICES:
        raise ValueError(f"the environment variable COURSE_DATA must be one of {_CHOICES}, got {wish!r}")
    return wish


def _folder(root: str | os.PathLike[str] | None) -> Path:
    """Where CIFAR-10 is kept."""
    if root is None:
        root = os.environ.get("COURSE_DATA_DIR") or "~/.cache/course_utils"
    return Path(root).expanduser()


def _load(source: str, name: SplitName, limit: int | None, root: str | os.PathLike[str] | None) -> tuple[Split, str]:
    """The images, and why they come from where they do."""
    if source == "photos":
        return _exactly(read_photos(name), limit), "embedded, no network needed"
    folder = _folder(root)
    try:
        fetched = ensure_cifar10(folder, name)
    except DataError as error:
        if source == "cifar10":
            raise
        return _exactly(read_photos(name), limit), f"embedded; {error.reason}"
    return _exactly(read_cifar10(folder, name, limit), limit), "downloaded" if fetched else "found on disk"


def _exactly(images: Split, limit: int | None) -> Split:
    """The first ``limit`` of the images."""
    if limit is None or limit == len(images):
        return images
    if limit > len(images):
        raise ValueError(
            f"limit must be at most {len(images):,} for {images.title}, got {limit:,}; try limit=None for all"
        )
    return images.take(limit)
