"""Optimizers: do steps, states and defaults equal torch's, for every option, shape and group?"""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import optim
from tests.helpers.steps import NAMES, leaf, randn, stream

BOTH = (False, True)


def combinations(name, **choices):
    rows = itertools.product(*choices.values())
    return [(name, dict(zip(choices, row, strict=True))) for row in rows]


def nesterov_is_valid(options):
    return not options["nesterov"] or (options["momentum"] > 0 and options["dampening"] == 0)


ADAM_GRID = {
    "lr": [0.01],
    "betas": [(0.9, 0.999), (0.5, 0.7)],
    "eps": [1e-8, 1e-3],
    "weight_decay": [0.0, 0.1],
    "amsgrad": BOTH,
    "maximize": BOTH,
}
SGD_GRID = combinations(
    "SGD",
    lr=[0.05],
    momentum=[0.0, 0.9],
    dampening=[0.0, 0.3],
    weight_decay=[0.0, 0.1],
    nesterov=BOTH,
    maximize=BOTH,
)
GRID = [
    *[(name, options) for name, options in SGD_GRID if nesterov_is_valid(options)],
    *combinations(
        "RMSprop",
        lr=[0.01],
        alpha=[0.99, 0.5],
        eps=[1e-8, 1e-3],
        weight_decay=[0.0, 0.1],
        momentum=[0.0, 0.9],
        centered=BOTH,
        maximize=BOTH,
    ),
    *combinations(
        "Adagrad",
        lr=[0.1],
        lr_decay=[0.0, 0.05],
        weight_decay=[0.0, 0.1],
        initial_accumulator_value=[0.0, 0.5],
        eps=[1e-10, 1e-3],
        maximize=BOTH,
    ),
    *combinations("Adam", **ADAM_GRID),
    *combinations("AdamW", **ADAM_GRID),
]


def waves(make_optimizer, steps=100):
    """The path of three parameters over noisy sine waves; the last has a gradient in every third step only."""
    rng = stream()
    params = [randn(shape, rng).requires_grad_() for shape in [(), (3,), (2, 4)]]
    optimizer = make_optimizer(params)
    path = []
    for step in range(steps):
        for p in params:
            p.grad = torch.cos(p.detach() + randn(p.shape, rng))
        if step % 3 != 1:
            params[-1].grad = None
        optimizer.step()
        path.append(torch.cat([p.detach().flatten() for p in params]))
    return torch.stack(path), [optimizer.state[p] for p in params]


def both_paths(name, **options):
    ours = waves(lambda params: getattr(optim, name)(params, **options))
    torchs = waves(lambda params: getattr(torch.optim, name)(params, **options))
    return ours, torchs


def assert_same_path(path, torchs_path):
    """Equal to 12 digits; where a path crosses 0, to as many digits of its size as float64 has."""
    size = torchs_path.abs().max().item() if torchs_path.numel() else 0.0
    torch.testing.assert_close(path, torchs_path, rtol=1e-12, atol=1e-15 * size)


@pytest.mark.parametrize(("name", "options"), GRID)
def test_a_hundred_steps_equal_torchs_for_every_valid_combination(name, options):
    (path, _), (torchs_path, _) = both_paths(name, **options)
    assert_same_path(path, torchs_path)


@pytest.mark.parametrize(("name", "options"), GRID)
def test_the_state_holds_what_torchs_state_holds_under_the_same_names(name, options):
    (_, states), (_, torchs_states) = both_paths(name, **options)
    for state, torchs_state in zip(states, torchs_states, strict=True):
        if name == "RMSprop":
            del torchs_state["step"]  # counted by torch, but in no formula of RMSprop
        assert set(state) == set(torchs_state)
        for key, value in torchs_state.items():
            mine = torch.as_tensor(state[key], dtype=value.dtype)
            torch.testing.assert_close(mine, value, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_torchs(name):
    torchs = getattr(torch.optim, name)([leaf(1.0)]).defaults
    ours = getattr(optim, name)([leaf(1.0)]).defaults
    assert ours == {option: torchs[option] for option in ours}


@pytest.mark.parametrize("name", NAMES)
def test_every_option_of_torch_but_the_ones_about_kernels_is_known(name):
    torchs = set(getattr(torch.optim, name)([leaf(1.0)]).defaults)
    about_kernels = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}
    assert set(getattr(optim, name).options) == torchs - about_kernels


positive = st.floats(1e-4, 1.0)
zero_or_more = st.one_of(st.just(0.0), positive)
flag = st.booleans()
beta = st.floats(0.0, 0.999)
SHARED = {"lr": zero_or_more, "weight_decay": zero_or_more, "maximize": flag}
ADAM_OPTIONS = {**SHARED, "betas": st.tuples(beta, beta), "eps": positive, "amsgrad": flag}
OPTIONS = {
    "SGD": st.fixed_dictionaries(
        {**SHARED, "momentum": st.floats(0.0, 1.2), "dampening": zero_or_more, "nesterov": flag}
    ).filter(nesterov_is_valid),
    # alpha near 0 or 1 makes v - g_avg^2 a difference of equal numbers: nothing but rounding would be compared.
    "RMSprop": st.fixed_dictionaries(
        {**SHARED, "alpha": st.floats(0.1, 0.99), "eps": positive, "momentum": beta, "centered": flag}
    ),
    "Adagrad": st.fixed_dictionaries(
        {**SHARED, "lr_decay": zero_or_more, "initial_accumulator_value": zero_or_more, "eps": positive}
    ),
    "Adam": st.fixed_dictionaries(ADAM_OPTIONS),
    "AdamW": st.fixed_dictionaries(ADAM_OPTIONS),
}
shapes = st.lists(st.lists(st.integers(0, 3), max_size=3).map(tuple), min_size=1, max_size=3)


def given_gradients(optimizer, params, seed, scale, set_to_none):
    """The path of eight steps along random gradients, added up as backward() does, some of them missing."""
    rng = stream(seed)
    path = []
    for _ in range(8):
        optimizer.zero_grad(set_to_none=set_to_none)
        for p in params:
            g = scale * randn(p.shape, rng)
            if torch.rand((), generator=rng) < 0.7:
                p.grad = g if p.grad is None else p.grad.add_(g)
        optimizer.step()
        path.append(torch.cat([p.detach().flatten() for p in params]))
    return torch.stack(path)


@pytest.mark.parametrize("name", NAMES)
def test_any_options_shapes_and_gradients_give_torchs_numbers(name):
    @given(
        options=OPTIONS[name],
        shapes=shapes,
        seed=st.integers(0, 999),
        scale=st.sampled_from([1e-3, 1.0, 1e3]),
        set_to_none=flag,
    )
    @settings(derandomize=True, deadline=None, max_examples=60, database=None)
    def check(options, shapes, seed, scale, set_to_none):
        paths = []
        for module in (optim, torch.optim):
            params = [randn(shape, stream(seed)).requires_grad_() for shape in shapes]
            optimizer = getattr(module, name)(params, **options)
            paths.append(given_gradients(optimizer, params, seed, scale, set_to_none))
        assert_same_path(*paths)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_trained_in_the_usual_loop_has_torchs_weights(name):
    weights = []
    for module in (optim, torch.optim):
        rng = stream()
        images, labels = torch.randn(32, 6, generator=rng), torch.randint(3, (32,), generator=rng)
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        for p in model.parameters():
            nn.init.normal_(p, generator=rng)
        optimizer = getattr(module, name)(model.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_groups_with_options_of_their_own_move_as_torchs_groups_do(name):
    def groups(params):
        return [{"params": params[:2], "lr": 0.2}, {"params": params[2], "weight_decay": 0.3}]

    ours = waves(lambda params: getattr(optim, name)(groups(params), lr=0.01))[0]
    torchs = waves(lambda params: getattr(torch.optim, name)(groups(params), lr=0.01))[0]
    assert_same_path(ours, torchs)


@pytest.mark.parametrize("name", NAMES)
def test_an_lr_changed_by_hand_in_param_groups_counts_from_the_next_step(name):
    ends = []
    for module in (optim, torch.optim):
        p = leaf(1.0, 2.0)
        optimizer = getattr(module, name)([p], lr=0.1)
        for lr in (0.1, 0.02, 0.3):
            optimizer.param_groups[0]["lr"] = lr
            p.grad = p.detach() ** 2
            optimizer.step()
        ends.append(p.detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("foreach", [None, False, True])
def test_foreach_changes_no_number(foreach):
    with_it = waves(lambda params: optim.SGD(params, lr=0.05, momentum=0.9, foreach=foreach))[0]
    without = waves(lambda params: optim.SGD(params, lr=0.05, momentum=0.9))[0]
    assert torch.equal(with_it, without)
