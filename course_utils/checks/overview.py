"""Is my answer right? The exercises of notebook 01: what an optimizer does in a training step.

Each check tries the answer on numbers of its own. A wrong one is compared with the mistakes that learners make, so that
the verdict can name the one that was made.
"""

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from course_utils.arguments import shown
from course_utils.checks.verdict import NotYetError, call, explained, one_number, same_number
from course_utils.checks.witness import Modes
from course_utils.optim import ema_momentum_update

__all__ = ["check_largest_stable_lr", "check_momentum_step", "check_repaired_step", "check_torch_lr"]

CURVATURES = (20.0, 4.0, 0.5, 160.0, 0.1)
SETTINGS: tuple[dict[str, float], ...] = ({"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, {"lr": 0.04})
EMA_LR, EMA_MOMENTUM = 0.5, 0.95  # the recipe of exercise 4


# ---- Exercise 1: the largest stable lr ------------------------------------------------------------------------------


@explained
def check_largest_stable_lr(answer: Callable[[float], float]) -> str:
    """Whether ``answer(curvature)`` is the lr at which ``x <- (1 - lr * curvature) x`` stops to shrink x."""
    for curvature in CURVATURES:
        got = call(answer, curvature)
        lr = one_number(got)
        if not same_number(got, 2 / curvature, rel_tol=1e-4):
            raise NotYetError(f"for curvature {curvature:g} you say lr {lr:.6g}. {_what_that_lr_does(lr, curvature)}")
    return "2 / curvature. There the factor 1 - lr * curvature is -1: twice as steep a wall allows half the lr"


def _what_that_lr_does(lr: float, curvature: float) -> str:
    factor = 1 - lr * curvature
    if lr <= 0:
        return "An lr is above 0"
    if math.isclose(lr, 1 / curvature, rel_tol=1e-3):
        return "That is the fastest: the factor is 0, one step lands on the minimum. The largest is larger"
    if abs(factor) > 1:
        return f"The factor 1 - lr * curvature is {factor:.5g}, so every step leads further away; try a smaller one"
    return f"The factor 1 - lr * curvature is {factor:.5g}, still inside -1 and 1; a larger lr would be stable too"


# ---- Exercise 2: a training step to repair --------------------------------------------------------------------------


@explained
def check_repaired_step(answer: Callable[..., Tensor]) -> str:
    """Whether ``answer(model, images, labels, optimizer)`` learns from three batches as the five lines do.

    It is tried under two optimizers, one of them with a memory, so that nothing but the optimizer's own step will do.
    """
    for settings in SETTINGS:
        expected, wanted, _ = _three_steps(_five_lines, settings)
        weights, losses, events = _three_steps(answer, settings)
        if not torch.allclose(weights, expected, rtol=1e-4, atol=1e-6):
            raise NotYetError(_what_is_out_of_order(events))
        for got, right in zip(losses, wanted, strict=True):
            _compare_loss(got, float(right))
    return "every batch starts with empty gradients, fills them, and only then moves the weights"


def _compare_loss(got: Any, wanted: float) -> None:
    try:
        right = same_number(got, wanted, rel_tol=1e-5)
    except NotYetError as missing:
        raise NotYetError(f"the weights are right; {missing}") from missing
    if not right:
        raise NotYetError("the weights are right; the number returned is not the loss from before the step")
    if isinstance(got, Tensor) and got.requires_grad:
        raise NotYetError("the weights are right, but the returned loss still holds its graph; return loss.detach()")


def _five_lines(model: nn.Module, images: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    scores = model(images)
    loss = cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def _three_steps(answer: Callable[..., Any], settings: dict[str, float]) -> tuple[Tensor, list[Any], list[str]]:
    """All weights after three batches, what ``answer`` returned for each, and what it did to the last, in order."""
    events: list[str] = []
    model = _RecordedLayer(events)
    modes = Modes(model)
    optimizer = _RecordedSGD(model.parameters(), events, **settings)
    on_gradient: Callable[..., Any] = model.weight.register_post_accumulate_grad_hook
    on_gradient(lambda _: events.append("backward"))
    returned = []
    for size in (5, 3, 4):
        events.clear()
        images = torch.linspace(-1.0, 1.0, 4 * size).roll(size).view(size, 4) + size % 2
        labels = torch.tensor([0, 1, 2, 1, 0])[-size:]
        returned.append(call(answer, model, images, labels, optimizer))
    modes.check()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), returned, events


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

    def __init__(self, params: Any, events: list[str], **settings: Any) -> None:
        super().__init__(params, **settings)
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
    fills, moves = events.index("backward"), events.index("step")
    if moves < fills:
        return "step() came before backward(): it found no gradient, or that of the batch before"
    if "zero_grad" in events[fills:moves]:
        return "zero_grad() stood between backward() and step(): the gradient was gone before the step could use it"
    if events.count("step") > 1:
        return f"step() was called {events.count('step')} times for one batch; once is right"
    return "the five calls are there, but the weights end elsewhere; compare your lines with the cycle of section 2"


# ---- Exercise 3: the step of SGD with momentum ----------------------------------------------------------------------

# Neither lr is 1 - momentum: else the average, or a v that holds 1 - lr, would give the same numbers.
_CASES: tuple[tuple[Any, Any, Any, float, float], ...] = (
    ([1.0, -2.0], [0.5, 3.0], [4.0, -1.0], 0.3, 0.6),
    (
        [[2.0, 0.0, 1.0], [-1.0, 5.0, 3.0]],
        [[1.0, -1.0, 2.0], [0.5, 0.0, 4.0]],
        [[0.0, 2.0, -3.0], [1.0, 1.0, 0.5]],
        0.05,
        0.8,
    ),
    (7.0, 2.0, -1.5, 1.2, 0.5),
)


@explained
def check_momentum_step(answer: Callable[..., tuple[Tensor, Tensor]]) -> str:
    """Whether ``answer(p, g, v, lr, momentum)`` returns the p and v of ``torch.optim.SGD``."""
    for *numbers, lr, momentum in _CASES:
        p, g, v = (torch.tensor(each, dtype=torch.float64) for each in numbers)
        given = {"p": p.clone(), "g": g.clone(), "v": v.clone()}
        new_p, new_v = _two_tensors(call(answer, *given.values(), lr, momentum), p)
        right_v = momentum * v + g
        if not (_equal(new_p, p - lr * right_v) and _equal(new_v, right_v)):
            raise NotYetError(_which_momentum(new_p, new_v, p, g, v, lr, momentum))
        if changed := [
            name for (name, now), was in zip(given.items(), (p, g, v), strict=True) if not _as_it_was(now, was)
        ]:
            raise NotYetError(
                f"the numbers are right, but {' and '.join(changed)} changed in place; a pure function makes new "
                "tensors: no `+=`, no mul_, add_ or sub_"
            )
    return "the same p and v as torch.optim.SGD"


def _as_it_was(now: Tensor, was: Tensor) -> bool:
    return now.shape == was.shape and bool((now == was).all())


def _two_tensors(returned: Any, p: Tensor) -> tuple[Tensor, Tensor]:
    """The new p and the new v, as float64 tensors of the shape of ``p``."""
    if returned is None:
        raise NotYetError(
            "your function returned None; is the `return` forgotten? Give two things, the new p and the new v"
        )
    if isinstance(returned, (str, dict)) or not isinstance(returned, Iterable) or _is_a_row_of_p(returned, p):
        raise NotYetError(f"return two things, the new p and the new v, got {shown(returned)}")
    both = call(lambda: list(islice(iter(returned), 3)))
    if len(both) != 2:
        raise NotYetError(f"return two things, the new p and the new v, got {shown(returned)}")
    new_p, new_v = (_as_tensor(each) for each in both)
    if new_p is None or new_v is None or new_p.shape != p.shape or new_v.shape != p.shape:
        raise NotYetError(f"the new p and the new v are tensors like p and g, got {shown(returned)}")
    return new_p, new_v


def _is_a_row_of_p(returned: Any, p: Tensor) -> bool:
    """A tensor of the shape of p can be taken apart in two as well, but it is one thing."""
    return isinstance(returned, Tensor) and returned.shape == p.shape


def _as_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach().double()
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def _which_momentum(new_p: Tensor, new_v: Tensor, p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> str:
    """The known mistake that gives these numbers, or else which of them is wrong."""
    right_v = momentum * v + g
    for wrong_p, wrong_v, words in _mistakes(p, g, v, lr, momentum):
        if (wrong_p is None or _equal(new_p, wrong_p)) and _equal(new_v, wrong_v):
            return words
    if not _equal(new_v, right_v):
        start = f"v = {v.tolist()}, g = {g.tolist()} and momentum {momentum:g}"
        return f"for {start} the new v is {_short(right_v)}, yours is {_short(new_v)}"
    start = f"p = {p.tolist()} with lr {lr:g}"
    return f"v is right; from {start} the new p is {_short(p - lr * right_v)}, not {_short(new_p)}"


def _mistakes(
    p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float
) -> tuple[tuple[Tensor | None, Tensor, str], ...]:
    """The p and v of known mistakes, with words for each; None is any p."""
    right_v = momentum * v + g
    average_p, average_v = ema_momentum_update(p, g, v, lr=lr, momentum=momentum)
    holds_lr = "v holds the lr already; torch's v is momentum * v + g, and p takes lr * v"
    return (
        (right_v, p - lr * right_v, "p and v have changed places; return p first"),
        (p + lr * right_v, right_v, "p went uphill: the step is subtracted"),
        (p - lr * v, right_v, "p moved along the old v; renew v first, then move p along the new one"),
        (p - lr * g, right_v, "p moved along g alone; the step is lr * v"),
        (p - right_v, right_v, "the lr is missing in the step of p"),
        (p - lr * (g + momentum * right_v), right_v, "that is Nesterov's step; here p moves along lr * v alone"),
        (average_p, average_v, "that is the average (EMA), with (1 - momentum) before g; torch adds the whole g"),
        (None, average_v, "v is the average (EMA), with (1 - momentum) before g; torch adds the whole g"),
        (None, g, "v forgot its past: it is momentum * v + g"),
        (None, v + g, "v forgets nothing: the old v is multiplied by momentum"),
        (None, momentum * (v + g), "momentum multiplies the old v only, not g"),
        (None, momentum * v + lr * g, holds_lr),
        (None, momentum * v - lr * g, holds_lr),
        (p - (1 - momentum) * right_v, right_v, "p moves by lr * v; 1 - momentum has no place in torch's step"),
    )


def _equal(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-6, atol=1e-6)


def _short(tensor: Tensor) -> str:
    return str([round(float(number), 4) for number in tensor.flatten()])


# ---- Exercise 4: one recipe, two meanings of momentum ---------------------------------------------------------------


@explained
def check_torch_lr(answer: float | None) -> str:
    """Whether torch's SGD with lr ``answer`` walks the path of averaging momentum with lr 0.5, momentum 0.95."""
    if answer is None:
        raise NotYetError("the answer is still None; write the number, or the formula that gives it")
    lr, right = one_number(answer, "your answer"), EMA_LR * (1 - EMA_MOMENTUM)
    if same_number(answer, right):
        return f"{EMA_LR} * (1 - {EMA_MOMENTUM}) = {right:.4g}; torch's v is 1 / (1 - momentum) times the average"
    if math.isclose(lr, right, rel_tol=1e-2):
        raise NotYetError(f"you say {lr:.9g}, which is close; let Python work out the formula, without rounding")
    mistakes = (
        (EMA_LR, "With the same lr torch's steps are 1 / (1 - momentum) = 20 times as long"),
        (EMA_LR / (1 - EMA_MOMENTUM), "That is the way back, from torch's lr to that of the average"),
        (EMA_LR * EMA_MOMENTUM, "The two differ by the factor 1 - momentum, not by momentum"),
        (1 - EMA_MOMENTUM, "That is the factor alone; the book's lr is still to be multiplied by it"),
        (EMA_LR * (1 + EMA_MOMENTUM), "That factor belongs to the edge of stability; here it is 1 - momentum"),
    )
    for wrong, words in mistakes:
        if math.isclose(lr, wrong, rel_tol=1e-6):
            raise NotYetError(f"you say {lr:.4g}. {words}")
    raise NotYetError(f"you say {lr:.4g}. Under a steady gradient of 1, how long is one step of each, after many?")
