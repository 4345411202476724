"""Real CIFAR-10 pictures for tests, on the machines that have them.

They are stored as JPEG beside a script ``build.py`` that writes them as the files torchvision reads. Their md5 sums are
not the official ones, so a test that uses them replaces the sums which torchvision knows.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SIBLING = Path(__file__).parents[3] / "shared" / "cifar10"


def real_images_folder() -> Path | None:
    """The folder with ``build.py``: what COURSE_TEST_CIFAR10 says, or beside the repository; None if absent."""
    folder = Path(os.environ.get("COURSE_TEST_CIFAR10") or SIBLING)
    return folder if (folder / "build.py").is_file() else None


def build_real_cifar10(root: Path) -> dict[str, str]:
    """Write ``root``/cifar-10-batches-py, in about 20 s; returns the md5 sum of each file."""
    folder = real_images_folder()
    if folder is None:
        pytest.skip("no real CIFAR-10 pictures here: set COURSE_TEST_CIFAR10 to the folder that has their build.py")
    printed = subprocess.check_output([sys.executable, folder / "build.py", root], text=True)
    return dict(line.split() for line in printed.splitlines())


def let_torchvision_accept(sums: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the md5 sums that torchvision knows by ``sums``."""
    from torchvision.datasets import CIFAR10

    for attribute in ("train_list", "test_list"):
        files = [[file, sums[file]] for file, _ in getattr(CIFAR10, attribute)]
        monkeypatch.setattr(CIFAR10, attribute, files)
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums[CIFAR10.meta["filename"]]})


@pytest.fixture(scope="session")
def built_cifar10(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder and the md5 sums, written once in a session."""
    root = tmp_path_factory.mktemp("real_cifar10")
    return root, build_real_cifar10(root)


@pytest.fixture
def real_cifar10(built_cifar10: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root for ``load_images("cifar10", root=...)`` with real pictures; skips where there are none."""
    root, sums = built_cifar10
    let_torchvision_accept(sums, monkeypatch)
    return root
