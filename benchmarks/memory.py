"""Does a long course fill the memory? The peak of long runs beside short ones, and of many runs in one kernel.

    python -m benchmarks.memory

Every measurement is a process of its own. Goals: 200 epochs need at most 5 MB more than 20, and 50 runs one after the
other at most 20 MB more than one. Besides, what the notes' running loss costs, which keeps the graph of every step.
"""

import json
import subprocess
import sys

import torch

from benchmarks.rows import Row

__all__ = ["main"]

IMAGES, BATCH = 128, 64

# What one process does; it prints its peak (the most memory it ever held) in MB after each part.
PROGRAM = """
import json, resource, sys
import torch
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import Run, train
from course_utils.watch import interruptible, live_plot, progress

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

loader = Loader(load_images("photos", limit={images}, announce=False), batch_size={batch})

def course(epochs, seed=0):
    model = build_model(seed)
    run = Run(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    for _ in interruptible(train(run, loader, epochs=epochs)):
        pass
    return run.losses.sum().item()

def notes(epochs):
    model, running = build_model(0), 0.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        for images, labels in loader.batches(epoch):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running = running + loss

peaks = []
{work}
print(json.dumps(peaks))
"""


def peaks_of(work: str) -> list[float]:
    """What a fresh process prints after ``work``, which appends to ``peaks``; MB."""
    program = PROGRAM.format(images=IMAGES, batch=BATCH, work=work)
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    numbers: list[float] = json.loads(done.stdout.splitlines()[-1])
    return numbers


def main() -> None:
    """Measure, and print each figure with its goal."""
    short, long = peaks_of("course(20); peaks.append(peak()); course(200); peaks.append(peak())")
    first, *_, last = peaks_of("for seed in range(50): course(20, seed); peaks.append(peak())")
    alone, kept = peaks_of("notes(20); peaks.append(peak()); notes(200); peaks.append(peak())")
    threads = torch.get_num_threads()
    print(f"{IMAGES} images, batches of {BATCH}, torch {torch.__version__}, {threads} threads; peaks of a process\n")
    print(Row(f"200 epochs beside 20 ({short:,.0f} MB)", long - short, "MB", 5))
    print(Row(f"50 runs of 20 epochs beside the first ({first:,.0f} MB)", last - first, "MB", 20))
    print(f"for comparison, 200 epochs beside 20 with the notes' running loss: {kept - alone:.1f} MB")


if __name__ == "__main__":
    main()
