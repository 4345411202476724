"""For each repair a cell that must pass and one that must fail, run by a pytest of its own on generated notebooks."""

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import nbval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image, ImageDraw

from tests.tools.comparing import (
    ATOL,
    CHAOTIC_TAG,
    PLACE_RTOL,
    RTOL,
    SPREAD,
    differences,
    distance,
    same_picture,
    same_text,
    spread,
)
from tests.tools.nbval_repairs import pytest_configure
from tests.tools.store_outputs import store, text_of

pytest_plugins = ["pytester"]

# --- cells ----------------------------------------------------------------------------------------------------------


def said(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def shown(text: str, **data: str) -> NotebookNode:
    return new_output("display_data", data={"text/plain": text, **{k.replace("_", "/"): v for k, v in data.items()}})


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


# --- tolerances -----------------------------------------------------------------------------------------------------

SAME = [
    ("2.302", "2.303"),
    ("1e-05", "1.001e-05"),
    ("12.50 %", "12.52 %"),
    ("-0.0", "0.0"),
    ("0.0", "1e-16"),
    ("tensor([ 0.1234, -0.5])", "tensor([0.1235, -0.5])"),
    ("loss=346.9 after 157 batches", "loss=347.0 after 157 batches"),
    ("347", "346.9"),  # 347.0 printed with 4 significant digits
    ("[1.e-05 2.e-05]", "[1.001e-05 2.000e-05]"),
    ("| SGD  | 0.512 |", "| SGD | 0.5121 |"),
    ("(3, 32, 32) nan inf", "(3, 32, 32) nan inf"),
]
DIFFERENT = [
    ("2.302", "2.312"),
    ("lr 0.01", "lr 0.1"),
    ("1e-05", "1e-06"),
    ("1e-11", "1e-10"),
    ("156 batches", "157 batches"),
    ("10000", "10001"),
    ("(3, 32, 32)", "(3, 32, 33)"),
    ("0.5", "-0.5"),
    ("nan", "0.5"),
    ("-inf", "inf"),
    ("float32", "float64"),
    ("conv1", "conv2"),
    ("10. step", "11. step"),
    ("1000.", "1001."),
    ("a b", "ab"),
    ("a\nb", "a b"),
    ("SGD 0.1\nAdam 0.2", "SGD 0.1"),
    ("2.302 s", "2.302 ms"),
]


@pytest.mark.parametrize(("stored", "fresh"), SAME)
def test_the_last_digit_and_blanks_do_not_matter(stored: str, fresh: str) -> None:
    assert same_text(stored, fresh)
    assert same_text(fresh, stored)


@pytest.mark.parametrize(("stored", "fresh"), DIFFERENT)
def test_words_lines_whole_numbers_and_larger_digits_matter(stored: str, fresh: str) -> None:
    assert not same_text(stored, fresh)
    assert not same_text(fresh, stored)


values = st.floats(1e-6, 1e6).flatmap(lambda x: st.sampled_from([x, -x]))


@settings(derandomize=True, deadline=None)
@given(values, st.floats(-0.4, 0.4))
def test_four_significant_digits_pass_within_half_the_tolerance(value: float, share: float) -> None:
    assert same_text(f"{value:#.4g}", f"{value * (1 + share * RTOL):#.4g}")


@settings(derandomize=True, deadline=None)
@given(values, st.floats(2.5, 1000), st.booleans())
def test_four_significant_digits_fail_beyond_twice_the_tolerance(value: float, times: float, up: bool) -> None:
    factor = 1 + times * RTOL
    assert not same_text(f"{value:#.4g}", f"{value * factor if up else value / factor:#.4g}")


@settings(derandomize=True, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(1, 10))
def test_whole_numbers_must_be_equal(number: int, more: int) -> None:
    assert same_text(f"step {number} of n", f"step {number} of n")
    assert not same_text(f"step {number} of n", f"step {number + more} of n")


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_every_text_agrees_with_itself_after_a_change_of_blanks(text: str) -> None:
    assert same_text(text, text.replace(" ", "  "))


def test_the_absolute_tolerance_is_below_every_learning_rate_shown() -> None:
    assert ATOL <= 1e-12


def test_outputs_of_one_kind_keep_their_order() -> None:
    first, second = said("a\n"), shown("1")
    assert not differences([first, second], [second, first])  # stdout and results travel apart
    assert differences([shown("1"), shown("2")], [shown("2"), shown("1")])


# --- texts of figures -------------------------------------------------------------------------------------------------

LINEAR = "Lines: It falls. To the right: step, 0 to 9; upwards: loss (nats).\n- SGD: begins at 2.0, ends at {} at ≈ {}"
LOGARITHMIC = LINEAR.replace("(nats)", "(nats) (log scale)")


@pytest.mark.parametrize(
    ("text", "stored", "fresh", "needed"),
    [
        (LINEAR, (0.01, 9), (0.02, 9), 0.005),  # beside the 2.0 on its line
        (LOGARITHMIC, (0.01, 9), (0.02, 9), 0.5),
        (LINEAR, (0.01, 9), (0.01, 8), RTOL / PLACE_RTOL / 9),
        (LINEAR, (0.01, 9), (0.01, 9), 0.0),
        (LINEAR, ("nan", 9), (0.01, 9), float("inf")),
    ],
)
def test_a_number_of_a_figure_is_held_against_its_line(text: str, stored: tuple, fresh: tuple, needed: float) -> None:
    found = distance(text.format(*stored), text.format(*fresh), figure=True)
    assert found == pytest.approx(needed, rel=1e-6)


def test_places_and_counts_may_be_left_out() -> None:
    assert distance(LINEAR.format(0.01, 9), LINEAR.format(0.01, 2), figure=True, places=False) == 0
    assert distance("475 values", "1,475 values", figure=True, places=False) == 0
    assert distance("475 values", "476 values", figure=True) == float("inf")


def test_a_minus_sign_of_typography_is_one() -> None:
    assert same_text("−0.5 and 1e−05", "−0.5001 and 1.001e−05")
    assert not same_text("−0.5", "0.5")


def test_the_spread_of_two_outputs_is_the_tolerance_they_need() -> None:
    numbers, blocks = spread([said("loss 2.00\n")], [said("loss 2.10\n")])
    assert (numbers, blocks) == (pytest.approx(0.1 / 2.1), 0)
    assert spread([said("it fell\n")], [said("it rose\n")])[0] == float("inf")
    assert spread([said("it fell\n")], [])[0] == float("inf")


# --- pictures -------------------------------------------------------------------------------------------------------


def picture(*, shift: int = 0, size: tuple[int, int] = (320, 200), colour: str = "black", text: bool = True) -> bytes:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.line([(20, 30 + shift), (300, 170 + shift)], fill=colour, width=2)
    if text:
        draw.text((150, 185), "step", fill="black")
    return encode(image)


def encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="png")
    return out.getvalue()


@pytest.mark.parametrize("changed", [picture(shift=2), picture(colour="#101010")], ids=["line moved", "lighter black"])
def test_two_pixels_and_a_shade_are_the_same_picture(changed: bytes) -> None:
    assert same_picture(picture(), changed)
    assert same_picture(changed, picture())


@pytest.mark.parametrize(
    "changed",
    [
        picture(shift=20),
        picture(text=False),
        picture(colour="white"),
        picture(colour="red"),
        picture(size=(320, 240)),
        picture(size=(280, 200)),
        encode(Image.open(io.BytesIO(picture())).resize((640, 400))),
    ],
    ids=["line moved", "label lost", "line lost", "colour changed", "higher", "narrower", "twice as large"],
)
def test_a_visible_change_is_another_picture(changed: bytes) -> None:
    assert not same_picture(picture(), changed)
    assert not same_picture(changed, picture())


def test_a_picture_smaller_than_a_block_can_be_compared() -> None:
    dots = [encode(Image.fromarray(np.full((2, 3, 3), level, np.uint8))) for level in (0, 0, 255)]
    assert same_picture(dots[0], dots[1])
