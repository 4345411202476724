"""Every known mistake gets its name, and nothing else is accused."""

import warnings

import pytest

from benchmarks.doctor import corpus, perform
from course_utils import doctor
from course_utils.doctor.rules import RULES
from tests.helpers.doctor_programs import FAULTY, HEALTHY

SCRIPTS = {program.fault: program for program in reversed(corpus()) if program.fault}  # the first with each fault


def diagnosis(program):
    """The report on ``program``, and the exception that ended it."""
    error = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch itself warns of some of these mistakes
        try:
            with doctor.watch() as report:
                program()
        except Exception as raised:
            error = raised
    assert report.recording.stumble == ""
    return report, error


@pytest.mark.parametrize("name", FAULTY)
def test_the_first_finding_is_the_cause(name):
    cause, program = FAULTY[name]
    report, _ = diagnosis(program)
    assert [finding.name for finding in report.findings][:1] == [cause]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_is_not_accused(name):
    report, error = diagnosis(HEALTHY[name])
    assert error is None
    assert report.findings == ()


@pytest.mark.parametrize("cause", SCRIPTS)
def test_the_first_finding_in_a_students_script_is_the_cause(cause):
    report, _ = diagnosis(lambda: perform(SCRIPTS[cause]))
    assert [finding.name for finding in report.findings][:1] == [cause]


def test_every_cause_has_faulty_programs_and_no_other_has():
    causes = {rule.name for rule in RULES}
    assert SCRIPTS.keys() == causes
    assert {cause for cause, _ in FAULTY.values()} <= causes


@pytest.mark.parametrize("name", ["missing-zero-grad: no_zero_grad_sgd", "learning-rate-too-high: lr_a_thousand"])
def test_equal_runs_give_equal_text(name):
    program = FAULTY[name][1]
    assert str(diagnosis(program)[0]) == str(diagnosis(program)[0])


@pytest.mark.parametrize("name", ["labels-out-of-range: labels_from_one", "labels-wrong-dtype: float_labels"])
def test_an_error_in_the_block_passes_on_and_is_named(name):
    report, error = diagnosis(FAULTY[name][1])
    assert report.recording.stop.kind == type(error).__name__
    assert report.recording.stop.kind in str(report)
