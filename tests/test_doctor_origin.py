"""Where did NaN come from? In steps that are measured closely and in those that are not, and behind accumulation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor


def rooted(out, target, *, broken):
    """The root of a difference that is 0 where it is ``broken``: the loss is finite, its slope is not."""
    target = out.detach() if broken else target
    return (out - target).square().sum(dim=1).sqrt().mean()


def masked(out, target, *, broken):
    """A target that is NaN where it is ``broken``, taken out of the loss too late for its slope."""
    target[0] = float("nan") if broken else 0.0
    return torch.where(target.isnan(), 0.0, F.mse_loss(out, target, reduction="none")).mean()


def train(loss_of, when, *, parts=1, unused=False):
    """Train a line that breaks in one (step, part) of 30 steps; what the doctor found to be the origin."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with doctor.watch() as report:
        for step in range(30):
            optimizer.zero_grad()
            for part in range(parts):
                x, target = torch.randn(8, 3), torch.randn(8, 1)
                loss = loss_of(model(x), target, broken=(step, part) == when)
                (loss / parts).backward()
            if unused and step == when[0]:
                optimizer.zero_grad()
            optimizer.step()
    assert report.recording.stumble == ""
    return report.recording.not_finite


@pytest.mark.parametrize("step", [4, 20, 23])
@pytest.mark.parametrize(("loss_of", "where"), [(rooted, "backward"), (masked, "targets")])
def test_the_origin_is_named_in_the_step_in_which_it_comes_up(loss_of, where, step):
    found = train(loss_of, (step, 0))
    assert (found.where, found.step, found.masked) == (where, step, True)


@pytest.mark.parametrize("step", [4, 20, 23])
@pytest.mark.parametrize("part", [0, 2])
def test_the_origin_is_named_in_whichever_part_of_a_batch_it_comes_up(part, step):
    found = train(masked, (step, part), parts=3)
    assert (found.where, found.step, found.masked) == ("targets", step, True)


@pytest.mark.parametrize("step", [4, 23])
def test_a_slope_that_no_step_has_used_is_forgotten(step):
    assert train(rooted, (step, 0), unused=True) is None
