"""How is the race played on its page? Opened in a JupyterLab, reset, and read back from page and kernel."""

import ast
import time
from contextlib import contextmanager, suppress

import nbformat
import pytest
from playwright.sync_api import TimeoutError as TooLate

from tests.helpers.lab import chromium, lab, open_notebook, run_all, run_code

__all__ = [
    "CELLS",
    "becomes",
    "control",
    "corner_of",
    "in_kernel",
    "race_in_lab",
    "reset",
    "settled",
    "shown",
    "text_of",
]

CELLS = [
    "from course_utils.apps import OptimizerRace\nrace = OptimizerRace()\nrace",
    "race.surface",
]
RESET = """
race.surface = "Beale"; race.surface = "Ravine"  # brings its own start and learning rates
race.optimizers = ["SGD", "Momentum", "Adam"]
race.momentum, race.dampening, race.beta1, race.beta2, race.alpha, race.weight_decay = 0.9, 0.0, 0.9, 0.999, 0.99, 0.0
race.steps = 100; race.step = 100
race.condition_number, race.chosen, race.view = 1.0, "Adam", "loss"
"""
# The start and every control of the page, in one text.
SHOWN = """document.querySelector(".race .start").getAttribute("aria-valuetext") + JSON.stringify(
    [...document.querySelectorAll(".race :is(input, select)")].map((one) => [one.value, one.checked]))"""


@contextmanager
def race_in_lab(root):
    """A notebook in ``root`` with the race, run once in a JupyterLab of its own."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / "race.ipynb")
    with lab(root) as server, chromium(width=1300, height=1400) as page:
        notebook = open_notebook(page, server, "race.ipynb")
        run_all(notebook)
        page.wait_for_selector(".race .racer")
        yield notebook


def shown(notebook):
    return notebook.page.evaluate(f"() => {SHOWN}")


def reset(notebook, at_first):
    """Bring back the first settings in the kernel, and wait until the page shows them, which was ``at_first``."""
    for _ in range(5):  # a wish of the test before may still be on its way, and comes after the first reset
        run_code(notebook, RESET)
        with suppress(TooLate):
            notebook.page.wait_for_function(f"(at_first) => {SHOWN} === at_first", arg=at_first, timeout=6_000)
            break
    else:
        pytest.fail("the page does not show what the kernel was reset to")
    settled(notebook)


def settled(notebook):
    """Wait until what is under way has reached the page and is drawn."""
    notebook.page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 60))")


def in_kernel(notebook, expression):
    return ast.literal_eval(run_code(notebook, f"print(repr({expression}))"))


def becomes(notebook, expression, expected, timeout_s=20):
    """Wait for the kernel to hear of it; returns the last value seen."""
    deadline = time.monotonic() + timeout_s
    while (seen := in_kernel(notebook, expression)) != expected and time.monotonic() < deadline:
        notebook.page.wait_for_timeout(50)
    return seen


def control(notebook, name):
    return notebook.page.get_by_label(name, exact=True)


def text_of(notebook):
    return notebook.page.locator(".race").inner_text()


def corner_of(notebook, selector):
    """Left, top, width and height of an element on the page."""
    box = notebook.page.locator(selector).bounding_box()
    return box["x"], box["y"], box["width"], box["height"]
