"""For each repair a cell that must pass and one that must fail, run by a pytest of its own on generated notebooks."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import nbval
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from tests.helpers.made_notebooks import said, shown
from tests.tools.comparing import CHAOTIC_TAG, SPREAD
from tests.tools.nbval_repairs import pytest_configure
from tests.tools.store_outputs import store, text_of

pytest_plugins = ["pytester"]

# --- cells ----------------------------------------------------------------------------------------------------------


def raised(name: str, value: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=value, traceback=[])


IMPORTS = """
import os, sys, time, warnings
from pathlib import Path
import matplotlib.pyplot as plt
from IPython.display import HTML, Markdown, clear_output, display
from ipywidgets import Output, interact
"""

FIGURE = """
fig, ax = plt.subplots(figsize=(5, 3))
ax.plot([3.0, 2.0, 1.5], label="SGD")
ax.plot([3.0, 1.0, 0.5], label="Adam")
ax.set(xlabel="step", ylabel="loss", title="Loss of an epoch")
ax.legend()
plt.show()
"""

TOLD = """
from course_utils import plots
plots.line_plot({"SGD": [3.0, 2.0, 1.5], "Adam": [3.0, 1.0, 0.5]}, title="It falls", xlabel="step", ylabel="loss")
"""

WIDGET = """
import anywidget, base64, traitlets
class Player(anywidget.AnyWidget):
    _esm = "export default { render({ el }) { el.textContent = 'player' } }"
    lr = traitlets.Float(0.1).tag(sync=True)
    def __repr__(self):
        return f"Player(lr={self.lr})"
    def _repr_mimebundle_(self, **options):
        data, metadata = super()._repr_mimebundle_(**options)
        picture = base64.b64encode(Path("dot.png").read_bytes()).decode()
        return {**data, "text/plain": repr(self), "image/png": picture}, metadata
Player()
"""


@dataclass(frozen=True)
class Case:
    """A cell, the outputs stored with it (in words: those of FIGURE, TOLD or WIDGET), and whether they agree."""

    says: str
    source: str
    stored: tuple[NotebookNode, ...] | Literal["figure", "told", "widget"]
    agrees: bool
    tags: tuple[str, ...] = ()
    spread: float = 0.0
    count: int | None = 1


def pair(
    says: str, source: str, good: NotebookNode | None, bad: NotebookNode | None, *tags: str, spread: float = 0.0
) -> list[Case]:
    return [
        Case(f"{says}, {'right' if agrees else 'wrong'}", source, (out,) if out else (), agrees, tags, spread)
        for out, agrees in ((good, True), (bad, False))
    ]


UPDATE = "handle = display('before', display_id=True); handle.update('after')"
HTML_OBJECT, MARKDOWN_OBJECT = (f"<IPython.core.display.{kind} object>" for kind in ("HTML", "Markdown"))

CASES = [
    Case("imports", IMPORTS, (), True),
    *pair("a float within the tolerance", "print('loss 2.3021')", said("loss 2.3025\n"), said("loss 2.312\n")),
    *pair("a whole number", "print(157, 'batches')", said("157 batches\n"), said("156 batches\n")),
    *pair("a trailing semicolon", "1 + 1;", None, shown("2")),
    *pair("a result", "1 + 1", shown("2"), None),
    *pair("clear_output", "print('a'); clear_output(); print('b')", said("b\n"), said("a\nb\n")),
    *pair("a late clear_output", "print('a'); clear_output(wait=True); print('b')", said("b\n"), said("a\nb\n")),
    *pair("update_display", UPDATE, shown("'after'"), shown("'before'")),
    *pair("an update from a later cell", "handle.update('later'); print(1)", said("1\n"), shown("'later'")),
    *pair("an Output widget", "out = Output()\nwith out: print('hidden')", None, said("hidden\n")),
    *pair("what an Output widget holds", "len(out.outputs)", shown("1"), shown("0")),
    *pair("interact", "interact(lambda: print('hidden'));",
          shown("interactive(children=(Output(),), _dom_classes=('widget-interact',))"), said("hidden\n")),
    *pair("html", "HTML('<b>0.1234</b>')", shown(HTML_OBJECT, text_html="<b>0.1235</b>"),
          shown(HTML_OBJECT, text_html="<b>0.13</b>")),
    *pair("markdown", "Markdown('*lr* 0.1')", shown(MARKDOWN_OBJECT, text_markdown="*lr* 0.1"),
          shown(MARKDOWN_OBJECT, text_markdown="*lr* 0.01")),
    *pair("a stray warning", "warnings.warn('odd')", said("<ipython>: UserWarning: odd\n", "stderr"), None)[1:],
    *pair("a message on stderr", "print('odd', file=sys.stderr)", said("odd\n", "stderr"), None),
    *pair("a message of native code", "os.write(1, b'hi'); time.sleep(0.5)", None, None)[:1],
    *pair("two messages", "print('a', flush=True); time.sleep(0.1); print('b')", said("a\nb\n"), said("a\n")),
    *pair("a line written over", "print('1 of 2', end='\\r', flush=True); print('2 of 2')", said("2 of 2\n"),
          said("1 of 2\n2 of 2\n")),
    *pair("an exception", "1 / 0", raised("ZeroDivisionError", "division by zero"), None)[1:],
    *pair("an agreed exception", "1 / 0", raised("ZeroDivisionError", "division by zero"),
          raised("ValueError", "division by zero"), "raises-exception"),
    *pair("the data", "os.environ['COURSE_DATA']", shown("'photos'"), shown("'auto'")),
    *pair("the working directory", "Path.cwd().name", shown("'cells'"), shown("'notebooks'")),
    Case("a cell never run", "x = 1", (), False, count=None),
    Case("an ignored output", "print('5.1 s')", (said("4.9 s\n"),), True, ("nbval-ignore-output",)),
    *pair("a chaotic number", "print(f'{1.05:.2f} after 3 epochs')", said("1.10 after 3 epochs\n"),
          said("1.20 after 3 epochs\n"), CHAOTIC_TAG, spread=0.02),
    Case("an exception under an ignored output", "1 / 0", (), False, ("nbval-ignore-output",)),
]  # fmt: skip

NOT_SHOWN = FIGURE.replace("plt.show()", "plt.close(fig)")
OTHER_CURVE = FIGURE.replace("1.5]", "2.5]")
SWAPPED = FIGURE.replace('"SGD"', '"SGD", color="C1"').replace('"Adam"', '"Adam", color="C0"')
CASES += [
    Case("the same figure", FIGURE, "figure", True),
    Case("a figure whose last digits differ", FIGURE.replace("2.0", "2.002"), "figure", True),
    Case("a figure with another curve", OTHER_CURVE, "figure", False),
    Case("a figure that lost a curve", FIGURE.replace('ax.plot([3.0, 1.0, 0.5], label="Adam")', ""), "figure", False),
    Case("a figure that lost its axis label", FIGURE.replace('xlabel="step", ', ""), "figure", False),
    Case("a figure that lost its title", FIGURE.replace(', title="Loss of an epoch"', ""), "figure", False),
    Case("a figure that lost its legend", FIGURE.replace("ax.legend()", ""), "figure", False),
    Case(
        "a figure with swapped curves", SWAPPED.replace("0.5", "1.5").replace("2.0, 1.5", "1.0, 0.5"), "figure", False
    ),
    Case("a figure never shown", NOT_SHOWN, "figure", False),
    Case("a figure shown twice", FIGURE.replace("plt.show()", "display(fig)\nplt.show()"), "figure", False),
    Case("a figure that has no text, chaotic", OTHER_CURVE, "figure", True, (CHAOTIC_TAG,), 0.1),
    Case("a chaotic figure never shown", NOT_SHOWN, "figure", False, (CHAOTIC_TAG,), 0.1),
    Case("the same figure in words", TOLD, "told", True),
    Case("a figure in words whose last digits differ", TOLD.replace("2.0", "2.002"), "told", True),
    Case("a figure in words whose curve is two percent off", TOLD.replace("1.5", "1.53"), "told", False),
    Case(
        "a figure in words with another look",
        TOLD.replace('ylabel="loss"', 'ylabel="loss", stairs=True'),
        "told",
        False,
    ),
    Case("a chaotic figure within its spread", TOLD.replace("1.5", "1.53"), "told", True, (CHAOTIC_TAG,), 0.01),
    Case("a chaotic figure beyond it", TOLD.replace("1.5", "1.65"), "told", False, (CHAOTIC_TAG,), 0.01),
    Case("a chaotic figure without a spread", TOLD.replace("1.5", "1.53"), "told", False, (CHAOTIC_TAG,)),
    Case(
        "a chaotic figure that is lowest elsewhere",
        TOLD.replace("1.0, 0.5", "0.5, 0.51"),
        "told",
        True,
        (CHAOTIC_TAG,),
        0.06,
    ),
    Case(
        "a chaotic figure that lost a curve",
        TOLD.replace(', "Adam": [3.0, 1.0, 0.5]', ""),
        "told",
        False,
        (CHAOTIC_TAG,),
        0.3,
    ),
    Case("a chaotic figure with another title", TOLD.replace("falls", "rises"), "told", False, (CHAOTIC_TAG,), 0.3),
    Case("a widget", WIDGET, "widget", True),
    Case("a widget in another state", "Player(lr=0.5)", "widget", False),
]


# --- running them ---------------------------------------------------------------------------------------------------


def write(path: Path, cells: list[NotebookNode]) -> None:
    path.write_text(text_of(new_notebook(cells=cells)), encoding="utf-8")


def code(
    source: str, *stored: NotebookNode, tags: tuple[str, ...] = (), spread: float = 0.0, count: int | None = 1
) -> NotebookNode:
    metadata = {"tags": list(tags), SPREAD: spread}
    return new_code_cell(source.strip(), outputs=list(stored), execution_count=count, metadata=metadata)


@dataclass(frozen=True)
class Outcome:
    """How pytest judged one cell."""

    verdict: str  # passed, failed or skipped
    report: str
    seconds: float


@dataclass(frozen=True)
class Session:
    """A pytest of its own: what it printed, and how it judged (notebook, cell number)."""

    screen: str
    cells: dict[tuple[str, int], Outcome]


def run_pytest(folder: Path) -> Session:
    options = "-m pytest --nbval -p tests.tools.nbval_repairs -W error -p no:cacheprovider -ra --junitxml=report.xml ."
    environment = {k: v for k, v in os.environ.items() if k != "COURSE_DATA"}
    environment |= {"PYTHONPATH": str(Path(__file__).parent.parent), "MPLBACKEND": "agg"}  # must not reach the kernels
    done = subprocess.run(
        [sys.executable, *options.split()], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (folder / "report.xml").exists(), done.stdout + done.stderr
    found = ElementTree.parse(folder / "report.xml").iter("testcase")
    return Session(done.stdout, dict(map(_outcome, found)))


def _outcome(case: ElementTree.Element) -> tuple[tuple[str, int], Outcome]:
    told = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
    verdict = "passed" if told is None else told.tag.replace("failure", "failed")
    report = "" if told is None else f"{told.get('message')}\n{told.text}"
    number = int(case.attrib["name"].rpartition(" ")[2])
    return (case.attrib["classname"].split(".")[0], number), Outcome(verdict, report, float(case.attrib["time"]))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One run over all cases, and over a notebook whose second cell kills its kernel."""
    folder = tmp_path_factory.mktemp("session") / "cells"
    folder.mkdir()
    Image.new("RGB", (40, 40), "crimson").save(folder / "dot.png")
    made = made_outputs(folder / "made.ipynb")
    outputs = [made[case.stored] if isinstance(case.stored, str) else case.stored for case in CASES]
    cells = [
        code(c.source, *out, tags=c.tags, spread=c.spread, count=c.count) for c, out in zip(CASES, outputs, strict=True)
    ]
    write(folder / "cells.ipynb", cells)
    write(folder / "dead.ipynb", [code("x = 1"), code("import os\nos._exit(1)"), code("x")])
    return run_pytest(folder)


def made_outputs(path: Path) -> dict[str, list[NotebookNode]]:
    """Outputs of FIGURE, TOLD and WIDGET as `make outputs` stores them."""
    write(path, [code(IMPORTS), code(FIGURE), code(TOLD), code(WIDGET)])
    _, figure, told, widget = store(path).cells
    return {"figure": figure.outputs, "told": told.outputs, "widget": widget.outputs}


def outcome_of(says: str, session: Session) -> Outcome:
    return session.cells["cells", 1 + [case.says for case in CASES].index(says)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_cell_passes_exactly_when_it_says_what_is_stored(case: Case, session: Session) -> None:
    found = outcome_of(case.says, session)
    assert found.verdict == ("passed" if case.agrees else "failed"), found.report


def test_a_freshly_stored_notebook_passes(session: Session) -> None:
    assert {number: session.cells["made", number].verdict for number in (1, 2, 3, 4)} == dict.fromkeys(
        (1, 2, 3, 4), "passed"
    )


def test_the_report_shows_the_source_and_both_outputs(session: Session) -> None:
    report = outcome_of("a float within the tolerance, wrong", session).report
    assert "print('loss 2.3021')" in report
    assert "-loss 2.312" in report
    assert "+loss 2.3021" in report


def test_the_report_of_an_exception_shows_its_traceback(session: Session) -> None:
    assert "ZeroDivisionError: division by zero" in outcome_of("an exception, wrong", session).report


def test_the_report_of_a_cell_never_run_names_the_cure(session: Session) -> None:
    assert "make outputs" in outcome_of("a cell never run", session).report


def test_a_dead_kernel_is_reported_long_before_the_time_out(session: Session) -> None:
    dead = session.cells["dead", 2]
    assert dead.verdict == "failed"
    assert "the kernel died" in dead.report
    assert dead.seconds < 30  # the time-out of this session is 2000 s


def test_the_cells_after_a_dead_kernel_are_skipped_with_the_reason(session: Session) -> None:
    assert session.cells["dead", 3].verdict == "skipped"
    assert "the kernel died in Cell 2" in session.cells["dead", 3].report


def test_the_time_of_each_notebook_is_shown(session: Session) -> None:
    table = session.screen.partition("seconds per notebook")[2]
    assert "s  cells.ipynb" in table
    assert "s  dead.ipynb" in table


def test_a_cell_that_does_not_end_fails_at_the_time_out(pytester: pytest.Pytester) -> None:
    write(pytester.path / "slow.ipynb", [code("while True: pass"), code("1")])
    done = pytester.runpytest_inprocess("--nbval", "-p", "tests.tools.nbval_repairs", "--nbval-cell-timeout=2")
    done.assert_outcomes(failed=1, skipped=1)
    done.stdout.fnmatch_lines(["*time-out after 2 s*"])


def test_pytest_in_the_repository_uses_the_repaired_nbval(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.has_plugin("tests.tools.nbval_repairs")


def test_another_version_of_nbval_is_refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nbval, "__version__", "0.12.0")
    with pytest.raises(pytest.UsageError, match=r"repairs nbval 0\.11\.0, found 0\.12\.0"):
        pytest_configure(request.config)
