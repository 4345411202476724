"""The check of notebook 04's repaired loop: every honest form passes, each typical fault is named, nothing raises."""

import ast
import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from course_utils.checks.lr_scheduler import check_repaired_loop
from course_utils.data import Loader, Split
from course_utils.model import build_model
from course_utils.seeding import generator
from course_utils.training import Batch, Run, train, train_step
from tests.helpers.answers import Answer
from tests.helpers.lessons import lesson

LESSON = lesson("04_lr_scheduler", until="## 7 The clinic")


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
