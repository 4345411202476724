"""Does every notebook run in a real JupyterLab, seen through a real browser?

Screenshots are kept in `out/browser`, for people: the tests ask only for what can be told without taste.
"""

import json
import shutil
from pathlib import Path

import pytest
from jupyterlab import CHROMIUM, chromium, lab, open_notebook, outputs, run_all, troubles

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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
    with lab(root, COURSE_DATA="photos", OMP_WAIT_POLICY="PASSIVE") as running:
        yield running


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_ends_without_an_error_a_warning_or_a_look_outside(server, path):
    with chromium() as page:
        notebook = open_notebook(page, server, f"notebooks/{path.name}")
        try:
            run_all(notebook, timeout_s=600)
            assert troubles(notebook) == []
            stored = json.loads(path.read_text())
            assert pictures(outputs(notebook)) == pictures(outputs_of(stored))
            assert broken_images(page) == []
            assert images_without_words(page) == 0
        finally:
            keep_screenshots(page, path.stem)


def outputs_of(notebook):
    return [output for cell in notebook["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]


def pictures(found):
    return sum("image/png" in output.get("data", {}) for output in found)


def broken_images(page):
    """Pictures of the page, of the prose above all, that the browser could not show."""
    return page.evaluate(
        "() => [...document.querySelectorAll('.jp-Notebook img')].filter(i => !i.naturalWidth).map(i => i.alt || i.src)"
    )


def images_without_words(page):
    """How many pictures, those of the outputs above all, have no alternative for a screen reader."""
    return page.evaluate("() => [...document.querySelectorAll('.jp-Notebook img')].filter(i => !i.alt.trim()).length")


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
