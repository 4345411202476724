"""Random streams: each depends on (seed, purpose, epoch) and on nothing else."""

import itertools

import pytest
import torch

from course_utils.seeding import generator, stream_seed


def test_the_same_three_values_give_the_same_numbers():
    assert torch.equal(
        torch.rand(8, generator=generator(1, "order", 2)), torch.rand(8, generator=generator(1, "order", 2))
    )


def test_seed_purpose_and_epoch_each_give_another_stream():
    streams = [stream_seed(*key) for key in itertools.product(range(20), ("order", "weights", "step"), range(20))]
    assert len(set(streams)) == len(streams)


def test_neighbouring_epochs_are_not_correlated():
    a, b = (torch.randn(10_000, generator=generator(0, "order", epoch)) for epoch in (0, 1))
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.05


def test_the_streams_stay_what_they_were_in_earlier_releases():
    assert stream_seed(0, "weights") == 4_362_053_507_750_869_513


def test_the_global_stream_is_left_alone():
    state = torch.get_rng_state()
    torch.rand(3, generator=generator(0, "order"))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrong", [1.5, "0", None, True])
def test_a_seed_that_is_no_int_is_refused_in_words(wrong):
    with pytest.raises(TypeError, match=r"seed must be a whole number, got .*; try 0"):
        generator(wrong, "order")


def test_a_negative_epoch_is_refused_in_words():
    with pytest.raises(ValueError, match="epoch must be a whole number of 0 or more, got -1"):
        generator(0, "order", -1)
