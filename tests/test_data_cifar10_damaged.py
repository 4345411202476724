"""CIFAR-10 damaged or out of reach: it is recognised, named with the cure, repaired, or photographs stand in."""

import re
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

import course_utils.data.cifar10
import course_utils.data.download
import course_utils.data.sources
from course_utils.data import DataError, load_images
from tests.helpers.small_cifar10 import ARCHIVE, FELL_BACK, FOLDER, PER_FILE, cifar10, is_whole

pytest.importorskip("resource", reason="the paths in the patterns of this file are not those of Windows")
pytestmark = pytest.mark.usefixtures("small_cifar10", "few_photos")


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
