"""Loops of other forms than the course's: watched without harm, to the last bit, and none is accused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, StepLR

from course_utils import doctor
from tests.helpers.doctor_programs import blobs, mlp

ROOT = Path(__file__).parent.parent
STEPS = 24


def batches(x, y, size=32, steps=STEPS):
    for i in range(steps):
        rows = [(i * size + j) % len(x) for j in range(size)]
        yield x[rows], y[rows]


def compiled():
    model = mlp()
    fast, optimizer = torch.compile(model, backend="eager"), torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(*blobs()):
        optimizer.zero_grad()
        F.cross_entropy(fast(x), y).backward()
        optimizer.step()
    return model


def compiled_step():
    """The whole of forward and loss in one compiled function."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    @torch.compile(backend="eager")
    def loss_of(x, y):
        return F.cross_entropy(model(x), y)

    for x, y in batches(*blobs()):
        optimizer.zero_grad()
        loss_of(x, y).backward()
        optimizer.step()
    return model


def scaled():
    """Mixed precision with a GradScaler, unscaled before the clipping."""
    model, scaler = mlp(), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(*blobs()):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        scaler.step(optimizer)
        scaler.update()
    return model


def closures():
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")
    x, y = blobs()
    for _ in range(8):

        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)
    return model


def actor_and_critic():
    """A game of one move, of which the right one of four pays 1: two networks, two optimizers, no loss of torch."""
    actor, critic = mlp(), mlp(nn.Linear(4, 1))
    optimizers = [torch.optim.Adam(net.parameters(), lr=0.01) for net in (actor, critic)]
    for states, right in batches(*blobs()):
        moves = torch.distributions.Categorical(logits=actor(states))
        move = moves.sample()
        gain = (move == right).float() - critic(states).squeeze(1)
        losses = -(moves.log_prob(move) * gain.detach()).mean() - 0.01 * moves.entropy().mean(), gain.square().mean()
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return nn.ModuleList([actor, critic])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.body, self.last = nn.Embedding(12, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 12)

    def forward(self, tokens, state=None):
        out, state = self.body(self.symbols(tokens), state)
        return self.last(out), state


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.symbols, self.places = nn.Embedding(12, 16), nn.Parameter(0.1 * torch.randn(9, 16))
        self.body, self.last = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 12)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.last(self.body(self.symbols(tokens) + self.places[: tokens.shape[1]], mask, is_causal=True))


def counting(steps=STEPS):
    """Twelve symbols that count upwards: ``(16, 10)``, another start in each row."""
    g = torch.Generator().manual_seed(1)
    for _ in range(steps):
        yield (torch.randint(12, (16, 1), generator=g) + torch.arange(10)) % 12


def recurrent():
    """Truncated backpropagation: the state goes on from one part of the text to the next, without its graph."""
    model = Recurrent()
    optimizer, state = torch.optim.Adam(model.parameters(), lr=0.01), None
    for text in counting():
        scores, state = model(text[:, :-1], state)
        state = state.detach()
        optimizer.zero_grad()
        F.cross_entropy(scores.flatten(0, 1), text[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return model


def transformer():
    model = Attending()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 6))
    for text in counting():
        optimizer.zero_grad()
        F.cross_entropy(model(text[:, :-1]).transpose(1, 2), text[:, 1:]).backward()
        optimizer.step()
        scheduler.step()
    return model


LOOPS = [compiled, compiled_step, scaled, closures, actor_and_critic, recurrent, transformer]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_a_sound_loop_ends_with_the_same_weights_and_is_told_no_fault(loop):
    torch.manual_seed(0)
    plain = loop().state_dict()
    torch.manual_seed(0)
    with doctor.watch() as report:
        watched = loop().state_dict()
    assert [finding.name for finding in report.findings] == []
    assert (report.recording.stumble, report.failures) == ("", ())
    assert report.recording.updates
    assert {name for name in plain if not torch.equal(plain[name], watched[name])} == set()


class Wrapped(torch.optim.Optimizer):
    """An optimizer around another one that is its own face only, as accelerate's and Lightning's are."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def param_groups(self):
        return self.inner.param_groups

    @property
    def defaults(self):
        return self.inner.defaults

    def step(self, closure=None):
        return self.inner.step(closure)


def test_the_plan_of_a_wrapped_optimizer_is_judged_by_the_steps_of_the_one_inside():
    model = mlp()
    optimizer = Wrapped(torch.optim.SGD(model.parameters(), lr=0.1))
    with doctor.watch() as report:
        scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
        for x, y in batches(*blobs(), steps=40):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    assert report.findings[0].name == "scheduler-stepped-per-batch"


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What each of two processes saw of its training, by rank."""
    folder = tmp_path_factory.mktemp("torchrun")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with subprocess.Popen(
        [*command, "-m", "tests.helpers.doctor_torchrun", str(folder)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            said, _ = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends the two, which a kill would leave behind
            raise
    assert process.returncode == 0, said.decode()[-2000:]
    return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


def test_one_of_two_processes_is_watched_and_both_end_with_the_same_weights(two_processes):
    watched, other = two_processes
    assert watched["healthy"]["found"] == []
    assert "Doctor: healthy. 24 steps observed" in watched["healthy"]["printed"]
    assert (other["healthy"]["found"], other["healthy"]["printed"]) == (None, "")
    assert watched["plain"] == watched["healthy"]["weights"] == other["healthy"]["weights"]


def test_a_fault_in_two_processes_is_named_by_the_watched_one(two_processes):
    assert two_processes[0]["wild"]["found"][0] == "learning-rate-too-high"
