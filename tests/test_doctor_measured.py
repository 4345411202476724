"""What is seen of a model while it is measured: the same after any number of steps, measured ones or not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor.rhythm import closely
from tests.helpers.doctor_programs import blobs, mlp

STEPS = [20, 23]  # before the model is measured


def faults(model, steps, measure):
    """Train ``model`` for some steps and ``measure(x, y)`` it, both twice; the findings above a note."""
    (x, y), optimizer = blobs(), torch.optim.SGD(model.parameters(), lr=0.1)
    with doctor.watch() as report:
        for _ in range(2):
            model.train()
            for step in range(steps):
                rows = slice(step * 8 % 192, step * 8 % 192 + 32)
                optimizer.zero_grad()
                F.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                measure(x[-32:], y[-32:])
    return [finding.name for finding in report.findings if finding.severity != "note"]


def test_one_of_the_two_lengths_ends_at_a_step_that_is_not_measured():
    assert [closely(steps) for steps in STEPS] == [True, False]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("factor", "found"), [(1.0, []), (255.0, ["measured-in-another-scale"])])
def test_the_scale_of_the_inputs_is_compared(factor, found, steps):
    model = mlp()
    assert faults(model, steps, lambda x, y: F.cross_entropy(model(factor * x), y)) == found


@pytest.mark.parametrize("steps", STEPS)
def test_of_two_models_both_are_looked_at(steps):
    """The one that is measured first is given inputs of the right scale, the other one is not."""
    model, teacher = mlp(), mlp().eval()

    def measure(x, y):
        F.cross_entropy(teacher(x), y)
        F.cross_entropy(model(255.0 * x), y)

    assert faults(model, steps, measure) == ["measured-in-another-scale"]


@pytest.mark.parametrize("steps", STEPS)
def test_a_layer_that_drops_is_told_from_a_function_that_does(steps):
    """Dropout of Monte Carlo: some layers stay in training mode, on purpose."""
    model = mlp(nn.Dropout(0.2), nn.Linear(4, 4))

    def measure(x, y):
        for layer in model.modules():
            layer.train(isinstance(layer, nn.Dropout))
        F.cross_entropy(model(x), y)

    assert faults(model, steps, measure) == []
