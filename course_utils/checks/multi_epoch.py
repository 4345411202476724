"""Is my answer right, in notebook 03? Mean loss per image, floor of a softmax too many, early stopping, fairness."""

import math
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.arguments import shown
from course_utils.checks.verdict import NotYetError, call, explained, one_number, same_name, same_number
from course_utils.doctor.words import count
from course_utils.training import Step

__all__ = [
    "check_fair_comparison",
    "check_mean_loss_per_image",
    "check_softmax_floor",
    "check_stop_early",
]

Answer = Callable[..., Any]


# -------------------------------------------------------------------------------------------------- mean loss


_LOSSES_AND_SIZES: tuple[tuple[list[float], list[int]], ...] = (
    ([2.0, 1.0, 5.0], [64, 64, 16]),
    ([3.0, 1.0], [50, 10]),
    ([0.5], [7]),
    ([1.0, 4.0, 2.5, 0.25], [3, 40, 8, 21]),
)


@explained
def check_mean_loss_per_image(answer: Answer) -> str:
    """A verdict on ``answer(batch_losses, batch_sizes)``: the mean loss of all images of an epoch.

    The two may be read as lists, as arrays or as tensors: an answer that needs one of them is given that.
    """
    for losses, sizes in _LOSSES_AND_SIZES:
        wanted = _dot(losses, sizes) / sum(sizes)
        returned = _asked_in_some_form(answer, losses, sizes)
        got = one_number(returned)
        if not same_number(returned, wanted):
            why = _why_means_differ(got, losses, sizes)
            raise NotYetError(f"losses {losses} of {sizes} images have the mean {_apart(wanted, got)}; {why}")
    return "every image counts once, whatever the size of its batch."


def _asked_in_some_form(answer: Answer, losses: Sequence[float], sizes: Sequence[int]) -> Any:
    """What ``answer`` returns for lists, or, if it cannot do with them, for arrays or tensors of the same numbers."""
    try:
        return call(answer, list(losses), list(sizes))
    except NotYetError as refused:
        for form in (np.array, lambda row: torch.tensor(row, dtype=torch.float64)):
            try:
                return call(answer, form(list(losses)), form(list(sizes)))
            except NotYetError:
                continue
        raise refused


def _apart(wanted: float, got: float) -> str:
    """``1.5, got 1.4``, with as many digits as it takes to see the difference."""
    for digits in range(4, 17):
        right, yours = f"{wanted:.{digits}g}", f"{got:.{digits}g}"
        if right != yours:
            break
    return f"{right}, got {yours}"


def _why_means_differ(got: float, losses: Sequence[float], sizes: Sequence[int]) -> str:
    mistakes = {
        sum(losses): "that is the running loss; a sum grows with the number of batches",
        sum(losses) / len(losses): "each batch counts alike, so an image of a small batch counts more than the others",
        sum(losses) / sum(sizes): "a batch loss is already a mean; multiply it by the size of its batch before summing",
        _dot(losses, sizes): "that is the sum over all images; divide it by their number",
        _dot(losses, sizes) // sum(sizes): "divide with /, not //; a mean is seldom a whole number",
        _dot(losses, sizes) / len(losses): "divide by the number of images, not of batches",
        _dot(losses, sizes) / (max(sizes) * len(sizes)): "not every batch is full; divide by sum(batch_sizes)",
    }
    close = (words for value, words in mistakes.items() if math.isclose(got, value, rel_tol=1e-6))
    return next(close, "weigh each loss by the size of its batch")


def _dot(losses: Sequence[float], sizes: Sequence[int]) -> float:
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


# ------------------------------------------------------------------------------------------------------ floor


@explained
def check_softmax_floor(answer: Answer) -> str:
    """A verdict on ``answer(classes)``: the lowest cross-entropy of probabilities that are taken for scores."""
    for classes in (10, 2, 1000, 3, 47):
        wanted = math.log(math.e + classes - 1) - 1
        returned = call(answer, classes)
        got = one_number(returned)
        if not same_number(returned, wanted, rel_tol=4e-6):
            rounded = abs(got - wanted) < 1e-3
            why = "give it as it is, not rounded" if rounded else _why_floors_differ(got, classes)
            raise NotYetError(f"with {classes} classes the floor is {_apart(wanted, got)}; {why}")
    return "with 1,000 classes the loss can fall from 6.908 to 5.909: less than one nat, as with any number of classes."


def _why_floors_differ(got: float, classes: int) -> str:
    inside = math.e + classes - 1
    mistakes = {
        math.log(math.e + 9) - 1: "that is the floor for ten classes; put the number of classes where the 9 comes from",
        math.log(inside): "that is the highest loss; the score of the right class, 1, is still to be subtracted",
        math.log(math.e + classes) - 1: "one class is the right one, so only the others add e^0 each",
        math.log10(inside) - 1: "that is the logarithm to base 10; use math.log",
        math.log(classes): "that is the loss of guessing, where all probabilities are the same",
        0.0: "that is the floor without the Softmax layer",
    }
    close = (words for value, words in mistakes.items() if math.isclose(got, value, rel_tol=1e-6, abs_tol=1e-9))
    return next(close, "the best probabilities are 1, 0, ..., 0; put them into ln(sum of e^p) - p of the right class")


# ---------------------------------------------------------------------------------------------- stopping early


class _Rehearsal:
    """A training whose test losses are known beforehand, and a diary of what an observer does with it."""

    batches = 3

    def __init__(self, test_losses: Sequence[float]) -> None:
        self.test_losses = test_losses
        self.done: list[Step] = []
        self.measured_after: list[int] = []  # the steps done whenever measure() was called

    def records(self) -> Iterator[Step]:
        for step in range(len(self.test_losses) * self.batches):
            epoch, batch = divmod(step, self.batches)
            loss = torch.tensor(_training_loss(step))
            self.done.append(Step(step, epoch, batch, loss, 0.1, 64, self.batches, len(self.test_losses)))
            yield self.done[-1]

    def measure(self) -> float:
        self.measured_after.append(len(self.done))
        return self.test_losses[self.done[-1].epoch] if self.done else math.inf


def _training_loss(step: int) -> float:
    """What a batch of the training costs: it falls for two epochs, then rises, and no test loss does that."""
    return 3.0 - 0.1 * step if step < 6 else 3.0 + 0.1 * step


_Case = tuple[tuple[float, ...], int]

_FALLING, _RISING = (2.0, 1.9, 1.8, 1.7, 1.6), (1.0, 1.1, 1.2, 1.3, 1.4)
_WAVY, _LEVEL = (2.0, 1.5, 1.6, 1.4, 1.5, 1.45, 1.42, 1.3), (2.0, 2.0, 2.0, 2.0)
_HIGH, _SLOW = (90.0, 70.0, 80.0, 60.0, 65.0, 66.0, 67.0), (1.0, 0.9999, 0.9998, 0.9997, 0.9996)
_REHEARSALS: tuple[_Case, ...] = (
    (_FALLING, 1), (_RISING, 2), (_WAVY, 2), (_LEVEL, 2), (_RISING, 1), (_WAVY, 3), (_HIGH, 2), (_HIGH, 3), (_SLOW, 2),
)  # fmt: skip


@explained
def check_stop_early(answer: Answer) -> str:
    """A verdict on ``answer(records, measure, patience)``: an observer that ends a training after epochs in vain."""
    _check_passes_records_on(answer)
    rehearsals = {case: _rehearsed(answer, *case) for case in _REHEARSALS}
    for case, (passed, training) in rehearsals.items():
        if passed != _epochs_done(*case) * training.batches:
            epochs = {each: done / training.batches for each, (done, _) in rehearsals.items()}
            raise NotYetError(_why_it_stops_elsewhere(case, epochs))
        _check_trained_no_further(passed, training)
    return "it passes every record on, measures once an epoch, and stops in time."


def _rehearsed(answer: Answer, test_losses: Sequence[float], patience: int) -> tuple[int, _Rehearsal]:
    """How many records were passed on, and the training that gave them."""
    training = _Rehearsal(test_losses)
    passed = _some(_observed(answer, training, patience), training)
    _check_measured_once_an_epoch(training)
    return len(passed), training


def _observed(answer: Answer, training: _Rehearsal, patience: int) -> Iterator[Any]:
    observed = call(answer, training.records(), training.measure, patience)
    if not isinstance(observed, Iterable) or isinstance(observed, Tensor):
        raise NotYetError(f"an observer yields records, got {shown(observed)}; write `for step in records: yield step`")
    walk: Iterator[Any] = call(iter, observed)
    return walk


def _check_trained_no_further(passed: int, training: _Rehearsal) -> None:
    if len(training.done) != passed:
        raise NotYetError(
            f"{passed} records were passed on, but {len(training.done)} updates were made; "
            "whoever asks `records` for one more trains one more, so `return` at once"
        )


def _some(observed: Iterator[Any], training: _Rehearsal) -> list[Any]:
    """The records that come out, at most one more than there are: an observer may never end."""
    records: list[Any] = call(lambda: list(islice(observed, len(training.test_losses) * training.batches + 1)))
    return records


def _check_passes_records_on(answer: Answer) -> None:
    """Whether the records of a training that gets better and better come through, one by one."""
    training = _Rehearsal(_FALLING)
    observed = _observed(answer, training, 5)
    passed = call(lambda: list(islice(observed, 1)))
    if len(training.done) > 1:
        raise NotYetError("records were taken before the first was passed on; yield each step as it comes, every time")
    passed += _some(observed, training)
    if any(not isinstance(record, Step) for record in passed):
        odd = next(record for record in passed if not isinstance(record, Step))
        raise NotYetError(f"yield the records themselves, got {shown(odd)}; write `yield step`")
    if [step.step for step in passed] != [step.step for step in training.done]:
        raise NotYetError("some records got lost or came twice; `yield step` once for every step")


def _check_measured_once_an_epoch(training: _Rehearsal) -> None:
    if not training.measured_after:
        raise NotYetError("measure() was never called; call it when step.ends_epoch")
    if any(done == 0 or done % training.batches for done in training.measured_after):
        raise NotYetError("measure() was called before an epoch was complete; it is slow, so ask step.ends_epoch first")
    if len(set(training.measured_after)) < len(training.measured_after):
        raise NotYetError("measure() was called more than once after an epoch; keep its answer in a variable")


def _why_it_stops_elsewhere(case: _Case, epochs: dict[_Case, float]) -> str:
    """What went wrong in ``case``, and the known mistake that leads to just these ``epochs`` in all rehearsals."""
    losses, patience = case
    if not epochs[case].is_integer():
        return "the record at which you stop was kept back; yield it first, then return"
    named = (words for mistake, words in _mistakes(patience) if all(mistake(*c) == epochs[c] for c in epochs))
    why = next(named, "count the epochs since the best one")
    right = count(_epochs_done(*case), "epoch")
    return (
        f"held-out losses {list(losses)}, patience {patience}: you let {count(int(epochs[case]), 'epoch')} pass, "
        f"{right} would be right; {why}"
    )


def _mistakes(patience: int) -> Iterator[tuple[Callable[[Sequence[float], int], int], str]]:
    """Functions of held-out losses and patience that give the epochs of a known mistake, and words for it."""
    for other in (-1, 1):
        words = f"stop after {count(patience, 'epoch')} in vain, not {patience + other}"
        yield partial(_with_another_patience, other=other), words
    for more in (0, 1):
        words = "that counts all epochs; begin with math.inf as the best loss, and count the epochs since the best"
        yield partial(_by_number, more=more), words
    for first in (1.0, 1.05, 1.5, 1.65, 5.0, 62.0, 68.0, 75.0):
        yield (
            partial(_epochs_done, best=first),
            "begin with math.inf as the best loss, so that any first loss is better",
        )
    yield partial(_by_number, more=sys.maxsize), "`return` ends an observer, and with it the training"
    yield _upside_down, "it is a loss: lower is better"
    yield _by_training_loss, "compare what measure() gives, not step.loss"
    yield partial(_epochs_done, forgive=False), "start counting anew whenever there is a new best"
    yield partial(_epochs_done, against_best=False), "compare with the best so far, not with the epoch before"
    for least in (1e-4, 5e-4, 1e-3, 1e-2):
        yield partial(_epochs_done, improves=partial(_lower_by, least)), "any new lowest value counts"
    yield partial(_epochs_done, improves=operator.le), "a loss that only equals the best is no improvement"


def _with_another_patience(losses: Sequence[float], patience: int, *, other: int) -> int:
    return _epochs_done(losses, patience + other)


def _by_number(losses: Sequence[float], patience: int, *, more: int) -> int:
    return min(patience + more, len(losses))


def _upside_down(losses: Sequence[float], patience: int) -> int:
    return _epochs_done([-loss for loss in losses], patience)


def _lower_by(least: float, new: float, best: float) -> bool:
    return new < best - least


def _by_training_loss(losses: Sequence[float], patience: int) -> int:
    told = [_training_loss((epoch + 1) * _Rehearsal.batches - 1) for epoch in range(len(losses))]
    return _epochs_done(told, patience)


def _epochs_done(
    losses: Sequence[float],
    patience: int,
    *,
    forgive: bool = True,
    against_best: bool = True,
    improves: Callable[[float, float], bool] = operator.lt,
    best: float = math.inf,
) -> int:
    """How many epochs pass until there was no new best for ``patience`` of them; the options are the usual mistakes."""
    waited = 0
    for epoch, loss in enumerate(losses, start=1):
        improved = improves(loss, best)
        best = loss if improved or not against_best else best
        waited = waited + 1 if not improved else waited * (not forgive)
        if waited >= patience:
            return epoch
    return len(losses)


# ---------------------------------------------------------------------------------------------------- fairness

_UNFAIR = {
    "A": "the same lr is not the same treatment: 0.01 may be one's best and ruin the other. And one seed is one throw",
    "C": "one side was tuned and the other was not, and the test images that did the tuning also give the marks",
}


@explained
def check_fair_comparison(answer: Any) -> str:
    """A verdict on the letter of the fair one among three comparisons."""
    if answer is None:
        raise NotYetError('there is no answer yet; write "A", "B" or "C"')
    letter = next((letter for letter in "ABC" if same_name(answer, letter)), None)
    if letter in _UNFAIR:
        raise NotYetError(_UNFAIR[letter])
    if letter != "B":
        raise NotYetError(f'expected "A", "B" or "C", got {shown(answer)}')
    return "both were given the same search, marks come from images that chose nothing, and the spread is shown."
