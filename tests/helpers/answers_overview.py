"""What do students answer in notebook 01? Right answers in unusual forms, and wrong ones with what they must hear."""

import math
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss, one_hot, softmax
from torch.optim import SGD, Adam, Optimizer

from course_utils.optim import sgd_update
from course_utils.training import train_step

__all__ = [
    "LARGEST_LR",
    "MOMENTUM_STEPS",
    "STEPS",
    "TORCH_LR",
    "WRONG_LARGEST_LR",
    "WRONG_MOMENTUM_STEPS",
    "WRONG_STEPS",
    "WRONG_TORCH_LR",
    "Answer",
    "by_hand",
    "made_anew",
]

Answer = Any

# ------------------------------------------------------------------------------------------------- largest stable lr

LARGEST_LR: dict[str, Answer] = {
    "float": lambda c: 2 / c,
    "tensor": lambda c: torch.tensor(2.0) / c,
    "tensor of one": lambda c: torch.tensor([2.0]) / c,
    "tensor that requires grad": lambda c: torch.tensor(2.0, requires_grad=True) / c,
    "np.float32": lambda c: np.float32(2) / np.float32(c),
    "0-d array": lambda c: np.array(2 / c),
    "half precision": lambda c: np.float16(2 / c),
    "Decimal": lambda c: 2 / Decimal(c),
    "Fraction": lambda c: Fraction(2) / Fraction(c),
    "power": lambda c: 2 * c**-1,
    "from the factor": lambda c: (1 - (-1)) / c,
    "a hair below": lambda c: (2 - 1e-9) / c,
    "int where it is whole": lambda c: int(2 / c) if (2 / c).is_integer() else 2 / c,
    "bisection": lambda c: _bisected(c),
}


def _bisected(curvature: float) -> float:
    low, high = 0.0, 1000.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if abs(1 - middle * curvature) <= 1 else (low, middle)
    return low


WRONG_LARGEST_LR: dict[str, tuple[Answer, str]] = {
    "the fastest": (lambda c: 1 / c, "the fastest"),
    "a number by heart": (lambda c: 0.1, "for curvature 4 you say lr 0.1"),
    "right for the example alone": (lambda c: 2 / 20, "for curvature 4"),
    "upside down": (lambda c: c / 2, "for curvature 20 you say lr 10"),
    "negative": (lambda c: -2 / c, "An lr is above 0"),
    "root": (lambda c: 2 / math.sqrt(c), "for curvature 20"),
    "never above 1": (lambda c: min(2 / c, 1.0), "for curvature 0.5 you say lr 1"),
    "rounded to a hundredth": (lambda c: round(2 / c, 2), "for curvature 160 you say lr 0.01"),
    "whole division": (lambda c: 2 // c, "An lr is above 0"),
    "with momentum": (lambda c: 2 * 1.9 / c, "every step leads further away"),
    "a little too large": (lambda c: 2.01 / c, "every step leads further away"),
    "a little too small": (lambda c: 1.99 / c, "a larger lr would be stable too"),
    "forgotten return": (lambda c: None, "is the `return` forgotten?"),
    "text": (lambda c: f"{2 / c}", "got '0.1'"),
    "a list": (lambda c: [2 / c], "got [0.1]"),
    "yield": (lambda c: (2 / c for _ in range(1)), "use `return`"),
    "an error": (lambda c: 2 / (c - 20), "ZeroDivisionError"),
    "no function": (0.1, "expected a function"),
}

# ----------------------------------------------------------------------------------------------------- a training step


def trained(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: Optimizer,
    *,
    order: str = "zbs",
    loss_of: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> Tensor:
    """One step in this order: z(ero_grad), b(ackward), s(tep)."""
    loss = loss_of(model(images), labels)
    for letter in order:
        {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[letter]()
    return loss.detach()


def by_nll(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, optimizer, loss_of=lambda s, y: nll_loss(log_softmax(s, dim=1), y))


def by_hand_written_loss(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    def loss_of(scores: Tensor, labels: Tensor) -> Tensor:
        return -(one_hot(labels, scores.shape[1]) * scores.log_softmax(dim=1)).sum() / len(labels)

    return trained(model, images, labels, optimizer, loss_of=loss_of)


def with_zeros(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad(set_to_none=False)
    return trained(model, images, labels, optimizer, order="bs")


def emptied_by_hand(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    for parameter in model.parameters():
        parameter.grad = None
    return trained(model, images, labels, optimizer, order="bs")


def with_closure(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Any:
    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss.item()

    return optimizer.step(closure)


def by_autograd_grad(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    loss = cross_entropy(model(images), labels)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.detach()


def in_two_parts(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    total = 0.0
    for x, y in ((images[:2], labels[:2]), (images[2:], labels[2:])):
        if len(y):
            loss = cross_entropy(model(x), y) * len(y) / len(labels)
            loss.backward()
            total += loss.item()
    optimizer.step()
    return total


STEPS: dict[str, Answer] = {
    "the five lines": trained,
    "the package's": lambda model, images, labels, optimizer: train_step(model, (images, labels), optimizer),
    "zero_grad at the end": lambda *a: trained(*a, order="bsz"),
    "zero_grad twice": lambda *a: trained(*a, order="zzbs"),
    "gradients of zero": with_zeros,
    "gradients emptied by hand": emptied_by_hand,
    "closure": with_closure,
    "autograd.grad, then the optimizer": by_autograd_grad,
    "gradients gathered in two parts": in_two_parts,
    "nll of log_softmax": by_nll,
    "loss by hand": by_hand_written_loss,
    "layer CrossEntropyLoss": lambda *a: trained(*a, loss_of=nn.CrossEntropyLoss()),
    "measured on the way": lambda *a: measured_on_the_way(*a),
    "train() first": lambda model, *rest: trained(model.train(), *rest),
    "returns a float": lambda *a: trained(*a).item(),
    "returns np.float32": lambda *a: np.float32(trained(*a).item()),
    "returns a 0-d array": lambda *a: trained(*a).numpy(),
    "returns Decimal": lambda *a: Decimal(trained(*a).item()),
    "returns a tensor of one": lambda *a: trained(*a)[None],
}


def by_hand(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    loss = cross_entropy(model(images), labels)
    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter -= optimizer.param_groups[0]["lr"] * gradient
    return loss.detach()


def made_anew(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"]))


def another_kind(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, Adam(model.parameters(), lr=0.1))


def of_a_copy(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(deepcopy(model), images, labels, optimizer)


def without_the_bias(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad()
    loss = cross_entropy(model(images), labels)
    loss.backward()
    list(model.parameters())[-1].grad = None
    optimizer.step()
    return loss.detach()


def evaluating(model: nn.Module, *rest: Any) -> Tensor:
    return (trained(model.eval(), *rest), model.train())[0]


def left_evaluating(model: nn.Module, *rest: Any) -> Tensor:
    return (trained(model, *rest), model.eval())[0]


def with_graph(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad()
    loss = cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def measured_on_the_way(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    model.eval()
    with torch.no_grad():
        model(images)
    model.train()
    return trained(model, images, labels, optimizer)


def step_twice(*a: Any) -> Tensor:
    trained(*a)
    return trained(*a)


def loss_afterwards(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    trained(model, images, labels, optimizer)
    return cross_entropy(model(images), labels).detach()


def first_images_only(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images[:-1], labels[:-1], optimizer)


# What both checks of a step must refuse; the words are those of check_repaired_step, then of check_train_step.
WRONG_STEPS: dict[str, tuple[Answer, str, str]] = {
    "without zero_grad": (lambda *a: trained(*a, order="bs"), "zero_grad() was not called", "added up"),
    "without backward": (lambda *a: trained(*a, order="zs"), "backward() was not called", "did not move"),
    "without step": (lambda *a: trained(*a, order="zb"), "step() was not called", "did not move"),
    "zero_grad too late": (lambda *a: trained(*a, order="bzs"), "stood between", "did not move"),
    "zero_grad also too late": (lambda *a: trained(*a, order="zbzs"), "stood between", "did not move"),
    "step first": (lambda *a: trained(*a, order="szb"), "step() came before", "weights differ"),
    "two steps of one gradient": (lambda *a: trained(*a, order="zbss"), "called 2 times", "called 6 times"),
    "the step twice": (step_twice, "called 2 times", "called 6 times"),
    "by hand, for plain SGD": (by_hand, "was not called", "not by optimizer.step()"),
    "an optimizer made anew": (made_anew, "step() was not called", "not by optimizer.step()"),
    "another optimizer": (another_kind, "step() was not called", "not by optimizer.step()"),
    "a copy learns": (of_a_copy, "was not called", "did not move"),
    "the bias left out": (without_the_bias, "weights end elsewhere", "weights differ"),
    "a part of the batch": (first_images_only, "weights end elsewhere", "weights differ"),
    "summed loss": (
        lambda *a: trained(*a, loss_of=nn.CrossEntropyLoss(reduction="sum")), "weights end elsewhere", "was summed",
    ),
    "softmax too many": (
        lambda *a: trained(*a, loss_of=lambda s, y: cross_entropy(softmax(s, dim=1), y)),
        "weights end elsewhere", "a softmax too many",
    ),
    "loss after the step": (loss_afterwards, "not the loss from before", "before the update"),
    "a loss by heart": (lambda *a: (trained(*a), 2.3)[1], "not the loss from before", "before the update"),
    "forgotten return": (lambda *a: (trained(*a), None)[1], "the weights are right; return", "nothing is returned"),
    "a list": (lambda *a: [trained(*a)], "return a number", "return a number"),
    "with its graph": (with_graph, "still holds its graph", "still holds its graph"),
    "with its graph, as a tensor of one": (lambda *a: with_graph(*a)[None], "holds its graph", "holds its graph"),
    "in evaluation mode": (evaluating, "learned in evaluation mode", "learned in evaluation mode"),
    "left in evaluation mode": (left_evaluating, "evaluation mode", "evaluation mode"),
    "no training at all": (lambda *a: 1.0, "was not called", "did not move"),
    "an error": (lambda *a: 1 / 0, "ZeroDivisionError", "ZeroDivisionError"),
    "exit": (lambda *a: (_ for _ in ()).throw(SystemExit(1)), "SystemExit", "SystemExit"),
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------- momentum step


def in_place(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Tensor, Tensor]:
    v.mul_(momentum).add_(g)
    return p.sub_(lr * v), v


def on_copies(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Tensor, Tensor]:
    return in_place(p.clone(), g, v.clone(), lr, momentum)


def v_in_place(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Tensor, Tensor]:
    v *= momentum
    v += g
    return p - lr * v, v


def g_in_place(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Tensor, Tensor]:
    g.add_(v, alpha=momentum)
    return p - lr * g, g.clone()


def by_numpy_in_place(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> Any:
    """What a generator does, it does when it is read."""
    yield p.numpy().__isub__(lr * (momentum * v.numpy() + g.numpy()))
    yield momentum * v + g


def by_torch(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Tensor, Tensor]:
    w = p.clone().requires_grad_()
    optimizer = SGD([w], lr=lr, momentum=momentum)
    optimizer.state[w]["momentum_buffer"] = v.clone()
    w.grad = g
    optimizer.step()
    return w, optimizer.state[w]["momentum_buffer"]


def by_numpy(p: Tensor, g: Tensor, v: Tensor, lr: float, momentum: float) -> tuple[Any, Any]:
    new_v = momentum * v.numpy() + g.numpy()
    return p.numpy() - lr * new_v, new_v


MOMENTUM_STEPS: dict[str, Answer] = {
    "two lines": lambda p, g, v, lr, m: (p - lr * (m * v + g), m * v + g),
    "the package's": lambda p, g, v, lr, m: sgd_update(p, g, v, lr=lr, momentum=m),
    "torch itself": by_torch,
    "in place, on copies": on_copies,
    "numpy": by_numpy,
    "a list": lambda p, g, v, lr, m: [p - lr * (m * v + g), m * v + g],
    "stacked": lambda p, g, v, lr, m: torch.stack([p - lr * (m * v + g), m * v + g]),
    "a generator": lambda p, g, v, lr, m: (each for each in (p - lr * (m * v + g), m * v + g)),
    "float32": lambda p, g, v, lr, m: ((p - lr * (m * v + g)).float(), (m * v + g).float()),
    "requires grad": lambda p, g, v, lr, m: ((p - lr * (m * v + g)).requires_grad_(), (m * v + g).requires_grad_()),
    "lerp undone": lambda p, g, v, lr, m: (p - lr * torch.add(g, v, alpha=m), torch.add(g, v, alpha=m)),
    "p in two parts": lambda p, g, v, lr, m: (p - lr * m * v - lr * g, v * m + g),
    "nested lists": lambda p, g, v, lr, m: ((p - lr * (m * v + g)).tolist(), (m * v + g).tolist()),
    "addcmul": lambda p, g, v, lr, m: (torch.add(p, m * v + g, alpha=-lr), (v * m).add(g)),
}
WRONG_MOMENTUM_STEPS: dict[str, tuple[Answer, str]] = {
    "in place": (in_place, "but p and v changed in place"),
    "v in place": (v_in_place, "but v changed in place"),
    "g in place": (g_in_place, "but g changed in place"),
    "in place, when it is read": (by_numpy_in_place, "but p changed in place"),
    "momentum by heart": (lambda p, g, v, lr, m: (p - lr * (0.9 * v + g), 0.9 * v + g), "the new v is"),
    "momentum is 1 - lr": (lambda p, g, v, lr, m: (p - lr * ((1 - lr) * v + g), (1 - lr) * v + g), "the new v is"),
    "lr is 1 - momentum": (lambda p, g, v, lr, m: (p - (1 - m) * (m * v + g), m * v + g), "1 - momentum has no place"),
    "lr by heart": (lambda p, g, v, lr, m: (p - 0.3 * (m * v + g), m * v + g), "v is right; from p"),
    "changed places": (lambda p, g, v, lr, m: (m * v + g, p - lr * (m * v + g)), "changed places"),
    "uphill": (lambda p, g, v, lr, m: (p + lr * (m * v + g), m * v + g), "uphill"),
    "old v": (lambda p, g, v, lr, m: (p - lr * v, m * v + g), "along the old v"),
    "g alone": (lambda p, g, v, lr, m: (p - lr * g, m * v + g), "along g alone"),
    "no lr": (lambda p, g, v, lr, m: (p - (m * v + g), m * v + g), "lr is missing"),
    "average": (lambda p, g, v, lr, m: (p - lr * (m * v + (1 - m) * g), m * v + (1 - m) * g), "average (EMA)"),
    "nesterov": (lambda p, g, v, lr, m: (p - lr * (g + m * (m * v + g)), m * v + g), "Nesterov's step"),
    "v kept": (lambda p, g, v, lr, m: (p - lr * (m * v + g), v), "the new v is"),
    "v forgets nothing": (lambda p, g, v, lr, m: (p - lr * (v + g), v + g), "forgets nothing"),
    "for two numbers only": (
        lambda p, g, v, lr, m: (
            torch.stack([p[i] - lr * (m * v[i] + g[i]) for i in range(2)]),
            torch.stack([m * v[i] + g[i] for i in range(2)]),
        ),
        "IndexError",
    ),
    "p alone": (lambda p, g, v, lr, m: p - lr * (m * v + g), "return two things"),
    "three things": (lambda p, g, v, lr, m: (p, g, v), "return two things"),
    "forgotten return": (lambda p, g, v, lr, m: None, "is the `return` forgotten?"),
    "nothing for v": (lambda p, g, v, lr, m: (p - lr * (m * v + g), None), "tensors like p and g"),
    "texts": (lambda p, g, v, lr, m: ("p", "v"), "tensors like p and g"),
    "an error": (lambda p, g, v, lr, m: p[99], "IndexError"),
}

# --------------------------------------------------------------------------------------------------------- torch's lr

TORCH_LR: dict[str, Answer] = {
    "float": 0.025,
    "formula": 0.5 * (1 - 0.95),
    "division": 0.5 / 20,
    "Decimal": Decimal("0.025"),
    "Fraction": Fraction(1, 40),
    "np.float64": np.float64(0.025),
    "np.float32": np.float32(0.025),
    "np.float16": np.float16(0.025),
    "0-d array": np.array(0.025),
    "array of one": np.array([0.025]),
    "tensor": torch.tensor(0.025),
    "tensor of one": torch.tensor([0.5]) * (1 - 0.95),
    "bfloat16": torch.tensor(0.025, dtype=torch.bfloat16),
    "requires grad": torch.tensor(0.025, requires_grad=True),
}
WRONG_TORCH_LR: dict[str, tuple[Answer, str]] = {
    "the same": (0.5, "20 times as long"),
    "the way back": (10.0, "the way back"),
    "times momentum": (0.475, "by the factor 1 - momentum"),
    "the factor alone": (0.05, "the factor alone"),
    "the edge's factor": (0.975, "edge of stability"),
    "almost": (0.0250001, "you say 0.0250001, which is close"),
    "rounded": (0.03, "how long is one step"),
    "ten times": (0.25, "how long is one step"),
    "negative": (-0.025, "how long is one step"),
    "zero": (0, "how long is one step"),
    "int": (1, "how long is one step"),
    "nothing": (None, "still None"),
    "text": ("0.025", "got '0.025'"),
    "NaN": (float("nan"), "got nan"),
    "True": (True, "got True"),
    "two numbers": (torch.zeros(2), "of shape (2,)"),
    "function": (lambda: 0.025, "return a number"),
}
