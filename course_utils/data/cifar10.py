"""Is CIFAR-10 on disk and whole? If so, its images; if not, it is fetched, or the error says what is wrong."""

import errno
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from course_utils.data.download import download, has_md5, knock
from course_utils.data.errors import DataError
from course_utils.data.split import Split, SplitName

__all__ = ["Fault", "ensure_cifar10", "find_fault", "read_cifar10"]

ARCHIVE_MB, IMAGES_MB = 171, 178  #: what each takes on the disk
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows knows no quota


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong with the files on disk."""

    path: Path  #: the file or folder
    state: str  #: what is wrong with it, such as "is missing"
    reason: str  #: the same without its path


def find_fault(root: Path, name: SplitName) -> Fault | None:
    """The first file of the split below ``root`` that is missing or has another md5 sum; None if all are whole."""
    folder = root / _torchvision().base_folder
    if not folder.exists():
        return Fault(folder, "is not there", "CIFAR-10 is not on disk")
    for file, md5 in _files(name):
        if not (folder / file).exists():
            return Fault(folder / file, "is missing (half extracted)", f"CIFAR-10 on disk lacks {file}")
        if not has_md5(folder / file, md5):
            return Fault(folder / file, "is damaged (md5 sum)", f"CIFAR-10 on disk is damaged in {file}")
    return None


def ensure_cifar10(root: Path, name: SplitName, *, patience_s: float | None = None) -> bool:
    """Have the files of the split below ``root``, whole; returns whether they had to be fetched.

    A download that would take longer than ``patience_s`` seconds is given up; None waits for it.

    Raises:
        DataError: they are not whole and cannot be fetched, or the folder cannot be used.
        ValueError: ``root`` is a file.
    """
    with _disk_errors(root):
        if root.is_file():
            raise ValueError(f"root must be a folder, {root} is a file; try root={str(root.parent)!r}")
        fault = find_fault(root, name)
        if fault is None:
            return False
        try:
            _fetch(root, name, patience_s)
        except DataError as error:
            raise DataError(
                f"{fault.path} {fault.state}, and CIFAR-10 cannot be fetched: {error}. Try again with a network, or "
                f'put {_torchvision().filename} into {root}, or use source="photos", which needs no download',
                reason=f"{fault.reason} and {error.reason}",
            ) from error
    return True


def read_cifar10(root: Path, name: SplitName, limit: int | None) -> Split:
    """The first ``limit`` images of the split, or all there are, whichever is less; the files must be whole.

    The files are read one by one, so that no more of them is in memory than was asked for.
    """
    images: list[torch.Tensor] = []
    labels: list[int] = []
    for entry in _entries(name):
        lacking = None if limit is None else limit - len(labels)
        part = _read_file(root, entry)
        # A copy in order of memory: torchvision's array is a view of planes, and keeps all of the file alive.
        images.append(torch.from_numpy(np.ascontiguousarray(part.data[:lacking])))
        labels += part.targets[:lacking]
        if len(labels) == limit:
            break
    pixels = torch.cat(images) if len(images) > 1 else images[0]
    return Split(pixels.permute(0, 3, 1, 2), torch.tensor(labels), tuple(part.classes), "cifar10", name)


def _torchvision() -> Any:
    """The class ``CIFAR10`` of torchvision, imported only when it is needed: the import takes 2 s."""
    from torchvision.datasets import CIFAR10  # type: ignore[import-untyped]

    return CIFAR10


def _entries(name: SplitName) -> list[list[str]]:
    """File name and md5 sum of each file of images."""
    known = _torchvision()
    entries: list[list[str]] = known.train_list if name == "train" else known.test_list
    return entries


def _files(name: SplitName) -> list[list[str]]:
    """File name and md5 sum of each file that the split needs, the names of the classes included."""
    meta = _torchvision().meta
    return [[meta["filename"], meta["md5"]], *_entries(name)]


def _read_file(root: Path, entry: list[str]) -> Any:
    """A data set of a single file; ``data`` is uint8 ``(n, 32, 32, 3)``, ``targets`` a list."""
    # Left alone, torchvision reads all files at once, after checking all six; find_fault has checked what is needed.
    narrowed = {"train_list": [entry], "test_list": [], "_check_integrity": lambda self: True}
    return type("OneFile", (_torchvision(),), narrowed)(root)


def _fetch(root: Path, name: SplitName, patience_s: float | None) -> None:
    """Download and unpack what is missing; of many kernels that ask at once, one does it."""
    known = _torchvision()
    archive = root / known.filename
    if not (ours := has_md5(archive, known.tgz_md5)):
        knock(known.url)  # before the queue at the lock: without a network nobody waits for anybody
    root.mkdir(parents=True, exist_ok=True)
    with _turn(root, patience_s):
        if find_fault(root, name) is None:
            return
        part = archive.with_name(f"{archive.name}.part")
        with _nothing_left_on_a_full_disk(root, [] if ours else [archive, part]):
            if not has_md5(archive, known.tgz_md5):
                have_mb = part.stat().st_size / 1e6 if part.exists() else 0
                _check_room(root, ARCHIVE_MB - have_mb + IMAGES_MB)
                download(known.url, archive, md5=known.tgz_md5, patience_s=patience_s)
            _check_room(root, IMAGES_MB)
            _unpack(archive, root)
        if (fault := find_fault(root, name)) is not None:
            raise DataError(f"{fault.path} {fault.state} even after unpacking {archive}", reason=fault.reason)


@contextmanager
def _turn(root: Path, patience_s: float | None) -> Iterator[None]:
    """Hold the lock of the folder, after saying so if another process has it."""
    lock = FileLock(root / ".cifar10.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another notebook is fetching CIFAR-10: waiting for it", file=sys.stderr)
        _wait_for(lock, patience_s)
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, patience_s: float | None) -> None:
    try:
        lock.acquire(timeout=-1 if patience_s is None else patience_s)
    except Timeout:
        raise DataError(
            f"another notebook has been fetching CIFAR-10 for {patience_s:g} s; COURSE_DATA=cifar10 waits for it",
            reason="another notebook is still fetching it; COURSE_DATA=cifar10 waits for it",
        ) from None


def _check_room(root: Path, megabytes: float) -> None:
    """Raise what a full disk would, before anything is written."""
    if (free := shutil.disk_usage(root).free) < megabytes * 1e6:
        raise OSError(errno.ENOSPC, f"{megabytes:.0f} MB are needed, {free / 1e6:.0f} MB are free")


@contextmanager
def _nothing_left_on_a_full_disk(root: Path, fetched: list[Path]) -> Iterator[None]:
    """If the disk or the user's share of it is full, give back what this call has put there."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            shutil.rmtree(_aside(root), ignore_errors=True)
            for file in fetched:
                file.unlink(missing_ok=True)
        raise


def _aside(root: Path) -> Path:
    """Where the archive is unpacked before its files take their places."""
    return root / ".cifar10.unpacking"


def _unpack(archive: Path, root: Path) -> None:
    """Replace the files below ``root`` by those of the archive, each at once and whole."""
    aside = _aside(root)
    shutil.rmtree(aside, ignore_errors=True)  # left there by a process that was killed
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(aside, filter="data")
    except tarfile.TarError as error:
        raise DataError(f"{archive} cannot be unpacked: {error}; delete it", reason="its archive is damaged") from error
    folder = root / _torchvision().base_folder
    if folder.exists():
        for file in (aside / folder.name).iterdir():
            file.replace(folder / file.name)
    else:
        (aside / folder.name).rename(folder)
    shutil.rmtree(aside)


@contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    """Say in words that the data folder is the trouble, and which other one to take."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                f"disk full: {root} has no room for CIFAR-10 ({error.strerror}; {ARCHIVE_MB + IMAGES_MB} MB in all); "
                "free some space, or try another folder with root=... or COURSE_DATA_DIR",
                reason="disk full",
            ) from error
        raise DataError(
            f"the data folder {root} cannot be used: {error}; "
            "try another one with root=... or in the environment variable COURSE_DATA_DIR",
            reason="the data folder cannot be used",
        ) from error
