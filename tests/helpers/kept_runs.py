"""What do the tests of checkpoints keep? A run that is some steps on, and the files that hold it."""

import pytest

from course_utils.training import Run, save, train
from tests.helpers.tiny_runs import TinyData, tiny_run

__all__ = ["advance", "names", "path", "scheduled", "two"]


def advance(run, steps, epochs=5):
    for _ in zip(range(steps), train(run, TinyData(), epochs=epochs), strict=False):
        pass
    return run


def scheduled(make, cadence="step", seed=0):
    run = tiny_run(momentum=0.9, seed=seed)
    return Run(run.model, run.optimizer, make(run.optimizer), cadence=cadence, seed=seed)


@pytest.fixture
def path(tmp_path):
    """Where a run can be kept."""
    return tmp_path / "run.pt"


@pytest.fixture
def two(path):
    """A path with a checkpoint of step 7 and, before it, of step 4."""
    run = advance(tiny_run(momentum=0.9), 4)
    save(run, path)
    save(advance(run, 3), path)
    return path


def names(folder):
    return sorted(file.name for file in folder.iterdir())
