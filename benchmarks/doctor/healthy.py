"""Which programs look odd and are well? Those that a hasty judge accuses: each sets one trap."""

from benchmarks.doctor import healthy_texts as texts
from benchmarks.doctor.healthy_odd import ODD
from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import (
    EPOCH_LAYOUTS,
    HELD_OUT,
    MEASURE,
    TENSOR_LAYOUTS,
    B,
    F,
    L,
    R,
    Recipe,
    S,
    Z,
    lines,
    programs,
    spread,
)

__all__ = ["TRAPS", "healthy"]

_SCHEDULER = "$sched = torch.optim.lr_scheduler."
_COUNTED = tuple(name for name in TENSOR_LAYOUTS if name != "closure")

#: name of the trap: the faults that a hasty judge takes it for
TRAPS: dict[str, tuple[str, ...]] = {
    "zero-grad-after-step": ("missing-zero-grad", "zero-grad-before-step", "step-before-backward"),
    "zero-grad-to-zeros": ("missing-zero-grad",),
    "model-zero-grad": ("missing-zero-grad", "zero-grad-before-step"),
    "accumulation": ("missing-zero-grad", "loss-divided-twice", "loss-divided-for-nothing"),
    "scheduler-per-batch": ("scheduler-stepped-per-batch", "scheduler-before-optimizer"),
    "scheduler-per-epoch": ("scheduler-never-stepped", "learning-rate-vanished"),
    "log-softmax-and-nll": ("log-softmax-before-cross-entropy", "nll-loss-on-probabilities"),
    "softmax-for-reporting": ("softmax-before-cross-entropy",),
    "frozen-backbone": ("frozen-by-accident", "parameters-not-in-optimizer", "loss-without-gradient"),
    "two-optimizers": ("other-models-parameters", "step-before-backward", "missing-zero-grad"),
    "closure": ("missing-backward", "missing-step"),
    "fine-tuning": ("learning-rate-too-low", "optimizer-recreated"),
    "one-batch": ("batches-that-never-come", "one-class-named"),
    "measured-well": ("measuring-in-train-mode", "measuring-with-gradients", "eval-mode-while-training",
                      "same-images-in-both-splits", "trained-on-test-split"),
    "nothing-special": ("dead-relus", "vanishing-gradients", "exploding-gradients", "learning-rate-too-high",
                        "inputs-not-scaled", "last-batch-in-running-loss"),
    **{name: faults for name, (faults, _, _) in ODD.items()},
}  # fmt: skip


def healthy() -> list[Program]:
    """Programs without a fault, at least three for each trap."""
    return [
        *_trap("zero-grad-after-step", spread(_after_step, start=0, count=4)),
        *_trap("zero-grad-to-zeros", spread(_to_zeros, start=3, count=4)),
        *_trap("model-zero-grad", spread(_by_model, start=5, count=4)),
        *_trap("accumulation", spread(_accumulated, layouts=(*_COUNTED, "while"), start=1, count=5)),
        *_trap("scheduler-per-batch", spread(_schedule_per_batch, layouts=EPOCH_LAYOUTS, start=2, count=6)),
        *_trap("scheduler-per-epoch", spread(_schedule_per_epoch, layouts=EPOCH_LAYOUTS, start=4, count=4)),
        *_trap("log-softmax-and-nll", spread(_nll, start=1, count=4)),
        *_trap("softmax-for-reporting", spread(_reported, layouts=TENSOR_LAYOUTS, start=3, count=4)),
        *_trap("frozen-backbone", [t.format(optimizer=o, lr=lr) for t in texts.FROZEN for o, lr in _RATES]),
        *_trap("two-optimizers", list(texts.GAN), course=None),
        *_trap("closure", list(texts.LBFGS)),
        *_trap("fine-tuning", [t.format(optimizer=o, lr=lr) for t in texts.FINE for o, lr in _SMALL_RATES]),
        *_trap("one-batch", [t.format(optimizer=o, lr=lr) for t in texts.ONE_BATCH for o, lr in _RATES]),
        *_trap("measured-well", spread(_measured, layouts=EPOCH_LAYOUTS, start=0, count=6)),
        *_trap("nothing-special", spread(lambda recipe, i: recipe, start=6, count=7)),
        *(
            program
            for start, name in enumerate(ODD)
            for program in _trap(name, _odd(name, start), _COURSES.get(name, "down"))
        ),
    ]


_COURSES = {"begins-anew-in-each-fold": None}  # whose last losses are those of a fold as new as the first


def _odd(name: str, start: int) -> list[str]:
    _, layouts, changes = ODD[name]

    def make(recipe: Recipe, i: int) -> Recipe:
        return recipe.but(**(changes(recipe) if callable(changes) else changes))

    return spread(make, layouts=layouts, start=start, count=3)


_RATES = (("SGD", "0.1"), ("Adam", "0.01"))
_SMALL_RATES = (("SGD", "0.003"), ("Adam", "0.0003"))


def _trap(name: str, sources: list[str], course: str | None = "down") -> list[Program]:
    return programs(None, f"trap: {name}", sources, name=f"healthy/{name}", course=course)  # type: ignore[arg-type]


def _after_step(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(step=lines(F, L, B, S, Z, R))


def _to_zeros(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(step=lines("$opt.zero_grad(set_to_none=False)", F, L, B, S, R))


def _by_model(recipe: Recipe, i: int) -> Recipe:
    zero = ("$model.zero_grad()", "for p in $model.parameters():\n    p.grad = None")[i % 2]
    return recipe.but(step=lines(zero, F, L, B, S, R) if i % 3 else lines(F, L, zero, B, S, R))


def _accumulated(recipe: Recipe, i: int) -> Recipe:
    """Four small batches an update; their mean losses are divided by four once, or summed at a small rate."""
    counter = {"trainer": "self.count", "while": "step"}.get(recipe.layout, "count")
    advance, shift = ("", " + 1") if counter == "step" else (f"{counter} += 1", "")
    update = f"if ({counter}{shift}) % 4 == 0:\n    {S}\n    {Z}"
    back = "($loss / 4).backward()" if i % 2 == 0 else B
    lr = recipe.lr if i % 2 == 0 else ("0.02" if recipe.optimizer == "SGD" else "0.005")
    return recipe.but(after="" if counter == "step" else f"{counter} = 0", batch=8, lr=lr, epochs=10,
                      step=lines(F, L, back, R, advance, update))  # fmt: skip


def _schedule_per_batch(recipe: Recipe, i: int) -> Recipe:
    updates = (4 if recipe.layout == "course" else 8) * 8
    schedule = (
        f"OneCycleLR($opt, max_lr=$lr, total_steps={updates})",
        "LambdaLR($opt, lambda k: min(1.0, (k + 1) / 10))",
        f"CosineAnnealingLR($opt, T_max={updates})",
        f"LinearLR($opt, start_factor=0.1, total_iters={updates // 4})",
    )[i % 4]
    return recipe.but(after=_SCHEDULER + schedule, step=lines(Z, F, L, B, S, "$sched.step()", R), epochs=8)


def _schedule_per_epoch(recipe: Recipe, i: int) -> Recipe:
    schedule = ("StepLR($opt, step_size=5, gamma=0.1)", "CosineAnnealingLR($opt, T_max=$epochs)",
                "ReduceLROnPlateau($opt, patience=3)", "ExponentialLR($opt, gamma=0.9)")[i % 4]  # fmt: skip
    end = "$sched.step($losses[-1])" if "Plateau" in schedule else "$sched.step()"
    return recipe.but(after=_SCHEDULER + schedule, epoch_end=end, epochs=10)


def _nll(recipe: Recipe, i: int) -> Recipe:
    loss = ("NLLLoss", "nll_loss")
    if i % 2:
        return recipe.but(loss=loss, step=lines(Z, F, "$loss = $loss_fn($out.log_softmax(dim=1), $y)", B, S, R))
    return recipe.but(loss=loss, tail=(("LogSoftmax", "dim=1"),))


def _reported(recipe: Recipe, i: int) -> Recipe:
    seen = ("sure = torch.softmax($out.detach(), dim=1).max().item()",
            "sure = $out.softmax(1).max(1).values.mean().item()",
            "with torch.no_grad():\n    sure = nn.Softmax(dim=1)($out).amax().item()")[i % 3]  # fmt: skip
    return recipe.but(step=lines(Z, F, L, B, S, R, seen), epoch_end="print(f'{sure:.2f}')")


def _measured(recipe: Recipe, i: int) -> Recipe:
    inner = ((("Dropout", "0.2"),), (), (("BatchNorm1d", "32") if recipe.arch == "mlp" else ("BatchNorm2d", "8"),))[
        i % 3
    ]
    plain = "with torch.no_grad():\n    print(($model($Xt).argmax(dim=1) == $Yt).float().mean().item())"
    return recipe.but(
        inner=inner, more_data=HELD_OUT[recipe.frame.feed], epoch_end=plain if i % 3 == 1 else MEASURE, epochs=8
    )
