"""The pages of the doctor's faults: every rule has one, and all say what rules and corpus say now."""

import re

import pytest

from benchmarks.doctor.examined import examined
from benchmarks.doctor.pages import FOLDER, example, index, page, report_on, seen
from benchmarks.doctor.program import Program
from course_utils import doctor

RULES = {rule.name: rule for rule in doctor.rules()}
#: one whose program ends well, one whose program raises, one that shows only on copies
RUN = ["missing-zero-grad", "labels-out-of-range", "output-ignores-input"]


def stored(name):
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def seen_in(text):
    (line,) = re.findall(r"^Seen: (.+)$", text, re.M)
    return line


def test_there_is_a_page_for_each_rule_and_no_other():
    assert {path.stem for path in FOLDER.glob("*.md")} == {*RULES, "README"}


@pytest.mark.parametrize("name", RULES)
def test_a_page_is_up_to_date(name):
    text = stored(name)
    assert text == page(RULES[name], seen_in(text))  # but for what was seen, whose numbers depend on the processor


def test_the_index_is_up_to_date():
    assert stored("README") == index()


@pytest.mark.parametrize("name", RUN)
def test_what_a_page_has_seen_is_seen_again(name):
    assert re.sub(r"[-+.\de]+", "0", seen_in(stored(name))) == re.sub(r"[-+.\de]+", "0", seen(name))


@pytest.mark.parametrize("name", RULES)
def test_the_program_on_a_page_has_healthy_ones_beside_it(name):
    assert example(name).fault == name
    assert "- `healthy/" in stored(name)


@pytest.mark.parametrize("program", examined(), ids=lambda program: program.id)
def test_a_model_that_is_examined_has_its_fault_or_none(program):
    assert [finding.name for finding in report_on(program).findings][:1] == [program.fault][: bool(program.fault)]


def test_a_program_whose_fault_is_not_named_makes_no_page(monkeypatch):
    wrong = Program("missing-step/1", "missing-step", "nothing", "losses = []\n")
    monkeypatch.setattr("benchmarks.doctor.pages.example", lambda fault: wrong)
    with pytest.raises(ValueError, match="missing-step/1 must be named first"):
        seen("missing-step")
