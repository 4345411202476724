"""The checks of notebook 03: right answers pass, each typical wrong one is named, nothing raises."""

import math
import statistics
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.checks.multi_epoch import check_fair_comparison, check_mean_loss_per_image, check_softmax_floor
from tests.helpers.answers import is_named

# -------------------------------------------------------------------------------------------------- mean loss


def total(losses: list[float], sizes: list[int]) -> float:
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


def image_by_image(losses: list[float], sizes: list[int]) -> float:
    return statistics.fmean([loss for loss, size in zip(losses, sizes, strict=True) for _ in range(size)])


def step_by_step(losses: list[float], sizes: list[int]) -> float:
    mean, seen = 0.0, 0
    for loss, size in zip(losses, sizes, strict=True):
        seen += size
        mean += (loss - mean) * size / seen
    return mean


RIGHT_MEANS: dict[str, Callable[..., Any]] = {
    "sums": lambda losses, sizes: total(losses, sizes) / sum(sizes),
    "tensors made inside": lambda losses, sizes: (
        torch.tensor(losses, dtype=torch.float64) @ torch.tensor(sizes).double() / sum(sizes)
    ),
    "float32": lambda losses, sizes: (torch.tensor(losses) * torch.tensor(sizes)).sum() / sum(sizes),
    "half precision": lambda losses, sizes: torch.tensor(total(losses, sizes) / sum(sizes), dtype=torch.float16),
    "needs arrays": lambda losses, sizes: (losses * sizes).sum() / sizes.sum(),
    "needs tensors": lambda losses, sizes: losses.dot(sizes.to(losses.dtype)) / sizes.sum(),
    "numpy's average": lambda losses, sizes: np.average(losses, weights=sizes),
    "numpy float32": lambda losses, sizes: np.float32(np.dot(losses, sizes) / np.sum(sizes)),
    "0-d array": lambda losses, sizes: np.array(total(losses, sizes) / sum(sizes)),
    "an array of one": lambda losses, sizes: np.array([total(losses, sizes) / sum(sizes)]),
    "fmean": lambda losses, sizes: statistics.fmean(losses, weights=sizes),
    "image by image": image_by_image,
    "step by step": step_by_step,
    "shares": lambda losses, sizes: sum(loss * (size / sum(sizes)) for loss, size in zip(losses, sizes, strict=True)),
    "Decimal": lambda losses, sizes: sum(map(Decimal, map(lambda a, b: a * b, losses, sizes))) / sum(sizes),
    "Fraction": lambda losses, sizes: sum(Fraction(a) * b for a, b in zip(losses, sizes, strict=True)) / sum(sizes),
}


@pytest.mark.parametrize("answer", RIGHT_MEANS.values(), ids=list(RIGHT_MEANS))
def test_a_mean_that_weighs_by_batch_size_is_right(answer: Callable[..., Any]) -> None:
    assert check_mean_loss_per_image(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda losses, sizes: sum(losses), "that is the running loss"),
        (lambda losses, sizes: sum(losses) / len(losses), "each batch counts alike"),
        (lambda losses, sizes: sum(losses) / sum(sizes), "already a mean"),
        (lambda losses, sizes: total(losses, sizes), "divide it by their number"),
        (lambda losses, sizes: total(losses, sizes) / len(sizes), "not of batches"),
        (lambda losses, sizes: total(losses, sizes) / (64 * len(sizes)), "not every batch is full"),
        (lambda losses, sizes: losses[-1], "weigh each loss"),
        (lambda losses, sizes: losses, "return a number"),
        (lambda losses, sizes: None, "return a number"),
        (lambda losses: 1.0, "TypeError"),
        (lambda losses, sizes: (sum(losses[:-1]) * sizes[0] + losses[-1] * sizes[-1]) / sum(sizes), "weigh each loss"),
        (lambda losses, sizes: {3: 1.8888888888888888, 2: 2.6666666666666665}.get(len(losses), 0.5), "weigh each loss"),
        (lambda losses, sizes: total(losses, sizes) / sum(sizes) + 1e-5, "1.88889, got 1.8889"),
        (lambda losses, sizes: total(losses, sizes[::-1]) / sum(sizes), "weigh each loss"),
        (lambda losses, sizes: max(losses), "weigh each loss"),
        (lambda losses, sizes: math.nan, "return a number"),
        (lambda losses, sizes: 1 / 0, "ZeroDivisionError"),
        (2.0, "expected a function"),
    ],
)
def test_a_wrong_mean_is_named(answer: Any, words: str) -> None:
    is_named(check_mean_loss_per_image(answer), words)


# ------------------------------------------------------------------------------------------------------ floor


def measured(k: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(torch.eye(k, dtype=dtype), torch.arange(k))


RIGHT_FLOORS: dict[str, Callable[[int], Any]] = {
    "formula": lambda k: math.log(math.e + k - 1) - 1,
    "measured": measured,
    "measured in float32": lambda k: measured(k, torch.float32),
    "measured, as a number": lambda k: measured(k).item(),
    "one row": lambda k: -torch.eye(k, dtype=torch.float64)[0].log_softmax(0)[0],
    "logsumexp": lambda k: torch.logsumexp(torch.eye(k)[0], 0) - 1,
    "numpy": lambda k: np.log(np.e + k - 1) - 1,
    "numpy float32": lambda k: np.float32(np.log(np.exp(1) + (k - 1) * np.exp(0)) - 1),
    "0-d array": lambda k: np.array(math.log(math.e + k - 1) - 1),
    "an array of one": lambda k: np.log([math.e + k - 1]) - 1,
    "log1p": lambda k: math.log1p((k - 1) / math.e),
    "a quotient": lambda k: math.log((math.e + k - 1) / math.e),
    "minus a logarithm": lambda k: -math.log(math.e / (math.e + k - 1)),
    "a sum": lambda k: math.log(sum(math.exp(p) for p in [1] + [0] * (k - 1))) - 1,
    "Decimal": lambda k: Decimal(math.e + k - 1).ln() - 1,
}


@pytest.mark.parametrize("answer", RIGHT_FLOORS.values(), ids=list(RIGHT_FLOORS))
def test_a_floor_may_be_computed_or_measured(answer: Callable[[int], Any]) -> None:
    assert check_softmax_floor(answer)


def test_the_praise_of_the_floor_says_how_far_the_loss_can_fall() -> None:
    message = check_softmax_floor(RIGHT_FLOORS["formula"]).message
    assert f"from {math.log(1000):.3f} to {math.log(math.e + 999) - 1:.3f}" in message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda k: 1.4611501717344754, "the floor for ten classes"),
        (lambda k: math.log(math.e + k - 1), "still to be subtracted"),
        (lambda k: math.log(math.e + k) - 1, "only the others add"),
        (lambda k: math.log10(math.e + k - 1) - 1, "use math.log"),
        (lambda k: math.log(k), "the loss of guessing"),
        (lambda k: 0.0, "without the Softmax layer"),
        (lambda k: -1.0, "the best probabilities are 1, 0"),
        (lambda k: 1.4612, "1.46115, got 1.4612"),
        (lambda k: math.log(2.718 + k - 1) - 1, "the floor is"),
        (lambda k: {10: 1.4611501717344754, 2: 0.31326168751822286, 1000: 5.909459}[k], "KeyError"),
        (lambda k: math.log(math.e + k - 1) - math.e, "the best probabilities"),
        (lambda k: 1 + math.log(k / (math.e + k - 1)), "the best probabilities"),
        (lambda k: None, "return"),
        (lambda k: [1.46, 1.46], "return a number"),
        (lambda k: "1.46", "return a number"),
        (lambda k: True, "return a number"),
    ],
)
def test_a_wrong_floor_is_named(answer: Callable[[int], Any], words: str) -> None:
    is_named(check_softmax_floor(answer), words)


# ---------------------------------------------------------------------------------------------------- fairness

RIGHT_LETTERS = ["B", "b", " B ", "B.", "b)", "(B)", '"B"', "'b'", "**B**", "`B`", "B\n", np.str_("B"), "\tb:"]


@pytest.mark.parametrize("answer", RIGHT_LETTERS)
def test_the_fair_comparison_is_recognised(answer: str) -> None:
    assert check_fair_comparison(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [("A", "not the same treatment"), ("c", "one side was tuned"), ("D", "expected"), ("", "expected"), (2, "expected"),
     (None, "no answer yet"), ("AB", "expected"), (["B"], "expected"), (True, "expected"), ("a.", "not the same"),
     (" C ", "one side"), (b"B", "expected"), (lambda: "B", "expected")],
)  # fmt: skip
def test_an_unfair_comparison_is_named(answer: Any, words: str) -> None:
    is_named(check_fair_comparison(answer), words)
