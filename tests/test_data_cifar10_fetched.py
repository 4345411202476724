"""CIFAR-10 from the network: fetched when absent, resumed, given up when slow, and never half there."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from torchvision.datasets import CIFAR10

import course_utils.data.cifar10
import course_utils.data.download
import course_utils.data.sources
from course_utils.data import DataError, load_images
from tests.helpers.small_cifar10 import ARCHIVE, FELL_BACK, FOLDER, PER_FILE, cifar10, is_whole, md5, packed

resource = pytest.importorskip("resource", reason="limits of a process, and os.fork, are not to be had on Windows")
pytestmark = pytest.mark.usefixtures("small_cifar10", "few_photos")


# Fetched


@pytest.mark.parametrize("source", ["auto", "cifar10"])
def test_absent_files_are_downloaded_and_said_to_be(tmp_path, known, source, capsys):
    load_images(source, "train", None, root=tmp_path)
    assert is_whole(tmp_path, known)
    assert capsys.readouterr().out == "cifar10: 40 train images, 3 classes (downloaded)\n"


def test_a_missing_folder_is_created(tmp_path, known):
    cifar10(tmp_path / "new" / "folder")
    assert is_whole(tmp_path / "new" / "folder", known)


def test_nothing_half_done_is_left_behind(tmp_path):
    cifar10(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER, ARCHIVE, ".cifar10.lock"}


def test_the_bar_is_wiped_away(tmp_path, capsys):
    cifar10(tmp_path)
    shown = capsys.readouterr().err
    assert "CIFAR-10" in shown
    assert "\n" not in shown
    assert shown.split("\r")[-1].strip() == ""


def test_an_interrupted_download_is_resumed(tmp_path, known, server):
    (tmp_path / f"{ARCHIVE}.part").write_bytes(known.archive[:1000])
    cifar10(tmp_path)
    assert server.asked == [None, "bytes=1000-"]
    assert is_whole(tmp_path, known)


def test_a_server_that_cannot_resume_sends_all_of_it(tmp_path, known, server):
    server.ranges = False
    (tmp_path / f"{ARCHIVE}.part").write_bytes(known.archive[:1000])
    cifar10(tmp_path)
    assert is_whole(tmp_path, known)


@pytest.mark.parametrize("extra", [0, 5])
def test_a_part_that_is_already_long_enough_does_no_harm(tmp_path, known, extra):
    (tmp_path / f"{ARCHIVE}.part").write_bytes(known.archive + bytes(extra))
    cifar10(tmp_path)
    assert is_whole(tmp_path, known)


def test_a_part_of_another_file_is_thrown_away(tmp_path, known, server):
    (tmp_path / f"{ARCHIVE}.part").write_bytes(b"x" * 1000)
    cifar10(tmp_path)
    assert server.asked == [None, "bytes=1000-", None]
    assert is_whole(tmp_path, known)


def test_a_connection_that_breaks_is_named_and_what_came_is_kept(tmp_path, known, server):
    server.stop_after = 2000
    with pytest.raises(DataError, match="cut off; try again to resume"):
        cifar10(tmp_path)
    assert (tmp_path / f"{ARCHIVE}.part").read_bytes() == known.archive[:2000]


def test_a_log_in_page_instead_of_the_file_is_recognised_and_removed(tmp_path, server):
    server.content = b"<html>Please log in</html>"
    with pytest.raises(DataError, match=r"another file than expected \(md5 sum\).*log-in page"):
        cifar10(tmp_path)
    assert list(tmp_path.glob("*.tar.gz*")) == []


def test_a_server_that_refuses_is_quoted(tmp_path, server):
    server.status = 503
    with pytest.raises(DataError, match="HTTP Error 503: Service Unavailable"):
        cifar10(tmp_path)


# Eight kernels: processes of their own from the first look at the folder on. They start when the pipe is closed.
CLASSROOM = """
import json, os, sys
from torchvision.datasets import CIFAR10
from course_utils.data import load_images
for name, value in json.loads(sys.argv[1]).items():
    setattr(CIFAR10, name, value)
start, go = os.pipe()
for kernel in range(8):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        split = load_images("cifar10", limit=None, root=sys.argv[2], announce=False)
        os.write(1, f"{split.images.long().sum()}\\n".encode())
        sys.exit()
os.close(go)
sys.exit(any([os.wait()[1] for kernel in range(8)]))
"""


def test_eight_kernels_at_once_download_once_and_all_read_the_same(tmp_path, known, server):
    server.delay_s = 0.5  # so that all have asked before the first is answered
    small = {name: getattr(CIFAR10, name) for name in ("url", "tgz_md5", "train_list", "test_list", "meta")}
    command = [sys.executable, "-c", CLASSROOM, json.dumps(small), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, 8 * f"{known.pixels['train'].sum(dtype=int)}\n"), done.stderr
    assert len(server.asked) <= 8 + 1  # each knocks at most once, and one fetches the file
    assert is_whole(tmp_path, known)


@contextlib.contextmanager
def room_for(count):
    """No file may grow beyond ``count`` bytes: what a home with a quota looks like to a program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_quota_that_is_too_small_is_named_with_the_cure_and_nothing_is_left_on_it(tmp_path, known, server):
    half = len(known.archive) // 2
    with room_for(half), pytest.raises(DataError, match=r"disk full: .*File too large.*COURSE_DATA_DIR"):
        cifar10(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".cifar10.lock"]
    assert len(cifar10(tmp_path)) == 5 * PER_FILE


def test_a_quota_that_is_too_small_makes_auto_fall_back_and_say_so(tmp_path, known, capsys):
    with room_for(len(known.archive) // 2):
        load_images(limit=None, root=tmp_path)
    assert capsys.readouterr().out == FELL_BACK.format("disk full")


def unpacking_fails(monkeypatch, code):
    def extractall(tar, folder, **_):
        Path(folder).mkdir()
        (Path(folder) / "half").write_bytes(b"x")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_while_unpacking_gets_everything_back(tmp_path, monkeypatch, code):
    unpacking_fails(monkeypatch, code)
    with pytest.raises(DataError, match="disk full"):
        cifar10(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".cifar10.lock"]


def test_an_archive_that_the_user_put_there_stays_on_a_full_disk(tmp_path, known, monkeypatch):
    (tmp_path / ARCHIVE).write_bytes(known.archive)
    unpacking_fails(monkeypatch, errno.ENOSPC)
    with pytest.raises(DataError, match="disk full"):
        cifar10(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".cifar10.lock", ARCHIVE}


def test_the_free_space_is_looked_at_before_anything_is_asked_for(tmp_path, server, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300e6))
    with pytest.raises(DataError, match=r"disk full: .*349 MB are needed, 300 MB are free"):
        cifar10(tmp_path)
    assert server.asked == [None]  # the knock alone


def test_half_of_the_archive_on_disk_counts_as_room(tmp_path, known, monkeypatch):
    monkeypatch.setattr(course_utils.data.cifar10, "ARCHIVE_MB", len(known.archive) / 1e6)
    monkeypatch.setattr(course_utils.data.cifar10, "IMAGES_MB", 0)
    half = len(known.archive) // 2
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=half + 1))
    (tmp_path / f"{ARCHIVE}.part").write_bytes(known.archive[:half])
    cifar10(tmp_path)
    assert is_whole(tmp_path, known)


# A slow network


@pytest.fixture
def hasty(monkeypatch):
    """A patience of one second, and speeds that are believed at once."""
    monkeypatch.setattr(course_utils.data.sources, "PATIENCE_S", 1.0)
    monkeypatch.setattr(course_utils.data.download, "_SETTLE_S", 0.2)


def crawl(server):
    """The server sends a hundredth every 0.1 s, which is 10 s in all."""
    server.piece, server.pause_s = len(server.content) // 100, 0.1


@pytest.mark.usefixtures("hasty")
def test_auto_gives_up_a_download_that_would_take_too_long_and_says_how_to_wait(tmp_path, server, capsys):
    crawl(server)
    start = time.monotonic()
    load_images(limit=None, root=tmp_path)
    assert time.monotonic() - start < 3
    why = "CIFAR-10 is not on disk and the network is slow; COURSE_DATA=cifar10 waits for it"
    assert capsys.readouterr().out == FELL_BACK.format(why)


@pytest.mark.usefixtures("hasty")
def test_a_byte_now_and_then_is_given_up_as_well(tmp_path, server, capsys):
    server.piece, server.pause_s = 1, 0.3
    start = time.monotonic()
    load_images(limit=None, root=tmp_path)
    assert time.monotonic() - start < 3
    assert "the network is slow" in capsys.readouterr().out


@pytest.mark.usefixtures("hasty")
def test_whoever_asks_for_cifar10_waits_and_goes_on_from_what_has_come(tmp_path, known, server, monkeypatch):
    crawl(server)
    load_images(limit=None, root=tmp_path, announce=False)
    come = (tmp_path / f"{ARCHIVE}.part").stat().st_size
    assert come > 0
    server.pause_s = 0.02
    monkeypatch.setenv("COURSE_DATA", "cifar10")
    load_images(limit=None, root=tmp_path, announce=False)
    assert server.asked[-1] == f"bytes={come}-"
    assert is_whole(tmp_path, known)


@pytest.mark.usefixtures("hasty")
def test_auto_does_not_wait_for_ever_behind_another_notebook(tmp_path, capsys):
    with FileLock(tmp_path / ".cifar10.lock"):
        load_images(limit=None, root=tmp_path)
    assert "another notebook is still fetching it" in capsys.readouterr().out


def test_a_speed_is_judged_by_what_is_due(tmp_path):
    def judge(received, due, passed_s):
        course_utils.data.download._be_patient("http://host", received, due, passed_s, 60.0)

    judge(10_000_000, 170_000_000, 3.5)  # 59.5 s
    judge(10, 170_000_000, 2.9)  # too early to tell
    with pytest.raises(DataError, match=r"sends 75.0 kB/s, at which it would take 38 minutes"):
        judge(300_000, 170_000_000, 4.0)
    judge(10_000, None, 59.0)
    with pytest.raises(DataError):
        judge(10_000, None, 61.0)


def test_an_archive_that_points_outside_its_folder_is_refused(tmp_path, server, monkeypatch):
    server.content = packed({"../../outside": b"x"})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(server.content))
    with pytest.raises(DataError, match="cannot be unpacked"):
        cifar10(tmp_path / "a" / "b")
    assert list(tmp_path.rglob("outside")) == []


def test_an_archive_with_other_files_than_expected_is_refused(tmp_path, known, monkeypatch):
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", "0" * 32]])
    with pytest.raises(DataError, match=r"test_batch is damaged \(md5 sum\) even after unpacking"):
        cifar10(tmp_path, "test")


def test_what_a_killed_process_unpacked_is_cleared_away(tmp_path, known):
    half = tmp_path / ".cifar10.unpacking" / FOLDER
    half.mkdir(parents=True)
    (half / "data_batch_9").write_bytes(b"x")
    cifar10(tmp_path)
    assert is_whole(tmp_path, known)
    assert not half.exists()
