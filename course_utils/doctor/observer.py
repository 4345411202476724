"""How do single events become a recording? One observer follows one block and notes what it sees."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor import events, measures, vitals
from course_utils.doctor.batches import Batches
from course_utils.doctor.calls import WALK, Call, Calls
from course_utils.doctor.clips import Clips
from course_utils.doctor.gradients import Gradients, parameters_of
from course_utils.doctor.graph import competing, dead_units, leaves, nodes, reshaped, sequence
from course_utils.doctor.heads import MEAN, Heads, refused
from course_utils.doctor.layers import Layers
from course_utils.doctor.layout import Layout
from course_utils.doctor.models import Models
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.optimizers import Optimizers
from course_utils.doctor.origin import Origin
from course_utils.doctor.overlap import overlaps, with_repeats
from course_utils.doctor.passes import Passes
from course_utils.doctor.recording import Backward, Forwards, Recording, Refused, Stop, Update
from course_utils.doctor.retention import Retention
from course_utils.doctor.rhythm import closely
from course_utils.doctor.schedulers import Schedulers
from course_utils.doctor.sources import Sources
from course_utils.doctor.states import States
from course_utils.doctor.sums import Sums
from course_utils.doctor.terms import Terms
from course_utils.doctor.untrained import Untrained
from course_utils.doctor.values import first_line, first_tensor, several

__all__ = ["Observer"]

_STRIP_STEPS = 3
_STRIP_LENGTH = 80
_SEVERAL_STEPS = (3, 6, 9)  # after which the units of a layer have parted


class _Begun(NamedTuple):
    """A step of an optimizer that has begun."""

    update: Update  #: as it is known before the step
    backwards: int  #: passes before it
    snapshot: vitals.Snapshot | None


class Observer:
    """Notes what happens in one block; ``recording()`` says what that was."""

    def __init__(self, *, steps: int | None = None) -> None:
        self.limit, self.open, self.step = steps, True, 0
        self.gradients, self.models, self.sources = Gradients(), Models(), Sources()
        self.optimizers, self.schedulers = Optimizers(), Schedulers()
        self._ledger, self._retention = Ledger(), Retention()
        self._batches = Batches(self._ledger)
        self._origin, self._states, self._layout = Origin(), States(self._ledger), Layout()
        self._layers, self._terms = Layers(self._ledger), Terms(self._ledger, self.gradients)
        self._heads = Heads(self._ledger, self._batches)
        self._calls = Calls(self._ledger, self._batches)
        self._updates, self._passes, self._refused = list[Update](), Passes(), list[Refused]()
        self._zeroings, self._by_hand = 0, list[int]()
        self._loss_values: dict[int, Tensor] = {}
        self._in_step: dict[int, _Begun] = {}  # by optimizer: one may step inside another's step
        self._norm_after_backward: dict[int, Tensor] = {}
        self._clips, self._untrained = Clips(), Untrained()
        self._input: Tensor | None = None
        self._strip = self._stumble = ""
        self._sums = Sums(self.gradients)
        self._handlers = self._hearing()

    def _hearing(self) -> dict[type[events.Event], Callable[[Any], object]]:
        return {
            events.ForwardBegins: self._forward_begins,
            events.ForwardEnded: self._forward_ended,
            events.LossComputed: self._loss_computed,
            events.LossRefused: self._loss_refused,
            events.Summed: self._summed,
            events.Dropped: self._dropped,
            events.Stretched: lambda event: self._calls.add(self._heads.stretched(event, self.step)),
            events.BackwardBegins: self._backward_begins,
            events.BackwardEnded: self._backward_ended,
            events.GradientsTaken: self._gradients_taken,
            events.Zeroed: self._zeroed,
            events.Clipped: lambda event: self._clips.clipped(event.limit, event.norm, measured=self.closely),
            events.GradientsScaled: lambda event: self._clips.scaled(event.multiplied),
            events.StepBegins: self._step_begins,
            events.StepEnded: self._step_ended,
            events.OptimizerMade: lambda event: self.optimizers.exists(event.optimizer),
            events.SchedulerMade: lambda event: self.schedulers.know(event.scheduler, self.optimizers),
            events.SchedulerStepped: self._scheduler_stepped,
            events.PassBegins: lambda event: self.sources.begin(event.loader, event.iterator),
            events.BatchRead: self._batch_read,
            events.PassEnded: lambda _: self.sources.end(),
            events.StateTaken: lambda event: self._states.taken(event.module, event.state, self.step),
            events.StateLoaded: lambda event: self._states.loaded(event.module, event.state, self.step),
            events.StateSaved: lambda _: self._states.saved(),
        }

    @property
    def closely(self) -> bool:
        """Whether this step is one of those that are measured."""
        return closely(self.step)

    def looks_inside(self, model: nn.Module) -> bool:
        """Layers are looked at where a step is measured, and where a model is, in evaluation mode."""
        return self.closely or not model.training

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

    def hear(self, event: events.Event) -> None:
        """Note what has happened."""
        note = self._handlers.get(type(event))
        if note is None:
            raise TypeError(f"no event: {event!r}")
        note(event)

    def _forward_begins(self, event: events.ForwardBegins) -> None:
        self.models.enter(event.module, self.step, outermost=event.outermost)
        if event.outermost:
            self._input = None
        if self.closely and event.args:
            self._layers.called(event.module, event.args)
        if self._input is None and self.models.takes_first(event.module, measured=self.closely):
            self._input = next((a for a in event.args if isinstance(a, Tensor) and a.is_floating_point()), None)

    def _forward_ended(self, event: events.ForwardEnded) -> None:
        self.models.leave()
        if not event.outermost or not self.models.learns(event.module):
            return
        first_input, self._input = self._input, None
        if (tensor := first_tensor(event.output)) is not None:
            self._forward(event.module, first_tensor(event.args), first_input, tensor)

    def _loss_computed(self, event: events.LossComputed) -> None:
        self._letter("L")
        inputs, output = event.inputs, event.output
        self._origin.head(inputs, event.target)
        call = Call(self._heads.kind_of(event), sequence(output), self.step)
        if output.requires_grad:
            self._retention.mark(output, self.step, spent=False)
            if event.reduction == MEAN and output.dim() == 0:
                self._loss_values[call.sequence] = output.detach().clone()
            if self.closely:
                call.notes += self._heads.notes(event, self.step)
                self._layout.judged(event.target)
                self._layers.head(event.target, self._layout.batch, self.sources.batch_size)
        elif output.dim() == 0:
            self._ledger.add(self._note(measures.MeasuredLoss, event.kind, value=output.detach().clone()))
        self._calls.add(call)

    def _loss_refused(self, event: events.LossRefused) -> None:
        self._letter("L")
        self._refused.append(refused(event))

    def _summed(self, event: events.Summed) -> None:
        self._sums.made(event.output, self.step)
        if self.closely:
            self._terms.added(event)

    def _dropped(self, event: events.Dropped) -> None:
        if self.models.measured_while_dropping():
            model = type(self.models.calling[0]).__name__
            known = {"p": torch.tensor(event.p), "by_layer": torch.tensor(float(self.models.strange()))}
            self._ledger.add(self._note(measures.DroppedInEvaluation, model, **known))

    def _backward_begins(self, event: events.BackwardBegins) -> None:
        self._letter("B")
        self.gradients.before_backward(closely=self.closely)
        if self.gradients.moved():
            self._by_hand.append(self.step)
        for loss in several(event.losses):
            self._loss(loss)
            self._origin.backward_begins(loss, self.gradients.tensors(), self.step)

    def _backward_ended(self, event: events.BackwardEnded) -> None:
        losses = several(event.losses)
        if event.error is not None:
            self._passes.failed(losses, self.step, self.gradients.trainable(), first_line(event.error))
            return
        latest = max(map(sequence, losses), default=-1)
        reached = self.gradients.after_backward()
        optimizers = tuple(sorted({number for watched in reached for number in watched.optimizers}))
        done = Backward(self.step, optimizers, len(reached), self.gradients.trainable(), attached=latest >= 0)
        self._passes.ended(done, self.gradients.passes - 1)
        if self.closely or self._updates[-1].backwards != 1:
            gradients = [g for g in map(self.optimizers.one_gradient, optimizers) if g is not None]
            if gradients and (self.closely or gradients[0].device.type == "cpu"):
                self._origin.backward_ended(gradients, self.step)
        self.optimizers.reached(optimizers, latest)
        if not self.step:
            self.gradients.settle(closely=len(self._by_hand) < _STRIP_STEPS)
        if self.closely:
            self._layers.backward_ended(self.step)
            for number in optimizers:
                self._norm_after_backward[number] = self.optimizers.one_gradient_norm(number)

    def _gradients_taken(self, event: events.GradientsTaken) -> None:
        self._letter("B")
        for output in several(event.outputs):
            self._calls.backward(output, self.step)
            self._sums.backward_begins(output, frozenset(), self.step, closely=False)

    def _zeroed(self, event: events.Zeroed) -> None:
        owner = event.owner
        if isinstance(owner, Optimizer):
            self.gradients.watch_optimizer(owner, self.optimizers.number(owner))
        self._letter("Z")
        self._zeroings += 1
        self.gradients.cleared(parameters_of(owner) if isinstance(owner, Optimizer) else owner.parameters())

    def _step_begins(self, event: events.StepBegins) -> None:
        optimizer = event.optimizer
        number = self.optimizers.number(optimizer)
        self.optimizers.begins(optimizer, self.gradients)
        snapshot = vitals.Snapshot(parameters_of(optimizer)) if self.closely else None
        update = self.gradients.before_step(optimizer, number)
        self._in_step[number] = _Begun(update, len(self._passes), snapshot)

    def _step_ended(self, event: events.StepEnded) -> None:
        optimizer = event.optimizer
        number = self.optimizers.number(optimizer)
        begun = self._in_step.pop(number, None)
        if begun is None or len(self._passes) > begun.backwards:
            # The step began before the block, or a closure has computed the gradients inside it.
            update = self.gradients.before_step(optimizer, number)
        else:
            update = begun.update
        self._updates.append(self.optimizers.completed(update, optimizer))
        if begun is not None and begun.snapshot is not None:
            self._measure_step(optimizer, number, begun.snapshot)
        if (held := parameters_of(optimizer)) and (self.closely or held[0].device.type == "cpu"):
            self._origin.step_ended(optimizer, held[:2], self.step)
        if self.step in _SEVERAL_STEPS:
            self.gradients.compare_units(optimizer)
        if self.step == _SEVERAL_STEPS[-1]:  # what never steps may be gone at the end of the block
            self.schedulers.look_around(self.optimizers, self.gradients)
        self.gradients.after_step(optimizer)
        self.optimizers.stepped(optimizer)
        self._letter("S")
        if self.closely:
            self._retention.count(self.step)
        self._advance()
        if self.closely or not self.open:
            self._states.look(self.step)

    def _scheduler_stepped(self, event: events.SchedulerStepped) -> None:
        if event.error is None and getattr(event.scheduler, "_is_initial", False):
            self.schedulers.know(event.scheduler, self.optimizers)
            return
        self._letter("C")
        failure = "" if event.error is None else first_line(event.error)
        self.schedulers.stepped(event.scheduler, self.optimizers, failure, event.metric)

    def _batch_read(self, event: events.BatchRead) -> None:
        self.sources.read(event.iterator)
        self._layout.read(event.batch, closely=self.closely)

    # -- the rest of the story --------------------------------------------------------------------------------

    def _recording(self, stop: Stop | None) -> Recording:
        complete = self.open and stop is None
        self._calls.finish(complete=complete)
        self.schedulers.look_around(self.optimizers, self.gradients)
        return replace(
            self._gathered(),
            updates=tuple(self._updates),
            refused=tuple(self._refused),
            zeroings=self._zeroings,
            hand_updates=len(self._by_hand),
            strip=self._strip,
            stop=stop,
            complete=complete,
            stumble=self._stumble,
        )

    def _gathered(self) -> Recording:
        """What each part has to say."""
        noted = self._ledger.measures()
        return Recording(
            backwards=self._passes.facts(self.gradients.lost),
            forwards=self._calls.forwards(),
            tensors=self.gradients.facts(),
            models=self.models.facts(self._layers.of_models),
            optimizers=self.optimizers.facts(),
            schedulers=self.schedulers.facts(self.optimizers),
            sources=with_repeats(self.sources.facts(), noted),
            heads=self._calls.heads(),
            measures=tuple(measure for measure in noted if not isinstance(measure, measures.Fingerprints)),
            survivors=self._retention.counts(),
            overlap=overlaps([m for m in noted if isinstance(m, measures.Fingerprints)], self._by_hand, self.step),
            not_finite=self._origin.found,
            kept_states=self._states.facts(),
            onto_itself=self._states.onto_itself,
            untrained=self._untrained.facts(self.step),
            resumed=tuple(self._states.resumed),
            reshaped=self._layout.found,
            sequences=self._layers.sequences(),
            terms=self._terms.facts(),
            sums=self._sums.facts(),
            clipping=self._clips.facts(),
            relabelled=self._batches.relabelled,
            foreign=self.gradients.foreign,
            period=self._batches.period,
        )

    def _forward(self, module: nn.Module, batch: Tensor | None, first: Tensor | None, output: Tensor) -> None:
        self._letter("F")
        model = self.models.number(module)
        self._states.used(module, self.step)
        self._untrained.called(module, model, learning=output.requires_grad, step=self.step)
        self.gradients.watch_model(module, model, again=self.closely)
        after = len(self._passes) > 0
        kind = Forwards(model, self.sources.active, module.training, output.requires_grad, after_first_backward=after)
        call = Call(kind, sequence(output), self.step)
        scale = None if first is None or self._origin.made(first) else vitals.of_inputs(first)
        if scale is not None:
            call.notes.append(self._note(measures.InputScale, model, **scale))
        if batch is not None and batch.dim() >= 2 and batch.numel():
            call.batch = self._batches.look(batch, self.sources.active, self.step, model, scale)
        if self.closely:
            self._layers.model_ended(module, model)
        self._origin.forward(batch, output)
        self._heads.forward(batch, call)
        if batch is not None:
            self._layout.used(batch)
        self._calls.add(call)
        self._sums.forward(call.sequence)
        self._terms.forward(call.sequence)
        self._retention.output(output, call.sequence)

    def _note(self, kind: type[measures.Measure], of: measures.Owner = None, **values: Tensor) -> Note:
        return Note(kind, of, self.step, values)

    def _loss(self, loss: Tensor) -> None:
        """Note all about a loss from which a backward pass starts."""
        self._retention.mark(loss, self.step, spent=True)
        passed = list(nodes(loss.grad_fn, WALK)) if self.closely and loss.grad_fn is not None else []
        behind = self._calls.backward(loss, self.step, passed or None)
        self._retention.learned(behind, self.step)
        numbers = {int(node._sequence_nr()) for node in passed}
        self._sums.backward_begins(loss, numbers, self.step, closely=self.closely)
        self._passes.begins(loss, len(passed), numbers)
        known = self._loss_values
        values = {call.sequence: known[call.sequence] for call in behind if call.sequence in known}
        if loss.dim() == 0:
            self._ledger.add(self._note(measures.LossValue, value=loss.detach().clone()))
            if len(values) == 1 and self.closely:
                self._ledger.add(self._note(measures.Divisor, value=next(iter(values.values())) / loss.detach()))
        self._loss_values.clear()
        if passed:
            self._look_behind(loss, passed, values)

    def _look_behind(self, loss: Tensor, passed: list[Any], values: dict[int, Tensor]) -> None:
        for name, share in dead_units(loss.grad_fn):
            self._ledger.add(self._note(measures.DeadUnits, name, share=share))
        if len(passed) < WALK:
            self.gradients.leaves(leaves(passed))
            self._terms.backward_begins(loss, values, self.step)
        if self._layout.samples:
            self._ledger.add(self._note(measures.OverBatch, seen=competing(passed, self._layout.samples)))
        if (turned := reshaped(passed, self._layout.samples)) is not None:
            self._layout.note(*turned, inside=True)

    def _measure_step(self, optimizer: Optimizer, number: int, snapshot: vitals.Snapshot) -> None:
        parameters = parameters_of(optimizer)
        self._ledger.add(self._note(measures.GradientSizes, number, **vitals.gradient_sizes(parameters)))
        self._ledger.add(self._note(measures.UpdateSize, number, **snapshot.compare(parameters)))
        if (before := self._norm_after_backward.pop(number, None)) is not None:
            factor = self.optimizers.one_gradient_norm(number) / before
            self._ledger.add(self._note(measures.Rescaling, number, factor=factor))

    def _advance(self) -> None:
        self.step += 1
        self.sources.end()
        self.gradients.settle(closely=False)
        if self.limit is not None and self.step >= self.limit:
            self.open = False

    def _letter(self, letter: str) -> None:
        self.optimizers.letter(letter)
        if self._strip.count("S") < _STRIP_STEPS and len(self._strip) < _STRIP_LENGTH:
            self._strip += letter
