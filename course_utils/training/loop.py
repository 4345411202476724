"""The loop: how does a network learn from batches of images?

``train_step`` is the five lines that every notebook writes out. ``train`` repeats them over an explicit ``Run``
and yields one ``Step`` per update; whoever wants to see more (a progress bar, a curve) filters the records:

    for step in progress(train(run, loader, epochs=5)):
        ...

Between two steps nothing is half done: stop there and call ``train`` again, and the run ends with exactly the
weights of an uninterrupted one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from course_utils.arguments import a_check, a_function, a_whole_number, an_instance, kind_of, one_of, or_none
from course_utils.model import a_network
from course_utils.schedules import CADENCES, Cadence
from course_utils.seeding import a_seed, generator

__all__ = ["Batch", "Batches", "Evaluation", "Run", "Step", "evaluate", "train", "train_step"]

Batch = tuple[Tensor, Tensor]
LossFunction = Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class Batches(Protocol):
    """Data whose order is a function of the epoch, such as ``course_utils.data.Loader``."""

    def __len__(self) -> int:
        """Batches in one epoch."""

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch``, from batch ``start`` on."""


@dataclass(frozen=True, slots=True)
class Step:
    """The record of one update of the weights."""

    step: int  #: number of this update in the run, from 0
    epoch: int  #: the epoch it belongs to, from 0
    batch: int  #: its batch within the epoch, from 0
    loss: Tensor  #: mean loss of the batch before the update: 0-d, detached, on the model's device
    lr: float  #: learning rate of the first parameter group that this update used
    images: int  #: images in the batch
    batches: int  #: batches in one epoch
    epochs: int  #: epochs that ``train`` was asked for

    @property
    def ends_epoch(self) -> bool:
        """Whether this was the last batch of its epoch: the moment to evaluate."""
        return self.batch == self.batches - 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a model is on some images."""

    loss: float  #: mean loss per image
    accuracy: float  #: share of images classified rightly, 0 to 1


@dataclass
class Run:
    """Everything that one training run is made of; ``train`` advances it in place.

    ``cadence`` says when the scheduler steps: after every ``"epoch"`` or after every ``"step"`` (update of the
    weights). It has no default, because the wrong one ruins a training without any error (notebook 04).

    Raises:
        TypeError: a part is not what its name says.
        ValueError: a scheduler without a cadence, a cadence without a scheduler, a scheduler of another
            optimizer, or an optimizer that holds none of the model's parameters.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None = None
    cadence: Cadence | None = None
    loss_fn: LossFunction = cross_entropy
    seed: int = 0  #: starts the random stream of layers such as Dropout
    step: int = field(default=0, init=False)  #: updates done so far
    batches_per_epoch: int | None = field(default=None, init=False)  #: set by the first call of ``train``

    def __post_init__(self) -> None:
        _check_parts(self.model, self.optimizer, self.scheduler, self.loss_fn)
        _check_cadence(self.scheduler, self.cadence, self.optimizer)
        _check_same_parameters(self.model, self.optimizer)
        self.seed = a_seed("seed", self.seed)
        self.rng: list[Tensor] = [generator(self.seed, "step").get_state()]
        self._losses = torch.empty(0)

    @property
    def losses(self) -> Tensor:
        """Loss of every update so far, float32 ``(step,)`` on the model's device.

        ``run.losses.view(-1, len(loader)).sum(dim=1)`` is the running loss of each epoch.
        """
        return self._losses[: self.step]

    def __repr__(self) -> str:
        scheduler = f", {type(self.scheduler).__name__} per {self.cadence}" if self.scheduler else ""
        return f"Run({type(self.model).__name__}, {type(self.optimizer).__name__}{scheduler}, step {self.step})"


def train_step(model: nn.Module, batch: Batch, optimizer: Optimizer, loss_fn: LossFunction = cross_entropy) -> Tensor:
    """One update of the weights from one batch; returns the loss before it, 0-d and without a graph."""
    images, labels = batch
    optimizer.zero_grad()
    loss = loss_fn(model(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def train(run: Run, data: Batches, *, epochs: int) -> Iterator[Step]:
    """Bring ``run`` to ``epochs`` epochs in total; yield one ``Step`` after every update.

    ``epochs`` is absolute: called again after an interruption it goes on where the run stopped, and on a finished
    run it yields nothing. ``run`` (model, optimizer, scheduler, step, losses) is changed in place. The losses
    stay on the device: reading one waits for the device, so read them rarely.

    A scheduler that follows a metric (``ReduceLROnPlateau``) is given the mean loss of the epoch, or the loss of
    the batch at cadence ``"step"``.

    Raises:
        TypeError: ``run`` is no ``Run``, ``data`` has no batches of a chosen epoch, ``epochs`` is no whole number.
        ValueError: ``epochs`` is negative, or the run was started with another number of batches per epoch.
    """
    _check_data(run, data)
    run.batches_per_epoch = len(data)
    return _updates(run, data, a_whole_number(0, example=5)("epochs", epochs))


def evaluate(model: nn.Module, data: Batches | Iterable[Batch], loss_fn: LossFunction = cross_entropy) -> Evaluation:
    """Mean loss per image and accuracy of ``model`` on ``data``, without changing either.

    The model is put in evaluation mode without gradients, and back into its modes afterwards.

    Raises:
        TypeError: ``model`` is no ``nn.Module``, or ``data`` gives no pairs of tensors.
        ValueError: ``data`` has no batch.
    """
    a_network("model", model)
    with _evaluation_mode(model), torch.no_grad():
        sums = [_sums(model(images), labels, loss_fn) for images, labels in _batches(data)]
    if not sums:
        raise ValueError("data has no batch to evaluate on; try Loader(split, batch_size=64, drop_last=False)")
    loss, right, images = torch.stack(sums).sum(dim=0).tolist()
    return Evaluation(loss=loss / images, accuracy=right / images)


def _updates(run: Run, data: Batches, epochs: int) -> Iterator[Step]:
    """The generator behind ``train``, which checks its arguments before the first step is asked for."""
    while (epoch := run.step // len(data)) < epochs:
        for batch in data.batches(epoch, start=run.step % len(data)):
            yield _advance(run, batch, len(data), epochs)


def _advance(run: Run, batch: Batch, batches: int, epochs: int) -> Step:
    """Do one update and all that belongs to it; afterwards ``run`` is consistent."""
    lr = float(run.optimizer.param_groups[0]["lr"])
    run.model.train()
    with _own_random_stream(run):
        loss = train_step(run.model, batch, run.optimizer, run.loss_fn)
    _remember(run, loss)
    done = Step(
        step=run.step,
        epoch=run.step // batches,
        batch=run.step % batches,
        loss=loss,
        lr=lr,
        images=len(batch[0]),
        batches=batches,
        epochs=epochs,
    )
    run.step += 1
    _step_scheduler(run, done)
    return done


def _step_scheduler(run: Run, done: Step) -> None:
    """Step the scheduler if its cadence says so; one that watches a metric gets the training loss."""
    if run.scheduler is None or (run.cadence == "epoch" and not done.ends_epoch):
        return
    if isinstance(run.scheduler, ReduceLROnPlateau):
        since = done.batches if run.cadence == "epoch" else 1
        run.scheduler.step(run.losses[-since:].mean().item())
    else:
        run.scheduler.step()


def _remember(run: Run, loss: Tensor) -> None:
    """Write ``loss`` at position ``run.step``; the room doubles when it is full, so 4 bytes a step remain."""
    if run.step == len(run._losses):
        room = torch.empty(max(256, len(run._losses)), device=loss.device)
        run._losses = torch.cat([run._losses.to(loss.device), room])
    run._losses[run.step] = loss


@contextmanager
def _own_random_stream(run: Run) -> Iterator[None]:
    """Draw from the run's random stream inside the block, and leave the global one as it was."""
    streams = _streams(next(run.model.parameters()).device)
    outside = [stream.get_state() for stream in streams]
    try:
        for stream, state in zip(streams, run.rng, strict=False):
            stream.set_state(state)
        yield
    finally:
        run.rng = [stream.get_state() for stream in streams]
        for stream, state in zip(streams, outside, strict=True):
            stream.set_state(state)


def _streams(device: torch.device) -> list[torch.Generator]:
    """The generators that layers on ``device`` draw from."""
    if device.type == "cuda":
        return [torch.default_generator, torch.cuda.default_generators[device.index or 0]]
    return [torch.default_generator]


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _batches(data: Batches | Iterable[Batch]) -> Iterator[Batch]:
    """The batches to evaluate on, each looked at before it is used."""
    _any_batches("data", data)
    for batch in data.batches(0) if isinstance(data, Batches) else data:
        pair = isinstance(batch, (tuple, list)) and len(batch) == 2
        if not pair or not all(isinstance(part, Tensor) for part in batch):
            raise TypeError(
                f"data must give pairs (images, labels) of tensors, got {kind_of(batch)}; try Loader(split)"
            )
        yield batch


def _sums(scores: Tensor, labels: Tensor, loss_fn: LossFunction) -> Tensor:
    """Of one batch, float64 ``(3,)``: summed loss, images classified rightly, images."""
    right = (scores.argmax(dim=1) == labels).sum()
    count = torch.tensor(len(labels), device=labels.device)
    return torch.stack([(loss_fn(scores, labels) * count).double(), right.double(), count.double()])


a_run = an_instance(Run, example="Run(model, optimizer)")
batches_by_epoch = an_instance(
    Batches, must="give the batches of a chosen epoch", example="course_utils.data.Loader, or write the loop out"
)
_any_batches = a_check(
    "give batches",
    kind=lambda data: isinstance(data, Iterable | Batches) and not isinstance(data, Tensor),
    keep=lambda data: data,
    came=kind_of,
    example="Loader(split)",
)
_a_scheduler = or_none(an_instance(LRScheduler, must="be one of torch's", example="StepLR(optimizer, 5)"))
_a_loss = a_function("scores and labels", example="cross_entropy")


def _check_data(run: Run, data: Batches) -> None:
    a_run("run", run)
    batches_by_epoch("data", data)
    if run.batches_per_epoch not in (None, len(data)):
        raise ValueError(
            f"this run was started with {run.batches_per_epoch} batches per epoch, data has {len(data)}; "
            "try the same images, batch_size and drop_last, or a new Run"
        )


def _check_parts(model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler | None, loss_fn: LossFunction) -> None:
    a_network("model", model)
    _a_scheduler("scheduler", scheduler)
    _a_loss("loss_fn", loss_fn)
    if not isinstance(getattr(optimizer, "param_groups", None), list):
        raise TypeError(f"optimizer must be one, got {kind_of(optimizer)}; try torch.optim.SGD(params, lr=0.01)")


def _check_cadence(scheduler: LRScheduler | None, cadence: str | None, optimizer: Optimizer) -> None:
    or_none(one_of(CADENCES))("cadence", cadence)
    if scheduler is not None and cadence is None:
        raise ValueError(
            'a scheduler needs a cadence: "epoch" (StepLR and most others) or "step" (OneCycleLR, warm-up); '
            'try cadence="epoch"'
        )
    if scheduler is None and cadence is not None:
        raise ValueError(f"cadence={cadence!r} has no scheduler to step; try scheduler=..., or leave cadence out")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("the scheduler changes the lr of another optimizer; build it from the run's optimizer")


def _check_same_parameters(model: nn.Module, optimizer: Optimizer) -> None:
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in model.parameters()):
        raise ValueError(
            "the optimizer holds none of the model's parameters, so nothing would be learned; "
            "try torch.optim.SGD(model.parameters(), lr=0.01)"
        )
