"""The notebooks as files: run, in normal form, without stray outputs, dead links or unexplained exceptions.

`pytest --nbval` runs them; here nothing runs but `make outputs` on two tiny notebooks. Each rule yields its complaints,
and is shown to have one about a notebook made to break it.
"""

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_notebook, new_output
from nbval.plugin import find_comment_markers, find_metadata_tags

from tests.helpers.made_notebooks import BALL, GOOD, IGNORED, code, figure, made_of, said, text
from tests.tools.comparing import CHAOTIC_TAG, SPREAD
from tests.tools.store_outputs import NOTEBOOKS, normalise, text_of

NAMES = [
    "01_optimizer_overview",
    "02_one_epoch",
    "03_multi_epoch",
    "04_lr_scheduler",
    "05_optimizer_practice",
    "06_curvature",
]
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))

LINES_A_CELL = 15
# Agreed exceptions from "the output is compared": what they may be about, and how many cells in all notebooks together.
IGNORED_REASONS, IGNORED_AT_MOST = ("time: ", "machine: "), 6
CHAOTIC_REASONS, CHAOTIC_AT_MOST = ("chaos: ",), 22

FIGURE_TEXT = "^(Lines|Stairs|Moving averages|Panels|Bars|Histograms|Heat map|Images|Paths)\\b.*: .+[.]"

Rule = Callable[[NotebookNode, Path], Iterator[str]]


# --- rules ------------------------------------------------------------------------------------------------------------


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> str:
    """All markdown of the notebook without its code, where brackets are no links."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def every_cell_was_run_in_order(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for number, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != number:
            yield f"code cell {number} has execution count {cell.execution_count}"


def no_cell_is_long(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        lines = len(cell.source.splitlines())
        if lines > LINES_A_CELL:
            yield f"cell [{cell.execution_count}] has {lines} lines, {LINES_A_CELL} are allowed"


def nothing_went_to_stderr(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        yield from (f"cell [{cell.execution_count}]: {o.text}" for o in cell.outputs if o.get("name") == "stderr")


def no_cell_raised(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        yield from (f"cell [{cell.execution_count}]: {o.ename}" for o in cell.outputs if o.output_type == "error")


def no_output_names_this_machine(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    private = re.compile(r"(/home|/Users|/root|/tmp|/var/folders|[A-Z]:\\+Users)\b|site-packages| at 0x[0-9a-fA-F]{6,}")
    for cell in code_cells(notebook):
        for words in output_texts(cell):
            yield from (f"cell [{cell.execution_count}] shows {found.group()!r}" for found in private.finditer(words))


def output_texts(cell: NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        yield output.get("text", "")
        texts = (str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/"))
        yield from (re.sub('base64,[^"]*', "", text) for text in texts)


def every_image_has_a_message_and_a_file(notebook: NotebookNode, folder: Path) -> Iterator[str]:
    text = prose(notebook)
    found = [(alt, source) for alt, source in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text)]
    for tag in re.findall(r"<img\b[^>]*>", text):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found.append((attributes.get("alt", ""), attributes.get("src", "")))
    inlined = re.findall(r"^\[([^\]]+)\]: data:image/(?:png|webp);base64,", text, re.MULTILINE)
    for alt, name in re.findall(r"!\[([^\]]*)\]\[([^\]]+)\]", text):
        if not alt.strip():
            yield f"{name} has no alt text"
        if name not in inlined:
            yield f"{name} is not in the cell; run `python images/inline.py`"
    for alt, source in found:
        if not alt.strip():
            yield f"{source} has no alt text"
        if not source.startswith("data:") and not (folder / unquote(source)).is_file():
            yield f"{source} does not exist"


def every_image_travels_with_the_notebook(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for source in re.findall(r"!\[[^\]]*\]\(([^)\s]+)|<img\b[^>]*\bsrc=\"([^\"]*)", prose(notebook)):
        if not "".join(source).startswith("data:"):
            yield f"{''.join(source)} is lost without its folder; write ![words][name], run `python images/inline.py`"


def every_figure_says_what_it_shows(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                yield from (f"cell [{cell.execution_count}]: {fault}" for fault in faults_of_a_figure(data, output))


def faults_of_a_figure(data: NotebookNode, output: NotebookNode) -> Iterator[str]:
    """What keeps a picture from whoever cannot see it: in a terminal, in JupyterLab, in a page by nbconvert."""
    text, page = data.get("text/plain", ""), data.get("text/html", "")
    if not re.search(FIGURE_TEXT, text, re.MULTILINE):
        yield f"a figure that was not drawn by course_utils.plots says {text[:60]!r}"
    if output.metadata.get("image/png", {}).get("alt") != text:
        yield "the metadata of the picture have another alternative than its text"
    if f'alt="{html.escape(text)}"' not in page or data.get("image/png", "no picture") not in page:
        yield "its HTML lacks the alternative or the picture"


def every_internal_link_leads_somewhere(notebook: NotebookNode, folder: Path) -> Iterator[str]:
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)", prose(notebook)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        if name and not (folder / name).exists():
            yield f"{target} does not exist"
        elif anchor and anchor not in anchors(nbformat.read(folder / name, as_version=4) if name else notebook):
            yield f"{target} names no heading"


def anchors(notebook: NotebookNode) -> set[str]:
    """The names that JupyterLab and nbconvert give to the headings."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return {
        re.sub(r"[`*]", "", line).strip().replace(" ", "-") for line in re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    }


def every_exception_is_explained(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    for cells, reasons in ((ignored(notebook), IGNORED_REASONS), (chaotic(notebook), CHAOTIC_REASONS)):
        for cell in cells:
            reason = cell.metadata.get("nbval_ignore_reason", "")
            if not re.match(f"({'|'.join(reasons)}).+", reason):
                yield f"cell [{cell.execution_count}]: nbval_ignore_reason {reason!r} is not one of {reasons} and why"
    for cell in chaotic(notebook):
        if not cell.metadata.get(SPREAD, 0) > 0:
            yield f"cell [{cell.execution_count}]: no {SPREAD}; run `make processors` and write it"


def ignored(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells whose output is not compared, or that are not run."""
    found = []
    for cell in code_cells(notebook):
        options = dict(find_metadata_tags(cell.metadata)) | dict(find_comment_markers(cell.source))
        if options.get("skip") or not options.get("check", True):
            found.append(cell)
    return found


def chaotic(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells compared with the tolerance of their own spread."""
    return [cell for cell in code_cells(notebook) if CHAOTIC_TAG in cell.metadata.get("tags", [])]


def it_is_in_normal_form(notebook: NotebookNode, _folder: Path) -> Iterator[str]:
    then, now = text_of(notebook).splitlines(), text_of(normalise(notebook)).splitlines()
    if then != now:
        changed = next((line for line, other in zip(then, now, strict=False) if line != other), "the end")
        yield f"edited after `make outputs`, or stored by hand; first at {changed.strip()!r}"


RULES: list[Rule] = [
    every_cell_was_run_in_order,
    no_cell_is_long,
    nothing_went_to_stderr,
    no_cell_raised,
    no_output_names_this_machine,
    every_image_has_a_message_and_a_file,
    every_image_travels_with_the_notebook,
    every_figure_says_what_it_shows,
    every_internal_link_leads_somewhere,
    every_exception_is_explained,
    it_is_in_normal_form,
]


# --- the notebooks ----------------------------------------------------------------------------------------------------


def test_exactly_these_notebooks_exist() -> None:
    assert [path.stem for path in PATHS] == NAMES


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_notebook_keeps_the_rule(rule: Rule, path: Path) -> None:
    complaints = list(rule(nbformat.read(path, as_version=4), path.parent))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_written_as_make_outputs_writes_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == text_of(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_nbstripout_finds_nothing_to_strip(path: Path) -> None:
    done = nbstripout(path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_few_outputs_are_ignored() -> None:
    told = [f"{path.stem} {cell.metadata}" for path in PATHS for cell in ignored(nbformat.read(path, as_version=4))]
    assert len(told) <= IGNORED_AT_MOST, "\n".join(told)


def test_few_outputs_have_the_wider_tolerance() -> None:
    told = [f"{path.stem} {cell.metadata}" for path in PATHS for cell in chaotic(nbformat.read(path, as_version=4))]
    assert len(told) <= CHAOTIC_AT_MOST, "\n".join(told)


def nbstripout(path: Path) -> subprocess.CompletedProcess[str]:
    keys = "cell.metadata.execution metadata.widgets metadata.language_info.version"
    options = ["--verify", "--keep-output", "--keep-count", "--keep-id", "--extra-keys", keys]
    command = [sys.executable, "-m", "nbstripout", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --- the rules see their faults ---------------------------------------------------------------------------------------


def edited(notebook: NotebookNode, change: Callable[[NotebookNode], object]) -> NotebookNode:
    change(notebook)
    return notebook


FIG = "<Figure size 880x495 with 1 Axes>"
FAULTS: list[tuple[Rule, str, NotebookNode]] = [
    (every_cell_was_run_in_order, "never run", made_of(code(count=None))),
    (every_cell_was_run_in_order, "run twice", made_of(code(count=2))),
    (every_cell_was_run_in_order, "run in another order", made_of(code("a", count=2), code("b", count=1))),
    (every_cell_was_run_in_order, "empty", made_of(code("", count=None))),
    (no_cell_is_long, "16 lines", made_of(code("x\n" * 16))),
    (nothing_went_to_stderr, "a warning", made_of(code("x", said("UserWarning", "stderr")))),
    (no_cell_raised, "an error", made_of(code("x", new_output("error", ename="E", evalue="", traceback=[])))),
    (no_output_names_this_machine, "a home", made_of(code("x", said("/home/ada/course/x.py")))),
    (no_output_names_this_machine, "a Mac", made_of(code("x", said("saved to /Users/ada")))),
    (no_output_names_this_machine, "Windows", made_of(code("x", said(r"C:\Users\ada")))),
    (no_output_names_this_machine, "a temporary file", made_of(code("x", said("/tmp/a.png")))),
    (no_output_names_this_machine, "an address",
     made_of(code("x", new_output("execute_result", data={"text/plain": "<Line2D at 0x7f3a2b1c>"})))),
    (every_image_has_a_message_and_a_file, "no alt text", made_of(text("![](dot.png)"))),
    (every_image_has_a_message_and_a_file, "no alt attribute", made_of(text('<img src="dot.png">'))),
    (every_image_has_a_message_and_a_file, "no file", made_of(text("![a ball](lost.png)"))),
    (every_image_has_a_message_and_a_file, "from outside", made_of(text("![a ball](https://x.org/dot.png)"))),
    (every_image_has_a_message_and_a_file, "no alt text, inlined", made_of(text(f"![][ball]\n\n{BALL}"))),
    (every_image_has_a_message_and_a_file, "not in the cell", made_of(text("![a ball][ball]"))),
    (every_image_travels_with_the_notebook, "a file beside it", made_of(text("![a ball](dot.png)"))),
    (every_image_travels_with_the_notebook, "a tag with a file", made_of(text('<img alt="a ball" src="dot.png">'))),
    (every_figure_says_what_it_shows, "drawn by hand",
     made_of(code("x", new_output("display_data", data={"text/plain": FIG, "image/png": "aGk=", "text/html":
             f'<img alt="{html.escape(FIG)}" src="aGk=">'}, metadata={"image/png": {"alt": FIG}})))),
    (every_figure_says_what_it_shows, "no alternative for nbconvert",
     edited(made_of(code("x", figure())), lambda nb: nb.cells[0].outputs[0].metadata.clear())),
    (every_figure_says_what_it_shows, "no alternative in JupyterLab",
     made_of(code("x", figure(**{"text/html": '<img src="">'})))),
    (every_figure_says_what_it_shows, "another picture in JupyterLab",
     made_of(code("x", figure(**{"image/png": "aGk="})))),
    (every_internal_link_leads_somewhere, "no heading", made_of(text("# One\n[two](#Two)"))),
    (every_internal_link_leads_somewhere, "no file", made_of(text("[next](lost.ipynb)"))),
    (every_internal_link_leads_somewhere, "no heading there", made_of(text("[next](other.ipynb#The-start)"))),
    (every_exception_is_explained, "no reason", made_of(code(tags=[IGNORED]))),
    (every_exception_is_explained, "another reason", made_of(code(tags=[IGNORED], nbval_ignore_reason="flaky"))),
    (every_exception_is_explained, "half a reason", made_of(code(tags=[IGNORED], nbval_ignore_reason="time: "))),
    (every_exception_is_explained, "no reason for a comment", made_of(code("# NBVAL_IGNORE_OUTPUT\nx"))),
    (every_exception_is_explained, "no reason to skip", made_of(code(tags=["nbval-skip"]))),
    (every_exception_is_explained, "no reason for chaos", made_of(code(tags=[CHAOTIC_TAG], nbval_spread=0.1))),
    (every_exception_is_explained, "no spread", made_of(code(tags=[CHAOTIC_TAG], nbval_ignore_reason="chaos: lr 1"))),
    (it_is_in_normal_form, "edited code", edited(made_of(code()), lambda nb: nb.cells[0].update(source="print(2)"))),
    (it_is_in_normal_form, "a random id", new_notebook(cells=[code()])),
    (it_is_in_normal_form, "widget state", edited(made_of(code()), lambda nb: nb.metadata.update(widgets={}))),
    (it_is_in_normal_form, "a time", edited(made_of(code()), lambda nb: nb.cells[0].metadata.update(execution={}))),
    (it_is_in_normal_form, "a version of Python",
     edited(made_of(code()), lambda nb: nb.metadata.language_info.update(version="3.11.7"))),
    (it_is_in_normal_form, "another kernel",
     edited(made_of(code()), lambda nb: nb.metadata.kernelspec.update(name="my-env"))),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the links of the notebooks above lead to."""
    (tmp_path / "dot.png").touch()
    (tmp_path / "other.ipynb").write_text(text_of(made_of(text("# The end"))), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_keeps_the_rule(rule: Rule, folder: Path) -> None:
    assert not list(rule(made_of(*GOOD), folder))


@pytest.mark.parametrize(("rule", "notebook"), [(r, nb) for r, _, nb in FAULTS], ids=[says for _, says, _ in FAULTS])
def test_a_rule_complains_once_about_its_fault(rule: Rule, notebook: NotebookNode, folder: Path) -> None:
    assert len(list(rule(notebook, folder))) == (2 if notebook.cells[-1].source == "b" else 1)


def test_nbstripout_finds_the_state_of_a_widget(tmp_path: Path) -> None:
    notebook = edited(made_of(code()), lambda nb: nb.metadata.update(widgets={"state": {}}))
    (tmp_path / "widgets.ipynb").write_text(text_of(notebook), encoding="utf-8")
    assert nbstripout(tmp_path / "widgets.ipynb").returncode == 1


def test_ignored_cells_are_found_by_tag_and_by_comment() -> None:
    assert [cell.execution_count for cell in ignored(made_of(*GOOD))] == [2, 3]
    assert [cell.execution_count for cell in chaotic(made_of(*GOOD))] == [4]
