"""What do the tests of proofs train? Points that no network learns in a few steps, in a block that can be proven."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from tests.helpers.doctor_programs import mlp, setup

__all__ = ["noisy", "proof_of", "trained", "with_two_models"]


def noisy(n=256, classes=4, seed=0):
    """Points whose classes overlap: no network learns them in a few steps."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (n,), generator=g)
    return F.one_hot(y, 20).float() * 1.5 + torch.randn(n, 20, generator=g), y


def proof_of(program, name=None):
    with doctor.watch(prove=True) as report:
        program()
    return report.prove(name), report


def trained(*, lr=0.1, optimizer="sgd", model=None, clear=True, scheduler=None, loss_fn=F.cross_entropy, cut=None):
    s = setup(model=model or mlp(), optimizer=optimizer, lr=lr, data=noisy())
    plan = scheduler(s.opt) if scheduler else None
    for _ in range(3):
        for x, y in s.loader:
            if clear:
                s.opt.zero_grad()
            loss_fn(s.model(x), y).backward()
            s.opt.step()
            if plan:
                plan.step()
    return s


def with_two_models(lr=100.0):
    torch.manual_seed(0)
    first, second = nn.Linear(20, 8), nn.Linear(8, 4)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=lr)
    x, y = noisy()
    for _ in range(12):
        optimizer.zero_grad()
        F.cross_entropy(second(first(x)), y).backward()
        optimizer.step()
