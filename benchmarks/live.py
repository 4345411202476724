"""How much does a training cost that is watched and steered? Its steps a second beside the bare loop, and its pauses.

    python -m benchmarks.live

Goals: at least 0.90 of the bare loop's steps a second; pause and stop within 0.5 s; a change in the schedule lab
painted within 60 ms (median) and 100 ms (9 of 10), in a real JupyterLab.
"""

import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import nbformat
import torch

from benchmarks.rows import Row
from course_utils.apps.live import LiveTraining
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import Run, train
from tests.helpers import lab as jupyterlab

__all__ = ["main"]

ROUNDS, STEPS, HALTS, PRESSES = 9, 60, 8, 60
CELL = """\
from course_utils.apps.schedule import ScheduleLab
lab = ScheduleLab(cadence={cadence!r}, scheduler="CosineAnnealingLR")
lab
"""
# From a key to the next frame after the page has drawn with the kernel's answer.
PROBE = """async () => {
    const canvas = document.querySelector('.schedule canvas');
    const stroke = CanvasRenderingContext2D.prototype.stroke;
    const began = performance.now();
    const painted = new Promise((resolve) => {
        CanvasRenderingContext2D.prototype.stroke = function (...args) {
            if (this.canvas === canvas) requestAnimationFrame(() => resolve(performance.now() - began));
            return stroke.apply(this, args);
        };
        setTimeout(() => resolve(null), 5000);
    });
    const thumb = document.querySelector('.schedule input[aria-label=lr]');
    thumb.value = Number(thumb.value) + (window.up = -(window.up ?? -0.05));
    // The page draws when the kernel has answered, not before.
    thumb.dispatchEvent(new Event('input', { bubbles: true }));
    const took = await painted;
    CanvasRenderingContext2D.prototype.stroke = stroke;
    return took;
}"""


def made(images: Loader) -> Run:
    """A fresh run of the course's network."""
    model = build_model(0, device="cpu")
    return Run(model, torch.optim.SGD(model.parameters(), lr=0.01))


def bare_rate(images: Loader) -> float:
    """Steps a second of ``train`` alone."""
    began = time.perf_counter()
    for _ in islice(train(made(images), images, epochs=1000), STEPS):
        pass
    return STEPS / (time.perf_counter() - began)


def live_rate(images: Loader, test_images: object) -> float:
    """Steps a second in the background, with exams, messages to the page and the yielding to other threads."""
    live = LiveTraining(made(images), images, test_images, budget=STEPS)
    began = time.perf_counter()
    live.start()
    while live.stage == "running":
        time.sleep(0.005)
    rate = STEPS / (time.perf_counter() - began)
    live.close()
    return rate


def halt_seconds(images: Loader, test_images: object, command: str) -> list[float]:
    """How long it takes from the order to the last step, and until the order has returned with the exam done."""
    live = LiveTraining(made(images), images, test_images, budget=20_000)
    taken = []
    for number in range(HALTS):
        live.reset()
        live.start()
        time.sleep(0.15 + 0.037 * number)
        began = time.perf_counter()
        getattr(live, command)()
        taken.append(time.perf_counter() - began)
    live.close()
    return taken


def lab_latencies(cadence: str) -> list[float]:
    """Milliseconds from a moved slider to the painted curve, in a real JupyterLab."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        cell = nbformat.v4.new_code_cell(CELL.format(cadence=cadence))
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), root / "lab.ipynb")
        with jupyterlab.lab(root) as server, jupyterlab.chromium() as page:
            notebook = jupyterlab.open_notebook(page, server, "lab.ipynb")
            jupyterlab.run_all(notebook)
            page.wait_for_selector(".schedule canvas")
            page.wait_for_timeout(1000)
            taken = []
            for _ in range(PRESSES):
                taken.append(page.evaluate(PROBE))
                page.wait_for_timeout(120)
    return [value for value in taken[5:] if value is not None]


def main() -> None:
    """Measure, print each figure with its goal."""
    images = Loader(load_images(source="photos", split="train", limit=6_400))
    test_images = load_images(source="photos", split="test", limit=500)
    bare_rate(images)  # warm up
    rounds = [(bare_rate(images), live_rate(images, test_images)) for _ in range(ROUNDS)]
    bare, ratio = statistics.median(bare for bare, _ in rounds), statistics.median(live / bare for bare, live in rounds)
    print(Row(f"live training beside the bare loop ({bare:.1f} steps/s)", ratio, "x", 0.90, at_least=True))
    for command in ("pause", "stop"):
        print(Row(f"  the longest {command} of {HALTS}", max(halt_seconds(images, test_images, command)), "s", 0.5))
    if jupyterlab.CHROMIUM is None:
        print("schedule lab: no Chromium here, not measured")
        return
    for cadence in ("epoch", "step"):
        taken = sorted(lab_latencies(cadence))
        what = f"schedule lab per {cadence}, change to paint, median of {len(taken)}"
        print(Row(what, statistics.median(taken), "ms", 60))
        print(Row("  its 90th percentile", taken[int(0.9 * len(taken))], "ms", 100))


if __name__ == "__main__":
    main()
