"""The checks of notebook 01: right answers pass, each typical wrong one is named, the stubs get "not yet"."""

import ast
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from course_utils.checks import overview
from course_utils.checks.overview import (
    check_largest_stable_lr,
    check_momentum_step,
    check_repaired_step,
    check_torch_lr,
)
from course_utils.checks.verdict import Verdict
from course_utils.model import build_model
from course_utils.optim import ema_momentum_update, sgd_update
from course_utils.seeding import generator
from course_utils.training import train_step
from tests.helpers.lessons import lesson

CHECKS = {name: getattr(overview, name) for name in overview.__all__}


def refused(verdict: Verdict, words: str) -> bool:
    return not verdict.passed and words in verdict.message


# ------------------------------------------------------------------------------------------- exercise 1: largest lr


@pytest.mark.parametrize("answer", [lambda c: 2 / c, lambda c: torch.tensor(2.0) / c, lambda c: 1.9999 / c])
def test_the_largest_stable_lr_is_two_over_the_curvature(answer: Callable[[float], Any]) -> None:
    assert check_largest_stable_lr(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda c: 1 / c, "the fastest"),
        (lambda c: 2.2 / c, "The factor 1 - lr * curvature is -1.2, so every step leads further away"),
        (lambda c: 1.5 / c, "a larger lr would be stable too"),
        (lambda c: 0.1, "for curvature 4 you say lr 0.1"),
        (lambda c: 2 * c, "for curvature 20 you say lr 40"),
        (lambda c: -2 / c, "An lr is above 0"),
        (lambda c: 0, "An lr is above 0"),
        (lambda c: None, "is the `return` forgotten?"),
        (lambda c: float("nan"), "finite number, got nan"),
        (lambda c: float("inf"), "finite number, got inf"),
        (lambda c: 10**400, "more than 300 digits"),
        (lambda c: True, "finite number, got True"),
        (lambda c: 1 / 0, "ZeroDivisionError"),
        (lambda: 0.1, "TypeError"),
        (0.1, "expected a function"),
    ],
)
def test_a_wrong_largest_lr_is_named(answer: Any, words: str) -> None:
    assert refused(check_largest_stable_lr(answer), words)


@pytest.mark.parametrize("curvature", overview.CURVATURES)
def test_sgd_of_torch_shrinks_below_the_lr_that_passes_and_grows_above(curvature: float) -> None:
    ends = []
    for share in (0.99, 1.01):
        w = torch.ones(1, requires_grad=True)
        optimizer = SGD([w], lr=share * 2 / curvature)
        for _ in range(100):
            optimizer.zero_grad()
            (curvature / 2 * w**2).sum().backward()
            optimizer.step()
        ends.append(abs(w.item()))
    assert ends[0] < 1 < ends[1]


# -------------------------------------------------------------------------------------- exercise 2: a repaired step


def step_of(order: str, give: Callable[[Tensor], Any] = lambda loss: loss.detach()) -> Callable[..., Any]:
    """A training step in this order: z(ero_grad), b(ackward), s(tep), m(odel.zero_grad)."""

    def step(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Any:
        loss = cross_entropy(model(images), labels)
        calls = {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step, "m": model.zero_grad}
        for letter in order:
            calls[letter]()
        return give(loss)

    return step


@pytest.mark.parametrize("order", ["zbs", "mbs", "bsz", "bsm", "zzbs"])
def test_gradients_may_be_emptied_anywhere_but_before_the_step(order: str) -> None:
    assert check_repaired_step(step_of(order))


def test_the_loss_may_be_returned_as_a_number() -> None:
    assert check_repaired_step(step_of("zbs", lambda loss: loss.item()))


def test_a_loss_with_its_graph_is_refused_as_the_stub_returns_one_without() -> None:
    assert refused(check_repaired_step(step_of("zbs", lambda loss: loss)), "still holds its graph")


def test_the_step_of_the_package_passes() -> None:
    assert check_repaired_step(lambda model, images, labels, opt: train_step(model, (images, labels), opt))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (step_of("bs"), "zero_grad() was not called"),
        (step_of("zs"), "backward() was not called"),
        (step_of("zb"), "step() was not called"),
        (step_of(""), "backward() was not called"),
        (step_of("bzs"), "zero_grad() stood between backward() and step()"),
        (step_of("bms"), "zero_grad() stood between backward() and step()"),
        (step_of("zsb"), "step() came before backward()"),
        (step_of("szb"), "step() came before backward()"),
        (step_of("zbss"), "step() was called 2 times"),
        (step_of("zbs", lambda loss: None), "is the `return` forgotten?"),
        (step_of("zbs", lambda loss: torch.zeros(2)), "finite number"),
        (step_of("zbs", lambda loss: 0.0), "not the loss from before the step"),
        (step_of("zbs", lambda loss: loss / 64), "not the loss from before the step"),
        (lambda model: model, "TypeError"),
        (None, "expected a function"),
    ],
)
def test_a_wrong_step_is_named(answer: Any, words: str) -> None:
    assert refused(check_repaired_step(answer), words)


# ------------------------------------------------------------------------------------------ exercise 3: momentum step


def test_the_momentum_step_of_torch_passes() -> None:
    assert check_momentum_step(lambda p, g, v, lr, momentum: sgd_update(p, g, v, lr=lr, momentum=momentum))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, g, v, lr, m: (p + lr * (m * v + g), m * v + g), "uphill"),
        (lambda p, g, v, lr, m: (p - lr * v, m * v + g), "along the old v"),
        (lambda p, g, v, lr, m: (p - lr * g, m * v + g), "along g alone"),
        (lambda p, g, v, lr, m: (p - (m * v + g), m * v + g), "lr is missing"),
        (lambda p, g, v, lr, m: ema_momentum_update(p, g, v, lr=lr, momentum=m), "average (EMA)"),
        (lambda p, g, v, lr, m: (p - lr * g, g), "forgot its past"),
        (lambda p, g, v, lr, m: (p - lr * (v + g), v + g), "forgets nothing"),
        (lambda p, g, v, lr, m: (p - lr * m * (v + g), m * (v + g)), "multiplies the old v only"),
        (lambda p, g, v, lr, m: (p - (m * v + lr * g), m * v + lr * g), "holds the lr already"),
        (lambda p, g, v, lr, m: (p + (m * v - lr * g), m * v - lr * g), "holds the lr already"),
        (lambda p, g, v, lr, m: (p - 2 * lr * (m * v + g), m * v + g), "v is right; from p"),
        (lambda p, g, v, lr, m: (p, 7 * v), "the new v is [2.9, 2.4]"),
        (lambda p, g, v, lr, m: (p - lr * (m * v + g), v), "the new v is [2.9, 2.4]"),
        (lambda p, g, v, lr, m: p - lr * (m * v + g), "return two things"),
        (lambda p, g, v, lr, m: ("p", "v"), "are tensors like p and g"),
        (lambda p, g, v, lr, m: (p[0], v[0]), "are tensors like p and g"),
        (lambda p, g: (p, g), "TypeError"),
        (None, "expected a function"),
    ],
)
def test_a_wrong_momentum_step_is_named(answer: Any, words: str) -> None:
    assert refused(check_momentum_step(answer), words)


# ------------------------------------------------------------------------------------------------ exercise 4: one lr


@pytest.mark.parametrize("answer", [0.025, 0.5 * (1 - 0.95), torch.tensor(0.025)])
def test_the_lr_for_torch_is_that_of_the_average_times_one_minus_momentum(answer: Any) -> None:
    assert check_torch_lr(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.5, "20 times as long"),
        (10.0, "That is the way back"),
        (0.475, "by the factor 1 - momentum"),
        (0.3, "how long is one step"),
        (None, "still None"),
        ("0.025", "finite number, got '0.025'"),
        (float("nan"), "finite number"),
        (torch.zeros(2), "finite number"),
    ],
)
def test_a_wrong_lr_for_torch_is_named(answer: Any, words: str) -> None:
    assert refused(check_torch_lr(answer), words)


def test_with_the_lr_that_passes_torch_walks_the_path_of_the_average() -> None:
    lr, momentum = overview.EMA_LR, overview.EMA_MOMENTUM
    w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    p, v = w.detach().clone(), torch.zeros(2, dtype=torch.float64)
    optimizer = SGD([w], lr=lr * (1 - momentum), momentum=momentum)
    for _ in range(20):
        optimizer.zero_grad()
        (w**2).sum().backward()
        optimizer.step()
        p, v = ema_momentum_update(p, 2 * p, v, lr=lr, momentum=momentum)
    torch.testing.assert_close(w.detach(), p)


# ---------------------------------------------------------------------------------------------------- the notebook


def test_the_five_lines_of_the_notebook_do_what_train_step_does() -> None:
    (cell,) = (source for source in lesson("01_optimizer_overview").sources("code") if source.startswith("LINES = ["))
    lines = ast.literal_eval(cell[len("LINES = ") : cell.index("\n]") + 2])
    draw = generator(0, "test")
    images, labels = torch.rand(8, 3, 32, 32, generator=draw), torch.randint(10, (8,), generator=draw)
    weights = []
    for by_hand in (True, False):
        model = build_model(0)
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        scope = {"model": model, "optimizer": optimizer, "images": images, "labels": labels}
        for _ in range(2):
            if by_hand:
                exec("\n".join(lines), scope | {"cross_entropy": cross_entropy})
            else:
                train_step(model, (images, labels), optimizer)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)
