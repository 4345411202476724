"""CIFAR-10 on disk: are its images read as they are, and which folders cannot be used?"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from course_utils.data import DataError, load_images
from course_utils.data.cifar10 import read_cifar10
from tests.helpers.small_cifar10 import CLASSES, FELL_BACK, PER_FILE, cifar10

pytest.importorskip("resource", reason="the rights of a folder, and os.seteuid, are not to be had on Windows")
pytestmark = pytest.mark.usefixtures("small_cifar10", "few_photos")


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
