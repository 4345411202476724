"""How do single events become a recording? One observer follows one block and notes what it sees."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor import vitals
from course_utils.doctor.batches import Batches
from course_utils.doctor.calls import Call, Calls
from course_utils.doctor.gradients import Gradients, parameters_of
from course_utils.doctor.graph import dead_units, sequence, squashed_by
from course_utils.doctor.models import Models
from course_utils.doctor.numbers import Ledger
from course_utils.doctor.optimizers import Optimizers
from course_utils.doctor.overlap import overlaps
from course_utils.doctor.record import Backward, Forwards, LossHead, Recording, Refused, Stop, Update
from course_utils.doctor.retention import Retention
from course_utils.doctor.schedulers import Schedulers
from course_utils.doctor.sources import Sources

__all__ = ["Observer", "stop_of"]

_CLOSELY = 10  # the first steps are looked at closely, afterwards every tenth
_STRIP_STEPS = 3
_STRIP_LENGTH = 80


class Observer:
    """Notes what happens in one block; ``recording()`` says what that was."""

    def __init__(self, *, steps: int | None = None) -> None:
        self.limit = steps
        self.open = True
        self.step = 0
        self.gradients, self.models, self.sources = Gradients(), Models(), Sources()
        self.optimizers, self.schedulers = Optimizers(), Schedulers()
        self._ledger, self._retention, self._calls = Ledger(), Retention(), Calls()
        self._batches = Batches(self._ledger)
        self._updates: list[Update] = []
        self._backwards: list[Backward] = []
        self._refused: list[Refused] = []
        self._strip = ""
        self._zeroings = 0
        self._hand_updates = 0
        self._versions: int | None = None
        self._loss_values: dict[int, Tensor] = {}
        self._in_step: dict[int, tuple[int, vitals.Snapshot | None]] = {}
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

    # -- what the probes report -------------------------------------------------------------------------------

    def forward_begins(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A module is called; ``forward_ended`` follows."""
        is_root = self.models.enter(module)
        if is_root:
            self._input = None
        if self._input is None and self.closely and self.models.takes_first(module):
            self._input = next((a for a in args if isinstance(a, Tensor) and a.is_floating_point()), None)

    def forward_ended(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A module has returned ``output``, or None after an error."""
        if not self.models.leave(module) or not self.models.has_parameters(module):
            return
        first_input, self._input = self._input, None
        tensor = _first_tensor(output)
        if tensor is not None:
            self._forward(module, _first_tensor(args), first_input, tensor)

    def loss_computed(self, kind: str, inputs: Tensor, target: Tensor, output: Tensor, mean: bool) -> None:
        """A loss function has returned ``output``."""
        self._letter("L")
        squashed = squashed_by(inputs.grad_fn)
        head = LossHead(kind, squashed, with_gradients=output.requires_grad)
        call = Call(head, sequence(output), self.step)
        if output.requires_grad:
            self._retention.mark(output, self.step)
            if mean and output.dim() == 0:
                self._loss_values[call.sequence] = output.detach().clone()
            if self.closely:
                self._note_when_learned(call, "labels", kind, vitals.of_labels(target))
                if inputs.dim() >= 2 and inputs.shape[1] >= 2:
                    self._note_when_learned(call, "rows", kind, vitals.of_rows(inputs))
        self._calls.add(call)

    def loss_refused(self, kind: str, inputs: Tensor, target: Tensor, error: Exception) -> None:
        """A loss function has raised ``error``."""
        self._letter("L")
        low, high = (target.min().item(), target.max().item()) if target.numel() else (0, 0)
        classes = inputs.shape[1] if inputs.dim() > 1 else inputs.shape[-1] if inputs.dim() else 0
        dtype = str(target.dtype).removeprefix("torch.")
        self._refused.append(Refused(kind, dtype, float(low), float(high), classes, _first_line(error)))

    def backward_begins(self, losses: Sequence[Tensor]) -> None:
        """A backward pass starts; ``backward_ended`` or ``backward_failed`` follows."""
        self._letter("B")
        self.gradients.before_backward()
        versions = self.gradients.versions()
        self._hand_updates += self._versions is not None and versions != self._versions
        for loss in losses:
            self._loss(loss)

    def backward_failed(self, losses: Sequence[Tensor], error: Exception) -> None:
        """A backward pass has raised ``error``."""
        attached = any(loss.grad_fn is not None for loss in losses)
        trainable = self.gradients.trainable()
        self._backwards.append(Backward(self.step, (), 0, trainable, attached, _first_line(error)))

    def backward_ended(self, numbers: Sequence[int]) -> None:
        """A backward pass is done; ``numbers`` are the running numbers of the losses it started from."""
        reached = self.gradients.after_backward()
        optimizers = tuple(sorted({number for watched in reached for number in watched.optimizers}))
        attached = any(number >= 0 for number in numbers)
        self._backwards.append(Backward(self.step, optimizers, len(reached), self.gradients.trainable(), attached))
        self.optimizers.reached(optimizers, max(numbers, default=-1))
        self._versions = self.gradients.versions()
        if self.closely:
            for number in optimizers:
                self._norm_after_backward[number] = self.optimizers.one_gradient_norm(number)

    def gradients_taken(self, outputs: Sequence[Tensor]) -> None:
        """``torch.autograd.grad`` is called."""
        self._letter("B")
        for output in outputs:
            self._calls.backward(output, self.step)

    def optimizer_zeroed(self, optimizer: Optimizer) -> None:
        """``optimizer.zero_grad()`` has returned."""
        number = self.optimizers.number(optimizer)
        self.gradients.watch_optimizer(optimizer, number)
        self.zeroed(parameters_of(optimizer))

    def zeroed(self, parameters: Sequence[Tensor]) -> None:
        """The gradients of ``parameters`` were cleared."""
        self._letter("Z")
        self._zeroings += 1
        self.gradients.cleared(parameters)

    def step_begins(self, optimizer: Optimizer) -> None:
        """``optimizer.step()`` is called; ``step_ended`` follows."""
        number = self.optimizers.number(optimizer)
        self.optimizers.begins(optimizer, self.gradients)
        snapshot = vitals.Snapshot(parameters_of(optimizer)) if self.closely else None
        self._in_step[number] = len(self._backwards), snapshot
        self._facts = self.gradients.before_step(optimizer, number)

    def step_ended(self, optimizer: Optimizer) -> None:
        """``optimizer.step()`` has returned."""
        number = self.optimizers.number(optimizer)
        backwards, snapshot = self._in_step.pop(number, (len(self._backwards), None))
        if len(self._backwards) > backwards:  # a closure computed the gradients inside the step
            self._facts = self.gradients.before_step(optimizer, number)
        tensors, empty, stale, frozen = self._facts
        lr = self.optimizers.lr(optimizer)
        order, passes, late = self.optimizers.since_step(number)
        self._updates.append(Update(number, lr, order, tensors, empty, stale, frozen, passes, late))
        if snapshot is not None:
            self._measure_step(optimizer, number, snapshot)
        self.gradients.after_step(optimizer)
        self.optimizers.stepped(optimizer)
        self._letter("S")
        if self.closely:
            self._retention.count(self.step)
        self._advance()

    def scheduler_made(self, scheduler: Any, _: None) -> None:
        """A scheduler was constructed."""
        self.schedulers.know(scheduler, self.optimizers)

    def pass_begins(self, loader: Any, iterator: Any) -> None:
        """A pass over ``loader`` begins; ``iterator`` gives its batches."""
        self.sources.begin(loader, iterator)

    def batch_read(self, iterator: Any) -> None:
        """``iterator`` has given a batch."""
        self.sources.read(iterator)

    def pass_ended(self) -> None:
        """A loader has no more batches."""
        self.sources.active = None

    def scheduler_stepped(self, scheduler: Any, error: Exception | None) -> None:
        """``scheduler.step()`` has returned, or raised ``error``."""
        self._letter("C")
        self.schedulers.stepped(scheduler, self.optimizers, "" if error is None else _first_line(error))

    # -- the rest of the story --------------------------------------------------------------------------------

    def recording(self, stop: Stop | None = None) -> Recording:
        """All that is known now; ``stop`` is the exception that ended the block."""
        complete = self.open and stop is None
        self._calls.finish(complete=complete)
        self.schedulers.look_around(self.optimizers)
        if not complete:  # an optimizer whose turn has not come yet
            self.optimizers.look_around(self.gradients)
        calls = self._calls.records()
        measures = self._ledger.measures()
        prints = [measure for measure in measures if measure.kind in ("trained", "measured")]
        return Recording(
            updates=tuple(self._updates),
            backwards=tuple(self._backwards),
            forwards=tuple(record for record in calls if isinstance(record, Forwards)),
            tensors=self.gradients.facts(),
            models=self.models.facts(),
            optimizers=self.optimizers.facts(),
            schedulers=self.schedulers.facts(),
            sources=self.sources.facts(),
            heads=tuple(record for record in calls if isinstance(record, LossHead)),
            measures=tuple(measure for measure in measures if measure.kind not in ("trained", "measured")),
            survivors=self._retention.counts(),
            overlap=overlaps(prints),
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
            self._note_when_learned(call, "inputs", str(model), vitals.of_inputs(first))
        if batch is not None and batch.dim() >= 2 and batch.numel():
            self._batches.follow(call, batch, self.sources.active)
        self._calls.add(call)

    def _note_when_learned(self, call: Call, kind: str, of: str, values: Tensor) -> None:
        step = self.step
        call.decided.append(lambda learned: self._ledger.note(kind, of, step, values) if learned else None)

    def _loss(self, loss: Tensor) -> None:
        """Note all about a loss from which a backward pass starts."""
        self._retention.mark(loss, self.step)
        behind = self._calls.backward(loss, self.step)
        if loss.dim() == 0:
            value = loss.detach().clone()
            self._ledger.note("loss", "", self.step, value)
            heads = [self._loss_values[call.sequence] for call in behind if call.sequence in self._loss_values]
            if len(heads) == 1 and self.closely:
                self._ledger.note("divisor", "", self.step, heads[0] / value)
        self._loss_values.clear()
        if self.closely and loss.grad_fn is not None:
            for name, share in dead_units(loss.grad_fn):
                self._ledger.note("relu", name, self.step, share)

    def _measure_step(self, optimizer: Optimizer, number: int, snapshot: vitals.Snapshot) -> None:
        parameters = parameters_of(optimizer)
        self._ledger.note("gradient", str(number), self.step, vitals.gradient_sizes(parameters))
        self._ledger.note("update", str(number), self.step, snapshot.compare(parameters))
        before = self._norm_after_backward.pop(number, None)
        if before is not None:
            self._ledger.note("rescaled", str(number), self.step, self.optimizers.one_gradient_norm(number) / before)

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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:160]


def stop_of(error: BaseException) -> Stop:
    """What is remembered of the exception that ended a block."""
    return Stop(type(error).__name__, _first_line(error))
