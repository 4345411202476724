"""The normal form of a notebook, and what `make outputs` stores in it: run on two tiny ones."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbformat.v4 import new_notebook, new_output

from tests.helpers.made_notebooks import GOOD, code, made_of, said, text
from tests.tools.store_outputs import WIDGET_VIEW, normalise, text_of


def test_the_normal_form_of_a_normal_form_is_itself() -> None:
    assert text_of(normalise(made_of(*GOOD))) == text_of(made_of(*GOOD))


def test_the_normal_form_leaves_its_argument_alone() -> None:
    notebook = new_notebook(cells=[code()])
    before = text_of(notebook)
    normalise(notebook)
    assert text_of(notebook) == before


def test_cells_with_equal_source_get_different_ids() -> None:
    ids = [cell.id for cell in made_of(code("x"), code("x"), text("a"), text("a")).cells]
    assert len(set(ids)) == 4


def test_a_cell_keeps_its_id_when_another_is_put_before_it() -> None:
    assert made_of(code("x")).cells[0].id == made_of(code("a"), code("x")).cells[1].id


def test_a_reader_without_a_kernel_gets_the_picture_of_a_widget() -> None:
    picture = {"image/png": "aGk=", "text/plain": "Race()"}
    metadata = {"image/png": {"alt": "Race()"}}
    shown = new_output("display_data", data={WIDGET_VIEW: {"model_id": "a1"}, **picture}, metadata=metadata)
    page = '<img alt="Race()" src="data:image/png;base64,aGk=">'
    assert made_of(code("race", shown)).cells[0].outputs[0].data == {**picture, "text/html": page}


STORED = [  # (source, what it shows)
    ("1 + 1", [new_output("execute_result", data={"text/plain": "2"}, execution_count=1)]),
    ("shown = display('before', display_id=True)", [new_output("display_data", data={"text/plain": "'before'"})]),
    ("shown.update('later')", []),
    ("import sys; print('odd', file=sys.stderr)", [said("odd\n", "stderr")]),
]
RAISES = text_of(new_notebook(cells=[code("1 / 0", said("0"))]))


@dataclass(frozen=True)
class MakeOutputs:
    """What the script did in a folder with good.ipynb and bad.ipynb, both with old outputs."""

    folder: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def make_outputs(tmp_path_factory: pytest.TempPathFactory) -> MakeOutputs:
    folder = tmp_path_factory.mktemp("outputs")
    cells = [code(source, said("old"), count=9) for source, _ in STORED]
    (folder / "good.ipynb").write_text(text_of(new_notebook(cells=[text("# A"), *cells])), encoding="utf-8")
    (folder / "bad.ipynb").write_text(RAISES, encoding="utf-8")
    files = [str(folder / name) for name in ("bad.ipynb", "good.ipynb")]
    command = [sys.executable, "-m", "tests.tools.store_outputs", *files]
    root = Path(__file__).parent.parent
    return MakeOutputs(folder, subprocess.run(command, cwd=root, capture_output=True, text=True, check=False))


def test_make_outputs_stores_what_each_cell_showed_when_it_ended(make_outputs: MakeOutputs) -> None:
    ran = [code(source, *shown, count=number) for number, (source, shown) in enumerate(STORED, start=1)]
    assert (make_outputs.folder / "good.ipynb").read_text(encoding="utf-8") == text_of(made_of(text("# A"), *ran))


def test_make_outputs_leaves_a_notebook_alone_that_raises(make_outputs: MakeOutputs) -> None:
    assert (make_outputs.folder / "bad.ipynb").read_text(encoding="utf-8") == RAISES


def test_make_outputs_leaves_no_other_file(make_outputs: MakeOutputs) -> None:
    assert {path.name for path in make_outputs.folder.iterdir()} == {"good.ipynb", "bad.ipynb"}


def test_make_outputs_fails_when_a_notebook_raised_and_shows_why(make_outputs: MakeOutputs) -> None:
    assert make_outputs.done.returncode == 1
    assert "bad.ipynb: not stored" in make_outputs.done.stderr
    assert "ZeroDivisionError" in make_outputs.done.stderr


def test_make_outputs_tells_the_time_and_what_went_to_stderr(make_outputs: MakeOutputs) -> None:
    assert re.search(r"good.ipynb: 4 cells in \d+\.\d s", make_outputs.done.stdout)
    assert "warning: cell 4 wrote to stderr: odd" in make_outputs.done.stdout


def test_kernels_start_without_a_warning(make_outputs: MakeOutputs) -> None:
    assert "WARNING" not in make_outputs.done.stderr
