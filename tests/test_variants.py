"""`make variants`: finds the constants, changes them and nothing else, and sees every cell that does not hold."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.tools.store_outputs import NOTEBOOKS, text_of
from tests.tools.variants import TRIED, Variant, changed, complaints, constants, run_variant, variants

SETUP = "SEED = 0\nIMAGES = 1_000  # the full experiment: 9_000\nFEW, PASSES = 250, 32\nlr = 0.1\nRATE = 0.5"


def notebook(*sources: str) -> NotebookNode:
    cells = [new_markdown_cell("# One"), new_code_cell("%matplotlib inline\nimport math"), *map(new_code_cell, sources)]
    return new_notebook(cells=cells)


def test_the_constants_are_whole_numbers_in_capitals() -> None:
    assert constants(notebook(SETUP)) == {"SEED": 0, "IMAGES": 1_000}


def test_a_constant_far_below_is_none_of_the_setup() -> None:
    assert constants(notebook(*["x = 1"] * 6, SETUP)) == {}


def test_a_change_leaves_all_else_as_it_was() -> None:
    one = notebook(SETUP)
    other = changed(one, {"IMAGES": 500, "EPOCHS": 1})
    assert other.cells[2].source == SETUP.replace("1_000", "500")
    assert one.cells[2].source == SETUP


def test_only_constants_that_are_there_are_tried() -> None:
    names = [variant.name for variant in variants(notebook(SETUP), Variant("CIFAR-10"))]
    assert names == ["as it is", "IMAGES=500", "SEED=3", "CIFAR-10"]


@pytest.mark.parametrize("name", ["03_multi_epoch", "04_lr_scheduler"])
def test_the_lessons_have_constants_to_change(name: str) -> None:
    found = constants(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4))
    assert {"SEED", "IMAGES", "EPOCHS"} <= found.keys() & TRIED.keys()


def test_an_error_and_a_sentence_that_does_not_hold_are_seen() -> None:
    said = new_output("stream", name="stdout", text="1 of 2\nNot in this run: it falls\n")
    raised = new_output("error", ename="ValueError", evalue="no\nway", traceback=[])
    shown = new_notebook(cells=[new_markdown_cell("Not in this run: x"), new_code_cell("x", outputs=[said, raised])])
    assert list(complaints(shown)) == ["cell [1] Not in this run: it falls", "cell [1] raised ValueError: no"]


def test_a_notebook_runs_on_after_a_cell_has_raised(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ipynb"
    told = 'print("it is one" if IMAGES == 1 else "Not in this run: it is one")'
    path.write_text(text_of(notebook("IMAGES = 1", "assert IMAGES == 1, 'not one'", told)), encoding="utf-8")
    assert not list(complaints(run_variant(path, Variant("as it is"))))
    found = list(complaints(run_variant(path, Variant("more", {"IMAGES": 2}))))
    assert found == ["cell [3] raised AssertionError: not one", "cell [4] Not in this run: it is one"]
