"""Is the order of the step right? zero_grad, forward, loss, backward, step: each there, once, in its place."""

import re
from collections import Counter
from statistics import median

from course_utils.doctor.measures import Divisor, Rescaling
from course_utils.doctor.recording import Recording, Update
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import NOTHING_LEARNS, WILD
from course_utils.doctor.rules.measuring import learned_in_validation
from course_utils.doctor.words import count, number

_LOOP = """for images, labels in loader:
    optimizer.zero_grad()
    loss = loss_fn(model(images), labels)
    loss.backward()
    optimizer.step()"""
_ONE_DIVISION = (
    "The loss function already takes the mean over its batch. Over {k} batches the sum needs one division by {k}, and "
    "no other."
)
_DIVIDE = "loss = loss_fn(model(images), labels) / {k}\nloss.backward()           # and divide nowhere else"


@rule(
    title="Gradients are never cleared, so every step also takes all earlier steps again.",
    why="backward() adds to .grad. Without clearing, step n moves along the sum of n gradients: the steps grow, "
    "point to the past, and the loss begins to swing or to explode.",
    fix=_LOOP,
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=(*WILD, "learning-rate-too-low", "gradient-of-another-loss"),
)
def missing_zero_grad(recording: Recording) -> str:
    """Steps used gradients to which earlier steps' gradients were still added."""
    stale = [update for update in recording.updates if update.stale]
    if len(stale) < 2 and not (stale and len(recording.updates) <= 3):
        return ""
    if len(stale) <= learned_in_validation(recording):
        return ""  # cleared wherever it is trained
    worst = max(stale, key=lambda update: update.stale)
    return (
        f"in {len(stale)} of {count(len(recording.updates), 'step')} the gradient of {worst.stale} of "
        f"{count(worst.tensors, 'parameter tensor')} still held what an earlier step had already used; "
        f"zero_grad was called {count(recording.zeroings, 'time')}"
    )


@rule(
    title="An optimizer also steps on the gradient of a loss that is meant for another one.",
    why="The generator's loss goes through the discriminator, and leaves gradients there. Where these are not cleared "
    "before the discriminator's own backward pass, its step learns to be deceived, too.",
    fix="optimizer_d.zero_grad()          # right before its own backward pass, not after its step\n"
    "loss_d.backward()\noptimizer_d.step()",
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=WILD,
)
def gradient_of_another_loss(recording: Recording) -> str:
    """In most steps the gradients held, beside the fresh ones, those of a loss that another optimizer stepped on."""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        mixed = [update for update in updates if update.others and not update.stale]
        if len(mixed) >= max(3, 0.5 * len(updates)):
            return (
                f"in {len(mixed)} of {count(len(updates), 'step')} of the {optimizer.kind} that holds "
                f"{count(mixed[0].tensors, 'tensor')}, the gradients of {mixed[0].others} of them held two losses: one "
                "of its own, and one before it, on which another optimizer had stepped"
            )
    return ""


@rule(
    title="optimizer.step() is called before loss.backward().",
    why="The step then has no gradient of the current batch: it uses the one of the batch before, or, once "
    "zero_grad has cleared that, none at all.",
    fix=_LOOP,
    lesson="01_optimizer_overview.ipynb, section 2",
    explains=(*NOTHING_LEARNS, "zero-grad-before-step", "missing-zero-grad"),
)
def step_before_backward(recording: Recording) -> str:
    """The step comes before the backward pass of its own loss."""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)[1:]
        late = [update for update in updates if update.late and update.late == update.backwards]
        if late and len(late) >= 0.6 * len(updates) and not _driven_by_another(recording, late):
            return (
                f"in {len(late)} of {count(len(updates), 'step')} after the first, the loss was computed before the "
                f"previous step but differentiated after it; order between two steps: {late[0].order}S"
            )
    return ""


@rule(
    title="The gradients are cleared between loss.backward() and optimizer.step().",
    why="backward() computes the gradient, zero_grad() throws it away, and step() finds nothing to do: no weight "
    "ever changes.",
    fix=_LOOP,
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=NOTHING_LEARNS,
)
def zero_grad_before_step(recording: Recording) -> str:
    """The gradients are cleared between the backward pass and the step."""
    wiped = [update for update in recording.updates if update.empty == update.tensors and update.backwards > 0]
    fresh = [update for update in wiped if update.late < update.backwards and re.search(r"Z[^FB]*$", update.order)]
    fresh = fresh or [update for update in wiped if update.late < update.backwards]
    if not fresh or len(fresh) < 0.5 * len(recording.updates):
        return ""
    return (
        f"in {len(fresh)} of {count(len(recording.updates), 'step')} all {fresh[0].tensors} parameter tensors had "
        f"lost their gradient when the step came; order between two steps: {fresh[-1].order}S"
    )


@rule(
    title="optimizer.step() is never called.",
    why="backward() only writes gradients into .grad. The weights change in optimizer.step() and nowhere else.",
    fix=_LOOP,
    lesson="01_optimizer_overview.ipynb, section 2",
    explains=NOTHING_LEARNS,
)
def missing_step(recording: Recording) -> str:
    """Gradients are computed again and again, and no optimizer steps."""
    good = [backward for backward in recording.backwards if not backward.failure and backward.reached]
    if recording.updates or recording.hand_updates or len(good) < (2 if recording.zeroings else 3):
        return ""
    return (
        f"{count(len(good), 'backward pass')} gave gradients to {good[-1].reached} parameter tensors, and no "
        "optimizer took a step; no parameter changed between them"
    )


@rule(
    title="loss.backward() is never called.",
    why="Without backward() there is no gradient, and optimizer.step() silently skips parameters that have none.",
    fix=_LOOP,
    lesson="01_optimizer_overview.ipynb, section 2",
    explains=(*NOTHING_LEARNS, "measuring-in-train-mode"),
)
def missing_backward(recording: Recording) -> str:
    """The optimizer steps, and there was no backward pass at all."""
    updates = recording.updates
    if len(updates) < 2 or recording.backwards or any(update.empty < update.tensors for update in updates):
        return ""
    return (
        f"{count(len(updates), 'step')}, no backward pass: all {updates[-1].tensors} parameter tensors of the "
        "optimizer were without a gradient in every step"
    )


@rule(
    title="The accumulated loss is divided twice.",
    why=_ONE_DIVISION.format(k="k"),
    fix=_DIVIDE.format(k="k"),
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=("learning-rate-too-low",),
)
def loss_divided_twice(recording: Recording) -> Evidence | None:
    """With k backward passes a step, the mean loss is divided by more than k."""
    passes = Counter(update.backwards for update in recording.updates).most_common(1)
    divisors = [measure.value for measure in recording.measured(Divisor)]
    if not passes or passes[0][0] < 2 or len(divisors) < 2:
        return None
    k, scale = passes[0][0], median(divisors)
    rescaled = [measure.factor for measure in recording.measured(Rescaling)]
    by_hand = 1 / median(rescaled) if rescaled and _same(rescaled) and median(rescaled) > 0 else 1.0
    total = scale * by_hand
    if not _same(divisors) or total < 1.5 * k or not (by_hand > 1.5 or scale > 1.5 * k):
        return None
    return Evidence(
        f"each step sums the gradients of {k} backward passes, and each of them was divided by {number(total)}, "
        f"where {k} makes a mean: the learning rate is in effect {number(total / k)} times too small",
        why=_ONE_DIVISION.format(k=k),
        fix=_DIVIDE.format(k=k),
    )


def _same(values: list[float]) -> bool:
    middle = median(values)
    return bool(values) and all(abs(value - middle) <= 0.01 * abs(middle) for value in values)


def _driven_by_another(recording: Recording, late: list[Update]) -> bool:
    """Whether one loss serves two optimizers, so that the first has stepped when the second is differentiated."""
    stepping = sum(optimizer.steps > 0 for optimizer in recording.optimizers)
    return stepping > 1 and any(update.empty < update.tensors and "S" in update.order for update in late)


@rule(
    title="Gradients are computed and thrown away.",
    why="zero_grad() before each small batch clears what the batches before it have added. Only the last one's "
    "gradient reaches the step; the others have cost time and nothing else.",
    fix="for i, (images, labels) in enumerate(loader, 1):\n    (loss_fn(model(images), labels) / k).backward()\n"
    "    if i % k == 0:\n        optimizer.step()\n        optimizer.zero_grad()      # here, and nowhere else",
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=("learning-rate-too-low", "learning-rate-vanished", "loss-divided-twice"),
)
def gradients_thrown_away(recording: Recording) -> str:
    """Most backward passes were cleared before any step had used them."""
    lost = sum(backward.lost for backward in recording.backwards)
    by_hand = recording.hand_updates or recording.foreign
    if len(recording.updates) < 2 or by_hand or lost < 0.4 * len(recording.backwards) or lost < 4:
        return ""
    if all(update.empty == update.tensors for update in recording.updates):
        return ""
    return (
        f"of {count(len(recording.backwards), 'backward pass')} for {count(len(recording.updates), 'step')}, {lost} "
        f"were cleared before a step had used them; order between two steps: {recording.updates[-1].order[-24:]}S"
    )


@rule(
    title="Each backward pass starts from the sum of all losses so far.",
    why="A running sum holds the graph of every loss in it. backward() from the sum goes through all of them again: it "
    "takes longer with every step, and old gradients come back at the new weights.",
    fix="loss = loss_fn(model(images), labels)\nloss.backward()\nrunning += loss.item()       # a number, after the "
    "pass",
    lesson="02_one_epoch.ipynb, section 6",
    explains=(*WILD, "running-loss-is-a-tensor", "loss-kept-with-graph", "learning-rate-too-low"),
)
def backward_from_running_sum(recording: Recording) -> str:
    """A backward pass goes through the losses of many earlier ones."""
    worst = max(recording.backwards, key=lambda backward: backward.again, default=None)
    if worst is None or worst.again < 3:
        return ""
    return (
        f"at step {worst.step} the loss still contained {worst.again} losses from which earlier passes had started, "
        f"{count(worst.operations, 'recorded operation')} in all"
    )
