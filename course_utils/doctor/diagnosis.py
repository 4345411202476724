"""What is wrong in this recording? The findings of all rules, causes before effects, without mere effects."""

from collections.abc import Iterable
from dataclasses import dataclass

from course_utils.doctor.finding import SEVERITIES, Finding
from course_utils.doctor.recording import Recording
from course_utils.doctor.rules import PROBED, RULES, by_name

__all__ = ["Diagnosis", "diagnose", "effects_of", "ranked"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules say of one recording."""

    findings: tuple[Finding, ...] = ()  #: as ``ranked`` orders them
    failures: tuple[str, ...] = ()  #: rules that could not be applied, each with its error


def diagnose(recording: Recording) -> Diagnosis:
    """All findings in ``recording``; a rule that fails is named, and silences no other."""
    findings, failures = [], []
    for rule in (*RULES, *PROBED):
        try:
            found = rule(recording)
        except Exception as error:  # the learner's own exception, and the other rules, must come through
            failures.append(f"{rule.name} ({type(error).__name__}: {error})")
        else:
            findings += [found] if found else []
    return Diagnosis(ranked(findings), tuple(failures))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """``findings`` without those that another one explains: the most severe first, then what explains most."""
    found = list(findings)
    explained = {effect for cause in found if cause.severity != "note" for effect in by_name(cause.name).explains}
    return tuple(sorted((finding for finding in found if finding.name not in explained), key=_rank))


def effects_of(name: str) -> frozenset[str]:
    """All faults that may follow from this one, directly or through others."""
    effects, todo = set[str](), [name]
    while todo:
        further = set(by_name(todo.pop()).explains) - effects
        effects |= further
        todo += further
    return frozenset(effects)


def _rank(finding: Finding) -> tuple[int, int, int]:
    place = (*RULES, *PROBED).index(by_name(finding.name))
    return SEVERITIES.index(finding.severity), -len(effects_of(finding.name)), place
