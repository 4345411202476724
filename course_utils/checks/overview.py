"""Is my answer right? The exercises of notebook 01: what an optimizer does in a training step.

Each check tries the answer on numbers of its own. A wrong one is compared with the mistakes that learners make, so that
the verdict can name the one that was made.
"""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from course_utils.checks.verdict import NotYetError, call, explained
from course_utils.optim import ema_momentum_update

__all__ = ["check_largest_stable_lr", "check_momentum_step", "check_repaired_step", "check_torch_lr"]

CURVATURES = (20.0, 4.0, 0.5)
LR, MOMENTUM = 0.1, 0.9
EMA_LR, EMA_MOMENTUM = 0.5, 0.95  # the recipe of exercise 4


# ---- Exercise 1: the largest stable lr ------------------------------------------------------------------------------


@explained
def check_largest_stable_lr(answer: Callable[[float], float]) -> str:
    """Whether ``answer(curvature)`` is the lr at which ``x <- (1 - lr * curvature) x`` stops to shrink x."""
    answers = [_number(call(answer, curvature), "your function") for curvature in CURVATURES]
    for curvature, lr in zip(CURVATURES, answers, strict=True):
        if not math.isclose(lr, 2 / curvature, rel_tol=1e-3):
            raise NotYetError(f"for curvature {curvature:g} you say lr {lr:.4g}. {_what_that_lr_does(lr, curvature)}")
    return "2 / curvature. There the factor 1 - lr * curvature is -1: twice as steep a wall allows half the lr"


def _what_that_lr_does(lr: float, curvature: float) -> str:
    factor = 1 - lr * curvature
    if lr <= 0:
        return "An lr is above 0"
    if math.isclose(lr, 1 / curvature, rel_tol=1e-3):
        return "That is the fastest: the factor is 0, one step lands on the minimum. The largest is larger"
    if abs(factor) > 1:
        return f"The factor 1 - lr * curvature is {factor:.3g}, so every step leads further away; try a smaller one"
    return f"The factor 1 - lr * curvature is {factor:.3g}, still inside -1 and 1; a larger lr would be stable too"


# ---- Exercise 2: a training step to repair --------------------------------------------------------------------------


@explained
def check_repaired_step(answer: Callable[..., Tensor]) -> str:
    """Whether ``answer(model, images, labels, optimizer)`` learns from two batches as the five lines do."""
    expected, wanted, _ = _two_steps(_five_lines)
    weight, losses, events = _two_steps(answer)
    if not torch.allclose(weight, expected, rtol=1e-5):
        raise NotYetError(_what_is_out_of_order(events))
    numbers = [_number(loss, "the weights are right; what you return, the loss,") for loss in losses]
    if not all(math.isclose(a, float(b), rel_tol=1e-5) for a, b in zip(numbers, wanted, strict=True)):
        raise NotYetError("the weights are right; the number returned is not the loss from before the step")
    return "every batch starts with empty gradients, fills them, and only then moves the weights"


def _five_lines(model: nn.Module, images: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    scores = model(images)
    loss = cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def _two_steps(answer: Callable[..., Any]) -> tuple[Tensor, list[Any], list[str]]:
    """The weight after two batches, what ``answer`` returned for each, and what it did to the second, in order."""
    events: list[str] = []
    model = _RecordedLayer(events)
    optimizer = _RecordedSGD(model.parameters(), events)
    on_gradient: Callable[..., Any] = model.weight.register_post_accumulate_grad_hook
    on_gradient(lambda _: events.append("backward"))
    returned = []
    for shift in (0.0, 1.0):
        events.clear()
        images = torch.linspace(-1.0, 1.0, 20).view(5, 4).roll(int(3 * shift)) + shift
        returned.append(call(answer, model, images, torch.tensor([0, 1, 2, 1, 0]), optimizer))
    return model.weight.detach(), returned, events


class _RecordedLayer(nn.Linear):
    """A network of one layer that writes down when its gradients are emptied."""

    def __init__(self, events: list[str]) -> None:
        super().__init__(4, 3)
        nn.init.eye_(self.weight)
        nn.init.zeros_(self.bias)
        self.events = events

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.events.append("zero_grad")
        super().zero_grad(set_to_none)


class _RecordedSGD(torch.optim.SGD):
    """SGD that writes down what is asked of it."""

    def __init__(self, params: Any, events: list[str]) -> None:
        super().__init__(params, lr=LR)
        self.events = events

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.events.append("zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        self.events.append("step")
        return super().step(closure)


def _what_is_out_of_order(events: list[str]) -> str:
    for name, does in (("backward", "fills .grad"), ("step", "moves the weights"), ("zero_grad", "empties .grad")):
        if name not in events:
            return f"{name}() was not called, and it is what {does}; are the parentheses there?"
    clears, fills, moves = (events.index(name) for name in ("zero_grad", "backward", "step"))
    if moves < fills:
        return "step() came before backward(): it found no gradient, or that of the batch before"
    if fills < clears < moves:
        return "zero_grad() stood between backward() and step(): the gradient was gone before the step could use it"
    return "the five calls are there, but the weights end elsewhere; compare your lines with the cycle of section 2"


# ---- Exercise 3: the step of SGD with momentum ----------------------------------------------------------------------


@explained
def check_momentum_step(answer: Callable[..., tuple[Tensor, Tensor]]) -> str:
    """Whether ``answer(p, g, v, lr, momentum)`` returns the p and v of ``torch.optim.SGD``."""
    p, g, v = (torch.tensor(numbers, dtype=torch.float64) for numbers in ([1.0, -2.0], [0.5, 3.0], [4.0, -1.0]))
    returned = call(answer, p.clone(), g.clone(), v.clone(), LR, MOMENTUM)
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        raise NotYetError(f"return two things, the new p and the new v, got {type(returned).__name__}")
    if not all(isinstance(each, Tensor) and each.shape == p.shape for each in returned):
        raise NotYetError(f"the new p and the new v are tensors like p and g, got {returned!r}")
    new_p, new_v = (each.detach().double() for each in returned)
    right_v = MOMENTUM * v + g
    if _equal(new_p, p - LR * right_v) and _equal(new_v, right_v):
        return "the same p and v as torch.optim.SGD"
    raise NotYetError(_which_momentum(new_p, new_v, p, g, v))


def _which_momentum(new_p: Tensor, new_v: Tensor, p: Tensor, g: Tensor, v: Tensor) -> str:
    """The known mistake that gives these numbers, or else which of them is wrong."""
    right_v = MOMENTUM * v + g
    average_p, average_v = ema_momentum_update(p, g, v, lr=LR, momentum=MOMENTUM)
    mistakes = (
        (p + LR * right_v, right_v, "p went uphill: the step is subtracted"),
        (p - LR * v, right_v, "p moved along the old v; renew v first, then move p along the new one"),
        (p - LR * g, right_v, "p moved along g alone; the step is lr * v"),
        (p - right_v, right_v, "the lr is missing in the step of p"),
        (average_p, average_v, "that is the average (EMA), with (1 - momentum) before g; torch adds the whole g"),
        (new_p, g, "v forgot its past: it is momentum * v + g"),
        (new_p, v + g, "v forgets nothing: the old v is multiplied by momentum"),
        (new_p, MOMENTUM * (v + g), "momentum multiplies the old v only, not g"),
        (new_p, MOMENTUM * v + LR * g, "v holds the lr already; torch's v is momentum * v + g, and p takes lr * v"),
        (new_p, MOMENTUM * v - LR * g, "v holds the lr already; torch's v is momentum * v + g, and p takes lr * v"),
    )
    for wrong_p, wrong_v, words in mistakes:
        if _equal(new_p, wrong_p) and _equal(new_v, wrong_v):
            return words
    if not _equal(new_v, right_v):
        return f"for v = {v.tolist()} and g = {g.tolist()} the new v is {_short(right_v)}, yours is {_short(new_v)}"
    return (
        f"v is right; from p = {p.tolist()} with lr {LR} the new p is {_short(p - LR * right_v)}, not {_short(new_p)}"
    )


def _equal(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-6)


def _short(tensor: Tensor) -> str:
    return str([round(float(number), 4) for number in tensor.flatten()])


# ---- Exercise 4: one recipe, two meanings of momentum ---------------------------------------------------------------


@explained
def check_torch_lr(answer: float | None) -> str:
    """Whether torch's SGD with lr ``answer`` walks the path of averaging momentum with lr 0.5, momentum 0.95."""
    if answer is None:
        raise NotYetError("the answer is still None; write the number, or the formula that gives it")
    lr, right = _number(answer, "your answer"), EMA_LR * (1 - EMA_MOMENTUM)
    if math.isclose(lr, right, rel_tol=1e-6):
        return f"{EMA_LR} * (1 - {EMA_MOMENTUM}) = {right:.4g}; torch's v is 1 / (1 - momentum) times the average"
    mistakes = (
        (EMA_LR, "With the same lr torch's steps are 1 / (1 - momentum) = 20 times as long"),
        (EMA_LR / (1 - EMA_MOMENTUM), "That is the way back, from torch's lr to that of the average"),
        (EMA_LR * EMA_MOMENTUM, "The two differ by the factor 1 - momentum, not by momentum"),
    )
    for wrong, words in mistakes:
        if math.isclose(lr, wrong, rel_tol=1e-6):
            raise NotYetError(f"you say {lr:.4g}. {words}")
    raise NotYetError(f"you say {lr:.4g}. Under a steady gradient of 1, how long is one step of each, after many?")


def _number(value: Any, whose: str) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and abs(value) < 1e100):
        raise NotYetError(f"{whose} must be a finite number, got {value!r}")
    return float(value)
