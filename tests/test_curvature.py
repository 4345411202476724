"""Curvature: the products and eigenvalues are those of the full Hessian, the edges those of real runs on a bowl."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from course_utils import curvature
from course_utils.curvature import (
    NoiseScale,
    adam_edge,
    adam_preconditioner,
    edge,
    flat_gradient,
    hessian_vector_product,
    largest_eigenvalues,
    noise_scale,
    predicted_change,
    sharpness,
)
from course_utils.seeding import generator

float64 = torch.float64


@pytest.fixture(scope="module")
def small():
    """A small network in float64, its loss, and the full Hessian of it, built entry by entry."""
    stream = generator(0, "test/curvature")
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    images, labels = torch.randn(20, 5, generator=stream, dtype=float64), torch.randint(3, (20,), generator=stream)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=stream, dtype=float64))
    start = nn.utils.parameters_to_vector(model.parameters()).detach()

    def loss_at(flat):
        named, at = {}, 0
        for name, parameter in model.named_parameters():
            named[name] = flat[at : at + parameter.numel()].view_as(parameter)
            at += parameter.numel()
        return cross_entropy(torch.func.functional_call(model, named, (images,)), labels)

    hessian = torch.autograd.functional.hessian(loss_at, start)
    return model, lambda: cross_entropy(model(images), labels), loss_at, start, hessian


def bowl(*curvatures, at=None):
    """A quadratic with these curvatures: its loss at ``at``, and its parameters."""
    c = torch.tensor(curvatures, dtype=float64)
    place = torch.ones_like(c) if at is None else torch.tensor(at, dtype=float64)
    place.requires_grad_()
    return (c * place**2).sum() / 2, [place]


def test_a_product_is_that_of_the_full_hessian(small):
    model, loss, _, start, hessian = small
    vector = torch.linspace(-1, 1, len(start), dtype=float64)
    ours = hessian_vector_product(loss(), model.parameters(), vector)
    torch.testing.assert_close(ours, hessian @ vector, rtol=1e-10, atol=1e-12)


def test_the_gradient_in_one_row_is_that_of_backward_and_leaves_no_grad(small):
    model, loss, *_ = small
    ours = flat_gradient(loss(), model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    theirs = torch.autograd.grad(loss(), list(model.parameters()))
    assert torch.equal(ours, torch.cat([part.flatten() for part in theirs]))


@pytest.mark.parametrize("count", [1, 4])
def test_the_largest_eigenvalues_are_those_of_the_full_hessian(small, count):
    model, loss, _, _, hessian = small
    found = largest_eigenvalues(loss(), model.parameters(), count, tolerance=1e-8)
    values, vectors = torch.linalg.eigh(hessian)
    torch.testing.assert_close(found.values, values.flip(0)[:count], rtol=1e-7, atol=1e-9)
    alignment = (found.vectors * vectors.flip(1)[:, :count].T).sum(dim=1).abs()
    torch.testing.assert_close(alignment, torch.ones(count, dtype=float64), rtol=1e-4, atol=0)


def test_no_more_products_are_taken_than_the_tolerance_asks_for(small):
    model, loss, *_ = small
    rough, exact = (largest_eigenvalues(loss(), model.parameters(), tolerance=t).products for t in (1e-1, 1e-9))
    assert rough < exact < 66


def test_the_largest_is_not_the_most_negative():
    assert sharpness(*bowl(-9.0, 1.0, 4.0)) == pytest.approx(4)


def test_a_hessian_that_is_negative_all_over_has_its_least_negative_value():
    assert sharpness(*bowl(-9.0, -1.0)) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("curvatures", "largest"), [((3.0, 3.0, 1.0), [3, 3]), ((2.0, 2.0, 2.0), [2, 2]), ((5.0, 0.0, 0.0, 0.0), [5, 0])]
)
def test_values_that_occur_several_times_are_found_as_often(curvatures, largest):
    found = largest_eigenvalues(*bowl(*curvatures), count=2)
    torch.testing.assert_close(found.values, torch.tensor(largest, dtype=float64), rtol=1e-6, atol=1e-9)


def test_a_warm_start_in_the_wrong_direction_finds_the_largest_all_the_same():
    start = torch.tensor([1.0, 0.0, 0.0])
    assert sharpness(*bowl(1.0, 2.0, 3.0), start=start) == pytest.approx(3, rel=1e-3)


def test_a_warm_start_saves_products(small):
    model, loss, *_ = small
    cold = largest_eigenvalues(loss(), model.parameters(), tolerance=1e-2)
    warm = largest_eigenvalues(loss(), model.parameters(), tolerance=1e-2, start=cold.vectors[0])
    assert warm.products < cold.products


def test_a_loss_without_curvature_has_none():
    place = torch.ones(3, requires_grad=True)
    assert sharpness(place.sum(), [place]) == 0
    assert hessian_vector_product(place.sum(), [place], torch.ones(3)).tolist() == [0, 0, 0]


def test_the_same_call_gives_the_same_bits_whatever_was_drawn_before(small):
    model, loss, *_ = small
    first = sharpness(loss(), model.parameters())
    torch.rand(3)
    assert sharpness(loss(), model.parameters()) == first


def test_the_preconditioned_values_are_those_of_the_divided_hessian(small):
    model, loss, _, start, hessian = small
    scale = torch.linspace(0.1, 3, len(start), dtype=float64)
    found = largest_eigenvalues(loss(), model.parameters(), preconditioner=scale, tolerance=1e-8)
    theirs = torch.linalg.eigvals(hessian / scale[:, None]).real.max()
    assert found.values[0].item() == pytest.approx(theirs.item(), rel=1e-7)
    image = hessian @ found.vectors[0] / scale
    torch.testing.assert_close(image, found.values[0] * found.vectors[0], rtol=1e-3, atol=1e-3)


def test_values_that_do_not_settle_are_an_error_with_a_way_out(small):
    model, loss, *_ = small
    with pytest.raises(ValueError, match=r"most must suffice for a tolerance of 0\.001, got 2; try most=4"):
        sharpness(loss(), model.parameters(), most=2)


# ---- Predictions of a step -------------------------------------------------------------------------------------------


def test_the_second_order_prediction_is_exact_on_a_quadratic():
    loss, parameters = bowl(1.0, 8.0, at=(2.0, -1.0))
    step = torch.tensor([-0.3, 0.2], dtype=float64)
    predicted = predicted_change(loss, parameters, step)
    assert predicted.first_order == pytest.approx(-0.3 * 2 - 0.2 * 8)
    assert predicted.second_order == pytest.approx((1.7**2 + 8 * 0.8**2 - 4 - 8) / 2)


def test_a_prediction_of_a_network_misses_by_the_next_order(small):
    model, loss, loss_at, start, _ = small
    step = -0.1 * flat_gradient(loss(), model.parameters())
    errors = []
    for share in (1.0, 0.5):
        predicted = predicted_change(loss(), model.parameters(), share * step)
        change = (loss_at(start + share * step) - loss_at(start)).item()
        errors.append((abs(change - predicted.first_order), abs(change - predicted.second_order)))
    (first, second), (first_half, second_half) = errors
    assert first / first_half == pytest.approx(4, rel=0.1)  # quadratic in the step
    assert second / second_half == pytest.approx(8, rel=0.1)  # cubic


# ---- Edges: where runs on a bowl begin to grow -----------------------------------------------------------------------


def grows(make, curvature, steps=4000):
    """Whether a run on a bowl of this curvature is farther from its minimum at the end than at its start."""
    place = torch.ones(1, dtype=float64, requires_grad=True)
    optimizer = make([place])
    for _ in range(steps):
        optimizer.zero_grad()
        (curvature * place**2 / 2).sum().backward()
        optimizer.step()
        if not place.abs().item() < 1e3:  # farther out the preconditioner of Adam would grow, too
            return True
    return place.abs().item() > 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.5},
        {"momentum": 0.9},
        {"momentum": 0.5, "nesterov": True},
        {"momentum": 0.9, "nesterov": True},
    ],
)
def test_a_run_of_sgd_grows_just_above_its_edge_and_not_just_below(options):
    limit = edge(0.1, **options)
    assert not grows(lambda p: torch.optim.SGD(p, lr=0.1, **options), 0.99 * limit)
    assert grows(lambda p: torch.optim.SGD(p, lr=0.1, **options), 1.01 * limit)


def test_weight_decay_adds_itself_to_the_curvature():
    limit = edge(0.1) - 3
    assert not grows(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=3), 0.99 * limit)
    assert grows(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=3), 1.02 * limit)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_adam_with_a_preconditioner_that_stands_still_grows_just_above_its_edge(beta1):
    """With beta2 near 1 and a v of 1 that is set by hand, P stays 1, and Adam is SGD with an averaged gradient."""

    def frozen(params):
        optimizer = torch.optim.Adam(params, lr=0.1, betas=(beta1, 1 - 1e-15), eps=0)
        optimizer.state[params[0]] = {
            "step": torch.tensor(1e18),
            "exp_avg": torch.zeros_like(params[0]),
            "exp_avg_sq": torch.ones_like(params[0]),
        }
        return optimizer

    limit = adam_edge(0.1, beta1=beta1)
    assert not grows(frozen, 0.99 * limit)
    assert grows(frozen, 1.01 * limit)


def test_the_edges_are_those_of_the_papers():
    assert (edge(0.1), edge(0.1, momentum=0.9)) == (pytest.approx(20), pytest.approx(38))
    assert adam_edge(0.001) == pytest.approx(38_000)


def test_the_preconditioner_of_adam_is_what_its_own_step_divides_by():
    stream = generator(0, "test/adam")
    parameters = [
        torch.randn(3, 2, generator=stream).requires_grad_(),
        torch.randn(4, generator=stream).requires_grad_(),
    ]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(3):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=stream)
        before = torch.cat([p.detach().flatten().clone() for p in parameters])
        optimizer.step()
    moved = (before - torch.cat([p.detach().flatten() for p in parameters])) / 0.01
    averaged = torch.cat([optimizer.state[p]["exp_avg"].flatten() for p in parameters])
    torch.testing.assert_close(averaged / adam_preconditioner(optimizer), moved, rtol=1e-3, atol=1e-4)


# ---- Noise -----------------------------------------------------------------------------------------------------------


def test_the_noise_scale_of_made_up_gradients_is_the_one_they_were_made_with():
    mean = torch.full((50,), 0.2)
    per_image = 3.0
    stream = generator(0, "test/noise")
    gradients = mean + per_image / math.sqrt(64) * torch.randn(400, 50, generator=stream)
    found = noise_scale(gradients, 64)
    assert found.noise == pytest.approx(50 * per_image**2, rel=0.05)
    assert found.signal == pytest.approx(50 * 0.2**2, rel=0.1)
    assert found.batch_size == pytest.approx(225, rel=0.1)


def test_the_noise_scale_is_that_of_all_single_gradients():
    """With batches of one image: tr(Sigma) is the variance that torch computes, and |G|^2 is without its share."""
    rows = torch.randn(30, 8, generator=generator(0, "test/rows"), dtype=float64) + 1
    found = noise_scale(rows, 1)
    assert found.noise == pytest.approx(rows.var(dim=0).sum().item())
    assert found.signal == pytest.approx((rows.mean(dim=0).square().sum() - rows.var(dim=0).sum() / 30).item())


def test_where_no_signal_is_seen_no_batch_is_large_enough():
    assert NoiseScale(signal=-0.1, noise=2.0).batch_size == math.inf


# ---- The door --------------------------------------------------------------------------------------------------------

PLACE = torch.ones(2, requires_grad=True)
LOSS = (PLACE**2).sum()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sharpness(1.0, [PLACE]), TypeError, "loss must be the loss itself"),
        (lambda: sharpness(LOSS.detach(), [PLACE]), ValueError, "with its graph"),
        (lambda: sharpness(LOSS * math.nan, [PLACE]), ValueError, "one finite number"),
        (lambda: sharpness(PLACE * 2, [PLACE]), ValueError, "one finite number"),
        (lambda: sharpness(LOSS, 3), TypeError, "some tensors, got int; try model.parameters"),
        (lambda: sharpness(LOSS, [3]), TypeError, "parameters must be tensors, got 3"),
        (lambda: sharpness(LOSS, []), ValueError, "got none that does"),
        (lambda: hessian_vector_product(LOSS, [PLACE], [1, 2]), TypeError, "vector must be a tensor, got list"),
        (lambda: hessian_vector_product(LOSS, [PLACE], torch.ones(3)), ValueError, r"2 finite numbers in a row, got"),
        (lambda: hessian_vector_product(LOSS, [PLACE], torch.tensor([1, math.nan])), ValueError, "finite numbers"),
        (lambda: largest_eigenvalues(LOSS, [PLACE], 3), ValueError, "from 1 to 2, got 3"),
        (lambda: largest_eigenvalues(LOSS, [PLACE], tolerance=0), ValueError, "tolerance must be"),
        (lambda: largest_eigenvalues(LOSS, [PLACE], preconditioner=torch.zeros(2)), ValueError, "2 positive numbers"),
        (lambda: edge(0), ValueError, "lr must be a finite number above 0, got 0; try 0.1"),
        (lambda: edge(0.1, momentum=1), ValueError, "momentum must be"),
        (lambda: edge(0.1, nesterov=1), TypeError, "nesterov must be True or False"),
        (lambda: adam_edge(-1), ValueError, "lr must be"),
        (lambda: adam_preconditioner(torch.optim.SGD([PLACE], lr=1)), TypeError, "must be an Adam or AdamW, got SGD"),
        (lambda: adam_preconditioner(torch.optim.Adam([PLACE])), ValueError, "must have made a step"),
        (lambda: noise_scale(torch.ones(1, 2), 4), ValueError, "k of 2 or more, got"),
        (lambda: noise_scale([[1.0]], 4), TypeError, "gradients must be a Tensor, got list"),
        (lambda: noise_scale(torch.ones(2, 2), 0), ValueError, "batch_size must be a whole number of 1 or more"),
    ],
)
def test_what_is_wrong_is_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_an_answer_says_itself_in_one_line():
    found = largest_eigenvalues(*bowl(1.0, 4.0))
    assert repr(found) == "Curved(4; 2 products)"
    assert set(curvature.__all__) >= {"sharpness", "hessian_vector_product"}
