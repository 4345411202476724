"""What lr at which step? The lr of every update under any torch scheduler, and schedules as plain functions.

The functions give a factor for a step, so that ``LambdaLR(optimizer, partial(cosine, total=1560))`` runs them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_utils.arguments import Array, a_function, a_number, a_row, a_whole_number, kind_of, one_of

__all__ = [
    "cosine",
    "first_step_below",
    "freeze_step",
    "linear_warmup",
    "lr_curve",
    "one_cycle",
    "step_decay",
    "warmup_cosine",
]

Cadence = Literal["epoch", "step"]
CADENCES: tuple[str, ...] = get_args(Cadence)
MOST_UPDATES = 1_000_000
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)

Curve = Array
Metrics = Sequence[float] | Callable[[int], float]

_EXAMPLE = "lambda optimizer: StepLR(optimizer, step_size=5)"
_a_factory = a_function("the optimizer", example=_EXAMPLE)
_a_cadence = one_of(CADENCES)
_a_step = a_whole_number(0, example=0)
_a_count = a_whole_number(1, example=5)
_above_zero = a_number(above=0, example=0.1)
_a_share = a_number(0, 1, example=0.1)
_a_float32 = a_number(-LARGEST_FLOAT32, LARGEST_FLOAT32, must="be a finite float32", example=0.05)
_a_curve = a_row(fits=lambda row: not np.isnan(row).any(), example="lr_curve(...)")


def lr_curve(
    make_scheduler: Callable[[torch.optim.SGD], Any],
    *,
    epochs: int,
    steps_per_epoch: int,
    cadence: str = "epoch",
    lr: float = 0.1,
    metrics: Metrics | None = None,
) -> Curve:
    """The lr used by every update, float64 of shape ``(epochs * steps_per_epoch,)``, found without a model.

    ``make_scheduler`` gets an SGD optimizer with momentum 0.9 and no gradients; torch's own scheduler does the rest.

    Args:
        make_scheduler: e.g. ``lambda optimizer: StepLR(optimizer, step_size=5)``.
        epochs: number of epochs.
        steps_per_epoch: updates in each.
        cadence: "epoch" calls ``scheduler.step()`` after each epoch, "step" after each update.
        lr: the optimizer's lr before the scheduler changes it.
        metrics: the loss that ReduceLROnPlateau looks at, one number per call of ``scheduler.step`` or a function of
            the number of that call, from 0. Other schedulers do not read it.

    Raises:
        TypeError: an argument is of another kind, or ``make_scheduler`` does not return a scheduler.
        ValueError: an argument is out of range, ``metrics`` is missing or of another length, or the scheduler holds
            another optimizer than the one it was given. OneCycleLR raises its own where it is stepped too often.
    """
    epochs, steps_per_epoch = _a_count("epochs", epochs), _a_count("steps_per_epoch", steps_per_epoch)
    if epochs * steps_per_epoch > MOST_UPDATES:
        came = f"{epochs * steps_per_epoch:,}"
        raise ValueError(f"epochs * steps_per_epoch must be at most {MOST_UPDATES:,}, got {came}; try 20 * 156")
    cadence, lr = _a_cadence("cadence", cadence), _above_zero("lr", lr)
    calls, updates_per_call = (epochs, steps_per_epoch) if cadence == "epoch" else (epochs * steps_per_epoch, 1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = _made(make_scheduler, optimizer)
    arguments = _metric_of(metrics, calls) if isinstance(scheduler, ReduceLROnPlateau) else lambda call: ()
    # Without gradients a step changes nothing, and most of the time would go into it. One is enough for a scheduler,
    # which warns if it is the first to be stepped.
    optimizer.step()
    used = []
    for call in range(calls):
        used.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step(*arguments(call))
    return np.repeat(np.array(used, dtype=np.float64), updates_per_call)


def step_decay(step: int, *, step_size: int, gamma: float = 0.1) -> float:
    """The factor ``gamma ** (step // step_size)``, as StepLR: a cut every ``step_size`` calls, of epochs or of updates.

    Raises:
        TypeError, ValueError: ``step`` is negative, ``step_size`` below 1, ``gamma`` not above 0, or one is no number.
    """
    cuts = _a_step("step", step) // _a_count("step_size", step_size)
    return float(_above_zero("gamma", gamma) ** cuts)


def cosine(step: int, *, total: int, floor: float = 0.0) -> float:
    """The factor that falls from 1 to ``floor`` along half a cosine in ``total`` steps, and stays there.

    Raises:
        TypeError, ValueError: ``step`` is negative, ``total`` below 1, ``floor`` outside 0 to 1, or one is no number.

    Source: I. Loshchilov, F. Hutter, SGDR: Stochastic gradient descent with warm restarts, 2017, eq. 5, one period.
    """
    share = _a_step("step", step) / _a_count("total", total)
    return _anneal(1.0, _a_share("floor", floor), min(share, 1.0))


def linear_warmup(step: int, *, warmup: int, start: float = 0.1) -> float:
    """The factor that rises from ``start`` to 1 along a straight line in ``warmup`` steps, and stays there.

    Raises:
        TypeError, ValueError: ``step`` is negative, ``warmup`` below 1, ``start`` outside 0 to 1, or one is no number.

    Source: P. Goyal et al., Accurate, large minibatch SGD, 2017, section 2.2.
    """
    step, warmup, start = _a_step("step", step), _a_count("warmup", warmup), _a_share("start", start)
    return start + (1 - start) * min(step / warmup, 1.0)


def warmup_cosine(step: int, *, warmup: int, total: int, start: float = 0.1, floor: float = 0.0) -> float:
    """The factor of ``linear_warmup`` for ``warmup`` steps, then of ``cosine`` down to ``floor`` at step ``total``.

    Raises:
        TypeError, ValueError: as those two, or ``total`` is not above ``warmup``.
    """
    step, warmup, total = _a_step("step", step), _a_count("warmup", warmup), _a_count("total", total)
    if total <= warmup:
        raise ValueError(f"total must be above warmup, got {total} and {warmup}; try warmup={max(total // 10, 1)}")
    if step < warmup:
        return linear_warmup(step, warmup=warmup, start=start)
    return cosine(step - warmup, total=total - warmup, floor=floor)


def one_cycle(
    step: int, *, total: int, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> float:
    """The factor of the highest lr, as OneCycleLR: up from 1 / div_factor, then down to that / final_div_factor.

    It rises along half a cosine until step ``pct_start * total - 1`` and falls until step ``total - 1``.

    Raises:
        TypeError, ValueError: ``step`` is negative, ``pct_start * total`` is not above 1 and below ``total``, a divisor
            not above 0, or one is no number.

    Source: L. Smith, N. Topin, Super-convergence, 2018; the annealing is that of fastai and torch.
    """
    step, total = _a_step("step", step), _a_count("total", total)
    first = 1 / _above_zero("div_factor", div_factor)
    last = first / _above_zero("final_div_factor", final_div_factor)
    top = _a_share("pct_start", pct_start) * total - 1
    if not 0 < top < total - 1:
        raise ValueError(
            f"pct_start * total must lie between 1 and total, got {pct_start} * {total}; try pct_start=0.3"
        )
    if step <= top:
        return _anneal(first, 1.0, step / top)
    return _anneal(1.0, last, min((step - top) / (total - 1 - top), 1.0))


def first_step_below(curve: npt.ArrayLike, threshold: float) -> int | None:
    """The first step whose value in ``curve`` is below ``threshold``, or None.

    Raises:
        TypeError, ValueError: ``curve`` is not a row of numbers, or ``threshold`` no finite number.
    """
    below = np.flatnonzero(_a_curve("curve", curve) < a_number(example=1e-6)("threshold", threshold))
    return int(below[0]) if len(below) else None


def freeze_step(curve: npt.ArrayLike, *, weight: float, gradient: float) -> int | None:
    """The step from which no update ``weight - lr * gradient`` changes a float32 weight any more, or None.

    A float32 has 24 binary digits: an update below half the distance to the next number is rounded away. Training
    stands still although the loss, the gradient and the lr are not zero.

    Args:
        curve: the lr of every update, as ``lr_curve`` gives it.
        weight: the weight, taken as float32.
        gradient: its gradient, taken as the same at every step.

    Raises:
        TypeError, ValueError: ``curve`` is not a row of numbers, or ``weight`` or ``gradient`` not finite in float32.
    """
    before, slope = np.float32(_a_float32("weight", weight)), np.float32(_a_float32("gradient", gradient))
    with np.errstate(over="ignore"):  # an update beyond float32 is infinite, and surely a change
        lr = _a_curve("curve", curve).astype(np.float32)
        changes = np.flatnonzero(before - lr * slope != before)
    first_frozen = int(changes[-1]) + 1 if len(changes) else 0
    return first_frozen if first_frozen < len(lr) else None


def _anneal(begin: float, end: float, share: float) -> float:
    """From ``begin`` to ``end`` along half a cosine, ``share`` of the way from 0 to 1."""
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


def _metric_of(metrics: Metrics | None, calls: int) -> Callable[[int], tuple[float, ...]]:
    """What ReduceLROnPlateau is told at each call."""
    if callable(metrics):
        return lambda call: (float(metrics(call)),)
    if metrics is None or len(metrics) != calls:
        came = "none" if metrics is None else len(metrics)
        raise ValueError(
            f"metrics must hold one loss per scheduler step for ReduceLROnPlateau, got {came} for {calls} steps; "
            "try metrics=lambda call: 1.0"
        )
    return lambda call: (float(metrics[call]),)


def _made(make_scheduler: Callable[[torch.optim.SGD], Any], optimizer: torch.optim.SGD) -> Any:
    scheduler = _a_factory("make_scheduler", make_scheduler)(optimizer)
    if not callable(getattr(scheduler, "step", None)) or isinstance(scheduler, (type, torch.optim.Optimizer)):
        raise TypeError(f"make_scheduler must return a scheduler, got {kind_of(scheduler)}; try {_EXAMPLE}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError(f"make_scheduler must use the optimizer that it is given, got another one; try {_EXAMPLE}")
    return scheduler
