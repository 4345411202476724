"""Paths: is each step the step that the optimizer takes, and does a divergence show as one?"""

import dataclasses
import math
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.descent import descend, descend_many
from course_utils.surfaces import BEALE, QUADRATIC, RAVINE, ROSENBROCK, SADDLE, SURFACES, quadratic
from tests.helpers.refusals import error_for

float64 = torch.float64
OPTIMIZERS = {
    name: optimizer
    for name, optimizer in vars(torch.optim).items()
    if isinstance(optimizer, type)
    and issubclass(optimizer, torch.optim.Optimizer)
    and name not in ("Optimizer", "SparseAdam")  # SparseAdam takes sparse gradients only, and says so
}


def sgd(**options):
    return lambda params: torch.optim.SGD(params, **options)


def by_hand(surface, optimizer_class, steps, **options):
    """The path that the plain loop of the notebooks takes, on two separate scalars."""
    position = [torch.tensor(value, dtype=float64, requires_grad=True) for value in surface.start]
    optimizer = optimizer_class(position, **options)
    points = [[value.item() for value in position]]
    for _ in range(steps):
        optimizer.zero_grad()
        surface(*position).backward()
        optimizer.step()
        points.append([value.item() for value in position])
    return torch.tensor(points, dtype=float64)


class PlainDescent:
    """An optimizer that is none of torch's and takes no closure."""

    def __init__(self, params, lr):
        self.params, self.lr = list(params), lr

    def zero_grad(self):
        for parameter in self.params:
            parameter.grad = None

    def step(self):
        with torch.no_grad():
            for parameter in self.params:
                parameter -= self.lr * parameter.grad


# One optimizer, step by step.


@pytest.mark.parametrize(
    ("optimizer_class", "options"),
    [
        (torch.optim.SGD, {"lr": 0.05}),
        (torch.optim.SGD, {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
        (torch.optim.Adam, {"lr": 0.3}),
        (torch.optim.RMSprop, {"lr": 0.1}),
        (torch.optim.Adagrad, {"lr": 1.0}),
    ],
)
def test_the_path_is_that_of_the_plain_loop(optimizer_class, options):
    path = descend(RAVINE, lambda params: optimizer_class(params, **options), steps=30)
    torch.testing.assert_close(path.points, by_hand(RAVINE, optimizer_class, 30, **options), rtol=1e-12, atol=1e-14)


def test_gradient_descent_on_a_bowl_is_its_closed_form():
    path = descend(quadratic(5.0), sgd(lr=0.1), steps=40)
    step = torch.arange(41, dtype=float64)
    closed_form = torch.stack([-9.0 * (1 - 0.1) ** step, 2.0 * (1 - 0.5) ** step], dim=1)
    torch.testing.assert_close(path.points, closed_form, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch_takes_its_steps(name):
    path = descend(RAVINE, lambda params: OPTIMIZERS[name](params, lr=0.01), steps=5)
    assert path.points.shape == (6, 2)
    assert (path.points[1:] != path.points[:-1]).any(dim=1).all()


def test_lbfgs_looks_several_times_within_a_step():
    path = descend(ROSENBROCK, lambda params: torch.optim.LBFGS(params, lr=0.5), steps=40)
    torch.testing.assert_close(path.points[-1], torch.ones(2, dtype=float64), rtol=0, atol=1e-3)


def test_muon_takes_a_step_of_about_its_lr_whatever_the_slope():
    path = descend(QUADRATIC, lambda params: torch.optim.Muon(params, lr=0.5, weight_decay=0.0), steps=1)
    assert 0.3 < (path.points[1] - path.points[0]).norm() < 0.65


def test_adafactor_is_not_changed_by_the_position_being_a_matrix():
    path = descend(RAVINE, lambda params: torch.optim.Adafactor(params, lr=0.1), steps=20)
    position = torch.nn.Parameter(torch.tensor(RAVINE.start, dtype=float64))
    optimizer = torch.optim.Adafactor([position], lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        RAVINE(position[0], position[1]).backward()
        optimizer.step()
    torch.testing.assert_close(path.points[-1], position.detach(), rtol=1e-9, atol=1e-12)


def test_an_optimizer_without_a_closure_runs_as_well():
    own = descend(RAVINE, lambda params: PlainDescent(params, lr=0.04), steps=20)
    torch.testing.assert_close(own.points, descend(RAVINE, sgd(lr=0.04), steps=20).points, rtol=1e-12, atol=0)


def test_every_loss_is_the_loss_at_its_point():
    path = descend(BEALE, sgd(lr=0.01), steps=25)
    torch.testing.assert_close(path.losses, BEALE(path.points[:, 0], path.points[:, 1]), rtol=0, atol=0)


def test_the_path_begins_at_the_start_of_the_surface():
    assert descend(BEALE, sgd(lr=0.01), steps=1).points[0].tolist() == list(BEALE.start)


def test_the_path_begins_where_it_is_told_to():
    assert descend(BEALE, sgd(lr=0.01), start=(2.0, 1.0), steps=1).points[0].tolist() == [2.0, 1.0]


def test_the_record_is_float64_and_needs_no_gradient():
    path = descend(RAVINE, sgd(lr=0.01), steps=3)
    assert (path.points.dtype, path.losses.dtype) == (float64, float64)
    assert not path.points.requires_grad
    assert not path.losses.requires_grad


def test_a_path_runs_where_gradients_are_switched_off():
    with torch.no_grad():
        path = descend(RAVINE, lambda params: PlainDescent(params, lr=0.04), steps=3)
    assert path.losses[-1] < path.losses[0]


def test_a_path_that_stays_on_the_map_neither_left_nor_diverged():
    path = descend(RAVINE, sgd(lr=0.09), steps=50)
    assert (path.left_map_at, path.diverged_at) == (None, None)


def test_a_path_that_leaves_the_map_says_at_which_step():
    path = descend(RAVINE, sgd(lr=0.12), steps=50)  # y is multiplied by 1 - 20 * 0.12 = -1.4 at each step
    assert path.left_map_at == math.ceil(math.log(4.0 / 2.0, 1.4))


@pytest.mark.parametrize(("slope", "step"), [((1.0, 0.0), 11), ((-1.0, 0.0), 11), ((0.0, 1.0), 5), ((0.0, -1.0), 5)])
def test_a_path_leaves_the_map_over_any_of_its_edges(slope, step):
    plane = dataclasses.replace(RAVINE, gradient=None, loss=lambda x, y: slope[0] * x + slope[1] * y, start=(0.0, 0.0))
    assert descend(plane, sgd(lr=1.0), steps=20).left_map_at == step


def test_a_path_that_only_left_the_map_is_recorded_to_its_last_step():
    path = descend(RAVINE, sgd(lr=0.12), steps=50)
    assert (len(path.points), path.diverged_at) == (51, None)


@pytest.mark.parametrize("lr", [0.1, 1.0, 1e3, 1e300])
def test_a_diverged_path_ends_at_its_last_finite_point(lr):
    path = descend(ROSENBROCK, sgd(lr=lr), steps=200)
    assert path.diverged_at == len(path.points) < 201
    assert path.points.isfinite().all()
    assert path.losses.isfinite().all()


def test_the_repr_of_a_path_is_one_short_line():
    path = descend(QUADRATIC, sgd(lr=1.0), steps=2)
    assert repr(path) == "Path(2 steps to (0, 0), loss 0)"


def test_the_repr_of_a_diverged_path_says_so():
    assert "diverged at step" in repr(descend(ROSENBROCK, sgd(lr=1.0), steps=200))


def test_a_record_cannot_be_changed():
    path = descend(RAVINE, sgd(lr=0.05), steps=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        path.points = None


@pytest.mark.parametrize("steps", [0, -1, 10_001, 2.0, "9", None, True])
def test_an_impossible_number_of_steps_is_refused_in_words(steps):
    with pytest.raises(error_for(steps, int), match=r"steps must be a whole number from 1 to 10,000, got .*; try 100"):
        descend(RAVINE, sgd(lr=0.1), steps=steps)


@pytest.mark.parametrize("start", [(math.nan, 0.0), (0.0, math.inf), (1e200, 0.0)])
def test_a_start_without_a_finite_loss_is_refused_in_words(start):
    with pytest.raises(ValueError, match=r"start must be a point with a finite loss, got .*; try"):
        descend(RAVINE, sgd(lr=0.1), start=start)


@pytest.mark.parametrize(
    ("start", "error"),
    [
        ("ab", TypeError), (("x", "y"), TypeError), ((1j, 0.0), TypeError), ((1.0,), ValueError),
        ((1.0, 2.0, 3.0), ValueError), (5.0, ValueError), ([[1.0, 2.0]], ValueError),
    ],
)  # fmt: skip
def test_a_start_that_is_no_pair_of_numbers_is_refused_in_words(start, error):
    with pytest.raises(error, match=r"start must be two numbers, got .*; try"):
        descend(RAVINE, sgd(lr=0.1), start=start)


@pytest.mark.parametrize("made", [None, 3, object(), torch.optim.SGD])
def test_a_factory_that_makes_no_optimizer_is_refused_in_words(made):
    with pytest.raises(TypeError, match=r"make_optimizer must return an optimizer, got .*; try lambda params"):
        descend(RAVINE, lambda params: made)


def test_an_optimizer_instead_of_a_factory_is_refused_in_words():
    optimizer = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1)
    with pytest.raises(TypeError, match=r"make_optimizer must be a function .*; try lambda params"):
        descend(RAVINE, optimizer)


def test_an_error_of_the_optimizer_is_not_swallowed():
    with pytest.raises(ValueError, match="Invalid learning rate"):
        descend(RAVINE, sgd(lr=-1.0))


# Thousands of settings at once.


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_sweep_ends_where_torch_ends_one_by_one(surface, nesterov):
    lr = torch.tensor([1e-4, 1e-3, 0.01, 0.05], dtype=float64)[:, None]
    momentum = torch.tensor([0.3, 0.9], dtype=float64)
    sweep = descend_many(surface, lr=lr, momentum=momentum, steps=50, nesterov=nesterov)
    for i, a in enumerate(lr[:, 0].tolist()):
        for j, b in enumerate(momentum.tolist()):
            path = descend(surface, sgd(lr=a, momentum=b, nesterov=nesterov), steps=50)
            torch.testing.assert_close(sweep.losses[i, j], path.losses[-1], rtol=1e-9, atol=1e-30)


@given(lr=st.floats(0.0, 0.15), momentum=st.floats(0.0, 1.0), steps=st.integers(1, 60))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_setting_of_a_sweep_is_a_path_of_torch(lr, momentum, steps):
    sweep = descend_many(RAVINE, lr=lr, momentum=momentum, steps=steps)
    path = descend(RAVINE, sgd(lr=lr, momentum=momentum), steps=steps)
    torch.testing.assert_close(sweep.losses, path.losses[-1], rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize("lr", [0.05, 0.12, 1.0, 1e300])
def test_a_sweep_leaves_the_map_at_the_step_at_which_the_path_does(lr):
    path = descend(ROSENBROCK, sgd(lr=lr, momentum=0.5), steps=60)
    sweep = descend_many(ROSENBROCK, lr=lr, momentum=0.5, steps=60)
    assert sweep.left_map_at == path.left_map_at


def test_a_setting_that_stays_on_the_map_has_minus_one():
    assert descend_many(RAVINE, lr=0.05, steps=60).left_map_at == -1


@pytest.mark.parametrize("lr", [0.1, 1.0, 1e3, 1e300])
def test_a_diverged_setting_keeps_its_last_finite_loss(lr):
    path = descend(ROSENBROCK, sgd(lr=lr), steps=200)
    sweep = descend_many(ROSENBROCK, lr=lr, steps=200)
    torch.testing.assert_close(sweep.losses, path.losses[-1], rtol=1e-9, atol=0)


def test_a_setting_that_gave_no_finite_number_diverged():
    assert descend_many(ROSENBROCK, lr=torch.tensor([1e-4, 1e300], dtype=float64)).diverged.tolist() == [False, True]


def test_a_setting_that_diverged_does_not_come_back():
    walls = dataclasses.replace(
        RAVINE, gradient=None, loss=lambda x, y: torch.where(x.abs() > 1.5, torch.inf, x**2 / 2)
    )
    assert descend_many(walls, lr=3.0, start=(1.0, 0.0), steps=2).diverged


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.8])
def test_heavy_ball_diverges_just_above_two_times_one_plus_momentum_by_curvature(momentum):
    bound = 2 * (1 + momentum) / 20
    sweep = descend_many(RAVINE, lr=torch.tensor([0.99, 1.01], dtype=float64) * bound, momentum=momentum, steps=2000)
    assert sweep.diverged.tolist() == [False, True]


def test_the_settings_of_a_sweep_do_not_influence_each_other():
    alone = descend_many(SADDLE, lr=0.05, momentum=0.5)
    crowd = descend_many(SADDLE, lr=torch.tensor([1e300, 0.05, 3.0], dtype=float64), momentum=0.5)
    torch.testing.assert_close(crowd.losses[1], alone.losses, rtol=1e-12, atol=0)


def test_a_sweep_has_the_shape_to_which_its_settings_broadcast():
    sweep = descend_many(RAVINE, lr=torch.full((3, 1), 0.01), momentum=torch.zeros(4), steps=1)
    shapes = {field.name: getattr(sweep, field.name).shape for field in dataclasses.fields(sweep)}
    assert set(shapes.values()) == {(3, 4)}


def test_a_sweep_over_numbers_and_lists_is_one_over_tensors():
    sweep = descend_many(RAVINE, lr=[0.01, 0.02], momentum=0.5, steps=9)
    tensors = descend_many(RAVINE, lr=torch.tensor([0.01, 0.02], dtype=float64), momentum=torch.tensor(0.5), steps=9)
    assert torch.equal(sweep.losses, tensors.losses)


def test_a_sweep_starts_where_it_is_told_to():
    assert descend_many(RAVINE, lr=0.0, start=(1.0, 2.0), steps=1).losses == RAVINE(1.0, 2.0)


def test_four_thousand_settings_take_less_than_a_second():
    lr, momentum = torch.logspace(-3, 0, 64, dtype=float64)[:, None], torch.linspace(0, 0.99, 64, dtype=float64)
    durations = []
    for _ in range(3):  # the best of three: others may be using the machine
        begin = time.perf_counter()
        descend_many(RAVINE, lr=lr, momentum=momentum, steps=200)
        durations.append(time.perf_counter() - begin)
    assert min(durations) < 1.0


def test_the_repr_of_a_sweep_is_one_short_line():
    sweep = descend_many(QUADRATIC, lr=[1.0, 3.0], steps=9)
    assert repr(sweep) == "Sweep(2 settings, 1 diverged, lowest loss 0)"


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, [0.1, -0.1]])
@pytest.mark.parametrize("name", ["lr", "momentum"])
def test_a_setting_that_is_negative_or_not_finite_is_refused_in_words(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be finite numbers of 0 or more, got .*; try"):
        descend_many(RAVINE, **{"lr": 0.1, name: value})


@pytest.mark.parametrize("value", ["fast", None, [0.1, "x"], 1j])
def test_a_setting_that_is_no_number_is_refused_in_words(value):
    with pytest.raises(TypeError, match=r"lr must be finite numbers of 0 or more, got .*; try 0.1"):
        descend_many(RAVINE, lr=value)


def test_settings_that_do_not_broadcast_are_refused_in_words():
    with pytest.raises(ValueError, match=r"lr and momentum must broadcast, got shapes \(3,\) and \(4,\); try lr"):
        descend_many(RAVINE, lr=torch.zeros(3), momentum=torch.zeros(4))


@pytest.mark.parametrize("shapes", [((0,), ()), ((1001, 1), (1000,))])
def test_no_settings_and_too_many_are_refused_in_words(shapes):
    with pytest.raises(ValueError, match=r"there must be 1 to 1,000,000 settings, got [\d,]+; try 64 of each"):
        descend_many(RAVINE, lr=torch.zeros(shapes[0]), momentum=torch.zeros(shapes[1]))


def test_an_impossible_number_of_steps_of_a_sweep_is_refused_in_words():
    with pytest.raises(ValueError, match="steps must be a whole number from 1"):
        descend_many(RAVINE, lr=0.1, steps=0)
