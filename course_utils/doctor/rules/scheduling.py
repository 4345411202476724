"""Does the learning rate follow its plan? Stepped at the right moment, as often as its horizon expects."""

import itertools
import re
from collections import Counter
from statistics import mean

from course_utils.doctor.finding import Severity
from course_utils.doctor.measures import GradientSizes, UpdateSize
from course_utils.doctor.recording import Recording, SchedulerFacts, Update
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.words import count, number

_PER_BATCH_BY_NATURE = ("OneCycleLR", "CyclicLR", "CosineAnnealingWarmRestarts")
_WITH_AN_END = ("OneCycleLR", "CosineAnnealingLR", "LinearLR", "PolynomialLR")
_SPENT = 0.0101  # of the largest lr: below it the plan is over
_CADENCE_LESSON = "04_lr_scheduler.ipynb, section 2"


@rule(
    title="The scheduler counts epochs, but is stepped after every batch.",
    why="The whole plan runs off within the first batches. The learning rate is then almost zero (or swings), and the "
    "loss stands still as if it had converged.",
    fix="for epoch in range(epochs):\n    for images, labels in loader:\n        ...\n"
    "        optimizer.step()\n    scheduler.step()          # after the epoch, outside the inner loop",
    lesson=_CADENCE_LESSON,
    explains=("learning-rate-vanished", "learning-rate-too-low", "scheduler-before-optimizer"),
)
def scheduler_stepped_per_batch(recording: Recording) -> Evidence | None:
    """A plan that counts epochs is stepped after every batch."""
    for scheduler in recording.schedulers:
        seen = _beyond_its_end(recording, scheduler) or _too_fast(recording, scheduler)
        if seen:
            severity: Severity = "error" if _is_certain(recording, scheduler) else "warning"
            k = round(scheduler.steps / max(1, len(recording.updates_of(scheduler.optimizer))))
            if k < 2:
                return Evidence(seen, severity=severity)
            return Evidence(
                f"{seen}: {k} times as often as the optimizer",
                severity=severity,
                title="The scheduler counts steps of the optimizer, but is stepped after every small batch.",
                fix=f"if (i + 1) % {k} == 0:\n    optimizer.step()\n    optimizer.zero_grad()\n"
                "    scheduler.step()          # with the optimizer, inside the same if",
            )
    return None


@rule(
    severity="warning",
    title="The scheduler counts batches, but is stepped once an epoch.",
    why="It was told how many steps the whole training has, and it has taken a small part of them: the learning rate "
    "stays near its start, and never comes to the rise or the fall that was planned.",
    fix="for epoch in range(epochs):\n    for images, labels in loader:\n        ...\n"
    "        optimizer.step()\n        scheduler.step()      # after every batch: total_steps counts those",
    lesson=_CADENCE_LESSON,
    explains=("learning-rate-too-low",),
)
def scheduler_stepped_per_epoch(recording: Recording) -> str:
    """A plan with an end has as many steps as the training has updates, and only some of them were made."""
    for scheduler in recording.schedulers if recording.complete else ():
        updates, plan = len(recording.updates_of(scheduler.optimizer)), scheduler.horizon or 0
        as_long = scheduler.kind in _WITH_AN_END and abs(plan - updates) <= 0.02 * updates
        if as_long and 2 <= scheduler.steps <= updates / 4:
            return (
                f"the plan of {scheduler.kind} has {count(int(plan), 'step')}, about as many as the optimizer made "
                f"({updates}), and scheduler.step() was called {count(scheduler.steps, 'time')}"
            )
    return ""


@rule(
    title="A scheduler was made, but scheduler.step() is never called.",
    why="Making a scheduler changes nothing by itself: the learning rate moves only in scheduler.step().",
    fix="for epoch in range(epochs):\n    for images, labels in loader:\n        ...\n    scheduler.step()",
    lesson="04_lr_scheduler.ipynb, section 6.2",
)
def scheduler_never_stepped(recording: Recording) -> str:
    """A scheduler exists, its optimizer steps, and the scheduler does not."""
    stepped = {scheduler.optimizer for scheduler in recording.schedulers if scheduler.steps}
    for scheduler in recording.schedulers:
        updates = recording.updates_of(scheduler.optimizer)
        if scheduler.optimizer not in stepped and len(updates) >= 2 and _an_epoch_is_over(recording):
            return (
                f"{scheduler.kind} belongs to an optimizer that took {count(len(updates), 'step')}; it was stepped 0 "
                f"times, and the learning rate stayed at {number(updates[-1].lr)}"
            )
    return ""


@rule(
    title="scheduler.step() is called before optimizer.step().",
    why="The first learning rate of the plan is never used, and all others come one step early. A warm-up starts late "
    "or a decay starts early.",
    fix="loss.backward()\noptimizer.step()\nscheduler.step()      # after the optimizer, and at its own cadence",
    lesson="04_lr_scheduler.ipynb, section 6.1",
)
def scheduler_before_optimizer(recording: Recording) -> str:
    """The scheduler is stepped before the optimizer's step that it should follow."""
    for scheduler in recording.schedulers:
        updates = recording.updates_of(scheduler.optimizer)
        if not updates or not scheduler.steps:
            continue
        between = [update for update in updates if re.search(r"B[^FB]*C[^FLB]*$", update.order)]
        at_first = scheduler.fresh and "C" in updates[0].order
        if not at_first and len(between) < max(2, 0.8 * scheduler.steps):
            continue
        if not between:
            return f"the scheduler was stepped before the first of {count(len(updates), 'step')} of the optimizer"
        return (
            f"in {count(len(between), 'step')} the scheduler came between backward and step; order: "
            f"{between[0].order[-12:]}S"
        )
    return ""


@rule(
    title="The learning rate is effectively zero.",
    why="A step of lr times gradient below the spacing of float32 numbers changes no weight at all. The loss is flat "
    "although nothing has converged.",
    fix='print([group["lr"] for group in optimizer.param_groups])   # look at it\n'
    "optimizer = torch.optim.SGD(model.parameters(), lr=0.01)     # and check the scheduler's cadence",
    lesson=_CADENCE_LESSON,
    explains=("learning-rate-too-low",),
)
def learning_rate_vanished(recording: Recording) -> str:
    """From some step on the learning rate is so small that no weight changes."""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        dead = _dead_tail(recording, updates)
        if len(updates) < 4 or len(dead) < 0.3 * len(updates):
            continue
        began = len(updates) - len(dead)
        since = f"from step {began} on, after {number(updates[0].lr)} at first" if began else "from the first step on"
        return (
            f"lr was {number(dead[0].lr)} {since}, and {number(dead[-1].lr)} in the last of "
            f"{count(len(updates), 'step')}{_unchanged(recording, optimizer.number)}"
        )
    return ""


def _dead_tail(recording: Recording, updates: list[Update]) -> list[Update]:
    """The updates at the end whose learning rate is nothing, compared with the largest or with float32."""
    peak = max((update.lr for update in updates), default=0.0)
    floor = max(1e-3 * peak, 1e-10) if peak > _smallest_useful(recording, updates) else peak
    tail: list[Update] = []
    for update in reversed(updates):
        if update.lr > floor:
            break
        tail.insert(0, update)
    return tail


def _smallest_useful(recording: Recording, updates: list[Update]) -> float:
    """The lr below which nothing changes: 1e-10 for certain, a larger one where the weights were seen not to change."""
    if not updates:
        return 0.0
    peak = max(update.lr for update in updates)
    series = recording.series(UpdateSize).get(updates[0].optimizer, [])
    with_gradient = updates[0].empty < updates[0].tensors
    if (
        peak < 1e-5
        and with_gradient
        and len(series) >= 3
        and mean(m.changed for m in series) < 0.1
        and _has_gradients(recording)
    ):
        return peak
    return 1e-10


def _has_gradients(recording: Recording) -> bool:
    return any(size > 1e-6 for measure in recording.measured(GradientSizes) for size in measure.gradients)


def _unchanged(recording: Recording, optimizer: int) -> str:
    series = recording.series(UpdateSize).get(optimizer, [])
    return f"; in the last measured step {series[-1].changed:.1%} of the weights changed" if series else ""


def _per_batch(recording: Recording, scheduler: SchedulerFacts) -> bool:
    """Whether ``scheduler`` is stepped with nearly every update, where an epoch has more than one."""
    updates = recording.updates_of(scheduler.optimizer)
    if scheduler.kind in _PER_BATCH_BY_NATURE or len(updates) < 4 or scheduler.steps < 0.9 * len(updates):
        return False
    return _updates_per_epoch(recording, len(updates)) != 1


def _updates_per_epoch(recording: Recording, updates: int) -> int | None:
    """Updates in one pass over the training data; None if unknown."""
    trained_on = {f.source for f in recording.forwards if f.learned_from}
    known = [s.batches for s in recording.sources if s.number in trained_on and s.batches]
    if known:
        passes = max(s.epochs for s in recording.sources if s.number in trained_on)
        return min(max(known), max(1, round(updates / passes)) if recording.complete else max(known))
    return recording.period


def _beyond_its_end(recording: Recording, scheduler: SchedulerFacts) -> str:
    if "number of total steps" not in scheduler.failure and "total_steps" not in scheduler.failure:
        return ""
    if scheduler.steps < 0.9 * len(recording.updates_of(scheduler.optimizer)):
        return ""
    return (
        f"{scheduler.kind} was stepped {count(scheduler.steps, 'time')} in "
        f"{count(len(recording.updates_of(scheduler.optimizer)), 'step')}, past the end of its plan; torch said: "
        f"{scheduler.failure}"
    )


def _too_fast(recording: Recording, scheduler: SchedulerFacts) -> str:
    if not _per_batch(recording, scheduler):
        return ""
    updates = recording.updates_of(scheduler.optimizer)
    if not (_is_certain(recording, scheduler) or _falls_within_an_epoch(recording, updates)):
        return ""
    epoch = _updates_per_epoch(recording, len(updates))
    plan = f" (its plan spans {number(scheduler.horizon)})" if scheduler.horizon else ""
    size = f", {count(epoch, 'batch')} an epoch" if epoch else ""
    return (
        f"{scheduler.kind} was stepped {count(scheduler.steps, 'time')}{plan} in {count(len(updates), 'step')}{size}; "
        f"lr went from {number(updates[0].lr)} to {number(updates[-1].lr)}"
    )


def _is_certain(recording: Recording, scheduler: SchedulerFacts) -> bool:
    """Whether the plan was over far too early: within one epoch, by overrunning it, or for much of the run."""
    if scheduler.failure:
        return True
    updates = recording.updates_of(scheduler.optimizer)
    rates = [update.lr for update in updates]
    epoch = _updates_per_epoch(recording, len(updates))
    moved = max(rates) > 1.05 * min(rates)
    several = epoch is not None and (len(updates) > epoch or not recording.complete)
    within = several and scheduler.horizon is not None and epoch is not None and scheduler.horizon < epoch
    falls = all(later <= earlier * 1.0001 for earlier, later in itertools.pairwise(rates))
    overrun = scheduler.kind == "CosineAnnealingLR" and scheduler.steps > 1.5 * (scheduler.horizon or 0)
    spent = sum(rate <= _SPENT * max(rates) for rate in rates) >= 0.4 * len(rates)
    return moved and bool((within and falls) or overrun or spent)


def _falls_within_an_epoch(recording: Recording, updates: list[Update]) -> bool:
    """Whether lr falls by more than half within one of several epochs, without a warm-up before it."""
    epoch = _updates_per_epoch(recording, len(updates))
    if not epoch or len(updates) < 2 * epoch or updates[0].lr < max(update.lr for update in updates):
        return False
    return updates[min(epoch, len(updates) - 1)].lr < 0.5 * updates[0].lr


def _an_epoch_is_over(recording: Recording) -> bool:
    """Whether a loop that steps its scheduler once an epoch would have done so by now."""
    trained_on = {f.source for f in recording.forwards if f.learned_from}
    passes = [source.epochs for source in recording.sources if source.number in trained_on]
    return recording.complete or max(passes, default=0) >= 2


@rule(
    title="The scheduler's function returns the learning rate, where a factor is meant.",
    why="LambdaLR multiplies the optimizer's learning rate by what its function returns. If that is the rate itself, "
    "the rate is squared: 0.01 becomes 0.0001.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    "scheduler = LambdaLR(optimizer, lambda n: 0.95 ** n)      # a factor, 1 at first",
    lesson=_CADENCE_LESSON,
    explains=("learning-rate-too-low", "learning-rate-vanished", "scheduler-stepped-per-batch"),
)
def factor_is_the_rate(recording: Recording) -> str:
    """The largest factor of a LambdaLR is the learning rate that it multiplies."""
    for scheduler in recording.schedulers:
        factors, base = scheduler.factors, scheduler.base
        if len(factors) < 3 or not 0 < base < 0.5 or len(recording.updates_of(scheduler.optimizer)) < 3:
            continue
        peak = max(factors)
        rising = peak == factors[-1] and peak > 1.001 * max(factors[: len(factors) // 2 + 1])
        least = 0.4 if scheduler.fresh else 0.95  # a warm-up that decays meanwhile never comes to the rate itself
        if least * base <= peak <= 1.05 * base and not rising:
            return (
                f"the optimizer was given lr {number(base)}, and the function returned {number(peak)} at most in "
                f"{count(len(factors), 'call')}, so that lr was {number(peak * base)}"
            )
    return ""


@rule(
    severity="warning",
    title="The scheduler is made anew again and again, so that its plan starts over.",
    why="A new scheduler counts from 0. Made inside the loop over epochs it never comes to the later part of its plan.",
    fix="scheduler = StepLR(optimizer, step_size=10)      # once, before the loop over epochs",
    lesson=_CADENCE_LESSON,
)
def scheduler_recreated(recording: Recording) -> str:
    """Several schedulers of one kind were stepped, one after the other, for the same optimizer."""
    alike = Counter((s.kind, s.optimizer) for s in recording.schedulers if s.steps and s.fresh)
    (kind, _), times = max(alike.items(), key=lambda pair: pair[1], default=(("", 0), 0))
    if times < 3:
        return ""
    steps = [s.steps for s in recording.schedulers if s.kind == kind]
    return f"{times} of {kind} were made for one optimizer, and stepped {count(steps[0], 'time')} each before the next"


@rule(
    title="The plateau scheduler waits for the wrong direction.",
    why='With mode="max" a falling loss counts as no progress: the learning rate is cut while the training goes well.',
    fix='scheduler = ReduceLROnPlateau(optimizer, mode="min")     # for a loss; "max" for an accuracy',
    lesson=_CADENCE_LESSON,
    explains=("learning-rate-too-low", "learning-rate-vanished"),
)
def plateau_in_wrong_mode(recording: Recording) -> str:
    """With mode "max" it is given a number that falls nearly all the time, and cuts the learning rate."""
    for scheduler in recording.schedulers:
        given, updates = scheduler.metrics, recording.updates_of(scheduler.optimizer)
        if scheduler.mode != "max" or len(given) < 4 or not updates or updates[-1].lr > 0.6 * updates[0].lr:
            continue
        falls = sum(later < earlier for earlier, later in itertools.pairwise(given))
        if falls >= 0.7 * (len(given) - 1) and given[-1] < 0.9 * given[0]:
            return (
                f'with mode="max" it was given {number(given[0])} at first and {number(given[-1])} at last, falling in '
                f"{falls} of {count(len(given) - 1, 'step')}; lr went from {number(updates[0].lr)} to "
                f"{number(updates[-1].lr)}"
            )
    return ""
