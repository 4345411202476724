"""The checks of notebook 03: right answers pass, each typical wrong one is named, nothing raises."""

import math
import statistics
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
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


class Unwalkable:
    """An iterable that cannot be walked through."""

    def __iter__(self) -> Iterator[Step]:
        raise ValueError("no way")


def without_end(records: Iterator[Step]) -> Iterator[Step]:
    for step in records:
        while True:
            yield step


def measuring_first(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    measure()
    yield from records


def measured_before_the_yield(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    losses = [math.inf]
    for step in records:
        if step.ends_epoch:
            losses.append(measure())
        yield step
        if step.ends_epoch and len(losses) - 1 - losses.index(min(losses)) >= patience:
            return


def looking_back(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    losses: list[float] = []
    for step in records:
        yield step
        if step.batch + 1 == step.batches:
            losses.append(float(measure()))
            if len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience]):
                break


def by_the_number_of_the_best(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    best, since = math.inf, -1
    for step in records:
        yield step
        if not step.ends_epoch:
            continue
        if (loss := measure()) < best:
            best, since = loss, step.epoch
        elif step.epoch - since >= patience:
            return


def counting_down(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    best, left = None, patience
    for step in records:
        yield step
        if step.ends_epoch:
            loss = np.float32(measure())
            if best is None or loss < best:
                best, left = loss, patience
            else:
                left -= 1
            if not left:
                break


def with_next(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    best, waited, walk = math.inf, 0, iter(records)
    while waited < patience:
        try:
            step = next(walk)
        except StopIteration:
            return
        yield step
        if step.ends_epoch:
            loss = measure()
            waited = 0 if loss < best else waited + 1
            best = min(loss, best)


class Stopper:
    """An observer that is an iterator of its own."""

    def __init__(self, records: Iterator[Step], measure: Measure, patience: int) -> None:
        self.records, self.measure, self.patience = iter(records), measure, patience
        self.losses: list[float] = []
        self.last: Step | None = None

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self.last is not None and self.last.ends_epoch:
            self.losses.append(self.measure())
            if len(self.losses) - self.losses.index(min(self.losses)) > self.patience:
                raise StopIteration
        self.last = next(self.records)
        return self.last


def closing(records: Any, measure: Measure, patience: int) -> Iterator[Step]:
    try:
        yield from observer()(records, measure, patience)
    finally:
        records.close()


RIGHT_OBSERVERS: dict[str, Any] = {
    "as in the solution": observer(),
    "measured before the yield": measured_before_the_yield,
    "looking back": looking_back,
    "the number of the best": by_the_number_of_the_best,
    "counting down": counting_down,
    "with next": with_next,
    "a class": Stopper,
    "closing": closing,
    "a lambda": lambda records, measure, patience: looking_back(records, measure, patience),
    "by its names": lambda records, measure, patience: looking_back(
        records=records, measure=measure, patience=patience
    ),
    "a tensor for a loss": lambda records, measure, patience: counting_down(
        records, lambda: torch.tensor(measure(), dtype=torch.float64), patience
    ),
    "a generator expression": lambda records, measure, patience: (
        step for step in with_next(records, measure, patience)
    ),
}


@pytest.mark.parametrize("answer", RIGHT_OBSERVERS.values(), ids=list(RIGHT_OBSERVERS))
def test_an_observer_that_stops_in_time_is_right(answer: Any) -> None:
    assert check_stop_early(answer)


def of_the_training_loss(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    best, waited = math.inf, 0
    for step in records:
        yield step
        if step.ends_epoch:
            measure()
            best, waited = (step.loss, 0) if step.loss < best else (best, waited + 1)  # type: ignore[assignment]
            if waited == patience:
                return


def with_patience_two(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    return observer()(records, measure, patience if patience > 3 else 2)


def training_on_unseen(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
    yield from observer()(records, measure, patience)
    for _ in records:
        pass


WRONG_OBSERVERS: dict[str, tuple[Any, str]] = {
    "asks the training loss": (of_the_training_loss, "not step.loss"),
    "knows one patience": (with_patience_two, "patience 1"),
    "trains on behind the back": (training_on_unseen, "updates were made"),
    "begins with a best of 10": (observer(first_best=10.0), "[90.0"),
    "asks for a thousandth": (observer(improves=lambda new, best: new < best - 1e-3), "any new lowest value"),
    "fails when asked": (lambda records, measure, patience: Unwalkable(), "ValueError"),
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
