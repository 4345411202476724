"""What path does an optimizer take on a surface? One optimizer step by step, or thousands of settings at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from course_utils.arguments import a_function, a_row, a_switch, a_whole_number, an_array, an_instance, shown
from course_utils.surfaces import Point, Surface

__all__ = ["Path", "Sweep", "descend", "descend_many"]

MOST_STEPS = 10_000
MOST_SETTINGS = 1_000_000

_EXAMPLE = "lambda params: torch.optim.SGD(params, lr=0.1)"
_a_factory = a_function("the parameters", example=_EXAMPLE)
_a_surface = an_instance(Surface, example="course_utils.surfaces.RAVINE")
_a_count = a_whole_number(1, MOST_STEPS, example=100)
_two_numbers = a_row(2, must="be two numbers", example="(1.0, 2.0)")
_settings = an_array(
    "be finite numbers of 0 or more",
    fits=lambda numbers: bool(((numbers >= 0) & (numbers < math.inf)).all()),
    example="0.1",
)


class Steppable(Protocol):
    """What ``descend`` needs of an optimizer; torch's and the course's own have it."""

    def zero_grad(self) -> None:
        """Forget the last gradients."""

    step: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Path:
    """Where an optimizer went: row k is the point after k steps, row 0 the start.

    Attributes:
        points: ``(n + 1, 2)`` float64; n is the number of steps asked for, or fewer if the path diverged.
        losses: ``(n + 1,)`` float64, the loss at each point.
        left_map_at: the first step that ended outside the surface's map, or None.
        diverged_at: the first step whose point or loss is no finite number, or None; the record ends before it.
    """

    points: Tensor
    losses: Tensor
    left_map_at: int | None
    diverged_at: int | None

    def __repr__(self) -> str:
        x, y = self.points[-1].tolist()
        fate = "" if self.diverged_at is None else f", diverged at step {self.diverged_at}"
        return f"Path({len(self.points) - 1} steps to ({x:.4g}, {y:.4g}), loss {self.losses[-1].item():.4g}{fate})"


@dataclass(frozen=True, eq=False)
class Sweep:
    """How many settings ended; every tensor has the shape to which lr and momentum broadcast.

    Attributes:
        lr: float64.
        momentum: float64.
        losses: float64, the loss after the last step, or the last finite one.
        left_map_at: int64, the first step that ended outside the surface's map, or -1; it may have come back.
        diverged: bool, true where the last loss is above the first, or a step gave no finite number.
    """

    lr: Tensor
    momentum: Tensor
    losses: Tensor
    left_map_at: Tensor
    diverged: Tensor

    def __repr__(self) -> str:
        lost, lowest = int(self.diverged.sum()), self.losses.min().item()
        return f"Sweep({self.losses.numel():,} settings, {lost:,} diverged, lowest loss {lowest:.4g})"


def descend(
    surface: Surface,
    make_optimizer: Callable[[list[torch.nn.Parameter]], Steppable],
    *,
    start: Point | None = None,
    steps: int = 100,
) -> Path:
    """The path of ``make_optimizer(params)`` on ``surface``, e.g. ``lambda params: torch.optim.SGD(params, lr=0.05)``.

    ``params`` holds one parameter, the position, float64 of shape (1, 2): a matrix, so that Muon takes it as well.
    Any optimizer with ``zero_grad`` and ``step`` will do; those of torch get a closure, as LBFGS needs.

    Args:
        surface: where to descend.
        make_optimizer: given the parameters, returns the optimizer.
        start: first point, or None for ``surface.start``.
        steps: calls of ``optimizer.step``, from 1 to 10,000.

    Raises:
        TypeError: an argument is of another kind, or ``make_optimizer`` does not return an optimizer.
        ValueError: ``start`` or ``steps`` is out of range.
    """
    position = torch.nn.Parameter(_checked_start(surface, start)[None, :])
    optimizer = _made(make_optimizer, position)
    visited = [position.detach().clone()]
    for _ in range(_a_count("steps", steps)):
        _update(surface, position, optimizer)
        visited.append(position.detach().clone())
        if not position.isfinite().all():
            break
    return _record(surface, torch.cat(visited))


def _made(make_optimizer: Callable[[list[torch.nn.Parameter]], Steppable], position: torch.nn.Parameter) -> Steppable:
    optimizer: Steppable = _a_factory("make_optimizer", make_optimizer)([position])
    usable = callable(getattr(optimizer, "step", None)) and callable(getattr(optimizer, "zero_grad", None))
    if isinstance(optimizer, type) or not usable:
        raise TypeError(f"make_optimizer must return an optimizer, got {shown(optimizer)}; try {_EXAMPLE}")
    return optimizer


def _update(surface: Surface, position: torch.nn.Parameter, optimizer: Steppable) -> None:
    """One update; the closure lets LBFGS look at the loss several times within it."""

    def closure() -> float:
        optimizer.zero_grad()
        loss = surface(position[0, 0], position[0, 1])
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    with torch.enable_grad():
        if isinstance(optimizer, torch.optim.Optimizer):
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()


def _record(surface: Surface, points: Tensor) -> Path:
    """The points up to the last finite one, and where the path left the map or diverged."""
    with torch.no_grad():
        losses = surface(points[:, 0], points[:, 1])
    sound = points.isfinite().all(dim=1) & losses.isfinite()
    left, diverged = _first(~_on_map(surface, points.T)), _first(~sound)
    return Path(points[:diverged], losses[:diverged], left, diverged)


def descend_many(
    surface: Surface,
    *,
    lr: Tensor | float,
    momentum: Tensor | float = 0.0,
    start: Point | None = None,
    steps: int = 200,
    nesterov: bool = False,
) -> Sweep:
    """Where SGD with momentum ends for every pair of ``lr`` and ``momentum``, all computed at once.

    The same numbers as ``torch.optim.SGD`` run once per setting: v <- momentum v + g, then p <- p - lr v, or with
    Nesterov p <- p - lr (g + momentum v). A map of 64 by 64 settings: ``lr`` of shape (64, 1), ``momentum`` of (64,).

    Args:
        surface: where to descend.
        lr: one or more learning rates, 0 or more.
        momentum: one or more momenta, 0 or more, of a shape that broadcasts with ``lr``.
        start: first point of all, or None for ``surface.start``.
        steps: updates, from 1 to 10,000.
        nesterov: look ahead along the velocity.

    Raises:
        ValueError: a setting is negative or not finite, or there are none or more than 1,000,000 of them.

    Source: I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013, eq. 1-4, in
    the form of ``torch.optim.SGD``.
    """
    steps, nesterov = _a_count("steps", steps), a_switch()("nesterov", nesterov)
    lr, momentum = _checked_settings(lr, momentum)
    # x and y come first, so that each is one block of memory.
    position = _checked_start(surface, start).view(2, *[1] * lr.dim()).expand(2, *lr.shape)
    return _swept(surface, lr, momentum, position, steps, nesterov)


def _swept(surface: Surface, lr: Tensor, momentum: Tensor, position: Tensor, steps: int, nesterov: bool) -> Sweep:
    """All settings walked at once from ``position (2, ...)``; the dots are the shape of the settings."""
    velocity = torch.zeros_like(position)
    never_left = starts_on_map = _on_map(surface, position)
    steps_on_map = torch.zeros_like(lr, dtype=torch.int64)
    alive = torch.ones_like(lr, dtype=torch.bool)
    first_losses, gradient = _losses_and_gradient(surface, position)
    losses = first_losses
    for _ in range(steps):
        velocity = torch.addcmul(gradient, momentum, velocity)
        direction = torch.addcmul(gradient, momentum, velocity) if nesterov else velocity
        position = torch.addcmul(position, lr, direction, value=-1)
        never_left = never_left & _on_map(surface, position)
        steps_on_map += never_left
        moved_losses, gradient = _losses_and_gradient(surface, position)
        # Once a setting is no finite number it never counts again, and its last finite loss is kept.
        alive = alive & ((position[0] + position[1] + moved_losses).abs() < math.inf)
        losses = torch.where(alive, moved_losses, losses)
    left_map_at = torch.where(never_left, -1, torch.where(starts_on_map, steps_on_map + 1, 0))
    return Sweep(lr, momentum, losses, left_map_at, diverged=~alive | (losses > first_losses))


def _losses_and_gradient(surface: Surface, position: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of each setting and its gradient: the settings are independent, so one backward gives all."""
    if surface.gradient is not None:
        return surface(*position), torch.stack(surface.gradient(*position))
    with torch.enable_grad():
        points = position.detach().requires_grad_()
        losses = surface(*points)
        (gradient,) = torch.autograd.grad(losses, points, torch.ones_like(losses), materialize_grads=True)
    return losses.detach(), gradient


def _on_map(surface: Surface, points: Tensor) -> Tensor:
    """True for each point ``(2, ...)`` on the map; a NaN is not on it."""
    x, y = points[0], points[1]
    # Clamped to the map, a point stays where it is; that takes half the time of four comparisons.
    return (x.clamp(*surface.xlim) == x) & (y.clamp(*surface.ylim) == y)


def _first(flags: Tensor) -> int | None:
    where = flags.nonzero()
    return int(where[0]) if len(where) else None


def _checked_start(surface: Surface, start: Point | None) -> Tensor:
    """The start as a ``(2,)`` float64 tensor."""
    default = _a_surface("surface", surface).start
    x, y = torch.from_numpy(_two_numbers("start", default if start is None else start))
    if not (x.isfinite() and y.isfinite() and surface(x, y).isfinite()):
        raise ValueError(f"start must be a point with a finite loss, got {start!r}; try {default}")
    return torch.stack([x, y])


def _checked_settings(lr: Tensor | float, momentum: Tensor | float) -> list[Tensor]:
    """Both as float64 tensors of one common shape."""
    settings = [torch.from_numpy(_settings("lr", lr)), torch.from_numpy(_settings("momentum", momentum))]
    try:
        both = list(torch.broadcast_tensors(*settings))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        shapes = " and ".join(str(tuple(setting.shape)) for setting in settings)
        raise ValueError(f"lr and momentum must broadcast, got shapes {shapes}; try lr[:, None]") from error
    if not 1 <= both[0].numel() <= MOST_SETTINGS:
        count = f"{both[0].numel():,}"
        raise ValueError(f"there must be 1 to {MOST_SETTINGS:,} settings, got {count}; try 64 of each")
    return both
