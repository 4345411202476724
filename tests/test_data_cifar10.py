"""CIFAR-10: read from disk, fetched when absent, recognised when damaged; against a small set on a loopback server."""

import contextlib
import errno
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock
from torchvision.datasets import CIFAR10

import course_utils.data.cifar10
import course_utils.data.download
import course_utils.data.sources
from course_utils.data import DataError, Split, load_images
from course_utils.data.cifar10 import read_cifar10

resource = pytest.importorskip("resource", reason="limits of a process, and os.fork, are not to be had on Windows")

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
CLASSES = ["airplane", "automobile", "bird"]
SPLITS = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
PER_FILE = 8
FELL_BACK = "photos: 6 train images, 2 classes (embedded; {})\n"


def md5(content):
    return hashlib.md5(content).hexdigest()


@dataclass
class Known:
    """A CIFAR-10 of eight images a file: its arrays, its files and its archive."""

    pixels: dict[str, np.ndarray]  # uint8 (n, 3, 32, 32) of each split
    labels: dict[str, list[int]]
    files: dict[str, bytes]
    archive: bytes

    def write(self, root):
        """The files below ``root``, as if unpacked."""
        (root / FOLDER).mkdir(parents=True)
        for name, content in self.files.items():
            (root / FOLDER / name).write_bytes(content)


def packed(files):
    """A .tar.gz of these files by name."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


@pytest.fixture(scope="module")
def known():
    random = np.random.default_rng(0)
    pixels, labels = {}, {}
    files = {"batches.meta": pickle.dumps({"label_names": CLASSES}, protocol=2)}
    for split, names in SPLITS.items():
        count = PER_FILE * len(names)
        pixels[split] = random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        labels[split] = random.integers(0, len(CLASSES), count).tolist()
        for k, name in enumerate(names):
            part = slice(PER_FILE * k, PER_FILE * (k + 1))
            rows = {"data": pixels[split][part].reshape(PER_FILE, -1), "labels": labels[split][part]}
            files[name] = pickle.dumps(rows, protocol=2)
    return Known(pixels, labels, files, packed({f"{FOLDER}/{name}": content for name, content in files.items()}))


@dataclass
class Server:
    """What the loopback server sends, and what it was asked."""

    content: bytes
    ranges: bool = True  # whether it knows about resuming
    stop_after: int | None = None  # bytes after which it hangs up
    status: int = 200
    delay_s: float = 0.0  # before an answer
    piece: int | None = None  # bytes after which it rests for pause_s
    pause_s: float = 0.0
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    url: str = ""


def answer(server):
    """A handler of requests that behaves as ``server`` says."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            server.asked.append(asked)
            time.sleep(server.delay_s)
            start = int(re.match(r"bytes=(\d+)-", asked).group(1)) if asked and server.ranges else 0
            status = 416 if start >= len(server.content) else 206 if start else server.status
            body = server.content[start:] if status in (200, 206) else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a client that only knocks does not stay to listen
                body = body[: server.stop_after]
                for start in range(0, len(body), server.piece or len(body)):
                    self.wfile.write(body[start : start + (server.piece or len(body))])
                    time.sleep(server.pause_s)

        def log_message(self, *_):
            pass

    return Answer


@pytest.fixture
def server(known):
    state = Server(known.archive)
    with ThreadingHTTPServer(("127.0.0.1", 0), answer(state)) as http:
        state.url = f"http://127.0.0.1:{http.server_port}/{ARCHIVE}"
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield state
        http.shutdown()


@pytest.fixture(autouse=True)
def small_cifar10(known, server, tmp_path_factory, monkeypatch):
    """Let torchvision take the small set for CIFAR-10, the loopback server for its home, and spare the user's cache."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    for variable in ("COURSE_DATA", "COURSE_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(CIFAR10, "url", server.url)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(known.archive))
    for split, names in SPLITS.items():
        monkeypatch.setattr(CIFAR10, f"{split}_list", [[name, md5(known.files[name])] for name in names])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(known.files["batches.meta"])})


@pytest.fixture(autouse=True)
def few_photos(monkeypatch):
    """Six images in place of the photographs, which take a moment to cut."""

    def read(name):
        return Split(torch.zeros(6, 3, 32, 32, dtype=torch.uint8), torch.arange(6) % 2, ("a", "b"), "photos", name)

    monkeypatch.setattr(course_utils.data.sources, "read_photos", read)


@pytest.fixture
def offline(monkeypatch):
    """No server: the port is closed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{port}/{ARCHIVE}")


@pytest.fixture
def on_disk(tmp_path, known):
    known.write(tmp_path)
    return tmp_path


def cifar10(root, split="train", limit=None, **options):
    return load_images("cifar10", split, limit, root=root, **({"announce": False} | options))


def is_whole(root, known):
    return {file.name: file.read_bytes() for file in (root / FOLDER).iterdir()} == known.files


# Read from disk


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_images_and_labels_are_those_of_the_files(on_disk, known, split):
    images = cifar10(on_disk, split)
    assert np.array_equal(images.images.numpy(), known.pixels[split])
    assert images.labels.tolist() == known.labels[split]


def test_classes_source_and_split_are_noted(on_disk):
    images = cifar10(on_disk, "test")
    assert (images.classes, images.source, images.name) == (tuple(CLASSES), "cifar10", "test")


@pytest.mark.parametrize("limit", [1, PER_FILE - 1, PER_FILE, PER_FILE + 1, 5 * PER_FILE])
def test_limit_takes_the_first_images_and_keeps_no_others_alive(on_disk, known, limit):
    images = cifar10(on_disk, limit=limit)
    assert np.array_equal(images.images.numpy(), known.pixels["train"][:limit])
    assert images.images.untyped_storage().nbytes() == limit * 3072


@pytest.mark.parametrize("limit", [PER_FILE + 1, 2 * PER_FILE])
def test_the_reader_itself_stops_at_the_limit(on_disk, limit):
    assert len(read_cifar10(on_disk, "train", limit)) == limit


def test_cifar10_lies_in_channels_last_memory(on_disk):
    assert cifar10(on_disk).images.is_contiguous(memory_format=torch.channels_last)


def test_more_images_than_there_are_is_refused(on_disk):
    with pytest.raises(ValueError, match="limit must be at most 40 for CIFAR-10, train split, got 41"):
        cifar10(on_disk, limit=41)


@pytest.mark.parametrize("source", ["auto", "cifar10"])
def test_whole_files_are_used_without_a_network(on_disk, server, source, capsys):
    load_images(source, "test", None, root=on_disk)
    assert server.asked == []
    assert capsys.readouterr() == ("cifar10: 8 test images, 3 classes (found on disk)\n", "")


def test_whole_files_are_used_without_writing(on_disk):
    before = sorted(on_disk.rglob("*"))
    cifar10(on_disk)
    assert sorted(on_disk.rglob("*")) == before


def test_the_environment_chooses_cifar10_and_its_folder(on_disk, server, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "cifar10")
    monkeypatch.setenv("COURSE_DATA_DIR", str(on_disk))
    assert load_images(limit=None, announce=False).source == "cifar10"
    assert server.asked == []


def test_without_a_word_the_data_live_in_the_cache_of_the_user(tmp_path, known, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    known.write(tmp_path / ".cache" / "course_utils")
    assert load_images("auto", limit=None, announce=False).source == "cifar10"


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


# Recognised when damaged


def truncate(file):
    file.write_bytes(file.read_bytes()[:-10])


def change_one_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def empty(file):
    file.write_bytes(b"")


def replace_by_a_folder(file):
    file.unlink()
    file.mkdir()


DAMAGES = [truncate, change_one_byte, empty, Path.unlink]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "batches.meta"])
@pytest.mark.parametrize("damage", [*DAMAGES, replace_by_a_folder])
def test_damage_is_named_with_the_path_and_the_cure(on_disk, damage, name):
    damage(on_disk / FOLDER / name)
    with pytest.raises(DataError) as error:
        cifar10(on_disk)
    assert re.match(
        rf"{on_disk / FOLDER / name} is (damaged \(md5 sum\)|missing \(half extracted\)), ", str(error.value)
    )
    assert f'put {ARCHIVE} into {on_disk}, or use source="photos"' in str(error.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_repaired_from_the_network(on_disk, known, damage, capsys):
    damage(on_disk / FOLDER / "data_batch_3")
    images = cifar10(on_disk, announce=True)
    assert np.array_equal(images.images.numpy(), known.pixels["train"])
    assert capsys.readouterr().out == "cifar10: 40 train images, 3 classes (downloaded)\n"


@pytest.mark.usefixtures("offline")
def test_damage_is_repaired_from_an_archive_on_disk_without_a_network(on_disk, known):
    truncate(on_disk / FOLDER / "data_batch_3")
    (on_disk / ARCHIVE).write_bytes(known.archive)
    cifar10(on_disk)
    assert is_whole(on_disk, known)


def test_a_damaged_archive_is_fetched_again(tmp_path, known):
    (tmp_path / ARCHIVE).write_bytes(known.archive[:-10])
    cifar10(tmp_path)
    assert (tmp_path / ARCHIVE).read_bytes() == known.archive


def test_repair_leaves_other_files_in_the_folder_alone(on_disk):
    (on_disk / FOLDER / "notes.txt").write_text("mine", encoding="utf-8")
    truncate(on_disk / FOLDER / "test_batch")
    cifar10(on_disk, "test")
    assert (on_disk / FOLDER / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("offline")
def test_damage_in_files_that_are_not_needed_does_not_matter(on_disk):
    truncate(on_disk / FOLDER / "data_batch_3")
    assert len(cifar10(on_disk, "test")) == PER_FILE


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "CIFAR-10 on disk is damaged in data_batch_3"),
        (Path.unlink, "CIFAR-10 on disk lacks data_batch_3"),
    ],
)
def test_damage_makes_auto_fall_back_and_say_so(on_disk, damage, reason, capsys):
    damage(on_disk / FOLDER / "data_batch_3")
    load_images(limit=None, root=on_disk)
    assert capsys.readouterr().out == FELL_BACK.format(f"{reason} and its server cannot be reached")


# No network

UNREACHABLE = FELL_BACK.format("CIFAR-10 is not on disk and its server cannot be reached")


@pytest.mark.usefixtures("offline")
def test_without_a_network_auto_falls_back_and_says_so_in_one_line(tmp_path, capsys):
    load_images(limit=None, root=tmp_path)
    assert capsys.readouterr() == (UNREACHABLE, "")


@pytest.mark.usefixtures("offline")
def test_without_a_network_cifar10_is_refused_with_the_path_and_the_cure(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path / FOLDER} is not there, and CIFAR-10 cannot be fetched: http"):
        cifar10(tmp_path)


@pytest.mark.usefixtures("offline")
def test_without_a_network_no_empty_folder_is_made(tmp_path):
    load_images(limit=None, root=tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up_within_10_seconds(tmp_path, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/{ARCHIVE}")
        start = time.monotonic()
        load_images(limit=None, root=tmp_path)
        assert time.monotonic() - start < 10
    assert capsys.readouterr().out == UNREACHABLE


def test_a_name_that_takes_for_ever_to_look_up_is_given_up_as_well(tmp_path, monkeypatch, capsys):
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found.wait() and [])
    monkeypatch.setattr(course_utils.data.download, "ANSWER_S", 0.2)
    load_images(limit=None, root=tmp_path)
    found.set()
    assert capsys.readouterr().out == UNREACHABLE


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"status": 404}, "its server refuses the download"),
        ({"stop_after": 100}, "the download was cut off"),
        ({"content": b"log in"}, "what its server sent is damaged"),
    ],
)
def test_a_failed_download_makes_auto_fall_back_and_say_why(tmp_path, server, trouble, reason, capsys):
    for name, value in trouble.items():
        setattr(server, name, value)
    load_images(limit=None, root=tmp_path)
    assert capsys.readouterr().out == FELL_BACK.format(f"CIFAR-10 is not on disk and {reason}")


@pytest.mark.usefixtures("offline")
def test_photos_that_stand_in_refuse_a_limit_that_only_cifar10_could_meet(tmp_path):
    with pytest.raises(ValueError, match="limit must be at most 6 for photos, train split, got 7"):
        load_images(limit=7, root=tmp_path)


# Folders that cannot be used


@contextlib.contextmanager
def as_an_ordinary_user():
    """Whoever runs the tests, the superuser included, for whom no folder is read-only."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def read_only():
    root = Path(tempfile.mkdtemp())
    root.chmod(0o555)
    yield root
    root.chmod(0o755)
    shutil.rmtree(root)


def test_a_read_only_folder_is_named_with_the_cure(read_only):
    with (
        as_an_ordinary_user(),
        pytest.raises(DataError, match=rf"the data folder {read_only} cannot be used: .*denied.*COURSE_DATA_DIR"),
    ):
        cifar10(read_only)


def test_a_read_only_folder_makes_auto_fall_back_and_say_so(read_only, capsys):
    with as_an_ordinary_user():
        load_images(limit=None, root=read_only)
    assert capsys.readouterr().out == FELL_BACK.format("the data folder cannot be used")


def test_a_read_only_folder_with_whole_files_is_good_enough(read_only, known):
    read_only.chmod(0o755)
    known.write(read_only)
    read_only.chmod(0o555)
    with as_an_ordinary_user():
        assert len(cifar10(read_only)) == 5 * PER_FILE


@pytest.mark.parametrize("source", ["auto", "cifar10"])
def test_a_root_that_is_a_file_is_refused(tmp_path, source):
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"root must be a folder, {tmp_path / 'data'} is a file; try root='{tmp_path}'"
    ):
        load_images(source, root=tmp_path / "data")


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=rf"the data folder {tmp_path / 'data' / 'below'} cannot be used"):
        cifar10(tmp_path / "data" / "below")


# The real pictures


def test_the_real_images_are_those_that_torchvision_reads(real_cifar10):
    ours = load_images("cifar10", "test", None, root=real_cifar10, announce=False)
    theirs = CIFAR10(real_cifar10, train=False)
    assert np.array_equal(ours.images.permute(0, 2, 3, 1).numpy(), theirs.data)
    assert ours.labels.tolist() == theirs.targets
    assert ours.classes == tuple(theirs.classes)


def test_10_000_real_images_cost_at_most_31_megabytes(real_cifar10):
    images = load_images("cifar10", root=real_cifar10, announce=False)
    assert images.images.untyped_storage().nbytes() + images.labels.untyped_storage().nbytes() < 31e6
