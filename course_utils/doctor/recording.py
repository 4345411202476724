"""What happened in the loop? Frozen records of measured facts: numbers and names only, never a tensor or a graph."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from course_utils.doctor.measures import Measure, Owner

__all__ = [
    "Backward",
    "DataSource",
    "Forwards",
    "LossHead",
    "ModelFacts",
    "OptimizerFacts",
    "Overlap",
    "Recording",
    "Refused",
    "SchedulerFacts",
    "Stop",
    "Survivors",
    "TensorFacts",
    "Update",
    "calls",
]

M = TypeVar("M", bound=Measure)


@dataclass(frozen=True, slots=True)
class Update:
    """One ``optimizer.step()``."""

    optimizer: int = 0  #: number of the optimizer
    lr: float = 0.1  #: largest learning rate of its parameter groups
    order: str = "ZFLB"  #: letters of what happened since its previous step
    tensors: int = 1  #: parameter tensors it holds
    empty: int = 0  #: of them, without a gradient (None, or cleared since the last backward)
    stale: int = 0  #: of them, whose gradient still contains one that an earlier step has used
    frozen: int = 0  #: of them, with ``requires_grad=False``
    backwards: int = 1  #: backward passes that reached them since the previous step
    late: int = 0  #: of those passes, whose loss had been computed before the previous step


@dataclass(frozen=True, slots=True)
class Backward:
    """One backward pass."""

    step: int = 0  #: updates done before it
    optimizers: tuple[int, ...] = (0,)  #: optimizers whose parameters it reached
    reached: int = 1  #: parameter tensors of the watched models that it reached
    watched: int = 1  #: parameter tensors known at that time that require a gradient
    attached: bool = True  #: whether its loss was computed by recorded operations
    failure: str = ""  #: the error it raised


@dataclass(frozen=True, slots=True)
class Forwards:
    """How often a model was called in one way."""

    model: int = 0
    source: int | None = None  #: number of the data source that was being read
    training_mode: bool = True
    with_gradients: bool = True
    learned_from: bool = True  #: whether a backward pass followed from it
    after_first_backward: bool = True
    count: int = 1


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One parameter tensor of a model or an optimizer."""

    name: str
    model: int | None = 0  #: number of the model it belongs to
    numel: int = 1
    trainable: bool = True
    reached: int = 1  #: backward passes that gave it a gradient
    optimizers: tuple[int, ...] = (0,)  #: optimizers that hold it


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model, as it was called from outside."""

    number: int = 0
    kind: str = "Model"  #: name of its class
    sensitive: tuple[str, ...] = ()  #: classes of its layers that behave differently in evaluation mode


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """One optimizer."""

    number: int = 0
    kind: str = "SGD"
    settings: str = ""  #: its hyper-parameters, to compare two of them
    stateful: bool = False  #: whether it remembers anything from step to step
    began_empty: bool = True  #: whether its state was empty before its first step here
    steps: int = 1
    tensors: tuple[int, ...] = (0,)  #: numbers of its parameter tensors
    names: tuple[str, ...] = ()  #: their names in the model


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """One learning-rate scheduler."""

    kind: str = "StepLR"
    optimizer: int = 0
    steps: int = 0  #: calls of ``scheduler.step()``
    horizon: float | None = None  #: calls after which its plan is done (or lr has fallen to 1 %)
    fresh: bool = True  #: whether it had never been stepped before
    failure: str = ""  #: the error that ``scheduler.step()`` raised


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where batches come from: a DataLoader, or the course's Loader."""

    number: int = 0
    kind: str = "DataLoader"
    dataset: int = 0  #: number of the dataset object behind it
    split: str | None = None  #: "train" or "test", if the dataset says so itself
    mark: str = ""  #: how it says so
    batches: int | None = None  #: batches in one pass
    epochs: int = 1  #: passes begun
    batch_size: int | None = None
    last_batch: int | None = None  #: images in the last batch, where it is smaller
    drop_last: bool = False


@dataclass(frozen=True, slots=True)
class LossHead:
    """How often a loss function was called in one way."""

    kind: str = "cross_entropy"  #: "cross_entropy", "nll", "bce", "bce_with_logits", "mse", ...
    squashed: str | None = None  #: "softmax", "log_softmax" or "sigmoid" if that made its input
    learned_from: bool = True
    with_gradients: bool = True
    count: int = 1


@dataclass(frozen=True, slots=True)
class Survivors:
    """How many losses of earlier steps were still in memory at one moment."""

    step: int  #: updates done before
    losses: int  #: backward passes at least three updates old, seen so far
    tensors: int  #: of them, whose loss tensor is alive with its graph
    chained: int  #: of them, whose graph is alive without its loss tensor
    operations: int  #: recorded operations behind one loss


@dataclass(frozen=True, slots=True)
class Refused:
    """Labels that a loss function refused."""

    kind: str = "cross_entropy"
    dtype: str = "int64"
    low: float = 0.0
    high: float = 0.0
    classes: int = 10
    message: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """The exception that ended the block."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Images that were measured on, compared with images that were trained on."""

    measured_by: Owner = None  #: number of the source that was measured on, None if it is none that is known
    measured: int = 0  #: different images measured on
    known: int = 0  #: of them, also trained on
    mixed: int = 0  #: measured batches that hold both some known and some unknown images
    batches: int = 0  #: different training batches that were compared
    distinct: float = 1.0  #: share of the compared training images that differ from each other
    same_source: bool = False  #: whether training read the same source
    repeated: bool = False  #: whether nearly all training images were seen twice, so that all of them are known


@dataclass(frozen=True)
class Recording:
    """All that is known of one watched block."""

    updates: tuple[Update, ...] = ()
    backwards: tuple[Backward, ...] = ()
    forwards: tuple[Forwards, ...] = ()
    tensors: tuple[TensorFacts, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    optimizers: tuple[OptimizerFacts, ...] = ()
    schedulers: tuple[SchedulerFacts, ...] = ()
    sources: tuple[DataSource, ...] = ()
    heads: tuple[LossHead, ...] = ()
    measures: tuple[Measure, ...] = ()
    survivors: tuple[Survivors, ...] = ()
    overlap: tuple[Overlap, ...] = ()
    refused: tuple[Refused, ...] = ()
    zeroings: int = 0  #: calls of ``zero_grad``
    hand_updates: int = 0  #: backward passes before which parameters had changed without an optimizer
    period: int | None = None  #: training batches after which the same tensor came again
    strip: str = ""  #: letters of the first steps
    stop: Stop | None = None
    complete: bool = True  #: whether the whole block was observed (no ``steps=`` limit reached, no exception)
    stumble: str = ""  #: an error inside the doctor itself, after which it stopped observing

    def measured(self, kind: type[M]) -> list[M]:
        """The measures of one kind, in order of time."""
        return [measure for measure in self.measures if isinstance(measure, kind)]

    def series(self, kind: type[M]) -> dict[Owner, list[M]]:
        """The measures of one kind, by what they belong to, each series in order of time."""
        found: dict[Owner, list[M]] = {}
        for measure in self.measured(kind):
            found.setdefault(measure.of, []).append(measure)
        return found

    def updates_of(self, optimizer: int) -> list[Update]:
        """The updates by one optimizer."""
        return [update for update in self.updates if update.optimizer == optimizer]

    def learned_from(self, source: DataSource) -> int:
        """How many batches of ``source`` were learned from."""
        return calls(f for f in self.forwards if f.source == source.number and f.learned_from)


def calls(kinds: Iterable[Forwards]) -> int:
    """How many calls these ``kinds`` stand for."""
    return sum(kind.count for kind in kinds)
