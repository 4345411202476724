"""How fast is the loop? The course's beside the notes', beside one written by hand, and beside the machine's limit.

    make bench                                   one epoch of 10,000 images, five rounds
    python -m benchmarks.speed --images 2000 --rounds 3

All loops train the same network on the same images in the same order, one epoch from the same weights. They take turns
of a few steps, in a random order, so a neighbour on the machine slows all of them alike. Ratios are taken within a
round; the tables show their medians.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from course_utils import plots
from course_utils.data import Loader, Split, load_images
from course_utils.model import build_model
from course_utils.training import Run, train, train_step
from course_utils.watch import interruptible, live_plot, progress

SEED, BATCH, LR = 0, 64, 0.01
GOALS = {  # of the ratio of seconds
    ("course", "notes"): 0.50,
    ("course, bfloat16", "notes"): 0.33,
    ("five epochs", "five epochs by hand"): 1.02,
    ("five epochs, observed", "five epochs"): 1.02,
}
SHARE_GOAL = 0.70  # of the convolution rate that the machine reaches

TURN = 4  # steps of one loop before another one has its turn
LONG_TURN = 40  # where a loop looks at the clock on the wall: what falls due while others run is drawn, but once a turn

Training = Callable[[], Iterator[Tensor]]  # trains from fresh weights, and gives the loss of each step


# --- the loops ------------------------------------------------------------------------------------------------------


class Pictures(Dataset[tuple[Tensor, int]]):
    """The split as torchvision's CIFAR10 holds it: rows of bytes, made a PIL image and then a tensor one by one."""

    def __init__(self, split: Split) -> None:
        from torchvision.transforms import ToTensor

        self.data, self.labels = split.images.permute(0, 2, 3, 1).contiguous().numpy(), split.labels.tolist()
        self.to_tensor = ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.to_tensor(Image.fromarray(self.data[index])), self.labels[index]


def as_the_notes(split: Split) -> Training:
    """The loop of the source notes: DataLoader, contiguous tensors, a running loss that keeps its graph."""
    batches = DataLoader(Pictures(split), batch_size=BATCH)

    def training() -> Iterator[Tensor]:
        model = build_model(SEED).to(memory_format=torch.contiguous_format)
        optimizer = SGD(model.parameters(), lr=LR)
        loss_function = nn.CrossEntropyLoss()
        running_loss: Tensor | float = 0.0
        for images, labels in batches:
            outputs = model(images)
            loss = loss_function(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss = running_loss + loss
            yield loss.detach()

    return training


def by_hand(split: Split, *, epochs: int = 1) -> Training:
    """The least that a loop can do: float tensors cut beforehand, channels_last, the five lines."""
    pixels = split.images.float().div(255).contiguous(memory_format=torch.channels_last)
    batches = list(zip(pixels.split(BATCH), split.labels.split(BATCH), strict=True))

    def training() -> Iterator[Tensor]:
        model = build_model(SEED)
        optimizer = SGD(model.parameters(), lr=LR)
        for batch in batches * epochs:
            yield train_step(model, batch, optimizer)

    return training


def course(
    split: Split, *, epochs: int = 1, observe: Callable[[Any], Iterator[Any]] = iter, bfloat16: bool = False
) -> Training:
    """The course's loop; ``observe`` wraps its records."""
    batches = Loader(split, batch_size=BATCH, shuffle=False)

    def training() -> Iterator[Tensor]:
        model = build_model(SEED)
        if bfloat16:
            model.forward = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward)
        run = Run(model, SGD(model.parameters(), lr=LR), loss_fn=float32_cross_entropy)
        for step in observe(train(run, batches, epochs=epochs)):
            yield step.loss

    return training


def float32_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The loss of scores of any precision: bfloat16 has three digits, too few for a loss that falls slowly."""
    return cross_entropy(scores.float(), labels)


def observed(records: Any) -> Iterator[Any]:
    """All three observers, drawing as in a notebook."""
    with _as_in_a_notebook():
        yield from interruptible(live_plot(progress(records)))


@contextmanager
def _as_in_a_notebook() -> Iterator[None]:
    """IPython's shell, with displays that are made and then kept here instead of being sent to a browser."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    shell: Any = InteractiveShell.instance()
    shell.kernel, shell.display_pub = shell, CapturingDisplayPublisher()
    try:
        yield
    finally:
        InteractiveShell.clear_instance()


# --- the limit ------------------------------------------------------------------------------------------------------


def matmul_rate(dtype: torch.dtype) -> float:
    """The best rate of a matrix product over several sizes, in operations per second."""
    return max(
        _rate(partial(torch.mm, _random(n, n, dtype=dtype), _random(n, n, dtype=dtype))) for n in (512, 1024, 2048)
    )


def convolution_rate(dtype: torch.dtype) -> float:
    """The best rate of a convolution over several sizes, in operations per second."""
    sizes = [(64, 32, 32, 16, 5), (64, 64, 64, 16, 5), (64, 64, 64, 32, 3), (16, 128, 128, 28, 3), (64, 32, 64, 8, 5)]
    return max(_rate(_convolution(*size, dtype)) for size in sizes)


def _convolution(
    batch: int, inputs: int, outputs: int, side: int, kernel: int, dtype: torch.dtype
) -> Callable[[], Tensor]:
    images, weights = (
        _random(batch, inputs, side, side, dtype=dtype),
        _random(outputs, inputs, kernel, kernel, dtype=dtype),
    )
    layout = torch.channels_last
    return partial(
        conv2d, images.contiguous(memory_format=layout), weights.contiguous(memory_format=layout), padding=kernel // 2
    )


def _random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(SEED)).to(dtype)


def _rate(work: Callable[[], Tensor], seconds: float = 0.3) -> float:
    """Operations per second of the fastest of many calls."""
    operations = operations_of(work)
    with torch.no_grad():
        fastest, until = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < until:
            fastest = min(fastest, _seconds(work))
    return operations / fastest


def operations_of(work: Callable[[], Any]) -> int:
    """Floating-point operations of a call, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- the measurement ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Loop:
    """One way to train: seconds of each round, and the losses of its epoch."""

    name: str
    seconds: list[float]
    losses: Tensor

    def ratio_to(self, other: "Loop") -> float:
        """The median over the rounds of this loop's seconds in units of the other's."""
        return statistics.median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def measure(trainings: Mapping[str, Training], rounds: int, turn: int = TURN) -> dict[str, Loop]:
    """Every training once in each round, in turns, after once to warm up."""
    loops = {name: Loop(name, [], torch.stack(list(training()))) for name, training in trainings.items()}
    for number in range(rounds):
        for name, seconds in one_round(trainings, turn, seed=number).items():
            loops[name].seconds.append(seconds)
        print(f"round {number + 1} of {rounds} done", flush=True)
    return loops


def one_round(trainings: Mapping[str, Training], turn: int, seed: int = 0) -> dict[str, float]:
    """Seconds that each training takes in all: every one does ``turn`` steps, in a random order, then again."""
    order = Random(seed)
    seconds = dict.fromkeys(trainings, 0.0)
    running = {name: training() for name, training in trainings.items()}
    while running:
        for name in order.sample(list(running), len(running)):
            began = time.perf_counter()
            steps = sum(1 for _ in islice(running[name], turn))
            seconds[name] += time.perf_counter() - began
            if steps < turn:
                del running[name]
    return seconds


def loss_difference(loop: Loop, reference: Loop) -> float:
    """How far the mean loss of the epoch is from that of the reference, as a share of it."""
    return abs(loop.losses.double().mean() / reference.losses.double().mean() - 1).item()


def loop_table(loops: Mapping[str, Loop], images: int, operations: int, limits: Mapping[str, float]) -> str:
    """One row for each loop: seconds, images per second, ratio, share of the limit, difference in loss."""
    rows = []
    for loop in loops.values():
        seconds = statistics.median(loop.seconds)
        share = operations / seconds / limits["bfloat16" if "bfloat16" in loop.name else "float32"]
        difference = f"{loss_difference(loop, loops['notes']):.1e}"
        rows.append((loop.name, seconds, images / seconds, loop.ratio_to(loops["notes"]), f"{share:.0%}", difference))
    headers = ("loop", "seconds per epoch", "images/s", "ratio to notes", "share of the limit", "difference in loss")
    return tabulate(rows, headers, floatfmt=("", ".2f", ",.0f", ".2f", "", ""))


def goal_table(loops: Mapping[str, Loop]) -> str:
    """The ratios that have a goal."""
    rows = []
    for (name, other), goal in GOALS.items():
        ratio = loops[name].ratio_to(loops[other])
        rows.append((f"{name} / {other}", ratio, goal, _met(ratio <= goal)))
    return tabulate(rows, ("ratio of seconds", "measured", "goal: at most", ""), floatfmt=("", ".3f", ".2f", ""))


def _met(reached: bool) -> str:
    return "reached" if reached else "missed"


def _machine() -> str:
    names = [line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def print_share(operations_per_second: float, limits: Mapping[str, float]) -> None:
    """How much of what the machine can do the course's loop does."""
    share = operations_per_second / limits["float32"]
    print(f"\nshare of the convolution rate: {share:.0%}, goal at least {SHARE_GOAL:.0%}: {_met(share >= SHARE_GOAL)}")
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        print(f"{name:8}: matrix product {matmul_rate(dtype) / 1e9:.0f}, convolution {limits[name] / 1e9:.0f} GFLOP/s")


def draw(loops: Mapping[str, Loop], split: Split, file: Path) -> None:
    """The loops as bars, in a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    plots.bar_plot(
        {name: statistics.median(loop.seconds) for name, loop in loops.items()}, highlight="course",
        title="One epoch: the course's loop beside the notes' and one by hand",
        xlabel=f"seconds per epoch of {len(split):,} images", source=split.title,
    ).savefig(file)  # fmt: skip
    print(f"figure: {file}")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="photos", choices=["auto", "cifar10", "photos"])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--figure", type=Path, default=Path("out/speed.png"))
    options = parser.parse_args()
    split = load_images(options.source, limit=options.images)
    single = {
        "notes": as_the_notes(split),
        "course": course(split),
        "course, bfloat16": course(split, bfloat16=True),
        "by hand": by_hand(split),
    }
    loops = measure(single, options.rounds)
    # Small differences: without the loops that turn the memory over, and as long as the notes' training.
    longer = {
        "five epochs by hand": by_hand(split, epochs=5),
        "five epochs": course(split, epochs=5),
        "five epochs, observed": course(split, epochs=5, observe=observed),
    }
    longer_loops = measure(longer, -(-options.rounds // 2), LONG_TURN)
    limits = {"float32": convolution_rate(torch.float32), "bfloat16": convolution_rate(torch.bfloat16)}
    operations = operations_of(lambda: list(single["by hand"]()))
    print(f"\n{_machine()}; {len(split):,} images ({split.title}), batches of {BATCH}, {options.rounds} rounds\n")
    print(loop_table(loops, len(split), operations, limits))
    print(f"\n{goal_table(loops | longer_loops)}")
    print_share(operations / statistics.median(loops["course"].seconds), limits)
    draw(loops, split, options.figure)


if __name__ == "__main__":
    main()
