"""The network of the course: its layers, its shapes, its seed."""

import pytest
import torch
from torch import nn

from course_utils.model import Tudui, build_model, count_parameters

LAYERS = ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3", "flatten", "fc1", "fc2"]


def written_out() -> nn.Sequential:
    """The same network as the source notes write it, layer after layer without names."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 5, padding=2), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 64), nn.Linear(64, 10),
    )  # fmt: skip


def test_the_layers_carry_the_names_of_the_notes():
    assert [name for name, _ in Tudui().model.named_children()] == LAYERS


def test_it_computes_what_the_notes_network_computes():
    model, reference = build_model(0), written_out()
    reference.load_state_dict(dict(zip(reference.state_dict(), model.model.state_dict().values(), strict=True)))
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(images), reference(images))


def test_it_has_as_many_parameters_as_the_notes_network():
    assert count_parameters(Tudui()) == sum(p.numel() for p in written_out().parameters()) == 145_578


def test_frozen_parameters_are_not_counted():
    model = Tudui()
    model.model.fc2.requires_grad_(False)
    assert count_parameters(model) == 145_578 - 64 * 10 - 10


def test_softmax_turns_the_scores_into_probabilities_and_changes_no_weight():
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    scores, probabilities = build_model(3)(images), build_model(3, softmax=True)(images)
    torch.testing.assert_close(scores.softmax(dim=1), probabilities)


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(1)
    first = build_model(7)
    torch.manual_seed(2)
    again, other = build_model(7), build_model(8)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_building_a_model_leaves_the_global_random_stream_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_model(0)
    assert torch.equal(torch.rand(3), expected)


def test_the_weights_have_the_spread_that_torch_gives_a_fresh_layer():
    weight, bound = build_model(0).model.conv2.weight, (32 * 25) ** -0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_convolutions_lie_in_channels_last_memory():
    assert build_model(0).model.conv2.weight.is_contiguous(memory_format=torch.channels_last)


def test_the_model_moves_to_the_device_asked_for():
    model = build_model(0, device="meta")
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert model(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_model_on_cuda_computes_what_it_computes_on_the_cpu():
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    on_cuda = build_model(0, device="cuda")(images.cuda()).cpu()
    torch.testing.assert_close(on_cuda, build_model(0)(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (torch.zeros(2, 3, 28, 28), ValueError, r"\(batch, 3, 32, 32\), got \(2, 3, 28, 28\)"),
        (torch.zeros(3, 32, 32), ValueError, r"got \(3, 32, 32\); try images\[None\]"),
        (
            torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
            TypeError,
            r"got torch.uint8; try images.float\(\) / 255",
        ),
        ([1.0], TypeError, "got list"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_words(images, error, words):
    with pytest.raises(error, match=words):
        Tudui()(images)
