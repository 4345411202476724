"""The corpus of the loop doctor: every program is what its record says, whatever the doctor may think of it."""

import contextlib
import math
import re
import tokenize
from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace

import pytest

from benchmarks.doctor import Program, corpus, perform
from benchmarks.doctor.__main__ import main
from benchmarks.doctor.healthy import TRAPS
from benchmarks.doctor.reports import MISSED
from benchmarks.doctor.score import diagnose, goals_met, table, totals
from course_utils.doctor.rules import PROBED, RULES

FAULTS = [rule.name for rule in RULES]
HINTS = r"wrong|fault|bug|broken|mistake|forgot|accident|oops|leak|bad|dead|vanish|explod|healthy|doctor|correct"


@dataclass(frozen=True)
class Outcome:
    """What came of one program."""

    losses: list[float]
    graphs: int  # losses that still hold a graph
    raised: str | None


@pytest.fixture(scope="module")
def outcomes():
    return {program.id: outcome(program) for program in corpus()}


def outcome(program):
    try:
        losses = perform(program)["losses"]
    except Exception as error:
        return Outcome([], 0, type(error).__name__)
    graphs = sum(getattr(loss, "grad_fn", None) is not None for loss in losses)
    return Outcome([float(getattr(loss, "detach", lambda loss=loss: loss)()) for loss in losses], graphs, None)


def quarters(losses):
    """Mean of the first and of the last quarter."""
    n = max(1, len(losses) // 4)
    return sum(losses[:n]) / n, sum(losses[-n:]) / n


def ids_of(wrong):
    return sorted(program.id for program in corpus() if wrong(program))


def test_there_are_at_least_400_faulty_and_120_healthy_programs():
    faulty = [program for program in corpus() if program.fault]
    assert len(faulty) >= 400
    assert len(corpus()) - len(faulty) >= 120


def test_every_id_is_given_once():
    ids = [program.id for program in corpus()]
    assert len(ids) == len(set(ids))


def test_no_two_programs_are_the_same():
    texts = [program.text for program in corpus()]
    assert len(texts) == len(set(texts))


def test_every_fault_has_at_least_four_programs_with_each_optimizer_in_some():
    for fault in FAULTS:
        those = [program.text for program in corpus() if program.fault == fault]
        kinds = ("Adam",) if fault == "coupled-weight-decay" else ("SGD", "Adam")  # that one is a fault of Adam alone
        assert len(those) >= 4, fault
        assert all(any(f"optim.{name}" in text for text in those) for name in kinds), fault


def test_no_program_has_a_fault_without_a_name():
    unnamed = {program.fault for program in corpus() if program.fault} - {rule.name for rule in (*RULES, *PROBED)}
    assert unnamed <= set(MISSED)
    assert len(unnamed) <= 2


def test_every_fault_has_a_healthy_neighbour():
    twins = {"/".join(p.id.split("/")[2:3]) for p in corpus() if p.id.startswith("healthy/neighbours/")}
    taken = {fault for faults in TRAPS.values() for fault in faults}
    assert taken <= set(FAULTS)
    assert set(FAULTS) <= twins | taken


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_is_set_by_at_least_three_healthy_programs(trap):
    assert sum(p.fault is None and p.id.startswith(f"healthy/{trap}/") for p in corpus()) >= 3


def test_every_program_says_what_it_follows():
    assert ids_of(lambda p: len(p.follows) < 10) == []


def test_every_program_has_the_length_of_a_students_script():
    assert ids_of(lambda p: not 15 <= p.text.count("\n") <= 50) == []


def test_no_line_tells_the_fault_in_a_name_or_a_comment():
    def tells(program):
        return re.search(HINTS, program.text) or (program.fault or "?").replace("-", "_") in program.text

    assert ids_of(tells) == []


def test_no_program_has_a_comment():
    def has_comment(program):
        tokens = tokenize.generate_tokens(StringIO(program.text).readline)
        return any(token.type == tokenize.COMMENT for token in tokens)

    assert ids_of(has_comment) == []


def test_every_slot_of_a_template_is_filled():
    assert ids_of(lambda p: "$" in p.text) == []


def test_no_variable_stands_for_the_optimizer_or_the_loss_in_all_programs():
    backward = {name for p in corpus() for name in re.findall(r"(\w+)\.backward\(", p.text)}
    assert len(backward) >= 7


def test_every_program_ends_as_it_declares(outcomes):
    assert ids_of(lambda p: outcomes[p.id].raised != p.raises) == []


def test_every_program_that_ends_well_leaves_its_losses(outcomes):
    assert ids_of(lambda p: p.raises is None and len(outcomes[p.id].losses) < 4) == []


def test_only_faults_raise():
    assert ids_of(lambda p: p.raises and not p.fault) == []


def test_healthy_programs_lower_their_loss(outcomes):
    def fails(program):
        first, last = quarters(outcomes[program.id].losses)
        twin = program.id.startswith("healthy/neighbours")  # as short as the faulty program beside it
        return last > (0.99 if twin else 0.85) * first

    assert ids_of(lambda p: p.fault is None and p.course == "down" and fails(p)) == []


def test_only_a_game_of_two_networks_or_a_new_beginning_may_be_healthy_without_a_falling_loss():
    unmeasured = ids_of(lambda p: p.fault is None and p.course != "down")
    assert {i.rpartition("/")[0] for i in unmeasured} == {
        "healthy/two-optimizers",
        "healthy/neighbours/missing-zero-grad/two-optimizers",
        "healthy/neighbours/frozen-by-accident/never-thawed",
        "healthy/neighbours/term-reaches-nothing/generator",
        "healthy/begins-anew-in-each-fold",
    }


def test_programs_with_a_harmless_fault_still_lower_their_loss(outcomes):
    def fails(program):
        first, last = quarters(outcomes[program.id].losses)
        return last >= 0.97 * first

    assert ids_of(lambda p: p.fault and p.course == "down" and fails(p)) == []


def test_programs_that_cannot_learn_do_not(outcomes):
    def learns(program):
        first, last = quarters(outcomes[program.id].losses)
        return abs(last - first) > 0.08 * abs(first)

    assert ids_of(lambda p: p.course == "flat" and learns(p)) == []


def test_programs_that_diverge_do(outcomes):
    def stays(program):
        losses = outcomes[program.id].losses
        return all(math.isfinite(loss) and loss < 5 * losses[0] for loss in losses)

    assert ids_of(lambda p: p.course == "up" and stays(p)) == []


@pytest.mark.parametrize(
    ("fault", "has", "lacks"),
    [
        ("missing-zero-grad", r"\.step\(\)", r"zero_grad\(\)\n +\w+ = [\w.]+\(\w+\)\n"),
        ("missing-step", r"\.backward\(\)", r"\.step\(\)"),
        ("missing-backward", r"\.step\(\)", r"\.backward\(\)"),
        (
            "zero-grad-before-step",
            r"backward\(\)\n(.*zero_grad\(.*\)|.*\n.*grad = None)\n.*\.step\(\)",
            r"backward\(\)\n.*\.step\(\)",
        ),
        ("step-before-backward", r"\.step\(\)\n.*(\n.*)?backward\(\)", r"backward\(\)\n.*\.step\(\)"),
        ("scheduler-never-stepped", r"lr_scheduler", r"\b(\w*sched\w*|plan)\.step\("),
        ("measuring-in-train-mode", r"Dropout|dropout|BatchNorm", r"\.eval\(\)"),
        ("measuring-with-gradients", r"\.eval\(\)", r"no_grad|inference_mode"),
        ("eval-mode-while-training", r"\.eval\(\)|\.train\(False\)", r"\.train\(\)"),
        ("unshuffled-labels", r"shuffle=False|torch\.arange|for \w+ in", r"shuffle=True|randperm"),
    ],
)
def test_the_text_of_a_faulty_program_has_the_fault(fault, has, lacks):
    texts = [p.text for p in corpus() if p.fault == fault]
    assert all(re.search(has, text) and not re.search(lacks, text) for text in texts)


def test_exploding_gradients_blow_up_the_very_first_loss(outcomes):
    assert ids_of(lambda p: p.fault == "exploding-gradients" and outcomes[p.id].losses[0] < 1_000) == []


def test_losses_keep_their_graph_exactly_where_that_is_the_fault(outcomes):
    kept = ids_of(lambda p: outcomes[p.id].graphs)
    assert kept == ids_of(lambda p: p.fault == "loss-kept-with-graph" and "/outputs/" not in p.id)


def test_a_program_runs_the_same_twice():
    program = next(p for p in corpus() if p.id == "healthy/nothing-special/1")
    assert outcome(program) == outcome(program)


def test_a_program_is_run_unheard(capsys):
    perform(Program("aloud/1", None, "nothing", "print('loud')\nlosses = []\n"))
    assert capsys.readouterr().out == ""


def doctor_who_says(*names, severity="error"):
    """A stand-in for ``watch`` whose report has these findings."""
    findings = tuple(SimpleNamespace(name=name, severity=severity) for name in names)
    return lambda: contextlib.nullcontext(SimpleNamespace(findings=findings))


FAULTY = Program("missing-step/1", "missing-step", "nothing", "losses = []\n")
RAISING = Program("missing-step/2", "missing-step", "nothing", "raise ValueError('no')\n", raises="ValueError")
WELL = Program("healthy/plain/1", None, "nothing", "losses = []\n")


def test_a_fault_named_second_is_named_but_not_first():
    found = diagnose(FAULTY, doctor_who_says("dead-relus", "missing-step"))
    assert (found.names_it_first, found.names_it) == (False, True)
    assert "1: dead-relus" in table([found])


def test_an_exception_of_a_program_ends_only_that_program():
    found = diagnose(RAISING, doctor_who_says("missing-step"))
    assert (found.error, found.names_it_first) == ("ValueError: no", True)


@pytest.mark.parametrize(("severity", "met"), [("error", False), ("warning", True), ("note", True)])
def test_a_false_error_misses_the_goal_and_a_false_warning_does_not(severity, met):
    assert goals_met([diagnose(WELL, doctor_who_says("dead-relus", severity=severity))]) is met


@pytest.mark.parametrize(("missed", "met"), [(1, True), (2, False)])
def test_one_of_twenty_may_be_missed_but_not_two(missed, met):
    right, silent = diagnose(FAULTY, doctor_who_says("missing-step")), diagnose(FAULTY, doctor_who_says())
    assert goals_met([right] * (20 - missed) + [silent] * missed) is met


def test_the_totals_name_the_healthy_programs_that_were_accused():
    text = totals([diagnose(WELL, doctor_who_says("dead-relus"))])
    assert re.search(r"false errors\s+1 of 1\s+healthy/plain/1: dead-relus\s+0", text)


def test_an_unknown_name_is_refused_with_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "nonsense"])
    assert "try --only missing-step" in capsys.readouterr().err
