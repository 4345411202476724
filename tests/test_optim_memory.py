"""What an optimizer keeps: its gradients, its memory, and all that torch builds around one work with it."""

import copy

import pytest
import torch
from torch import nn

from course_utils import doctor, optim
from course_utils.catalog import schedulers
from tests.helpers.steps import NAMES, leaf

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
