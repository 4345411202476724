"""Fixtures that several test files share."""

import signal

import pytest

from tests.helpers.kept_runs import path, two
from tests.helpers.real_images import built_cifar10, real_cifar10
from tests.helpers.small_cifar10 import few_photos, known, offline, on_disk, server, small_cifar10

__all__ = [
    "built_cifar10",
    "ctrl_c_works",
    "few_photos",
    "known",
    "offline",
    "on_disk",
    "path",
    "pytest_terminal_summary",
    "real_cifar10",
    "server",
    "small_cifar10",
    "tell",
    "two",
]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works():
    """A process that was started in the background ignores Ctrl-C, and so would all that the tests send."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture
def tell(record_property):
    """``tell(words)``: a line at the end of the tests, however the test ends and whichever process it ran in."""
    return lambda words: record_property("told", words)


def pytest_terminal_summary(terminalreporter):
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    told = [words for report in reports for name, words in report.user_properties if name == "told"]
    if told:
        terminalreporter.section("counted")
        for words in told:
            terminalreporter.write_line(words)
