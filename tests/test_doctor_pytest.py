"""The doctor's fixture: a test whose loop is ill fails, with the report as its text."""

import sys

import pytest

from tests.helpers.pages import block

pytest_plugins = ["pytester"]

# One session for all of them: a process can import torch once, and that takes longer than what they do.
TESTS = """
import pytest
import torch
from course_utils.doctor.probes import watched_attributes
from torch import nn

BEFORE = watched_attributes()

def train(*, clear=True, steps=12):
    torch.manual_seed(0)
    x = torch.randn(32, 4)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        if clear:
            optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x[:, :1]).backward()
        optimizer.step()

def test_healthy(loop_doctor):
    train()

def test_faulty(loop_doctor):
    train(clear=False)

def test_unwatched():
    train(clear=False)

@pytest.mark.loop_doctor(allow={"missing-zero-grad"})
def test_allowed(loop_doctor):
    train(clear=False, steps=3)

@pytest.mark.loop_doctor("missing-zero-grad")
def test_allowed_without_the_word(loop_doctor):
    train(clear=False, steps=3)

@pytest.mark.loop_doctor(allow=["missing-zero"])
def test_unknown_name(loop_doctor):
    train()

@pytest.mark.loop_doctor(steps=5)
def test_five_steps(loop_doctor):
    train(steps=5)
    train(clear=False)

@pytest.mark.loop_doctor(step=5)
def test_unknown_option(loop_doctor):
    train()

def test_empty(loop_doctor):
    pass

def test_own_failure(loop_doctor):
    train(clear=False)
    assert "own" == "failure"

def test_restored():
    assert watched_attributes() == BEFORE
"""


@pytest.fixture
def session(pytester):
    """What pytest says of ``TESTS``, and of those of the page, to someone who has the page's conftest.py."""
    pytester.makeconftest(block("DOCTOR.md", "conftest.py"))
    pytester.makepyfile(TESTS + block("DOCTOR.md", "test_training.py"))
    done = pytester.run(
        sys.executable, "-m", "pytest", "-rA", "--strict-markers", "-p", "no:nbval", "-p", "no:cacheprovider"
    )
    return done.outlines


def section(lines, name):
    """What is said of one test that failed."""
    start = next(i for i, line in enumerate(lines) if line.strip("_ ") in (name, f"ERROR at setup of {name}"))
    return "\n".join(lines[start:]).split("\n____")[0]


def test_a_fixture_and_a_marker_judge_the_loop_of_a_test(session):
    outcomes = {line.split("::")[1].split(" ")[0]: line.split(" ")[0] for line in session if "::test_" in line}
    assert outcomes == {
        "test_healthy": "PASSED", "test_faulty": "FAILED", "test_unwatched": "PASSED", "test_allowed": "PASSED",
        "test_allowed_without_the_word": "PASSED", "test_unknown_name": "FAILED", "test_five_steps": "PASSED",
        "test_unknown_option": "ERROR", "test_empty": "FAILED", "test_own_failure": "FAILED", "test_restored": "PASSED",
        "test_the_loop_is_healthy": "PASSED", "test_the_first_steps_are_healthy": "PASSED",
    }  # fmt: skip
    faulty = section(session, "test_faulty")
    assert faulty.splitlines()[1].startswith("Doctor: 1 finding")
    assert "ERROR missing-zero-grad" in faulty
    assert "allow must name findings, got ['missing-zero']" in section(session, "test_unknown_name")
    assert "unexpected keyword argument 'step'" in section(session, "test_unknown_option")
    assert "nothing to judge. 0 steps observed" in section(session, "test_empty")
    error, _, beside = section(session, "test_own_failure").partition(" loop doctor call ")
    assert "'own' == 'failure'" in error
    assert "ERROR missing-zero-grad" in beside
