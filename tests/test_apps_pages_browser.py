"""What all pages owe a reader, in a real JupyterLab: a calm voice, room, contrast, and to keep what the hand set."""

import os
import re
import signal
from contextlib import contextmanager

import nbformat
import pytest
from playwright.sync_api import expect

from course_utils import apps
from tests.helpers.javascript import APPS, WINGS
from tests.helpers.lab import CHROMIUM, chromium, lab, open_notebook, run_all, run_code, troubles

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install chromium, or set CHROMIUM to its path"),
]
expect.set_options(timeout=20_000)  # milliseconds; a machine may have other work

AXE = APPS / "node_modules" / "axe-core" / "axe.min.js"
SETUP = """
import torch
from course_utils.apps import *
from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import Run
images, test_images = load_images(split="train", limit=640), load_images(split="test", limit=100)
model = build_model(0)
run = Run(model, torch.optim.SGD(model.parameters(), lr=0.01))
"""
NEEDS = {"LiveTraining": "run, Loader(images), test_images, budget=20_000"}  # the others begin with nothing given
CELLS = [SETUP, *(f"{name} = {name}({NEEDS.get(name, '')})\n{name}" for name in apps.__all__)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / "pages.ipynb")
    with lab(root, COURSE_DATA="photos", OMP_NUM_THREADS="1") as server, chromium(width=1300, height=1200) as page:
        notebook = open_notebook(page, server, "pages.ipynb")
        run_all(notebook)
        page.wait_for_selector(".live canvas")
        yield notebook


@pytest.fixture
def notebook(opened):
    yield opened
    opened.page.set_viewport_size({"width": 1300, "height": 1200})
    opened.page.emulate_media(forced_colors="none", reduced_motion="no-preference")
    assert troubles(opened) == []


def narrow(notebook, width=390):
    notebook.page.set_viewport_size({"width": width, "height": 844})
    notebook.page.wait_for_timeout(800)


@pytest.mark.skipif(not AXE.exists(), reason="the tools of the pages are not here: make pages")
@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("wing", WINGS)
def test_axe_finds_nothing_wrong(notebook, wing, width):
    narrow(notebook, width)
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = notebook.page.evaluate(
        """async (root) => (await axe.run(root)).violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 100)).join(" | ")}`)""",
        f".{wing}",
    )
    assert found == []


@pytest.mark.parametrize("wing", WINGS)
def test_one_calm_line_speaks_for_a_playground(notebook, wing):
    speaking = notebook.page.locator(f".{wing}").evaluate(
        """(root) => [...root.querySelectorAll("output, [aria-live], [role=status], [role=alert], [role=log]")]
            .map((node) => node.className)"""
    )
    assert speaking == ["only-heard"]


IN_EACH_OTHERS_WAY = """(root) => {
    const box = (node) => node.getBoundingClientRect();
    const edge = box(root).right + 1;
    const all = [...root.querySelectorAll("button, select, input, label, canvas, .value, .fate, .hint, td, th")];
    const over = all.filter((node) => node.offsetParent && box(node).right > edge);
    const meet = (a, b) =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const held = all.filter((node) => node.offsetParent && node.matches("button, select, input, .value, .fate"));
    const met = held.filter((node, i) => held.slice(i + 1).some((other) => meet(box(node), box(other))));
    return [...over, ...met].map((node) => node.outerHTML.slice(0, 90));
}"""


@pytest.mark.parametrize("wing", WINGS)
def test_nothing_hangs_over_the_edge_or_over_its_neighbour_at_390_pixels(notebook, wing):
    narrow(notebook)
    assert notebook.page.locator(f".{wing}").evaluate(IN_EACH_OTHERS_WAY) == []


def test_a_finger_on_the_map_scrolls_the_page(notebook):
    style = "(node) => getComputedStyle(node).touchAction"
    assert notebook.page.locator(".race .map").evaluate(style) == "manipulation"
    assert notebook.page.locator(".race .start").evaluate(style) == "none"


def test_keys_with_ctrl_reach_jupyterlab_and_plain_ones_do_not(notebook):
    notebook.page.evaluate(
        """() => {
            window.heard = [];
            const hear = ({ key, ctrlKey }) => heard.push(`${ctrlKey ? "Ctrl+" : ""}${key}`);
            document.body.addEventListener("keydown", hear);
        }"""
    )
    notebook.page.locator(".race select").first.focus()
    for key in ("a", "Control+b", "Meta+b"):
        notebook.page.keyboard.press(key)
    heard = notebook.page.evaluate("() => heard")
    assert "a" not in heard
    assert "Ctrl+b" in heard


def test_play_stands_still_where_that_is_asked_for(notebook):
    run_code(notebook, "OptimizerRace.steps = 500; OptimizerRace.step = 0")
    notebook.page.emulate_media(reduced_motion="reduce")
    notebook.page.get_by_role("button", name="▶ Play").click()
    expect(notebook.page.get_by_label("last step shown", exact=True)).to_have_value("500", timeout=2000)


INK_OF_THE_SYSTEM = """(canvas) => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const paint = document.createElement("canvas").getContext("2d");
    paint.fillStyle = "CanvasText";
    const ink = [1, 3, 5].map((from) => Number.parseInt(paint.fillStyle.slice(from, from + 2), 16));
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        found += data[i + 3] === 255 && ink.every((part, c) => data[i + c] === part);
    }
    return found;
}"""


def test_forced_colours_are_those_of_the_pictures_too(notebook):
    canvas = notebook.page.locator(".schedule .chart canvas")
    assert canvas.evaluate(INK_OF_THE_SYSTEM) == 0
    notebook.page.emulate_media(forced_colors="active")
    notebook.page.wait_for_timeout(500)
    assert canvas.evaluate(INK_OF_THE_SYSTEM) > 0


# ---- The conversation -----------------------------------------------------------------------------------------------


@contextmanager
def no_answer(notebook):
    """The kernel stands still, as it does behind a long cell, or when it is gone."""
    pid = int(run_code(notebook, "import os; print(os.getpid())"))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_busy_kernel_is_told_in_words_and_the_slider_stays_where_the_hand_put_it(notebook):
    slider = notebook.page.get_by_label("β₁ (Adam, AdamW)", exact=True)
    notice = notebook.page.locator(".race .notice")
    expect(notice).to_be_hidden()
    slider.focus()
    with no_answer(notebook):
        for _ in range(3):
            notebook.page.keyboard.press("ArrowLeft")
        expect(notice).to_contain_text("has not answered for a second")
        expect(slider).to_have_attribute("aria-valuetext", "0.87")
    expect(notice).to_be_hidden()
    assert slider.get_attribute("aria-valuetext") == "0.87"
    assert run_code(notebook, "print(OptimizerRace.beta1)").strip() == "0.87"


def test_a_refusal_goes_when_the_value_is_corrected(notebook):
    field = notebook.page.locator(".schedule .field").filter(has_text="gamma").first
    box, words = field.locator("input[type=text]"), field.locator(".refused")
    box.fill("-1")
    box.press("Enter")
    expect(words).to_contain_text("gamma must be a number")
    box.fill("0.1")  # what it was
    box.press("Enter")
    expect(words).to_be_hidden()
    box.fill("abc")
    box.press("Enter")
    expect(words).to_contain_text("gamma must be a number, got abc")
    box.fill("0.1")
    box.press("Enter")
    expect(words).to_be_hidden()


def test_a_pinned_curve_that_is_the_present_one_is_told(notebook):
    notebook.page.get_by_role("button", name="Pin curve").click()
    expect(notebook.page.locator(".schedule .words")).to_contain_text("The pinned curve is the same as this one")
    expect(notebook.page.locator(".schedule .legend")).to_contain_text(": the same curve")


def test_a_key_moves_the_lr_by_one_percent_and_four_digits_are_shown(notebook):
    run_code(notebook, "OptimizerRace.lr = {'SGD': 0.1045}")
    slider = notebook.page.get_by_label("learning rate of SGD", exact=True)
    expect(slider).to_have_attribute("aria-valuetext", "0.1045")
    slider.focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "0.1035")


def steps_of_edge(notebook):
    told = notebook.page.locator(".edge .numbers").inner_text()
    return int(told.partition("step ")[2].partition(" ")[0].replace(",", ""))


def plays(notebook):
    """Start, see steps, pause, see none; and begin anew."""
    edge = notebook.page.locator(".edge")
    edge.get_by_role("button", name="Start", exact=False).first.click()
    expect(edge.locator(".numbers")).to_contain_text(re.compile(r"step [1-9]\d"))
    edge.get_by_role("button", name="Pause").click()
    expect(edge.get_by_role("button", name="▶ Start")).to_be_visible()
    before = steps_of_edge(notebook)
    notebook.page.wait_for_timeout(500)
    assert steps_of_edge(notebook) == before > 0
    edge.get_by_role("button", name="Step", exact=True).click()
    expect(edge.locator(".numbers")).to_contain_text(f"step {before + 1:,}")
    edge.get_by_role("button", name="Restart").click()
    expect(edge.locator(".numbers")).to_contain_text("step 0")


def test_the_edge_trains_beside_the_page_and_within_it_where_no_worker_is_allowed(notebook):
    assert any(worker.url.startswith("blob:") for worker in notebook.page.workers)
    plays(notebook)
    notebook.page.evaluate("() => { window.Allowed = Worker; window.Worker = class { constructor() { throw 0; } } }")
    try:
        run_all(notebook)
        notebook.page.wait_for_selector(".edge canvas")
        plays(notebook)
    finally:
        notebook.page.evaluate("() => { window.Worker = Allowed }")
