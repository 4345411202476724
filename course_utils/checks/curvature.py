"""Is my answer right, in notebook 06? Two edges, a product with the Hessian, its largest eigenvalue, a step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.verdict import NotYetError, call, explained, one_number
from course_utils.curvature import adam_edge, edge, hessian_vector_product
from course_utils.seeding import generator

__all__ = [
    "check_adam_edge",
    "check_change_in_a_step",
    "check_hessian_vector_product",
    "check_largest_eigenvalue",
    "check_momentum_edge",
]

Answer = Callable[..., Any]
Formula = Callable[..., float]


@explained
def check_momentum_edge(answer: Answer) -> str:
    """A verdict on ``answer(lr, momentum)``: the largest curvature with which SGD with momentum is stable."""
    _compare(
        answer,
        ("lr", "momentum"),
        ((0.1, 0.0), (0.1, 0.9), (0.02, 0.5), (2.0, 0.25)),
        lambda lr, momentum: edge(lr, momentum=momentum),
        {
            "that is the edge without momentum, 2 / lr": lambda lr, momentum: 2 / lr,
            "momentum lets the walls be steeper, not less steep: multiply by 1 + momentum": lambda lr, momentum: (
                2 * (1 - momentum) / lr
            ),
            "that is the edge of Nesterov's momentum; torch's plain momentum looks at the gradient where it stands": (
                lambda lr, momentum: edge(lr, momentum=momentum, nesterov=True)
            ),
            "1 / (1 - momentum) is how far the steps add up along a slope; on a wall they take turns": (
                lambda lr, momentum: 2 / (lr * (1 - momentum))
            ),
            "the factor 2 is missing": lambda lr, momentum: (1 + momentum) / lr,
        },
    )
    return "with momentum 0.9 the edge lies at 3.8 / lr, nearly twice as high."


@explained
def check_adam_edge(answer: Answer) -> str:
    """A verdict on ``answer(lr, beta1)``: the largest preconditioned curvature with which Adam is stable."""
    _compare(
        answer,
        ("lr", "beta1"),
        ((0.001, 0.9), (0.01, 0.9), (0.1, 0.0), (0.3, 0.35)),
        lambda lr, beta1: adam_edge(lr, beta1=beta1),
        {
            "38 / lr holds for beta1 = 0.9 alone; write it with beta1": lambda lr, beta1: 38 / lr,
            "that is the edge of SGD's momentum, which adds up gradients; Adam's m is their mean, 1 - beta1 times as "
            "large, so its edge is 1 / (1 - beta1) times as high": lambda lr, beta1: 2 * (1 + beta1) / lr,
            "that is the edge without m; beta1 raises it": lambda lr, beta1: 2 / lr,
            "1 + beta1 is missing: the mean also changes its sign with every step": (
                lambda lr, beta1: 2 / ((1 - beta1) * lr)
            ),
        },
    )
    return "with beta1 = 0.9 it is 38 / lr, for the curvature as Adam's preconditioner divides it."


@explained
def check_change_in_a_step(answer: Answer) -> str:
    """A verdict on ``answer(slope, curvature, lr)``: the change of a quadratic in one step of gradient descent."""
    _compare(
        answer,
        ("slope", "curvature", "lr"),
        ((3.0, 4.0, 0.1), (-2.0, 10.0, 0.1), (2.0, 10.0, 0.3), (1.0, 0.0, 0.5), (1.5, -2.0, 0.2), (0.9, 7.0, 0.02)),
        lambda slope, curvature, lr: -lr * slope**2 + curvature * (lr * slope) ** 2 / 2,
        {
            "that is the first order alone; the curvature adds its half times the step squared": (
                lambda slope, curvature, lr: -lr * slope**2
            ),
            "the 1/2 before the curvature is missing": (
                lambda slope, curvature, lr: -lr * slope**2 + curvature * (lr * slope) ** 2
            ),
            "the step goes down the slope: d = -lr * slope, so the first term is negative": (
                lambda slope, curvature, lr: lr * slope**2 + curvature * (lr * slope) ** 2 / 2
            ),
            "that is the step, or takes it for the slope; the first term is slope times step, -lr * slope**2": (
                lambda slope, curvature, lr: -lr * slope
            ),
            "the curvature term needs the step squared, (lr * slope)**2": (
                lambda slope, curvature, lr: -lr * slope**2 + curvature * lr * slope**2 / 2
            ),
        },
    )
    return "-lr slope^2 (1 - lr curvature / 2): it is positive, and the loss rises, beyond curvature 2 / lr."


@explained
def check_hessian_vector_product(answer: Answer) -> str:
    """A verdict on ``answer(loss, w, v)``: the Hessian of ``loss(w)`` times ``v``, both ``(n,)``."""
    matrix, w, v = _a_problem()
    losses: dict[str, Callable[[Tensor], Tensor]] = {
        "w . A w / 2": lambda p: p @ matrix @ p / 2,
        "the sum of w^4": lambda p: (p**4).sum(),
        "a linear loss": lambda p: (p * torch.arange(1.0, 5, dtype=p.dtype)).sum(),
    }
    for name, loss in losses.items():
        place = w.clone().requires_grad_()
        given = v.clone()
        got = _as_row(_called(answer, loss, place, given, name), len(w), name)
        if not (torch.equal(given, v) and torch.equal(place.detach(), w)):
            raise NotYetError(f"for {name} w or v was changed; they are given to be read")
        expected = hessian_vector_product(loss(place), [place], v)
        if not torch.allclose(got, expected, rtol=1e-3, atol=1e-4):
            raise NotYetError(_why_product_differs(got, loss, place, v, name))
    return "two passes of autograd are enough for it, without the whole Hessian."


def _called(answer: Answer, loss: Callable[[Tensor], Tensor], w: Tensor, v: Tensor, name: str) -> Any:
    try:
        return call(answer, loss, w, v)
    except NotYetError as refusal:
        if "element 0 of tensors does not require grad" not in str(refusal):
            raise
        curved = torch.autograd.functional.hessian(loss, w.detach()).any()  # type: ignore[no-untyped-call]
        cure = "keep the graph with create_graph=True" if curved else "where the gradient needs no w, return zeros"
        raise NotYetError(f"for {name} the gradient cannot be differentiated once more; {cure}") from refusal


def _why_product_differs(got: Tensor, loss: Callable[[Tensor], Tensor], w: Tensor, v: Tensor, name: str) -> str:
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    hessian = torch.autograd.functional.hessian(loss, w.detach())  # type: ignore[no-untyped-call]
    mistakes = {
        "that is the gradient; differentiate once more, the gradient's product with v": gradient,
        "that is the gradient times v, number by number; sum it, and differentiate the sum": gradient * v,
        "that is the diagonal of the Hessian times v; other weights matter, too": hessian.diagonal() * v,
        "that is -H v; the sign is wrong": -hessian @ v,
        "that is v itself; multiply it with the Hessian": v,
        "that is v . H v for every weight; return the row H v, not one number": (v @ hessian @ v).expand(len(v)),
    }
    for words, row in mistakes.items():
        if torch.allclose(got, row.detach(), rtol=1e-3, atol=1e-4):
            return words
    expected = [round(value, 3) for value in (hessian @ v).tolist()]
    return f"for {name} H v is {expected}, got {[round(value, 3) for value in got.tolist()]}"


@explained
def check_largest_eigenvalue(answer: Answer) -> str:
    """A verdict on ``answer(product, v, steps)``: power iteration with ``product(v) = H v``, a number at its end."""
    for values, steps in (((1.0, 7.0, 3.0, 2.0), 40), ((0.5, 0.1, 20.0, 1.0, -3.0, 4.0), 12), ((1.0, -5.0, 2.0), 25)):
        counted, start = _Counted(values), _drawn(len(values))
        case = f"an H with the eigenvalues {', '.join(f'{value:g}' for value in values)}"
        got = one_number(call(answer, counted, start.clone(), steps), f"your function for {case}")
        _compare_eigenvalue(got, max(values, key=abs), case, steps, counted)
    return "the direction that H stretches most survives, and v . H v is by how much."


def _drawn(*shape: int) -> Tensor:
    """Normal numbers, the same at every call."""
    return torch.randn(*shape, generator=generator(0, "check/curvature"), dtype=torch.float64)


class _Counted:
    """A product with a Hessian of these eigenvalues, which stand on no axis; it keeps what it was asked for."""

    def __init__(self, values: Sequence[float]) -> None:
        turned = torch.linalg.qr(_drawn(len(values), len(values))).Q
        self.matrix = turned @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turned.T
        self.asked: list[Tensor] = []

    def __call__(self, vector: Any) -> Tensor:
        self.asked.append(torch.as_tensor(vector, dtype=torch.float64).detach().clone().reshape(-1))
        image: Tensor = self.matrix @ torch.as_tensor(vector, dtype=torch.float64)
        return image

    def links(self) -> int:
        """How often it was asked for the direction of its own last product."""
        pairs = zip(self.asked, self.asked[1:], strict=False)
        return sum(_parallel(self.matrix @ before, after) for before, after in pairs)


def _parallel(a: Tensor, b: Tensor) -> bool:
    return bool(torch.cosine_similarity(a, b, dim=0).abs() > 1 - 1e-6)


def _compare_eigenvalue(got: float, largest: float, case: str, steps: int, counted: _Counted) -> None:
    calls, links = len(counted.asked), counted.links()
    if calls == 0:
        raise NotYetError("product was never called; H is known by its products alone")
    if abs(got) > 1e3 * abs(largest):
        raise NotYetError("v grew beyond all bounds; divide it by its length after every product")
    if links < steps - 2:
        raise NotYetError(
            f"of {calls} products {links} were of the last one's v, too few for {steps} steps: v <- H v / |H v|"
        )
    if calls > 2 * steps + 2:
        raise NotYetError(f"{calls} products are too many; make `steps` of them, here {steps}")
    if abs(got - largest) <= 1e-3 * abs(largest):
        return
    raise NotYetError(_why_eigenvalue_differs(got, largest, case))


def _why_eigenvalue_differs(got: float, largest: float, case: str) -> str:
    if abs(got + largest) <= 1e-3 * abs(largest):
        return "the sign is lost: a negative eigenvalue can win, so take v . H v and no length"
    if abs(got - largest**2) <= 1e-2 * largest**2:
        return "that is the eigenvalue squared: v . H v wants one product, not two"
    if abs(got - 1) < 1e-3:
        return "that is the length of v; the eigenvalue is v . H v"
    return f"the largest eigenvalue of {case} is {largest:g}, got {got:.4g}; v <- H v / |H v|, then v . H v"


# ---- What the checks share -------------------------------------------------------------------------------------------


def _compare(
    answer: Answer,
    names: Sequence[str],
    cases: Sequence[tuple[float, ...]],
    right: Formula,
    mistakes: Mapping[str, Formula],
) -> None:
    """Each case against the formula; a known mistake is named if it explains all of them."""
    told = [", ".join(f"{name}={value:g}" for name, value in zip(names, case, strict=True)) for case in cases]
    got = [
        one_number(call(answer, *case), f"your function for {words}") for case, words in zip(cases, told, strict=True)
    ]
    expected = [right(*case) for case in cases]
    if np.allclose(got, expected, rtol=1e-4, atol=1e-9):
        return
    for words, mistake in mistakes.items():
        if np.allclose(got, [mistake(*case) for case in cases], rtol=1e-4, atol=1e-9):
            raise NotYetError(words)
    i = next(i for i, (one, other) in enumerate(zip(got, expected, strict=True)) if not np.isclose(one, other, 1e-4))
    raise NotYetError(f"for {told[i]} it is {expected[i]:.6g}, got {got[i]:.6g}")


def _as_row(got: Any, length: int, case: str) -> Tensor:
    """A row of ``length`` numbers; a tuple of one row, as ``torch.autograd.grad`` returns, is one."""
    if isinstance(got, tuple) and len(got) == 1:
        got = got[0]
    if got is None:
        raise NotYetError(f"nothing is returned for {case}; return the row H v")
    try:
        row = torch.as_tensor(got).detach().to(torch.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotYetError(f"return a row of {length} numbers for {case}, got {got!r:.60}") from error
    if len(row) != length:
        raise NotYetError(f"return a row of {length} numbers for {case}, got {len(row)}")
    return row


def _a_problem() -> tuple[Tensor, Tensor, Tensor]:
    """A symmetric matrix (4, 4), weights and a direction (4,), the same at every call."""
    rows = _drawn(6, 4)
    return rows[:4] + rows[:4].T, rows[4], rows[5]
