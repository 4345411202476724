"""The exercises of notebooks 01 and 02 under many answers: honest forms of a right one pass, wrong ones are named.

The tables are kept per notebook, in tests/helpers. What a wrong answer must hear stands beside it; the tests of the
checks themselves, in test_checks_overview.py and test_checks_one_epoch.py, have the mistakes that every learner makes.
"""

import pytest

from course_utils import checks
from course_utils.checks.verdict import Verdict
from tests.helpers.answers import Answer
from tests.helpers.answers_one_epoch import (
    AVERAGES,
    BATCHES,
    RUNNING_LOSSES,
    WRONG_AVERAGES,
    WRONG_BATCHES,
    WRONG_RUNNING_LOSSES,
    on_a_batch,
)
from tests.helpers.answers_overview import (
    LARGEST_LR,
    MOMENTUM_STEPS,
    TORCH_LR,
    WRONG_LARGEST_LR,
    WRONG_MOMENTUM_STEPS,
    WRONG_TORCH_LR,
)
from tests.helpers.answers_step import STEPS, WRONG_STEPS

LEAST = 12  # right answers and wrong ones for each check

RIGHT: dict[str, dict[str, Answer]] = {
    "check_largest_stable_lr": LARGEST_LR,
    "check_repaired_step": STEPS,
    "check_momentum_step": MOMENTUM_STEPS,
    "check_torch_lr": TORCH_LR,
    "check_number_of_batches": BATCHES,
    "check_train_step": {name: on_a_batch(step) for name, step in STEPS.items()},
    "check_moving_average": AVERAGES,
    "check_running_loss": RUNNING_LOSSES,
}
WRONG: dict[str, dict[str, tuple[Answer, str]]] = {
    "check_largest_stable_lr": WRONG_LARGEST_LR,
    "check_repaired_step": {name: (step, words) for name, (step, words, _) in WRONG_STEPS.items()},
    "check_momentum_step": WRONG_MOMENTUM_STEPS,
    "check_torch_lr": WRONG_TORCH_LR,
    "check_number_of_batches": WRONG_BATCHES,
    "check_train_step": {name: (on_a_batch(step), words) for name, (step, _, words) in WRONG_STEPS.items()},
    "check_moving_average": WRONG_AVERAGES,
    "check_running_loss": WRONG_RUNNING_LOSSES,
}


def verdict_of(check: str, answer: Answer) -> Verdict:
    verdict: Verdict = getattr(checks, check)(answer)
    return verdict


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, table in RIGHT.items() for name in table])
def test_a_right_answer_passes_in_any_honest_form(check: str, name: str) -> None:
    verdict = verdict_of(check, RIGHT[check][name])
    assert verdict, verdict.message


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, table in WRONG.items() for name in table])
def test_a_wrong_answer_is_refused_in_words_that_fit(check: str, name: str) -> None:
    answer, words = WRONG[check][name]
    verdict = verdict_of(check, answer)
    assert not verdict
    assert words in verdict.message


@pytest.mark.parametrize("check", RIGHT)
def test_every_check_is_tried_with_a_dozen_of_both(check: str) -> None:
    assert min(len(RIGHT[check]), len(WRONG[check])) >= LEAST
