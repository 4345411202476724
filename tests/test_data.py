"""Images: the embedded photographs, splits of images, and the choice among sources."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import course_utils.data
from course_utils.data import load_images
from course_utils.data.patches import CLASSES, read_pixels
from course_utils.seeding import generator
from tests.helpers.random_images import some_split

PHOTOS = Path(course_utils.data.__file__).parent / "photos"


@pytest.fixture(scope="module")
def photos():
    return {name: load_images("photos", name, announce=False) for name in ("train", "test")}


# Split


def test_a_split_says_in_one_line_what_it_is():
    assert repr(some_split()) == "Split(photos train: 10 images, 2 classes)"


@pytest.mark.parametrize(
    ("source", "name", "title"),
    [("photos", "train", "photos, train split"), ("cifar10", "test", "CIFAR-10, test split")],
)
def test_the_title_names_source_and_split(source, name, title):
    assert some_split(source=source, name=name).title == title


def test_take_gives_the_first_images_with_their_labels():
    split = some_split()
    taken = split.take(3)
    assert torch.equal(taken.images, split.images[:3])
    assert torch.equal(taken.labels, split.labels[:3])


def test_take_lets_go_of_the_other_images():
    assert some_split(1000).take(2).images.untyped_storage().nbytes() == 2 * 3072


def test_take_keeps_channels_last():
    assert some_split().take(3).images.is_contiguous(memory_format=torch.channels_last)


def test_a_split_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        some_split().name = "test"


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"images": torch.zeros(10, 3, 32, 32)}, TypeError, "images must be a tensor of torch.uint8, got torch.f"),
        ({"images": [1, 2]}, TypeError, "images must be a tensor of torch.uint8, got list"),
        ({"images": torch.zeros(10, 32, 32, 3, dtype=torch.uint8)}, ValueError, r"the shape \(n, 3, 32, 32\)"),
        ({"images": torch.zeros(0, 3, 32, 32, dtype=torch.uint8)}, ValueError, "n of 1 or more"),
        ({"labels": torch.zeros(10)}, TypeError, "labels must be a tensor of torch.int64, got torch.float32"),
        ({"labels": torch.zeros(10, 1, dtype=torch.int64)}, ValueError, r"the shape \(n\)"),
        ({"labels": torch.zeros(9, dtype=torch.int64)}, ValueError, "must pair up, got 10 and 9"),
        ({"labels": torch.full((10,), 2)}, ValueError, "labels must be 0 to 1 for 2 classes, got 2 to 2"),
        ({"labels": torch.full((10,), -1)}, ValueError, "got -1 to -1"),
        ({"classes": ["cat", "rocket"]}, TypeError, "classes must be a tuple of names"),
        ({"classes": (0, 1)}, TypeError, r"classes\[0\] must be a text, got 0"),
        ({"classes": ()}, ValueError, "labels must be 0 to -1"),
        ({"source": "imagenet"}, ValueError, "source must be one of"),
        ({"name": "validation"}, ValueError, "name must be one of"),
    ],
)  # fmt: skip
def test_a_split_refuses_what_does_not_fit(changed, error, words):
    with pytest.raises(error, match=words):
        some_split(**changed)


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (11, ValueError), (True, TypeError), (2.0, TypeError)]
)
def test_take_refuses_a_number_of_images_that_is_not_there(n, error):
    with pytest.raises(error, match="n must be"):
        some_split().take(n)


# The embedded photographs


@pytest.mark.parametrize("name", ["train", "test"])
def test_photos_have_1000_patches_of_each_class(photos, name):
    assert photos[name].labels.bincount().tolist() == [1000] * 10


@pytest.mark.parametrize(
    ("name", "md5"),
    [("train", "fccca0b2e80d1aa0490b80ddb741b84d"), ("test", "ce86e099918536c6b703a195e1f7fbe8")],
)
def test_photos_are_the_same_on_every_machine(photos, name, md5):
    pixels = photos[name].images.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    labels = photos[name].labels.numpy().astype("<i8").tobytes()
    assert hashlib.md5(pixels + labels).hexdigest() == md5


def test_10_000_images_cost_3072_bytes_each_and_no_more(photos):
    assert photos["train"].images.untyped_storage().nbytes() == 10_000 * 3 * 32 * 32 < 31e6


def test_photos_lie_in_channels_last_memory(photos):
    assert photos["train"].images.is_contiguous(memory_format=torch.channels_last)


def test_a_few_photos_are_the_first_ones_and_cost_little(photos):
    few = load_images("photos", "train", 100, announce=False)
    assert torch.equal(few.images, photos["train"].images[:100])
    assert few.images.untyped_storage().nbytes() == 100 * 3072


def test_no_limit_means_all_photos():
    assert len(load_images("photos", "test", None, announce=False)) == 10_000


def test_any_run_of_photos_holds_all_classes_about_equally(photos):
    counts = photos["train"].labels[:1000].bincount(minlength=10)
    assert counts.min() > 70
    assert counts.max() < 130


def fingerprints(pixels, mirrored=False):
    """A number for each 32 x 32 window of (..., rows, columns, 3), from 30 of its pixels."""
    spots = torch.randint(0, 32, (30, 2), generator=generator(0, "spots")).tolist()
    weights = torch.randint(-(2**40), 2**40, (30, 3), generator=generator(0, "weights"))
    rows, columns = pixels.shape[-3] - 31, pixels.shape[-2] - 31
    return sum(
        (pixels[..., y : y + rows, (x := 31 - x0 if mirrored else x0) : x + columns, :].long() * weight).sum(-1)
        for (y, x0), weight in zip(spots, weights, strict=True)
    )


def pixels_of(split, photo):
    """Which pixels of the photograph occur in the split's patches, found again by searching for each of them."""
    windows = {number: place for place, number in enumerate(fingerprints(read_pixels(photo)).flatten().tolist())}
    patches = split.images[split.labels == CLASSES.index(photo)].permute(0, 2, 3, 1)
    seen = torch.zeros(300, 300, dtype=torch.bool)
    for plain, mirrored in zip(fingerprints(patches), fingerprints(patches, mirrored=True), strict=True):
        place = windows.get(plain.item(), windows.get(mirrored.item()))
        row, column = divmod(place, 269)
        seen[row : row + 32, column : column + 32] = True
    return seen


@pytest.mark.parametrize("photo", ["admiral", "raccoon"])
def test_no_pixel_of_a_test_patch_is_ever_trained_on(photos, photo):
    train, test = pixels_of(photos["train"], photo), pixels_of(photos["test"], photo)
    assert not (train & test).any()
    assert train.float().mean() > 0.5
    assert test.float().mean() > 0.1


@pytest.mark.parametrize("name", ["train", "test"])
def test_no_two_patches_are_the_same(photos, name):
    assert len(set(map(bytes, photos[name].images.flatten(1).numpy()))) == 10_000


def test_the_photographs_take_at_most_two_megabytes():
    assert sum(file.stat().st_size for file in PHOTOS.iterdir() if file.is_file()) <= 2e6


def test_every_photograph_has_its_author_licence_and_source():
    rows = [
        line.split("|")[1:-1]
        for line in (PHOTOS / "LICENSES.md").read_text(encoding="utf-8").splitlines()
        if "png` |" in line
    ]
    assert [row[0].strip() for row in rows] == [f"`{name}.png`" for name in CLASSES]
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)


def test_the_folder_holds_these_photographs_and_no_other():
    assert sorted(file.stem for file in PHOTOS.glob("*.png")) == sorted(CLASSES)


def test_photos_need_neither_torchvision_nor_a_network():
    code = (
        "import socket, sys; socket.socket.connect = socket.getaddrinfo = None\n"
        "from course_utils.data import Loader, load_images\n"
        "next(iter(Loader(load_images('photos', limit=64))))\n"
        "print('torchvision' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1] == "False"


# load_images

LINE = "photos: 10,000 train images, 10 classes (embedded, no network needed)\n"


def test_one_line_says_which_images_and_why(capsys):
    load_images("photos")
    assert capsys.readouterr().out == LINE


def test_the_environment_chooses_the_photos_with_the_same_line(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "photos")
    load_images()
    assert capsys.readouterr().out == LINE


def test_a_source_named_in_the_call_beats_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "cifar10")
    load_images("photos", "test", 20)
    assert capsys.readouterr().out == "photos: 20 test images, 10 classes (embedded, no network needed)\n"


def test_nothing_is_printed_when_not_wanted(capsys):
    load_images("photos", limit=10, announce=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"source": "imagenet"}, ValueError, "source must be one of 'auto', 'cifar10', 'photos', got 'imagenet'"),
        ({"source": None}, ValueError, "source must be one of"),
        ({"split": "validation"}, ValueError, "split must be one of"),
        ({"split": True}, ValueError, "split must be one of"),
        ({"limit": 0}, ValueError, "limit must be a whole number of 1 or more, got 0"),
        ({"limit": -5}, ValueError, "limit must be a whole number of 1 or more, got -5"),
        ({"limit": 10_001}, ValueError, "limit must be at most 10,000 for photos, train split, got 10,001"),
        ({"limit": 10**30}, ValueError, "limit must be at most 10,000"),
        ({"limit": True}, TypeError, "limit must be a whole number of 1 or more, got True"),
        ({"limit": 100.0}, TypeError, "limit must be a whole number of 1 or more, got 100.0"),
        ({"limit": float("nan")}, TypeError, "limit must be a whole number of 1 or more, got nan"),
        ({"limit": "100"}, TypeError, "limit must be a whole number of 1 or more, got '100'"),
        ({"root": 7}, TypeError, "root must be a path, got int"),
    ],
)
def test_load_images_refuses_what_it_cannot_give(arguments, error, words):
    with pytest.raises(error, match=words):
        load_images(**({"source": "photos", "announce": False} | arguments))


def test_a_wrong_wish_in_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "mnist")
    with pytest.raises(ValueError, match=r"COURSE_DATA must be one of .* got 'mnist'"):
        load_images()
