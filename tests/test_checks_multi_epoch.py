"""The checks of notebook 03: right answers pass, each typical wrong one is named, nothing raises."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from course_utils.checks.multi_epoch import (
    check_fair_comparison,
    check_mean_loss_per_image,
    check_softmax_floor,
    check_stop_early,
)
from course_utils.checks.verdict import Verdict
from course_utils.training import Step

CHECKS = {
    check.__name__: check
    for check in (check_mean_loss_per_image, check_softmax_floor, check_stop_early, check_fair_comparison)
}


def is_named(verdict: Verdict, words: str) -> None:
    assert not verdict
    assert words in verdict.message


# -------------------------------------------------------------------------------------------------- mean loss


def total(losses: list[float], sizes: list[int]) -> float:
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


@pytest.mark.parametrize(
    "answer",
    [
        lambda losses, sizes: total(losses, sizes) / sum(sizes),
        lambda losses, sizes: torch.tensor(losses, dtype=torch.float64) @ torch.tensor(sizes).double() / sum(sizes),
    ],
)
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
        (2.0, "expected a function"),
    ],
)
def test_a_wrong_mean_is_named(answer: Any, words: str) -> None:
    is_named(check_mean_loss_per_image(answer), words)


# ------------------------------------------------------------------------------------------------------ floor


@pytest.mark.parametrize(
    "answer",
    [
        lambda k: math.log(math.e + k - 1) - 1,
        lambda k: torch.nn.functional.cross_entropy(torch.eye(k, dtype=torch.float64), torch.arange(k)),
    ],
)
def test_a_floor_may_be_computed_or_measured(answer: Callable[[int], Any]) -> None:
    assert check_softmax_floor(answer)


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
        (lambda k: "1.46", "return a number"),
        (lambda k: True, "return a number"),
    ],
)
def test_a_wrong_floor_is_named(answer: Callable[[int], Any], words: str) -> None:
    is_named(check_softmax_floor(answer), words)


# ---------------------------------------------------------------------------------------------- stopping early

Measure = Callable[[], float]


def observer(
    *,
    improves: Callable[[float, float], bool] = lambda loss, best: loss < best,
    forgive: bool = True,
    against_best: bool = True,
    extra: int = 0,
    keep_back: bool = False,
    first_best: float = math.inf,
) -> Callable[..., Iterator[Step]]:
    """The early stopper of the notebook, or one of its wrong relatives."""

    def stop_early(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
        best, waited = first_best, 0
        for step in records:
            if not keep_back:
                yield step
            if step.ends_epoch:
                loss = measure()
                improved = improves(loss, best)
                best = loss if improved or not against_best else best
                waited = waited + 1 if not improved else waited * (not forgive)
                if waited >= patience + extra:
                    return
            if keep_back:
                yield step

    return stop_early


def measuring(when: Callable[[Step], bool], times: int = 1) -> Callable[..., Iterator[Step]]:
    """An observer that only measures."""

    def stop_early(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
        for step in records:
            if when(step):
                for _ in range(times):
                    measure()
            yield step

    return stop_early


def yielding(records_of: Callable[[Iterator[Step]], Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """An observer that yields other records than it gets."""
    return lambda records, measure, patience: records_of(records)


def without_end(records: Iterator[Step]) -> Iterator[Step]:
    for step in records:
        while True:
            yield step


def measuring_first(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    measure()
    yield from records


def test_the_observer_of_the_solution_is_right() -> None:
    assert check_stop_early(observer())


def test_it_may_yield_a_record_after_it_has_measured() -> None:
    def stop_early(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
        losses = [math.inf]
        for step in records:
            if step.ends_epoch:
                losses.append(measure())
            yield step
            if step.ends_epoch and len(losses) - 1 - losses.index(min(losses)) >= patience:
                return

    assert check_stop_early(stop_early)


WRONG_OBSERVERS: dict[str, tuple[Any, str]] = {
    "never measures": (measuring(lambda step: False), "never called"),
    "measures at every step": (measuring(lambda step: True), "before an epoch was complete"),
    "measures at the start": (measuring_first, "before an epoch was complete"),
    "measures twice": (measuring(lambda step: step.ends_epoch, 2), "more than once"),
    "never stops": (measuring(lambda step: step.ends_epoch), "`return` ends an observer"),
    "higher is better": (observer(improves=lambda new, best: new > best, first_best=-math.inf), "lower is better"),
    "equal is better": (observer(improves=lambda new, best: new <= best), "only equals the best"),
    "one epoch late": (observer(extra=1), "2 epochs in vain, not 3"),
    "one epoch early": (observer(extra=-1), "not 0"),
    "never counts anew": (observer(forgive=False), "counting anew"),
    "compares with the epoch before": (observer(against_best=False), "the best so far"),
    "stops at once": (observer(improves=lambda new, best: False), "let 1 pass"),
    "keeps the last record back": (observer(keep_back=True), "kept back"),
    "collects the records": (yielding(lambda records: iter(list(records))), "before the first was passed on"),
    "passes on epochs": (yielding(lambda records: (s for s in records if s.ends_epoch)), "before the first"),
    "passes on the first": (yielding(lambda records: iter([next(records)])), "never called"),
    "passes on what is not a record": (yielding(lambda records: (s.loss for s in records)), "the records themselves"),
    "passes on twice": (yielding(lambda records: (s for step in records for s in (step, step))), "came twice"),
    "skips some": (yielding(lambda records: (s for s in records if s.batch != 1)), "got lost"),
    "never ends": (yielding(without_end), "came twice"),
    "is no generator": (lambda records, measure, patience: None, "an observer yields records, got None"),
    "takes no patience": (lambda records, measure: records, "TypeError"),
    "fails at the first record": (yielding(lambda records: (1 / 0 for _ in records)), "ZeroDivisionError"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_OBSERVERS.values(), ids=list(WRONG_OBSERVERS))
def test_a_wrong_observer_is_named(answer: Any, words: str) -> None:
    is_named(check_stop_early(answer), words)


# ---------------------------------------------------------------------------------------------------- fairness


@pytest.mark.parametrize("answer", ["B", "b", " B "])
def test_the_fair_comparison_is_recognised(answer: str) -> None:
    assert check_fair_comparison(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [("A", "not the same treatment"), ("c", "one side was tuned"), ("D", "expected"), ("", "expected"), (2, "expected"),
     (None, "no answer yet")],
)  # fmt: skip
def test_an_unfair_comparison_is_named(answer: Any, words: str) -> None:
    is_named(check_fair_comparison(answer), words)
