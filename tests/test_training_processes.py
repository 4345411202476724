"""Which process is this, and which device is its own? As torchrun numbers them, alone, with GPUs and on Apple's."""

from dataclasses import replace

import pytest
import torch

from course_utils.training import Worker, this_worker


def test_without_torchrun_a_process_is_the_only_one(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert this_worker() == Worker(rank=0, local_rank=0, world_size=1)


def test_torchrun_numbers_the_processes_in_the_environment(monkeypatch):
    for name, value in {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    assert this_worker() == Worker(rank=5, local_rank=1, world_size=8)
    assert not this_worker().leads
    assert replace(this_worker(), rank=0).leads


def test_a_number_of_processes_that_is_none_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="the environment variable WORLD_SIZE must be a number, got 'two'"):
        this_worker()


@pytest.fixture
def two_gpus(monkeypatch):
    """As pick_device would see them; no tensor is put there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("wish", ["auto", "cuda"])
def test_each_process_takes_the_gpu_of_its_number_on_its_machine(wish, two_gpus):
    assert Worker(rank=3, local_rank=1, world_size=4).device(wish) == torch.device("cuda:1")


def test_on_a_machine_with_gpus_processes_may_still_take_the_cpu(two_gpus):
    assert Worker(rank=1, local_rank=1, world_size=2).device("cpu") == torch.device("cpu")


def test_one_process_takes_any_gpu_it_names(two_gpus):
    assert Worker().device("cuda:1") == torch.device("cuda:1")


def test_more_processes_than_gpus_are_refused_in_words(two_gpus):
    with pytest.raises(ValueError, match=r'finds 2 GPUs, and each process needs its own.* try "cpu"'):
        Worker(rank=2, local_rank=2, world_size=3).device()


def test_one_gpu_for_all_processes_is_refused_in_words(two_gpus):
    with pytest.raises(ValueError, match="each process takes the GPU of its own number, got 'cuda:0'; try \"cuda\""):
        Worker(rank=1, local_rank=1, world_size=2).device("cuda:0")


@pytest.fixture
def apple(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


def test_on_apple_several_processes_take_the_cpu_and_one_the_gpu(apple):
    assert Worker(world_size=2).device() == torch.device("cpu")
    assert Worker().device() == torch.device("mps")


def test_several_processes_on_apples_gpu_are_refused_in_words(apple):
    with pytest.raises(ValueError, match="several processes train on cpu or cuda, got mps"):
        Worker(world_size=2).device("mps")
