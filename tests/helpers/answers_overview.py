"""What do students answer in notebook 01? Right answers in unusual forms, and wrong ones with what they must hear."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD

from course_utils.optim import sgd_update
from tests.helpers.answers import Answer

__all__ = [
    "LARGEST_LR",
    "MOMENTUM_STEPS",
    "TORCH_LR",
    "WRONG_LARGEST_LR",
    "WRONG_MOMENTUM_STEPS",
    "WRONG_TORCH_LR",
]

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
