"""Every known mistake gets its name, and nothing else is accused: a sample of the corpus, one or two of each kind."""

import pytest

from benchmarks.doctor import corpus, perform, sample
from benchmarks.doctor.reports import MISSED
from course_utils import doctor
from course_utils.doctor.rules import RULES

PROGRAMS = {program.id: program for program in corpus()}
FAULTY = [program.id for program in sample() if program.fault]
HEALTHY = [program.id for program in sample() if not program.fault]


def diagnosis(name):
    """The report on the program of this id, and the exception that ended it."""
    error = None
    try:
        with doctor.watch() as report:
            perform(PROGRAMS[name])
    except Exception as raised:
        error = raised
    assert report.recording.stumble == ""
    return report, error


def missed(name):
    return pytest.param(name, marks=pytest.mark.xfail(strict=True) if name.startswith(tuple(MISSED)) else ())


@pytest.mark.parametrize("name", [missed(name) for name in FAULTY])
def test_the_first_finding_is_the_cause(name):
    report, error = diagnosis(name)
    assert type(error).__name__ == (PROGRAMS[name].raises or "NoneType")
    assert [finding.name for finding in report.findings][:1] == [PROGRAMS[name].fault]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_is_not_accused(name):
    report, error = diagnosis(name)
    assert error is None
    assert report.findings == ()


def test_the_sample_has_every_fault_and_every_trap():
    kinds = {program.id.rpartition("/")[0] for program in corpus()}
    assert {name.rpartition("/")[0] for name in (*FAULTY, *HEALTHY)} == kinds
    assert {rule.name for rule in RULES} <= {PROGRAMS[name].fault for name in FAULTY}


@pytest.mark.parametrize("name", ["missing-zero-grad/1", "learning-rate-too-high/1"])
def test_equal_runs_give_equal_text(name):
    assert str(diagnosis(name)[0]) == str(diagnosis(name)[0])


@pytest.mark.parametrize("name", ["labels-out-of-range/1", "labels-wrong-dtype/1"])
def test_an_error_in_the_block_passes_on_and_is_named(name):
    report, error = diagnosis(name)
    assert report.recording.stop.kind == type(error).__name__
    assert report.recording.stop.kind in str(report)
