"""Which CIFAR-10 do the tests fetch, read and damage? Eight images a file, and a loopback server that sends them."""

import contextlib
import hashlib
import io
import pickle
import re
import socket
import tarfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

import course_utils.data.sources
from course_utils.data import Split, load_images

__all__ = [
    "ARCHIVE",
    "CLASSES",
    "FELL_BACK",
    "FOLDER",
    "PER_FILE",
    "cifar10",
    "few_photos",
    "is_whole",
    "known",
    "md5",
    "offline",
    "on_disk",
    "packed",
    "server",
    "small_cifar10",
]

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


@pytest.fixture
def small_cifar10(known, server, tmp_path_factory, monkeypatch):
    """Let torchvision take the small set for CIFAR-10, the loopback server for its home, and spare the user's cache."""
    from torchvision.datasets import CIFAR10

    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    for variable in ("COURSE_DATA", "COURSE_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(CIFAR10, "url", server.url)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(known.archive))
    for split, names in SPLITS.items():
        monkeypatch.setattr(CIFAR10, f"{split}_list", [[name, md5(known.files[name])] for name in names])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(known.files["batches.meta"])})


@pytest.fixture
def few_photos(monkeypatch):
    """Six images in place of the photographs, which take a moment to cut."""

    def read(name):
        return Split(torch.zeros(6, 3, 32, 32, dtype=torch.uint8), torch.arange(6) % 2, ("a", "b"), "photos", name)

    monkeypatch.setattr(course_utils.data.sources, "read_photos", read)


@pytest.fixture
def offline(small_cifar10, monkeypatch):
    """No server: the port is closed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr("torchvision.datasets.CIFAR10.url", f"http://127.0.0.1:{port}/{ARCHIVE}")


@pytest.fixture
def on_disk(tmp_path, known):
    known.write(tmp_path)
    return tmp_path


def cifar10(root, split="train", limit=None, **options):
    return load_images("cifar10", split, limit, root=root, **({"announce": False} | options))


def is_whole(root, known):
    return {file.name: file.read_bytes() for file in (root / FOLDER).iterdir()} == known.files
