"""Which optimizer wins, and why? A race on a surface, with every setting in reach of the hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
import traitlets

from course_utils.algorithms import ALGORITHMS, OPTIONS, Algorithm, Option
from course_utils.apps.common.app import App, page
from course_utils.apps.common.settings import Refused, Setting, a_choice, a_number, a_whole_number, names_of
from course_utils.apps.race.picture import render
from course_utils.apps.race.state import (
    OPTIMIZERS,
    OWN_LR,
    SURFACES,
    RaceState,
    paths_of,
    settings_of,
    stability_of,
    surface_of,
)
from course_utils.descent import Path, Sweep
from course_utils.surfaces import RAVINE, Point, Surface

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["OptimizerRace"]

_LOWEST_LR, _HIGHEST_LR, _MOST_STEPS = 1e-5, 10.0, 500
_FARTHEST = 1e9  # no coordinate of any map comes near it
_a_rate = a_number(_LOWEST_LR, _HIGHEST_LR, example=0.1)
_FREE = {
    name: Setting(a_number(option.low, option.high, example=option.example), option.default)
    for name, option in OPTIONS.items()
}
_SWEPT = ("surface", "condition_number", "start", "steps", "chosen", "view")  # what the stability map depends on


class OptimizerRace(App):
    """A race of optimizers on a surface, computed in the browser and drawn at the speed of the hand.

    Drag the start with the mouse, or move it with the arrow keys; every other setting has a slider or a box. Below
    the map one step is written out in numbers; beside it stands the loss at every step, or the stability map: 64 x 64
    runs with their own lr and momentum, computed by ``descend_many`` in the kernel.

    Every setting is an attribute, readable and writable: ``race.momentum = 0.5``. A new surface brings its own start
    and learning rates.

    Args:
        surface: one of ``course_utils.surfaces.SURFACES``, or its name: "Quadratic", "Ravine", "Saddle",
            "Rosenbrock", "Beale".
        optimizers: who races, out of SGD, Momentum, Nesterov, RMSprop, Adagrad, Adam and AdamW.
        start: first point, on the map; None for the surface's own.
        lr: one learning rate for all, or one for each name, from 1e-5 to 10; None for those that suit the surface.
        steps: updates, from 1 to 500.
        view: what stands beside the map, "loss" or "stability".
        settings: momentum (of Momentum and Nesterov), dampening (of Momentum), beta1 and beta2 (of Adam and AdamW),
            alpha (of RMSprop), weight_decay (of all), condition_number (of the quadratic bowl), step (the last one
            shown), chosen (whose step is written out).

    Raises:
        ValueError: a setting is out of range; the message says what is allowed.
        TypeError: there is no such setting.
    """

    surface = Setting(lambda name, value: _checked_surface(name, value), "Ravine")
    condition_number = Setting(a_number(1, 100, example=20), 1.0)
    start = Setting(lambda name, value: _checked_point(name, value), RAVINE.start)
    optimizers = Setting(names_of(OPTIMIZERS), ["SGD", "Momentum", "Adam"])
    lr = Setting(lambda name, value: _checked_rates(name, value), OWN_LR["Ravine"])
    steps = Setting(a_whole_number(1, _MOST_STEPS, example=100), 100)
    step = Setting(a_whole_number(0, _MOST_STEPS, example=10), 100)
    chosen = Setting(a_choice(OPTIMIZERS), "Momentum")
    view = Setting(a_choice(("loss", "stability")), "loss")
    locals().update(_FREE)  # one setting for each free option of an algorithm: momentum, beta1, ...

    _stability = traitlets.Dict().tag(sync=True)  # the stability map, as numbers to draw

    _esm, _css = page("race")

    def __init__(
        self,
        surface: Surface | str = RAVINE,
        optimizers: Collection[str] = ("SGD", "Momentum", "Adam"),
        *,
        start: Point | None = None,
        lr: float | Mapping[str, float] | None = None,
        steps: int = 100,
        view: str = "loss",
        **settings: Any,
    ) -> None:
        allowed = {*OPTIONS, "condition_number", "step", "chosen"}
        if unknown := sorted(set(settings) - allowed):
            raise TypeError(f"OptimizerRace has no setting {unknown[0]!r}; try one of {', '.join(sorted(allowed))}")
        name = _checked_surface("surface", surface)
        racing = names_of(OPTIMIZERS)("optimizers", optimizers)
        own = {"step": steps, "chosen": racing[-1] if racing else OPTIMIZERS[0], **settings}
        super().__init__(
            surface=name,
            optimizers=racing,
            start=SURFACES[name].start if start is None else start,
            lr=OWN_LR[name] if lr is None else lr,
            steps=steps,
            view=view,
            _facts=_facts(),
            **own,
        )
        self._sweep()
        self._tell()
        self.observe(self._enter_surface, "surface")
        self.observe(self._keep_step_in_range, "steps")
        self.observe(self._sweep, _SWEPT)
        self.observe(self._follow, _SETTINGS)

    def state(self) -> RaceState:
        """All that decides the paths, as a frozen record."""
        return RaceState(
            surface=self.surface,
            condition_number=self.condition_number,
            start=self.start,
            optimizers=tuple(self.optimizers),
            lr=dict(self.lr),
            options={name: getattr(self, name) for name in OPTIONS},
            steps=self.steps,
        )

    def paths(self) -> dict[str, Path]:
        """The path of every optimizer that races, by name, computed by ``torch.optim``.

        The page computes the same with the same arithmetic; only a path that jumps about chaotically, as RMSprop may
        around a minimum, can end elsewhere, because one rounding more or less decides.
        """
        return paths_of(self.state())

    def stability(self) -> Sweep:
        """The runs of the stability map, ``(64, 64)``: a row for each momentum, a column for each lr.

        They are runs of Nesterov if that is chosen, and else of Momentum.
        """
        return stability_of(self.state(), nesterov=self.chosen == "Nesterov")

    def figure(self) -> Figure:
        """The surface and the paths as a matplotlib Figure."""
        return render(self.state())

    @traitlets.validate("start")
    def _on_the_map(self, proposal: Any) -> Point:
        """The start, which must lie on the map of the surface; checked when all settings of a change are known."""
        x, y = proposal["value"]
        surface = SURFACES[self.surface]
        (left, right), (lower, upper) = surface.xlim, surface.ylim
        if not (left <= x <= right and lower <= y <= upper):
            raise Refused(
                f"start must lie on the map, x from {left:g} to {right:g} and y from {lower:g} to {upper:g}, "
                f"got {(x, y)}; try {surface.start}"
            )
        return x, y

    @traitlets.validate("lr")
    def _for_everyone(self, proposal: Any) -> dict[str, float]:
        """A learning rate for every optimizer: those not given are the surface's own."""
        return {**OWN_LR[self.surface], **proposal["value"]}

    @traitlets.validate("step")
    def _at_most_the_last(self, proposal: Any) -> int:
        return min(int(proposal["value"]), int(self.steps))

    def _keep_step_in_range(self, change: Any) -> None:
        self.step = self.steps if self.step == change["old"] else min(self.step, self.steps)

    def _told(self) -> dict[str, Any]:
        return {"settings": {name: getattr(self, name) for name in _SETTINGS}}

    def _set(self, settings: Mapping[str, Any]) -> None:
        """The settings of the hand, checked together; a surface goes first, for it brings its own start and lr."""
        if "surface" in settings:
            self.surface = settings["surface"]
        with self.hold_trait_notifications():
            for name in _SETTINGS:
                if name in settings:
                    setattr(self, name, settings[name])

    def _enter_surface(self, change: Any) -> None:
        self.start, self.lr = SURFACES[self.surface].start, OWN_LR[self.surface]

    def _sweep(self, change: Any = None) -> None:
        """Compute the stability map, if it is in view, and hand it to the page."""
        if self.view != "stability":
            return
        lr, momentum, curvature = settings_of(surface_of(self.surface, self.condition_number))
        sweep = self.stability()
        self._stability = {
            "lr": lr.tolist(),
            "momentum": momentum.tolist(),
            "curvature": curvature,
            "rule": "Nesterov" if self.chosen == "Nesterov" else "Momentum",
            "losses": sweep.losses.to(torch.float32).numpy().tobytes(),
            "lost": (sweep.diverged | ~sweep.losses.isfinite()).to(torch.uint8).numpy().tobytes(),
        }


_SETTINGS = tuple(name for name, trait in OptimizerRace.class_own_traits().items() if isinstance(trait, Setting))


def _facts() -> dict[str, Any]:
    """Algorithms and maps: written once in Python, used on the page."""
    return {
        "algorithms": {name: _about(algorithm) for name, algorithm in ALGORITHMS.items()},
        "options": [_about_option(option) for option in OPTIONS.values()],
        "range": {"lr": [_LOWEST_LR, _HIGHEST_LR], "steps": [1, _MOST_STEPS]},
        "surfaces": {
            name: {
                "title": "Quadratic bowl" if name == "Quadratic" else surface.name,
                "start": surface.start,
                "minima": surface.minima,
                "xlim": surface.xlim,
                "ylim": surface.ylim,
                "levels": surface.levels,
                "lr": OWN_LR[name],
            }
            for name, surface in SURFACES.items()
        },
    }


def _about(algorithm: Algorithm) -> dict[str, Any]:
    names = ("name", "rule", "fixed", "color", "marker", "words")
    free = [{"name": option.name, "keyword": option.torch_name} for option in algorithm.free]
    return {**{name: getattr(algorithm, name) for name in names}, "free": free}


def _about_option(option: Option) -> dict[str, Any]:
    having = [algorithm.name for algorithm in ALGORITHMS.values() if option in algorithm.free]
    lowest, highest, step = option.slide
    hint = "all" if len(having) == len(ALGORITHMS) else ", ".join(having)
    return {"name": option.name, "label": option.label, "hint": hint, "min": lowest, "max": highest, "step": step}


def _checked_surface(name: str, value: Any) -> str:
    """The name of a surface, given by name or as the surface itself."""
    for known, surface in SURFACES.items():
        if value is surface or (isinstance(value, str) and value == known):
            return known
    found = value.name if isinstance(value, Surface) else value
    raise Refused(
        f"{name} must be one of {', '.join(SURFACES)}, got {found!r}; "
        'try surface="Ravine", or surface="Quadratic" with condition_number=20'
    )


def _checked_point(name: str, value: Any) -> Point:
    numbers = [float(v) for v in value if _is_number(v)] if isinstance(value, (list, tuple)) else []
    if len(numbers) != 2 or len(value) != 2:
        raise Refused(f"{name} must be two finite numbers, got {value!r}; try {RAVINE.start}")
    return numbers[0], numbers[1]


def _checked_rates(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return dict.fromkeys(OPTIMIZERS, float(_a_rate(name, value)))
    if unknown := [key for key in value if key not in OPTIMIZERS]:
        raise Refused(f"{name} has no optimizer {unknown[0]!r}; try one of {', '.join(OPTIMIZERS)}")
    return {key: _a_rate(f"{name}[{key!r}]", rate) for key, rate in value.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_FARTHEST < value < _FARTHEST
