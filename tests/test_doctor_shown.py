"""How does a report look? As text, on a page, and below the cell of its magic."""

import re
from pathlib import Path

import pytest
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor import Finding
from course_utils.doctor.recording import Recording, Update
from course_utils.doctor.rules import RULES
from tests.helpers.doctor_programs import learn, leave, mlp, setup

# -- how it looks ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ill():
    s = setup()
    with doctor.watch() as report:
        for x, y in s.loader:
            F.cross_entropy(s.model(x), y).backward()
            s.opt.step()
    return report


def test_the_text_names_evidence_cure_and_lesson(ill):
    text = str(ill)
    assert "ERROR missing-zero-grad" in text
    assert "15 of 16 steps" in text
    assert "optimizer.zero_grad()" in text
    assert "Lesson: 01_optimizer_overview.ipynb, section 3" in text


def test_the_html_has_the_strip_the_code_and_a_link(ill):
    html = ill._repr_html_()
    assert 'aria-label="forward loss backward optimizer step forward' in html
    assert "<pre>for images, labels in loader:" in html
    assert '<a href="01_optimizer_overview.ipynb">' in html


def test_neither_text_nor_html_holds_an_address(ill):
    assert re.search(r"0x[0-9a-f]{6}|object at", str(ill) + ill._repr_html_()) is None


def test_html_escapes_what_an_exception_says():
    block = doctor.watch()
    report = block.__enter__()
    leave(block, lambda _: ValueError("<script>alert(1)</script>"))
    assert "<script>" not in report._repr_html_()


@pytest.fixture
def two_findings():
    """A report on an error and a warning, whose evidence looks like code."""
    report = doctor.Report()
    report.recording = Recording(updates=(Update(),))
    report.findings = tuple(
        Finding(name, severity, "title", "<b>seen</b>", "why", "fix", "notebook.ipynb, section 1")
        for name, severity in (("missing-step", "error"), ("measuring-with-gradients", "warning"))
    )
    return report


def test_the_html_has_the_colour_of_the_most_severe_finding(two_findings):
    html = two_findings._repr_html_()
    assert re.findall(r'class="head" style="border-color:(#\w+)"', html) == re.findall(r"left-color:(#\w+)", html)[:1]


def test_html_escapes_what_was_seen(two_findings):
    assert "<b>seen" not in two_findings._repr_html_()


def headings(notebook):
    import json

    cells = json.loads((Path(__file__).parent.parent / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()]
    return [line.lstrip("# ") for line in lines if line.startswith("#")]


def test_every_lesson_is_a_section_of_a_notebook():
    lessons = [re.fullmatch(r"(\w+\.ipynb), section ([\d.]+)", rule.lesson).groups() for rule in RULES]
    assert len(set(lessons)) > 5
    missing = [(n, s) for n, s in lessons if not any(h.startswith((f"{s} ", f"{s}.")) for h in headings(n))]
    assert missing == []


# -- the cell magic ----------------------------------------------------------------------------------------------


@pytest.fixture
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    doctor.load_ipython_extension(shell)
    shell.user_ns |= {"setup": setup, "learn": learn, "mlp": mlp, "nn": nn}
    yield shell
    shell.history_manager.end_session()
    shell.history_manager.save_thread and shell.history_manager.save_thread.stop()


def test_the_magic_runs_the_cell_and_shows_the_report(shell, capsys):
    value = shell.run_cell_magic("doctor", "", "s = setup()\nlearn(s, 1)\n1 + 1")
    assert value == 2
    assert "s" in shell.user_ns
    assert "Doctor: healthy. 16 steps observed" in capsys.readouterr().out


def test_the_magic_takes_a_number_of_steps(shell, capsys):
    shell.run_cell_magic("doctor", "--steps 3", "learn(setup(), 1)")
    assert "3 steps observed" in capsys.readouterr().out


def test_the_magic_shows_the_report_and_lets_an_exception_pass(shell, capsys):
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("doctor", "", "learn(setup(), 1)\n1 / 0")
    assert "ended with ZeroDivisionError" in capsys.readouterr().out


def test_the_magic_refuses_other_options_in_words(shell):
    with pytest.raises(ValueError, match="unknown options '--verbose'; write %%doctor"):
        shell.run_cell_magic("doctor", "--verbose", "1")
