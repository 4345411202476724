"""The surfaces: are the formulas, gradients, minima and maps what they claim to be?"""

import dataclasses
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils.surfaces import BEALE, QUADRATIC, RAVINE, ROSENBROCK, SADDLE, SURFACES, Surface, quadratic
from tests.helpers.refusals import error_for

EVERY = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
ANY_NUMBER = [0, 0.5, -1.0, float("nan"), float("inf"), "20", None, True]


def points_of(surface: Surface, count: int) -> tuple[Tensor, Tensor]:
    """Reproducible points all over the map."""
    shares = torch.rand(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (left, right), (lower, upper) = surface.xlim, surface.ylim
    return left + (right - left) * shares[0], lower + (upper - lower) * shares[1]


def slope(surface: Surface, x: float, y: float) -> Tensor:
    point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(surface(point[0], point[1]), point)[0]


@EVERY
def test_the_gradient_of_autograd_is_the_numerical_one(surface):
    x, y = points_of(surface, 5)
    assert torch.autograd.gradcheck(surface, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("surface", [*SURFACES, quadratic(7.3)], ids=lambda surface: surface.name)
def test_the_gradient_written_out_is_that_of_autograd(surface):
    x, y = (numbers.requires_grad_() for numbers in points_of(surface, 500))
    expected = torch.autograd.grad(surface(x, y).sum(), (x, y))
    written = surface.gradient(x.detach(), y.detach())
    torch.testing.assert_close(written, expected, rtol=1e-12, atol=1e-12)


def test_a_gradient_of_another_loss_is_refused():
    with pytest.raises(ValueError, match=r"gradient must be that of loss, got .* try gradient=None"):
        dataclasses.replace(RAVINE, loss=ROSENBROCK.loss)


@EVERY
def test_the_slope_vanishes_at_every_minimum(surface):
    for point in surface.minima:
        assert slope(surface, *point).abs().max() < 1e-12


@EVERY
def test_the_loss_is_zero_at_every_minimum(surface):
    for point in surface.minima:
        assert surface(*point) == 0


@EVERY
def test_no_point_of_the_map_is_below_the_minimum(surface):
    _, _, z = surface.grid()
    assert z.min() >= 0


@EVERY
def test_a_batch_of_points_has_the_losses_of_the_points_one_by_one(surface):
    x, y = points_of(surface, 6)
    one_by_one = torch.stack([surface(a, b) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(surface(x.reshape(2, 3), y.reshape(2, 3)), one_by_one.reshape(2, 3))


@EVERY
def test_the_contour_levels_lie_within_the_heights_of_the_map(surface):
    _, _, z = surface.grid()
    assert z.min() < surface.levels[0] < surface.levels[-1] < z.max()


@EVERY
def test_every_minimum_lies_on_the_map(surface):
    for x, y in surface.minima:
        assert surface.xlim[0] <= x <= surface.xlim[1]
        assert surface.ylim[0] <= y <= surface.ylim[1]


@EVERY
def test_a_surface_can_be_pickled(surface):
    again = pickle.loads(pickle.dumps(surface))
    assert again(*surface.start) == surface(*surface.start)


def test_the_ravine_is_its_formula():
    x, y = points_of(RAVINE, 50)
    torch.testing.assert_close(RAVINE(x, y), x.square() / 2 + 10 * y.square())


def test_the_saddle_is_its_formula():
    x, y = points_of(SADDLE, 50)
    torch.testing.assert_close(SADDLE(x, y), (x.square() - 1).square() / 4 + y.square() / 2)


def test_rosenbrock_is_the_published_sum_of_squares():
    x, y = points_of(ROSENBROCK, 50)
    torch.testing.assert_close(ROSENBROCK(x, y), (10 * (y - x * x)).square() + (1 - x).square())


def test_beale_is_the_published_sum_of_squares():
    x, y = points_of(BEALE, 50)
    terms = [c - x * (1 - y**power) for power, c in ((1, 1.5), (2, 2.25), (3, 2.625))]
    torch.testing.assert_close(BEALE(x, y), sum(term.square() for term in terms))


def test_the_saddle_is_flat_but_curved_both_ways_at_the_origin():
    curvature = torch.autograd.functional.hessian(lambda p: SADDLE(p[0], p[1]), torch.zeros(2, dtype=torch.float64))
    assert torch.equal(curvature, torch.diag(torch.tensor([-1.0, 1.0], dtype=torch.float64)))


def test_a_contour_line_passes_through_the_saddle_point():
    assert SADDLE(0.0, 0.0).item() in SADDLE.levels


@given(st.floats(1, 1e6))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_the_curvatures_of_a_quadratic_have_the_ratio_asked_for(condition_number):
    surface = quadratic(condition_number)
    curvature = torch.autograd.functional.hessian(lambda p: surface(p[0], p[1]), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(curvature, torch.diag(torch.tensor([1.0, condition_number], dtype=torch.float64)))


def test_in_the_round_bowl_one_step_of_lr_1_lands_on_the_minimum():
    start = torch.tensor(QUADRATIC.start, dtype=torch.float64)
    assert torch.equal(start - slope(QUADRATIC, *QUADRATIC.start), torch.zeros(2, dtype=torch.float64))


def test_plain_numbers_count_as_float64():
    assert RAVINE(1, 2.0).dtype == torch.float64


def test_float32_tensors_stay_float32():
    assert ROSENBROCK(torch.ones(3), torch.ones(3)).dtype == torch.float32


def test_row_i_column_j_of_the_grid_is_the_loss_at_x_j_and_y_i():
    x, y, z = BEALE.grid(7)
    assert z[2, 5] == BEALE(x[5], y[2])


def test_the_grid_reaches_from_edge_to_edge():
    x, y, _ = BEALE.grid(7)
    assert (x[0], x[-1], y[0], y[-1]) == (*BEALE.xlim, *BEALE.ylim)


def test_the_names_of_the_surfaces_are_distinct():
    assert len({surface.name for surface in SURFACES}) == len(SURFACES)


@pytest.mark.parametrize("number", ANY_NUMBER)
def test_a_condition_number_below_1_or_no_number_is_refused_in_words(number):
    with pytest.raises(error_for(number, int, float), match=r"condition_number must be a number from 1 to .*; try 20"):
        quadratic(number)


@pytest.mark.parametrize("points", [0, 1, 2001, -3, 2.5, "9", None, True])
def test_a_grid_of_an_impossible_size_is_refused_in_words(points):
    with pytest.raises(error_for(points, int), match=r"points must be a whole number from 2 to 2,000, got"):
        RAVINE.grid(points)


@pytest.mark.parametrize("x", ["1", None, [1.0], True, 1j])
def test_a_point_that_is_no_number_is_refused_in_words(x):
    with pytest.raises(TypeError, match=r"x must be a tensor or a number, got .*; try"):
        RAVINE(x, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xlim": (1.0, -1.0)}, "xlim must have its lower number first"),
        ({"ylim": (0.0, float("inf"))}, r"ylim\[1\] must be a finite number, got inf"),
        ({"start": (99.0, 0.0)}, "start must lie on the map"),
        ({"start": (0.0, float("nan"))}, r"start\[1\] must be a finite number, got nan"),
        ({"levels": (2.0, 1.0)}, "levels must be two or more ascending losses"),
        ({"levels": (1.0,)}, "levels must be two or more ascending losses"),
    ],
)
def test_a_surface_with_its_edges_start_or_levels_out_of_order_is_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RAVINE, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name must be a text, got 3; try 'Bowl'"),
        ({"loss": 3}, "loss must be a function of x and y, got 3"),
        ({"gradient": "none"}, "gradient must be a function of x and y, got 'none'"),
        ({"xlim": [-1.0, 1.0]}, r"xlim must be a tuple of two numbers, got \[-1.0, 1.0\]; try \(-1.0, 1.0\)"),
        ({"start": ("0", 0.0)}, r"start\[0\] must be a finite number, got '0'"),
        ({"minima": (0.0, 0.0)}, r"minima\[0\] must be a tuple of two numbers, got 0.0"),
    ],
)
def test_a_surface_with_a_part_of_another_kind_is_refused_in_words(change, message):
    with pytest.raises(TypeError, match=message):
        dataclasses.replace(RAVINE, **change)
