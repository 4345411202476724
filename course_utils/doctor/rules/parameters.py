"""Does the optimizer hold what should learn? The model's parameters, not frozen, with its memory kept."""

from collections import Counter

from course_utils.doctor.recording import OptimizerFacts, Recording, TensorFacts
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import NOTHING_LEARNS
from course_utils.doctor.words import count, names

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
    title="The optimizer holds the parameters of another model.",
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
    explains=("loss-without-gradient", "missing-backward", "learning-rate-too-low", "learning-rate-vanished"),
)
def frozen_by_accident(recording: Recording) -> Evidence | str:
    """Parameters that the optimizer was given do not require a gradient."""
    everything = _everything_frozen(recording)
    frozen = [update for update in recording.updates if update.frozen]
    if everything or not frozen or len(frozen) != len(recording.updates_of(frozen[0].optimizer)):
        return everything
    last = frozen[-1]
    return Evidence(
        f"{last.frozen} of the optimizer's {count(last.tensors, 'parameter tensor')} had requires_grad=False in all of "
        f"{count(len(frozen), 'step')}",
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
    if not of_models or any(tensor.trainable or tensor.reached for tensor in held + of_models):
        return ""
    return f"all {count(len(of_models), 'parameter tensor')} of the model have requires_grad=False"


def _forgets(optimizer: OptimizerFacts) -> bool:
    return optimizer.stateful and optimizer.began_empty and optimizer.steps > 0


def _identity(optimizer: OptimizerFacts) -> tuple[str, str, tuple[int, ...]]:
    return optimizer.kind, optimizer.settings, optimizer.tensors
