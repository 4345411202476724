"""The checks of notebook 04 for numbers: right answers pass, each typical wrong one is named, nothing raises."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import accumulate, repeat
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR, StepLR
from torch.utils.data import DataLoader

from course_utils.checks.lr_scheduler import check_lr_after, check_total_steps, check_warm_then_cosine
from course_utils.schedules import lr_curve, warmup_cosine
from tests.helpers.answers import Answer


@pytest.mark.parametrize("check", [check_lr_after, check_warm_then_cosine, check_total_steps])
@pytest.mark.parametrize("returned", [None, "0.1", True, [0.1], 1j])
def test_what_is_no_number_is_named(check: Answer, returned: Any) -> None:
    verdict = check(lambda *_, **__: returned)
    assert not verdict
    assert "return a number" in verdict.message


@pytest.mark.parametrize("check", [check_lr_after, check_warm_then_cosine, check_total_steps])
@pytest.mark.parametrize("returned", [math.nan, math.inf, -1e300])
def test_a_strange_number_is_not_yet_right(check: Answer, returned: float) -> None:
    assert not check(lambda *_, **__: returned)


# ------------------------------------------------------------------------------------------ the lr after k calls


def asked_of_torch(k: int, lr: float, step_size: int, gamma: float) -> float:
    curve = lr_curve(
        lambda optimizer: StepLR(optimizer, step_size=step_size, gamma=gamma), epochs=k + 1, steps_per_epoch=1, lr=lr
    )
    return float(curve[-1])


def stairs_by_loop(k: int, lr: float, step_size: int, gamma: float) -> float:
    for call in range(1, k + 1):
        if call % step_size == 0:
            lr *= gamma
    return lr


def stairs_by_recursion(k: int, lr: float, step_size: int, gamma: float) -> float:
    return lr if k < step_size else stairs_by_recursion(k - step_size, lr * gamma, step_size, gamma)


def stair(k: int, lr: float, step_size: int, gamma: float) -> float:
    return lr * gamma ** (k // step_size)


RIGHT_LRS: dict[str, Answer] = {
    "float16": lambda *_, **a: np.float16(stair(*_, **a)),
    "bfloat16": lambda *_, **a: torch.tensor(stair(*_, **a)).bfloat16(),
    "float32, at the end": lambda *_, **a: torch.tensor(stair(*_, **a)),
    "torch": asked_of_torch,
    "formula": lambda k, lr, step_size, gamma: lr * gamma ** (k // step_size),
    "float64 tensor": lambda k, lr, step_size, gamma: torch.tensor(lr * gamma ** (k // step_size), dtype=torch.float64),
    "float32 tensor of one": lambda k, lr, step_size, gamma: torch.tensor([lr]) * gamma ** (k // step_size),
    "numpy float32": lambda k, lr, step_size, gamma: np.float32(lr) * np.float32(gamma) ** (k // step_size),
    "0-d array": lambda k, lr, step_size, gamma: np.array(lr * gamma ** (k // step_size)),
    "product": lambda k, lr, step_size, gamma: math.prod([lr] + [gamma] * (k // step_size)),
    "floor": lambda k, lr, step_size, gamma: lr * gamma ** math.floor(k / step_size),
    "int": lambda k, lr, step_size, gamma: lr * pow(gamma, int(k / step_size)),
    "divmod": lambda k, lr, step_size, gamma: lr * gamma ** divmod(k, step_size)[0],
    "exponential": lambda k, lr, step_size, gamma: lr * math.exp(math.log(gamma) * (k // step_size)),
    "Decimal": lambda k, lr, step_size, gamma: Decimal(lr) * Decimal(gamma) ** int(k // step_size),
    "Fraction": lambda k, lr, step_size, gamma: Fraction(lr) * Fraction(gamma) ** int(k // step_size),
    "loop": stairs_by_loop,
    "recursion": stairs_by_recursion,
    "accumulate": lambda k, lr, step_size, gamma: [
        *accumulate(repeat(gamma, k // step_size), lambda a, b: a * b, initial=lr)
    ][-1],
    "another name for the last": lambda k, lr, step_size, **rest: lr * rest["gamma"] ** (k // step_size),
}


@pytest.mark.parametrize("answer", RIGHT_LRS.values(), ids=list(RIGHT_LRS))
def test_the_lr_after_k_calls_may_be_found_in_any_way(answer: Answer) -> None:
    assert check_lr_after(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda k, lr, step_size, gamma: lr * gamma ** (k / step_size), "try // instead of /"),
        (lambda k, lr, step_size, gamma: lr * gamma**k, "every call divided it"),
        (lambda k, lr, step_size, gamma: gamma ** (k // step_size), "the factor alone"),
        (lambda k, lr, step_size, gamma: lr * gamma * (k // step_size), "try ** instead of *"),
        (lambda k, lr, step_size, gamma: lr * gamma ** ((k + 1) // step_size), "one call too early"),
        (lambda k, lr, step_size, gamma: lr * gamma ** (max(k - 1, 0) // step_size), "one call too late"),
        (lambda k, lr, step_size, gamma: lr, "the lr after 5 calls is 0.001, got 0.01"),
        (lambda k, lr, step_size, gamma: lr * 0.1 ** (k // 5), "step_size=3, gamma=0.5 the lr after 4 calls is 0.2"),
        (lambda k, lr, step_size, gamma: lr * gamma ** ((k - 1) // step_size), "leave k as it is"),
        (lambda k, lr, step_size, gamma: (lr * gamma) ** (k // step_size), "the power belongs to gamma alone"),
        (lambda k, lr, step_size, gamma: lr / gamma ** (k // step_size), "the lr after 5 calls"),
        (lambda k, lr, step_size, gamma: lr * gamma ** round(k / step_size), "the lr after 4 calls"),
        (lambda k, lr, step_size, gamma: lr * gamma ** (k % step_size), "the lr after 1 call is"),
        (lambda k, lr, step_size, gamma: {0: lr}.get(k, lr * gamma), "the lr after 1 call is"),
        (lambda *_, **a: round(stair(*_, **a), 10), "the lr after 156 calls is 1e-33, got 0"),
        (lambda *_, **a: max(stair(*_, **a), 1e-8), "the lr after 156 calls is 1e-33, got 1e-08"),
        (lambda *_, **a: max(stair(*_, **a), 1e-45), "the lr after 468 calls"),
        (lambda k, **a: stair(k, **a) if k < 100 else 0.0, "the lr after 156 calls is 1e-33, got 0"),
        (lambda k, **a: stair(min(k, 200), **a), "the lr after 468 calls"),
        (lambda k, lr, step_size, gamma: [lr * gamma ** (k // step_size)] * 2, "return a number"),
        (lambda k, lr, step_size, gamma: print(lr), "return"),
        (lambda k, lr=0.01: lr, "TypeError"),
    ],
)
def test_a_wrong_lr_is_named(answer: Answer, words: str) -> None:
    verdict = check_lr_after(answer)
    assert not verdict
    assert words in verdict.message


# -------------------------------------------------------------------------------------------- warm-up and cosine


def factor(
    step: int,
    warmup: int,
    total: int,
    start: float,
    *,
    rise: Callable[[float, float], float] = lambda share, start: start + (1 - start) * share,
    fall: Callable[[float], float] = lambda share: (1 + math.cos(math.pi * min(share, 1.0))) / 2,
) -> float:
    """The right factor, of which a part may be replaced."""
    return rise(step / warmup, start) if step < warmup else fall((step - warmup) / (total - warmup))


def of_torch(step: int, warmup: int, total: int, start: float) -> float:
    """The lr that torch's own warm-up and cosine give, from an lr of 1; they end at ``total``."""
    if start == 0.0 or step >= total:
        return factor(step, warmup, total, start)  # LinearLR refuses to start at 0
    return float(
        lr_curve(
            partial(warm_up_of_torch, warmup, total, start), epochs=1, steps_per_epoch=step + 1, cadence="step", lr=1.0
        )[-1]
    )


def warm_up_of_torch(warmup: int, total: int, start: float, optimizer: SGD) -> SequentialLR:
    parts = [LinearLR(optimizer, start, total_iters=warmup), CosineAnnealingLR(optimizer, T_max=total - warmup)]
    return SequentialLR(optimizer, parts, milestones=[warmup])


RIGHT_FACTORS: dict[str, Answer] = {
    "formula": factor,
    "course_utils": lambda step, warmup, total, start: warmup_cosine(step, warmup=warmup, total=total, start=start),
    "torch": of_torch,
    "float64 tensor": lambda *a: torch.tensor(factor(*a), dtype=torch.float64),
    "float32 tensor": lambda *a: torch.tensor(factor(*a)),
    "float32 array": lambda *a: np.float32(factor(*a)),
    "float32 to the end": lambda *a: factor(
        *a, fall=lambda share: (1 + torch.cos(torch.pi * torch.tensor(min(share, 1.0)))) / 2
    ),
    "0-d array": lambda *a: np.array(factor(*a)),
    "half an angle": lambda *a: factor(*a, fall=lambda share: math.cos(math.pi / 2 * min(share, 1.0)) ** 2),
    "a sine": lambda *a: factor(*a, fall=lambda share: 1 - math.sin(math.pi / 2 * min(share, 1.0)) ** 2),
    "interpolated": lambda step, warmup, total, start: (
        np.interp(step, [0, warmup], [start, 1.0]) if step < warmup else factor(step, warmup, total, start)
    ),
    "as a weighted mean": lambda *a: factor(*a, rise=lambda share, start: (1 - share) * start + share),
    "0 by an if": lambda step, warmup, total, start: 0 if step >= total else factor(step, warmup, total, start),
}


@pytest.mark.parametrize("answer", RIGHT_FACTORS.values(), ids=list(RIGHT_FACTORS))
def test_a_warm_up_and_a_cosine_are_right(answer: Answer) -> None:
    assert check_warm_then_cosine(answer)


WRONG_FACTORS: dict[str, tuple[Answer, str]] = {
    "rises again": (lambda *a: factor(*a, fall=lambda share: (1 + math.cos(math.pi * share)) / 2), "rises again"),
    "not shifted": (
        lambda step, warmup, total, start: (
            factor(step, warmup, total, start)
            if step < warmup
            else (1 + math.cos(math.pi * min(step / total, 1.0))) / 2
        ),
        "the factor jumps",
    ),
    "too long": (
        lambda step, warmup, total, start: (
            factor(step, warmup, total, start)
            if step < warmup
            else (1 + math.cos(math.pi * min((step - warmup) / total, 1.0))) / 2
        ),
        "ends too late",
    ),
    "whole cosine": (lambda *a: factor(*a, fall=lambda share: math.cos(math.pi * min(share, 1.0))), "a whole cosine"),
    "no fall": (lambda *a: factor(*a, fall=lambda share: 1.0), "stays at 1"),
    "from 0": (lambda *a: factor(*a, rise=lambda share, start: share), "begins at 0"),
    "above 1": (lambda *a: factor(*a, rise=lambda share, start: start + share), "ends above 1"),
    "one ahead": (
        lambda *a: factor(*a, rise=lambda share, start: start + (1 - start) * (share + 0.1)),
        "one step ahead",
    ),
    "one step early": (
        lambda step, warmup, total, start: factor(
            step, warmup, total, start, rise=lambda share, start: start + (1 - start) * step / (warmup - 1)
        ),
        "ends one step early",
    ),
    "no rise": (lambda *a: factor(*a, rise=lambda share, start: start), "at step 1 is 0.28, got 0.2"),
    "an lr": (lambda *a: 0.01 * factor(*a), "that is an lr, 0.01 times the factor"),
    "a straight fall": (lambda *a: factor(*a, fall=lambda share: max(1 - share, 0.0)), "a straight way down"),
    "a quarter": (lambda *a: factor(*a, fall=lambda share: math.cos(math.pi / 2 * min(share, 1.0))), "a quarter of a"),
    "no warm-up": (lambda *a: factor(*a, rise=lambda share, start: 1.0), "during the warm-up the factor is 1"),
    "for ten and fifty": (lambda step, warmup, total, start: factor(step, 10, 50, start), "warmup=4, total=25"),
    "for a start of 0.1": (lambda step, warmup, total, start: factor(step, warmup, total, 0.1), "start=0"),
    "nothing": (lambda *a: None, "return"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_FACTORS.values(), ids=list(WRONG_FACTORS))
def test_a_wrong_factor_is_named(answer: Answer, words: str) -> None:
    verdict = check_warm_then_cosine(answer)
    assert not verdict
    assert words in verdict.message


# ----------------------------------------------------------------------------------------------- a run's length


def batches_of_torch(n: int, size: int, epochs: int, drop: bool) -> int:
    return epochs * len(DataLoader(range(n), batch_size=size, drop_last=drop))  # type: ignore[arg-type]


def batches_by_counting(n: int, size: int, epochs: int, drop: bool) -> int:
    updates = 0
    for _ in range(epochs):
        for first in range(0, n, size):
            updates += not drop or first + size <= n
    return updates


RIGHT_LENGTHS: dict[str, Answer] = {
    "ceil": lambda n, size, epochs, drop: epochs * (n // size if drop else math.ceil(n / size)),
    "float": lambda n, size, epochs, drop: float(epochs * (n // size if drop else -(-n // size))),
    "tensor": lambda n, size, epochs, drop: torch.tensor(epochs * (n // size if drop else -(-n // size))),
    "numpy int64": lambda n, size, epochs, drop: np.int64(epochs * (n // size if drop else -(-n // size))),
    "0-d array": lambda n, size, epochs, drop: np.array(epochs * (n // size if drop else -(-n // size))),
    "numpy ceil": lambda n, size, epochs, drop: epochs * (np.floor if drop else np.ceil)(n / size),
    "torch's loader": batches_of_torch,
    "counting": batches_by_counting,
    "a range": lambda n, size, epochs, drop: epochs * len(range(0, n - (size - 1) * drop, size)),
    "divmod": lambda n, size, epochs, drop: epochs * (divmod(n, size)[0] + (n % size > 0 and not drop)),
    "rounded up": lambda n, size, epochs, drop: (n + (size - 1) * (not drop)) // size * epochs,
    "Decimal": lambda n, size, epochs, drop: Decimal(epochs * (n // size if drop else -(-n // size))),
    "Fraction": lambda n, size, epochs, drop: Fraction(epochs * (n // size if drop else -(-n // size))),
}


@pytest.mark.parametrize("answer", RIGHT_LENGTHS.values(), ids=list(RIGHT_LENGTHS))
def test_the_updates_of_a_training_are_right(answer: Answer) -> None:
    assert check_total_steps(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, size, epochs, drop: n // size if drop else -(-n // size), "that is one epoch"),
        (lambda n, size, epochs, drop: epochs, "the number of epochs"),
        (lambda n, size, epochs, drop: epochs * n, "counts images"),
        (lambda n, size, epochs, drop: epochs * (n // size), "the smaller last batch of every epoch is an update"),
        (lambda n, size, epochs, drop: epochs * -(-n // size), "drop_last leaves out"),
        (lambda n, size, epochs, drop: epochs * (n // size + (not drop)), "do not divide evenly"),
        (lambda n, size, epochs, drop: -(-epochs * n // size), "round in every epoch"),
        (lambda n, size, epochs, drop: n / size, "whole numbers"),
        (lambda n, size, epochs, drop: 7, "one epoch has 157 batches"),
        (lambda n, size, epochs, drop: {(10_000, False): 3140}.get((n, drop), 3120), "images=10000"),
        (lambda n, size, epochs, drop: 1.1 * epochs * n / size, "whole numbers"),
        (lambda n, size, epochs, drop: epochs * round(n / size), "the smaller last batch of every epoch is an update"),
        (lambda n, size, epochs, drop: max(1, epochs * (n // size if drop else -(-n // size))), "gives 0, got 1"),
        (lambda n, size, epochs, drop: epochs * max(1, n // size if drop else -(-n // size)), "gives 0, got 20"),
        (lambda n, size, epochs, drop: epochs * (n // size if drop else -(-n // size)) if n >= size else 0, "gives 20"),
        (lambda n, size, epochs, drop: None, "return"),
    ],
)
def test_a_wrong_number_of_updates_is_named(answer: Answer, words: str) -> None:
    verdict = check_total_steps(answer)
    assert not verdict
    assert words in verdict.message
