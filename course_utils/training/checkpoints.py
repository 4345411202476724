"""Where does a run outlive its process? In a file that is whole or not there, with the one before beside it.

The first line of a checkpoint is text: the format's number, the length in bytes and the sha256 sum of what follows,
which is the state as ``torch.save`` writes it. It holds no time and no name of a machine: equal runs give equal bytes.
"""

import errno
import hashlib
import io
import os
import re
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_utils.arguments import a_check
from course_utils.training.loop import Run
from course_utils.training.state import State, misfit, restore, snapshot

__all__ = ["CheckpointError", "load", "previous_path", "save"]

FORMAT = 1
STRAYS_LIVE_S = 600
WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()  # a virus scanner holds files

_FIRST_WORDS = b"course_utils checkpoint "
_FIRST_LINE = re.compile(_FIRST_WORDS + rb"(\d{1,9}) (\d{1,18}) ([0-9a-f]{64})\n")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the text names the file and the cure.

    ``previous`` is the checkpoint before it if that one is whole and fits: ``load(run, error.previous)``. Else None.
    """

    def __init__(self, message: str, *, previous: Path | None = None) -> None:
        super().__init__(message)
        self.previous = previous


def save(run: Run, path: str | os.PathLike[str]) -> None:
    """Write the state of ``run`` to ``path`` at once and whole, and keep what was there as ``previous_path(path)``.

    Whenever the process dies, ``path`` is the old checkpoint or the new one; it is on the disk when ``save`` returns.
    Folders are made as needed. Call it between two steps, as ``watch.checkpointed`` does.

    Raises:
        TypeError: ``run`` or its optimizer has no state, or ``path`` is no path.
        ValueError: ``path`` names no file.
        CheckpointError: the disk is full, the folder may not be written to, or another file is in the way; what was
            there before is intact, and nothing half-written stays.
    """
    file = _checked_path(path)
    content = _packed(snapshot(run))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, content)
    except OSError as error:
        raise CheckpointError(f"{file} was not written: {_why(error, file)}. What was there is intact") from error


def load(run: Run, path: str | os.PathLike[str]) -> Run:
    """Bring ``run``, built like the saved one, to the state in ``path``, and return it.

    Model, optimizer, scheduler, random stream, losses and step are copied into the live objects. Only tensors and
    numbers are read, never code. All is checked before anything is changed: a failed ``load`` leaves ``run`` as it was.

    Raises:
        TypeError: ``run`` or its optimizer has no state, or ``path`` is no path.
        ValueError: ``path`` names no file.
        CheckpointError: the file is missing, damaged, of another version, or of a run that was built otherwise. If the
            checkpoint before it would do, the text names it, and ``error.previous`` is its path.
    """
    file = _checked_path(path)
    snapshot(run)  # refuses what is no run before any file is looked at
    try:
        return _load(run, file)
    except CheckpointError as error:
        previous = previous_path(file)
        step = _step_of(run, previous)
        if step is None:
            raise CheckpointError(f"{error}. There is no whole one before it") from error
        offer = f'The one before it, of step {step:,}, is whole: try load(run, "{previous}")'
        raise CheckpointError(f"{error}. {offer}", previous=previous) from error


def previous_path(path: str | os.PathLike[str]) -> Path:
    """Where ``save`` keeps the checkpoint that was at ``path`` before: ``run.pt.previous`` beside ``run.pt``."""
    file = _checked_path(path)
    return file.with_name(f"{file.name}.previous")


# ---- Writing --------------------------------------------------------------------------------------------------------


def _packed(state: State) -> bytes:
    """The bytes of a checkpoint, read back once: one that could not be read must not replace one that can."""
    buffer = io.BytesIO()
    try:
        torch.save(state, buffer)
        _unpacked(buffer.getvalue())
    except Exception as error:
        raise CheckpointError(
            f"the run holds more than tensors, numbers and words, and cannot be saved: {error}"
        ) from error
    content = buffer.getvalue()
    return _FIRST_WORDS + f"{FORMAT} {len(content)} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def _replace(file: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``file`` in one move, and the old one, if it is whole, beside it."""
    old = _old_content(file)
    if old == content:
        return
    for stray in _strays(file):
        stray.unlink(missing_ok=True)
    fresh, kept = _temporary(file), _temporary(file)
    try:
        _write(fresh, content)
        if _is_whole(old):
            _link(file, kept)
            _move(kept, previous_path(file))
        _move(fresh, file)
        _sync_folder(file.parent)
    finally:
        fresh.unlink(missing_ok=True)
        kept.unlink(missing_ok=True)


def _old_content(file: Path) -> bytes:
    """What is there now; empty if nothing is. A file that is no checkpoint is somebody's work and stays."""
    if not file.exists():
        return b""
    if not file.is_file():
        raise CheckpointError(f'{file} is a folder or a device, no file; try "{file / "run.pt"}"')
    old = file.read_bytes()
    if old and not old.startswith(_FIRST_WORDS):
        raise CheckpointError(f"{file} is there and is no checkpoint; delete it or save under another name")
    return old


def _temporary(file: Path) -> Path:
    """A name in the same folder, so that the last move is one within a disk; another one for every writer."""
    return file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")


def _strays(file: Path) -> Iterator[Path]:
    """What a killed process left there; young ones may belong to a process that is writing right now."""
    for stray in file.parent.iterdir():
        if stray.name.startswith(f".{file.name}.") and stray.suffix == ".tmp":
            with suppress(FileNotFoundError):
                if time.time() - stray.stat().st_mtime > STRAYS_LIVE_S:
                    yield stray


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _move(file: Path, target: Path) -> None:
    """Put ``file`` in the place of ``target``; on Windows, where a virus scanner may hold it, with a few tries."""
    for wait_s in WAITS_S:
        try:
            file.replace(target)
            return
        except PermissionError:
            time.sleep(wait_s)
    file.replace(target)


def _link(file: Path, name: Path) -> None:
    """A second name for ``file``, or a copy on disks without hard links."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


def _sync_folder(folder: Path) -> None:
    """Have the names on the disk too; Windows, which has no such call, does so by itself."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: OSError, file: Path) -> str:
    if error.errno in _FULL:
        return "the disk or your share of it is full; free some space"
    if error.errno in _FORBIDDEN:
        return f"{file.parent} may not be written to; try another folder"
    return f"{error.strerror or error}"


# ---- Reading --------------------------------------------------------------------------------------------------------


def _load(run: Run, file: Path) -> Run:
    state = _fitting(run, file)
    try:
        return restore(run, state)
    except Exception as error:  # whatever a forged state makes torch raise
        raise CheckpointError(f"{file} does not go into this run: {type(error).__name__}: {error}") from error


def _fitting(run: Run, file: Path) -> State:
    """The state in ``file``, which fits ``run``."""
    state: State = _read(file)
    if words := misfit(run, state):
        raise CheckpointError(f"{file} is of a run that was built otherwise: {words}")
    return state


def _step_of(run: Run, file: Path) -> int | None:
    """The step of the checkpoint ``file`` if it would do for ``run``."""
    try:
        return int(_fitting(run, file)["step"])
    except CheckpointError:
        return None


def _read(file: Path) -> Any:
    """What is in ``file``, if that is a whole checkpoint of this format."""
    try:
        if not file.is_file():
            raise CheckpointError(f"there is no checkpoint {file}")
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error
    if fault := _fault(content):
        raise CheckpointError(f"{file} {fault}")
    try:
        return _unpacked(content[content.index(b"\n") + 1 :])
    except Exception:
        # Not chained: torch's own words advise to switch the protection off.
        raise CheckpointError(f"{file} holds more than tensors, numbers and words; it was not opened") from None


def _is_whole(content: bytes) -> bool:
    return not _fault(content)


def _fault(content: bytes) -> str:
    """What is wrong with the bytes of a checkpoint; empty if nothing is."""
    first = _FIRST_LINE.match(content)
    if not first:
        return "is no checkpoint of this course, or its first line is damaged"
    version, length, checksum = int(first[1]), int(first[2]), first[3].decode()
    if version != FORMAT:
        return f"has format {version}, and this course_utils reads format {FORMAT}; try the version that wrote it"
    here = len(content) - first.end()
    if here < length:
        return f"is cut short: {here:,} of {length:,} bytes are there"
    if hashlib.sha256(memoryview(content)[first.end() :]).hexdigest() != checksum:
        return "is damaged: its checksum is another one"
    return ""


def _unpacked(content: bytes) -> Any:
    """The state in these bytes. A few bytes that claim to be very many are refused before memory is given to them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > len(content):
            raise ValueError("the archive is larger inside than outside")
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if any(tensor.numel() * tensor.element_size() > len(content) for tensor in _tensors(state)):
        raise ValueError("a tensor is larger than the file")
    return state


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for part in parts:
        yield from _tensors(part)


# ---- The door -------------------------------------------------------------------------------------------------------


_a_path = a_check(
    "be a path",
    kind=lambda path: isinstance(path, (str, os.PathLike)) and not isinstance(os.fspath(path), bytes),
    keep=lambda path: Path(path).expanduser(),
    example="'run.pt'",
)


def _checked_path(path: str | os.PathLike[str]) -> Path:
    try:
        file = _a_path("path", path)
    except RuntimeError as error:  # ~someone is unknown here
        raise ValueError(f"path must lie in a folder that is known, got {str(path)!r}; try 'run.pt'") from error
    if not file.name or "\0" in str(file) or file.name == "..":
        raise ValueError(f"path must name a file, got {str(path)!r}; try 'run.pt'")
    return file
