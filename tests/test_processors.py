"""Do the notebooks say on another processor what is stored? The short form of `make processors`.

One setting that differs from every processor's own, and of each notebook as much as its chaotic cells need.
"""

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.helpers.lab import CHROMIUM
from tests.tools.comparing import CHAOTIC_TAG, SPREAD, tolerance_of
from tests.tools.processors import Cell, code_cells, red_cells, settings, short_setting, spreads
from tests.tools.store_outputs import NOTEBOOKS, run_notebook

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.skipif(CHROMIUM is not None, reason="test_browser runs every notebook as another processor would")
@pytest.mark.skipif(short_setting() is None, reason="no AVX2 here, so that no processor that has it can be imitated")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_chaotic_cells_say_the_same_on_another_processor(path) -> None:
    stored = nbformat.read(path, as_version=4)
    needed = 1 + max((n for n, cell in enumerate(stored.cells) if tolerance_of(cell) is not None), default=0)
    fresh = run_notebook(path, short_setting(), cells=needed)
    assert red_cells(stored, [cell.outputs for cell in code_cells(fresh)]) == []


def test_a_chaotic_cell_that_says_something_else_is_red() -> None:
    stored = run_of(2.0, 1.0, tags=(CHAOTIC_TAG,))
    shown = [cell.outputs for cell in run_of(2.05, 1.05).cells]
    assert not red_cells(stored, shown)
    assert not red_cells(run_of(2.0, 1.0), [[], []])  # nothing is chaotic there
    shown[1][0].text = "loss 1.500\n"
    assert "+loss 1.500" in red_cells(stored, shown)


def test_there_is_more_than_one_setting_on_every_machine() -> None:
    assert {"native 1", "native 2"} <= set(settings())


@pytest.mark.skipif(short_setting() is None, reason="no AVX2 here, so that no processor that has it can be imitated")
def test_the_short_form_computes_as_no_processor_does() -> None:
    others = [environment for name, environment in settings().items() if name != "mixed 1"]
    assert settings()["mixed 1"] == short_setting()
    assert short_setting() not in others


def run_of(*losses: float, tags: tuple[str, ...] = ()) -> NotebookNode:
    said = [new_output("stream", name="stdout", text=f"loss {loss:.3f}\n") for loss in losses]
    metadata = {"tags": list(tags), SPREAD: 0.02}
    return new_notebook(cells=[new_code_cell("x", outputs=[one], metadata=metadata) for one in said])


def test_the_spread_of_a_cell_is_the_largest_between_any_two_runs() -> None:
    first, second = spreads(run_of(2.0, 1.0), [run_of(2.0, 1.0), run_of(2.1, 1.0), run_of(1.9, 1.0)])
    assert (first.number, second.number, second.numbers) == (1, 2, 0)
    assert first.numbers == pytest.approx(0.2 / 2.1)


@pytest.mark.parametrize(
    ("numbers", "blocks", "tag", "verdict"),
    [
        (0.001, 0, None, ""),
        (0.03, 0, None, "needs the tag"),
        (0.001, 9, None, "needs the tag"),
        (float("inf"), 0, None, "SAYS SOMETHING ELSE"),
        (0.0005, 0, 0.03, "tagged without need"),
        (0.001, 0, 0.001, "tagged, tolerance 0.003"),
        (0.03, 0, 0.03, "tagged, tolerance 0.09"),
        (0.03, 9, 0.005, "WIDER THAN ITS TOLERANCE"),
    ],
)
def test_the_verdict_says_what_a_cell_needs(numbers: float, blocks: float, tag: float | None, verdict: str) -> None:
    metadata = {} if tag is None else {"tags": [CHAOTIC_TAG], "nbval_spread": tag}
    assert Cell(1, new_code_cell("x", metadata=metadata), numbers, blocks).verdict == verdict
