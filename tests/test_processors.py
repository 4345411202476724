"""Do the notebooks say on another processor what is stored? The short form of `make processors`.

One setting that differs from every processor's own, and of each notebook as much as its chaotic cells need.
"""

import nbformat
import pytest
from comparing import CHAOTIC_TAG, differences, tolerance_of
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from processors import Cell, settings, short_setting, spreads
from store_outputs import NOTEBOOKS, run_notebook

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


def is_chaotic(cell: NotebookNode) -> bool:
    return CHAOTIC_TAG in cell.metadata.get("tags", [])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_chaotic_cells_say_the_same_on_another_processor(path) -> None:
    setting = short_setting()
    if setting is None:
        pytest.skip("this processor has no AVX2, so that it cannot imitate one that has")
    stored = nbformat.read(path, as_version=4)
    needed = 1 + max((index for index, cell in enumerate(stored.cells) if is_chaotic(cell)), default=-1)
    fresh = run_notebook(path, setting, cells=needed)
    pairs = [(a, b) for a, b in zip(stored.cells[:needed], fresh.cells, strict=False) if is_chaotic(a)]
    red = [differences(a.outputs, b.outputs, chaos=tolerance_of(a)) for a, b in pairs]
    assert not any(red), "\n".join(line for report in red for line in report)


def test_there_is_more_than_one_setting_on_every_machine() -> None:
    assert {"native 1", "native 2"} <= set(settings())


def run_of(*losses: float, tags: tuple[str, ...] = ()) -> NotebookNode:
    cells = [
        new_code_cell(
            "x", outputs=[new_output("stream", name="stdout", text=f"loss {loss:.3f}\n")], metadata={"tags": tags}
        )
        for loss in losses
    ]
    return new_notebook(cells=cells)


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
