"""The benchmark of other tools: how their findings are counted. The tools themselves are not asked here."""

from benchmarks.doctor import Program, corpus
from benchmarks.doctor.rival_rules import MEANS
from benchmarks.doctor.rivals import _row


def test_every_fault_that_a_rule_may_mean_is_one_of_the_corpus():
    meant = {fault for rules in MEANS.values() for faults in rules.values() for fault in faults}
    assert meant - {program.fault for program in corpus()} == set()


def test_a_row_counts_what_was_named_and_what_was_accused():
    faults = ("missing-zero-grad", "missing-zero-grad", "missing-step", "missing-step", None, None, None)
    programs = [Program(f"p/{i}", fault, "", "") for i, fault in enumerate(faults)]
    said = {"p/0": ["TG003"], "p/1": [], "p/2": ["TG003"], "p/3": None, "p/4": ["TG001"], "p/5": [], "p/6": None}
    assert _row("torch-preflight", "1.0", programs, said) == "| torch-preflight 1.0 | 1 | 1 | 1 | 1 | 1 of 2 |"
