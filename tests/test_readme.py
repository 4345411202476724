"""The README: its links lead somewhere, its commands exist, its questions are those of the notebooks."""

import re
from pathlib import Path

import nbformat
import pytest

from course_utils.doctor.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_leads_to_a_file(target):
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("target", re.findall(r"^    make ([a-z-]+)", README, re.M))
def test_every_command_is_a_target_of_the_makefile(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


def test_the_readme_promises_no_more_rules_of_the_doctor_than_there_are():
    (promised,) = re.findall(r"names the cause: (.+?), and more\sthan\sseventy\sothers", README, re.S)
    assert len(promised.split(", ")) + 70 < len(RULES)


def test_every_image_says_its_message():
    images = re.findall(r"!\[([^\]]*)\]\(images/", README)
    assert images
    assert all(len(alt) > 40 for alt in images)


def test_every_notebook_is_titled_with_its_number_and_the_question_in_the_table():
    rows = re.findall(r"^\| \[(\d\d) [^\]]+\]\((notebooks/[^)]+)\) \| ([^|]+) \|", README, re.M)
    titles = [nbformat.read(ROOT / path, as_version=4).cells[0].source.splitlines()[0] for _, path, _ in rows]
    assert titles == [f"# {number} {question}" for number, _, question in rows]
    assert len(rows) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def test_ci_runs_exactly_the_test_command_of_the_readme():
    (command,) = re.findall(r"^exec (.+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M)
    assert f"    {command} " in README
