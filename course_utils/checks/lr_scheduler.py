"""Is my answer right, in notebook 04? The lr after k calls, a repaired loop, warm-up and cosine, a run's length."""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from course_utils.checks.verdict import NotYetError, call, explained, one_number, same_number
from course_utils.checks.witness import Modes
from course_utils.doctor.words import count
from course_utils.schedules import cosine, step_decay, warmup_cosine
from course_utils.training import Batch, train_step

__all__ = ["check_lr_after", "check_repaired_loop", "check_total_steps", "check_warm_then_cosine"]

Answer = Callable[..., Any]


def _close(got: float, wanted: float) -> bool:
    return math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-12)


# ------------------------------------------------------------------------------------------ the lr after k calls

_CALLS = (0, 1, 4, 5, 9, 10, 23)
_MANY_CALLS = (156, 468, 1_500)  # one and three epochs of the notes, and on: lrs that nobody may round away
_STAIRS: tuple[dict[str, float], ...] = (
    {"lr": 0.01, "step_size": 5, "gamma": 0.1},
    {"lr": 0.4, "step_size": 3, "gamma": 0.5},
    {"lr": 2.0, "step_size": 7, "gamma": 0.9},
)


@explained
def check_lr_after(answer: Answer) -> str:
    """A verdict on ``answer(k, lr, step_size, gamma)``: the lr after ``k`` calls of ``StepLR.step``."""
    for calls in (_CALLS, _MANY_CALLS):
        for stairs in _STAIRS:
            got = {k: call(answer, k, **stairs) for k in calls}
            wrong = [k for k, lr in got.items() if not _same_stair(lr, _stair(k, **stairs))]
            if wrong:
                raise NotYetError(_why_stairs_differ(got, wrong[0], stairs))
    tried = len(_CALLS) + len(_MANY_CALLS)
    return f"your stairs are those of StepLR, for {len(_STAIRS)} settings and {tried} numbers of calls"


def _same_stair(got: Any, wanted: float) -> bool:
    """No lr is so small that another would do; a power in float32 may have gathered some rounding."""
    return same_number(got, wanted, rel_tol=2e-5, abs_tol=0.0)


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
    "k counts calls, so the first cut is made by call number step_size; leave k as it is": (
        lambda k, lr, step_size, gamma: lr * gamma ** ((k - 1) // step_size)
    ),
    "lr is multiplied by gamma, not gamma by lr; the power belongs to gamma alone": (
        lambda k, lr, step_size, gamma: (lr * gamma) ** (k // step_size)
    ),
}


def _why_stairs_differ(got: dict[int, Any], k: int, stairs: dict[str, float]) -> str:
    """The known mistake that gives all of ``got``, the lrs by the number of calls; else the first that is wrong."""
    for words, wrong in _WRONG_STAIRS.items():
        if all(_same_stair(lr, wrong(calls, **stairs)) for calls, lr in got.items()):
            return words
    options = ", ".join(f"{name}={value:g}" for name, value in stairs.items())
    return f"with {options} the lr after {count(k, 'call')} is {_stair(k, **stairs):.4g}, got {one_number(got[k]):.4g}"


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
        raise NotYetError(_why_lrs_differ(lrs, calls, expected_lrs))
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
    optimizer, modes = SGD(model.parameters(), lr=_LR), Modes(model)
    used: list[float] = []
    optimizer.register_step_pre_hook(lambda *_: used.append(optimizer.param_groups[0]["lr"]))
    scheduler = StepLR(optimizer, step_size=1, gamma=_GAMMA)
    with warnings.catch_warnings():
        # Torch warns of a scheduler that is stepped first; the lrs tell the same, and in words of this exercise.
        warnings.simplefilter("ignore")
        call(loop, model, batches, optimizer, scheduler, _EPOCHS)
    modes.check()
    return used, scheduler.last_epoch, torch.cat([p.detach().flatten() for p in model.parameters()])


def _why_lrs_differ(lrs: list[float], calls: int, expected: list[float]) -> str:
    if calls == 0 and all(map(_close, lrs, expected)):
        return "the lrs are right, but not by the scheduler that the loop was given; call its step(), once per epoch"
    if calls == 0 and any(lr != _LR for lr in lrs):
        return "the lr moves, but not by the scheduler that the loop was given; call its step(), once per epoch"
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


@dataclass(frozen=True)
class _Shape:
    """The arguments of a warm-up and a cosine, and the steps at which an answer is asked."""

    warmup: int
    total: int
    start: float

    @property
    def steps(self) -> tuple[int, ...]:
        middle = (self.warmup + self.total) // 2
        return (0, 1, self.warmup - 1, self.warmup, self.warmup + 1, middle, self.total - 1, self.total, 2 * self.total)

    def share(self, step: int) -> float:
        """Of the way down, not held at its end."""
        return (step - self.warmup) / (self.total - self.warmup)

    def right(self, step: int) -> float:
        return warmup_cosine(step, warmup=self.warmup, total=self.total, start=self.start)


# No start is 1 / warmup: else a rise of the whole length 1 and one that ends a step early would be the same.
_SHAPES = (_Shape(10, 50, 0.2), _Shape(10, 50, 0.0), _Shape(4, 25, 0.5), _Shape(100, 1_000, 0.05))


@explained
def check_warm_then_cosine(answer: Answer) -> str:
    """A verdict on ``answer(step, warmup, total, start)``: the factor of the lr, from start to 1 and down to 0."""
    for shape in _SHAPES:
        returned = [call(answer, step, shape.warmup, shape.total, shape.start) for step in shape.steps]
        got = list(map(one_number, returned))
        if not all(
            same_number(*pair, abs_tol=1e-6) for pair in zip(returned, map(shape.right, shape.steps), strict=True)
        ):
            raise NotYetError(_why_factors_differ(got, shape))
    return "it rises, falls and stays at 0; LambdaLR can run it"


_WRONG_FALLS: dict[str, Callable[[_Shape, int], float]] = {
    "the cosine rises again after total; keep its share at 1 with min(share, 1.0)": lambda shape, step: (
        (1 + math.cos(math.pi * shape.share(step))) / 2
    ),
    "at the end of the warm-up the factor jumps; the cosine's share is (step - warmup) / (total - warmup)": (
        lambda shape, step: cosine(step, total=shape.total)
    ),
    "the cosine ends too late; its share is (step - warmup) / (total - warmup), not / total": (
        lambda shape, step: cosine(step - shape.warmup, total=shape.total)
    ),
    "that is a whole cosine, down to -1; half a cosine from 1 to 0 is (1 + cos(pi * share)) / 2": (
        lambda shape, step: math.cos(math.pi * min(shape.share(step), 1.0))
    ),
    "that is a straight way down, and below 0 after the end; half a cosine is (1 + cos(pi * share)) / 2": (
        lambda shape, step: 1 - shape.share(step)
    ),
    "that is a straight way down; half a cosine from 1 to 0 is (1 + cos(pi * share)) / 2": (
        lambda shape, step: max(1 - shape.share(step), 0.0)
    ),
    "that is a quarter of a cosine; half a cosine from 1 to 0 is (1 + cos(pi * share)) / 2": (
        lambda shape, step: math.cos(math.pi / 2 * min(shape.share(step), 1.0))
    ),
    "the factor stays at 1 after the warm-up; from there on it falls along the cosine": lambda shape, step: 1.0,
}


def _why_factors_differ(got: list[float], shape: _Shape) -> str:
    factor = _common_factor(got, shape)
    if factor is not None:
        return f"that is an lr, {factor:.4g} times the factor; LambdaLR multiplies by the lr itself: end the rise at 1"
    rising = [step for step in shape.steps if step < shape.warmup]
    if not all(map(_close_factor, got, map(shape.right, rising))):
        return _why_rise_differs(got[: len(rising)], rising, shape)
    falling = shape.steps[len(rising) :]
    for words, wrong in _WRONG_FALLS.items():
        if all(map(_close_factor, got[len(rising) :], (wrong(shape, step) for step in falling))):
            return words
    return _first_difference(got, shape)


def _common_factor(got: list[float], shape: _Shape) -> float | None:
    """The one number by which all factors are multiplied, if there is one."""
    top = got[shape.steps.index(shape.warmup)]
    return (
        top
        if top and all(_close_factor(a, top * shape.right(s)) for a, s in zip(got, shape.steps, strict=True))
        else None
    )


def _close_factor(got: float, wanted: float) -> bool:
    return math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-6)


def _why_rise_differs(got: list[float], steps: list[int], shape: _Shape) -> str:
    start, warmup = shape.start, shape.warmup
    mistakes: dict[str, Callable[[float], float]] = {
        f"your warm-up begins at 0; with start={start:g} the factor at step 0 is {start:g}": lambda share: share,
        "your warm-up ends above 1; the way up is 1 - start long, so multiply step / warmup by it": (
            lambda share: start + share
        ),
        "your warm-up ends one step early; divide by warmup, and 1 is reached at step warmup": (
            lambda share: start + (1 - start) * share * warmup / (warmup - 1)
        ),
        "your warm-up is one step ahead; steps are counted from 0": (
            lambda share: start + (1 - start) * (share + 1 / warmup)
        ),
        "during the warm-up the factor is 1; it begins at start and climbs along a straight line": lambda share: 1.0,
    }
    for words, wrong in mistakes.items():
        if all(map(_close_factor, got, (wrong(step / warmup) for step in steps))):
            return words
    return _first_difference(got, shape)


def _first_difference(got: list[float], shape: _Shape) -> str:
    cases = zip(shape.steps, got, map(shape.right, shape.steps), strict=True)
    step, yours, right = next(case for case in cases if not _close_factor(case[1], case[2]))
    options = f"warmup={shape.warmup}, total={shape.total}, start={shape.start:g}"
    return f"with {options} the factor at step {step} is {right:.4g}, got {yours:.4g}"


# ----------------------------------------------------------------------------------------------- a run's length


@explained
def check_total_steps(answer: Answer) -> str:
    """A verdict on ``answer(images, batch_size, epochs, drop_last)``: the updates of a whole training."""
    for images, batch_size in ((10_000, 64), (128, 64), (100, 8), (1_001, 250), (7, 7), (5, 8), (1, 2)):
        for epochs in (20, 1, 3):
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
    hint = next((words for wrong, words in hints if got == wrong), f"one epoch has {count(batches, 'batch')}")
    raise NotYetError(f"{case} gives {epochs * batches}, got {int(got)}; {hint}")
