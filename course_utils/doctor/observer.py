"""How do single events become a recording? One observer follows one block and notes what it sees."""

from functools import singledispatchmethod
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor import events, measures, vitals
from course_utils.doctor.batches import Batches
from course_utils.doctor.calls import Call, Calls
from course_utils.doctor.gradients import Gradients, parameters_of
from course_utils.doctor.graph import dead_units, sequence, squashed_by
from course_utils.doctor.models import Models
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.optimizers import Optimizers
from course_utils.doctor.overlap import overlaps
from course_utils.doctor.recording import Backward, Forwards, LossHead, Recording, Refused, Stop, Update
from course_utils.doctor.retention import Retention
from course_utils.doctor.schedulers import Schedulers
from course_utils.doctor.sources import Sources

__all__ = ["Observer", "stop_of"]

_CLOSELY = 10  # the first steps are looked at closely, afterwards every tenth
_STRIP_STEPS = 3
_STRIP_LENGTH = 80
_MEAN = 1  # the number of reduction="mean" in torch's core


class _Begun(NamedTuple):
    """A step of an optimizer that has begun."""

    update: Update  #: as it is known before the step
    backwards: int  #: passes before it
    snapshot: vitals.Snapshot | None


class Observer:
    """Notes what happens in one block; ``recording()`` says what that was."""

    def __init__(self, *, steps: int | None = None) -> None:
        self.limit = steps
        self.open = True
        self.step = 0
        self.gradients, self.models, self.sources = Gradients(), Models(), Sources()
        self.optimizers, self.schedulers = Optimizers(), Schedulers()
        self._ledger, self._retention = Ledger(), Retention()
        self._batches = Batches(self._ledger)
        self._calls = Calls(self._ledger, self._batches)
        self._updates: list[Update] = []
        self._backwards: list[Backward] = []
        self._refused: list[Refused] = []
        self._strip = ""
        self._zeroings = 0
        self._hand_updates = 0
        self._versions: int | None = None
        self._loss_values: dict[int, Tensor] = {}
        self._in_step: dict[int, _Begun] = {}  # by optimizer: one may step inside another's step
        self._norm_after_backward: dict[int, Tensor] = {}
        self._input: Tensor | None = None
        self._stumble = ""

    @property
    def closely(self) -> bool:
        """Whether this step is one of those that are measured."""
        return self.step < _CLOSELY or self.step % _CLOSELY == 0

    def stumbled(self, error: Exception) -> None:
        """An error in the doctor itself: observe no more, and let the report say so."""
        self.open = False
        self._stumble = f"{type(error).__name__}: {error}"

    def recording(self, stop: Stop | None = None) -> Recording:
        """All that is known now; ``stop`` is the exception that ended the block."""
        try:
            return self._recording(stop)
        except Exception as error:  # the learner's own exception must come through
            self.stumbled(error)
            return Recording(stop=stop, complete=False, stumble=self._stumble)

    # -- what the probes report -------------------------------------------------------------------------------

    @singledispatchmethod
    def hear(self, event: events.Event) -> None:
        """Note what has happened."""
        raise TypeError(f"no event: {event!r}")

    @hear.register
    def _forward_begins(self, event: events.ForwardBegins) -> None:
        is_root = self.models.enter(event.module)
        if is_root:
            self._input = None
        if self._input is None and self.closely and self.models.takes_first(event.module):
            self._input = next((a for a in event.args if isinstance(a, Tensor) and a.is_floating_point()), None)

    @hear.register
    def _forward_ended(self, event: events.ForwardEnded) -> None:
        if not self.models.leave(event.module) or not self.models.has_parameters(event.module):
            return
        first_input, self._input = self._input, None
        tensor = _first_tensor(event.output)
        if tensor is not None:
            self._forward(event.module, _first_tensor(event.args), first_input, tensor)

    @hear.register
    def _loss_computed(self, event: events.LossComputed) -> None:
        self._letter("L")
        inputs, output = event.inputs, event.output
        head = LossHead(event.kind, squashed_by(inputs.grad_fn), with_gradients=output.requires_grad)
        call = Call(head, sequence(output), self.step)
        if output.requires_grad:
            self._retention.mark(output, self.step)
            if event.reduction == _MEAN and output.dim() == 0:
                self._loss_values[call.sequence] = output.detach().clone()
            if self.closely:
                call.notes.append(self._note(measures.Labels, event.kind, **vitals.of_labels(event.target)))
                if inputs.dim() >= 2 and inputs.shape[1] >= 2:
                    call.notes.append(self._note(measures.ScoreRows, event.kind, **vitals.of_rows(inputs)))
        self._calls.add(call)

    @hear.register
    def _loss_refused(self, event: events.LossRefused) -> None:
        self._letter("L")
        inputs, target = event.inputs, event.target
        low, high = (target.min().item(), target.max().item()) if target.numel() else (0, 0)
        self._refused.append(
            Refused(
                kind=event.kind,
                dtype=str(target.dtype).removeprefix("torch."),
                low=float(low),
                high=float(high),
                classes=inputs.shape[1] if inputs.dim() > 1 else inputs.shape[-1] if inputs.dim() else 0,
                message=_first_line(event.error),
            )
        )

    @hear.register
    def _backward_begins(self, event: events.BackwardBegins) -> None:
        self._letter("B")
        self.gradients.before_backward()
        versions = self.gradients.versions()
        self._hand_updates += self._versions is not None and versions != self._versions
        for loss in _several(event.losses):
            self._loss(loss)

    @hear.register
    def _backward_ended(self, event: events.BackwardEnded) -> None:
        if event.error is not None:
            attached = any(loss.grad_fn is not None for loss in _several(event.losses))
            failure = _first_line(event.error)
            self._backwards.append(Backward(self.step, (), 0, self.gradients.trainable(), attached, failure))
            return
        latest = max(map(sequence, _several(event.losses)), default=-1)
        reached = self.gradients.after_backward()
        optimizers = tuple(sorted({number for watched in reached for number in watched.optimizers}))
        self._backwards.append(
            Backward(self.step, optimizers, len(reached), self.gradients.trainable(), attached=latest >= 0)
        )
        self.optimizers.reached(optimizers, latest)
        self._versions = self.gradients.versions()
        if self.closely:
            for number in optimizers:
                self._norm_after_backward[number] = self.optimizers.one_gradient_norm(number)

    @hear.register
    def _gradients_taken(self, event: events.GradientsTaken) -> None:
        self._letter("B")
        for output in _several(event.outputs):
            self._calls.backward(output, self.step)

    @hear.register
    def _zeroed(self, event: events.Zeroed) -> None:
        owner = event.owner
        if isinstance(owner, Optimizer):
            self.gradients.watch_optimizer(owner, self.optimizers.number(owner))
        self._letter("Z")
        self._zeroings += 1
        self.gradients.cleared(parameters_of(owner) if isinstance(owner, Optimizer) else owner.parameters())

    @hear.register
    def _step_begins(self, event: events.StepBegins) -> None:
        optimizer = event.optimizer
        number = self.optimizers.number(optimizer)
        self.optimizers.begins(optimizer, self.gradients)
        snapshot = vitals.Snapshot(parameters_of(optimizer)) if self.closely else None
        update = self.gradients.before_step(optimizer, number)
        self._in_step[number] = _Begun(update, len(self._backwards), snapshot)

    @hear.register
    def _step_ended(self, event: events.StepEnded) -> None:
        optimizer = event.optimizer
        number = self.optimizers.number(optimizer)
        begun = self._in_step.pop(number, None)
        if begun is None or len(self._backwards) > begun.backwards:
            # The step began before the block, or a closure has computed the gradients inside it.
            update = self.gradients.before_step(optimizer, number)
        else:
            update = begun.update
        self._updates.append(self.optimizers.completed(update, optimizer))
        if begun is not None and begun.snapshot is not None:
            self._measure_step(optimizer, number, begun.snapshot)
        self.gradients.after_step(optimizer)
        self.optimizers.stepped(optimizer)
        self._letter("S")
        if self.closely:
            self._retention.count(self.step)
        self._advance()

    @hear.register
    def _scheduler_stepped(self, event: events.SchedulerStepped) -> None:
        if event.error is None and event.scheduler._is_initial:
            self.schedulers.know(event.scheduler, self.optimizers)
            return
        self._letter("C")
        failure = "" if event.error is None else _first_line(event.error)
        self.schedulers.stepped(event.scheduler, self.optimizers, failure)

    @hear.register
    def _pass_begins(self, event: events.PassBegins) -> None:
        self.sources.begin(event.loader, event.iterator)

    @hear.register
    def _batch_read(self, event: events.BatchRead) -> None:
        self.sources.read(event.iterator)

    @hear.register
    def _pass_ended(self, event: events.PassEnded) -> None:
        self.sources.active = None

    # -- the rest of the story --------------------------------------------------------------------------------

    def _recording(self, stop: Stop | None) -> Recording:
        complete = self.open and stop is None
        self._calls.finish(complete=complete)
        self.schedulers.look_around(self.optimizers)
        if not complete:  # an optimizer whose turn has not come yet
            self.optimizers.look_around(self.gradients)
        noted = self._ledger.measures()
        return Recording(
            updates=tuple(self._updates),
            backwards=tuple(self._backwards),
            forwards=self._calls.forwards(),
            tensors=self.gradients.facts(),
            models=self.models.facts(),
            optimizers=self.optimizers.facts(),
            schedulers=self.schedulers.facts(),
            sources=self.sources.facts(),
            heads=self._calls.heads(),
            measures=tuple(measure for measure in noted if not isinstance(measure, measures.Fingerprints)),
            survivors=self._retention.counts(),
            overlap=overlaps([measure for measure in noted if isinstance(measure, measures.Fingerprints)]),
            refused=tuple(self._refused),
            zeroings=self._zeroings,
            hand_updates=self._hand_updates,
            period=self._batches.period,
            strip=self._strip,
            stop=stop,
            complete=complete,
            stumble=self._stumble,
        )

    def _forward(self, module: nn.Module, batch: Tensor | None, first: Tensor | None, output: Tensor) -> None:
        self._letter("F")
        model = self.models.number(module)
        self.gradients.watch_model(module, model)
        after = bool(self._backwards)
        kind = Forwards(model, self.sources.active, module.training, output.requires_grad, after_first_backward=after)
        call = Call(kind, sequence(output), self.step)
        if first is not None:
            call.notes.append(self._note(measures.InputScale, model, **vitals.of_inputs(first)))
        if batch is not None and batch.dim() >= 2 and batch.numel():
            call.batch = self._batches.look(batch, self.sources.active, self.step)
        self._calls.add(call)

    def _note(self, kind: type[measures.Measure], of: measures.Owner = None, **values: Tensor) -> Note:
        return Note(kind, of, self.step, values)

    def _loss(self, loss: Tensor) -> None:
        """Note all about a loss from which a backward pass starts."""
        self._retention.mark(loss, self.step)
        behind = self._calls.backward(loss, self.step)
        if loss.dim() == 0:
            value = loss.detach().clone()
            self._ledger.add(self._note(measures.LossValue, value=value))
            heads = [self._loss_values[call.sequence] for call in behind if call.sequence in self._loss_values]
            if len(heads) == 1 and self.closely:
                self._ledger.add(self._note(measures.Divisor, value=heads[0] / value))
        self._loss_values.clear()
        if self.closely and loss.grad_fn is not None:
            for name, share in dead_units(loss.grad_fn):
                self._ledger.add(self._note(measures.DeadUnits, name, share=share))

    def _measure_step(self, optimizer: Optimizer, number: int, snapshot: vitals.Snapshot) -> None:
        parameters = parameters_of(optimizer)
        self._ledger.add(self._note(measures.GradientSizes, number, **vitals.gradient_sizes(parameters)))
        self._ledger.add(self._note(measures.UpdateSize, number, **snapshot.compare(parameters)))
        before = self._norm_after_backward.pop(number, None)
        if before is not None:
            factor = self.optimizers.one_gradient_norm(number) / before
            self._ledger.add(self._note(measures.Rescaling, number, factor=factor))

    def _advance(self) -> None:
        self.step += 1
        self.sources.active = None  # the batch is used up
        self._versions = self.gradients.versions()
        if self.limit is not None and self.step >= self.limit:
            self.open = False

    def _letter(self, letter: str) -> None:
        self.optimizers.letter(letter)
        if self._strip.count("S") < _STRIP_STEPS and len(self._strip) < _STRIP_LENGTH:
            self._strip += letter


def _first_tensor(value: Any) -> Tensor | None:
    """The first tensor in a model's output or arguments, which may be tuples or dicts."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for found in map(_first_tensor, value) if found is not None), None)
    return None


def _several(tensors: Any) -> tuple[Tensor, ...]:
    """All tensors that were given, one or several."""
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _first_line(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:  # the learner's own exception may be broken, and passes on all the same
        return ""
    return (said.splitlines() or [""])[0][:160]


def stop_of(error: BaseException) -> Stop:
    """What is remembered of the exception that ended a block."""
    return Stop(type(error).__name__, _first_line(error))
