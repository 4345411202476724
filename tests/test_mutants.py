import ast
import sys
from pathlib import Path

import nbformat
import pytest

from tests.tools.mutate import ROOT, Mutant, mutated, read_mutants

sys.dont_write_bytecode = True
MUTANTS = read_mutants()


def code_of(path, text):
    """The Python of a file; of a notebook that of its cells, without the lines that only IPython understands."""
    if path.suffix != ".ipynb":
        return text
    cells = [cell.source for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]
    return "\n".join(line for cell in cells for line in cell.splitlines() if not line.startswith(("%", "!")))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_mutant_changes_what_python_sees_and_is_still_python(mutant):
    path = ROOT / mutant.file
    text = path.read_text(encoding="utf-8")
    before, after = (code_of(path, version) for version in (text, mutated(mutant, text)))
    if path.suffix != ".js":  # Python cannot read JavaScript; the page that the tests open does
        ast.parse(after)
    assert before != after


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_tests_of_a_mutant_exist(mutant):
    assert mutant.tests
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_there_are_at_least_forty_mutants_of_package_and_notebooks_each_with_a_name_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
    assert {Path(mutant.file).parts[0] for mutant in MUTANTS} == {"course_utils", "notebooks"}


@pytest.mark.parametrize("text", ["nothing of it", "x = 1; x = 1"])
def test_a_mutant_that_does_not_fit_exactly_once_is_an_error(text):
    with pytest.raises(ValueError, match="a name"):
        mutated(Mutant("a name", "a.py", "x = 1", "x = 2", ("test.py",)), text)
