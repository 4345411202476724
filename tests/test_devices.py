"""Choosing a device by name."""

import pytest
import torch

from course_utils import devices
from course_utils.devices import pick_device


@pytest.fixture
def machine(monkeypatch):
    """A machine that has just the named accelerators."""

    def having(*names):
        monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(devices.torch.backends.mps, "is_available", lambda: "mps" in names)

    return having


@pytest.mark.parametrize(
    ("present", "chosen"), [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")]
)
def test_auto_takes_the_fastest_device_there_is(machine, present, chosen):
    machine(*present)
    assert pick_device("auto") == torch.device(chosen)


def test_a_device_that_is_there_is_taken_by_name(machine):
    machine("cuda")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device(torch.device("cpu")) == torch.device("cpu")


def test_a_device_that_is_absent_is_refused_with_what_there_is(machine):
    machine()
    with pytest.raises(ValueError, match=r"no device 'cuda', only \['cpu'\]; try device=\"auto\""):
        pick_device("cuda")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="got 'gpu'"):
        pick_device("gpu")


@pytest.mark.parametrize("wrong", [None, 0, 1.5])
def test_a_device_that_is_no_name_is_refused(wrong):
    with pytest.raises(TypeError, match=r"device must be a string or a torch\.device"):
        pick_device(wrong)
