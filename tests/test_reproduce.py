"""The reproduction of the source notes: its trainings are theirs, its tables add up, it sees a freeze."""

import sys

import pytest
import torch

from benchmarks import reproduce
from benchmarks.reproduce import (
    ADAM_PER_BATCH,
    EXPERIMENTS,
    PLAIN,
    SGD_PER_BATCH,
    SGD_PER_EPOCH,
    SOFTMAX,
    Outcome,
    beside_the_notes,
    perform,
)
from course_utils.data import load_images


@pytest.fixture(scope="module")
def split():
    """1,000 images: 15 full batches of 64 and a rest of 40."""
    return load_images("photos", "test", limit=1_000, announce=False)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_every_experiment_starts_from_the_same_weights(experiment):
    ours, plain = experiment.run().model.parameters(), PLAIN.run().model.parameters()
    assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))


def test_the_experiments_are_those_of_the_notes():
    found = {
        e.name: (e.optimizer.__name__, e.lr, e.softmax, e.cadence)
        for e in (PLAIN, SOFTMAX, SGD_PER_BATCH, ADAM_PER_BATCH)
    }
    assert list(found.values()) == [
        ("SGD", 0.01, False, None),
        ("SGD", 0.01, True, None),
        ("SGD", 0.01, False, "step"),
        ("Adam", 0.01, False, "step"),
    ]


def test_the_published_losses_are_those_of_the_notes():
    assert list(PLAIN.published.values()) == [360.6461, 356.7375, 344.2848, 324.0723, 309.8381]
    assert SOFTMAX.published == {1: 359.2307, 2: 359.2193, 12: 359.0850}


def test_a_scheduler_stepped_per_batch_is_seen_to_freeze_every_weight(split):
    assert perform(SGD_PER_BATCH, split, epochs=6).frozen_since in (5, 6)


def test_the_cure_keeps_the_weights_moving(split):
    assert perform(SGD_PER_EPOCH, split, epochs=5).frozen_since is None


@pytest.mark.parametrize(("experiment", "batches"), [(PLAIN, 16), (SOFTMAX, 15)])
def test_running_loss_is_the_sum_over_the_batches_that_the_notes_used(split, experiment, batches):
    outcome = perform(experiment, split, epochs=1)
    assert len(outcome.run.losses) == outcome.batches == batches
    assert outcome.running_loss == [outcome.run.losses.sum().item()]
    assert outcome.mean_loss == pytest.approx([outcome.run.losses.mean().item()])


def test_the_table_gives_the_deviation_in_per_cent():
    run = PLAIN.run()
    table = beside_the_notes(Outcome(PLAIN, 157, [360.6461 * 1.01, 356.7375 * 0.98], None, run))
    assert [line.split()[-1] for line in table.splitlines()[2:]] == ["+1.00", "-2.00"]


def test_the_whole_program_prints_every_table_and_writes_the_figure(monkeypatch, tmp_path, capsys):
    figure = tmp_path / "new" / "figure.png"
    arguments = ["--source", "photos", "--epochs", "1", "--images", "64", "--figure", str(figure)]
    monkeypatch.setattr(sys, "argv", ["reproduce", *arguments])
    reproduce.main()
    printed = capsys.readouterr().out
    assert printed.count("deviation %") == 5
    assert all(e.name in printed.partition("Mistakes and cures")[2] for e in EXPERIMENTS)
    assert "accuracy on the test split" in printed
    assert figure.stat().st_size > 10_000
