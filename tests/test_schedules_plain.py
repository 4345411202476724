"""Schedules as plain functions: do they agree with torch's classes, and which arguments are refused?"""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, OneCycleLR, SequentialLR, StepLR

from course_utils.schedules import cosine, linear_warmup, lr_curve, one_cycle, step_decay, warmup_cosine
from tests.helpers.refusals import error_for


def stepped(make_scheduler, steps, lr=1.0):
    """What torch's class does with an lr when stepped after each update."""
    return lr_curve(make_scheduler, epochs=1, steps_per_epoch=steps, cadence="step", lr=lr)


@given(step_size=st.integers(1, 20), gamma=st.floats(0.05, 1.0))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_step_decay_is_step_lr(step_size, gamma):
    oracle = stepped(lambda optimizer: StepLR(optimizer, step_size, gamma), 60)
    np.testing.assert_allclose([step_decay(k, step_size=step_size, gamma=gamma) for k in range(60)], oracle, rtol=1e-9)


@given(total=st.integers(1, 60), floor=st.floats(0.0, 1.0))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_cosine_is_cosine_annealing_lr_until_its_end(total, floor):
    oracle = stepped(lambda optimizer: CosineAnnealingLR(optimizer, total, floor), total + 1)
    np.testing.assert_allclose([cosine(k, total=total, floor=floor) for k in range(total + 1)], oracle, atol=1e-12)


def test_cosine_stays_at_its_floor_after_its_end():
    assert {cosine(step, total=10, floor=0.25) for step in (10, 11, 10**9)} == {0.25}


@given(warmup=st.integers(1, 60), start=st.floats(0.01, 1.0))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_linear_warmup_is_linear_lr(warmup, start):
    oracle = stepped(lambda optimizer: LinearLR(optimizer, start, total_iters=warmup), 70)
    np.testing.assert_allclose([linear_warmup(k, warmup=warmup, start=start) for k in range(70)], oracle, rtol=1e-9)


@given(warmup=st.integers(1, 30), rest=st.integers(1, 40), start=st.floats(0.01, 1.0))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_warmup_cosine_is_the_sequence_of_torchs_two(warmup, rest, start):
    def make(optimizer):
        parts = [LinearLR(optimizer, start, total_iters=warmup), CosineAnnealingLR(optimizer, rest)]
        return SequentialLR(optimizer, parts, [warmup])

    steps = warmup + rest
    factors = [warmup_cosine(k, warmup=warmup, total=steps, start=start) for k in range(steps)]
    np.testing.assert_allclose(factors, stepped(make, steps), atol=1e-12)


def test_warmup_cosine_ends_at_its_floor():
    assert warmup_cosine(100, warmup=10, total=100, floor=0.125) == 0.125


@given(total=st.integers(10, 100), pct_start=st.floats(0.2, 0.8), div=st.floats(1.5, 100), final=st.floats(1.5, 1e5))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_one_cycle_is_one_cycle_lr(total, pct_start, div, final):
    def make(optimizer):
        options = {"pct_start": pct_start, "div_factor": div, "final_div_factor": final}
        return OneCycleLR(optimizer, max_lr=1.0, total_steps=total, **options)

    options = {"pct_start": pct_start, "div_factor": div, "final_div_factor": final}
    factors = [one_cycle(k, total=total, **options) for k in range(total)]
    np.testing.assert_allclose(factors, stepped(make, total), rtol=1e-9)


def test_one_cycle_has_the_default_shape_of_torch():
    oracle = stepped(lambda optimizer: OneCycleLR(optimizer, max_lr=1.0, total_steps=50), 50)
    np.testing.assert_allclose([one_cycle(k, total=50) for k in range(50)], oracle, rtol=1e-9)


def test_one_cycle_stays_at_its_end():
    assert one_cycle(10**6, total=50) == one_cycle(49, total=50)


@pytest.mark.parametrize(
    "factor",
    [
        partial(step_decay, step_size=5),
        partial(cosine, total=20),
        partial(linear_warmup, warmup=5),
        partial(warmup_cosine, warmup=5, total=20),
        partial(one_cycle, total=20),
    ],
)
def test_lambda_lr_runs_a_schedule(factor):
    curve = stepped(lambda optimizer: LambdaLR(optimizer, factor), 20, lr=0.5)
    np.testing.assert_allclose(curve, [0.5 * factor(k) for k in range(20)], rtol=1e-12)


SCHEDULES = pytest.mark.parametrize(
    ("schedule", "options"),
    [
        (step_decay, {"step_size": 5}),
        (cosine, {"total": 5}),
        (linear_warmup, {"warmup": 5}),
        (warmup_cosine, {"warmup": 5, "total": 9}),
        (one_cycle, {"total": 9}),
    ],
)


@SCHEDULES
@pytest.mark.parametrize("step", [-1, 0.5, math.nan, "0", None, True])
def test_a_step_that_is_no_count_is_refused_in_words(schedule, options, step):
    with pytest.raises(error_for(step, int), match=r"step must be a whole number of 0 or more, got .*; try 0"):
        schedule(step, **options)


@SCHEDULES
@pytest.mark.parametrize("length", [0, -1, 1.5, "5", None])
def test_a_length_that_is_no_count_is_refused_in_words(schedule, options, length):
    for name in options:
        with pytest.raises(error_for(length, int), match=rf"{name} must be a whole number of 1 or more, got .*; try 5"):
            schedule(0, **{**options, name: length})


@SCHEDULES
def test_steps_may_be_the_integers_of_numpy(schedule, options):
    assert schedule(np.int64(2), **options) == schedule(2, **options)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, "1", None])
def test_a_start_or_floor_outside_0_to_1_is_refused_in_words(value):
    with pytest.raises(error_for(value, int, float), match=r"floor must be a number from 0 to 1, got .*; try 0.1"):
        cosine(0, total=5, floor=value)
    with pytest.raises(error_for(value, int, float), match=r"start must be a number from 0 to 1, got .*; try 0.1"):
        linear_warmup(0, warmup=5, start=value)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "2", None])
def test_a_factor_or_divisor_that_is_not_above_0_is_refused_in_words(value):
    with pytest.raises(error_for(value, int, float), match=r"gamma must be a finite number above 0, got"):
        step_decay(0, step_size=5, gamma=value)
    with pytest.raises(error_for(value, int, float), match=r"div_factor must be a finite number above 0, got"):
        one_cycle(0, total=10, div_factor=value)


def test_a_warmup_that_leaves_no_step_is_refused_in_words():
    with pytest.raises(ValueError, match=r"total must be above warmup, got 10 and 10; try warmup=1"):
        warmup_cosine(0, warmup=10, total=10)


@pytest.mark.parametrize("pct_start", [0.0, 0.1, 1.0, math.nan, -1.0, "0.3"])
def test_a_cycle_without_a_rise_or_a_fall_is_refused_in_words(pct_start):
    with pytest.raises(error_for(pct_start, int, float), match=r"pct_start .* must|pct_start must"):
        one_cycle(0, total=10, pct_start=pct_start)
