"""Which lr does every update use? A schedule as plain values, checked as a whole, and torch's own curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch.optim import Optimizer, lr_scheduler

from course_utils.apps.common.settings import Check, Refused, a_choice, a_number, a_whole_number
from course_utils.apps.schedule.controls import checked_value, controls_of, entry_of, names, starting_values
from course_utils.schedules import Curve, first_step_below, freeze_step, lr_curve

__all__ = [
    "FLOOR",
    "GRADIENT",
    "LIMITS",
    "MOST_UPDATES",
    "SETTINGS",
    "WEIGHT",
    "Plan",
    "Unfit",
    "changed",
    "frozen_from",
    "in_words",
    "planned",
]

SETTINGS = ("scheduler", "parameters", "lr", "epochs", "steps_per_epoch", "cadence")
MOST_UPDATES = 50_000  # a curve is made in under a second
LIMITS = {"lr": (1e-8, 100.0), "epochs": (1, 1000), "steps_per_epoch": (1, 10_000)}
# A weight and a gradient as they are common in the course's network. Below FLOOR, lr * gradient is less than half the
# distance to the next float32, so the weight stays what it is.
WEIGHT, GRADIENT = 0.05, 0.01
FLOOR = float(np.spacing(np.float32(WEIGHT))) / 2 / GRADIENT
ROUNDING = 1e-12  # of lr; so far below 0 torch itself may end where it should reach 0, as LinearLR does
# The one parameter that must be as long as the run: torch stops with an error at the call after it.
_AS_LONG_AS_THE_RUN = "total_steps"


class Unfit(Refused):
    """A setting that cannot be; ``setting`` names the control beside which the words belong."""

    def __init__(self, setting: str, words: str) -> None:
        super().__init__(words)
        self.setting = setting


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule that works, and its curve."""

    scheduler: str  #: the name of the class in torch.optim.lr_scheduler
    parameters: Mapping[str, Any]  #: what it is given beside the optimizer; empty where the catalog's sample is played
    lr: float  #: lr of the optimizer before the scheduler changes it
    epochs: int
    steps_per_epoch: int
    cadence: str  #: "epoch" or "step": when ``scheduler.step()`` is called
    curve: Curve = field(repr=False)  #: lr of every update, float64 ``(epochs * steps_per_epoch,)``

    @property
    def calls(self) -> int:
        """How often the run calls ``scheduler.step()``."""
        return self.epochs * (self.steps_per_epoch if self.cadence == "step" else 1)

    def coincides_with(self, other: Plan) -> bool:
        """Whether every update has the same lr, up to the rounding of torch's own recurrences."""
        same_run = (self.epochs, self.steps_per_epoch) == (other.epochs, other.steps_per_epoch)
        return same_run and np.allclose(self.curve, other.curve, rtol=1e-9, atol=0)

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that one has to write: those that are not torch's defaults anyway."""
        defaults = {row.name: row.default for row in entry_of(self.scheduler).parameters}
        return {name: value for name, value in self.parameters.items() if value != defaults[name]}

    @property
    def name(self) -> str:
        """The schedule in one line: ``StepLR(step_size=5), per epoch``."""
        inside = ", ".join(f"{name}={value!r}" for name, value in self.given.items())
        rate = "batch" if self.cadence == "step" else "epoch"
        return f"{self.scheduler}({inside if controls_of(self.scheduler) else '…'}), per {rate}"


def planned(**settings: Any) -> Plan:
    """The plan with these settings; those not given are a staircase of 20 epochs.

    Raises:
        TypeError: there is no such setting.
        Unfit: a setting is out of range, or torch cannot make a curve of it.
    """
    wanted = {"scheduler": "StepLR", "lr": 0.1, "epochs": 20, "steps_per_epoch": 156, "cadence": "epoch", **settings}
    if unknown := [name for name in settings if name not in SETTINGS]:
        raise TypeError(f"ScheduleLab has no setting {unknown[0]!r}; try one of {', '.join(SETTINGS)}")
    checked = {name: _checked(name, wanted[name]) for name in SETTINGS if name != "parameters"}
    updates = checked["epochs"] * checked["steps_per_epoch"]
    if updates > MOST_UPDATES:
        words = f"epochs * steps_per_epoch must be at most {MOST_UPDATES:,}, got {updates:,}; try 20 * 156"
        raise Unfit(_last(settings, ("epochs", "steps_per_epoch")), words)
    calls = updates if checked["cadence"] == "step" else checked["epochs"]
    parameters = _parameters(checked["scheduler"], wanted.get("parameters", {}), calls)
    blamed = _last(wanted.get("parameters", {}), tuple(parameters)) or _last(settings, SETTINGS) or "scheduler"
    return Plan(**checked, parameters=parameters, curve=_curve(**checked, parameters=parameters, blamed=blamed))


def changed(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """``plan`` with other ``settings``. Parameters may be given in part; another scheduler brings its own.

    Raises:
        TypeError: there is no such setting.
        Unfit: as ``planned``.
    """
    before = {name: getattr(plan, name) for name in SETTINGS}
    scheduler = _checked("scheduler", settings.get("scheduler", plan.scheduler))
    kept = dict(plan.parameters) if scheduler == plan.scheduler else {}
    if kept.get(_AS_LONG_AS_THE_RUN) == plan.calls:
        del kept[_AS_LONG_AS_THE_RUN]
    asked = settings.get("parameters", {})
    if not isinstance(asked, Mapping):
        raise Unfit("parameters", f"parameters must be a dict, got {asked!r}; try {dict(plan.parameters)}")
    for name in asked:  # those asked for go last, for that is where a refusal looks for the culprit
        kept.pop(name, None)
    unchanged = {name: value for name, value in before.items() if name not in settings}
    return planned(**{**unchanged, **settings, "parameters": {**kept, **asked}})


def frozen_from(plan: Plan) -> int | None:
    """The step from which no update changes a float32 weight of 0.05 with a gradient of 0.01, or None."""
    return freeze_step(plan.curve, weight=WEIGHT, gradient=GRADIENT)


def in_words(plan: Plan) -> str:
    """What becomes of the updates in float32."""
    about = f"a float32 weight of {WEIGHT:g} with a gradient of {GRADIENT:g}"
    if (step := frozen_from(plan)) is not None:
        epoch, batch = divmod(step, plan.steps_per_epoch)
        return f"From step {step:,} on (epoch {epoch + 1}, batch {batch + 1}), no update changes {about} any more."
    if (step := first_step_below(plan.curve, FLOOR)) is not None:
        return f"At step {step:,} the lr is too small to change {about}, but it comes back."
    return f"Every update can change {about}: that takes an lr above {FLOOR:.2g}."


def _checked(name: str, value: Any) -> Any:
    try:
        return _CHECKS[name](name, value)
    except Refused as error:
        raise Unfit(name, str(error)) from error


def _parameters(scheduler: str, asked: Any, calls: int) -> dict[str, Any]:
    """A checked value for every control of ``scheduler``, in the order of its signature."""
    controls = {control.name: control for control in controls_of(scheduler)}
    if not isinstance(asked, Mapping):
        raise Unfit("parameters", f"parameters must be a dict, got {asked!r}; try {starting_values(scheduler)}")
    if unknown := [name for name in asked if name not in controls]:
        allowed = f"try one of {', '.join(controls)}" if controls else "it is played as the catalog's sample"
        raise Unfit("parameters", f"{scheduler} has no parameter {unknown[0]!r} to set here; {allowed}")
    given = {**starting_values(scheduler), **({_AS_LONG_AS_THE_RUN: calls} if _AS_LONG_AS_THE_RUN in controls else {})}
    return {name: _checked_parameter(control, {**given, **asked}[name]) for name, control in controls.items()}


def _checked_parameter(control: Any, value: Any) -> Any:
    try:
        return checked_value(control, value)
    except Refused as error:
        raise Unfit(control.name, str(error)) from error


def _curve(
    scheduler: str,
    parameters: Mapping[str, Any],
    *,
    lr: float,
    epochs: int,
    steps_per_epoch: int,
    cadence: str,
    blamed: str,
) -> Curve:
    """The curve, or torch's own objection to it beside the control that it names."""
    run: dict[str, Any] = {"epochs": epochs, "steps_per_epoch": steps_per_epoch, "cadence": cadence, "lr": lr}
    try:
        curve = lr_curve(partial(_made, scheduler, parameters), **run, metrics=lambda call: 1.0)
    except Exception as error:  # whatever a parameter makes torch raise: a hand may try anything
        said = str(error).split("\n")[0]
        culprit = next((name for name in parameters if name in said), blamed)
        value = parameters.get(culprit, run.get(culprit))
        raise Unfit(culprit, f"{scheduler} cannot work with {culprit}={value!r}: {said}") from error
    wrong = np.flatnonzero(~np.isfinite(curve) | (curve < -ROUNDING * lr))
    if len(wrong):
        step = int(wrong[0])
        raise Unfit(
            blamed, f"{blamed} makes the lr {curve[step]:g} at step {step:,}; try a value nearer to the last one"
        )
    return curve


def _made(scheduler: str, parameters: Mapping[str, Any], optimizer: Optimizer) -> Any:
    """The scheduler on ``optimizer``: with these parameters, or the sample of one that has no controls."""
    if controls_of(scheduler):
        return getattr(lr_scheduler, scheduler)(optimizer, **parameters)
    return entry_of(scheduler).sample(optimizer)


def _last(settings: Mapping[str, Any], among: tuple[str, ...]) -> str:
    """The last of ``settings`` that is one of ``among``: what the hand changed."""
    return next((name for name in reversed(list(settings)) if name in among), "")


_CHECKS: dict[str, Check] = {
    "scheduler": lambda name, value: a_choice(names())(name, value),
    "lr": a_number(*LIMITS["lr"], example=0.1),
    "epochs": a_whole_number(1, 1000, example=20),
    "steps_per_epoch": a_whole_number(1, 10_000, example=156),
    "cadence": a_choice(("epoch", "step")),
}
