"""Every exercise of every notebook: its stub is not yet right, its solution is, and both have the same shape.

The clinic at the end of notebook 04 asks in its own way, and has a test file of its own.
"""

import ast
from typing import Any

import pytest
import torch

from course_utils import checks
from course_utils.checks.verdict import Verdict
from tests.helpers.lessons import Exercise, lesson

LESSONS = {
    stem: lesson(stem, until="## 7 The clinic")
    for stem in (
        "01_optimizer_overview",
        "02_one_epoch",
        "03_multi_epoch",
        "04_lr_scheduler",
        "05_optimizer_practice",
        "06_curvature",
    )
}
EXERCISES = [(stem, exercise) for stem, part in LESSONS.items() for exercise in part.exercises()]
OF_THE_CLINIC = {"check_diagnoses", "check_repairs"}

each_exercise = pytest.mark.parametrize(("stem", "exercise"), EXERCISES, ids=[one.check for _, one in EXERCISES])


def verdict_on(stem: str, exercise: Exercise, source: str) -> Verdict:
    """What the check says when ``source`` was run before it."""
    names = LESSONS[stem].imports()
    exec(source, names)
    verdict = names[exercise.check](names[exercise.answer])
    assert isinstance(verdict, Verdict)
    return verdict


def test_every_check_is_asked_in_exactly_one_exercise() -> None:
    assert sorted(exercise.check for _, exercise in EXERCISES) == sorted(set(checks.__all__) - OF_THE_CLINIC)


@each_exercise
def test_the_solution_passes(stem: str, exercise: Exercise) -> None:
    assert verdict_on(stem, exercise, exercise.solution)


@each_exercise
def test_the_stub_is_not_yet_right(stem: str, exercise: Exercise) -> None:
    assert repr(verdict_on(stem, exercise, exercise.stub)).startswith("✗ not yet: ")


@each_exercise
def test_stub_and_solution_have_the_same_signature(stem: str, exercise: Exercise) -> None:
    stub, solution = ast.parse(exercise.stub).body[-1], ast.parse(exercise.solution).body[-1]
    assert type(stub) is type(solution)
    if isinstance(stub, ast.FunctionDef) and isinstance(solution, ast.FunctionDef):
        assert (stub.name, ast.dump(stub.args)) == (solution.name, ast.dump(solution.args))


NO_ANSWERS: dict[str, tuple[Any, str]] = {
    "None": (None, "expected"),
    "an error": (lambda *_, **__: 1 / 0, "ZeroDivisionError"),
    "no argument": (lambda: None, "TypeError"),
    **{
        f"returns {returned!r}": (lambda *_, returned=returned, **__: returned, "")
        for returned in (None, True, 0, "done", [], {}, (1, 2), [{}], torch.ones(3))
    },
}


@pytest.mark.parametrize("check", [one.check for _, one in EXERCISES if one.stub.lstrip().startswith("def ")])
@pytest.mark.parametrize(("answer", "words"), NO_ANSWERS.values(), ids=list(NO_ANSWERS))
def test_what_does_no_work_is_not_yet_right(check: str, answer: Any, words: str) -> None:
    verdict = getattr(checks, check)(answer)
    assert not verdict
    assert words in verdict.message
