"""The edge of stability: the page trains as torch does, and shows the same sharpness; settings refuse wrong values."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from course_utils.apps import EdgeOfStability
from course_utils.apps.edge.network import BATCH_SIZES, EVERY, IMAGES, make_network, patches, trained
from course_utils.curvature import flat_gradient, hessian_vector_product, sharpness
from tests.helpers.edge import page_of_edge, train_in_page


@pytest.fixture(scope="module")
def page():
    """What the page computes, asked of Node, with the images and weights that the kernel sends it."""
    with page_of_edge() as (node, count):
        assert count == sum(part.numel() for part in make_network().parameters()) == 3466
        yield node


def some_weights(model):
    """Weights with which no gradient and no curvature is small, written into ``model``, and as a row."""
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in model.parameters():
            part += 0.2 * torch.randn(part.shape, generator=stream, dtype=part.dtype)
    return torch.cat([part.detach().flatten() for part in model.parameters()])


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_loss_gradient_and_product_are_those_of_torch(page, batch_size):
    model, (images, labels) = make_network(), patches()
    weights = some_weights(model)
    vector = torch.linspace(-1, 1, len(weights), dtype=torch.float64)
    loss = cross_entropy(model(images[:batch_size]), labels[:batch_size])
    ours = page(
        """({ weights, vector, size }) => {
            const net = nets.batches(size)[0];
            const [gradient, product] = [new Float64Array(net.size), new Float64Array(net.size)];
            const loss = net.differentiate(Float64Array.from(weights), gradient);
            net.product(Float64Array.from(vector), product);
            return [[loss, ...gradient], [...product]];
        }""",
        {"weights": weights.tolist(), "vector": vector.tolist(), "size": batch_size},
    )
    gradient = flat_gradient(loss, model.parameters())
    product = hessian_vector_product(loss, model.parameters(), vector)
    theirs = torch.cat([loss.detach()[None], gradient])
    torch.testing.assert_close(torch.tensor(ours[0], dtype=torch.float64), theirs, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(torch.tensor(ours[1], dtype=torch.float64), product, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("lr", "momentum", "batch_size"), [(0.2, 0.0, 500), (0.05, 0.9, 100), (0.1, 0.5, 20)])
def test_a_training_of_the_page_is_that_of_torch(page, lr, momentum, batch_size):
    steps = 150
    ours, theirs = train_in_page(page, lr, momentum, batch_size, steps), trained(0, lr, momentum, batch_size, steps)
    assert (ours["step"], len(theirs.losses)) == (steps, steps)
    np.testing.assert_allclose(ours["losses"], theirs.losses, rtol=1e-8)
    # A few products follow the steepest direction; while it turns they lag behind, and then they have it.
    np.testing.assert_allclose(ours["sharpness"], theirs.sharpness, rtol=0.05)
    np.testing.assert_allclose(ours["sharpness"][-3:], theirs.sharpness[-3:], rtol=0.01)
    assert ours["limits"] == pytest.approx([2 * (1 + momentum) / lr] * len(theirs.steps))


def test_the_first_sharpness_is_that_of_torch(page):
    model, (images, labels) = make_network(), patches()
    exact = sharpness(cross_entropy(model(images), labels), model.parameters(), tolerance=1e-8)
    ours = train_in_page(page, 0.1, 0, 500, 1)["sharpness"]
    assert ours == [pytest.approx(exact, rel=5e-3)]


def test_the_images_are_standardised_grey_patches_and_the_seed_decides_the_weights():
    images, labels = patches()
    assert (images.shape, labels.shape, images.dtype) == ((IMAGES, 64), (IMAGES,), torch.float64)
    assert images.mean(dim=0).abs().max() < 1e-12
    assert (images.std(dim=0) - 1).abs().max() < 1e-12
    first, same, other = (next(make_network(seed).parameters()) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_sharpness_climbs_to_the_line_and_stays_beside_it():
    # At larger rates the swing about the line grows out of the last bit, and goes another way on every processor.
    run = EdgeOfStability(lr=0.1).trained(1_100)
    assert run.sharpness[0] < 0.1 * 2 / 0.1
    late = run.sharpness[run.steps >= 700]
    assert 0.95 < np.median(late) / (2 / 0.1) < 1.15
    assert run.losses[-1] < 0.6 * run.losses[0]


def test_a_run_that_leaves_all_bounds_ends_there():
    run = trained(0, 2.0, 0.95, 20, 400)
    assert len(run.losses) <= 400
    assert len(run.steps) == len(run.sharpness) == -(-len(run.losses) // EVERY) or not np.isfinite(run.losses[-1])


@pytest.mark.parametrize(
    ("setting", "wrong", "words"),
    [
        ("lr", 0.0, "lr must be a number from 0.005 to 2, got 0.0; try 0.1"),
        ("lr", "0.1", "lr must be a number"),
        ("momentum", 1.0, "momentum must be a number from 0 to 0.95, got 1.0; try 0.9"),
        ("batch_size", 64, "batch_size must be one of 500, 100, 20, got 64; try 500"),
        ("batch_size", True, "batch_size must be one of"),
    ],
)
def test_a_wrong_setting_is_refused_in_words_and_the_old_one_stays(setting, wrong, words):
    widget = EdgeOfStability()
    before = getattr(widget, setting)
    with pytest.raises(ValueError, match=words):
        setattr(widget, setting, wrong)
    with pytest.raises(ValueError, match=words):
        EdgeOfStability(**{setting: wrong})
    assert getattr(widget, setting) == before


def test_what_a_hand_sets_is_heard_and_answered():
    widget = EdgeOfStability()
    widget._wishes = {"list": [{"number": 1, "set": {"lr": 0.4, "momentum": 0.5}}, {"number": 2, "set": {"lr": 9}}]}
    assert (widget.lr, widget.momentum, widget.edge) == (0.4, 0.5, pytest.approx(7.5))
    assert widget._answer["number"] == 2
    assert widget._answer["refused"] == {"lr": "lr must be a number from 0.005 to 2, got 9; try 0.1"}
    assert widget._answer["settings"] == {"lr": 0.4, "momentum": 0.5, "batch_size": 500}


def test_the_picture_says_where_the_line_lies():
    alt = EdgeOfStability(lr=0.5, momentum=0.5).figure().alt
    assert "2 (1 + momentum) / lr = 6" in alt
    assert "sharpness" in alt
    assert "400 steps at lr 0.5, momentum 0.5" in alt


def test_the_steps_of_a_run_are_checked():
    with pytest.raises(ValueError, match="steps must be a whole number from 1 to 2000, got 0; try 1000"):
        EdgeOfStability().trained(0)
    with pytest.raises(ValueError, match="seed must be"):
        EdgeOfStability(seed=-1)
