"""What cannot be optimized: which options and parameters are refused, in which words, and what torch says to them?"""

import math

import pytest
import torch
from torch import Tensor, nn

from course_utils import optim
from tests.helpers.steps import leaf

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
