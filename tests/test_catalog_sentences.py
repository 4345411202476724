"""Are the sentences of the tables true? What each says of torch is seen happening."""

import re

import pytest
import torch
from torch.optim import lr_scheduler

from course_utils.catalog import optimizers, parameters, schedulers
from tests.helpers.torch_today import (
    PARAMETERS_OF_OPTIMIZERS,
    PARAMETERS_OF_SCHEDULERS,
    SCHEDULER_NAMES,
    an_optimizer,
    weight,
)


def explained(word, name):
    """The optimizers whose explanation of the parameter ``name`` contains ``word``."""
    return [owner for owner, each in PARAMETERS_OF_OPTIMIZERS if each.name == name and word in each.explanation]


def left_of_a_weight_of_one(name):
    """After one step without a gradient, with lr 0.1 and weight_decay 0.5."""
    w = weight()
    w.grad = torch.zeros_like(w)
    getattr(torch.optim, name)([w], lr=0.1, weight_decay=0.5).step()
    return w[0, 0].item()


def test_weight_decay_called_decoupled_shrinks_by_lr_times_weight_decay():
    left = {name: left_of_a_weight_of_one(name) for name in explained("(decoupled)", "weight_decay")}
    assert left == pytest.approx({"AdamW": 0.95, "Adafactor": 0.95, "Muon": 0.95})


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "RMSprop", "Adam", "Adamax", "NAdam"])
def test_weight_decay_called_an_l2_penalty_is_rescaled_with_the_gradient(name):
    assert name in explained("L2 penalty", "weight_decay")
    assert left_of_a_weight_of_one(name) != pytest.approx(0.95, abs=1e-3)


def test_momentum_of_0_9_ends_in_steps_ten_times_as_long():
    w = weight(0.0)
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9)
    for _ in range(300):
        before = w.detach().clone()
        w.grad = torch.ones_like(w)
        optimizer.step()
    assert (before - w)[0, 0].item() == pytest.approx(10)


def test_dampening_equal_to_momentum_makes_an_average_of_gradients():
    w = weight()
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9, dampening=0.9)
    for gradient in (1.0, 2.0):
        w.grad = torch.full_like(w, gradient)
        optimizer.step()
    assert optimizer.state[w]["momentum_buffer"][0, 0].item() == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_the_momentum_of_nadam_begins_at_half_of_beta():
    w = weight()
    w.grad = torch.ones_like(w)
    optimizer = torch.optim.NAdam([w])
    optimizer.step()
    assert optimizer.state[w]["mu_product"].item() == pytest.approx(0.9 * (1 - 0.96**0.004 / 2))


def test_asgd_keeps_its_average_in_the_state_that_is_named():
    w = weight()
    optimizer = torch.optim.ASGD([w], t0=0.0)
    for _ in range(5):
        w.grad = torch.ones_like(w)
        optimizer.step()
    assert "optimizer.state[p]['ax']" in optimizers()["ASGD"].when_to_use
    assert optimizer.state[w]["ax"][0, 0] > w[0, 0]  # behind the last weights, which are still falling


def test_max_eval_of_lbfgs_is_what_none_is_said_to_mean():
    assert torch.optim.LBFGS([weight()], max_iter=20).defaults["max_eval"] == 1.25 * 20


@pytest.mark.parametrize("name", ["LBFGS", "SGD"])
def test_only_lbfgs_needs_a_closure(name):
    said = "needs a closure" in optimizers()[name].when_to_use
    optimizer = getattr(torch.optim, name)([weight()])
    if said:
        with pytest.raises(TypeError, match="closure"):
            optimizer.step()
    else:
        assert optimizer.step() is None


def test_sparse_adam_accepts_sparse_gradients_only():
    w = weight()
    w.grad = torch.ones_like(w)
    with pytest.raises(RuntimeError, match="does not support dense gradients"):
        torch.optim.SparseAdam([w]).step()


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match="2D"):
        torch.optim.Muon([torch.zeros(3, requires_grad=True)])


def learning_rates(make, calls):
    """The lr at the start and after each of ``calls`` calls of ``step()``."""
    optimizer = an_optimizer()
    scheduler = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(calls):
        optimizer.step()
        scheduler.step(*([1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_sample_is_a_scheduler_of_that_name(name):
    assert type(schedulers()[name].sample(an_optimizer())) is getattr(lr_scheduler, name)


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_sample_shows_its_shape_within_30_calls(name):
    rates = learning_rates(schedulers()[name].sample, 30)
    assert max(rates) >= 1.9 * min(rates)


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_cadence_is_one_of_three(name):
    assert schedulers()[name].cadence in ("epoch", "step", "either")


def test_steplr_called_per_batch_freezes_as_its_reason_says():
    rates = learning_rates(lambda optimizer: lr_scheduler.StepLR(optimizer, 1), 8)
    assert "below 1e-7 of itself in eight batches" in schedulers()["StepLR"].reason
    assert rates[8] < 1e-7 * rates[0] < rates[6]


def test_exponentiallr_leaves_what_its_reason_says():
    rates = learning_rates(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9), 156)
    assert "leaves 7e-8 of lr after 156 batches" in schedulers()["ExponentialLR"].reason
    assert rates[-1] / rates[0] == pytest.approx(7e-8, rel=0.1)


def test_a_cosine_rises_again_beyond_its_end():
    rates = learning_rates(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=10), 15)
    assert rates[15] > rates[10] + 0.01


def test_one_cycle_refuses_a_call_beyond_its_end():
    with pytest.raises(ValueError, match="Tried to step 6 times"):
        learning_rates(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5), 6)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_the_schedulers_said_to_replace_the_lr_of_the_optimizer_do(name):
    first = learning_rates(schedulers()[name].sample, 0)[0]
    assert any("Replaces the lr" in each.explanation for each in parameters(name))
    assert first != 0.1


@pytest.mark.parametrize("entry", list(optimizers()), ids=lambda entry: entry.name)
def test_an_optimizer_builds_on_older_ones_that_exist(entry):
    older = [optimizers()[name].year for name in entry.builds_on]
    assert all(year <= entry.year for year in older)


def test_a_paper_does_not_appear_before_its_first_version():
    papers = [entry.paper for entry in [*optimizers(), *schedulers()] if entry.paper]
    printed = {paper: int(re.search(r"(19|20)\d\d(?!.*(19|20)\d\d)", paper.venue)[0]) for paper in papers}
    assert [paper for paper in papers if not paper.year <= printed[paper] <= paper.year + 2] == []


@pytest.mark.parametrize("pairs", [PARAMETERS_OF_OPTIMIZERS, PARAMETERS_OF_SCHEDULERS])
def test_the_first_sentence_of_an_explanation_is_short(pairs):
    assert [each.summary for _, each in pairs if not 10 <= len(each.summary) <= 70] == []
