"""What do the tests of the live training train? Its data, a network of a millisecond a step, and the loop beside it."""

import time

import torch

from course_utils.data import Loader, Split
from course_utils.training import Run, train

__all__ = ["DATA", "TEST", "small_run", "trained", "wait_until", "weights"]

CLASSES = tuple("abcdefghij")


def made_split(count, name, seed=0):
    stream = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=stream, dtype=torch.uint8)
    return Split(images, torch.randint(0, 10, (count,), generator=stream), CLASSES, "photos", name)


TEST = made_split(16, "test", seed=1)
DATA = Loader(made_split(32, "train"), batch_size=4)


class Small(torch.nn.Module):
    """A network with a Dropout, so that the random stream matters, and so small that a step takes a millisecond."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(3072, 10))

    def forward(self, images):
        return self.layers(images)


def small_run(**options):
    model = Small()
    return Run(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5), **options)


def weights(run):
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


def trained(steps, run=None):
    """The oracle: the package's own loop."""
    run = run or small_run()
    for done in train(run, DATA, epochs=1000):
        if done.step + 1 == steps:
            return run
    raise AssertionError("not reached")


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)
