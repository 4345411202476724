"""Schedule lab and live training in a real JupyterLab, by keyboard alone, and read back in the kernel."""

import time

import nbformat
import pytest

from tests.helpers.lab import CHROMIUM, chromium, lab, open_notebook, run_all, run_code, troubles

SETUP = """
import torch
from course_utils.apps.live import LiveTraining
from course_utils.apps.schedule import ScheduleLab
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import Run
images, test_images = load_images(split="train", limit=640), load_images(split="test", limit=100)
model = build_model(0)
run = Run(model, torch.optim.SGD(model.parameters(), lr=0.01))
"""
CELLS = [
    SETUP,
    "lab = ScheduleLab()\nlab",
    "live = LiveTraining(run, Loader(images), test_images, budget=20_000)\nlive",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install chromium, or set CHROMIUM to its path"),
]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    root = tmp_path_factory.mktemp("labs")
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / "labs.ipynb")
    with lab(root, COURSE_DATA="photos", OMP_NUM_THREADS="1") as server, chromium() as page:
        opened = open_notebook(page, server, "labs.ipynb")
        run_all(opened)
        page.wait_for_selector(".live canvas")
        yield opened


def in_kernel(notebook, expression):
    return run_code(notebook, f"print({expression})").strip()


def becomes(notebook, expression, wanted, seconds=20):
    deadline = time.monotonic() + seconds
    while (now := in_kernel(notebook, expression)) != wanted:
        assert time.monotonic() < deadline, f"{expression} is {now}, not {wanted}"
        notebook.page.wait_for_timeout(50)


def press(notebook, selector, *keys):
    notebook.page.locator(selector).first.focus()
    for key in keys:
        notebook.page.keyboard.press(key)


def test_the_keyboard_chooses_another_scheduler(notebook):
    press(notebook, ".schedule select", "ArrowDown")
    becomes(notebook, "lab.scheduler", "MultiStepLR")
    notebook.page.wait_for_function("document.querySelector('.schedule pre').textContent.includes('MultiStepLR(')")


def test_the_keyboard_changes_the_cadence(notebook):
    press(notebook, ".schedule input[value=epoch]", "ArrowRight")
    becomes(notebook, "lab.cadence", "step")
    press(notebook, ".schedule input[value=step]", "ArrowLeft")
    becomes(notebook, "lab.cadence", "epoch")


def test_arrow_keys_move_a_slider(notebook):
    press(notebook, ".schedule input[aria-label=epochs]", "ArrowRight", "ArrowRight")
    becomes(notebook, "lab.epochs", "22")


def test_a_value_out_of_range_is_refused_beside_its_control(notebook):
    before = in_kernel(notebook, "lab.curve().tolist()")
    press(notebook, ".schedule .field input[type=text]", "Control+a", "-", "1", "Enter")
    notebook.page.wait_for_function(
        "document.querySelector('.schedule .field .refused').textContent.includes('lr must')"
    )
    assert in_kernel(notebook, "lab.curve().tolist()") == before
    press(notebook, ".schedule .field .chip", "Enter")
    becomes(notebook, "lab.lr", "0.01")


def test_enter_on_the_pin_button_pins_the_curve(notebook):
    press(notebook, ".schedule .toolbar button", "Enter")
    becomes(notebook, "len(lab.pinned)", "1")


def test_the_keyboard_steps_starts_pauses_and_resets(notebook):
    press(notebook, ".live .toolbar button:nth-of-type(2)", "Enter")
    becomes(notebook, "(live.stage, live.steps)", "('paused', 1)")
    press(notebook, ".live .toolbar button", "Enter")
    becomes(notebook, "live.stage", "running")
    becomes(notebook, "live.steps > 5", "True")
    notebook.page.wait_for_function("document.querySelector('.live button').textContent.includes('Pause')")
    press(notebook, ".live .toolbar button", "Enter")
    becomes(notebook, "live.stage", "paused")
    press(notebook, ".live .toolbar button:nth-of-type(4)", "Enter")
    becomes(notebook, "(live.stage, live.steps)", "('ready', 0)")


def test_the_keyboard_changes_the_optimizer_and_the_lr(notebook):
    press(notebook, ".live select", "ArrowDown")
    becomes(notebook, "live.optimizer", "Nesterov")
    press(notebook, ".live input[type=range]", "ArrowRight")
    becomes(notebook, "live.lr > 0.01", "True")


@pytest.mark.parametrize("place", [".live button", ".live input[type=range]", ".schedule select", ".schedule .panel"])
def test_pressing_d_twice_never_deletes_the_cell(notebook, place):
    press(notebook, place, "d", "d")
    count = "window.jupyterapp.shell.currentWidget.content.widgets.length"
    assert notebook.page.evaluate(f"() => {count}") == len(CELLS)


def test_nothing_went_wrong_on_the_page(notebook):
    assert troubles(notebook) == []
