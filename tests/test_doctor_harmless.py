"""Tensors that hold no plain numbers, and models that are traced or transformed: left alone, and nobody is accused."""

import copy
import subprocess
import sys
import warnings
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

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


def chained():
    """A scheduler that is no scheduler to torch's own eyes: it has no count of its steps."""
    model, (x, y) = mlp(), blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plans = [torch.optim.lr_scheduler.StepLR(optimizer, 30), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)]
    scheduler = torch.optim.lr_scheduler.ChainedScheduler(plans)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        scheduler.step()
    return model


class Lookahead(torch.optim.Optimizer):
    """An optimizer around another one that has never heard of its base class's constructor."""

    def __init__(self, inner):
        self.inner, self.param_groups = inner, inner.param_groups

    def zero_grad(self, set_to_none=True):
        self.inner.zero_grad(set_to_none)

    def step(self, closure=None):
        self.inner.step(closure)


def around_another():
    model, (x, y) = mlp(), blobs()
    optimizer = Lookahead(torch.optim.SGD(model.parameters(), lr=0.1))
    return train(model, lambda: F.cross_entropy(model(x), y), optimizer=optimizer)


class OwnRate(torch.optim.SGD):
    """It finds its own learning rate, as Adafactor does."""

    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = 0.1
        super().step(closure)
        for group in self.param_groups:
            group["lr"] = None


def without_a_rate():
    model, (x, y) = mlp(), blobs()
    optimizer = OwnRate(model.parameters(), lr=0.1)
    for group in optimizer.param_groups:
        group["lr"] = None
    return train(model, lambda: F.cross_entropy(model(x), y), optimizer=optimizer)


def one_sample():
    """Scores ``(classes,)`` and a target ``()``, without a batch."""
    model, (x, y), places = mlp(), blobs(), iter(range(STEPS))

    def loss_of():
        i = next(places)
        return F.cross_entropy(model(x[i]), y[i])

    return train(model, loss_of)


def a_copy_in_inference_mode():
    model, (x, y) = mlp(), blobs()
    train(model, lambda: F.cross_entropy(model(x), y))
    with torch.inference_mode():
        kept = copy.deepcopy(model).eval()
        kept(x)
    return train(model, lambda: F.cross_entropy(model(x), y))


def weights_of_a_task():
    """One inner step of MAML: the model is called with weights that are no leaves."""
    model, (x, y) = mlp(), blobs()

    def loss_of():
        weights = dict(model.named_parameters())
        slopes = torch.autograd.grad(F.cross_entropy(model(x[:16]), y[:16]), weights.values(), create_graph=True)
        inner = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), slopes, strict=True)}
        return F.cross_entropy(functional_call(model, inner, (x[16:32],)), y[16:32])

    return train(model, loss_of)


def complex_numbers():
    model, target = nn.Linear(6, 3, dtype=torch.complex64), torch.rand(16, 3)
    x = torch.randn(16, 6, dtype=torch.complex64)
    return train(model, lambda: F.mse_loss(model(x).abs(), target))


def two_calls_before_two_losses():
    """Labels belong to the call that made the scores, not to the latest one."""
    model, (x, y), places = mlp(), blobs(), iter(range(STEPS))

    def loss_of():
        i = 16 * (next(places) % 4)
        one, other = model(x[i : i + 16]), model(x[i + 64 : i + 80])
        return F.cross_entropy(one, y[i : i + 16]) + F.cross_entropy(other, y[i + 64 : i + 80])

    return train(model, loss_of)


def steps_within_the_pass():
    """Each parameter steps as soon as its gradient is there, which is cleared at once."""
    model, (x, y) = mlp(), blobs()
    own = {parameter: torch.optim.SGD([parameter], lr=0.1) for parameter in model.parameters()}

    def step(parameter):
        own[parameter].step()
        own[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    for _ in range(STEPS):
        F.cross_entropy(model(x), y).backward()
    return model


def pass_within_the_pass():
    """A checkpoint of the older kind calls backward() inside backward()."""
    model, (x, y) = mlp(), blobs()
    return train(model, lambda: F.cross_entropy(checkpoint(model, x.clone().requires_grad_(), use_reentrant=True), y))


def cleared_through_data():
    model, (x, y) = mlp(), blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2 * STEPS):
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.data.zero_()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def counted():
    """A mode of torch counts the operations: those of the doctor are none of them."""
    model, (x, y) = mlp(), blobs()
    with FlopCounterMode(display=False) as counter:
        train(model, lambda: F.cross_entropy(model(x), y))
    model.register_buffer("operations", torch.tensor(counter.get_total_flops()))
    return model


PROGRAMS = [a_whole_graph, traced, functions, gradients_of_samples, sparse_gradients, sparse_inputs, sparse_rows,
            nested, empty, no_numbers, on_meta, recursive, two_precisions, chained, around_another, without_a_rate,
            one_sample, a_copy_in_inference_mode, weights_of_a_task, complex_numbers, two_calls_before_two_losses,
            steps_within_the_pass, pass_within_the_pass, cleared_through_data, counted]  # fmt: skip


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


class Elsewhere(dict):
    """A dict whose every answer is computed, as in a lazy configuration; here none can be given."""

    def __getattribute__(self, name):
        raise RuntimeError(f"{name} was asked for")

    __len__ = __contains__ = __getattribute__


def test_a_look_at_everything_that_lives_asks_no_foreign_object():
    """A kept state may have a copy anywhere: the search passes proxies whose object is gone, and dicts that compute."""
    model, (x, y) = mlp(), blobs()
    strangers = [weakref.proxy(mlp()), Elsewhere({"0.weight": 0})]
    with doctor.watch() as report:
        train(model, lambda: F.cross_entropy(model(x), y))
        best = model.state_dict()
        train(model, lambda: F.cross_entropy(model(x), y))
        model.load_state_dict(best)
    assert len(strangers) == 2
    assert report.recording.stumble == ""
    assert [finding.name for finding in report.findings] == ["state-without-copy"]


SCRIPTED = """
import warnings, torch
from torch import nn
from course_utils import doctor
warnings.simplefilter("ignore")
with doctor.watch():
    torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)))
torch.jit.script(nn.CrossEntropyLoss())
"""


def test_what_is_scripted_first_within_a_block_is_scripted_as_without_it():
    """In a process of its own: TorchScript lists torch's functions when it is first used."""
    done = subprocess.run([sys.executable, "-c", SCRIPTED], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
