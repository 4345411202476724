"""What does a student meet? The command of `make lab`, its settings, a fresh home, and the address that it prints."""

from pathlib import Path

import nbformat
import pytest

from tests.helpers.lab import CHROMIUM, chromium, lab, open_notebook, run_all, student_lab

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "out" / "browser"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install chromium, or set CHROMIUM to its path"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with student_lab(tmp_path_factory.mktemp("home")) as address, chromium(width=1400, height=1000) as page:
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        page.wait_for_function(
            """() => document.querySelector('.jp-MarkdownOutput img[alt]')?.naturalWidth > 0
                && !document.querySelector('#jupyterlab-splash')""",
            timeout=120_000,
        )
        KEPT.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=KEPT / "make_lab.png")
        yield page


def test_the_printed_address_opens_notebook_01(page):
    assert page.locator(".jp-Notebook h1").first.inner_text().startswith("01 ")


def test_every_picture_of_the_prose_shows(page):
    shown = page.evaluate(
        """() => [...document.querySelectorAll('.jp-MarkdownOutput img[alt]')]
            .map(image => [image.alt.length > 40, image.naturalWidth > 500])"""
    )
    assert shown == [[True, True]] * 4


def test_no_question_about_news_covers_the_page(page):
    assert page.locator(".Toastify__toast").count() == 0


def test_a_link_of_the_contents_ends_at_its_heading(page):
    links = page.locator(".jp-MarkdownOutput a[href^='#']:not(.jp-InternalAnchorLink)")
    targets = links.evaluate_all("links => links.map(a => decodeURI(a.getAttribute('href')))")
    assert len(targets) >= 5
    astray = []
    for number, target in enumerate(targets[:7]):
        links.nth(number).evaluate("a => a.click()")
        page.wait_for_timeout(500)
        top, height = page.evaluate(
            """id => {
                const box = [...document.querySelectorAll('.jp-Notebook h1, .jp-Notebook h2, .jp-Notebook h3')]
                    .find(h => h.id === id || h.dataset.jupyterId === id)?.getBoundingClientRect();
                return [box ? box.top : -1, window.innerHeight];
            }""",
            target[1:],
        )
        if not 0 <= top < height - 20:
            astray.append((target, top))
    assert astray == []


def test_a_playground_that_was_saved_shows_again_without_its_kernel(page, tmp_path):
    cell = nbformat.v4.new_code_cell("from course_utils.apps import OptimizerRace\nOptimizerRace()")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "race.ipynb")
    tab = page.context.new_page()
    with lab(tmp_path) as server:
        run_all(open_notebook(tab, server, "race.ipynb"))
        tab.wait_for_selector(".race canvas")
        tab.evaluate(
            """async () => {
                for (const command of ['docmanager:save', 'kernelmenu:shutdown'])
                    await window.jupyterapp.commands.execute(command);
            }"""
        )
        open_notebook(tab, server, "race.ipynb")  # the next day: a new kernel, in which no cell was run
        tab.wait_for_selector(".race canvas", timeout=30_000)
        assert "Error displaying widget" not in tab.locator(".jp-Notebook").inner_text()
