"""The clinic of notebook 04: its five loops are as ill as it says, and its solutions cure them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from course_utils.checks import check_diagnoses, check_repairs
from course_utils.doctor.rules import RULES
from tests.helpers.lessons import lesson

CLINIC = lesson("04_lr_scheduler", since="## 7 The clinic")
LETTERS = "ABCDE"

Loop = Callable[..., Any]


def names_after(*sources: str) -> dict[str, Any]:
    names: dict[str, Any] = {"cross_entropy": cross_entropy, "SGD": SGD, "StepLR": StepLR}
    for source in sources:
        exec(source, names)
    return names


def loops_in(names: dict[str, Any]) -> dict[str, Loop]:
    return {letter: names[f"loop_{letter.lower()}"] for letter in LETTERS}


@pytest.fixture(scope="module")
def broken() -> dict[str, Loop]:
    return loops_in(names_after(*(text for text in CLINIC.sources("code") if text.startswith("def loop_"))))


@pytest.fixture(scope="module")
def repaired() -> dict[str, Loop]:
    return loops_in(names_after(CLINIC.solutions()[1]))


@pytest.fixture(scope="module")
def diagnoses() -> dict[str, str]:
    found: dict[str, str] = names_after(CLINIC.solutions()[0])["diagnoses"]
    return found


def test_the_diagnoses_of_the_solution_are_those_of_the_doctor(
    broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_diagnoses(broken, diagnoses)


def test_the_loops_of_the_solution_are_healthy_and_learn(repaired: dict[str, Loop]) -> None:
    assert check_repairs(repaired)


@pytest.mark.parametrize("letter", LETTERS)
def test_every_broken_loop_is_named_when_it_is_handed_in_as_repaired(
    letter: str, broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    verdict = check_repairs({letter: broken[letter]})
    assert not verdict
    assert f"loop {letter}: {diagnoses[letter]}" in verdict.message


def test_the_names_to_choose_from_are_names_of_the_doctor_and_hold_the_right_ones(diagnoses: dict[str, str]) -> None:
    listed = next(text for text in CLINIC.sources("markdown") if text.startswith("### Exercise 5"))
    choices = set(re.findall(r'`"([a-z-]+)"`', listed))
    assert choices <= {rule.name for rule in RULES}
    assert set(diagnoses.values()) < choices


def test_a_missing_diagnosis_is_asked_for(broken: dict[str, Loop]) -> None:
    assert "no diagnosis yet" in check_diagnoses(broken, dict.fromkeys(LETTERS)).message


def test_a_wrong_diagnosis_gets_a_measurement_and_not_the_name(
    broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    verdict = check_diagnoses({"B": broken["B"]}, {"B": "missing-step"})
    assert not verdict
    assert "softmax in 20 of 20 calls" in verdict.message
    assert diagnoses["B"] not in verdict.message


def test_a_healthy_loop_cannot_be_diagnosed(repaired: dict[str, Loop]) -> None:
    assert "healthy" in check_diagnoses({"A": repaired["A"]}, {"A": "missing-zero-grad"}).message


@pytest.mark.parametrize("loops", [None, {}, [len]])
def test_what_are_no_loops_is_said_in_words(loops: Any) -> None:
    assert "leave the dict as it was" in check_repairs(loops).message
    assert "leave the dict as it was" in check_diagnoses(loops, {"A": "missing-step"}).message


def test_letters_that_do_not_agree_are_said_in_words(broken: dict[str, Loop]) -> None:
    assert "expected the letters A" in check_diagnoses({"A": broken["A"]}, {"Z": "missing-step"}).message


def test_a_loop_that_trains_without_a_fault_but_learns_nothing_is_not_repaired(repaired: dict[str, Loop]) -> None:
    def idle(model: Any, loader: Any) -> list[float]:
        losses = repaired["A"](model, loader)
        return [losses[0]] * len(losses)

    assert "hardly learns" in check_repairs({"A": idle}).message


def test_a_loss_that_falls_by_one_percent_is_hardly_learned(repaired: dict[str, Loop]) -> None:
    def slow(model: Any, loader: Any) -> list[float]:
        repaired["A"](model, loader)
        return [1.0] * 5 + [0.99] * 5

    assert "hardly learns: loss 1.000 at first, 0.990 at last" in check_repairs({"A": slow}).message


@pytest.mark.parametrize(
    ("returned", "words"), [(None, "must return its losses"), ([2.3], "returned 1 losses"), (["x"], "must return")]
)
def test_losses_that_are_none_are_said_in_words(repaired: dict[str, Loop], returned: Any, words: str) -> None:
    def loop(model: Any, loader: Any) -> Any:
        repaired["A"](model, loader)
        return returned

    assert words in check_repairs({"A": loop}).message


def test_a_loop_that_raises_is_said_in_words() -> None:
    assert "ZeroDivisionError" in check_repairs({"A": lambda model, loader: 1 / 0}).message
