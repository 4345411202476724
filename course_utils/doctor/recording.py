"""What happened in the loop? Frozen records of measured facts: numbers and names only, never a tensor or a graph."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from course_utils.doctor.measures import Measure, Owner

__all__ = ["Backward", "Clipping", "DataSource", "Forwards", "KeptState", "LossHead", "ModelFacts",
           "NotFinite", "OptimizerFacts", "Overlap", "Probed", "Recording", "Refused", "Reshaped",
           "SchedulerFacts", "Sequences", "Stop", "SumFacts", "Survivors", "TensorFacts", "TermFacts",
           "UntrainedFacts", "Update", "calls"]  # fmt: skip

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
    others: int = 0  #: tensors whose gradient holds, beside one of its own, one that another optimizer has stepped on


@dataclass(frozen=True, slots=True)
class Backward:
    """One backward pass."""

    step: int = 0  #: updates done before it
    optimizers: tuple[int, ...] = (0,)  #: optimizers whose parameters it reached
    reached: int = 1  #: parameter tensors of the watched models that it reached
    watched: int = 1  #: parameter tensors known at that time that require a gradient
    attached: bool = True  #: whether its loss was computed by recorded operations
    failure: str = ""  #: the error it raised
    again: int = 0  #: losses of earlier passes that it has gone through once more
    operations: int = 0  #: recorded operations behind its loss; 0 where they were not counted
    lost: bool = False  #: whether its gradients were cleared before any step had used them


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
    dims: int = 2  #: its dimensions
    moved: bool = False  #: whether it has changed although no optimizer holds it
    alike: int = 0  #: how often the weights of all its units were found equal after a few steps


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model, as it was called from outside."""

    number: int = 0
    kind: str = "Model"  #: name of its class
    sensitive: tuple[str, ...] = ()  #: classes of its layers that behave differently in evaluation mode
    repeated: tuple[str, ...] = ()  #: places of a Sequential or ModuleList where one and the same layer stands
    norms: int = 0  #: measured calls of its batch normalisations in training mode
    tiny: int = 0  #: of them, with one or two samples
    smallest: int = 0  #: samples of the smallest batch among them
    moving: tuple[str, ...] = ()  #: its batch normalisations that are frozen, and whose averages move


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
    pull: float = 0.0  #: the smallest ``weight_decay`` of its groups that is added to the gradient


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """One learning-rate scheduler."""

    kind: str = "StepLR"
    optimizer: int = 0
    steps: int = 0  #: calls of ``scheduler.step()``
    horizon: float | None = None  #: calls after which its plan is done (or lr has fallen to 1 %)
    fresh: bool = True  #: whether it had never been stepped before
    base: float = 0.0  #: the learning rate that its optimizer was given, of the first group
    factors: tuple[float, ...] = ()  #: by which a LambdaLR has multiplied it, at the start and after each step
    mode: str = ""  #: "min" or "max", where it follows a measured number
    metrics: tuple[float, ...] = ()  #: those numbers
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
    reads: int = 0  #: batches read
    workers: int = 0
    random: tuple[str, ...] = ()  #: random generators that the dataset carries and uses
    reseeded: bool = False  #: whether its workers have a function that may seed them
    shuffles: bool = False  #: whether its sampler draws a new order for each pass
    epochs_set: tuple[int, ...] = ()  #: for a sampler that has ``set_epoch``: its epoch at the start of each pass
    looked: int = 0  #: batches learned from that were looked at
    different: int = 0  #: of them, that differ from each other
    changes: tuple[int, ...] = ()  #: in-place changes of the dataset's tensors within each pass


@dataclass(frozen=True, slots=True)
class LossHead:
    """How often a loss function was called in one way."""

    kind: str = "cross_entropy"  #: "cross_entropy", "nll", "bce", "bce_with_logits", "mse", ...
    squashed: str | None = None  #: "softmax", "log_softmax" or "sigmoid" if that made its input
    learned_from: bool = True
    with_gradients: bool = True
    count: int = 1
    bounded: str | None = None  #: "relu", "sigmoid", "tanh" or "softmax" if that made its input
    over_batch: bool = False  #: whether that softmax, or log_softmax, was taken over the batch
    broadcast: str = ""  #: dimensions of input and target where one was stretched against the other
    swapped: bool = False  #: whether the target has a graph, and the input has none


@dataclass(frozen=True, slots=True)
class Survivors:
    """How many losses of earlier steps were still in memory at one moment."""

    step: int  #: updates done before
    losses: int  #: backward passes at least three updates old, seen so far
    tensors: int  #: of them, whose loss tensor is alive with its graph
    chained: int  #: of them, whose graph is alive without its loss tensor
    operations: int  #: recorded operations behind one loss
    outputs: int = 0  #: outputs of models that were learned from as long ago, alive with their graph
    spent: int = 0  #: of those that are chained, from which a backward pass has started already


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
    earlier: float = 0.0  #: share of the measured images that had been trained on before they were measured
    folds: int = 0  #: of a cross-validation: measured images that training had been through, and had left by then
    first: int = 0  #: updates before they were first measured
    last: int = 0  #: and last


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Where NaN or infinity came up first."""

    where: str = "forward"  #: "inputs", "targets", "forward", "loss", "backward" or "update"
    step: int = 0  #: updates done before
    detail: str = ""  #: what was seen there
    masked: bool = False  #: whether the loss itself was still finite


@dataclass(frozen=True, slots=True)
class KeptState:
    """A ``state_dict()`` that was taken after some training and kept while the training went on."""

    taken: int = 0  #: updates done before it was taken
    updates: int = 0  #: updates since, when last seen
    shared: int = 0  #: of its tensors, that lie in the memory of the model's own
    tensors: int = 1
    loaded: bool = False  #: whether it was loaded back into the same memory


@dataclass(frozen=True, slots=True)
class UntrainedFacts:
    """A model that was measured and never trained."""

    model: int = 0
    moved: bool = True  #: whether its weights have changed all the same
    still: bool = False  #: whether its batch statistics, if it has any, have not
    updates: int = 0  #: since it was first measured
    times: int = 0  #: at how many different updates it was measured
    copy_of: int | None = None  #: the model that is trained, and had these very weights before


@dataclass(frozen=True, slots=True)
class Reshaped:
    """Numbers whose dimensions were given another order without moving a number."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    inside: bool = False  #: whether that was seen in the model, and not between loader and model
    count: int = 1


@dataclass(frozen=True, slots=True)
class Sequences:
    """A layer that reads ``(time, batch, features)``, and how often its first dimension was the batch's size."""

    kind: str = "LSTM"
    calls: int = 1
    along_batch: int = 0  #: calls whose first dimension was the batch's size, and whose second was not
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TermFacts:
    """One term of a sum from which backward passes start."""

    place: int  #: its place in the sum
    kind: str  #: the operation that made it
    terms: int  #: of the sum
    of: int  #: number of the sum
    passes: int  #: measured backward passes
    used: int  #: of them, whose gradients through this term a step has used


@dataclass(frozen=True, slots=True)
class SumFacts:
    """Sums that held the loss from which a backward pass starts, and more that no pass has gone through."""

    terms: int = 2  #: of the sum
    left_out: tuple[str, ...] = ("mean",)  #: operations that made the terms that no pass has gone through
    passes: int = 0  #: measured backward passes from a loss of that kind
    partial: int = 0  #: of them, whose loss was a part of such a sum
    behind: frozenset[int] = frozenset()  #: places among the tensors of those that stand behind the terms left out


@dataclass(frozen=True, slots=True)
class Clipping:
    """How gradients were clipped."""

    calls: int = 0
    active: int = 0  #: calls that made the gradient smaller
    scaled: int = 0  #: calls while the gradient was still multiplied by the factor of a GradScaler


@dataclass(frozen=True, slots=True)
class Probed:
    """How a model answered when it was tried out on copies; differences are parts of the spread of its outputs."""

    samples: int = 0  #: of the batch
    made: tuple[str, ...] = ()  #: experiments
    skipped: tuple[str, ...] = ()  #: experiments that were not made, each with its reason
    random: float = 0.0  #: between two calls in evaluation mode with one input
    drawn: tuple[str, ...] = ()  #: random operations of torch in it
    influence: float = 1.0  #: between two calls with different inputs
    mixed: float = 0.0  #: in the outputs of samples that stayed, when others changed
    stateless: bool = False  #: whether a batch normalisation keeps no running averages
    foresight: float = 0.0  #: in the outputs before ``position``, when the inputs from there on changed
    position: int = 0
    loss: float = 0.0  #: of the batch
    guess: float = 0.0  #: the loss of scores that are all equal
    classes: int = 0  #: 0 where the targets are no class numbers
    learned: tuple[float, float] = (0.0, 0.0)  #: the loss of a few samples before and after learning them alone
    by_heart: int = 0  #: how many samples those were
    steps: int = 0  #: and in how many steps


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
    not_finite: NotFinite | None = None
    kept_states: tuple[KeptState, ...] = ()
    onto_itself: int = 0  #: how often a model's own, latest state was loaded into that very model
    untrained: tuple[UntrainedFacts, ...] = ()
    resumed: tuple[tuple[int, int], ...] = ()  #: updates before trained weights were taken, and were loaded again
    reshaped: Reshaped | None = None
    sequences: tuple[Sequences, ...] = ()
    terms: tuple[TermFacts, ...] = ()
    sums: tuple[SumFacts, ...] = ()
    clipping: Clipping = Clipping()
    relabelled: tuple[int, int] = (0, 0)  #: inputs that came again, and those of them that had another label then
    probed: Probed | None = None  #: where the model was tried out
    foreign: int = 0  #: backward passes that gave a gradient to a tensor of their own, such as an input
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
