"""The check of stopping early: every honest observer passes, each typical wrong one is named, nothing raises."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.checks.multi_epoch import check_stop_early
from course_utils.training import Step
from tests.helpers.answers import is_named

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


def by_the_number_of_the_epoch(first: int) -> Callable[..., Iterator[Step]]:
    def stop_early(records: Iterator[Step], measure: Measure, patience: int) -> Iterator[Step]:
        for step in records:
            yield step
            if step.ends_epoch:
                measure()
                if step.epoch + first >= patience:
                    return

    return stop_early


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
    "stops at once": (observer(improves=lambda new, best: False), "let 1 epoch pass"),
    "begins with a best of 0": (observer(first_best=0.0), "begin with math.inf"),
    "begins with a best of 1": (observer(first_best=1.0), "begin with math.inf"),
    "begins with a best of 3": (observer(first_best=3.0), "begin with math.inf"),
    "counts all epochs": (by_the_number_of_the_epoch(0), "counts all epochs"),
    "counts all epochs from 1": (by_the_number_of_the_epoch(1), "counts all epochs"),
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
