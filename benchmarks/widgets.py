"""How fast do the apps answer? ``python -m benchmarks.widgets``: real JupyterLab, headless Chromium, goals beside.

A redraw counts as painted when the frame that holds it has been rendered: a message posted while that frame is drawn
arrives after its layout and paint. The clock starts with the time stamp that the browser gave the key.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import torch
from playwright.sync_api import Page

from benchmarks.rows import Row
from course_utils.apps.edge.network import trained
from course_utils.apps.race.state import settings_of
from course_utils.descent import descend_many
from course_utils.surfaces import RAVINE, Surface
from tests.helpers.edge import page_of_edge, train_in_page
from tests.helpers.lab import chromium, lab, open_notebook, run_all, run_code

__all__ = ["drag_rate", "key_to_paint", "main", "stability_map", "watch_redraws"]

PRESSES, DRAG_S, STEPS, SAMPLE = 60, 3.0, 200, 12
EDGE = "from course_utils.apps import EdgeOfStability\nedge = EdgeOfStability()\nedge"
CELL = "from course_utils.apps import OptimizerRace\nrace = OptimizerRace(optimizers={optimizers})\nrace"
EVERYONE = ["SGD", "Momentum", "Nesterov", "RMSprop", "Adagrad", "Adam", "AdamW"]


# Every drawing call on a canvas in `root` posts one message per frame; it arrives once the frame is painted.
_WATCH = """([root, call, width]) => {
    const seen = (window.course ??= {painted: [], pressed: 0, waiting: false, hooked: new Set()});
    Object.assign(seen, {root, call, width});
    if (seen.hooked.has(call)) return;
    seen.hooked.add(call);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
        seen.waiting = false;
        seen.painted.push(performance.now());
        seen.answer?.(performance.now() - seen.pressed);
    };
    const original = CanvasRenderingContext2D.prototype[call];
    CanvasRenderingContext2D.prototype[call] = function (...given) {
        const ours = seen.width ? this.canvas.width === seen.width : this.canvas.closest(seen.root);
        if (call === seen.call && ours && !seen.waiting) {
            seen.waiting = true;
            channel.port2.postMessage(0);
        }
        return original.apply(this, given);
    };
    addEventListener('keydown', (event) => (seen.pressed = event.timeStamp), true);
}"""


def watch_redraws(page: Page, root: str, *, call: str = "stroke", width: int = 0) -> None:
    """From now on note every painted redraw: a ``call`` on a canvas in ``root``, or on any that is ``width`` wide."""
    page.evaluate(_WATCH, [root, call, width])


def key_to_paint(
    page: Page, keys: tuple[str, ...] = ("ArrowRight", "ArrowLeft"), presses: int = PRESSES
) -> list[float]:
    """Milliseconds from each key press to its painted redraw, sorted; the focus must be on a control.

    Raises:
        TimeoutError: a press was not answered within 3 s.
    """
    times = []
    for number in range(presses + 5):
        page.evaluate("() => { course.next = new Promise((done) => (course.answer = done)) }")
        page.keyboard.press(keys[number // 8 % len(keys)])
        answer = page.evaluate("() => Promise.race([course.next, new Promise((done) => setTimeout(done, 3000, null))])")
        if answer is None:
            raise TimeoutError(f"key press {number} was not answered by a redraw in 3 s")
        times.append(answer)
        # At a time of its own within the frame, as a hand presses: else all presses would fall into the same part.
        page.wait_for_timeout(40 + 7.3 * number % 17)
    return sorted(times[5:])  # the first ones compile the JavaScript


def drag_rate(page: Page, canvas: str, seconds: float = DRAG_S) -> float:
    """Painted redraws per second while the pointer is dragged across ``canvas``, moved 60 times a second."""
    box = page.locator(canvas).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.evaluate("() => { course.painted.length = 0 }")
    began = time.perf_counter()
    while (past := time.perf_counter() - began) < seconds:
        page.mouse.move(box["x"] + (0.2 + 0.6 * past / seconds) * box["width"], middle + 40 * (past % 1))
        time.sleep(max(0.0, (int(past * 60) + 1) / 60 - (time.perf_counter() - began)))
    painted = page.evaluate("() => course.painted.length")
    page.mouse.up()
    return painted / seconds


def stability_map() -> list[Row]:
    """4,096 settings at once, and the same by a plain loop over torch.optim, timed on a sample and scaled."""
    lr, momentum, _ = settings_of(RAVINE)
    fast = min(_seconds(lambda: descend_many(RAVINE, lr=lr, momentum=momentum[:, None], steps=STEPS)) for _ in range(5))
    sample = torch.randperm(4096, generator=torch.Generator().manual_seed(0))[:SAMPLE].tolist()
    pairs = [(lr[cell % 64].item(), momentum[cell // 64].item()) for cell in sample]
    loop = min(_seconds(lambda: [_plain_loop(RAVINE, *pair) for pair in pairs]) for _ in range(2)) * 4096 / SAMPLE
    return [
        Row(f"stability map, 4,096 settings x {STEPS} steps", fast, "s", 1.0),
        Row(f"  its ratio to a loop over torch.optim ({loop:.0f} s, scaled)", loop / fast, "x", 100.0, at_least=True),
    ]


def _plain_loop(surface: Surface, lr: float, momentum: float) -> float:
    point = torch.tensor(surface.start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=lr, momentum=momentum)
    for _ in range(STEPS):
        optimizer.zero_grad()
        surface(point[0], point[1]).backward()
        optimizer.step()
    return surface(point[0], point[1]).item()


def _seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def race() -> list[Row]:
    """The optimizer race with all seven optimizers: keys, drag, and the stability map that the kernel computes."""
    with tempfile.TemporaryDirectory() as folder:
        _write_notebook(Path(folder) / "race.ipynb", CELL.format(optimizers=EVERYONE))
        with lab(Path(folder)) as server, chromium(width=1300, height=1200) as page:
            notebook = open_notebook(page, server, "race.ipynb")
            run_all(notebook)
            page.wait_for_selector(".race .racer")
            watch_redraws(page, ".race")
            rows = []
            for label in ("learning rate of SGD", "momentum (Momentum, Nesterov)"):
                page.get_by_label(label, exact=True).focus()
                rows += _rows(f"race, key on {label.partition(' (')[0]} to paint", key_to_paint(page), 16, 33)
            rate = drag_rate(page, ".race .map canvas")
            rows.append(Row("race, redraws in a drag of the start", rate, "/s", 30.0, at_least=True))
            run_code(notebook, "race.view = 'stability'")
            page.get_by_text("4,096 runs").wait_for()
            watch_redraws(page, ".race", call="putImageData", width=64)
            page.locator(".race .start").focus()
            times = key_to_paint(page, ("ArrowUp", "ArrowDown"))
            return rows + _rows("race, key to stability map from the kernel", times, 60, 100)


def edge() -> list[Row]:
    """The network that trains in the page, full batch, with its sharpness at every tenth step: steps and frames."""
    with tempfile.TemporaryDirectory() as folder:
        _write_notebook(Path(folder) / "edge.ipynb", EDGE)
        with lab(Path(folder)) as server, chromium(width=1300, height=1200) as page:
            notebook = open_notebook(page, server, "edge.ipynb")
            run_all(notebook)
            page.get_by_role("button", name="▶ Start").click()
            page.wait_for_timeout(2000)  # the first steps compile the JavaScript
            watch_redraws(page, ".edge")
            page.evaluate("() => { course.painted.length = 0 }")
            first, began = _edge_step(page), time.perf_counter()
            page.wait_for_timeout(1000 * DRAG_S)
            past = time.perf_counter() - began
            steps, frames = _edge_step(page) - first, page.evaluate("() => course.painted.length")
            return [
                Row("edge of stability, steps, sharpness every tenth", steps / past, "/s", 200.0, at_least=True),
                Row("  frames painted beside them", frames / past, "/s", 55.0, at_least=True),
            ]


def edge_agreement() -> list[Row]:
    """The page's losses and sharpnesses beside those of torch: the largest relative difference of each."""
    settings, steps = [(0.2, 0.0, 500), (0.05, 0.9, 100), (0.1, 0.5, 20)], 150
    with page_of_edge() as (node, _):
        pairs = [(train_in_page(node, *one, steps), trained(0, *one, steps)) for one in settings]
    rows = []
    for name, goal in {"losses": 1e-8, "sharpness": 0.05}.items():
        ours = np.concatenate([page[name] for page, _ in pairs])
        theirs = np.concatenate([getattr(run, name) for _, run in pairs])
        apart = float(np.max(np.abs(ours / theirs - 1)))
        rows.append(Row(f"edge of stability, {name} at {len(ours)} steps beside torch's", apart, "", goal))
    return rows


def _edge_step(page: Page) -> int:
    told = page.locator(".edge .numbers").inner_text()
    return int(told.partition("step ")[2].partition(" ")[0].replace(",", ""))


def _rows(what: str, times: list[float], median_goal: float, p90_goal: float) -> list[Row]:
    median, p90 = statistics.median(times), times[int(0.9 * len(times))]
    return [
        Row(f"{what}, median of {len(times)}", median, "ms", median_goal),
        Row("  its 90th percentile", p90, "ms", p90_goal),
    ]


def _write_notebook(path: Path, cell: str) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)], metadata=kernel), path)


def main() -> None:
    """Measure everything and print it, the goals beside."""
    for row in [*stability_map(), *race(), *edge_agreement(), *edge()]:
        print(row, flush=True)


if __name__ == "__main__":
    main()
