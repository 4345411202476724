"""Several threads: each block is on what its own thread trains, and on what that thread has others do."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread

import pytest
import torch
import torch.nn.functional as F

from course_utils import doctor
from tests.helpers.doctor_programs import blobs, mlp

STEPS = 30


def train(*, forgets=False, between=lambda: None):
    """A training that may forget to clear its gradients; ``between`` is called within each step."""
    model, (x, y) = mlp(), blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(STEPS):
        i = 16 * (step % 8)
        if not forgets:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i : i + 16]), y[i : i + 16])
        between()
        loss.backward()
        optimizer.step()


def watched(**how):
    with doctor.watch() as report:
        train(**how)
    return report


def findings(report):
    assert report.recording.stumble == ""
    return [finding.name for finding in report.findings]


def test_two_watched_trainings_at_a_time_are_told_apart():
    """They take turns within each step: loss and backward pass of one lie between those of the other."""
    turn = Barrier(2, timeout=60)
    with ThreadPoolExecutor(2) as pool:
        sound = pool.submit(watched, between=turn.wait)
        faulty = pool.submit(watched, forgets=True, between=turn.wait)
    assert findings(sound.result()) == []
    assert findings(faulty.result())[:1] == ["missing-zero-grad"]
    assert [len(report.result().recording.updates) for report in (sound, faulty)] == [STEPS, STEPS]


def test_what_another_thread_trains_meanwhile_is_not_the_blocks():
    """It was there before the block, as a training in the background is."""
    turn = Barrier(2, timeout=60)
    other = Thread(target=train, kwargs={"forgets": True, "between": turn.wait})
    other.start()
    report = watched(between=turn.wait)
    other.join()
    assert findings(report) == []
    assert len(report.recording.updates) == STEPS


@pytest.mark.parametrize("forgets", [False, True])
def test_what_the_block_has_a_thread_do_is_its_own(forgets):
    with doctor.watch() as report:
        other = Thread(target=train, kwargs={"forgets": forgets})
        other.start()
        other.join()
    assert findings(report)[:1] == (["missing-zero-grad"] if forgets else [])
    assert len(report.recording.updates) == STEPS


def test_an_experiment_in_one_thread_leaves_the_block_of_another_alone():
    model, (x, y) = mlp(), blobs()
    with ThreadPoolExecutor(1) as pool:
        report = watched(between=lambda: pool.submit(doctor.examine, model, (x, y), F.cross_entropy).result())
    assert findings(report) == []
    assert len(report.recording.updates) == STEPS
