"""Fixtures that several test files share."""

import signal

import pytest

from tests.real_images import built_cifar10, real_cifar10

__all__ = ["built_cifar10", "ctrl_c_works", "real_cifar10"]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works():
    """A process that was started in the background ignores Ctrl-C, and so would all that the tests send."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
