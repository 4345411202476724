"""How long does a step of Adam take, in each of its forms? Ratios to the step that takes one tensor after the other.

    python -m benchmarks.steps                            (`make bench` calls it)

The forms take turns, so a neighbour on the machine slows all of them alike; a ratio is taken within a round, and the
table shows the median of the rounds. Compiling is not in the times: it is done before the first round.
"""

import shutil
import statistics
import time
from collections.abc import Callable

import torch
from tabulate import tabulate
from torch import nn
from torch.optim import Adam

__all__ = ["main"]

ROUNDS, SECONDS = 15, 0.05
MODELS = {"100 tensors of 64": (100, 64), "50 of 4,096": (50, 4_096), "4 of 2,000,000": (4, 2_000_000)}
FORMS = {"one by one": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}


def step_of(count: int, size: int, **options: bool) -> Callable[[], object]:
    """A step of Adam over ``count`` tensors of ``size`` numbers, whose state is there."""
    tensors = [nn.Parameter(torch.full((size,), 1.0 + number)) for number in range(count)]
    for tensor in tensors:
        tensor.grad = tensor.detach().sin()
    optimizer = Adam(tensors, lr=1e-3, **options)
    optimizer.step()
    return optimizer.step


def forms(count: int, size: int) -> dict[str, Callable[[], object]]:
    """Every form of the step; the compiled one where there is a C++ compiler."""
    steps = {name: step_of(count, size, **options) for name, options in FORMS.items()}
    if shutil.which("g++") or shutil.which("clang++"):
        torch.compiler.reset()
        steps["compiled"] = torch.compile(step_of(count, size, foreach=True))
        steps["compiled"]()
    return steps


def seconds_of(step: Callable[[], object]) -> float:
    """Seconds for one call, over as many as fit into the time of a turn."""
    calls, began = 0, time.perf_counter()
    while (past := time.perf_counter() - began) < SECONDS or not calls:
        step()
        calls += 1
    return past / calls


def main() -> None:
    """Measure, and print seconds and ratios."""
    rows = []
    for name, (count, size) in MODELS.items():
        steps = forms(count, size)
        rounds = [{form: seconds_of(step) for form, step in steps.items()} for _ in range(ROUNDS)]
        for form in steps:
            spent = statistics.median(one[form] for one in rounds)
            ratio = statistics.median(one[form] / one["one by one"] for one in rounds)
            rows.append([name, form, f"{1e3 * spent:.3f} ms", f"{ratio:.2f}"])
    print(tabulate(rows, ["tensors", "step of Adam", "median", "ratio"], disable_numparse=True))


if __name__ == "__main__":
    main()
