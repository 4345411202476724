"""The check of an own optimizer: every honest Lion passes, each thing that is easily forgotten is named."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from course_utils.checks.own_optimizer import check_lion, lion_update
from course_utils.optim import adam_update
from tests.helpers.lessons import lesson

LESSON = lesson("05_optimizer_practice")


def lion(**changed: Any) -> type[Optimizer]:
    """The right class, of which a part may be replaced."""
    return type("Lion", (_Lion,), {"parts": {**_Lion.parts, **changed}})


class _Lion(Optimizer):
    parts: ClassVar[dict[str, Any]] = {
        "direction": lambda m, g, beta: (beta * m + (1 - beta) * g).sign(),
        "decayed": lambda p, lr, decay: p.mul_(1 - lr * decay),
        "remember": lambda m, g, beta: m.lerp_(g, 1 - beta),
        "options": lambda self, group: group,
        "memory": lambda self, p: self.state[p].setdefault("m", torch.zeros_like(p)),
        "gradient": lambda p: p.grad,
        "ask": lambda closure: torch.enable_grad()(closure)(),
        "walked": lambda group: group["params"],
    }

    def __init__(self, params: Any, lr: float = 1e-4, betas: Any = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        parts = self.parts
        loss = parts["ask"](closure) if closure else None
        for group in self.param_groups:
            options = parts["options"](self, group)
            for p in parts["walked"](group):
                g = parts["gradient"](p)
                if g is None:
                    continue
                m = parts["memory"](self, p)
                parts["decayed"](p, options["lr"], options["weight_decay"])
                p.sub_(parts["direction"](m, g, options["betas"][0]), alpha=options["lr"])
                parts["remember"](m, g, options["betas"][1])
        return loss


def with_state_in_step(self: Any, p: Tensor) -> Tensor:
    state = self.state[p]
    if not state:
        state["step"], state["exp_avg"] = 0, torch.zeros_like(p)
    state["step"] += 1
    held: Tensor = state["exp_avg"]
    return held


class ByFormula(Optimizer):
    """Writes new values with copy_, and asks the closure without a decorator."""

    def __init__(self, params: Any, lr: float = 1e-4, betas: Any = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = None if closure is None else closure()
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "betas", "weight_decay")}
            for p in filter(lambda p: p.grad is not None, group["params"]):
                m = self.state[p].get("m", torch.zeros_like(p))
                new, self.state[p]["m"] = lion_update(p.detach(), p.grad, m, **options)
                p.data = new
        return loss


def by_where(m: Tensor, g: Tensor, beta: float) -> Tensor:
    mixed = beta * m + (1 - beta) * g
    return torch.where(mixed > 0, 1.0, torch.where(mixed < 0, -1.0, 0.0)).to(mixed.dtype)


RIGHT: dict[str, type[Optimizer]] = {
    "lerp": lion(),
    "mul and add": lion(remember=lambda m, g, beta: m.mul_(beta).add_(g, alpha=1 - beta)),
    "copy": lion(remember=lambda m, g, beta: m.copy_(beta * m + (1 - beta) * g)),
    "sign of a lerp": lion(direction=lambda m, g, beta: m.lerp(g, 1 - beta).sign()),
    "torch.sign": lion(direction=lambda m, g, beta: torch.sign(m * beta + g - beta * g)),
    "a step count": lion(memory=with_state_in_step),
    "by formula": ByFormula,
    "decay as a difference": lion(decayed=lambda p, lr, decay: p.sub_(lr * decay * p)),
    "divided by its size": lion(direction=lambda m, g, beta: torch.nan_to_num((c := m.lerp(g, 1 - beta)) / c.abs())),
    "where": lion(direction=by_where),
    "the gradient cloned": lion(gradient=lambda p: None if p.grad is None else p.grad.clone()),
    "closure in a block": lion(ask=lambda closure: asked(closure)),
    "heaviside": lion(direction=lambda m, g, beta: 2.0 * (m.lerp(g, 1 - beta) > 0) - 1.0),
}


def asked(closure: Callable[[], Any]) -> Any:
    with torch.enable_grad():
        return closure()


@pytest.mark.parametrize("answer", RIGHT.values(), ids=list(RIGHT))
def test_lion_may_be_written_in_any_way(answer: type[Optimizer]) -> None:
    assert check_lion(answer)


class ClearsGradients(ByFormula):
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = super().step(closure)
        self.zero_grad()
        return loss


class Stub(Optimizer):
    def __init__(self, params: Any, lr: float = 1e-4, betas: Any = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        raise NotImplementedError


HIDDEN: dict[Any, Tensor] = {}


def outside(self: Any, p: Tensor) -> Tensor:
    """A memory that is not part of the state."""
    return HIDDEN.setdefault((id(p), p.shape), torch.zeros_like(p))


def one_for_each_shape(self: Any, p: Tensor) -> Tensor:
    held: Tensor = self.state[self.param_groups[0]["params"][0]].setdefault(str(p.shape), torch.zeros_like(p))
    return held


def first_group(self: Any, group: Any) -> Any:
    return self.param_groups[0]


def one_of_the_first(option: str) -> Any:
    return lambda self, group: {**group, option: self.param_groups[0][option]}


def one_of_the_defaults(option: str) -> Any:
    return lambda self, group: {**group, option: self.defaults[option]}


def last_group_alone(group: Any) -> Any:
    return group["params"] if group["lr"] < 0.01 else []


def until_a_hundred(self: Any, p: Tensor) -> Tensor:
    """Remembers for 100 steps, as if more were never asked for."""
    state = self.state[p]
    state["n"] = state.get("n", 0) + 1
    held: Tensor = state.setdefault("m", torch.zeros_like(p))
    return held if state["n"] <= 100 else held.zero_()


def with_zero_for_none(p: Tensor) -> Tensor:
    return torch.zeros_like(p) if p.grad is None else p.grad


WRONG: dict[str, tuple[Any, str]] = {
    "the stub": (Stub, "the stub is still there"),
    "no class": (lambda *_, **__: None, "expected a subclass"),
    "an instance": (SGD([torch.ones(1)]), "expected a subclass"),
    "no optimizer": (dict, "expected a subclass"),
    "SGD": (SGD, "TypeError"),
    "Adam": (Adam, "goes through the sign"),
    "no sign": (lion(direction=lambda m, g, beta: beta * m + (1 - beta) * g), "the sign is missing"),
    "the sign of the sign's size": (lion(direction=lambda m, g, beta: g.abs().sign()), "differs from p - lr"),
    "no decay": (lion(decayed=lambda p, lr, decay: p), "weight_decay has no effect"),
    "decay without lr": (lion(decayed=lambda p, lr, decay: p.mul_(1 - decay)), "the decay is not multiplied by lr"),
    "decay away from zero": (lion(decayed=lambda p, lr, decay: p.mul_(1 + lr * decay)), "away from zero"),
    "decay of the first group": (lion(options=one_of_the_first("weight_decay")), "does not use its own weight_decay"),
    "betas of the first group": (lion(options=one_of_the_first("betas")), "does not use its own betas"),
    "lr of the first group": (lion(options=one_of_the_first("lr")), "does not use its own lr"),
    "decay of the defaults": (lion(options=one_of_the_defaults("weight_decay")), "does not use its own weight_decay"),
    "the first parameter alone": (lion(walked=lambda group: group["params"][:1]), "a part of the parameters"),
    "the last group alone": (lion(walked=last_group_alone), "a part of the parameters"),
    "a hundred steps alone": (lion(memory=until_a_hundred), "another way"),
    "the gradient cleared": (ClearsGradients, "step changes p.grad"),
    "options of the first group": (lion(options=first_group), "the first step differs"),
    "no memory": (lion(memory=lambda self, p: torch.zeros_like(p)), "later ones forget m"),
    "memory outside of the state": (lion(memory=outside), "another way"),
    "one memory for each shape": (lion(memory=one_for_each_shape), "after 100 steps p is not"),
    "betas swapped": (
        lion(
            direction=lambda m, g, beta: m.lerp(g, 1 - (0.95 if beta == 0.8 else 0.9)).sign(),
            remember=lambda m, g, beta: m.lerp_(g, 1 - (0.8 if beta == 0.95 else 0.6)),
        ),
        "after 100 steps p is not",
    ),
    "no gradient is zero": (lion(gradient=with_zero_for_none), "must stay where it is"),
    "closure without gradients": (lion(ask=lambda closure: closure()), "without gradients"),
    "closure called twice": (lion(ask=lambda closure: [asked(closure), asked(closure)][1]), "called 2 times"),
    "closure not called": (lion(ask=lambda closure: None), "called 0 times"),
    "the loss is not returned": (lion(ask=lambda closure: [asked(closure), None][1]), "must return the loss"),
    "nothing moves": (lion(direction=lambda m, g, beta: 0 * g, decayed=lambda p, lr, decay: p), "moves nothing"),
    "uphill": (lion(direction=lambda m, g, beta: -m.lerp(g, 1 - beta).sign()), "the first step differs"),
    "an error": (lion(direction=lambda m, g, beta: 1 / 0), "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_lion_is_named(answer: Any, words: str) -> None:
    HIDDEN.clear()
    verdict = check_lion(answer)
    assert not verdict
    assert words in verdict.message


# ------------------------------------------------------------------------------------------------ the notebook's own


def sign_sgd() -> type[Optimizer]:
    names = LESSON.imports()
    exec(next(cell for cell in LESSON.sources("code") if cell.startswith("class SignSGD")), names)
    found: type[Optimizer] = names["SignSGD"]
    return found


def test_the_notebooks_own_optimizer_makes_the_steps_of_its_formula_and_resumes() -> None:
    stream = torch.Generator().manual_seed(0)
    gradients = torch.randn(100, 5, generator=stream, dtype=torch.float64)
    p = torch.ones(5, dtype=torch.float64, requires_grad=True)
    optimizer = sign_sgd()([p], lr=0.01, beta=0.8)
    wanted, m = torch.ones(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
    for number, g in enumerate(gradients):
        p.grad = g
        optimizer.step()
        m = 0.8 * m + 0.2 * g
        wanted = wanted - 0.01 * m.sign()
        if number == 50:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = sign_sgd()([p], lr=1.0)
            optimizer.load_state_dict(state)
    torch.testing.assert_close(p.detach(), wanted)


def test_lion_update_is_that_of_adam_s_letters_but_for_the_sign() -> None:
    g, zero = torch.tensor([3.0, -0.1]), torch.zeros(2)
    p, m = lion_update(torch.ones(2), g, zero, lr=0.1, betas=(0.9, 0.9), weight_decay=0.0)
    adam, _, average, *_ = adam_update(torch.ones(2), g, lr=0.1, betas=(0.9, 0.999), eps=0.0)
    torch.testing.assert_close(p, adam)  # Adam's first step is the sign of the gradient
    torch.testing.assert_close(m, average)
