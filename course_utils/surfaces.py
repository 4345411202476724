"""What landscape? Functions of two parameters on which an optimizer's path can be drawn.

The loss of a network has millions of parameters and cannot be seen. These have two, x and y; the height is the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from course_utils.arguments import a_check, a_function, a_number, a_text, a_tuple, a_whole_number, or_none

__all__ = ["BEALE", "QUADRATIC", "RAVINE", "ROSENBROCK", "SADDLE", "SURFACES", "Surface", "quadratic"]

Point = tuple[float, float]

STEEPEST = 1e100  # condition number; steeper bowls overflow

_a_function = a_function("x and y", example="lambda x, y: x**2 + y**2")
_any_number = a_number(example=1.0)
_a_pair = a_tuple(_any_number, 2, of="two numbers", example=(-1.0, 1.0))
_FIELDS = {
    "name": a_text(example="Bowl"),
    "formula": a_text(example="x^2 + y^2"),
    "loss": _a_function,
    "gradient": or_none(_a_function),
    "start": _a_pair,
    "xlim": _a_pair,
    "ylim": _a_pair,
    "levels": a_tuple(_any_number, of="ascending losses", example=(0.1, 1.0, 10.0)),
    "minima": a_tuple(_a_pair, of="points", example=((0.0, 0.0),)),
}
_a_place = a_check(
    "be a tensor or a number",
    kind=lambda value: isinstance(value, (Tensor, int, float)) and not isinstance(value, bool),
    keep=lambda value: value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64),
    example="torch.tensor([0.0, 1.0])",
)
_steepness = a_number(1, STEEPEST, example=20.0)
_a_count = a_whole_number(2, 2000, example=201)


@dataclass(frozen=True)
class Surface:
    """A loss of two parameters, with the map on which to draw it.

    Calling it, ``RAVINE(x, y)``, gives the loss: plain torch operations, so it can be differentiated and takes
    whole tensors of points at once.

    Attributes:
        name: what a figure calls it.
        formula: the loss as TeX, without dollar signs.
        loss: ``(x, y) -> z`` on tensors of any shapes that broadcast.
        start: where a path begins unless told otherwise.
        minima: every point where the loss is lowest.
        xlim: left and right edge of the map.
        ylim: lower and upper edge of the map.
        levels: losses at which to draw contour lines, ascending.
        gradient: ``(x, y) -> (dz/dx, dz/dy)``, where it is written out: that takes a tenth of the time of autograd,
            which has the last word on it in the tests. None leaves it to autograd.

    Raises:
        TypeError: a field has the wrong type.
        ValueError: an edge, the start or a level is out of order, or the gradient is that of another loss.
    """

    name: str
    formula: str
    loss: Callable[[Tensor, Tensor], Tensor]
    start: Point
    minima: tuple[Point, ...]
    xlim: Point
    ylim: Point
    levels: tuple[float, ...]
    gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None

    def __post_init__(self) -> None:
        for field, check in _FIELDS.items():
            check(field, getattr(self, field))
        for edge, (low, high), place in (("xlim", self.xlim, self.start[0]), ("ylim", self.ylim, self.start[1])):
            if low >= high:
                raise ValueError(f"{edge} must have its lower number first, got {(low, high)}; try (-1.0, 1.0)")
            if not low <= place <= high:
                raise ValueError(f"start must lie on the map, got {self.start} outside {edge} {(low, high)}; move one")
        if len(self.levels) < 2 or any(a >= b for a, b in pairwise(self.levels)):
            raise ValueError(f"levels must be two or more ascending losses, got {self.levels}; try (0.1, 1.0, 10.0)")
        if self.gradient is not None:
            _check_gradient(self, self.gradient)

    def __call__(self, x: Tensor | float, y: Tensor | float) -> Tensor:
        """The loss at every point ``(x, y)``, in the shape to which both broadcast; plain numbers count as float64.

        Raises:
            TypeError: ``x`` or ``y`` is neither a tensor nor a number.
            RuntimeError: torch's own, as when ``x`` and ``y`` do not broadcast.
        """
        return self.loss(_a_place("x", x), _a_place("y", y))

    def grid(self, points: int = 201) -> tuple[Tensor, Tensor, Tensor]:
        """The map as numbers to draw: x ``(points,)``, y ``(points,)`` and the loss ``(points, points)``, float64.

        Row i, column j of the loss lies at ``(x[j], y[i])``.

        Raises:
            TypeError, ValueError: ``points`` is not a whole number from 2 to 2000.
        """
        points = _a_count("points", points)
        x = torch.linspace(*self.xlim, points, dtype=torch.float64)
        y = torch.linspace(*self.ylim, points, dtype=torch.float64)
        return x, y, self(x[None, :], y[:, None])


def quadratic(condition_number: float) -> Surface:
    """The bowl ``(x^2 + condition_number * y^2) / 2``, which is that many times steeper along y than along x.

    Its curvatures are 1 and ``condition_number``, so gradient descent is stable for lr < 2 / condition_number, and
    heavy-ball momentum for lr < 2 (1 + momentum) / condition_number.

    Raises:
        TypeError, ValueError: ``condition_number`` is not a number from 1 to 1e100.

    Source: B. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    """
    condition_number = _steepness("condition_number", condition_number)
    return Surface(
        name=f"Quadratic bowl, condition number {condition_number:g}",
        formula=rf"\frac{{1}}{{2}}\,(x^2 + {'' if condition_number == 1 else f'{condition_number:g}'}\,y^2)",
        loss=partial(_quadratic, curvature=condition_number),
        start=(-9.0, 2.0),
        minima=((0.0, 0.0),),
        xlim=(-10.0, 10.0),
        ylim=(-4.0, 4.0),
        levels=_levels(0.5, 0.95 * (50.0 + 8.0 * condition_number), 12),
        gradient=partial(_quadratic_gradient, curvature=condition_number),
    )


def _check_gradient(surface: Surface, gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Compare with autograd at the start and at a place that is nothing special."""
    (left, right), (lower, upper) = surface.xlim, surface.ylim
    for place in (surface.start, (left + 0.3 * (right - left), lower + 0.8 * (upper - lower))):
        with torch.enable_grad():
            x, y = (torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in place)
            expected = torch.autograd.grad(surface(x, y), (x, y), materialize_grads=True)
        try:
            found = tuple(float(slope) for slope in gradient(x.detach(), y.detach()))
        except (TypeError, ValueError) as error:
            raise TypeError(f"gradient must give two slopes, but its call at {place} failed: {error}") from error
        if not torch.allclose(torch.tensor(found, dtype=torch.float64), torch.stack(expected), rtol=1e-9):
            raise ValueError(
                f"gradient must be that of loss, got {found} at {place} for {tuple(map(float, expected))}; "
                "try gradient=None, which leaves it to autograd"
            )


def _quadratic(x: Tensor, y: Tensor, *, curvature: float) -> Tensor:
    return (x**2 + curvature * y**2) / 2


def _quadratic_gradient(x: Tensor, y: Tensor, *, curvature: float) -> tuple[Tensor, Tensor]:
    return x, curvature * y


def _saddle(x: Tensor, y: Tensor) -> Tensor:
    return (x**2 - 1) ** 2 / 4 + y**2 / 2


def _saddle_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return (x**2 - 1) * x, y


def _rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _rosenbrock_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    dy = 200 * (y - x**2)
    return -2 * (1 - x) - dy * (2 * x), dy


def _beale(x: Tensor, y: Tensor) -> Tensor:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _beale_gradient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
    dx = 2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1))
    return dx, 2 * x * (a + 2 * b * y + 3 * c * y**2)


def _levels(low: float, high: float, count: int) -> tuple[float, ...]:
    """``count`` losses from ``low`` to ``high`` in equal ratios: a valley floor needs closer lines than its walls."""
    return tuple(low * (high / low) ** (k / (count - 1)) for k in range(count))


# A round bowl: the gradient points straight at the minimum and lr 1 lands on it in one step.
QUADRATIC = quadratic(1.0)

RAVINE = replace(quadratic(20.0), name="Ravine", formula=r"\frac{1}{2}\,x^2 + 10\,y^2", levels=_levels(0.5, 200.0, 12))

# The start lies almost on the ridge y-axis: the slope along it leads to the saddle point (0, 0), not to a minimum.
SADDLE = Surface(
    name="Saddle",
    formula=r"\frac{1}{4}\,(x^2 - 1)^2 + \frac{1}{2}\,y^2",
    loss=_saddle,
    start=(-0.001, 0.9),
    minima=((-1.0, 0.0), (1.0, 0.0)),
    xlim=(-2.0, 2.0),
    ylim=(-1.1, 1.1),
    levels=(0.03, 0.08, 0.16, 0.25, 0.36, 0.5, 0.7, 1.0, 1.5, 2.5),  # 0.25 is the saddle's own
    gradient=_saddle_gradient,
)

# Source: H. Rosenbrock, An automatic method for finding the greatest or least value of a function, 1960.
ROSENBROCK = Surface(
    name="Rosenbrock's valley",
    formula=r"(1 - x)^2 + 100\,(y - x^2)^2",
    loss=_rosenbrock,
    start=(-1.5, 2.0),
    minima=((1.0, 1.0),),
    xlim=(-2.0, 2.0),
    ylim=(-1.0, 3.0),
    levels=_levels(0.25, 2500.0, 13),
    gradient=_rosenbrock_gradient,
)

# Source: E. Beale, On an iterative method for finding a local minimum of a function of more than one variable, 1958.
BEALE = Surface(
    name="Beale's plateau",
    formula=r"(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2",
    loss=_beale,
    start=(1.0, 1.5),
    minima=((3.0, 0.5),),
    xlim=(-1.0, 4.5),
    ylim=(-1.0, 2.0),
    levels=_levels(0.05, 600.0, 13),
    gradient=_beale_gradient,
)

SURFACES = (QUADRATIC, RAVINE, SADDLE, ROSENBROCK, BEALE)
