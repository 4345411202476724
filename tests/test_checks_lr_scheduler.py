"""The checks of notebook 04: right answers pass, each typical wrong one is named, nothing raises."""

import ast
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

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
CHECKS = {
    check.__name__: check for check in (check_lr_after, check_repaired_loop, check_warm_then_cosine, check_total_steps)
}

Answer = Callable[..., Any]


def stub(*_: Any, **__: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (stub, "the stub is still there"),
        (None, "expected a function"),
        (lambda *_, **__: 1 / 0, "ZeroDivisionError"),
    ],
    ids=["stub", "None", "an error"],
)
def test_what_is_no_answer_is_not_yet_right(check: Answer, answer: Any, words: str) -> None:
    verdict = check(answer)
    assert not verdict
    assert words in verdict.message


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


@pytest.mark.parametrize(
    "answer",
    [
        asked_of_torch,
        lambda k, lr, step_size, gamma: lr * gamma ** (k // step_size),
        lambda k, lr, step_size, gamma: torch.tensor(lr * gamma ** (k // step_size), dtype=torch.float64),
        lambda k, lr, step_size, gamma: math.prod([lr] + [gamma] * (k // step_size)),
    ],
    ids=["torch", "formula", "tensor", "product"],
)
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


def test_a_loop_that_steps_its_scheduler_after_every_epoch_is_right() -> None:
    assert check_repaired_loop(loop(after_epoch=True))


WRONG_LOOPS: dict[str, tuple[Answer, str]] = {
    "after every update": (loop(after_update=True), "12 times, once for every batch"),
    "before every update": (loop(before_update=True), "12 times, once for every batch"),
    "before every epoch": (loop(before_epoch=True), "the first batch already used a lowered lr"),
    "before and after": (loop(before_epoch=True, after_epoch=True), "calls of scheduler.step(): 6"),
    "once at the end": (loop(calls_at_end=1), "epochs: 3, calls of scheduler.step(): 1"),
    "three times at the end": (loop(calls_at_end=3), "all epochs used the same lr"),
    "never": (loop(), "not called at all"),
    "within the epoch": (in_the_first_batch, "the lr changed within an epoch"),
    "by hand": (without_a_scheduler, "not called at all"),
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


@pytest.mark.parametrize(
    "answer",
    [
        factor,
        lambda step, warmup, total, start: warmup_cosine(step, warmup=warmup, total=total, start=start),
        lambda *arguments: torch.tensor(factor(*arguments), dtype=torch.float64),
    ],
    ids=["formula", "course_utils", "tensor"],
)
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
    "an lr": (lambda *a: 0.01 * factor(*a), "at step 0 is 0.1, got 0.001"),
    "a straight fall": (lambda *a: factor(*a, fall=lambda share: max(1 - share, 0.0)), "at step 11 is"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_FACTORS.values(), ids=list(WRONG_FACTORS))
def test_a_wrong_factor_is_named(answer: Answer, words: str) -> None:
    verdict = check_warm_then_cosine(answer)
    assert not verdict
    assert words in verdict.message


# ----------------------------------------------------------------------------------------------- a run's length


@pytest.mark.parametrize(
    "answer",
    [
        lambda n, size, epochs, drop: epochs * (n // size if drop else math.ceil(n / size)),
        lambda n, size, epochs, drop: float(epochs * (n // size if drop else -(-n // size))),
        lambda n, size, epochs, drop: torch.tensor(epochs * (n // size if drop else -(-n // size))),
    ],
    ids=["ceil", "float", "tensor"],
)
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
