"""The clinic of notebook 04: its five loops are as ill as it says, and its solutions cure them."""

import math
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from course_utils.checks import check_diagnoses, check_repairs, clinic
from course_utils.checks.visit import examined
from course_utils.doctor.rules import RULES
from tests.helpers.lessons import lesson
from tests.helpers.repairs import RIGHT_REPAIRS, WRONG_REPAIRS, Loop

CLINIC = lesson("04_lr_scheduler", since="## 7 The clinic")
LETTERS = "ABCDE"


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


@pytest.fixture(scope="module")
def visited() -> Loop:
    """A visit that is made once for each loop."""
    return cache(examined)


@pytest.fixture
def each_visited_once(visited: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinic, "examined", visited)


def test_the_diagnoses_of_the_solution_are_those_of_the_doctor(
    broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_diagnoses(broken, diagnoses)


def test_the_loops_of_the_solution_are_healthy_and_learn(repaired: dict[str, Loop]) -> None:
    assert check_repairs(repaired)


@pytest.mark.parametrize("letter", LETTERS)
def test_a_broken_loop_that_is_handed_in_as_repaired_is_refused_without_the_name_of_its_fault(
    letter: str, broken: dict[str, Loop], repaired: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    verdict = check_repairs({**repaired, letter: broken[letter]})
    assert not verdict
    assert f"still finds faults in loop {letter};" in verdict.message
    assert diagnoses[letter] not in verdict.message


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
    verdict = check_diagnoses(broken, {**diagnoses, "B": "missing-step"})
    assert not verdict
    assert "softmax in 20 of 20 calls" in verdict.message
    assert diagnoses["B"] not in verdict.message


def test_a_healthy_loop_cannot_be_diagnosed(repaired: dict[str, Loop]) -> None:
    assert "healthy" in check_diagnoses({"A": repaired["A"]}, {"A": "missing-zero-grad"}).message


@pytest.mark.parametrize("loops", [None, {}, [len]])
def test_what_are_no_loops_is_said_in_words(loops: Any) -> None:
    assert "leave the dict as it was" in check_repairs(loops).message
    assert "leave the dict as it was" in check_diagnoses(loops, {"A": "missing-step"}).message


def test_diagnoses_that_are_none_are_asked_for(broken: dict[str, Loop]) -> None:
    for given in (None, {}, "A", list(LETTERS)):
        assert "expected diagnoses by their letters, got" in check_diagnoses(broken, given).message  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- letters


def test_a_foreign_letter_is_named(broken: dict[str, Loop]) -> None:
    assert "expected the letters A, B, C, D, E, got Z" in check_diagnoses(broken, {"Z": "missing-step"}).message
    assert "expected the letters A, B, C, D, E, got X" in check_repairs({"A": len, "X": len}).message
    assert "expected the letters A, got B" in check_diagnoses({"A": broken["A"]}, {"B": "missing-step"}).message


@pytest.mark.usefixtures("each_visited_once")
def test_what_is_right_so_far_is_praised_and_the_missing_letters_are_asked_for(
    broken: dict[str, Loop], repaired: dict[str, Loop]
) -> None:
    verdict = check_repairs({"B": repaired["B"], "D": repaired["D"]})
    assert verdict
    assert verdict.message == "B, D: healthy, and learning. Still to come: A, C, E."
    verdict = check_diagnoses({"A": broken["A"]}, {"A": "missing-zero-grad"})
    assert verdict
    assert verdict.message == "A: the doctor agrees. Still to come: B, C, D, E."
    verdict = check_diagnoses(broken, {"A": "missing-zero-grad"})
    assert not verdict
    assert verdict.message == "A: the doctor agrees; still missing: B, C, D, E"


def test_one_function_under_several_letters_is_named(broken: dict[str, Loop], repaired: dict[str, Loop]) -> None:
    same = "A and B are the same function"
    assert same in check_repairs(dict.fromkeys(LETTERS, repaired["C"])).message
    assert (
        same
        in check_diagnoses(dict.fromkeys(LETTERS, broken["A"]), dict.fromkeys(LETTERS, "missing-zero-grad")).message
    )
    assert "D and E are the same" in check_repairs({**repaired, "E": repaired["D"]}).message


def test_one_letter_in_two_forms_is_named(repaired: dict[str, Loop]) -> None:
    assert "a letter stands twice among 'A', 'a'" in check_repairs({"A": repaired["A"], "a": repaired["B"]}).message


@pytest.mark.usefixtures("each_visited_once")
def test_small_letters_are_letters_too(
    broken: dict[str, Loop], repaired: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_repairs({f" {letter.lower()}": loop for letter, loop in repaired.items()})
    assert check_diagnoses(broken, {letter.lower(): name for letter, name in diagnoses.items()})


def test_what_is_no_loop_under_every_letter_is_said_in_words() -> None:
    assert "expected a function, got 1.0" in check_repairs(dict.fromkeys(LETTERS, 1.0)).message  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------- what it returns


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
    ("returned", "words"),
    [
        (None, "must return its losses"),
        ([2.3], "returned 1 loss; return one for every batch"),
        (["x"], "must return"),
        ([math.nan] * 20, "the loss of loop A became NaN at update 1"),
        ([2.3] * 7 + [math.inf] * 13, "the loss of loop A became inf at update 8"),
    ],
)
def test_losses_that_are_none_are_said_in_words(repaired: dict[str, Loop], returned: Any, words: str) -> None:
    def loop(model: Any, loader: Any) -> Any:
        repaired["A"](model, loader)
        return returned

    assert words in check_repairs({"A": loop}).message


def test_a_loop_that_raises_is_said_in_words() -> None:
    assert "ZeroDivisionError" in check_repairs({"A": lambda model, loader: 1 / 0}).message


# ----------------------------------------------------------------------------------- names in many forms, and no names

SPELLINGS = [
    "missing-zero-grad", "Missing-Zero-Grad", "MISSING-ZERO-GRAD", " missing-zero-grad ", "missing-zero-grad\n",
    "missing zero grad", "missing_zero_grad", "Missing zero_grad", "missing  zero  grad", '"missing-zero-grad"',
    "`missing-zero-grad`", "missing–zero–grad", np.str_("missing-zero-grad"), "missing-zero-grad.",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.usefixtures("each_visited_once")
def test_a_diagnosis_is_recognised_however_it_is_spelled(
    spelling: str, broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_diagnoses(broken, {**diagnoses, "A": spelling})


NO_NAMES: list[Any] = [
    "zero-grad", "missing-zero-gradient", "the gradients add up", "", "A", 1, True, ["missing-zero-grad"], 0.5,
    b"missing-zero-grad", len, "missing-zero-grad, missing-step",
]  # fmt: skip


@pytest.mark.parametrize("diagnosis", NO_NAMES)
def test_what_is_no_name_from_the_list_is_called_that(diagnosis: Any, broken: dict[str, Loop]) -> None:
    assert "is no name from the list" in check_diagnoses({"A": broken["A"]}, {"A": diagnosis}).message


# ------------------------------------------------------------------------------------------ repairs, right and wrong


@pytest.mark.parametrize(("letter", "loop"), RIGHT_REPAIRS.values(), ids=list(RIGHT_REPAIRS))
@pytest.mark.usefixtures("each_visited_once")
def test_an_honest_repair_is_accepted(letter: str, loop: Loop, repaired: dict[str, Loop]) -> None:
    verdict = check_repairs({**repaired, letter: loop})
    assert verdict, verdict.message


@pytest.mark.parametrize(("letter", "loop", "words"), WRONG_REPAIRS.values(), ids=list(WRONG_REPAIRS))
def test_what_is_no_repair_is_refused_in_words(letter: str, loop: Any, words: str) -> None:
    verdict = check_repairs({letter: loop})
    assert not verdict
    assert words in verdict.message
