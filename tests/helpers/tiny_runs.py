"""A run that takes milliseconds: few points, a small network, every state that a checkpoint must hold."""

import math
from collections import OrderedDict

import torch
from torch import nn

from course_utils.seeding import generator
from course_utils.training import Run, snapshot, train
from course_utils.training import checkpoints as files

__all__ = ["CLASSES", "FEATURES", "TinyData", "finish", "packed", "same_weights", "tiny_model", "tiny_run"]

FEATURES, CLASSES = 6, 3


class TinyData:
    """Random points in a fixed number of batches, in an order that depends on the epoch alone."""

    def __init__(self, points=22, batch_size=5, device="cpu"):
        stream = generator(0, "points")
        self.points = torch.randn(points, FEATURES, generator=stream).to(device)
        self.labels = torch.randint(CLASSES, (points,), generator=stream).to(device)
        self.batch_size = batch_size

    def __len__(self):
        return math.ceil(len(self.points) / self.batch_size)

    def batches(self, epoch, start=0):
        order = torch.randperm(len(self.points), generator=generator(0, "order", epoch))
        for chosen in order.split(self.batch_size)[start:]:
            yield self.points[chosen], self.labels[chosen]


def tiny_model(dropout=0.5):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            OrderedDict(
                hidden=nn.Linear(FEATURES, 8),
                norm=nn.BatchNorm1d(8),
                drop=nn.Dropout(dropout),
                out=nn.Linear(8, CLASSES),
            )
        )


def tiny_run(optimizer=torch.optim.SGD, lr=0.1, seed=0, dropout=0.5, **options):
    model = tiny_model(dropout)
    return Run(model, optimizer(model.parameters(), lr=lr, **options), seed=seed)


def same_weights(a, b):
    states = zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in states)


def finish(run, data, epochs):
    for _ in train(run, data, epochs=epochs):
        pass
    return run


def packed(run):
    """The bytes that a file of ``run`` would have: an oracle for "nothing has changed"."""
    return files._packed(snapshot(run))
