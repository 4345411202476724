"""Is my answer right, in notebook 04? The lr after k calls, a repaired loop, warm-up and cosine, a run's length."""

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from course_utils.checks.verdict import NotYetError, call, explained, one_number
from course_utils.schedules import cosine, linear_warmup, step_decay, warmup_cosine
from course_utils.training import Batch, train_step

__all__ = ["check_lr_after", "check_repaired_loop", "check_total_steps", "check_warm_then_cosine"]

Answer = Callable[..., Any]


def _close(got: float, wanted: float) -> bool:
    return math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-12)


# ------------------------------------------------------------------------------------------ the lr after k calls

_CALLS = (0, 1, 4, 5, 9, 10, 23)
_STAIRS: tuple[dict[str, float], ...] = (
    {"lr": 0.01, "step_size": 5, "gamma": 0.1},
    {"lr": 0.4, "step_size": 3, "gamma": 0.5},
)


@explained
def check_lr_after(answer: Answer) -> str:
    """A verdict on ``answer(k, lr, step_size, gamma)``: the lr after ``k`` calls of ``StepLR.step``."""
    for stairs in _STAIRS:
        got = [one_number(call(answer, k, **stairs)) for k in _CALLS]
        wanted = [_stair(k, **stairs) for k in _CALLS]
        if not all(map(_close, got, wanted)):
            raise NotYetError(_why_stairs_differ(got, wanted, stairs))
    return f"after one epoch of the notes, 157 calls, {_stair(157, **_STAIRS[0]):.0e} is left of the lr 0.01"


def _stair(k: int, lr: float, step_size: float, gamma: float) -> float:
    return lr * step_decay(k, step_size=int(step_size), gamma=gamma)


_WRONG_STAIRS: dict[str, Callable[..., float]] = {
    "the exponent must be a whole number that stays the same for step_size calls; try // instead of /": (
        lambda k, lr, step_size, gamma: lr * gamma ** (k / step_size)
    ),
    "that is the lr if every call divided it; it falls only once in step_size calls": (
        lambda k, lr, step_size, gamma: lr * gamma**k
    ),
    "that is the factor alone; multiply it by lr": lambda k, lr, step_size, gamma: gamma ** (k // step_size),
    "each stair multiplies once more, so gamma gets a power; try ** instead of *": (
        lambda k, lr, step_size, gamma: lr * gamma * (k // step_size)
    ),
    "your stairs come one call too early; the first cut is made by call number step_size": (
        lambda k, lr, step_size, gamma: lr * gamma ** ((k + 1) // step_size)
    ),
    "your stairs come one call too late; after exactly step_size calls the first cut is made": (
        lambda k, lr, step_size, gamma: lr * gamma ** (max(k - 1, 0) // step_size)
    ),
}


def _why_stairs_differ(got: list[float], wanted: list[float], stairs: dict[str, float]) -> str:
    for words, wrong in _WRONG_STAIRS.items():
        if all(map(_close, got, [wrong(k, **stairs) for k in _CALLS])):
            return words
    k, yours, right = next(case for case in zip(_CALLS, got, wanted, strict=True) if not _close(case[1], case[2]))
    options = ", ".join(f"{name}={value:g}" for name, value in stairs.items())
    return f"with {options} the lr after {k} calls is {right:.4g}, got {yours:.4g}"


# -------------------------------------------------------------------------------------------- the repaired loop

_EPOCHS, _BATCHES, _LR, _GAMMA = 3, 4, 0.5, 0.1


@explained
def check_repaired_loop(answer: Answer) -> str:
    """A verdict on ``answer(model, batches, optimizer, scheduler, epochs)``: lrs and weights of every update."""
    lrs, calls, weights = _trained_by(answer)
    expected_lrs, expected_calls, expected_weights = _trained_by(_right_loop)
    if len(lrs) != len(expected_lrs):
        raise NotYetError(
            f"{_EPOCHS} epochs of {_BATCHES} batches are {_EPOCHS * _BATCHES} updates, got {len(lrs)}; "
            "call optimizer.step() once for each batch of each epoch"
        )
    if calls != expected_calls or not all(map(_close, lrs, expected_lrs)):
        raise NotYetError(_why_lrs_differ(lrs, calls))
    if not torch.allclose(weights, expected_weights, rtol=1e-5, atol=1e-7):
        raise NotYetError("the lr is right, the weights are not; keep zero_grad, loss, backward and step as they were")
    return "every epoch trains with one lr, and the next epoch with the next"


def _right_loop(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    for _ in range(epochs):
        for batch in batches:
            train_step(model, batch, optimizer)
        scheduler.step()


def _trained_by(loop: Answer) -> tuple[list[float], int, Tensor]:
    """The lr of every update, the calls of the scheduler, and the weights, after ``loop`` trained a linear model."""
    model = nn.Linear(4, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
    batches = [(torch.eye(4) * (k + 1), torch.tensor([0, 1, 2, k % 3])) for k in range(_BATCHES)]
    optimizer = SGD(model.parameters(), lr=_LR)
    used: list[float] = []
    optimizer.register_step_pre_hook(lambda *_: used.append(optimizer.param_groups[0]["lr"]))
    scheduler = StepLR(optimizer, step_size=1, gamma=_GAMMA)
    with warnings.catch_warnings():
        # Torch warns of a scheduler that is stepped first; the lrs tell the same, and in words of this exercise.
        warnings.simplefilter("ignore")
        call(loop, model, batches, optimizer, scheduler, _EPOCHS)
    return used, scheduler.last_epoch, torch.cat([p.detach().flatten() for p in model.parameters()])


def _why_lrs_differ(lrs: list[float], calls: int) -> str:
    if calls == 0:
        return "the lr never falls; scheduler.step() is not called at all"
    if calls == _EPOCHS * _BATCHES:
        return (
            f"the scheduler was stepped {calls} times, once for every batch; "
            "move scheduler.step() out of the inner loop, to the end of the epoch"
        )
    if calls != _EPOCHS:
        return f"epochs: {_EPOCHS}, calls of scheduler.step(): {calls}; call it once, at the end of every epoch"
    if not _close(lrs[0], _LR):
        return "the first batch already used a lowered lr; call scheduler.step() after the batches, not before them"
    if _close(lrs[-1], _LR):
        return "all epochs used the same lr; call scheduler.step() inside the loop over the epochs"
    return "the lr changed within an epoch; call scheduler.step() after its last batch"


# -------------------------------------------------------------------------------------------- warm-up and cosine

_WARMUP, _TOTAL = 10, 50
_STEPS = (0, 1, 5, 9, 10, 11, 30, 49, 50, 51, 80)


@explained
def check_warm_then_cosine(answer: Answer) -> str:
    """A verdict on ``answer(step, warmup, total, start)``: the factor of the lr, from start to 1 and down to 0."""
    for start in (0.1, 0.0):
        got = [one_number(call(answer, step, _WARMUP, _TOTAL, start)) for step in _STEPS]
        wanted = [warmup_cosine(step, warmup=_WARMUP, total=_TOTAL, start=start) for step in _STEPS]
        if not all(map(_close, got, wanted)):
            raise NotYetError(_why_factors_differ(got, wanted, start))
    return "it rises, falls and stays at 0; LambdaLR can run it"


_WRONG_FALLS: dict[str, Callable[[int], float]] = {
    "the cosine rises again after total; keep its share at 1 with min(share, 1.0)": lambda step: (
        (1 + math.cos(math.pi * (step - _WARMUP) / (_TOTAL - _WARMUP))) / 2
    ),
    "at the end of the warm-up the factor jumps; the cosine's share is (step - warmup) / (total - warmup)": (
        lambda step: cosine(step, total=_TOTAL)
    ),
    "the cosine ends too late; its share is (step - warmup) / (total - warmup), not / total": (
        lambda step: cosine(step - _WARMUP, total=_TOTAL)
    ),
    "that is a whole cosine, down to -1; half a cosine from 1 to 0 is (1 + cos(pi * share)) / 2": (
        lambda step: math.cos(math.pi * min((step - _WARMUP) / (_TOTAL - _WARMUP), 1.0))
    ),
    "the factor stays at 1 after the warm-up; from there on it falls along the cosine": lambda step: 1.0,
}


def _why_factors_differ(got: list[float], wanted: list[float], start: float) -> str:
    rise = [linear_warmup(step, warmup=_WARMUP, start=start) for step in _STEPS if step < _WARMUP]
    if not all(map(_close, got, rise)):
        return _why_rise_differs(got[: len(rise)], start)
    falling = _STEPS[len(rise) :]
    for words, wrong in _WRONG_FALLS.items():
        if all(map(_close, got[len(rise) :], map(wrong, falling))):
            return words
    return _first_difference(got, wanted, start)


def _why_rise_differs(got: list[float], start: float) -> str:
    steps = [step for step in _STEPS if step < _WARMUP]
    if all(map(_close, got, [step / _WARMUP for step in steps])):
        return f"your warm-up begins at 0; with start={start:g} the factor at step 0 is {start:g}"
    if all(map(_close, got, [start + step / _WARMUP for step in steps])):
        return "your warm-up ends above 1; the way up is 1 - start long, so multiply step / warmup by it"
    if all(map(_close, got, [start + (1 - start) * (step + 1) / _WARMUP for step in steps])):
        return "your warm-up is one step ahead; steps are counted from 0"
    return _first_difference(got, [linear_warmup(step, warmup=_WARMUP, start=start) for step in steps], start)


def _first_difference(got: list[float], wanted: list[float], start: float) -> str:
    step, yours, right = next(case for case in zip(_STEPS, got, wanted, strict=False) if not _close(case[1], case[2]))
    return (
        f"with warmup={_WARMUP}, total={_TOTAL}, start={start:g} the factor at step {step} is {right:.4g}, "
        f"got {yours:.4g}"
    )


# ----------------------------------------------------------------------------------------------- a run's length


@explained
def check_total_steps(answer: Answer) -> str:
    """A verdict on ``answer(images, batch_size, epochs, drop_last)``: the updates of a whole training."""
    for images, batch_size in ((10_000, 64), (128, 64), (100, 8)):
        for epochs in (20, 1):
            for drop_last in (False, True):
                _compare_steps(answer, images, batch_size, epochs, drop_last)
    return "10,000 images in batches of 64 for 20 epochs: 3140 updates, or 3120 with drop_last"


def _compare_steps(answer: Answer, images: int, batch_size: int, epochs: int, drop_last: bool) -> None:
    full, rest = divmod(images, batch_size)
    batches = full + (rest > 0 and not drop_last)
    got = one_number(call(answer, images, batch_size, epochs, drop_last))
    if got == epochs * batches:
        return
    case = f"images={images}, batch_size={batch_size}, epochs={epochs}, drop_last={drop_last}"
    if not got.is_integer():
        raise NotYetError(f"updates are counted in whole numbers, got {got:g} for {case}; try // instead of /")
    hints = (
        (batches, "that is one epoch; the scheduler lives for all of them"),
        (epochs, "that is the number of epochs; one-cycle is stepped at every batch"),
        (epochs * images, "that counts images; an update uses a whole batch"),
        (epochs * full, "the smaller last batch of every epoch is an update, too"),
        (epochs * (full + (rest > 0)), "drop_last leaves out the smaller last batch of every epoch"),
        (epochs * (full + 1), "there is a smaller last batch only where the images do not divide evenly"),
        (-(-epochs * images // batch_size), "round in every epoch, not once at the end: each has its own last batch"),
        (epochs * images // batch_size, "round in every epoch, not once at the end: each has its own last batch"),
    )
    hint = next((words for wrong, words in hints if got == wrong), f"one epoch has {batches} batches")
    raise NotYetError(f"{case} gives {epochs * batches}, got {int(got)}; {hint}")
