"""The update formulas: do they keep the laws of their papers, and do derivatives go through them?"""

import copy

import pytest
import torch

from course_utils import optim
from tests.helpers.steps import leaf, randn, stream

# ---- The formulas ----------------------------------------------------------------------------------------------

FORMULAS = {
    optim.sgd_update: {"momentum": 0.9, "weight_decay": 0.1, "maximize": True},
    optim.ema_momentum_update: {"momentum": 0.9},
    optim.rmsprop_update: {"momentum": 0.9, "centered": True, "weight_decay": 0.1, "maximize": True},
    optim.adagrad_update: {"lr_decay": 0.1, "weight_decay": 0.1, "maximize": True},
    optim.adam_update: {"amsgrad": True, "weight_decay": 0.1, "maximize": True},
    optim.adamw_update: {"amsgrad": True, "weight_decay": 0.1, "maximize": True},
}


def gradient(p):
    """The gradient of a bent valley."""
    return torch.stack([torch.sin(p[0]) + 0.3 * p[1], 4 * p[1] + 0.3 * p[0]])


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_changes_none_of_the_tensors_it_is_given(formula):
    p, g = randn((2,), stream(1)), randn((2,), stream(2))
    given_tensors = [p, g, *formula(p, g, **FORMULAS[formula])[1:]]
    before = copy.deepcopy(given_tensors)
    formula(*given_tensors, **FORMULAS[formula])
    torch.testing.assert_close(given_tensors, before, rtol=0, atol=0)


def test_with_constant_lr_torchs_momentum_walks_the_path_of_sutskevers_velocity():
    p = theta = torch.tensor([1.0, 2.0], dtype=torch.float64)
    buf, velocity, lr, mu = None, torch.zeros(2, dtype=torch.float64), 0.05, 0.9
    for _ in range(50):
        p, buf = optim.sgd_update(p, gradient(p), buf, lr=lr, momentum=mu)
        velocity = mu * velocity - lr * gradient(theta)
        theta = theta + velocity
        torch.testing.assert_close(p, theta, rtol=1e-11, atol=1e-13)


def test_a_lowered_lr_slows_torchs_momentum_at_once_but_not_sutskevers_velocity():
    p, g = torch.zeros(1), torch.ones(1)
    p, buf = optim.sgd_update(p, g, lr=1.0, momentum=0.5)
    velocity = -1.0 * g
    after, _ = optim.sgd_update(p, g, buf, lr=0.1, momentum=0.5)
    assert (after - p).item() == pytest.approx(-0.1 * 1.5)
    assert (0.5 * velocity - 0.1 * g).item() == pytest.approx(-0.6)


def test_torchs_nesterov_walks_along_the_points_ahead_of_sutskevers():
    p = theta = torch.tensor([1.0, 2.0], dtype=torch.float64)
    buf, velocity, lr, mu = None, torch.zeros(2, dtype=torch.float64), 0.05, 0.9
    for _ in range(50):
        p, buf = optim.sgd_update(p, gradient(p), buf, lr=lr, momentum=mu, nesterov=True)
        velocity = mu * velocity - lr * gradient(theta + mu * velocity)
        theta = theta + velocity
        torch.testing.assert_close(p, theta + mu * velocity, rtol=1e-11, atol=1e-13)


def test_the_averaging_form_walks_torchs_path_in_every_step_with_lr_divided_by_one_minus_momentum():
    p = q = torch.tensor([1.0, 2.0], dtype=torch.float64)
    buf, v, lr, mu = None, 0.0, 0.05, 0.9
    for _ in range(50):
        p, buf = optim.sgd_update(p, gradient(p), buf, lr=lr, momentum=mu)
        q, v = optim.ema_momentum_update(q, gradient(q), v, lr=lr / (1 - mu), momentum=mu)
        torch.testing.assert_close(q, p, rtol=1e-11, atol=1e-13)
        torch.testing.assert_close(v, (1 - mu) * buf, rtol=1e-11, atol=1e-13)


def test_dampening_equal_to_momentum_averages_from_the_first_gradient_on():
    rng, lr, mu = stream(), 0.05, 0.9
    p = q = torch.zeros(2, dtype=torch.float64)
    gradients = [randn((2,), rng) for _ in range(50)]
    buf, v = None, 0.0
    for t, g in enumerate(gradients, start=1):
        p, buf = optim.sgd_update(p, g, buf, lr=lr, momentum=mu, dampening=mu)
        q, v = optim.ema_momentum_update(q, g, v, lr=lr, momentum=mu)
        torch.testing.assert_close(buf - v, mu**t * gradients[0], rtol=1e-11, atol=1e-13)
        ahead = lr * mu * (1 - mu**t) / (1 - mu) * gradients[0]
        torch.testing.assert_close(q - p, ahead, rtol=1e-11, atol=1e-13)


def test_a_constant_gradient_can_turn_the_centered_variance_negative_as_in_torch():
    ends = []
    for module in (optim, torch.optim):
        p = torch.zeros(1, requires_grad=True)
        optimizer = module.RMSprop([p], alpha=0.5, centered=True)
        p.grad = torch.full((1,), 0.3)
        for _ in range(200):
            optimizer.step()
        ends.append(p.isnan().item())
    assert ends == [True, True]


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_adams_first_step_is_lr_long_whatever_the_size_of_the_gradient(size):
    p, g = torch.zeros(2, dtype=torch.float64), size * torch.tensor([1.0, -1.0], dtype=torch.float64)
    after = optim.adam_update(p, g, lr=0.01, eps=0.0)[0]
    torch.testing.assert_close(after, -0.01 * torch.sign(g), rtol=1e-12, atol=0)


def test_without_a_gradient_adamws_decay_is_a_geometric_sequence():
    p, memory = torch.full((1,), 3.0, dtype=torch.float64), ()
    for _ in range(10):
        p, *memory = optim.adamw_update(p, torch.zeros_like(p), *memory, lr=0.1, weight_decay=0.5)
    assert p.item() == pytest.approx(3.0 * (1 - 0.1 * 0.5) ** 10, rel=1e-12)


def test_in_adam_the_decay_is_divided_by_the_root_so_its_strength_does_not_count():
    p = torch.full((1,), 3.0, dtype=torch.float64)
    weak, strong = (optim.adam_update(p, 0 * p, lr=0.1, weight_decay=w, eps=0.0)[0] for w in (0.01, 1.0))
    torch.testing.assert_close(weak, strong, rtol=1e-12, atol=0)


@pytest.mark.parametrize("formula", [optim.sgd_update, optim.adam_update])
def test_tensors_of_settings_walk_in_one_call_the_paths_of_each_setting_alone(formula):
    lrs = torch.tensor([[0.01], [0.05], [0.1]], dtype=torch.float64)
    decays = torch.tensor([[0.0], [0.5], [0.9]], dtype=torch.float64)
    option = (lambda b: {"momentum": b}) if formula is optim.sgd_update else (lambda b: {"betas": (b, 0.99)})

    def end(lr, decay, p):
        memory = ()
        for _ in range(20):
            p, *memory = formula(p, torch.sin(p), *memory, lr=lr, **option(decay))
        return p

    start = torch.tensor([1.0, 2.0], dtype=torch.float64)
    alone = torch.stack([end(lr.item(), b.item(), start) for lr, b in zip(lrs, decays, strict=True)])
    torch.testing.assert_close(end(lrs, decays, start.expand(3, 2)), alone, rtol=1e-12, atol=0)


# ---- Autograd through the step ---------------------------------------------------------------------------------


@pytest.fixture
def float64_by_default():
    """torch counts steps, and so corrects Adam's bias, in the default dtype once it is differentiable."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def derivatives(cls, **options):
    """d(loss after three steps) / d(start) and / d(the number all gradients are multiplied by)."""
    rng = stream()
    start, strength = randn((3,), rng).requires_grad_(), torch.ones((), dtype=torch.float64, requires_grad=True)
    p = start.clone()
    optimizer = cls([p], differentiable=True, **options)
    for _ in range(3):
        p.grad = strength * randn((3,), rng) + 2 * p
        optimizer.step()
    return torch.autograd.grad(torch.sin(p).sum(), [start, strength])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
        ("RMSprop", {"momentum": 0.9}),  # torch's own derivative fails with centered=True
        ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
        ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ],
)
@pytest.mark.usefixtures("float64_by_default")
def test_differentiable_steps_have_torchs_derivatives(name, options):
    ours = derivatives(getattr(optim, name), **options)
    torchs = derivatives(getattr(torch.optim, name), **options)
    torch.testing.assert_close(ours, torchs, rtol=1e-10, atol=1e-12)


def test_with_momentum_the_derivative_includes_the_first_gradient_which_torch_detaches():
    start, g = leaf(1.0), leaf(2.0)
    p = start.clone()
    p.grad = g
    optim.SGD([p], lr=0.1, momentum=0.9, differentiable=True).step()
    assert torch.autograd.grad(p.sum(), g)[0].item() == pytest.approx(-0.1)


def test_the_derivative_with_respect_to_lr_is_that_of_the_closed_form():
    lr, start = torch.tensor(0.1, dtype=torch.float64, requires_grad=True), leaf(1.5)
    p = start.clone()
    optimizer = optim.SGD([p], lr=lr, differentiable=True)
    for _ in range(4):
        p.grad = 3 * p
        optimizer.step()
    (slope,) = torch.autograd.grad(p.sum(), lr)
    assert slope.item() == pytest.approx(1.5 * 4 * (1 - 0.1 * 3) ** 3 * -3)


def test_the_old_values_that_a_derivative_needs_survive_the_step_in_place():
    lr, start = torch.tensor(0.1, dtype=torch.float64, requires_grad=True), leaf(2.0)
    p = start.clone()
    p.grad = torch.zeros_like(p)
    optim.AdamW([p], lr=lr, weight_decay=0.5, differentiable=True).step()
    assert torch.autograd.grad(p.sum(), lr)[0].item() == pytest.approx(-0.5 * 2.0)


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_formula_has_the_derivatives_of_finite_differences(formula):
    def three_steps(p, lr):
        memory = ()
        for _ in range(3):
            p, *memory = formula(p, gradient(p), *memory, lr=lr, **FORMULAS[formula])
        return p

    lr = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(three_steps, (leaf(1.0, 2.0), lr))
