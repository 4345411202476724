"""Does the optimizer hold what should learn? The model's parameters, not frozen, with its memory kept."""

import itertools
from collections import Counter, defaultdict
from statistics import median

from course_utils.doctor.measures import LooseTerm, MeasuredLoss
from course_utils.doctor.recording import OptimizerFacts, Recording, SumFacts, TensorFacts, Update, calls
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import FLAT, NOTHING_LEARNS, WILD
from course_utils.doctor.words import count, names, number

_LOOKS, _LONG = 5, 60  # at a term without a graph, and the updates between the first and the last of so few
_IDLE = 10  # steps that change nothing, after which nobody is to thaw the parameters any more
_LESSON = "01_optimizer_overview.ipynb, section 4"


@rule(
    title="Some of the model's parameters are in no optimizer.",
    why="Their gradients are computed and never used: this part of the network stays at its random start.",
    fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # made after the model is complete\n"
    "for p in backbone.parameters(): p.requires_grad_(False)    # if it is frozen on purpose",
    lesson=_LESSON,
)
def parameters_not_in_optimizer(recording: Recording) -> str:
    """Some parameters of a model get gradients, but no optimizer holds them."""
    free = _reached_and_free(recording)
    held = [t for t in recording.tensors if t.optimizers and t.reached >= 2]
    if not free or not held or len(recording.updates) < 2:
        return ""
    return (
        f"{count(len(free), 'parameter tensor')} ({names([t.name for t in free])}; "
        f"{sum(t.numel for t in free):,} numbers) got gradients, but no optimizer holds them; "
        f"{len(held)} others are held"
    )


@rule(
    title="The optimizer holds other parameters than those that are trained.",
    why="The optimizer was built from another model, or from this one before it was copied or built anew. It "
    "steps dutifully, and the model that you train never changes.",
    fix="model = build_model()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # this very model",
    lesson=_LESSON,
    explains=(*NOTHING_LEARNS, "missing-backward", "loss-without-gradient", "zero-grad-before-step"),
)
def other_models_parameters(recording: Recording) -> str:
    """The optimizer's parameters never get a gradient, while those of the model that runs are in no optimizer."""
    free = _reached_and_free(recording)
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        if len(updates) < 2 or any(update.empty < update.tensors or update.backwards for update in updates):
            continue
        if free:
            return (
                f"in {count(len(updates), 'step')} none of its {updates[-1].tensors} parameter tensors ever got a "
                f"gradient, while {len(free)} ({names([t.name for t in free])}) of the model that was run did, and no "
                "optimizer holds those"
            )
    return ""


@rule(
    title="Parameters that should learn are frozen.",
    why="A parameter with requires_grad=False gets no gradient, and the optimizer skips it without a word.",
    fix="model.requires_grad_(True)                                    # thaw, or if it is meant:\n"
    "optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.01)",
    lesson=_LESSON,
    explains=(
        "loss-without-gradient",
        "missing-backward",
        "learning-rate-too-low",
        "learning-rate-vanished",
        "term-reaches-nothing",
    ),
)
def frozen_by_accident(recording: Recording) -> Evidence | str:
    """Parameters that the optimizer was given do not require a gradient."""
    everything = _everything_frozen(recording) or _frozen_later(recording)
    frozen = [update for update in recording.updates if update.frozen]
    if everything or not frozen or len(frozen) != len(recording.updates_of(frozen[0].optimizer)):
        return everything
    last, held = frozen[-1], [t for t in recording.tensors if frozen[0].optimizer in t.optimizers]
    learning = [tensor for tensor in held if tensor.trainable]
    layers = [tensor for tensor in held if tensor.dims >= 2]
    if learning and layers and layers[-1].trainable:
        return ""  # the first layers are frozen and the last ones learn: so one tunes a model on purpose
    rest = f"; only {names([tensor.name for tensor in learning])} can learn, not the last layer" if learning else ""
    return Evidence(
        f"{last.frozen} of the optimizer's {count(last.tensors, 'parameter tensor')} had requires_grad=False in all of "
        f"{count(len(frozen), 'step')}{rest}",
        severity="error" if last.frozen == last.tensors else "warning",
    )


@rule(
    title="The optimizer is made anew again and again, and forgets what it knew.",
    why="Momentum and Adam average over many past gradients. A new optimizer starts from nothing: the averages are "
    "lost, Adam's first steps are large again, and a scheduler loses its count.",
    fix="optimizer = torch.optim.Adam(model.parameters())   # once, before the loop over epochs\n"
    "for epoch in range(epochs):\n    ...",
    lesson=_LESSON,
)
def optimizer_recreated(recording: Recording) -> str:
    """The same parameters pass from one optimizer to a new equal one, which has forgotten everything."""
    alike = Counter(_identity(optimizer) for optimizer in recording.optimizers if _forgets(optimizer))
    repeated = [(identity, times) for identity, times in alike.items() if times >= 2]
    if not repeated:
        return ""
    (kind, _, tensors), times = max(repeated, key=lambda pair: pair[1])
    if times - 1 <= recording.hand_updates <= 0.1 * len(recording.updates):  # the weights were made anew, too
        return ""
    steps = [o.steps for o in recording.optimizers if _identity(o) == (kind, _, tensors)]
    return (
        f"{times} {kind} optimizers with equal settings stepped the same {count(len(tensors), 'parameter tensor')}, "
        f"one after the other, {count(steps[0], 'step')} in the first; each began with an empty state"
    )


def _reached_and_free(recording: Recording) -> list[TensorFacts]:
    """Tensors of a model that get gradients and are in no optimizer, unless it is an evaluated, borrowed model."""
    borrowed = {f.model for f in recording.forwards if not f.training_mode and f.learned_from}
    borrowed -= {t.model for t in recording.tensors if t.optimizers}
    return [
        tensor
        for tensor in recording.tensors
        if tensor.model is not None
        and tensor.model not in borrowed
        and tensor.trainable
        and tensor.reached >= 2
        and not tensor.optimizers
    ]


def _everything_frozen(recording: Recording) -> str:
    of_models = [tensor for tensor in recording.tensors if tensor.model is not None]
    held = [tensor for tensor in recording.tensors if tensor.optimizers] or of_models
    if not of_models or any(tensor.trainable for tensor in held + of_models):
        return ""
    failed = bool(recording.backwards) and recording.backwards[-1].failure  # then it was done after some steps
    if not failed and any(tensor.reached for tensor in held + of_models):
        return ""
    return f"all {count(len(of_models), 'parameter tensor')} of the model have requires_grad=False"


def _frozen_later(recording: Recording) -> str:
    """All that an optimizer holds had gradients at first, is frozen since, and the optimizer goes on stepping."""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        idle = list(itertools.takewhile(_holds_frozen_only, reversed(updates)))
        first = updates[: len(updates) - len(idle)]
        begun = any(update.empty < update.tensors for update in first) and not any(update.frozen for update in first)
        if begun and len(idle) >= max(_IDLE, 3 * len(first)):
            return (
                f"all {count(idle[0].tensors, 'parameter tensor')} of {optimizer.kind} had requires_grad=False in the "
                f"last {len(idle)} of {count(len(updates), 'step')}, and no gradient; before, they had some"
            )
    return ""


def _holds_frozen_only(update: Update) -> bool:
    return update.frozen == update.tensors == update.empty


def _forgets(optimizer: OptimizerFacts) -> bool:
    return optimizer.stateful and optimizer.began_empty and optimizer.steps > 0


def _identity(optimizer: OptimizerFacts) -> tuple[str, str, tuple[int, ...]]:
    return optimizer.kind, optimizer.settings, optimizer.tensors


@rule(
    title="A tensor gets gradients, and is no parameter of the model.",
    why="model.parameters() knows nn.Parameter and submodules only. A plain tensor, or a layer in a plain list, gets "
    "its gradient and is in no optimizer: it never changes.",
    fix="self.scale = nn.Parameter(torch.ones(1))              # not torch.ones(1, requires_grad=True)\n"
    "self.layers = nn.ModuleList(layers)                   # not a plain list",
    lesson=_LESSON,
    explains=("learning-rate-too-low",),
)
def tensor_not_registered(recording: Recording) -> str:
    """A tensor outside all models gets a gradient again and again, and never changes."""
    strays = [t for t in recording.tensors if t.model is None and not t.optimizers and t.reached >= 3 and not t.moved]
    if not strays or len(recording.updates) < 3 or strays[0].reached < 0.3 * len(recording.backwards):
        return ""
    return (
        f"{names([tensor.name for tensor in strays])} got a gradient in {strays[0].reached} of "
        f"{count(len(recording.backwards), 'backward pass')}; it belongs to no model that was called and to no "
        "optimizer, and its numbers did not change"
    )


@rule(
    title="An optimizer never steps, while its parameters get gradients.",
    why="Each optimizer changes only the parameters that it holds. What belongs to the one that never steps stays at "
    "its random start.",
    fix="loss.backward()\nencoder_optimizer.step()\ndecoder_optimizer.step()      # every one of them",
    lesson=_LESSON,
    explains=(*FLAT, *WILD, "gradients-thrown-away", "measuring-with-gradients", "unshuffled-labels"),
)
def optimizer_never_steps(recording: Recording) -> str:
    """Of several optimizers one takes no step, though gradients reach its parameters again and again."""
    for optimizer in recording.optimizers:
        held = [tensor for tensor in recording.tensors if optimizer.number in tensor.optimizers]
        idle = [tensor for tensor in held if tensor.reached >= 10 and tensor.optimizers == (optimizer.number,)]
        if optimizer.steps or not idle or len(idle) < len(held) or len(recording.updates) < 10:
            continue
        return (
            f"{optimizer.kind} with {count(len(held), 'parameter tensor')} ({names([t.name for t in idle])}) took no "
            f"step, while {count(idle[0].reached, 'backward pass')} reached them and others took "
            f"{count(len(recording.updates), 'step')}"
        )
    return ""


@rule(
    severity="warning",
    title="A term of the whole loss is not in the loss that backward() starts from.",
    why="A term acts through its gradient alone. The sum is computed, and perhaps printed, but the backward pass "
    "starts from a part of it: what the other part asks of the model is never learned.",
    fix="loss = reconstruction + 0.1 * auxiliary\nloss.backward()                      # the sum, not one of its terms",
    lesson="02_one_epoch.ipynb, section 6",
    explains=("dead-relus",),
)
def loss_not_differentiated(recording: Recording) -> str:
    """In nearly every measured pass the loss was a part of a sum, whose other part no pass went through."""
    for found in left_aside(recording):
        kinds = " and ".join(found.left_out)
        return (
            f"in {found.partial} of {count(found.passes, 'measured pass')} the loss was a part of a sum that was also "
            f"computed; no pass went through its other part ({kinds}), behind which parameters stand, too"
        )
    return ""


@rule(
    title="A term of the loss reaches nothing that steps.",
    why="A term acts through its gradient alone. If its input was detached, or it depends only on a network that this "
    "step does not change, it moves the number that is printed and nothing else.",
    fix="adversarial = loss_fn(critic(fake), ones)         # no fake.detach() in the generator's own step",
    lesson="02_one_epoch.ipynb, section 6",
    explains=("gradients-thrown-away",),
)
def term_reaches_nothing(recording: Recording) -> Evidence | str:
    """In every measured pass the gradients through one term of a sum were used by no step, those of another were."""
    for term in recording.terms:
        others = [other for other in recording.terms if other.of == term.of and other.used == other.passes]
        if term.passes < 5 or term.used or not others:
            continue
        return (
            f"term {term.place + 1} of {term.terms} of the sum ({term.kind}) reached no parameter that a step then "
            f"changed, in {count(term.passes, 'measured pass')}; term {others[0].place + 1} did in all"
        )
    return _never_reached(recording) or _without_graph(recording)


def left_aside(recording: Recording) -> list[SumFacts]:
    """The sums of which in nearly every measured pass only a part was differentiated."""
    return [found for found in recording.sums if found.partial >= max(5, 0.8 * found.passes)]


def _without_graph(recording: Recording) -> Evidence | str:
    """A number that is no constant, and not small, is added to the loss to the end, and has no graph."""
    for looks in recording.series(LooseTerm).values():
        sizes, totals = [abs(look.value) for look in looks], [abs(look.total) for look in looks]
        seldom = len(looks) < 8 and (len(looks) < _LOOKS or looks[-1].step < looks[0].step + _LONG)
        if seldom or looks[-1].step < 0.7 * len(recording.updates):
            continue
        different = len({look.value for look in looks})
        weighty = median(sizes) >= 0.01 * median(totals) and different > len(looks) / 2
        if weighty or (different >= 3 and _of_a_loss_function(recording, looks)):
            return Evidence(
                f"to the loss of step {looks[-1].step} ({number(looks[-1].total)}) a term of {number(looks[-1].value)} "
                f"was added that has no graph, and so in {count(len(looks), 'measured pass')}: no weight learns of it",
                severity="warning",
                title="A term of the loss is a mere number, from which no gradient comes.",
                fix="penalty = activations.abs().mean()            # no .item(), no no_grad(), no torch.tensor(...)\n"
                "loss = loss_fn(scores, labels) + 0.1 * penalty",
            )
    return ""


def _of_a_loss_function(recording: Recording, looks: list[LooseTerm]) -> bool:
    """Whether the numbers are one and the same multiple of what a loss function has computed without a graph."""
    known: dict[int, list[float]] = defaultdict(list)
    for loss in recording.measured(MeasuredLoss):
        known[loss.step].append(loss.value)
    some = [look for look in looks if look.value]
    factors = [{f"{look.value / value:.3g}" for value in known[look.step] if value} for look in some]
    return bool(factors) and bool(set.intersection(*factors))


def _never_reached(recording: Recording) -> Evidence | str:
    """An optimizer steps for a model that is run with a graph, and no pass ever reaches it; others learn."""
    if _reached_and_free(recording) or all(update.empty == update.tensors for update in recording.updates):
        return ""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        held = [tensor for tensor in recording.tensors if optimizer.number in tensor.optimizers]
        runs = [f for f in recording.forwards if f.model in {t.model for t in held} and f.with_gradients]
        if len(updates) < 10 or any(update.empty < update.tensors or update.backwards for update in updates):
            continue
        if any(t.reached or not t.trainable for t in held) or calls(runs) < len(updates) / 2:
            continue
        return Evidence(
            f"in {count(len(updates), 'step')} of one optimizer none of its {count(len(held), 'parameter tensor')} "
            f"({names([t.name for t in held])}) ever had a gradient, though the model that they belong to was run "
            f"{count(calls(runs), 'time')} with a graph; the steps of another had some",
            title="The loss reaches nothing that its optimizer holds.",
        )
    return ""
