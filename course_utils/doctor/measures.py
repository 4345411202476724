"""Which numbers are measured in a loop? A frozen record for each kind of measurement."""

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "DeadUnits",
    "Divisor",
    "Fingerprints",
    "GradientSizes",
    "InputScale",
    "Labels",
    "LossValue",
    "Measure",
    "MeasuredOn",
    "Owner",
    "Rescaling",
    "ScoreRows",
    "TrainedOn",
    "UpdateSize",
]

Owner: TypeAlias = int | str | None  #: number of a model, optimizer or source; name of a layer or of a loss function


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
