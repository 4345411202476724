import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils import doctor, optim
from course_utils.catalog import schedulers

NAMES = ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW"]
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


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(shape, rng):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


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


# ---- Equal to torch --------------------------------------------------------------------------------------------


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


# ---- The memory ------------------------------------------------------------------------------------------------


def test_a_parameter_without_a_gradient_neither_moves_nor_gets_a_memory():
    used, unused = leaf(1.0), leaf(5.0)
    optimizer = optim.Adam([used, unused], weight_decay=0.1)
    used.grad = torch.ones_like(used)
    optimizer.step()
    assert unused.item() == 5.0
    assert list(optimizer.state) == [used]


def test_zero_grad_leaves_none():
    p = leaf(1.0)
    optimizer = optim.SGD([p, leaf(2.0)])
    p.grad = torch.ones_like(p)
    optimizer.zero_grad()
    assert p.grad is None


def test_zero_grad_on_request_leaves_zeros_in_the_same_memory_without_a_graph():
    p = leaf(1.0)
    (g,) = torch.autograd.grad((p**3).sum(), p, create_graph=True)
    p.grad = g
    optim.SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    assert p.grad.data_ptr() == g.data_ptr()
    assert not p.grad.requires_grad


def test_the_momentum_buffer_is_not_the_gradient_that_the_next_backward_writes_into():
    p = leaf(1.0)
    optimizer = optim.SGD([p], momentum=0.9)
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.0]


def test_a_step_keeps_no_graph_even_if_the_gradient_has_one():
    p = leaf(1.0, 2.0)
    optimizer = optim.SGD([p], momentum=0.9)
    (p.grad,) = torch.autograd.grad((p**3).sum(), p, create_graph=True)
    optimizer.step()
    assert p.is_leaf
    assert not optimizer.state[p]["momentum_buffer"].requires_grad


def test_the_dicts_given_as_groups_are_left_as_they_were():
    p = leaf(1.0)
    group = {"params": [p], "lr": 0.5}
    optim.SGD([group], lr=0.1).param_groups[0]["lr"] = 0.7
    assert group == {"params": [p], "lr": 0.5}


def test_a_copied_optimizer_goes_on_as_the_first_one_does():
    p = leaf(1.0, 2.0)
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = p.detach().clone()
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    optimizer.step()
    twin.step()
    assert torch.equal(twin.param_groups[0]["params"][0], p)


def test_repr_shows_the_options_of_each_group():
    text = repr(optim.Adagrad([{"params": leaf(1.0)}, {"params": leaf(1.0), "lr": 0.5}]))
    rest = "lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, maximize=False"
    assert text == f"Adagrad(lr=0.01, {rest})\nAdagrad(lr=0.5, {rest})"


# ---- What torch builds around an optimizer ----------------------------------------------------------------------

MEMORABLE = [
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
]


def walk(optimizer, steps, begin=0):
    """The path of the only parameter along gradients that depend on the place and the number of the step."""
    (p,) = optimizer.param_groups[0]["params"]
    path = []
    for step in range(begin, begin + steps):
        p.grad = torch.cos(p.detach() + step)
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize(("name", "options"), MEMORABLE)
def test_an_optimizer_with_the_state_dict_of_another_goes_on_as_that_one(name, options):
    first = getattr(optim, name)([leaf(1.0, 2.0)], **options)
    walk(first, 5)
    second = getattr(optim, name)([first.param_groups[0]["params"][0].detach().clone().requires_grad_()])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert repr(second) == repr(first)
    assert torch.equal(walk(second, 5, begin=5), walk(first, 5, begin=5))


@pytest.mark.parametrize(("name", "options"), MEMORABLE)
def test_an_optimizer_goes_on_from_the_state_dict_of_torchs(name, options):
    torchs = getattr(torch.optim, name)([leaf(1.0, 2.0)], **options)
    walk(torchs, 5)
    ours = getattr(optim, name)([torchs.param_groups[0]["params"][0].detach().clone().requires_grad_()])
    ours.load_state_dict(copy.deepcopy(torchs.state_dict()))
    # torch counts the steps in float32, and so corrects the bias with 7 digits where we read its count
    torch.testing.assert_close(walk(ours, 5, begin=5), walk(torchs, 5, begin=5), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("entry", tuple(schedulers()), ids=lambda entry: entry.name)
def test_every_scheduler_of_torch_drives_them_as_it_drives_torchs(name, entry):
    rates, ends = [], []
    for module in (optim, torch.optim):
        options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        optimizer = getattr(module, name)([leaf(1.0, 2.0)], lr=0.1, **options)
        scheduler = entry.sample(optimizer)
        for step in range(12):
            end = walk(optimizer, 1, begin=step)
            scheduler.step(*[1.0][: entry.name == "ReduceLROnPlateau"])
            rates.append([group["lr"] for group in optimizer.param_groups])
        ends.append(end)
    assert rates[:12] == rates[12:]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-15)


def test_a_scheduler_leaves_the_repr_as_it_is():
    optimizer = optim.SGD([leaf(1.0)], lr=0.1)
    before = repr(optimizer)
    torch.optim.lr_scheduler.StepLR(optimizer, 5)
    assert repr(optimizer) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_group_added_later_moves_as_torchs_does(name):
    ends = []
    for module in (optim, torch.optim):
        first, second = leaf(1.0, 2.0), leaf(3.0)
        optimizer = getattr(module, name)([first], lr=0.1)
        walk(optimizer, 2)
        optimizer.add_param_group({"params": second, "lr": 0.3})
        second.grad = torch.ones_like(second)
        walk(optimizer, 2, begin=2)
        ends.append((first.detach(), second.detach()))
        assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.3]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("group", "error", "words"),
    [
        ({"params": leaf(1.0), "lr": -1}, ValueError, "lr must be .*0 or more.*, got -1"),
        ({"params": leaf(1.0), "Lr": 1}, TypeError, "'Lr' is not an option here"),
        ({"lr": 0.1}, ValueError, 'must be a dict of options with "params", got one of .lr.'),
        ({"params": torch.ones(2, dtype=torch.int64)}, TypeError, "got a torch.int64 tensor"),
    ],
)
def test_a_group_added_later_is_checked_as_the_first_ones(group, error, words):
    optimizer = optim.SGD([leaf(1.0)])
    with pytest.raises(error, match=words):
        optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == 1


def test_a_tensor_that_a_group_holds_already_is_not_added_again():
    p = leaf(1.0)
    with pytest.raises(ValueError, match="params holds one tensor twice"):
        optim.SGD([p]).add_param_group({"params": p})


@pytest.mark.parametrize("name", NAMES)
def test_a_closure_computes_the_gradients_and_gives_the_loss(name):
    ends = []
    for module in (optim, torch.optim):
        p = leaf(1.0, 2.0)
        optimizer = getattr(module, name)([p], lr=0.1)

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (p**2).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(3)]
        ends.append((torch.tensor(losses, dtype=torch.float64), p.detach()))
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-15)


def test_the_hooks_of_a_step_are_called_once_before_and_once_after_it():
    p, seen = leaf(1.0), []
    optimizer = optim.AdamW([p])
    optimizer.register_step_pre_hook(lambda *_: seen.append(p.item()))
    optimizer.register_step_post_hook(lambda *_: seen.append(p.item()))
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert seen == [1.0, p.item()]


def test_the_doctor_sees_their_steps():
    network = nn.Linear(3, 1)
    optimizer = optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    with doctor.watch() as report:
        for _ in range(12):  # without zero_grad
            nn.functional.mse_loss(network(torch.ones(4, 3)), torch.zeros(4, 1)).backward()
            optimizer.step()
    assert "missing-zero-grad" in [finding.name for finding in report.findings]


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


# ---- The door --------------------------------------------------------------------------------------------------

REFUSED_BY_TORCH = [
    ("SGD", {"lr": -0.1}, "lr must be a finite number of 0 or more, got -0.1; try 0.001"),
    ("SGD", {"momentum": -0.9}, "momentum must be a finite number of 0 or more, got -0.9"),
    ("SGD", {"weight_decay": -1.0}, "weight_decay must be a finite number of 0 or more, got -1.0"),
    ("SGD", {"nesterov": True}, "nesterov needs momentum above 0 and dampening 0, got momentum=0.0"),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "got momentum=0.9 and dampening=0.1"),
    ("SGD", {"lr": torch.tensor([0.1, 0.2])}, "lr must be a finite number of 0 or more, got tensor"),
    ("RMSprop", {"lr": math.nan}, "lr must be a finite number of 0 or more, got nan; try 0.01"),
    ("RMSprop", {"alpha": -0.5}, "alpha must be a number of 0 or more and below 1, got -0.5; try 0.99"),
    ("RMSprop", {"eps": -1e-8}, "eps must be a finite number of 0 or more, got -1e-08; try 1e-08"),
    ("RMSprop", {"momentum": math.nan}, "momentum must be a finite number of 0 or more"),
    ("Adagrad", {"lr_decay": -1}, "lr_decay must be a finite number of 0 or more"),
    ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator_value must be a finite number of 0 or more"),
    ("Adagrad", {"weight_decay": math.nan}, "weight_decay must be a finite number of 0 or more"),
    ("Adam", {"betas": (1.0, 0.999)}, r"betas\[0\] must be a number of 0 or more and below 1, got 1.0; try 0.9"),
    ("Adam", {"betas": (0.9, -0.1)}, r"betas\[1\] must be a number of 0 or more and below 1, got -0.1; try 0.9"),
    ("Adam", {"betas": (math.nan, 0.9)}, r"betas\[0\] must be a number of 0 or more and below 1, got nan"),
    ("Adam", {"eps": math.nan}, "eps must be a finite number of 0 or more"),
    ("AdamW", {"lr": -1}, "lr must be a finite number of 0 or more"),
    ("AdamW", {"betas": (0.9, 2.0)}, r"betas\[1\] must be a number of 0 or more and below 1, got 2.0"),
    ("SGD", {"lr": "0.1"}, "lr must be a finite number of 0 or more, got '0.1'; try 0.001"),
    ("SGD", {"learning_rate": 0.1}, "'learning_rate' is not an option here; the options are lr, momentum,"),
]
REFUSED_HERE_TOO = [
    ("SGD", {"lr": math.nan}, "lr must be a finite number of 0 or more, got nan"),
    ("SGD", {"lr": torch.tensor(-1.0)}, "lr must be a finite number of 0 or more, got -1.0"),
    ("SGD", {"lr": math.inf}, "lr must be a finite number of 0 or more, got inf"),
    ("SGD", {"momentum": True}, "momentum must be a finite number of 0 or more, got True; try 0.0"),
    ("SGD", {"momentum": torch.tensor(0.9)}, "momentum must be a finite number of 0 or more, got tensor"),
    ("SGD", {"dampening": -1}, "dampening must be a finite number of 0 or more"),
    ("SGD", {"nesterov": 0.9}, "nesterov must be True or False, got 0.9; try False"),
    ("SGD", {"maximize": 1}, "maximize must be True or False, got 1"),
    ("SGD", {"foreach": "fast"}, "foreach must be True or False, got 'fast'"),
    ("SGD", {"differentiable": 1}, "differentiable must be True or False, got 1"),
    ("RMSprop", {"alpha": 1.0}, "alpha must be a number of 0 or more and below 1, got 1.0"),
    ("Adam", {"betas": 0.9}, "betas must be a tuple of two numbers, got 0.9; try "),
    ("Adam", {"betas": (0.9, 0.99, 0.999)}, "betas must be a tuple of two numbers"),
    ("Adam", {"weight_decay": None}, "weight_decay must be a finite number of 0 or more, got None; try 0.0"),
]


@pytest.mark.parametrize(("name", "options", "words"), REFUSED_BY_TORCH + REFUSED_HERE_TOO)
def test_an_option_that_cannot_work_is_refused_in_words(name, options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(optim, name)([leaf(1.0)], **options)


@pytest.mark.parametrize(("name", "options", "words"), REFUSED_BY_TORCH)
def test_the_list_of_what_torch_refuses_is_true(name, options, words):
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        getattr(torch.optim, name)([leaf(1.0)], **options)


def test_an_option_of_one_group_is_checked_as_well():
    with pytest.raises(ValueError, match="lr must be a finite number of 0 or more, got -1"):
        optim.SGD([{"params": leaf(1.0), "lr": -1}])


def test_a_misspelt_option_of_a_group_is_refused_and_the_right_ones_are_named():
    with pytest.raises(TypeError, match=r"'Lr' is not an option here; the options are lr, momentum"):
        optim.SGD([{"params": leaf(1.0), "Lr": 0.1}])


def test_zero_lr_is_allowed_as_in_torch():
    p = leaf(1.0)
    p.grad = torch.ones_like(p)
    optim.SGD([p], lr=0).step()
    assert p.item() == 1.0


def computed() -> Tensor:
    return 2 * leaf(1.0)


@pytest.mark.parametrize(
    ("make_params", "error", "words"),
    [
        (list, ValueError, "params holds no tensor; model.parameters.. can be read only once"),
        (lambda: leaf(1.0), TypeError, "params must be tensors or dicts in a list, got Tensor"),
        (lambda: nn.Linear(1, 1), TypeError, r"got Linear; try model.parameters\(\)"),
        (lambda: nn.Sequential(nn.Linear(1, 1)), TypeError, "floating-point tensors, got a Linear"),
        (lambda: nn.Linear(1, 1).named_parameters(), TypeError, "floating-point tensors, got a tuple"),
        (lambda: None, TypeError, "got NoneType"),
        (lambda: [torch.ones(2, dtype=torch.int64)], TypeError, "got a torch.int64 tensor"),
        (lambda: [torch.ones(2, dtype=torch.complex64)], TypeError, "got a torch.complex64 tensor"),
        (lambda: [computed()], ValueError, "params holds a computed tensor, not a leaf"),
        (lambda: [leaf(1.0)] * 2, ValueError, "params holds one tensor twice"),
        (lambda: [{"params": p} for p in [leaf(1.0)] * 2], ValueError, "params holds one tensor twice"),
        (lambda: [{"lr": 0.1}], ValueError, 'each parameter group must be a dict of options with "params"'),
        (lambda: [{"params": leaf(1.0)}, leaf(2.0)], TypeError, "each parameter group must be a dict"),
    ],
)
def test_params_that_cannot_be_optimized_are_refused_in_words(make_params, error, words):
    with pytest.raises(error, match=words):
        optim.SGD(make_params())


def test_a_used_up_generator_of_parameters_is_refused_and_explained():
    parameters = nn.Linear(1, 1).parameters()
    optim.SGD(parameters)
    with pytest.raises(ValueError, match="can be read only once"):
        optim.SGD(parameters)


def test_a_leaf_that_requires_grad_cannot_be_moved_differentiably():
    with pytest.raises(ValueError, match=r"differentiable=True cannot move a leaf .* try p = w.clone"):
        optim.SGD([leaf(1.0)], differentiable=True)


def test_a_computed_tensor_that_retains_its_gradient_may_be_optimized_as_in_torch():
    p = computed()
    p.retain_grad()
    (p**2).sum().backward()
    optim.SGD([p], lr=0.1).step()
    assert p.item() == pytest.approx(2 - 0.1 * 4)
