"""What goes wrong with the learning rate and its schedule?"""

from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import EPOCH_LAYOUTS, B, F, L, R, Recipe, S, Z, lines, programs, spread

__all__ = ["rate_faults"]

_SCHEDULER = "$sched = torch.optim.lr_scheduler."
_SCHEDULES = (
    "StepLR($opt, step_size=3, gamma=0.1)",
    "MultiStepLR($opt, milestones=[4, 6], gamma=0.1)",
    "ExponentialLR($opt, gamma=0.7)",
    "CosineAnnealingLR($opt, T_max=$epochs)",
    "StepLR($opt, 2, 0.5)",
    "LambdaLR($opt, lambda k: 1 - k / $epochs if k < $epochs else 0.0)",
    "ReduceLROnPlateau($opt)",
)
_STEP = "$sched.step()"
_VANISHING = (
    _SCHEDULER + "ExponentialLR($opt, gamma=0.001)",
    _SCHEDULER + "LambdaLR($opt, lambda k: max(0.0, 1 - k / 3))",
    _SCHEDULER + "StepLR($opt, step_size=1, gamma=1e-4)",
    _SCHEDULER + "MultiStepLR($opt, milestones=[2, 3], gamma=1e-7)",
)


def rate_faults() -> list[Program]:
    """Programs that learn at the wrong rate, or whose scheduler runs at the wrong moment."""
    too_high, too_low = "Humbatova: hyperparameters; UMLAUT: learning rate too high", "UMLAUT: learning rate too low"
    return [
        *programs("scheduler-stepped-per-batch", "Humbatova: API, wrong call position; the lesson of notebook 04",
                  spread(_per_batch, layouts=EPOCH_LAYOUTS, start=0)),
        *programs("scheduler-stepped-per-batch", "Humbatova: API, wrong call position",
                  spread(_too_short, layouts=EPOCH_LAYOUTS, start=3, count=2), raises="ValueError",
                  name="scheduler-stepped-per-batch/one-cycle"),
        *programs("scheduler-never-stepped", "PYSIASSIST and Humbatova: API, missing call",
                  spread(_never, layouts=EPOCH_LAYOUTS, start=2), course="down"),
        *programs("scheduler-before-optimizer", "TrainCheck: API sequence; Humbatova: wrong call position",
                  spread(_before, layouts=EPOCH_LAYOUTS, start=4), course="down"),
        *programs("learning-rate-vanished", "Humbatova: hyperparameters, learning rate",
                  spread(_vanished, layouts=EPOCH_LAYOUTS, start=1)),
        *programs("learning-rate-too-high", too_high, spread(_too_high, start=3), course="up"),
        *programs("learning-rate-too-high", too_high, spread(_regression, start=1, count=2), course="up",
                  name="learning-rate-too-high/amounts"),
        *programs("learning-rate-too-low", too_low, spread(_too_low, start=6), course="flat"),
    ]  # fmt: skip


def _per_batch(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(after=_SCHEDULER + _SCHEDULES[i % 5], step=lines(Z, F, L, B, S, _STEP, R), epochs=8)


def _too_short(recipe: Recipe, i: int) -> Recipe:
    cycle = "OneCycleLR($opt, max_lr=$lr, total_steps=$epochs)"
    return recipe.but(after=_SCHEDULER + cycle, step=lines(Z, F, L, B, S, _STEP, R), epochs=3)


def _regression(recipe: Recipe, i: int) -> Recipe:
    step = lines(Z, F, "$loss = $loss_fn($out.squeeze(1), $y.float())", B, S, R)
    return recipe.but(classes=1, loss=("MSELoss", "mse_loss"), step=step, lr="5.0")


def _never(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(after=_SCHEDULER + _SCHEDULES[(i + 1) % 7], epochs=8)


def _before(recipe: Recipe, i: int) -> Recipe:
    if i % 4 == 1:
        batches = {"course": 4}.get(recipe.layout, 8)
        cycle = f"OneCycleLR($opt, max_lr=$lr, total_steps={batches * 8 + 1})"
        return recipe.but(after=_SCHEDULER + cycle, step=lines(Z, F, L, B, _STEP, S, R), epochs=8)
    return recipe.but(after=_SCHEDULER + _SCHEDULES[(i, 2, 5)[i % 3] % 6], epoch_start=_STEP, epochs=8)


def _vanished(recipe: Recipe, i: int) -> Recipe:
    if i % 3 == 0:
        return recipe.but(lr=("1e-14", "0.0", "1e-13")[i // 3])
    return recipe.but(after=_VANISHING[i % 4], epoch_end=_STEP, epochs=10)


def _too_high(recipe: Recipe, i: int) -> Recipe:
    lr = "60.0" if recipe.optimizer == "SGD" else "8.0"
    extra = ", momentum=0.9" if recipe.optimizer == "SGD" and i % 2 else ""
    return recipe.but(lr=lr, extra=extra)


def _too_low(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(lr=("1e-5", "3e-6")[i % 2] if recipe.optimizer == "SGD" else ("1e-6", "5e-7")[i % 2], epochs=8)
