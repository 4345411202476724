"""How does a training stand? What a trainer knows of it at one moment, as plain values that nobody changes any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from course_utils.data import Loader
from course_utils.training import evaluate

__all__ = ["SHOWN", "Exam", "Mark", "Record", "Stage", "examined", "in_words", "marked"]

Stage = Literal["ready", "running", "paused", "finished", "stopped", "failed"]
SHOWN = 12  # test images whose prediction is shown


@dataclass(frozen=True)
class Mark:
    """A change made by hand: what was changed before update number ``step``."""

    step: int
    what: str  #: "optimizer", "lr" or "momentum"
    before: str
    after: str

    def __str__(self) -> str:
        name = "" if self.what == "optimizer" else f"{self.what} "
        return f"{name}{self.before} → {self.after}"


@dataclass(frozen=True)
class Exam:
    """How good the network was after ``step`` updates, on images it does not learn from."""

    step: int
    accuracy: float  #: share of the test images classified rightly, 0 to 1
    predictions: tuple[int, ...]  #: the class of each image shown
    certainty: tuple[float, ...]  #: the probability that the network gives to it; 0 if that is no number


@dataclass(frozen=True, eq=False)
class Record:
    """A training at one moment."""

    stage: Stage
    steps: int  #: updates done since the beginning or the last reset
    budget: int  #: updates after which it ends by itself
    batches: int  #: batches in an epoch
    losses: npt.NDArray[np.float32] = field(repr=False)  #: loss of every update, ``(steps,)``
    exams: tuple[Exam, ...] = field(repr=False)
    marks: tuple[Mark, ...]
    optimizer: str
    lr: float
    momentum: float | None  #: None where the optimizer has none to change
    error: Exception | None  #: what ended a failed training

    @property
    def lost_since(self) -> int | None:
        """The first step whose loss was no finite number, which ended the training; None if there is none."""
        lost = np.flatnonzero(~np.isfinite(self.losses))
        return int(lost[0]) if len(lost) else None


def examined(model: nn.Module, images: Loader, step: int) -> Exam:
    """Measure ``model`` on all batches of ``images`` and keep what it says of the first ones."""
    certainty: list[float] = []
    predictions: list[int] = []

    def keep(scores: Tensor, labels: Tensor) -> Tensor:
        """The loss, as always; in passing the scores of the first batch are looked at."""
        if not predictions:
            best = scores[:SHOWN].softmax(dim=1).max(dim=1)
            predictions.extend(best.indices.tolist())
            certainty.extend(best.values.nan_to_num(nan=0.0).tolist())
        return cross_entropy(scores, labels)

    accuracy = evaluate(model, images, loss_fn=keep).accuracy
    return Exam(step, accuracy, tuple(predictions), tuple(certainty))


def marked(marks: Sequence[Mark], step: int, what: str, before: str | float, after: str | float) -> list[Mark]:
    """``marks`` and one more; several changes of one thing before the same update are one, or none if they cancel."""
    first, last = (value if isinstance(value, str) else f"{value:.3g}" for value in (before, after))
    same = [mark for mark in marks if (mark.step, mark.what) == (step, what)]
    others = [mark for mark in marks if mark not in same]
    first = same[0].before if same else first
    return others if first == last else [*others, Mark(step, what, first, last)]


def in_words(record: Record) -> str:
    """What a reader has to know now, in a sentence or two."""
    done = f"{record.steps:,} step{'s' * (record.steps != 1)}"
    if record.error is not None:
        kind, said = type(record.error).__name__, str(record.error).split("\n")[0]
        return f"{kind} after {done}: {said}. Press Reset to begin anew."
    if record.lost_since is not None:
        since = f"the loss is no finite number since step {record.lost_since:,}"
        return f"Stopped after {done}: {since}. Press Reset and try a smaller lr."
    return {
        "ready": "Ready. Start trains until the budget is used up; Step does one update.",
        "running": f"Training: {done} of {record.budget:,}, epoch {record.steps // record.batches + 1}.",
        "paused": f"Paused after {done}.",
        "finished": f"The budget of {record.budget:,} steps is used up. Raise it to go on, or press Reset.",
        "stopped": f"Stopped after {done}. Press Reset to begin anew.",
    }[record.stage]
