"""How well does the doctor do? One program after the other is run under it, and what it finds is counted."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tabulate import tabulate

from benchmarks.doctor.program import Program, perform

__all__ = ["GOAL_FIRST", "Diagnosis", "Findings", "Watch", "diagnose", "goals_met", "table", "totals"]

GOAL_FIRST = 0.95  #: share of the faulty programs whose fault must be the first finding


class Findings(Protocol):
    """What the doctor's report offers: ``findings``, the gravest first, each with ``name`` and ``severity``."""

    findings: tuple[Any, ...]


Watch = Callable[[], AbstractContextManager[Findings]]


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor said of one program."""

    program: Program
    found: tuple[tuple[str, str], ...]  #: name and severity of each finding, in the doctor's order
    report: str  #: the report as text
    error: str = ""  #: what ended the program, if something did

    @property
    def names_it_first(self) -> bool:
        """Whether the program's fault is the first finding."""
        return bool(self.found) and self.found[0][0] == self.program.fault

    @property
    def names_it(self) -> bool:
        """Whether the program's fault is among the findings."""
        return any(name == self.program.fault for name, _ in self.found)

    def has(self, severity: str) -> bool:
        """Whether there is a finding of this severity."""
        return any(of == severity for _, of in self.found)


def diagnose(program: Program, watch: Watch) -> Diagnosis:
    """Run ``program`` inside ``watch()``; a fault that raises ends the program, not the benchmark."""
    error = ""
    with watch() as report:
        try:
            perform(program)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    found = tuple((finding.name, finding.severity) for finding in report.findings)
    return Diagnosis(program, found, str(report), error)


def table(diagnoses: Iterable[Diagnosis]) -> str:
    """One row a fault: programs, named first, named at all, and the ids of those not named first."""
    by_fault: dict[str, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        if diagnosis.program.fault:
            by_fault.setdefault(diagnosis.program.fault, []).append(diagnosis)
    rows = [
        (fault, len(those), sum(d.names_it_first for d in those), sum(d.names_it for d in those), _missed(those))
        for fault, those in by_fault.items()
    ]
    return tabulate(rows, ["fault", "programs", "named first", "named", "not named first: what came first"])


def totals(diagnoses: Iterable[Diagnosis]) -> str:
    """The sums beside the goals, with the ids of the healthy programs that were accused."""
    faulty, healthy = _parted(diagnoses)
    first, named = sum(d.names_it_first for d in faulty), sum(d.names_it for d in faulty)
    errors, warnings = ([d for d in healthy if d.has(severity)] for severity in ("error", "warning"))
    rows = [
        ("faulty, named first", f"{first} of {len(faulty)}", _share(first, len(faulty)), f"{GOAL_FIRST:.0%} or more"),
        ("faulty, named at all", f"{named} of {len(faulty)}", _share(named, len(faulty)), ""),
        ("healthy, false errors", f"{len(errors)} of {len(healthy)}", _accused(errors, "error"), "0"),
        ("healthy, false warnings", f"{len(warnings)} of {len(healthy)}", _accused(warnings, "warning"), ""),
    ]
    return tabulate(rows, ["programs", "count", "", "goal"])


def goals_met(diagnoses: Iterable[Diagnosis]) -> bool:
    """Whether the doctor names at least ``GOAL_FIRST`` of the faults first and accuses no healthy program."""
    faulty, healthy = _parted(diagnoses)
    enough = sum(d.names_it_first for d in faulty) >= GOAL_FIRST * len(faulty)
    return enough and not any(d.has("error") for d in healthy)


def _parted(diagnoses: Iterable[Diagnosis]) -> tuple[list[Diagnosis], list[Diagnosis]]:
    those = list(diagnoses)
    return [d for d in those if d.program.fault], [d for d in those if not d.program.fault]


def _missed(diagnoses: Iterable[Diagnosis]) -> str:
    """Ids without their fault, such as ``3: dead-relus`` for the third program."""
    return ", ".join(
        f"{d.program.id.partition('/')[2]}: {d.found[0][0] if d.found else 'nothing'}"
        for d in diagnoses
        if not d.names_it_first
    )


def _accused(diagnoses: Iterable[Diagnosis], severity: str) -> str:
    return "\n".join(f"{d.program.id}: {', '.join(name for name, of in d.found if of == severity)}" for d in diagnoses)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
