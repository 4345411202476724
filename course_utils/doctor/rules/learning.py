"""Does it learn at all? Losses, gradients, updates and dead units as they were measured."""

import math
from statistics import mean, median

from course_utils.doctor.measures import DeadUnits, GradientSizes, LossValue, Owner, UpdateSize
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.words import count, number

_LESSON = "04_lr_scheduler.ipynb, section 5"


@rule(
    title="The learning rate is too high: the loss diverges.",
    why="Each step jumps across the valley and lands higher on the other side; the gradient there is larger, and so "
    "is the next step. In the end numbers overflow, or all units are pushed to where they are dead.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)     # try a tenth, then a hundredth\n"
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)      # a guard, between backward and step",
    lesson=_LESSON,
    explains=("dead-relus", "vanishing-gradients", "learning-rate-too-low"),
)
def learning_rate_too_high(recording: Recording) -> str:
    """The loss diverges after updates that were too large."""
    losses = recording.measured(LossValue)
    if len(losses) < 3 or not recording.updates or not math.isfinite(losses[0].value):
        return ""
    seen = _not_finite(losses) or _rising(recording, losses) or _thrown(recording, losses)
    return seen and f"{seen}; lr was {number(recording.updates[0].lr)}{_relative_update(recording)}"


@rule(
    severity="warning",
    title="The learning rate is too low: the loss does not move.",
    why="The gradient says where to go, but the steps are so short that an epoch leads nowhere.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # ten times as much, until the loss moves",
    lesson=_LESSON,
)
def learning_rate_too_low(recording: Recording) -> str:
    """The loss is flat, gradients are healthy, updates are tiny."""
    losses = [loss.value for loss in recording.measured(LossValue) if math.isfinite(loss.value)]
    ratios = _ratios(recording)
    if len(losses) < 10 or len(ratios) < 5 or not 0 < median(ratios) < 5e-5 or not _flat(losses):
        return ""
    sizes = [size for measure in recording.measured(GradientSizes) for size in measure.gradients]
    if not sizes or max(sizes) < 1e-4:
        return ""
    return (
        f"loss {number(_start(losses))} at first and {number(_end(losses))} at the end of "
        f"{count(len(losses), 'batch')}; lr {number(recording.updates[-1].lr)} changed the weights by "
        f"{number(median(ratios))} of their size a step, where 1e-3 is usual; largest gradient {number(max(sizes))}"
    )


@rule(
    title="A ReLU layer is dead: its units are zero for every image.",
    why="A unit that is zero for every image has a zero gradient: it can never recover, and nothing below it learns.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # smaller steps, or\n"
    "nn.init.kaiming_normal_(layer.weight); nn.init.zeros_(layer.bias)   # a fair start, or nn.LeakyReLU()",
    lesson=_LESSON,
    explains=("vanishing-gradients", "learning-rate-too-low"),
)
def dead_relus(recording: Recording) -> Evidence | None:
    """Nearly all units of a ReLU layer are zero for every image."""
    layers = [(name, series) for name, series in recording.series(DeadUnits).items() if len(series) >= 2]
    worst = max(layers, key=lambda layer: _persistent(layer[1]), default=None)
    if worst is None or _persistent(worst[1]) < 0.8:
        return None
    name, series = worst
    share = _persistent(series)
    return Evidence(
        f"{name} had {series[0].share:.0%} of its units at zero for the whole batch at step {series[0].step}, and "
        f"at least {share:.0%} in the later half of {count(len(series), 'measured batch')}",
        severity="error" if share >= 0.95 else "warning",
    )


@rule(
    title="The gradient vanishes on its way through the layers.",
    why="Each saturating layer multiplies the gradient by less than one. The early layers get almost nothing and "
    "keep their random weights.",
    fix="nn.ReLU() in place of nn.Sigmoid(), a normalisation between layers,\n"
    "nn.init.kaiming_normal_(layer.weight), or skip connections: x + block(x)",
    lesson="02_one_epoch.ipynb, section 4",
    explains=("learning-rate-too-low",),
)
def vanishing_gradients(recording: Recording) -> Evidence | None:
    """The gradients of early layers are smaller than those of late layers by orders of magnitude."""
    sizes = _weight_gradients(recording)
    if len(sizes) < 4:
        return None
    (low_name, low), (high_name, high) = min(sizes, key=lambda s: s[1]), max(sizes, key=lambda s: s[1])
    if not 0 <= low < 1e-3 * high:
        return None
    return Evidence(
        f"gradient norm {number(low)} in {low_name}, {number(high)} in {high_name} (medians): a factor of "
        f"{number(high / low) if low else 'infinity'} between layers",
        severity="error" if low < 1e-4 * high else "warning",
    )


@rule(
    title="The gradients explode.",
    why="Each layer multiplies the gradient by more than one. A step of lr times such a gradient throws the "
    "weights far away, and soon numbers overflow.",
    fix="nn.init.kaiming_normal_(layer.weight)                       # a fair start, or\n"
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)    # between backward and step",
    lesson=_LESSON,
    explains=("learning-rate-too-high", "dead-relus", "vanishing-gradients"),
)
def exploding_gradients(recording: Recording) -> Evidence | None:
    """Gradients are enormous before any step could have made them so."""
    for optimizer, series in recording.series(GradientSizes).items():
        first, updates = series[0], recording.series(UpdateSize).get(optimizer, [])
        named = zip(_names(recording, optimizer), first.gradients, strict=False)
        sizes = [(name, size) for name, size in named if not math.isnan(size)]
        name, largest = max(sizes, key=lambda size: size[1], default=("", 0.0))
        weights = updates[0].before if updates else 0.0
        if first.step > 3 or not ((largest > 1e3 and largest > 50 * weights) or math.isinf(largest)):
            continue
        smallest = min(size for _, size in sizes)
        return Evidence(
            f"already at step {first.step} the gradient norm of {name} was {number(largest)}, and that of all "
            f"weights {number(weights)}; the smallest gradient norm of a layer was {number(smallest)}",
            severity="error" if _diverges(recording) else "warning",
        )
    return None


def _names(recording: Recording, optimizer: Owner) -> tuple[str, ...]:
    return next((o.names for o in recording.optimizers if o.number == optimizer), ())


def _weight_gradients(recording: Recording) -> list[tuple[str, float]]:
    """The median gradient norm of each weight matrix or kernel (not of biases) of the optimizer that holds most."""
    held = max(recording.optimizers, key=lambda optimizer: len(optimizer.names), default=None)
    if held is None:
        return []
    series = [measure.gradients for measure in recording.series(GradientSizes).get(held.number, [])]
    found = []
    for index, name in enumerate(held.names):
        sizes = [values[index] for values in series if index < len(values) and math.isfinite(values[index])]
        if sizes and name.endswith("weight"):
            found.append((name, median(sizes)))
    return found


def _ratios(recording: Recording) -> list[float]:
    """By how much of their size the weights changed, in each measured step."""
    updates = [update for series in recording.series(UpdateSize).values() for update in series]
    return [update.change / update.before for update in updates if update.before > 0 and math.isfinite(update.change)]


def _relative_update(recording: Recording) -> str:
    ratios = _ratios(recording)
    return f", and the first step changed the weights by {number(ratios[0])} of their size" if ratios else ""


def _start(losses: list[float]) -> float:
    return median(losses[: max(3, len(losses) // 10)])


def _end(losses: list[float]) -> float:
    return median(losses[-max(3, len(losses) // 4) :])


def _flat(losses: list[float]) -> bool:
    return _end(losses) > 0.98 * _start(losses) and _start(losses) > 0.05


def _not_finite(losses: list[LossValue]) -> str:
    broken = next((loss for loss in losses if not math.isfinite(loss.value)), None)
    if broken is None:
        return ""
    last = [loss.value for loss in losses if loss.step < broken.step][-1:]
    before = f" (it was {number(losses[0].value)} at first and {number(last[0])} just before)" if last else ""
    return f"the loss became {number(broken.value)} at step {broken.step}{before}"


def _rising(recording: Recording, losses: list[LossValue]) -> str:
    """A loss that ends at twice its beginning; losses of several optimizers play against each other, and may."""
    values = [loss.value for loss in losses]
    start, end = max(values[0], _start(values)), max(_end(values), mean(values[-max(3, len(values) // 4) :]))
    if _several_players(recording) or values[0] <= 0 or end < 2 * values[0] or end < 2 * min(start, values[0]):
        return ""
    worst = max(losses, key=lambda loss: loss.value)
    since = next(loss.step for loss in losses if loss.value > 1.5 * values[0])
    return (
        f"the loss rose from {number(values[0])} to {number(end)} at the end; it was above one and a half times its "
        f"start at step {since}, and largest, {number(worst.value)}, at step {worst.step}"
    )


def _thrown(recording: Recording, losses: list[LossValue]) -> str:
    """The first steps changed the weights by more than their own size, and nothing was learned since."""
    values, ratios = [loss.value for loss in losses], _ratios(recording)
    if _several_players(recording) or len(values) < 6 or values[0] <= 0 or not ratios:
        return ""
    peak = max(values)
    learned = _end(values) < 0.9 * values[0]
    reckless = max(ratios[:5]) > 5 and peak > 5 * values[0]  # too large even where luck has helped
    if (learned and not reckless) or not (max(ratios[:5]) > 0.5 or peak > 5 * values[0]) or peak < 1.2 * values[0]:
        return ""
    return (
        f"the loss jumped from {number(values[0])} to {number(peak)} and ended at {number(_end(values))}; one of the "
        f"first steps changed the weights by {number(max(ratios[:5]))} of their size"
    )


def _several_players(recording: Recording) -> bool:
    return (
        len({update.optimizer for update in recording.updates}) > 1
        and len({o.tensors for o in recording.optimizers}) > 1
    )


def _diverges(recording: Recording) -> bool:
    losses = recording.measured(LossValue)
    return bool(losses) and bool(_not_finite(losses) or _rising(recording, losses) or losses[0].value > 100)


def _persistent(series: list[DeadUnits]) -> float:
    """The share of dead units that was never undercut in the later half of the run."""
    return min(measure.share for measure in series[len(series) // 2 :])
