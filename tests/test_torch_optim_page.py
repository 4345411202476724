"""docs/TORCH_OPTIM.md: every name of torch.optim is taught by the cells that it says, or left out with a reason."""

import re
from functools import cache
from itertools import dropwhile, takewhile
from pathlib import Path

import nbformat
import pytest
from torch import optim
from torch.optim import Optimizer, lr_scheduler, swa_utils

ROOT = Path(__file__).parent.parent
PAGE, _, LEFT = (ROOT / "docs/TORCH_OPTIM.md").read_text(encoding="utf-8").partition("## Left out")
TAUGHT = re.findall(r"^\| `([\w.]+)` \| (\d\d) \| (.+) \|$", PAGE, re.M)
LEFT_OUT = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", LEFT, re.M))
MODULES = {"lr_scheduler", "swa_utils"}


def names_of_torch() -> set[str]:
    public = {*optim.__all__, *lr_scheduler.__all__, *swa_utils.__all__} - MODULES
    return public | {f"Optimizer.{name}" for name in vars(Optimizer) if not name.startswith("_")}


@cache
def sections(number: str) -> dict[str, list[nbformat.NotebookNode]]:
    """The code cells of a notebook under the title of each numbered section."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = list(nbformat.read(path, as_version=4).cells)
    titles = [title for cell in cells for title in titles_in(cell)]
    return {title: list(cells_under(title, cells)) for title in titles}


def titles_in(cell: nbformat.NotebookNode) -> list[str]:
    return re.findall(r"^## (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else []


def cells_under(title: str, cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    _, *rest = dropwhile(lambda cell: title not in titles_in(cell), cells)
    return [cell for cell in takewhile(lambda cell: not titles_in(cell), rest) if cell.cell_type == "code"]


def shown_by(cell: nbformat.NotebookNode) -> str:
    """The cell's code and the text of what it shows."""
    texts = (str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in cell.outputs)
    return "\n".join([cell.source, *texts])


def test_every_name_of_torch_is_taught_or_left_out_with_a_reason() -> None:
    told = [name for name, _, _ in TAUGHT] + list(LEFT_OUT)
    assert sorted(told) == sorted(names_of_torch())
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())


@pytest.mark.parametrize(("name", "number", "title"), TAUGHT, ids=[name for name, _, _ in TAUGHT])
def test_the_section_shows_the_name_at_work(name: str, number: str, title: str) -> None:
    cells = sections(number)[title]
    word = name.rpartition(".")[2]
    assert any(re.search(rf"\b{word}\b", shown_by(cell)) for cell in cells)
