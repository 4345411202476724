"""How does a file get here? Over a network that may be absent, slow or cut off: whole, or not at all."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Never
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from course_utils.data.errors import DataError

__all__ = ["ANSWER_S", "download", "has_md5", "knock"]

ANSWER_S = 5.0  #: seconds in which the server must have answered
_STALL_S = 15.0  # seconds without a single byte that end a download
_SETTLE_S = 3.0  # seconds before the speed is believed
_CHUNK = 1 << 18
_CUT = "the download was cut off"


def has_md5(path: Path, md5: str) -> bool:
    """Whether ``path`` is a file with this md5 sum."""
    from torchvision.datasets.utils import check_integrity  # type: ignore[import-untyped]

    return bool(check_integrity(path, md5))


def knock(url: str) -> None:
    """Return if the server answers within ``ANSWER_S`` seconds.

    Raises:
        DataError: it does not.
    """
    _open(url).close()


def download(url: str, path: Path, *, md5: str, patience_s: float | None = None) -> None:
    """Put the file at ``url`` where ``path`` says, once its md5 sum is right; a bar on stderr shows the progress.

    What arrives is kept in ``path`` + ".part", where a later call resumes after an interruption. As soon as the speed
    promises an end later than ``patience_s`` seconds after the beginning, it is given up; None waits for ever.

    Raises:
        DataError: no answer, a broken connection, too slow a one, or another md5 sum.
        OSError: the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    resumed = _receive(url, part, patience_s)
    if has_md5(part, md5):
        part.replace(path)
        return
    part.unlink()
    if not resumed:
        raise DataError(
            f"what came from {url} is another file than expected (md5 sum); some networks answer with a log-in page: "
            "try again from another network",
            reason="what its server sent is damaged",
        )
    download(url, path, md5=md5, patience_s=patience_s)  # the pieces did not fit together: once more from the start


def _receive(url: str, part: Path, patience_s: float | None) -> bool:
    """Append to ``part`` what it lacks, or write it anew; returns whether it was appended to."""
    have = part.stat().st_size if part.exists() else 0
    with _open(url, start=have) as response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        done = have if resumed else 0
        total = done + response.length if response.length is not None else None
        with part.open("ab" if resumed else "wb") as file, _bar(done, total) as bar:
            for chunk in _chunks(response, total and total - done, patience_s):
                bar.update(file.write(chunk))
    if total is not None and part.stat().st_size < total:
        raise DataError(f"the download from {url} was cut off; try again to resume it", reason=_CUT)
    return resumed


def _bar(done: int, total: int | None) -> "tqdm[Never]":
    """A bar that is gone when the work is done."""
    return tqdm(desc="CIFAR-10", initial=done, total=total, unit="B", unit_scale=True, leave=False, file=sys.stderr)


def _chunks(response: HTTPResponse, due: int | None, patience_s: float | None) -> Iterator[bytes]:
    """What arrives of ``due`` bytes, whenever something does: a whole chunk may take a slow network minutes."""
    start, received = time.monotonic(), 0
    with _network_errors(response.url, _CUT):
        while chunk := response.read1(_CHUNK):
            yield chunk
            received += len(chunk)
            if patience_s is not None:
                _be_patient(response.url, received, due, time.monotonic() - start, patience_s)


def _be_patient(url: str, received: int, due: int | None, passed_s: float, patience_s: float) -> None:
    """Give up when the speed so far promises an end later than ``patience_s``."""
    needed_s = passed_s if due is None else passed_s * due / received
    if passed_s >= _SETTLE_S and needed_s > patience_s:
        raise DataError(
            f"{url} sends {received / passed_s / 1e3:,.1f} kB/s, at which it would take {needed_s / 60:,.0f} minutes; "
            "what has come is kept, and COURSE_DATA=cifar10 waits for the rest",
            reason="the network is slow; COURSE_DATA=cifar10 waits for it",
        )


def _open(url: str, start: int = 0) -> HTTPResponse:
    """The answer to a request for ``url`` from byte ``start`` on, or from the beginning if the server prefers that."""
    headers = {"User-Agent": "course-utils"} | ({"Range": f"bytes={start}-"} if start else {})
    with _network_errors(url, "its server cannot be reached"):
        try:
            return _ask(Request(url, headers=headers))
        except HTTPError as error:
            error.close()
            if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return _open(url)
            raise DataError(f"{url}: {error}", reason="its server refuses the download") from error


def _ask(request: Request) -> HTTPResponse:
    """``urlopen`` in at most ``ANSWER_S`` seconds: in a thread, for looking up a name has no time-out of its own."""
    answer: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            answer.set_result(urlopen(request, timeout=_STALL_S))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        return answer.result(timeout=ANSWER_S)
    except TimeoutError:
        answer.add_done_callback(_close_late_answer)
        raise TimeoutError(f"no answer within {ANSWER_S:g} s") from None


def _close_late_answer(answer: Future[HTTPResponse]) -> None:
    if answer.exception() is None:
        answer.result().close()


@contextmanager
def _network_errors(url: str, reason: str) -> Iterator[None]:
    """Say in words which address failed and how."""
    try:
        yield
    except (OSError, HTTPException) as error:
        raise DataError(f"{url}: {error}", reason=reason) from error
