"""The checks of notebook 04: right answers pass, each typical wrong one is named, nothing raises."""

import ast
import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import accumulate, repeat
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR, StepLR
from torch.utils.data import DataLoader

from course_utils.checks.lr_scheduler import (
    check_lr_after,
    check_repaired_loop,
    check_total_steps,
    check_warm_then_cosine,
)
from course_utils.data import Loader, Split
from course_utils.model import build_model
from course_utils.schedules import lr_curve, warmup_cosine
from course_utils.seeding import generator
from course_utils.training import Batch, Run, train, train_step
from tests.helpers.lessons import lesson

LESSON = lesson("04_lr_scheduler", until="## 7 The clinic")
Answer = Callable[..., Any]


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


RIGHT_LRS: dict[str, Answer] = {
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
        (lambda k, lr, step_size, gamma: lr * gamma ** (k % step_size), "the lr after 1 calls"),
        (lambda k, lr, step_size, gamma: {0: lr}.get(k, lr * gamma), "the lr after 1 calls"),
        (lambda k, lr, step_size, gamma: [lr * gamma ** (k // step_size)] * 2, "return a number"),
        (lambda k, lr, step_size, gamma: print(lr), "return"),
        (lambda k, lr=0.01: lr, "TypeError"),
    ],
)
def test_a_wrong_lr_is_named(answer: Answer, words: str) -> None:
    verdict = check_lr_after(answer)
    assert not verdict
    assert words in verdict.message


# -------------------------------------------------------------------------------------------- the repaired loop


def loop(
    *,
    before_epoch: bool = False,
    before_update: bool = False,
    after_update: bool = False,
    after_epoch: bool = False,
    calls_at_end: int = 0,
    step: Callable[[nn.Module, Batch, Optimizer], Any] = train_step,
) -> Answer:
    """A training that steps its scheduler in one or more places."""

    def train(
        model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
    ) -> None:
        for _ in range(epochs):
            for _ in range(before_epoch):
                scheduler.step()
            for batch in batches:
                for _ in range(before_update):
                    scheduler.step()
                step(model, batch, optimizer)
                for _ in range(after_update):
                    scheduler.step()
            for _ in range(after_epoch):
                scheduler.step()
        for _ in range(calls_at_end):
            scheduler.step()

    return train


def without_zero_grad(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    images, labels = batch
    cross_entropy(model(images), labels).backward()
    optimizer.step()


def without_update(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    images, labels = batch
    cross_entropy(model(images), labels).backward()


def in_the_first_batch(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    for _ in range(epochs):
        for number, batch in enumerate(batches):
            train_step(model, batch, optimizer)
            if number == 0:
                scheduler.step()


def without_a_scheduler(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    """Moves the lr by hand, and to nonsense."""
    for _ in range(epochs):
        for batch in batches:
            train_step(model, batch, optimizer)
        optimizer.param_groups[0]["lr"] = -0.0


def by_hand(model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: Any, epochs: int) -> None:
    for _ in range(epochs):
        for batch in batches:
            train_step(model, batch, optimizer)
        optimizer.param_groups[0]["lr"] *= 0.1


def with_its_own_scheduler(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: Any, epochs: int
) -> None:
    loop(after_epoch=True)(model, batches, optimizer, StepLR(optimizer, 1, 0.1), epochs)


def with_its_own_optimizer(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    loop(after_epoch=True)(model, batches, SGD(model.parameters(), lr=0.5), scheduler, epochs)


def trains_when_read(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> Iterable[None]:
    yield loop(after_epoch=True)(model, batches, optimizer, scheduler, epochs)


def half_of_the_weights(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    next(model.parameters()).requires_grad_(False)
    loop(after_epoch=True)(model, batches, optimizer, scheduler, epochs)


def first_batch_alone(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    loop(after_epoch=True)(model, list(batches)[:1], optimizer, scheduler, epochs)


def leaves(*_: Any) -> None:
    raise SystemExit


def with_a_closure(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        return loss

    optimizer.step(closure)


def cleared_afterwards(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    optimizer.zero_grad()


def in_two_pieces(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    model.zero_grad()
    model.train()
    nll_loss(log_softmax(model(batch[0]), dim=1), batch[1]).backward()
    optimizer.step()


def in_halves(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    optimizer.zero_grad()
    for part in (slice(2), slice(2, 4)):
        (cross_entropy(model(batch[0][part]), batch[1][part]) / 2).backward()
    optimizer.step()


def counted_by_steps(
    model: nn.Module, batches: Sequence[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    for number in range(epochs * len(batches)):
        train_step(model, batches[number % len(batches)], optimizer)
        if (number + 1) % len(batches) == 0:
            scheduler.step()


def in_a_while_loop(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> list[float]:
    losses: list[float] = []
    while epochs:
        losses += [train_step(model, batch, optimizer).item() for batch in batches]
        scheduler.step()
        epochs -= 1
    return losses


def at_the_last_batch(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> Tensor:
    rows = list(batches)
    for _ in range(epochs):
        for number, batch in enumerate(rows, start=1):
            loss = train_step(model, batch, optimizer)
            if number == len(rows):
                scheduler.step()
    return loss


def by_recursion(
    model: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, scheduler: LRScheduler, epochs: int
) -> None:
    if epochs:
        for batch in batches:
            train_step(model, batch, optimizer)
        scheduler.step()
        by_recursion(model, batches, optimizer, scheduler, epochs - 1)


RIGHT_LOOPS: dict[str, Answer] = {
    "as in the solution": loop(after_epoch=True),
    "with a closure": loop(after_epoch=True, step=with_a_closure),
    "gradients cleared afterwards": loop(after_epoch=True, step=cleared_afterwards),
    "log_softmax and nll_loss": loop(after_epoch=True, step=in_two_pieces),
    "each batch in two halves": loop(after_epoch=True, step=in_halves),
    "one loop over all steps": counted_by_steps,
    "a while loop": in_a_while_loop,
    "asks for the last batch": at_the_last_batch,
    "by recursion": by_recursion,
    "a lambda": lambda *parts: in_a_while_loop(*parts),
    "a partial": partial(in_a_while_loop),
    "by its names": lambda model, batches, optimizer, scheduler, epochs: by_recursion(
        model=model, batches=batches, optimizer=optimizer, scheduler=scheduler, epochs=epochs
    ),
}


@pytest.mark.parametrize("answer", RIGHT_LOOPS.values(), ids=list(RIGHT_LOOPS))
def test_a_loop_that_steps_its_scheduler_after_every_epoch_is_right(answer: Answer) -> None:
    assert check_repaired_loop(answer)


WRONG_LOOPS: dict[str, tuple[Answer, str]] = {
    "after every update": (loop(after_update=True), "12 times, once for every batch"),
    "before every update": (loop(before_update=True), "12 times, once for every batch"),
    "before every epoch": (loop(before_epoch=True), "the first batch already used a lowered lr"),
    "before and after": (loop(before_epoch=True, after_epoch=True), "calls of scheduler.step(): 6"),
    "once at the end": (loop(calls_at_end=1), "epochs: 3, calls of scheduler.step(): 1"),
    "three times at the end": (loop(calls_at_end=3), "all epochs used the same lr"),
    "never": (loop(), "not called at all"),
    "within the epoch": (in_the_first_batch, "the lr changed within an epoch"),
    "by hand, to nonsense": (without_a_scheduler, "not by the scheduler that the loop was given"),
    "by hand, rightly": (by_hand, "the lrs are right, but not by the scheduler"),
    "a StepLR of its own": (with_its_own_scheduler, "the lrs are right, but not by the scheduler"),
    "a generator": (trains_when_read, "12 updates, got 0"),
    "an optimizer of its own": (with_its_own_optimizer, "12 updates, got 0"),
    "only the last layer": (half_of_the_weights, "the weights are not"),
    "a sum for a mean": (
        loop(after_epoch=True, step=lambda m, b, o: train_step(m, b, o, partial(cross_entropy, reduction="sum"))),
        "the weights are not",
    ),
    "the first batch alone": (first_batch_alone, "12 updates, got 3"),
    "leaves the program": (leaves, "SystemExit"),
    "no update": (loop(after_epoch=True, step=without_update), "12 updates, got 0"),
    "one epoch": (lambda m, b, o, s, epochs: loop(after_epoch=True)(m, b, o, s, 1), "12 updates, got 4"),
    "no zero_grad": (loop(after_epoch=True, step=without_zero_grad), "the weights are not"),
    "nothing": (lambda *_: None, "12 updates, got 0"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_LOOPS.values(), ids=list(WRONG_LOOPS))
def test_a_wrong_loop_is_named(answer: Answer, words: str) -> None:
    verdict = check_repaired_loop(answer)
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
    "no rise": (lambda *a: factor(*a, rise=lambda share, start: start), "at step 1 is 0.19, got 0.1"),
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
        (lambda n, size, epochs, drop: None, "return"),
    ],
)
def test_a_wrong_number_of_updates_is_named(answer: Answer, words: str) -> None:
    verdict = check_total_steps(answer)
    assert not verdict
    assert words in verdict.message


# ------------------------------------------------------------------------------------------------ the notebook


def answer_of(source: str) -> Answer:
    """The function that a stub or a solution defines, with the names that the notebook has imported."""
    names: dict[str, Any] = {"math": math, "cross_entropy": cross_entropy}
    exec(source, names)
    function = ast.parse(source).body[-1]
    assert isinstance(function, ast.FunctionDef)
    return names[function.name]


def test_the_broken_loop_of_the_notebook_is_told_its_fault() -> None:
    (broken,) = (one.stub for one in LESSON.exercises() if one.check == "check_repaired_loop")
    started = re.sub(r".*raise NotImplementedError.*\n", "", broken)
    assert "once for every batch" in check_repaired_loop(answer_of(started)).message


def test_the_loop_of_the_notebook_trains_as_the_package_does(capsys: pytest.CaptureFixture[str]) -> None:
    images = torch.randint(256, (48, 3, 32, 32), generator=generator(0, "test/images"), dtype=torch.uint8)
    split = Split(images, torch.arange(48) % 10, tuple("abcdefghij"), "photos", "train")
    names = {"train_split": split, "Loader": Loader, "build_model": build_model, "SEED": 3, "SGD": SGD}
    names |= {"StepLR": StepLR, "cross_entropy": cross_entropy}
    loops = (cell for cell in LESSON.sources("code") if "optimizer.step()" in cell and "cross_entropy(" in cell)
    exec(next(loops), names)

    model = build_model(3)
    optimizer = SGD(model.parameters(), lr=0.01)
    run = Run(model, optimizer, StepLR(optimizer, step_size=2, gamma=0.1), cadence="epoch")
    lrs = [f"{step.lr:.0e}" for step in train(run, Loader(split, batch_size=16), epochs=5) if step.ends_epoch]

    ours = parameters(names["model"])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(ours, parameters(model), strict=True))
    assert re.findall(r"lr (\S+)", capsys.readouterr().out) == lrs


def parameters(model: Any) -> list[Tensor]:
    return list(model.parameters())
