"""What becomes of a gradient between backward and step? Clipped, divided and decayed as it was meant."""

import math
from statistics import median

from course_utils.doctor.measures import Divisor, LooseTerm, Rescaling
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import rule
from course_utils.doctor.words import count, number

_CLIPPING = "05_optimizer_practice.ipynb, section 2"
_ALWAYS = 0.95  # of the clips that cut


@rule(
    title="Gradients are clipped while they are still multiplied by the GradScaler's factor.",
    why="The scaler has made them thousands of times longer, so that the clip cuts every one of them to the same "
    "length, and the division that follows makes the step thousands of times too short.",
    fix="scaler.scale(loss).backward()\nscaler.unscale_(optimizer)     # first divide\n"
    "clip_grad_norm_(model.parameters(), max_norm)\nscaler.step(optimizer)\nscaler.update()",
    lesson=_CLIPPING,
    explains=("learning-rate-too-low", "clipping-always"),
)
def clipped_before_unscale(recording: Recording) -> str:
    """The gradients are cut between ``scaler.scale(loss).backward()`` and ``unscale_``."""
    clips = recording.clipping
    if clips.scaled < 2 or clips.scaled < 0.5 * clips.calls:
        return ""
    return (
        f"in {clips.scaled} of {count(clips.calls, 'measured clip')} unscale_ had not been called since "
        f"scaler.scale(loss); {clips.active} of them cut the gradient"
    )


@rule(
    severity="note",
    title="The clip cuts every gradient.",
    why="Then all gradients have the same length: the limit is no guard against a rare long one, it has become a "
    "part of the learning rate. That may be what you want.",
    fix="norm = clip_grad_norm_(model.parameters(), max_norm)\n"
    "norms.append(norm.item())      # draw them, and choose a limit above what is usual",
    lesson=_CLIPPING,
)
def clipping_always(recording: Recording) -> str:
    """Nearly all gradients are longer than the limit."""
    clips = recording.clipping
    if clips.calls < 10 or clips.active < _ALWAYS * clips.calls or clips.scaled:
        return ""
    return f"{clips.active} of {count(clips.calls, 'measured clip')} cut the gradient"


@rule(
    severity="note",
    title="Adam's weight decay goes through its division, and pulls at biases and norms too.",
    why="Added to the gradient, the decay is divided by the size of the gradients, so that weights with small "
    "gradients are pulled most. AdamW takes it from the weights themselves; biases and norms are usually left alone.",
    fix="decay = [p for p in model.parameters() if p.dim() > 1]\n"
    "rest = [p for p in model.parameters() if p.dim() <= 1]\n"
    'optimizer = AdamW([{"params": decay}, {"params": rest, "weight_decay": 0.0}], lr=lr, weight_decay=0.01)',
    lesson="05_optimizer_practice.ipynb, section 1",
)
def coupled_weight_decay(recording: Recording) -> str:
    """An optimizer that divides gradients by their size also divides the decay, and decays vectors."""
    for optimizer in recording.optimizers:
        held = [recording.tensors[n] for n in optimizer.tensors if n < len(recording.tensors)]
        vectors = [tensor for tensor in held if tensor.dims <= 1]
        if optimizer.kind in ("Adam", "NAdam", "RAdam", "Adamax") and optimizer.pull > 0 and vectors:
            return (
                f"{optimizer.kind} adds weight_decay={number(optimizer.pull)} times the weight to the gradient of all "
                f"its {count(len(held), 'tensor')}, {len(vectors)} of which are biases or gains of a norm"
            )
    return ""


@rule(
    severity="warning",
    title="The loss is divided as if gradients were accumulated, and each step uses one backward pass.",
    why="The division makes a mean of k backward passes. With one pass for each step it only makes the step k times "
    "shorter.",
    fix="loss = loss_fn(model(images), labels)         # no division, or:\n(loss / k).backward()\n"
    "if (i + 1) % k == 0:                          # a step after every k passes\n    optimizer.step()\n"
    "    optimizer.zero_grad()",
    lesson="01_optimizer_overview.ipynb, section 3",
    explains=("learning-rate-too-low",),
)
def loss_divided_for_nothing(recording: Recording) -> str:
    """A mean loss is divided by a whole number, and no gradients are added up."""
    single = [update for update in recording.updates if update.backwards == 1]
    divisors = [measure.value for measure in recording.measured(Divisor) if math.isfinite(measure.value)]
    if len(single) < max(3, 0.9 * len(recording.updates)) or len(divisors) < 3:
        return ""
    k = median(divisors)
    whole = round(k) >= 2 and all(abs(divisor - round(k)) < 1e-3 * k for divisor in divisors)
    rescaled = [measure.factor for measure in recording.measured(Rescaling) if math.isfinite(measure.factor)]
    summed = len(recording.measured(LooseTerm)) > len(divisors) / 2  # then it is the weight of a term
    if not whole or summed or (rescaled and median(rescaled) > 1.5):
        return ""
    return f"the mean loss was divided by {round(k)} before each of {count(len(single), 'step')} with one backward pass"
