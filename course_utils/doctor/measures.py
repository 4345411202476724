"""Which numbers are measured in a loop? A frozen record for each kind of measurement."""

import math
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Balance",
    "Copied",
    "DeadUnits",
    "Divisor",
    "DroppedInEvaluation",
    "Fingerprints",
    "GradientSizes",
    "HeadScale",
    "InputScale",
    "Labels",
    "LooseTerm",
    "LossValue",
    "Measure",
    "MeasuredInputs",
    "MeasuredLoss",
    "MeasuredOn",
    "OverBatch",
    "Overwritten",
    "Owner",
    "Padding",
    "Penalty",
    "Rescaling",
    "ScoreRows",
    "TokensReached",
    "TrainedOn",
    "UpdateSize",
]

#: number of a model, optimizer or source, or of a model and a source; name of a layer or of a loss function
Owner: TypeAlias = int | str | tuple[int, int | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Numbers measured at one moment."""

    of: Owner = None  #: what they belong to
    step: int = 0  #: updates done before


@dataclass(frozen=True, slots=True, kw_only=True)
class LossValue(Measure):
    """The loss from which a backward pass started."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisor(Measure):
    """By how much the mean loss was divided before its backward pass."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSizes(Measure):
    """Norms of all tensors that an optimizer holds, before its step."""

    gradients: tuple[float, ...]  #: NaN where there is none
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescaling(Measure):
    """How much of a gradient's norm after the backward pass is left at the optimizer's step."""

    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSize(Measure):
    """What one step of an optimizer has changed."""

    change: float  #: norm of the change
    before: float  #: norm of the weights before it
    changed: float  #: share of the weights that changed at all


@dataclass(frozen=True, slots=True, kw_only=True)
class InputScale(Measure):
    """The first few inputs of a model."""

    low: float
    high: float
    size: float  #: root mean square
    whole: float  #: share of whole numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredInputs(Measure):
    """The first few inputs of a model in a call that was not learned from; as in ``InputScale``."""

    low: float
    high: float
    size: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLoss(Measure):
    """A loss that was computed without a graph."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadScale(Measure):
    """What a loss function of amounts was given."""

    size: float  #: root mean square of the outputs
    target_size: float
    target_low: float
    target_high: float
    below: float  #: share of the targets below 0
    above: float  #: share of the targets above 1
    beyond: float  #: share of the targets below -1 or above 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Measure):
    """Which classes the labels and the scores of a batch name."""

    count: float
    common: float  #: the most frequent label
    share: float  #: of the labels that are the most frequent one
    named: float  #: share of the scores that name that one
    plain: float = math.nan  #: of a score for each label: their mean binary cross-entropy without any weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied(Measure):
    """Share of the whole-numbered targets that are equal to the model's input in the same place."""

    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty(Measure):
    """A loss that has terms made of the weights alone."""

    total: float
    data: float  #: the part that the loss functions computed


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseTerm(Measure):
    """A number without a graph that was added to a loss before its backward pass; ``of`` is its place."""

    value: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding(Measure):
    """The places where the model's input is its most frequent token, and how many of their targets are equal."""

    share: float  #: of all places
    alike: float  #: of those, with the most frequent label there
    counted: float  #: 1 where the loss function counts that label


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedInEvaluation(Measure):
    """A function dropped numbers inside a model in evaluation mode; no switch of its own layers explains it."""

    p: float
    by_layer: float = 0.0  #: 1 where a layer called it that is no part of the model


@dataclass(frozen=True, slots=True, kw_only=True)
class OverBatch(Measure):
    """Whether a softmax behind a loss was taken over the first of several dimensions, that of the samples."""

    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten(Measure):
    """Weight matrices that ``load_state_dict`` has filled, and those that were others when the model was next used."""

    loaded: float
    overwritten: float
    likeness: float  #: largest correlation of such a matrix with what was loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensReached(Measure):
    """The rows of an embedding that a batch has used, and those of them that got a gradient."""

    used: float
    reached: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(Measure):
    """The labels that a loss function was given."""

    count: float
    low: float
    high: float
    first: float
    changes: float  #: how often a label differs from the one before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRows(Measure):
    """The scores ``(batch, classes, ...)`` that a loss function was given."""

    low: float
    least_sum: float  #: of a row
    largest_sum: float
    off_log_softmax: float  #: largest distance of a row's log-sum-exp from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadUnits(Measure):
    """The units of a ReLU layer that are 0 for the whole batch."""

    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints(Measure):
    """Two numbers for each image of a batch, one image after the other."""

    prints: tuple[float, ...]


class TrainedOn(Fingerprints):
    """Of a batch that was learned from."""


class MeasuredOn(Fingerprints):
    """Of a batch that was not learned from."""
