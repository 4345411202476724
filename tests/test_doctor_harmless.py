"""Tensors that hold no plain numbers, and models that are traced or transformed: left alone, and nobody is accused."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap

from course_utils import doctor
from tests.helpers.doctor_programs import blobs, mlp

STEPS = 12


def train(model, loss_of, *, optimizer=None):
    """A few steps on whatever ``loss_of`` computes; the model."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()
    return model


def a_whole_graph():
    model, (x, y) = mlp(), blobs()
    fast = torch.compile(model, backend="eager", fullgraph=True)
    return train(model, lambda: F.cross_entropy(fast(x), y))


def traced():
    model, (x, y) = mlp(), blobs()
    fast = torch.jit.trace(model, x[:2])
    return train(model, lambda: F.cross_entropy(fast(x), y))


def functions():
    """No optimizer, and no module that holds the weights: ``torch.func`` alone."""
    model, (x, y) = mlp(), blobs()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    for _ in range(STEPS):
        slopes = grad(lambda now: F.cross_entropy(functional_call(model, now, (x,)), y))(weights)
        weights = {name: weight - 0.1 * slopes[name] for name, weight in weights.items()}
    model.load_state_dict(weights)
    return model


def gradients_of_samples():
    """Each sample's own gradient, clipped, as differential privacy asks for."""
    model, (x, y) = mlp(), blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def of_one(weights, sample, label):
        return F.cross_entropy(functional_call(model, weights, (sample[None],)), label[None])

    for _ in range(STEPS):
        weights = {name: weight.detach() for name, weight in model.named_parameters()}
        slopes = vmap(grad(of_one), in_dims=(None, 0, 0))(weights, x[:32], y[:32])
        for name, weight in model.named_parameters():
            weight.grad = slopes[name].clamp(-1, 1).mean(dim=0)
        optimizer.step()
    return model


def sparse_gradients():
    model = nn.Sequential(nn.Embedding(50, 8, sparse=True), nn.Flatten(), nn.Linear(32, 3))
    words, y = torch.randint(50, (64, 4)), torch.randint(3, (64,))
    return train(model, lambda: F.cross_entropy(model(words), y))


class OnGraph(nn.Module):
    """One layer of a network on a graph, whose edges come as a sparse matrix."""

    def __init__(self):
        super().__init__()
        self.points, self.last = nn.Parameter(torch.randn(16, 6)), nn.Linear(6, 3)

    def forward(self, edges):
        return edges @ self.last(self.points)


def sparse_inputs():
    model, y = OnGraph(), torch.randint(3, (16,))
    edges = (torch.rand(16, 16) < 0.3).float().to_sparse()
    return train(model, lambda: F.cross_entropy(model(edges), y))


def sparse_rows():
    model, y = OnGraph(), torch.randint(3, (16,))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        edges = (torch.rand(16, 16) < 0.3).float().to_sparse_csr()
        return train(model, lambda: F.cross_entropy(model(edges), y))


def nested():
    model = nn.Linear(4, 3)
    texts = torch.nested.nested_tensor([torch.randn(3, 4), torch.randn(5, 4)], layout=torch.jagged)
    return train(model, lambda: model(texts).to_padded_tensor(0.0).square().mean())


def empty():
    """A batch without samples, as the last part of a filtered data set may be."""
    model, (x, y) = mlp(), blobs()
    sizes = iter([32, 0, 32, 32, 0] * STEPS)

    def loss_of():
        size = next(sizes)
        return F.cross_entropy(model(x[:size]), y[:size], reduction="sum") / 32

    return train(model, loss_of)


def no_numbers():
    """A parameter of no elements, which never gets a gradient."""
    model, (x, y) = mlp(), blobs()
    model.register_parameter("none", nn.Parameter(torch.empty(0)))
    return train(model, lambda: F.cross_entropy(model(x), y))


def on_meta():
    """Sizes alone, to see how large a network would be."""
    nn.Linear(3, 3, device="meta")(torch.randn(2, 3, device="meta")).sum().backward()
    return nn.Linear(3, 3)


class Tree(nn.Module):
    """Calls itself."""

    def __init__(self):
        super().__init__()
        self.body, self.last = nn.Linear(20, 20), nn.Linear(20, 4)

    def forward(self, x, depth=3):
        return self(x + self.body(x).relu(), depth - 1) if depth else self.last(x)


def recursive():
    model, (x, y) = Tree(), blobs()
    return train(model, lambda: F.cross_entropy(model(x), y))


def two_precisions():
    """Half of the weights in double precision, and one optimizer for both."""
    first, last, (x, y) = nn.Linear(20, 16).double(), nn.Linear(16, 4), blobs()
    model = nn.ModuleList([first, last])
    return train(model, lambda: F.cross_entropy(last(first(x.double()).relu().float()), y))


PROGRAMS = [a_whole_graph, traced, functions, gradients_of_samples, sparse_gradients, sparse_inputs, sparse_rows,
            nested, empty, no_numbers, on_meta, recursive, two_precisions]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:FutureWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize(
    "wishes", [{}, {"probe": True}, {"prove": True}], ids=lambda wishes: "".join(wishes) or "plain"
)
def test_what_the_doctor_cannot_read_does_it_no_harm_and_gets_none(program, wishes):
    torch.manual_seed(0)
    plain = program().state_dict()
    torch.manual_seed(0)
    with doctor.watch(**wishes) as report:
        watched = program().state_dict()
    assert (report.recording.stumble, report.failures) == ("", ())
    assert [finding.name for finding in report.findings if finding.severity != "note"] == []
    assert "they failed" not in str(report)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)
