"""Batches: are they those of DataLoader, in the order of seed and epoch, from any position on?"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from course_utils.data import Loader, load_images
from course_utils.seeding import generator
from tests.helpers.random_images import some_split


def same_batches(one, other):
    return all(torch.equal(a, b) for pair in zip(one, other, strict=True) for a, b in zip(*pair, strict=True))


class Pictures(Dataset):
    """The images of a split as the notes' DataLoader sees them: PIL images through ToTensor."""

    def __init__(self, split):
        from torchvision.transforms import ToTensor
        from torchvision.transforms.functional import to_pil_image

        self.pictures = [to_pil_image(image) for image in split.images]
        self.labels = split.labels.tolist()
        self.to_tensor = ToTensor()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.to_tensor(self.pictures[index]), self.labels[index]


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_batches_are_exactly_those_of_dataloader_and_totensor(drop_last):
    split = load_images("photos", "train", 150, announce=False)
    theirs = DataLoader(Pictures(split), batch_size=64, drop_last=drop_last)
    assert same_batches(Loader(split, drop_last=drop_last, shuffle=False), theirs)


def test_shuffled_batches_follow_the_stream_of_seed_and_epoch():
    split = some_split(50)
    order = torch.randperm(50, generator=generator(3, "order", 2))
    images, labels = zip(*Loader(split, batch_size=8, seed=3).batches(2), strict=True)
    assert torch.equal(torch.cat(images), split.images[order] / 255)
    assert torch.equal(torch.cat(labels), split.labels[order])


def test_batches_are_float32_in_channels_last_memory():
    images, labels = next(iter(Loader(some_split(), batch_size=4)))
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


def test_planar_images_give_the_same_batches_in_channels_last_memory():
    planar, channels_last = Loader(some_split(planar=True)), Loader(some_split())
    assert same_batches(planar.batches(0), channels_last.batches(0))
    assert next(iter(planar))[0].is_contiguous(memory_format=torch.channels_last)


@settings(derandomize=True, deadline=None)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), drop_last=st.booleans())
def test_the_number_and_sizes_of_batches_are_those_of_dataloader(n, batch_size, drop_last):
    theirs = DataLoader(range(n), batch_size=batch_size, drop_last=drop_last)
    if len(theirs) == 0:
        with pytest.raises(ValueError, match="drop_last=True leaves no batch"):
            Loader(some_split(n), batch_size=batch_size, drop_last=drop_last)
        return
    loader = Loader(some_split(n), batch_size=batch_size, drop_last=drop_last)
    assert len(loader) == len(theirs)
    assert [len(labels) for _, labels in loader] == [len(batch) for batch in theirs]


@settings(derandomize=True, deadline=None)
@given(data=st.data(), n=st.integers(1, 30), batch_size=st.integers(1, 10), epoch=st.integers(0, 5))
def test_an_epoch_can_be_entered_at_any_batch(data, n, batch_size, epoch):
    loader = Loader(some_split(n), batch_size=batch_size)
    start = data.draw(st.integers(0, len(loader)))
    assert same_batches(loader.batches(epoch, start), list(loader.batches(epoch))[start:])


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_each_loop_is_the_next_epoch(epoch):
    loader = Loader(some_split(30), batch_size=8)
    loops = [list(loader) for _ in range(3)]
    assert same_batches(loops[epoch], loader.batches(epoch))


def test_the_next_epoch_has_another_order():
    loader = Loader(some_split(30), batch_size=30)
    (first, _), (second, _) = *loader, *loader
    assert not torch.equal(first, second)


def test_another_seed_gives_another_order():
    (one, _), (other, _) = (next(Loader(some_split(30), seed=seed).batches(0)) for seed in (0, 1))
    assert not torch.equal(one, other)


def test_a_loader_neither_hears_nor_moves_the_global_random_stream():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    batches = list(Loader(some_split(30)))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert same_batches(batches, Loader(some_split(30)))


def test_the_images_are_not_copied():
    split = some_split()
    loader = Loader(split, shuffle=False)
    split.images[0] = 255
    assert next(iter(loader))[0][0].min() == 1


def test_a_batch_may_be_changed_without_harm_to_the_images():
    split = some_split()
    before = split.images.clone()
    images, labels = next(iter(Loader(split)))
    images.zero_()
    labels.zero_()
    assert torch.equal(split.images, before)
    assert split.labels.any()


def test_batches_lie_on_the_chosen_device():
    images, labels = next(iter(Loader(some_split(), device="meta")))
    assert (images.device.type, labels.device.type) == ("meta", "meta")


def test_a_loader_says_in_one_line_what_it_gives():
    assert repr(Loader(some_split(100))) == "Loader(photos, train split: 2 batches of 64)"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"split": [1, 2]}, TypeError, "split must be a Split, got list"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number of 1 or more, got 0"),
        ({"batch_size": -64}, ValueError, "batch_size must be a whole number of 1 or more, got -64"),
        ({"batch_size": True}, TypeError, "batch_size must be a whole number of 1 or more, got True"),
        ({"batch_size": 64.0}, TypeError, "batch_size must be a whole number of 1 or more, got 64.0"),
        ({"batch_size": float("inf")}, TypeError, "batch_size must be a whole number of 1 or more, got inf"),
        ({"batch_size": None}, TypeError, "batch_size must be a whole number of 1 or more, got None"),
        ({"seed": 1.5}, TypeError, "seed must be a whole number, got 1.5"),
        ({"drop_last": 1}, TypeError, "drop_last must be True or False, got 1"),
        ({"shuffle": "yes"}, TypeError, "shuffle must be True or False, got 'yes'"),
        ({"batch_size": 11, "drop_last": True}, ValueError, "batch_size is 11, the split has 10 images"),
        ({"device": "abacus"}, ValueError, "device must be"),
    ],
)
def test_a_loader_refuses_what_it_cannot_do(arguments, error, words):
    with pytest.raises(error, match=words):
        Loader(**({"split": some_split()} | arguments))


@pytest.mark.parametrize(
    ("position", "error", "words"),
    [
        ((-1,), ValueError, "epoch must be a whole number of 0 or more, got -1"),
        ((1.0,), TypeError, "epoch must be a whole number of 0 or more, got 1.0"),
        ((0, -1), ValueError, "start must be a whole number from 0 to 3, got -1"),
        ((0, 4), ValueError, "start must be a whole number from 0 to 3, got 4"),
        ((0, True), TypeError, "start must be a whole number from 0 to 3, got True"),
        ((0, 1.0), TypeError, "start must be a whole number from 0 to 3, got 1.0"),
    ],
)
def test_a_position_that_is_not_there_is_refused_before_the_first_batch(position, error, words):
    with pytest.raises(error, match=words):
        Loader(some_split(10), batch_size=4).batches(*position)
