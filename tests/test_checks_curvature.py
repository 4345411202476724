"""The checks of notebook 06: right answers pass in every form, each typical wrong one is named, nothing raises."""

import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from course_utils.checks.curvature import (
    check_adam_edge,
    check_change_in_a_step,
    check_hessian_vector_product,
    check_largest_eigenvalue,
    check_momentum_edge,
)

FORMS = {
    "a float": float,
    "a tensor": torch.tensor,
    "a tensor of one row": lambda x: torch.tensor([x]),
    "a tensor with a graph": lambda x: torch.tensor(x, requires_grad=True) * 1,
    "float32": lambda x: torch.tensor(x, dtype=torch.float32),
    "numpy": np.float64,
    "numpy float32": np.float32,
    "an array": np.array,
    "an array of one row": lambda x: np.array([x]),
    "a Decimal": Decimal,
    "a Fraction": Fraction,
    "rounded": lambda x: round(x, 6),
}
NO_NUMBERS = {
    "nothing": None,
    "a text": "19",
    "a bool": True,
    "two numbers": [1.0, 2.0],
    "a complex number": 1j,
    "infinity": math.inf,
}


def momentum_edge(lr, momentum):
    return 2 * (1 + momentum) / lr


def adam_edge(lr, beta1):
    return (2 + 2 * beta1) / ((1 - beta1) * lr)


def change(slope, curvature, lr):
    return -lr * slope**2 * (1 - lr * curvature / 2)


FORMULAS = {
    check_momentum_edge: (
        momentum_edge,
        {
            "2 / lr": lambda lr, m: 2 / lr,
            "multiply by 1 \\+ momentum": lambda lr, m: 2 * (1 - m) / lr,
            "Nesterov": lambda lr, m: 2 * (1 + m) / (lr * (1 + 2 * m)),
            "add up along a slope": lambda lr, m: 2 / (lr * (1 - m)),
            "factor 2": lambda lr, m: (1 + m) / lr,
            "for lr=0.1, momentum=0 it is 20, got 0.2": lambda lr, m: 2 * (1 + m) * lr,
        },
    ),
    check_adam_edge: (
        adam_edge,
        {
            "beta1 = 0.9 alone": lambda lr, b: 38 / lr,
            "SGD's momentum": lambda lr, b: 2 * (1 + b) / lr,
            "without m": lambda lr, b: 2 / lr,
            "1 \\+ beta1 is missing": lambda lr, b: 2 / ((1 - b) * lr),
            "for lr=0.001, beta1=0.9 it is 38000": lambda lr, b: 38 * lr,
            "ZeroDivisionError": lambda lr, b: 1 / 0,
        },
    ),
    check_change_in_a_step: (
        change,
        {
            "first order alone": lambda s, c, lr: -lr * s**2,
            "1/2 before the curvature": lambda s, c, lr: -lr * s**2 + c * (lr * s) ** 2,
            "down the slope": lambda s, c, lr: lr * s**2 + c * (lr * s) ** 2 / 2,
            "slope times step": lambda s, c, lr: -lr * s,
            "step squared": lambda s, c, lr: -lr * s**2 + c * lr * s**2 / 2,
            "for slope=3, curvature=4": lambda s, c, lr: c,
        },
    ),
}
CHECKS = list(FORMULAS)
OTHER_WAYS = [
    (check_momentum_edge, lambda lr, momentum: 2 / lr + 2 * momentum / lr),
    (check_momentum_edge, lambda lr, momentum: (1 + momentum) / (lr / 2)),
    (check_momentum_edge, lambda lr, momentum: by_bisection(lambda c: swings(lr, momentum, 1.0, c), 8 / lr)),
    (check_adam_edge, lambda lr, beta1: 2 / lr * (1 + beta1) / (1 - beta1)),
    (check_adam_edge, lambda lr, beta1: (4 / (1 - beta1) - 2) / lr),
    (check_adam_edge, lambda lr, beta1: by_bisection(lambda c: swings(lr, beta1, 1 - beta1, c), 80 / lr)),
    (check_change_in_a_step, lambda slope, curvature, lr: slope**2 * lr * (lr * curvature / 2 - 1)),
    (check_change_in_a_step, lambda s, c, lr: slope_and_curvature(s, c)(-lr * s) - slope_and_curvature(s, c)(0.0)),
]


def slope_and_curvature(slope, curvature):
    return lambda d: 5.0 + slope * d + curvature * d * d / 2


def swings(lr, keep, share, curvature):
    """Whether v <- keep v + share c p, p <- p - lr v grows: its larger eigenvalue is beyond 1."""
    push = lr * share * curvature
    return bool(np.abs(np.linalg.eigvals([[1 - push, -lr * keep], [push / lr, keep]])).max() > 1 + 1e-12)


def by_bisection(grows, high):
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    return low


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_right_number_passes_in_every_honest_form(check, form):
    right = FORMULAS[check][0]
    assert check(lambda *given: form(right(*given)))


@pytest.mark.parametrize(("check", "answer"), OTHER_WAYS)
def test_a_formula_may_be_written_in_other_ways(check, answer):
    assert check(answer)


@pytest.mark.parametrize("thing", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_is_no_number_is_told(check, thing):
    verdict = check(lambda *given: thing)
    assert not verdict
    assert "return a number" in verdict.message or "return one number" in verdict.message


@pytest.mark.parametrize(
    ("check", "words", "answer"),
    [(check, words, wrong) for check, (_, mistakes) in FORMULAS.items() for words, wrong in mistakes.items()],
)
def test_a_wrong_formula_is_named(check, words, answer):
    verdict = check(answer)
    assert not verdict
    assert re.search(words, verdict.message)


# ---- The product -----------------------------------------------------------------------------------------------------


def gradient(loss, w):
    return torch.autograd.grad(loss(w), w, create_graph=True)[0]


def hvp(loss, w, v):
    g = gradient(loss, w)
    return torch.autograd.grad(g @ v, w)[0] if g.requires_grad else torch.zeros_like(v)


def by_differences(loss, w, v, h=1e-4):
    up, down = ((w.detach() + side * v).requires_grad_() for side in (h, -h))
    return (gradient(loss, up) - gradient(loss, down)) / (2 * h)


def hessian(loss, w):
    return torch.autograd.functional.hessian(loss, w.detach())


RIGHT_PRODUCTS = {
    "autograd": hvp,
    "a tuple": lambda *a: (hvp(*a),),
    "a list": lambda *a: hvp(*a).tolist(),
    "numpy": lambda *a: hvp(*a).numpy(),
    "float32": lambda *a: hvp(*a).float(),
    "differences": by_differences,
    "differences with a graph": lambda loss, w, v: by_differences(loss, w, v, 1e-3),
    "the whole Hessian": lambda loss, w, v: hessian(loss, w) @ v,
    "its transpose": lambda loss, w, v: v @ hessian(loss, w),
    "functional.hvp": lambda loss, w, v: torch.autograd.functional.hvp(loss, w.detach(), v)[1],
    "functional.vhp": lambda loss, w, v: torch.autograd.functional.vhp(loss, w.detach(), v)[1],
    "a column": lambda *a: hvp(*a)[:, None],
}
WRONG_PRODUCTS = {
    "that is the gradient;": lambda loss, w, v: gradient(loss, w),
    "number by number": lambda loss, w, v: gradient(loss, w) * v,
    "the diagonal": lambda loss, w, v: hessian(loss, w).diagonal() * v,
    "the sign is wrong": lambda *a: -hvp(*a),
    "v itself": lambda loss, w, v: v,
    "not one number": lambda loss, w, v: (v @ hessian(loss, w) @ v).expand(4),
    "for w . A w / 2 H v is": lambda *a: 2 * hvp(*a),
    "got 1": lambda loss, w, v: v @ hvp(loss, w, v),
    "got 16": lambda loss, w, v: hessian(loss, w),
    "nothing is returned": lambda *a: None,
    "got 'H v'": lambda *a: "H v",
    "your function raised": lambda loss, w, v: torch.autograd.grad(loss(w), v),
    "expected a function": 3,
    "create_graph=True": lambda loss, w, v: torch.autograd.grad(torch.autograd.grad(loss(w), w)[0] @ v, w)[0],
    "for a linear loss the gradient": lambda loss, w, v: torch.autograd.grad(gradient(loss, w) @ v, w)[0],
    "w or v was changed": lambda loss, w, v: [hvp(loss, w, v), v.zero_()][0],
    "for the sum of w^4 H v is": lambda loss, w, v: hvp(loss, torch.zeros_like(w).requires_grad_(), v),
}


@pytest.mark.parametrize("answer", RIGHT_PRODUCTS.values(), ids=RIGHT_PRODUCTS)
def test_a_right_product_passes_in_every_honest_form(answer):
    assert check_hessian_vector_product(answer)


@pytest.mark.parametrize(("words", "answer"), WRONG_PRODUCTS.items(), ids=WRONG_PRODUCTS)
def test_a_wrong_product_is_named(words, answer):
    verdict = check_hessian_vector_product(answer)
    assert not verdict
    assert words in verdict.message


# ---- Power iteration -------------------------------------------------------------------------------------------------


def power(product, v, steps, *, end=lambda product, v: v @ product(v), normalise=True, do=None):
    for _ in range(steps if do is None else do):
        v = product(v)
        if normalise:
            v = v / v.norm()
    return end(product, v)


def by_length(product, v, steps):
    for _ in range(steps):
        v = v / v.norm()
        image = product(v)
        length, v = image.norm(), image
    return length


def as_it_goes(product, v, steps):
    """The quotient of every step; the last one counts."""
    for _ in range(steps):
        image = product(v)
        value, v = v @ image / (v @ v), image / image.norm()
    return value


def by_largest_number(product, v, steps):
    """Divided by the number that is largest in size, which tends to the eigenvalue itself."""
    for _ in range(steps):
        v = product(v)
        scale = v[v.abs().argmax()]
        v = v / scale
    return scale


RIGHT_POWERS = {
    "as it goes": as_it_goes,
    "by its largest number": by_largest_number,
    "one step fewer, and the last": lambda product, v, steps: power(product, v, steps - 1),
    "asked twice": lambda product, v, steps: (
        [v := product(v) / product(v).norm() for _ in range(steps)][-1] @ product(v)
    ),
    "in numpy": lambda product, v, steps: power(lambda u: product(u), v.clone(), steps).numpy(),
    "the length with its sign": lambda product, v, steps: power(
        product, v, steps, end=lambda product, v: product(v).norm() * (v @ product(v)).sign()
    ),
}


def basis(product, v):
    return [product(row) for row in torch.eye(len(v), dtype=v.dtype)]


WRONG_POWERS = {
    "beyond all bounds": lambda *a: power(*a, normalise=False),
    "of 1 products 0 were": lambda *a: power(*a, do=0),
    "of 1 products 0 were of the last one's v": lambda product, v, steps: product(v).norm() / 1e3,
    "of 40 products 0": lambda product, v, steps: [product(v) / v for _ in range(steps)][-1].max(),
    "of 4 products 0 were": lambda product, v, steps: max(torch.stack(basis(product, v)).diagonal()),
    "of 4 products": lambda product, v, steps: torch.linalg.eigvalsh(torch.stack(basis(product, v)))[-1],
    "too few for 40 steps": lambda product, v, steps: power(product, v, steps // 2),
    "101 products are too many": lambda *a: power(*a, do=100),
    "squared": lambda *a: power(*a, end=lambda product, v: v @ product(product(v))),
    "the length of v": lambda *a: power(*a, end=lambda product, v: v.norm()),
    "the sign is lost": by_length,
    "a negative eigenvalue can win": lambda *a: power(*a, end=lambda product, v: product(v).norm()),
    "take v . H v and no length": lambda *a: -power(*a),
    "never called": lambda product, v, steps: 7.0,
    "got 3.5": lambda *a: power(*a) / 2,
    "return one number": lambda *a: power(*a, end=lambda product, v: v),
    "gave None": lambda *a: None,
    "got 'seven'": lambda *a: "seven",
    "ZeroDivisionError": lambda *a: 1 / 0,
    "expected a function": None,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_right_eigenvalue_passes_in_every_honest_form(form):
    assert check_largest_eigenvalue(lambda *a: form(float(power(*a))))


@pytest.mark.parametrize("answer", RIGHT_POWERS.values(), ids=RIGHT_POWERS)
def test_power_iteration_may_be_written_in_other_ways(answer):
    assert check_largest_eigenvalue(answer)


@pytest.mark.parametrize(("words", "answer"), WRONG_POWERS.items(), ids=WRONG_POWERS)
def test_a_wrong_eigenvalue_is_named(words, answer):
    verdict = check_largest_eigenvalue(answer)
    assert not verdict
    assert words in verdict.message
