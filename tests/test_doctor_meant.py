"""Is it the loss that was meant, the plan, the copy? What the rules say at their edges, and of programs near them."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor.measures import LossValue
from course_utils.doctor.recording import ModelFacts, Recording, SchedulerFacts, UntrainedFacts, Update
from course_utils.doctor.rules import copies, objective, order, scheduling

STEPS = 64


def planned(steps, *, plan=100, kind="OneCycleLR", updates=100, complete=True):
    scheduler = SchedulerFacts(kind, 0, steps, plan)
    return Recording(updates=(Update(),) * updates, schedulers=(scheduler,), complete=complete)


@pytest.mark.parametrize(
    ("recording", "found"),
    [
        (planned(10), True),
        (planned(25), True),
        (planned(26), False),
        (planned(100), False),
        (planned(1), False),
        (planned(10, plan=102), True),
        (planned(10, plan=110), False),
        (planned(10, plan=10), False),
        (planned(10, kind="StepLR"), False),
        (planned(10, complete=False), False),
    ],
)
def test_a_plan_in_batches_is_not_stepped_by_epochs(recording, found):
    assert bool(scheduling.scheduler_stepped_per_epoch(recording)) is found


def measured(*values):
    return Recording(measures=tuple(LossValue(step=step, value=float(value)) for step, value in enumerate(values)))


def repeated(*lows):
    return [low for low in lows for _ in range(4)]


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        (repeated(2, 1, 0, -3, -15, -60), True),
        (repeated(2, 1, 0, -3, -15, -60) + [float("nan")] * 9, True),
        (repeated(2, 1, 0, -1, -3, -9), False),  # not yet far below the beginning
        (repeated(2, -20, -30, -35, -38, -40), False),  # it has an end
        (repeated(2, -10, -20, -30, -40, -50), False),  # at a steady pace, as a critic's
        (repeated(60, 58, 50, 40, 20, 1), False),  # above zero
        ([2, 1, 0, -3, -15, -60], False),  # too few
    ],
)
def test_a_loss_without_a_lower_end_falls_faster_and_faster(losses, found):
    assert bool(objective.loss_without_end(measured(*losses))) is found


def of_a_copy(**changed):
    facts = replace(UntrainedFacts(1, moved=False, updates=100, times=5, copy_of=0), **changed)
    return Recording(models=(ModelFacts(0), ModelFacts(1)), untrained=(facts,))


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, True),
        ({"moved": True}, False),
        ({"copy_of": None}, False),
        ({"times": 2}, False),
        ({"times": 90}, False),  # a teacher, asked at every step
        ({"updates": 16, "times": 3}, False),
    ],
)
def test_a_copy_that_is_only_measured_should_change(changed, found):
    assert bool(copies.measured_copy_never_changes(of_a_copy(**changed))) is found


def data():
    x = torch.randn(256, 8)
    return x, x[:, :3].argmax(1), x[:, 3:6].argmax(1)


def several_tasks():
    """Each head steps on its own loss, and the trunk on the sum of both; the trunk steps before the second head."""
    trunk, one, other = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 3)
    steps = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (trunk, one, other)]
    x, y, z = data()
    for i in range(STEPS):
        rows = slice(16 * (i % 16), 16 * (i % 16) + 16)
        for optimizer in steps:
            optimizer.zero_grad()
        F.cross_entropy(one(trunk(x[rows]).relu()), y[rows]).backward()
        steps[1].step()
        F.cross_entropy(other(trunk(x[rows]).relu()), z[rows]).backward()
        steps[0].step()
        steps[2].step()


def two_paces():
    """The last layer gathers the gradients of four steps of the first."""
    first, last = nn.Linear(8, 16), nn.Linear(16, 3)
    fast, slow = (torch.optim.SGD(part.parameters(), lr=0.1) for part in (first, last))
    x, y, _ = data()
    for i in range(STEPS):
        rows = slice(16 * (i % 16), 16 * (i % 16) + 16)
        F.cross_entropy(last(first(x[rows]).relu()), y[rows]).backward()
        if i % 4 == 3:
            slow.step()
            slow.zero_grad()
        fast.step()
        fast.zero_grad()


def a_teacher():
    """It has the weights that the student began with, and keeps them."""
    student = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    teacher, optimizer = copy.deepcopy(student), torch.optim.SGD(student.parameters(), lr=0.1)
    x, y, _ = data()
    for i in range(STEPS):
        rows = slice(16 * (i % 16), 16 * (i % 16) + 16)
        with torch.no_grad():
            soft = teacher(x[rows]).softmax(1)
        optimizer.zero_grad()
        scores = student(x[rows])
        near = F.kl_div(scores.log_softmax(1), soft, reduction="batchmean")
        (F.cross_entropy(scores, y[rows]) + 0.01 * near).backward()
        optimizer.step()


@pytest.mark.parametrize("program", [several_tasks, two_paces, a_teacher], ids=lambda program: program.__name__)
def test_losses_copies_and_paces_that_are_meant_accuse_nobody(program):
    torch.manual_seed(0)
    with doctor.watch() as report:
        program()
    assert report.recording.stumble == ""
    assert report.findings == ()


def test_gradients_that_were_never_cleared_are_told_by_their_own_name():
    updates = tuple(Update(others=2, stale=2) for _ in range(9))
    assert order.gradient_of_another_loss(Recording(updates=updates)) is None
