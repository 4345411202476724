"""Does every notebook run in a real JupyterLab, seen through a real browser, on another processor than the tests'?

The kernels compute as `processors.short_setting` says, so that each run of the tests holds the stored outputs against
two processors. Screenshots are kept in `out/browser`, for people: the tests ask for what can be told without taste.
"""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4.rwbase import rejoin_lines

from tests.helpers.lab import CHROMIUM, chromium, lab, open_notebook, outputs_by_cell, run_all, troubles
from tests.tools.processors import code_cells, red_cells, short_setting

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IMAGES = ".jp-Notebook img:not(.cm-widgetBuffer)"  # the editor of a cell spaces its letters with empty ones
KEPT = ROOT / "out" / "browser"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install chromium, or set CHROMIUM to its path"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab on a copy of the notebooks and their figures, so that running them stores nothing."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("notebooks", "images"):
        shutil.copytree(ROOT / folder, root / folder)
    with lab(root, COURSE_DATA="photos", OMP_WAIT_POLICY="PASSIVE", **(short_setting() or {})) as running:
        yield running


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_ends_without_an_error_a_warning_or_a_look_outside(server, path):
    with chromium() as page:
        notebook = open_notebook(page, server, f"notebooks/{path.name}")
        try:
            run_all(notebook, timeout_s=600)
            assert troubles(notebook) == []
            stored = nbformat.read(path, as_version=4)
            shown = as_stored(outputs_by_cell(notebook))
            assert pictures(shown) == pictures([cell.outputs for cell in code_cells(stored)])
            assert red_cells(stored, shown) == []
            assert broken_images(page) == []
            assert images_without_words(page) == 0
        finally:
            keep_screenshots(page, path.stem)


def as_stored(shown):
    """The outputs of each cell as `nbformat` reads them from a file, with lines put together."""
    cells = [{"cell_type": "code", "source": "", "metadata": {}, "outputs": outputs} for outputs in shown]
    notebook = rejoin_lines(nbformat.from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return [cell.outputs for cell in notebook.cells]


def pictures(found):
    return sum("image/png" in output.get("data", {}) for outputs in found for output in outputs)


def broken_images(page):
    """Pictures of the page, of the prose above all, that the browser could not show."""
    return page.evaluate(
        f"() => [...document.querySelectorAll('{IMAGES}')].filter(i => !i.naturalWidth).map(i => i.alt || i.src)"
    )


def images_without_words(page):
    """How many pictures, those of the outputs above all, have no alternative for a screen reader."""
    return page.evaluate(f"() => [...document.querySelectorAll('{IMAGES}')].filter(i => !i.alt.trim()).length")


def keep_screenshots(page, name):
    """One picture for each screenful of the notebook."""
    folder = KEPT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    height, view = page.evaluate(
        """() => {
            window.panel = document.querySelector('.jp-WindowedPanel-outer') || document.querySelector('.jp-Notebook');
            return [window.panel.scrollHeight, window.panel.clientHeight];
        }"""
    )
    for number, top in enumerate(range(0, height, view - 60)):
        page.evaluate(f"() => {{ window.panel.scrollTop = {top} }}")
        page.wait_for_timeout(100)
        page.screenshot(path=folder / f"{number:02}.png")
