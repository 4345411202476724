"""What does it cost to be watched? Trainings of the course's network, with and without the doctor, in turns.

    python -m benchmarks.doctor.overhead [--rounds 5] [--epochs 5]

Each round trains once bare and once under ``watch()``, from the same weights. What else a shared machine does can only
lengthen an epoch, so the fastest of each kind are compared; the median of the rounds' ratios stands beside. About 0.1 s
are spent once a block, whatever its length: ``--epochs 1`` shows what that is in a short one.
"""

import argparse
import statistics
import time
from contextlib import nullcontext
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from course_utils import doctor
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import train_step

__all__ = ["experiments", "main", "train"]

GOAL = 1.05


def train(loader: Loader, epochs: int, *, watched: bool) -> tuple[float, Tensor]:
    """Train from the first weights; the seconds it took, and all weights afterwards."""
    model = build_model(0)
    optimizer = SGD(model.parameters(), lr=0.01)
    began = time.perf_counter()
    with doctor.watch() if watched else nullcontext():
        for number in range(epochs):
            for batch in loader.batches(number):
                train_step(model, batch, optimizer)
    seconds = time.perf_counter() - began
    return seconds, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def experiments(loader: Loader) -> tuple[float, float]:
    """The seconds of all experiments on a model, and those of a proof, with steps that are far too long."""
    model = build_model(0)
    began = time.perf_counter()
    doctor.examine(model, next(loader.batches(0)), cross_entropy)
    examined = time.perf_counter() - began
    optimizer = SGD(model.parameters(), lr=2.0)
    with doctor.watch(prove=True, steps=60) as report:
        for batch in islice(loader.batches(0), 60):
            train_step(model, batch, optimizer)
    began = time.perf_counter()
    report.prove()
    return examined, time.perf_counter() - began


def main() -> int:
    """Measure, and print the ratio; 1 when it is above the goal or a weight differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    rounds, epochs = (wish := parser.parse_args()).rounds, wish.epochs
    loader = Loader(load_images("photos", announce=False), batch_size=64, drop_last=True)
    train(loader, 1, watched=False)  # to warm up
    seconds, equal = [], True
    for number in range(rounds):
        pair = [train(loader, epochs, watched=watched) for watched in ((False, True) if number % 2 else (True, False))]
        (bare, weights), (watched, same) = pair if number % 2 else pair[::-1]
        seconds.append((bare, watched))
        equal = equal and torch.equal(weights, same)
        print(f"round {number + 1}: bare {bare:.2f} s, watched {watched:.2f} s, ratio {watched / bare:.3f}", flush=True)
    ratio = min(watched for _, watched in seconds) / min(bare for bare, _ in seconds)
    median = statistics.median(watched / bare for bare, watched in seconds)
    print(f"{epochs * len(loader)} steps: ratio of the fastest {ratio:.3f} (goal {GOAL}), of the median {median:.3f}")
    print(f"weights equal to the last bit: {equal}")
    examined, proven = experiments(loader)
    print(f"experiments on the model: {examined:.1f} s; a proof by cure: {proven:.1f} s")
    return 0 if ratio <= GOAL and equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
