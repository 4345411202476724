"""What does this scheduler do to the lr? A lab for every scheduler of torch, at every cadence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.apps.common.app import App, page
from course_utils.apps.common.settings import Setting, a_choice
from course_utils.apps.schedule.code import code_of
from course_utils.apps.schedule.controls import controls_of, entry_of, names
from course_utils.apps.schedule.picture import render
from course_utils.apps.schedule.plan import (
    FLOOR,
    SETTINGS,
    Plan,
    changed,
    frozen_from,
    in_words,
    planned,
)
from course_utils.schedules import Curve

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["ScheduleLab"]

MOST_PINNED = 2


class _OfThePlan:
    """A setting that is checked together with all others: read from the plan, assigned by ``change``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, lab: ScheduleLab | None, owner: type) -> Any:
        if lab is None:
            return self
        value = getattr(lab.plan, self.name)
        return dict(value) if isinstance(value, Mapping) else value

    def __set__(self, lab: ScheduleLab, value: Any) -> None:
        lab.change(**{self.name: value})


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

    scheduler = _OfThePlan()
    parameters = _OfThePlan()
    lr = _OfThePlan()
    epochs = _OfThePlan()
    steps_per_epoch = _OfThePlan()
    cadence = _OfThePlan()
    scale = Setting(a_choice(("linear", "log")), "linear")

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
        given = {} if parameters is None else parameters
        run = {"lr": lr, "epochs": epochs, "steps_per_epoch": steps_per_epoch, "cadence": cadence}
        self._at_first = self._plan = planned(scheduler=scheduler, parameters=given, **run)
        self._pins: list[Plan] = []
        super().__init__(scale=scale, _facts=_facts())
        self._tell()
        self.observe(self._follow, "scale")

    @property
    def plan(self) -> Plan:
        """All that decides the curve, and the curve, as a frozen record."""
        return self._plan

    @property
    def code(self) -> str:
        """The torch code that makes the curve, given ``model`` and ``loader``."""
        return code_of(self.plan)

    @property
    def pinned(self) -> tuple[Plan, ...]:
        """The plans that are pinned for comparison, the oldest first."""
        return tuple(self._pins)

    def curve(self) -> Curve:
        """The lr of every update, float64 ``(epochs * steps_per_epoch,)``."""
        return self.plan.curve.copy()

    def change(self, **settings: Any) -> None:
        """Set several things at once, and draw once.

        Raises:
            TypeError: there is no such setting.
            ValueError: a setting is out of range, or they do not fit together; nothing is changed.
        """
        self._plan = changed(self._plan, settings)
        self._follow()

    def pin(self) -> None:
        """Keep the present curve for comparison; the oldest of three makes room."""
        self._pins = [*self._pins, self.plan][-MOST_PINNED:]
        self._follow()

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
        self._follow()

    def reset(self) -> None:
        """All settings as they were at first; what is pinned stays."""
        self._plan = self._at_first
        self._follow()

    def figure(self) -> Figure:
        """The curve, and those that are pinned, as a matplotlib Figure."""
        return render(self.plan, self._pins, log=self.scale == "log")

    def _told(self) -> dict[str, Any]:
        return {
            "settings": {**{name: getattr(self, name) for name in SETTINGS}, "scale": self.scale},
            "plan": _drawn(self.plan, self.plan),
            "pins": [_drawn(pin, self.plan) for pin in self._pins],
            "code": self.code,
            "words": in_words(self.plan),
        }

    def _set(self, settings: Mapping[str, Any]) -> None:
        wanted = dict(settings)
        if "scale" in wanted:
            self.scale = wanted.pop("scale")
        if wanted:
            self.change(**wanted)

    def _do(self, name: str, *given: Any) -> None:
        if name == "unpin" and given[0] < len(self._pins):  # a second click may come when it is gone
            self.unpin(given[0])
        elif name in ("pin", "reset"):
            getattr(self, name)()


def _drawn(plan: Plan, present: Plan) -> dict[str, Any]:
    """A curve as the steps where it changes and its values from there: few for stairs, all for a smooth one."""
    at = np.concatenate([[0], np.flatnonzero(np.diff(plan.curve)) + 1])
    return {
        "name": plan.name,
        "lr": plan.lr,
        "steps": len(plan.curve),
        "steps_per_epoch": plan.steps_per_epoch,
        "frozen": frozen_from(plan),
        "same": plan.coincides_with(present),
        "at": at.astype("<u4").tobytes(),
        "values": plan.curve[at].astype("<f8").tobytes(),
    }


def _facts() -> dict[str, Any]:
    """Schedulers and their controls: read from torch and the catalog in Python, used on the page."""
    from course_utils.plots.colors import OTHERS

    return {
        "floor": FLOOR,
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
