"""Does the optimizer hold what should learn? The model's parameters, not frozen, with its memory kept."""

from collections import Counter

from course_utils.doctor.finding import Finding
from course_utils.doctor.record import OptimizerFacts, Recording, TensorFacts
from course_utils.doctor.words import count, names

__all__ = ["frozen_by_accident", "optimizer_recreated", "other_models_parameters", "parameters_not_in_optimizer"]

_LESSON = "01_optimizer_overview.ipynb, section 4"


def parameters_not_in_optimizer(recording: Recording) -> Finding | None:
    """Some parameters of a model get gradients, but no optimizer holds them."""
    reached = _reached_and_free(recording)
    held = [t for t in recording.tensors if t.optimizers and t.reached >= 2]
    if not reached or not held or len(recording.updates) < 2:
        return None
    free_names = [tensor.name for tensor in reached]
    return Finding(
        name="parameters-not-in-optimizer",
        severity="error",
        title="Some of the model's parameters are in no optimizer.",
        seen=f"{count(len(reached), 'parameter tensor')} ({names(free_names)}; "
        f"{sum(t.numel for t in reached):,} numbers) "
        f"got gradients, but no optimizer holds them; {len(held)} others are held",
        why="Their gradients are computed and never used: this part of the network stays at its random start.",
        fix="optimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # made after the model is complete\n"
        "for p in backbone.parameters(): p.requires_grad_(False)    # if it is frozen on purpose",
        lesson=_LESSON,
    )


def other_models_parameters(recording: Recording) -> Finding | None:
    """The optimizer's parameters never get a gradient, while those of the model that runs are in no optimizer."""
    for optimizer in recording.optimizers:
        updates = recording.updates_of(optimizer.number)
        if len(updates) < 2 or any(update.empty < update.tensors or update.backwards for update in updates):
            continue
        free = _reached_and_free(recording)
        if not free:
            continue
        return Finding(
            name="other-models-parameters",
            severity="error",
            title="The optimizer holds the parameters of another model.",
            seen=f"in {count(len(updates), 'step')} none of its {updates[-1].tensors} parameter tensors ever got a "
            f"gradient, while {len(free)} ({names([t.name for t in free])}) of the model that was run did, and no "
            "optimizer holds those",
            why="The optimizer was built from another model, or from this one before it was copied or built anew. It "
            "steps dutifully, and the model that you train never changes.",
            fix="model = build_model()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.01)   # this very model",
            lesson=_LESSON,
        )
    return None


def frozen_by_accident(recording: Recording) -> Finding | None:
    """Parameters that the optimizer was given do not require a gradient."""
    everything = _everything_frozen(recording)
    frozen = [update for update in recording.updates if update.frozen]
    if not everything and not (frozen and len(frozen) == len(recording.updates_of(frozen[0].optimizer))):
        return None
    seen = everything or (
        f"{frozen[-1].frozen} of the optimizer's {count(frozen[-1].tensors, 'parameter tensor')} had "
        "requires_grad=False "
        f"in all of {count(len(frozen), 'step')}"
    )
    return Finding(
        name="frozen-by-accident",
        severity="error" if everything or frozen[-1].frozen == frozen[-1].tensors else "warning",
        title="Parameters that should learn are frozen.",
        seen=seen,
        why="A parameter with requires_grad=False gets no gradient, and the optimizer skips it without a word.",
        fix="model.requires_grad_(True)                                    # thaw, or if it is meant:\n"
        "optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.01)",
        lesson=_LESSON,
    )


def optimizer_recreated(recording: Recording) -> Finding | None:
    """The same parameters pass from one optimizer to a new equal one, which has forgotten everything."""
    alike = Counter(_identity(optimizer) for optimizer in recording.optimizers if _forgets(optimizer))
    repeated = [(identity, times) for identity, times in alike.items() if times >= 2]
    if not repeated:
        return None
    (kind, _, tensors), times = max(repeated, key=lambda pair: pair[1])
    steps = [o.steps for o in recording.optimizers if _identity(o) == (kind, _, tensors)]
    return Finding(
        name="optimizer-recreated",
        severity="error",
        title="The optimizer is made anew again and again, and forgets what it knew.",
        seen=f"{times} {kind} optimizers with equal settings stepped the same "
        f"{count(len(tensors), 'parameter tensor')}, "
        f"one after the other, {count(steps[0], 'step')} in the first; each began with an empty state",
        why="Momentum and Adam average over many past gradients. A new optimizer starts from nothing: the averages are "
        "lost, Adam's first steps are large again, and a scheduler loses its count.",
        fix="optimizer = torch.optim.Adam(model.parameters())   # once, before the loop over epochs\n"
        "for epoch in range(epochs):\n    ...",
        lesson="01_optimizer_overview.ipynb, section 4",
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
