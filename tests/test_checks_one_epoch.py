"""The checks of notebook 02: right answers pass, each typical wrong one is named, nothing raises."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax
from torch.optim import Optimizer

from course_utils import training
from course_utils.checks.one_epoch import (
    check_moving_average,
    check_number_of_batches,
    check_running_loss,
    check_train_step,
)
from course_utils.plots import smooth
from course_utils.training import Batch
from tests.helpers.answers_one_epoch import epoch, in_pairs

CHECKS = {
    check.__name__: check
    for check in (check_number_of_batches, check_train_step, check_moving_average, check_running_loss)
}

# ------------------------------------------------------------------------------------------ number of batches


def test_the_number_of_batches_may_be_rounded_up_in_any_way() -> None:
    assert check_number_of_batches(lambda n, size, drop: n // size if drop else -(-n // size))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, size, drop: n // size, "one more, smaller batch"),
        (lambda n, size, drop: -(-n // size), "which drop_last leaves out"),
        (lambda n, size, drop: n // size + (not drop), "nothing over"),
        (lambda n, size, drop: n / size, "a whole number"),
        (lambda n, size, drop: n // size if not drop else -(-n // size), "which drop_last leaves out"),
        (lambda n, size, drop: True, "return a number"),
        (lambda n: n, "TypeError"),
        (157, "expected a function"),
    ],
)
def test_a_wrong_number_of_batches_is_named(answer: Any, words: str) -> None:
    verdict = check_number_of_batches(answer)
    assert not verdict
    assert words in verdict.message


# ----------------------------------------------------------------------------------------------------- one step


def five_lines(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
    images, labels = batch
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def test_the_step_of_the_package_is_right() -> None:
    assert check_train_step(training.train_step)


def test_the_five_lines_with_the_loss_as_a_number_are_right() -> None:
    assert check_train_step(lambda *arguments: five_lines(*arguments).item())


def step_with(
    *, zero: str = "before", reduction: str = "mean", scores: Callable[[Tensor], Tensor] = lambda s: s, do: str = "bs"
) -> Callable[..., Tensor]:
    """The five lines with a change: where to zero, how to sum, what to do with the scores, backward and/or step."""

    def step(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
        if zero == "before":
            optimizer.zero_grad()
        loss = cross_entropy(scores(model(batch[0])), batch[1], reduction=reduction)
        if "b" in do:
            loss.backward()
        if zero == "between":
            optimizer.zero_grad()
        if "s" in do:
            optimizer.step()
        return loss.detach()

    return step


def step_first(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
    optimizer.step()
    optimizer.zero_grad()
    loss = cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    return loss.detach()


def step_twice(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
    five_lines(model, batch, optimizer)
    return five_lines(model, batch, optimizer)


def with_graph(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad()
    loss = cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss


def after_the_update(model: nn.Module, batch: Batch, optimizer: Optimizer) -> Tensor:
    five_lines(model, batch, optimizer)
    return cross_entropy(model(batch[0]), batch[1]).detach()


WRONG_STEPS: dict[str, tuple[Callable[..., Any], str]] = {
    "without zero_grad": (step_with(zero=""), "added up"),
    "without backward": (step_with(do="s"), "did not move"),
    "without step": (step_with(do="b"), "did not move"),
    "zero_grad too late": (step_with(zero="between"), "did not move"),
    "softmax": (step_with(scores=lambda scores: softmax(scores, dim=1)), "a softmax too many"),
    "summed loss": (step_with(reduction="sum"), "was summed"),
    "step first": (step_first, "the batch before"),
    "two steps": (step_twice, "optimizer.step() was called 6 times"),
    "graph returned": (with_graph, "holds its graph"),
    "loss after the update": (after_the_update, "before the update"),
    "nothing returned": (lambda *a: (five_lines(*a), None)[1], "nothing is returned"),
    "a list returned": (lambda *a: [five_lines(*a)], "return a number"),
    "an error": (lambda *a: 1 / 0, "ZeroDivisionError"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_STEPS.values(), ids=list(WRONG_STEPS))
def test_a_wrong_step_is_named(answer: Callable[..., Any], words: str) -> None:
    verdict = check_train_step(answer)
    assert not verdict
    assert words in verdict.message


# ---------------------------------------------------------------------------------------------- moving average


def averages(
    values: list[float], beta: float, *, correct: bool = True, start: float = 0.0, late: int = 1
) -> list[float]:
    average, found = start, []
    for k, value in enumerate(values):
        average = beta * average + (1 - beta) * value
        found.append(average / ((1 - beta ** (k + late)) or 1.0) if correct else average)
    return found


@pytest.mark.parametrize("answer", [smooth, averages, lambda values, beta: torch.tensor(averages(values, beta))])
def test_a_bias_corrected_average_is_right(answer: Callable[..., Any]) -> None:
    assert check_moving_average(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda values, beta: averages(values, beta, correct=False), "without the correction"),
        (lambda values, beta: averages(values, beta, late=0), "power is one too small"),
        (lambda values, beta: averages(values, 1 - beta), "changed places"),
        (lambda values, beta: averages(values, 1 - beta, correct=False), "changed places"),
        (lambda values, beta: averages(values, beta, correct=False, start=values[0]), "too heavy"),
        (lambda values, beta: values, "with beta 0.9 the averages"),
        (lambda values, beta: averages(values, beta)[-1], "one number for each"),
        (lambda values, beta: "2.0", "one number for each"),
        (lambda values, beta: ["a"] * len(values), "return a number"),
        (lambda values, beta: None, "is the `return` forgotten?"),
    ],
)
def test_a_wrong_average_is_named(answer: Callable[..., Any], words: str) -> None:
    verdict = check_moving_average(answer)
    assert not verdict
    assert words in verdict.message


# ------------------------------------------------------------------------------------------------ running loss


def without_update(model: nn.Module, batches: Iterator[Batch], optimizer: Optimizer) -> float:
    return sum(cross_entropy(model(images), labels).item() for images, labels in batches)


@pytest.mark.parametrize(
    "answer", [epoch(lambda total, loss: total + loss.item()), epoch(lambda total, loss: total + loss.detach())]
)
def test_a_running_loss_without_graphs_is_right(answer: Callable[..., Any]) -> None:
    assert check_running_loss(answer)


def with_the_loss_before(total: Any, loss: Any) -> tuple[float, Any, Any]:
    """The sum, and the latest two losses."""
    summed_up, _, before = total or (0.0, None, None)
    return summed_up + loss.item(), before, loss


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (epoch(lambda total, loss: total + loss), "still holds a graph"),
        (epoch(with_the_loss_before, lambda total: total[0]), "up to 3 graphs were alive"),
        (in_pairs, "up to 2 graphs were alive"),
        (epoch(lambda total, loss: total + loss, lambda total: total.item()), "up to 6 graphs were alive"),
        (epoch(lambda total, loss: total + loss, lambda total: total.detach()), "up to 6 graphs were alive"),
        (epoch(lambda total, loss: [*(total or []), loss], lambda all_: sum(all_).item()), "up to 6 graphs"),
        (epoch(lambda total, loss: total + loss.item(), lambda total: total / 6), "the mean of the losses"),
        (epoch(lambda total, loss: loss.item()), "the last loss alone"),
        (epoch(lambda total, loss: total + 2 * loss.item()), "add each loss once"),
        (epoch(lambda total, loss: None), "return a number"),
        (without_update, "add each loss once"),
    ],
)
def test_a_wrong_running_loss_is_named(answer: Callable[..., Any], words: str) -> None:
    verdict = check_running_loss(answer)
    assert not verdict
    assert words in verdict.message


def test_a_running_loss_that_undoes_the_updates_at_the_end_is_named() -> None:
    def answer(model: nn.Module, batches: Iterator[Batch], optimizer: Optimizer) -> Any:
        total = epoch(lambda total, loss: total + loss.item())(model, batches, optimizer)
        nn.init.zeros_(next(model.parameters()))
        return total

    assert "the weights are not" in check_running_loss(answer).message
