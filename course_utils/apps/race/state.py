"""What is raced? The state of a race as plain values, and the paths that torch takes with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from course_utils.algorithms import ALGORITHMS
from course_utils.descent import Path, Sweep, descend, descend_many
from course_utils.surfaces import BEALE, QUADRATIC, RAVINE, ROSENBROCK, SADDLE, Point, Surface, quadratic

__all__ = ["OPTIMIZERS", "OWN_LR", "SURFACES", "RaceState", "paths_of", "settings_of", "stability_of", "surface_of"]

OPTIMIZERS = tuple(ALGORITHMS)
SURFACES = {"Quadratic": QUADRATIC, "Ravine": RAVINE, "Saddle": SADDLE, "Rosenbrock": ROSENBROCK, "Beale": BEALE}
SETTINGS = 64  # learning rates, and momenta, of the stability map

# Learning rates with which 100 steps from the surface's own start are worth seeing: none leaves the map.
OWN_LR = {surface: {name: algorithm.lr[surface] for name, algorithm in ALGORITHMS.items()} for surface in SURFACES}


@dataclass(frozen=True)
class RaceState:
    """All that decides the paths of a race; the settings of `OptimizerRace`, which has checked them."""

    surface: str  #: a key of ``SURFACES``
    condition_number: float  #: of the quadratic bowl; other surfaces do not look at it
    start: Point
    optimizers: tuple[str, ...]
    lr: Mapping[str, float]  #: of every optimizer, also of those that do not race
    options: Mapping[str, float]  #: the free options of all algorithms, by name
    steps: int


@lru_cache
def surface_of(name: str, condition_number: float) -> Surface:
    """The landscape; ``condition_number`` shapes the quadratic bowl only."""
    return quadratic(condition_number) if name == "Quadratic" else SURFACES[name]


def paths_of(state: RaceState) -> dict[str, Path]:
    """The path of every optimizer that races, computed by ``torch.optim`` in float64."""
    surface = surface_of(state.surface, state.condition_number)
    return {
        name: descend(surface, _maker(name, state), start=state.start, steps=state.steps) for name in state.optimizers
    }


def _maker(name: str, state: RaceState) -> Callable[[list[torch.nn.Parameter]], Any]:
    return lambda params: ALGORITHMS[name].make(params, lr=state.lr[name], values=state.options)


def settings_of(surface: Surface) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The learning rates and momenta of the stability map, ``(64,)`` each, and the curvature they are chosen by.

    The learning rates lie around 2 / curvature, where gradient descent begins to grow; the curvature is the largest
    at the first minimum.
    """
    curvature = _curvature(surface)
    lr = torch.logspace(math.log10(0.04 / curvature), math.log10(8 / curvature), SETTINGS, dtype=torch.float64)
    return lr, torch.linspace(0.0, 0.99, SETTINGS, dtype=torch.float64), curvature


@lru_cache
def _curvature(surface: Surface) -> float:
    """The largest at the first minimum; remembered, for a start that is dragged asks at every step."""
    place = torch.tensor(surface.minima[0], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda p: surface(p[0], p[1]), place)  # type: ignore[no-untyped-call]
    return float(torch.linalg.eigvalsh(hessian)[-1])


def stability_of(state: RaceState, *, nesterov: bool = False) -> Sweep:
    """Where SGD ends with each of 64 x 64 pairs of momentum (rows) and lr (columns), without any weight decay."""
    surface = surface_of(state.surface, state.condition_number)
    lr, momentum, _ = settings_of(surface)
    return descend_many(
        surface, lr=lr[None, :], momentum=momentum[:, None], start=state.start, steps=state.steps, nesterov=nesterov
    )
