"""Schedules: is the lr the one that torch would use, and when is a step too small to change a weight?"""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from course_utils.schedules import first_step_below, freeze_step, lr_curve
from tests.helpers.refusals import error_for

SCHEDULERS = {
    "LambdaLR": lambda optimizer: LambdaLR(optimizer, lambda step: 0.9**step),
    "MultiplicativeLR": lambda optimizer: MultiplicativeLR(optimizer, lambda step: 0.9),
    "StepLR": lambda optimizer: StepLR(optimizer, 2),
    "MultiStepLR": lambda optimizer: MultiStepLR(optimizer, [2, 3]),
    "ConstantLR": lambda optimizer: ConstantLR(optimizer, total_iters=2),
    "LinearLR": lambda optimizer: LinearLR(optimizer, total_iters=3),
    "ExponentialLR": lambda optimizer: ExponentialLR(optimizer, 0.8),
    "SequentialLR": lambda optimizer: SequentialLR(
        optimizer, [LinearLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, 0.5)], [2]
    ),
    "CosineAnnealingLR": lambda optimizer: CosineAnnealingLR(optimizer, 4),
    "ChainedScheduler": lambda optimizer: ChainedScheduler(
        [ConstantLR(optimizer), ExponentialLR(optimizer, 0.9)], optimizer=optimizer
    ),
    "ReduceLROnPlateau": lambda optimizer: ReduceLROnPlateau(optimizer, patience=1),
    "CyclicLR": lambda optimizer: CyclicLR(optimizer, 0.01, 0.1, step_size_up=2),
    "CosineAnnealingWarmRestarts": lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 2),
    "OneCycleLR": lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=15),
    "PolynomialLR": lambda optimizer: PolynomialLR(optimizer, 4),
}
CADENCES = pytest.mark.parametrize("cadence", ["epoch", "step"])


def losses(call):
    return 1.0


def trained(make_scheduler, epochs, steps_per_epoch, cadence, lr):
    """The lr of every update of a real loop over a real model."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = make_scheduler(optimizer)
    needs = (losses(0),) if isinstance(scheduler, ReduceLROnPlateau) else ()
    used = []
    for _, step in itertools.product(range(epochs), range(steps_per_epoch)):
        optimizer.zero_grad()
        model(torch.ones(2)).sum().backward()
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if cadence == "step" or step == steps_per_epoch - 1:
            scheduler.step(*needs)
    return used


# The lr of every update.


def test_every_scheduler_of_torch_is_among_the_ones_tried_here():
    assert {name for name in torch_schedulers.__all__ if name != "LRScheduler"} == set(SCHEDULERS)


@CADENCES
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_curve_is_the_lr_of_a_real_training_loop(name, cadence):
    curve = lr_curve(SCHEDULERS[name], epochs=5, steps_per_epoch=3, cadence=cadence, lr=0.1, metrics=losses)
    assert curve.tolist() == trained(SCHEDULERS[name], 5, 3, cadence, 0.1)


@CADENCES
def test_the_curve_has_one_float64_for_every_update(cadence):
    curve = lr_curve(SCHEDULERS["StepLR"], epochs=5, steps_per_epoch=3, cadence=cadence)
    assert (curve.shape, curve.dtype) == ((15,), np.float64)


def test_no_warning_reaches_the_reader():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for make_scheduler in SCHEDULERS.values():
            lr_curve(make_scheduler, epochs=3, steps_per_epoch=5, cadence="step", metrics=losses)
    assert caught == []


def test_the_curve_starts_at_the_lr_given():
    assert lr_curve(SCHEDULERS["StepLR"], epochs=1, steps_per_epoch=1, lr=0.025)[0] == 0.025


def test_step_lr_per_batch_is_its_closed_form():
    curve = lr_curve(
        lambda optimizer: StepLR(optimizer, 5, 0.1), epochs=2, steps_per_epoch=156, cadence="step", lr=0.01
    )
    closed_form = 0.01 * 0.1 ** (np.arange(312) // 5)
    np.testing.assert_allclose(curve, closed_form, rtol=1e-10)


def test_metrics_may_be_one_number_per_epoch():
    curve = lr_curve(
        lambda optimizer: ReduceLROnPlateau(optimizer, patience=0), epochs=4, steps_per_epoch=2, metrics=[3, 2, 2, 2]
    )
    np.testing.assert_allclose(curve, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01], rtol=1e-12)


def test_metrics_may_be_a_function_of_the_number_of_the_call():
    calls = []
    lr_curve(SCHEDULERS["ReduceLROnPlateau"], epochs=3, steps_per_epoch=2, metrics=lambda call: calls.append(call) or 1)
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("metrics", [None, [1.0, 2.0], [1.0] * 6])
def test_plateau_without_one_metric_per_call_is_refused_in_words(metrics):
    with pytest.raises(ValueError, match=r"metrics must hold one loss per scheduler step .* for 3 steps; try metrics="):
        lr_curve(SCHEDULERS["ReduceLROnPlateau"], epochs=3, steps_per_epoch=2, metrics=metrics)


def test_one_cycle_that_is_too_short_fails_as_in_a_real_loop():
    with pytest.raises(ValueError, match=r"Tried to step 11 times"):
        lr_curve(lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=10), epochs=20, steps_per_epoch=1)


@pytest.mark.parametrize("cadence", ["batch", "Epoch", None, 1])
def test_an_unknown_cadence_is_refused_in_words(cadence):
    with pytest.raises(ValueError, match=r"cadence must be one of 'epoch', 'step', got .*; try 'epoch'"):
        lr_curve(SCHEDULERS["StepLR"], epochs=1, steps_per_epoch=1, cadence=cadence)


@pytest.mark.parametrize("name", ["epochs", "steps_per_epoch"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", None, True])
def test_a_number_of_epochs_or_steps_below_1_is_refused_in_words(name, value):
    with pytest.raises(error_for(value, int), match=rf"{name} must be a whole number of 1 or more, got .*; try 5"):
        lr_curve(SCHEDULERS["StepLR"], **{"epochs": 1, "steps_per_epoch": 1, name: value})


def test_more_updates_than_fit_are_refused_in_words():
    with pytest.raises(ValueError, match=r"epochs \* steps_per_epoch must be at most 1,000,000, got 1,001,000"):
        lr_curve(SCHEDULERS["StepLR"], epochs=1001, steps_per_epoch=1000)


@pytest.mark.parametrize("lr", [0, -0.1, math.nan, math.inf, "0.1", None])
def test_an_lr_that_is_not_above_0_is_refused_in_words(lr):
    with pytest.raises(error_for(lr, int, float), match=r"lr must be a finite number above 0, got .*; try 0.1"):
        lr_curve(SCHEDULERS["StepLR"], epochs=1, steps_per_epoch=1, lr=lr)


@pytest.mark.parametrize("made", [None, 0.1, "optimizer"])
def test_a_factory_that_makes_no_scheduler_is_refused_in_words(made):
    with pytest.raises(TypeError, match=r"make_scheduler must return a scheduler, got .*; try lambda optimizer"):
        lr_curve(lambda optimizer: optimizer if made == "optimizer" else made, epochs=1, steps_per_epoch=1)


def test_a_scheduler_instead_of_a_factory_is_refused_in_words():
    scheduler = StepLR(torch.optim.SGD([torch.zeros(1)], lr=0.1), 5)
    with pytest.raises(TypeError, match=r"make_scheduler must be a function of the optimizer, got .*; try lambda"):
        lr_curve(scheduler, epochs=1, steps_per_epoch=1)


def test_a_scheduler_of_another_optimizer_is_refused_in_words():
    other = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    with pytest.raises(ValueError, match=r"make_scheduler must use the optimizer that it is given, got another one"):
        lr_curve(lambda optimizer: StepLR(other, 5), epochs=1, steps_per_epoch=1)


# When the lr vanishes.


def test_the_first_step_below_a_threshold_is_that_of_the_closed_form():
    curve = lr_curve(lambda optimizer: StepLR(optimizer, 5, 0.1), epochs=1, steps_per_epoch=99, cadence="step", lr=0.01)
    assert first_step_below(curve, 3e-9) == 5 * 7  # 0.01 * 0.1 ** 7 = 1e-9 is the first below


def test_no_step_is_below_a_threshold_that_is_never_reached():
    assert first_step_below([0.1, 0.2], 0.1) is None


@pytest.mark.parametrize(("weight", "gradient", "lr"), [(0.05, 0.01, 0.1), (1.5, -2.0, 0.01), (-0.3, 1e-4, 1.0)])
def test_the_freeze_of_step_lr_per_batch_is_its_closed_form(weight, gradient, lr):
    curve = lr_curve(lambda optimizer: StepLR(optimizer, 5, 0.1), epochs=1, steps_per_epoch=99, cadence="step", lr=lr)
    half_a_gap = float(np.spacing(np.float32(abs(weight)))) / 2
    cuts = math.ceil(math.log10(lr * abs(gradient) / half_a_gap))
    assert freeze_step(curve, weight=weight, gradient=gradient) == 5 * cuts


def test_torch_freezes_a_float32_weight_at_the_same_step():
    weight = torch.nn.Parameter(torch.tensor([0.7]))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = StepLR(optimizer, 5, 0.1)
    changed = []
    for _ in range(60):
        with torch.no_grad():
            weight.fill_(0.7)
        weight.grad = torch.tensor([0.02])
        optimizer.step()
        scheduler.step()
        changed.append(weight.item() != np.float32(0.7))
    curve = lr_curve(lambda optimizer: StepLR(optimizer, 5, 0.1), epochs=1, steps_per_epoch=60, cadence="step")
    assert freeze_step(curve, weight=0.7, gradient=0.02) == changed.index(False)


def test_a_schedule_that_rises_again_freezes_only_after_its_last_change():
    assert freeze_step([0.1, 1e-12, 0.1, 1e-12], weight=1.0, gradient=1.0) == 3


def test_an_update_at_the_last_step_means_no_freeze():
    assert freeze_step([1e-12, 0.1], weight=1.0, gradient=1.0) is None


def test_without_a_gradient_a_weight_is_frozen_from_the_start():
    assert freeze_step([0.1, 0.1], weight=1.0, gradient=0.0) == 0


def test_an_update_too_large_for_float32_is_a_change_without_a_warning():
    assert freeze_step([1e300, 0.0], weight=1.0, gradient=1.0) == 1


@pytest.mark.parametrize(
    ("curve", "error"),
    [
        ([], ValueError), ([[0.1]], ValueError), (0.1, ValueError), ([0.1, math.nan], ValueError),
        ("abc", TypeError), ([None], TypeError), ([1j], TypeError),
    ],
)  # fmt: skip
def test_a_curve_that_is_no_row_of_numbers_is_refused_in_words(curve, error):
    with pytest.raises(error, match=r"curve must be a row of numbers, got .*; try lr_curve"):
        freeze_step(curve, weight=1.0, gradient=1.0)
    with pytest.raises(error, match=r"curve must be a row of numbers, got .*; try lr_curve"):
        first_step_below(curve, 0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e39, "1", None])
def test_a_weight_or_gradient_that_is_no_float32_is_refused_in_words(value):
    with pytest.raises(error_for(value, int, float), match=r"weight must be a finite float32, got .*; try 0.05"):
        freeze_step([0.1], weight=value, gradient=1.0)
    with pytest.raises(error_for(value, int, float), match=r"gradient must be a finite float32, got .*; try 0.05"):
        freeze_step([0.1], weight=1.0, gradient=value)
