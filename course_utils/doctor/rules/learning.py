"""Does it learn at all? Losses, gradients, updates and dead units as they were measured."""

import itertools
import math
from collections import Counter
from statistics import mean, median

from course_utils.doctor.measures import (
    Balance,
    DeadUnits,
    Divisor,
    GradientSizes,
    LossValue,
    Owner,
    Penalty,
    Rescaling,
    UpdateSize,
)
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import WILD
from course_utils.doctor.rules.moving import targets_grow
from course_utils.doctor.words import count, names, number

_LESSON = "04_lr_scheduler.ipynb, section 5"
_FAR = 10.0  # times as long as the weights: after such a step anything may overflow


@rule(
    title="The learning rate is too high: the loss diverges.",
    why="Each step jumps across the valley and lands higher on the other side; the gradient there is larger, and so "
    "is the next step. In the end numbers overflow, or all units are pushed to where they are dead.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)     # try a tenth, then a hundredth\n"
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)      # a guard, between backward and step",
    lesson=_LESSON,
    explains=("dead-relus", "vanishing-gradients", "learning-rate-too-low"),
)
def learning_rate_too_high(recording: Recording) -> Evidence | str:
    """The loss diverges after updates that were too large."""
    losses = recording.measured(LossValue)
    if len(losses) < 3 or not recording.updates or not math.isfinite(losses[0].value) or of_another_origin(recording):
        return ""
    seen = _not_finite(losses) or _rising(recording, losses) or _thrown(recording, losses)
    if not seen:
        return ""
    seen = f"{seen}; lr was {number(recording.updates[0].lr)}{_relative_update(recording)}"
    k = undivided(recording)
    if k < 2:
        return seen
    return Evidence(
        f"{k} backward passes a step, each from an undivided mean loss; {seen}",
        title=f"The losses of {k} batches are summed and not divided: the effective rate is {k} times lr.",
        why="backward() adds gradients. The sum over k batches is k times the mean that the learning rate was made "
        "for.",
        fix=f"loss = loss_fn(model(images), labels) / {k}\nloss.backward()",
    )


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
        severity="error" if share >= 0.95 and not _falls(recording) else "warning",
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
    sizes = _on_the_way(_weight_gradients(recording))
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
            severity="error" if diverges(recording) else "warning",
        )
    return None


def undivided(recording: Recording) -> int:
    """How many batches a step sums the mean losses of, without a division; 1 where it does not."""
    k, times = Counter(update.backwards for update in recording.updates).most_common(1)[0]
    parts = [divisor.value for divisor in recording.measured(Divisor) if math.isfinite(divisor.value)]
    kept = [rescaling.factor for rescaling in recording.measured(Rescaling) if math.isfinite(rescaling.factor)]
    apart = all(update.order.count("F") >= k for update in recording.updates if update.backwards == k)
    divided = not parts or not 0.9 < median(parts) < 1.1 or (bool(kept) and median(kept) < 0.9)
    return k if k >= 2 and times >= 0.8 * len(recording.updates) and apart and not divided else 1


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


def _on_the_way(sizes: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Without layers beside the path, such as the queries of attention: a layer before them has a large gradient."""
    largest = itertools.accumulate((size for _, size in sizes), max)
    return [one for one, so_far in zip(sizes, largest, strict=True) if 100 * one[1] >= so_far]


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
    """A loss that ends at twice its beginning; so may those of several players, or of growing targets."""
    values = [loss.value for loss in losses]
    start, end = max(values[0], _start(values)), max(_end(values), mean(values[-max(3, len(values) // 4) :]))
    if _may_rise(recording) or values[0] <= 0 or end < 2 * values[0] or end < 2 * min(start, values[0]):
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
    if _may_rise(recording) or len(values) < 6 or values[0] <= 0 or not ratios:
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


def _may_rise(recording: Recording) -> bool:
    several = len({update.optimizer for update in recording.updates}) > 1
    return (several and len({o.tensors for o in recording.optimizers}) > 1) or targets_grow(recording)


def of_another_origin(recording: Recording) -> bool:
    """Whether NaN came up where no step can have brought it: the loss had not grown before."""
    found = recording.not_finite
    if found is None:
        return False
    before = [
        loss.value for loss in recording.measured(LossValue) if loss.step <= found.step and math.isfinite(loss.value)
    ]
    grown = len(before) >= 2 and max(before[1:]) > 3 * max(before[0], 1e-9)
    steps = [step for step in recording.measured(UpdateSize) if step.step < found.step and step.before > 0]
    thrown = any(step.change > _FAR * step.before for step in steps)
    return found.where in ("inputs", "targets") or not (grown or thrown)


def diverges(recording: Recording) -> bool:
    """Whether the loss rises without end."""
    losses = recording.measured(LossValue)
    return bool(losses) and bool(_not_finite(losses) or _rising(recording, losses) or losses[0].value > 100)


def _falls(recording: Recording) -> bool:
    losses = [loss.value for loss in recording.measured(LossValue) if math.isfinite(loss.value)]
    return len(losses) >= 10 and 0 <= _end(losses) < 0.7 * _start(losses)


def _persistent(series: list[DeadUnits]) -> float:
    """The share of dead units that was never undercut in the later half of the run."""
    return min(measure.share for measure in series[len(series) // 2 :])


_BROKEN = {
    "inputs": ("NaN or infinity is in the inputs.",
               "images = images[images.isfinite().flatten(1).all(1)]   # look first"),
    "targets": ("NaN or infinity is in the targets.", "known = targets.isfinite()\n"
                "loss = F.mse_loss(out[known], targets[known])          # select before the loss"),
    "forward": ("The forward pass makes NaN from finite numbers.", "x = x / x.norm(dim=1, "
    "keepdim=True).clamp_min(1e-6)\n"
                "x = torch.log(x.clamp_min(1e-6))                      # keep away from 0"),
    "loss": ("The loss makes NaN or infinity from finite scores.", "loss = F.cross_entropy(scores, labels)     # "
    "stable\n"
             "loss = torch.log(p.clamp_min(1e-6)).mean()      # keep away from log(0) and 0/0"),
    "backward": ("The backward pass makes NaN while the loss is finite.", "torch.sqrt(x + 1e-12)            # its "
    "slope at 0 is infinite\n"
                 "torch.where(mask, f(x.where(mask, 1.0)), 0.0)   # mask before, not after"),
    "update": ("The step makes NaN from finite gradients.", "optimizer = torch.optim.Adam(model.parameters(), "
    "eps=1e-4)  # above what float16 holds\n"
               "model.float()                    # or full precision for the weights, autocast for the rest"),
}  # fmt: skip


@rule(
    title="NaN comes up.",
    why="One number that is not finite spreads over all weights in a single step, and nothing brings them back.",
    fix="assert torch.isfinite(loss)",
    lesson=_LESSON,
    explains=(*WILD, "learning-rate-too-low", "learning-rate-vanished"),
)
def not_finite(recording: Recording) -> Evidence | None:
    """NaN or infinity comes from somewhere else than too large steps."""
    found = recording.not_finite
    if found is None or not of_another_origin(recording):
        return None
    title, fix = _BROKEN[found.where]
    late = ", while the loss itself was finite: what is masked after the loss still gets a gradient of 0 times NaN"
    told = late if found.masked and found.where in ("inputs", "targets") else ""
    return Evidence(f"first at step {found.step}: {found.detail}{told}", title=title, fix=fix)


@rule(
    title="A penalty on the weights outweighs what the data say.",
    why="The gradient of a sum is the sum of the gradients. If the penalty is many times the loss of the data, the "
    "steps shrink the weights and learn nothing else.",
    fix="loss = F.cross_entropy(scores, labels) + 1e-5 * penalty    # print both terms; a tenth of the first at most",
    lesson=_LESSON,
    explains=(*WILD, "learning-rate-too-low"),
)
def penalty_dominates(recording: Recording) -> str:
    """Terms made of the weights alone are larger than the data's, which do not fall."""
    looks = recording.measured(Penalty)
    if len(looks) < 12:
        return ""
    first, data = looks[0], [look.data for look in looks]
    if first.data <= 0 or first.total < 4 * first.data or _end(data) < 0.8 * _start(data[:6]):
        return ""
    return (
        f"the loss was {number(first.total)} at first, {number(first.data)} of it from the data; at the end "
        f"{number(looks[-1].total)}, and {number(_end(data))} from the data, which has hardly fallen"
    )


@rule(
    severity="warning",
    title="Nearly all labels are of one class, and the model names no other.",
    why="Where 97 of 100 labels are equal, always naming them is right in 97 % and needs no look at the input. The "
    "rare class, often the one that matters, is never found.",
    fix="weight = torch.tensor([1.0, 30.0])                   # about rows over rows of that class\n"
    "loss_fn = nn.CrossEntropyLoss(weight=weight)         # or BCEWithLogitsLoss(pos_weight=...)\n"
    "sampler = WeightedRandomSampler(weights, len(data))  # or draw the rare class more often",
    lesson="03_multi_epoch.ipynb, section 5",
)
def one_class_named(recording: Recording) -> str:
    """Rare labels are there, are never named, and the loss is that of a constant guess."""
    for kind, looks in recording.series(Balance).items():
        later = looks[2 * len(looks) // 3 :]
        labels = sum(look.count for look in looks)
        rare = sum(look.count * (1 - look.share) for look in looks)
        alike = len({look.common for look in looks}) == 1
        if len(looks) < 12 or not alike or labels == 0 or not 8 <= rare <= 0.1 * labels:
            continue
        share = rare / labels
        guess = -share * math.log(share) - (1 - share) * math.log(1 - share)
        plain = [look.plain for look in later if math.isfinite(look.plain)]  # whatever weights the classes have
        loss = median(plain) if plain else _end([loss.value for loss in recording.measured(LossValue)])
        if any(look.named < 1 for look in later) or loss < 0.7 * guess:
            continue
        return (
            f"{number(100 * (1 - share))} % of the labels of {kind} were of one class, and in the last third every "
            f"score named it; loss {number(loss)}, and {number(guess)} without any look at the inputs"
        )
    return ""


@rule(
    title="The units of a layer are all equal.",
    why="Units with equal weights give equal outputs and get equal gradients: they stay equal for ever, and the layer "
    "works like a single unit.",
    fix="nn.init.kaiming_uniform_(layer.weight)     # random numbers part the units\nnn.init.zeros_(layer.bias)",
    lesson="02_one_epoch.ipynb, section 4",
    explains=("learning-rate-too-low", "vanishing-gradients", "dead-relus", "learning-rate-vanished"),
)
def units_all_equal(recording: Recording) -> str:
    """After several steps the rows of a weight matrix with a gradient are still equal."""
    alike = [tensor for tensor in recording.tensors if tensor.alike >= 2 and tensor.reached]
    if not alike:
        return ""
    return (
        f"after several steps all rows of {names([tensor.name for tensor in alike])} were still equal to the last bit, "
        f"in {alike[0].alike} of 3 looks"
    )
