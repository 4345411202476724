"""Which images can be had here and now? CIFAR-10 where it is or can be fetched, else the embedded photographs."""

import os
from pathlib import Path
from typing import Literal, get_args

from course_utils.arguments import a_switch, a_whole_number, an_instance, one_of, or_none
from course_utils.data.cifar10 import ensure_cifar10, read_cifar10
from course_utils.data.errors import DataError
from course_utils.data.patches import read_photos
from course_utils.data.split import Source, Split, SplitName, a_split_name

__all__ = ["load_images"]

PATIENCE_S = 60.0  #: what "auto" waits for a download, before the photographs stand in
CHOICES = ("auto", *get_args(Source))

_a_choice = one_of(CHOICES, example="photos")
_a_limit = or_none(a_whole_number(1, example=1000))
_a_root = or_none(an_instance(str, os.PathLike, must="be a path", example='"data"'))


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
    ``"auto"``: what the environment variable ``COURSE_DATA`` says, else CIFAR-10 if it can be had within a minute,
    else photos.

    The images are uint8 ``(n, 3, 32, 32)`` in channels_last memory, 3 kB each.

    Raises:
        TypeError: ``limit`` is no whole number, ``root`` no path, or ``announce`` no bool.
        ValueError: an unknown ``source`` or ``split``, a ``limit`` below 1 or above the number of images, or
            a ``root`` that is a file.
        DataError: CIFAR-10 was asked for and cannot be had; the text names the path and the cure.
    """
    a_split_name("split", split)
    limit, root, announce = _a_limit("limit", limit), _a_root("root", root), a_switch()("announce", announce)
    images, why = _load(_choose(source), split, limit, _folder(root))
    if announce:
        print(f"{images.source}: {len(images):,} {images.name} images, {len(images.classes)} classes ({why})")
    return images


def _choose(source: str) -> str:
    """The source that is meant, after a look at ``COURSE_DATA``."""
    if _a_choice("source", source) != "auto":
        return source
    return _a_choice("the environment variable COURSE_DATA", os.environ.get("COURSE_DATA") or "auto")


def _folder(root: str | os.PathLike[str] | None) -> Path:
    """Where CIFAR-10 is kept."""
    if root is None:
        root = os.environ.get("COURSE_DATA_DIR") or "~/.cache/course_utils"
    return Path(root).expanduser()


def _load(source: str, name: SplitName, limit: int | None, folder: Path) -> tuple[Split, str]:
    """The images, and why they come from where they do."""
    if source == "photos":
        return _exactly(read_photos(name), limit), "embedded, no network needed"
    try:
        fetched = ensure_cifar10(folder, name, patience_s=PATIENCE_S if source == "auto" else None)
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
