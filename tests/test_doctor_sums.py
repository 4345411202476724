"""Which sums hold more than what is differentiated? Steps that leave a term out, and steps that only look so."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from tests.helpers.doctor_programs import blobs, mlp

STEPS = 20
NAME = "loss-not-differentiated"


def watched(step):
    """The report on some steps of two networks with an optimizer each; ``step`` is given all that it may need."""
    torch.manual_seed(0)
    model, other = mlp(), mlp()
    optimizers = torch.optim.SGD(model.parameters(), lr=0.05), torch.optim.SGD(other.parameters(), lr=0.05)
    x, y = blobs()
    with doctor.watch() as report:
        for number in range(STEPS):
            for optimizer in optimizers:
                optimizer.zero_grad()
            step(model, other, optimizers, x[:32], y[:32], number)
            for optimizer in optimizers:
                optimizer.step()
    assert report.recording.stumble == ""
    return report


def names(step):
    return [finding.name for finding in watched(step).findings]


def two(model, x, y):
    scores = model(x)
    return F.cross_entropy(scores, y), 0.1 * scores.pow(2).mean()


def printed(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    f"{(first + second).item():.3f}"
    first.backward()


def dropped(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    sum([first, second])
    (first / 2).backward()


def after_the_pass(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    first.backward(retain_graph=True)
    (first - second).tolist()


def in_place(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    total = 0.0
    total += first
    total += second
    first.backward()


def one_of_three(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    third = model(x + 0.1).abs().mean()
    (first + 0.1 * second + third).item()
    (first + third).backward()


def of_two_networks(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    F.cross_entropy(other(x), y).backward()
    (first + second).item()
    first.backward()


LEFT_OUT = [printed, dropped, after_the_pass, in_place, one_of_three, of_two_networks]


@pytest.mark.parametrize("step", LEFT_OUT, ids=lambda step: step.__name__)
def test_a_term_that_is_summed_and_not_differentiated_is_named(step):
    assert NAME in names(step)


def whole(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    (first + second).backward()
    (first + second).item()


def detached(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    (first + second.detach()).item()
    first.backward()


def weights_alone(model, other, optimizers, x, y, number):
    first, _ = two(model, x, y)
    (first + sum(p.pow(2).sum() for p in model.parameters())).item()
    first.backward()


def one_after_the_other(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    (first + second).item()
    first.backward(retain_graph=True)
    second.backward()


def a_game(model, other, optimizers, x, y, number):
    first, second = F.cross_entropy(model(x), y), F.cross_entropy(other(x), y)
    (first + second).item()
    first.backward()
    optimizers[0].step()
    second.backward()


def in_turn(model, other, optimizers, x, y, number):
    first, second = F.cross_entropy(model(x), y), F.cross_entropy(model(-x), y)
    (first + second).item()
    (first, second)[number % 2].backward()


def a_metric(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    second.item()
    (first * len(x)).item()
    first.backward()


def scaled(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(first + second).backward()
    scaler.unscale_(optimizers[0])


def a_gradient_penalty(model, other, optimizers, x, y, number):
    x = x.clone().requires_grad_(True)
    first = F.cross_entropy(model(x), y)
    slope = torch.autograd.grad(first, x, create_graph=True)[0]
    (first + slope.pow(2).sum()).backward()


RUNNING = []


def a_running_sum(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    loss = first + second
    RUNNING[:] = [loss + RUNNING[0] if number else loss]
    loss.backward()


def measured_with_a_graph(model, other, optimizers, x, y, number):
    first, second = two(model, x, y)
    (first + second).backward()
    sum(two(model, x, y)).item()


WHOLE = [whole, detached, weights_alone, one_after_the_other, a_game, in_turn, a_metric, scaled, a_gradient_penalty,
         a_running_sum, measured_with_a_graph]  # fmt: skip


@pytest.mark.parametrize("step", WHOLE, ids=lambda step: step.__name__)
def test_a_step_that_leaves_nothing_out_is_not_accused(step):
    assert NAME not in names(step)


def test_a_closure_that_sums_what_it_differentiates_is_not_accused():
    model, (x, y) = mlp(), blobs()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def closure():
        optimizer.zero_grad()
        first, second = two(model, x, y)
        loss = first + second
        loss.backward()
        return loss

    with doctor.watch() as report:
        for _ in range(STEPS):
            optimizer.step(closure)
    assert report.recording.sums == ()


def test_the_evidence_counts_passes_and_names_the_operation_that_was_left_out():
    (found,) = watched(printed).recording.sums
    assert (found.partial, found.passes, found.left_out, found.terms) == (8, 8, ("mean",), 2)


def test_tensors_add_as_before_when_nobody_watches():
    with doctor.watch():
        assert "__add__" in vars(torch.Tensor)
    assert "__add__" not in vars(torch.Tensor)
    assert torch.equal(1 + torch.ones(2) - nn.Parameter(torch.ones(2)), torch.ones(2))


class TwoHeads(nn.Module):
    """A trunk with two heads."""

    def __init__(self):
        super().__init__()
        self.trunk, self.first, self.second = nn.Linear(20, 16), nn.Linear(16, 4), nn.Linear(16, 4)

    def forward(self, x):
        hidden = self.trunk(x).relu()
        return self.first(hidden), self.second(hidden)


@pytest.mark.parametrize(("computed", "named"), [(True, NAME), (False, "loss-without-gradient")])
def test_parameters_behind_a_term_that_is_left_out_are_an_effect(computed, named):
    torch.manual_seed(0)
    model, (x, y) = TwoHeads(), blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with doctor.watch() as report:
        for _ in range(STEPS):
            optimizer.zero_grad()
            first, second = model(x)
            loss = F.cross_entropy(first, y)
            if computed:
                print(loss + 0.5 * F.cross_entropy(second, y))
            loss.backward()
            optimizer.step()
    assert [finding.name for finding in report.findings] == [named]
