"""What does this scheduler do to the lr? A lab for every scheduler of torch, at every cadence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from course_utils.apps.common.app import App, page
from course_utils.apps.common.settings import Setting, a_choice
from course_utils.apps.schedule.code import code_of
from course_utils.apps.schedule.controls import controls_of, entry_of, names
from course_utils.apps.schedule.picture import render
from course_utils.apps.schedule.plan import (
    FLOOR,
    LIMITS,
    SETTINGS,
    Plan,
    Unfit,
    changed,
    frozen_from,
    in_words,
    planned,
)
from course_utils.schedules import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ScheduleLab"]

MOST_PINNED = 2


def _checked_as_a_whole() -> Setting:
    """A setting that is checked together with all others; the page gets them in one message instead."""
    setting = Setting(lambda name, value: value, None)
    setting.tag(sync=False)
    return setting


class ScheduleLab(App):
    """A lab for learning rate schedules: choose one, and see the lr of every update and the torch code that makes it.

    Every setting is an attribute, readable and writable: ``lab.lr = 0.5``, ``lab.parameters = {"gamma": 0.5}``. A
    setting that cannot be is refused in words and changes nothing. Another scheduler brings its own parameters;
    those that need functions or other schedulers are played as the samples of the catalog.

    Args:
        steps_per_epoch: updates in an epoch, 1 to 10,000.
        epochs: 1 to 1,000, and at most 50,000 updates in all.
        cadence: when ``scheduler.step()`` is called: after each "epoch" or after each "step" (batch).
        scheduler: the name of a class in ``torch.optim.lr_scheduler``.
        parameters: what the scheduler is given beside the optimizer, in whole or in part.
        lr: lr of the optimizer before the scheduler changes it.
        scale: of the lr axis, "linear" or "log".

    Raises:
        ValueError: a setting is out of range; the message says what is allowed.
    """

    scheduler = _checked_as_a_whole()
    parameters = _checked_as_a_whole()
    lr = _checked_as_a_whole()
    epochs = _checked_as_a_whole()
    steps_per_epoch = _checked_as_a_whole()
    cadence = _checked_as_a_whole()
    scale = Setting(a_choice(("linear", "log")), "linear")

    _facts = traitlets.Dict().tag(sync=True)  # what the page must know and cannot change
    _asked = traitlets.Dict().tag(sync=True)  # what a hand on the page wants: {"number": 3, "settings": {...}}
    _view = traitlets.Dict().tag(sync=True)  # what the page shows: the last plan that works, and what was refused

    _esm, _css = page("schedule")

    def __init__(
        self,
        steps_per_epoch: int = 156,
        epochs: int = 20,
        cadence: str = "epoch",
        scheduler: str = "StepLR",
        *,
        parameters: Mapping[str, Any] | None = None,
        lr: float = 0.1,
        scale: str = "linear",
    ) -> None:
        self._plan = planned(
            scheduler=scheduler,
            parameters={} if parameters is None else parameters,
            lr=lr,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            cadence=cadence,
        )
        self._at_first = self._plan
        self._pins: list[Plan] = []
        self._adopting = False
        super().__init__(scale=scale, _facts=_facts())
        self._adopt(self._plan)
        self.observe(self._answer, "_asked")

    @property
    def plan(self) -> Plan:
        """All that decides the curve, and the curve, as a frozen record."""
        return self._plan

    @property
    def code(self) -> str:
        """The torch code that makes the curve, given ``model`` and ``loader``."""
        return code_of(self._plan)

    @property
    def pinned(self) -> tuple[Plan, ...]:
        """The plans that are pinned for comparison, the oldest first."""
        return tuple(self._pins)

    def curve(self) -> Curve:
        """The lr of every update, float64 ``(epochs * steps_per_epoch,)``."""
        return self._plan.curve.copy()

    def change(self, **settings: Any) -> None:
        """Set several things at once, and draw once.

        Raises:
            TypeError: there is no such setting.
            ValueError: a setting is out of range, or they do not fit together; nothing is changed.
        """
        self._adopt(changed(self._plan, settings))

    def pin(self) -> None:
        """Keep the present curve for comparison; the oldest of three makes room."""
        self._pins = [*self._pins, self._plan][-MOST_PINNED:]
        self._adopt(self._plan)

    def unpin(self, index: int | None = None) -> None:
        """Let go of the pinned curve ``index``, or of all.

        Raises:
            TypeError: ``index`` is neither an int nor None.
            IndexError: there is no such curve.
        """
        if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
            raise TypeError(f"index must be an int or None, got {index!r}; try unpin(0), or unpin() for all")
        if index is not None and not 0 <= index < len(self._pins):
            raise IndexError(f"index must be below {len(self._pins)}, the pinned curves, got {index}; try unpin()")
        self._pins = [] if index is None else [*self._pins[:index], *self._pins[index + 1 :]]
        self._adopt(self._plan)

    def reset(self) -> None:
        """All settings as they were at first; what is pinned stays."""
        self._adopt(self._at_first)

    def figure(self) -> Figure:
        """The curve, and those that are pinned, as a matplotlib Figure."""
        return render(self._plan, self._pins, log=self.scale == "log")

    @traitlets.validate(*SETTINGS)
    def _fitting(self, proposal: Any) -> Any:
        """What is kept of an assigned setting; refused if the whole would not make a curve."""
        name, value = proposal["trait"].name, proposal["value"]
        return value if self._adopting else getattr(changed(self._plan, {name: value}), name)

    @traitlets.observe(*SETTINGS)
    def _follow(self, change: Any) -> None:
        if not self._adopting:
            self._adopt(changed(self._plan, {change["name"]: change["new"]}))

    def _adopt(self, plan: Plan, *, refused: Mapping[str, str] | None = None) -> None:
        """Make ``plan`` the present one: its values are those of the attributes, and the page shows it."""
        self._plan, self._adopting = plan, True
        try:
            for name in SETTINGS:
                value = getattr(plan, name)
                setattr(self, name, dict(value) if name == "parameters" else value)
        finally:
            self._adopting = False
        number = self._asked.get("number", 0)
        self._view = {**_view(plan, self._pins), "answer": {"number": number, "refused": dict(refused or {})}}

    def _answer(self, change: Any) -> None:
        """Do what the hand on the page wants, or say beside the control why not; the last good curve stays."""
        asked = self._asked
        try:
            self._do(asked)
        except Unfit as error:
            self._adopt(self._plan, refused={error.setting: str(error)})

    def _do(self, asked: Mapping[str, Any]) -> None:
        actions = {"pin": self.pin, "reset": self.reset}
        if asked.get("unpin", len(self._pins)) < len(self._pins):  # a second click may come when it is gone
            self.unpin(asked["unpin"])
        elif asked.get("do") in actions:
            actions[asked["do"]]()
        else:
            self._adopt(changed(self._plan, asked.get("settings", {})))


def _view(plan: Plan, pins: list[Plan]) -> dict[str, Any]:
    """What the page draws and writes."""
    settings = {name: getattr(plan, name) for name in SETTINGS}
    return {
        "settings": {**settings, "parameters": dict(plan.parameters)},
        "plan": _drawn(plan),
        "pins": [_drawn(pin) for pin in pins],
        "code": code_of(plan),
        "words": in_words(plan),
        "calls": plan.calls,
    }


def _drawn(plan: Plan) -> dict[str, Any]:
    """A curve as the steps where it changes and its values from there: few for stairs, all for a smooth one."""
    at = np.concatenate([[0], np.flatnonzero(np.diff(plan.curve)) + 1])
    return {
        "name": plan.name,
        "lr": plan.lr,
        "steps": len(plan.curve),
        "steps_per_epoch": plan.steps_per_epoch,
        "frozen": frozen_from(plan),
        "at": at.astype("<u4").tobytes(),
        "values": plan.curve[at].astype("<f8").tobytes(),
    }


def _facts() -> dict[str, Any]:
    """Schedulers and their controls: read from torch and the catalog in Python, used on the page."""
    from course_utils.plots.colors import OTHERS

    return {
        "floor": FLOOR,
        "limits": LIMITS,
        "colors": OTHERS[:3],
        "schedulers": {name: _about(name) for name in names()},
    }


def _about(scheduler: str) -> dict[str, Any]:
    entry = entry_of(scheduler)
    return {
        "does": entry.does,
        "cadence": entry.cadence,
        "reason": entry.reason,
        "controls": [
            {
                "name": control.name,
                "kind": control.kind,
                "start": control.start,
                "optional": control.optional,
                "values": list(control.values),
                "summary": control.summary,
            }
            for control in controls_of(scheduler)
        ],
    }
