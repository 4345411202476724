"""What does it cost to be watched? Epochs of the course's network, with and without the doctor, in turns.

    python -m benchmarks.doctor.overhead [--rounds 7]

Each round trains one epoch bare and one under ``watch()``, from the same weights; ratios are taken within a round.
"""

import argparse
import statistics
import time
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.optim import SGD

from course_utils import doctor
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import train_step

__all__ = ["epoch", "main"]

GOAL = 1.05


def epoch(loader: Loader, *, watched: bool) -> tuple[float, Tensor]:
    """Train one epoch; the seconds it took, and all weights afterwards."""
    model = build_model(0)
    optimizer = SGD(model.parameters(), lr=0.01)
    began = time.perf_counter()
    with doctor.watch() if watched else nullcontext():
        for batch in loader.batches(0):
            train_step(model, batch, optimizer)
    seconds = time.perf_counter() - began
    return seconds, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def main() -> int:
    """Measure, and print the ratio; 1 when it is above the goal or a weight differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    loader = Loader(load_images("photos", announce=False), batch_size=64, drop_last=True)
    epoch(loader, watched=False)  # to warm up
    ratios, equal = [], True
    for number in range(rounds):
        pair = [epoch(loader, watched=watched) for watched in ((False, True) if number % 2 else (True, False))]
        (bare, weights), (watched, same) = pair if number % 2 else pair[::-1]
        ratios.append(watched / bare)
        equal = equal and torch.equal(weights, same)
        print(f"round {number + 1}: bare {bare:.2f} s, watched {watched:.2f} s, ratio {ratios[-1]:.3f}", flush=True)
    ratio = statistics.median(ratios)
    print(f"{len(loader)} steps: median ratio {ratio:.3f} (goal {GOAL}); weights equal to the last bit: {equal}")
    return 0 if ratio <= GOAL and equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
