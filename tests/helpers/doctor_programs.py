"""What do the tests of the doctor train? Easy points, a small network, an optimizer of each kind, and the step."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def blobs(n=256, seed=0, classes=4, features=20):
    """Points around one centre for each class: easy to learn."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, features, generator=torch.Generator().manual_seed(99)) * 1.5
    y = torch.randint(classes, (n,), generator=g)
    return centres[y] + torch.randn(n, features, generator=g), y


def mlp(*extra, features=20, classes=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes), *extra)


def setup(*, model=None, optimizer="sgd", lr=0.1, batch_size=16, n=256, loader_options=None, data=None):
    model = model or mlp()
    x, y = data or blobs(n)
    options = {"batch_size": batch_size, "shuffle": True, "generator": torch.Generator().manual_seed(1)}
    loader = DataLoader(TensorDataset(x, y), **(options | (loader_options or {})))
    kinds = {
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=lr),
        "momentum": lambda: torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9),
        "adam": lambda: torch.optim.Adam(model.parameters(), lr=lr / 10),
    }
    return SimpleNamespace(model=model, x=x, y=y, loader=loader, opt=kinds[optimizer]())


def step(s, x, y, loss_fn=F.cross_entropy):
    s.opt.zero_grad()
    loss = loss_fn(s.model(x), y)
    loss.backward()
    s.opt.step()
    return loss.item()


def learn(s, epochs=2, each=lambda: None, after=lambda: None, loss_fn=F.cross_entropy):
    for _ in range(epochs):
        for x, y in s.loader:
            step(s, x, y, loss_fn)
            each()
        after()


def with_dropout():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))


def leave(block, error):
    """Leave a watched block, by an error where one is given, which passes on."""
    if error is None:
        block.__exit__(None, None, None)
    else:
        raised = error("stop")
        assert not block.__exit__(type(raised), raised, None)
