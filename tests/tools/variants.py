"""Do the notebooks hold with other constants, and on real pictures? Runs them so, and prints each cell that does not.

    python -m tests.tools.variants [--only NAME] [notebook ...]        (`make variants` calls it)

The constants are those in capitals that the first code cells of a notebook bind to plain numbers. A cell does not hold
when it raises (a failed assertion, too), or when it prints a line that begins with "Not in this run:", which is what a
sentence becomes whose condition is false. A cell goes on after another one has failed, as it would for a reader.
"""

import argparse
import ast
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tests.helpers.real_images import build_real_cifar10, real_images_folder
from tests.tools.store_outputs import CELL_TIMEOUT_S, NOTEBOOKS, fresh_kernel, run_cell, set_defaults

__all__ = ["NOT_HERE", "Variant", "changed", "complaints", "constants", "run_variant", "variants"]

NOT_HERE = "Not in this run:"
SETUP_CELLS = 6  # the constants stand in one of the first code cells
TRIED: dict[str, int] = {"IMAGES": 500, "EPOCHS": 1, "SEED": 3, "BATCH": 64}

# torchvision knows the md5 sums of the official files; the real pictures kept for checks are stored otherwise. Each
# Python that is started from a notebook reads these lines, too.
_ACCEPT = """
from torchvision.datasets import CIFAR10 as _c
_sums = {sums!r}
_c.train_list = [[name, _sums[name]] for name, _ in _c.train_list]
_c.test_list = [[name, _sums[name]] for name, _ in _c.test_list]
_c.meta = dict(_c.meta, md5=_sums[_c.meta["filename"]])
"""


@dataclass(frozen=True)
class Variant:
    """One way to run a notebook: which constants are changed, and in which environment."""

    name: str
    constants: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def constants(notebook: NotebookNode) -> dict[str, int]:
    """The names in capitals that the first code cells bind to whole numbers."""
    return {name: value for cell in _first_cells(notebook) for name, value, _ in _bound(cell.source)}


def changed(notebook: NotebookNode, values: Mapping[str, int]) -> NotebookNode:
    """A copy of ``notebook`` in which the constants have other ``values``; comments stay."""
    other: NotebookNode = nbformat.from_dict(notebook)
    for cell in _first_cells(other):
        lines = cell.source.split("\n")
        for name, _, line in _bound(cell.source):
            if name in values:
                lines[line] = re.sub(rf"\b{name}(\s*=\s*)[\d_]+", rf"{name}\g<1>{values[name]}", lines[line])
        cell.source = "\n".join(lines)
    return other


def variants(notebook: NotebookNode, cifar10: Variant | None = None) -> Iterator[Variant]:
    """All ways to run ``notebook``: as it is, with each constant changed, and on real pictures where there are some."""
    yield Variant("as it is")
    for name, value in TRIED.items():
        if name in constants(notebook):
            yield Variant(f"{name}={value}", {name: value})
    if cifar10:
        yield cifar10


def run_variant(path: Path, variant: Variant) -> NotebookNode:
    """The notebook ``path``, run to its end in its own folder; a cell that raises keeps its error as an output."""
    notebook = changed(nbformat.read(path, as_version=4), variant.constants)
    with fresh_kernel(notebook, path.parent, timeout_s=CELL_TIMEOUT_S, environment=variant.environment) as client:
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                with suppress(CellExecutionError):  # it stands in the outputs, where `complaints` finds it
                    run_cell(client, index)
    return notebook


def complaints(notebook: NotebookNode) -> Iterator[str]:
    """Of each cell that raised, or said that a sentence does not hold: which, and what it said."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield f"cell [{number}] raised {output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}"
            for line in output.get("text", "").splitlines():
                if line.startswith(NOT_HERE):
                    yield f"cell [{number}] {line}"


def _first_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"][:SETUP_CELLS]


def _bound(source: str) -> Iterator[tuple[str, int, int]]:
    """Name, value and line of each constant that ``source`` binds; magics are no Python, and bind nothing."""
    plain = "\n".join("" if line.startswith(("%", "!")) else line for line in source.split("\n"))
    try:
        statements = ast.parse(plain).body
    except SyntaxError:
        return
    for statement in statements:
        if not isinstance(statement, ast.Assign):
            continue
        target, value = statement.targets[0], statement.value
        named = isinstance(target, ast.Name) and target.id.isupper()
        if named and isinstance(value, ast.Constant) and type(value.value) is int:
            yield target.id, value.value, statement.lineno - 1  # type: ignore[union-attr]


def _real_pictures(folder: Path) -> Variant | None:
    """CIFAR-10 from the pictures kept for checks; None where there are none."""
    if real_images_folder() is None:
        return None
    sums = build_real_cifar10(folder)
    (folder / "sitecustomize.py").write_text(_ACCEPT.format(sums=sums), encoding="utf-8")
    searched = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environment = {"COURSE_DATA": "cifar10", "COURSE_DATA_DIR": str(folder), "PYTHONPATH": searched}
    return Variant("CIFAR-10", {}, environment)


def _told(path: Path, variant: Variant) -> int:
    found = list(complaints(run_variant(path, variant)))
    print(f"{path.name}, {variant.name}: {'clean' if not found else f'{len(found)} that do not hold'}", flush=True)
    for line in found:
        print(f"    {line}", flush=True)
    return len(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 when a cell of any variant does not hold."""
    parser = argparse.ArgumentParser(description="Run the notebooks with other constants and on real pictures.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/ that have such constants")
    parser.add_argument("--only", help="one variant by its name, such as EPOCHS=1 or CIFAR-10")
    options = parser.parse_args(arguments)
    set_defaults()
    paths = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        wants_pictures = options.only in (None, "CIFAR-10")
        cifar10 = _real_pictures(Path(folder)) if wants_pictures else None
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            if not constants(notebook):
                continue
            for variant in variants(notebook, cifar10):
                if options.only in (None, variant.name):
                    found += _told(path, variant)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
