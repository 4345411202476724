"""What is a rule? A known fault in one piece: its name, its words, what follows from it, and what betrays it."""

from collections.abc import Callable
from dataclasses import dataclass

from course_utils.doctor.finding import Finding, Severity
from course_utils.doctor.recording import Recording

__all__ = ["Evidence", "Look", "Rule", "rule"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What betrays a fault in one run, and those words of its rule that this run needs otherwise."""

    seen: str  #: numbers of this very run; "" where there is nothing to see
    severity: Severity | None = None
    title: str | None = None
    why: str | None = None
    fix: str | None = None


Look = Callable[[Recording], Evidence | str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A known fault. Called with a recording, it gives the ``Finding``, or None where nothing betrays the fault."""

    name: str  #: the fault as a slug, such as ``"missing-zero-grad"``
    severity: Severity  #: as in ``Finding``, unless the evidence says otherwise; so are title, why and fix
    title: str
    why: str
    fix: str
    lesson: str  #: notebook and section, such as ``"02_one_epoch.ipynb, section 6"``
    explains: tuple[str, ...]  #: names of the faults that merely follow from this one
    look: Look

    def __call__(self, recording: Recording) -> Finding | None:
        """The fault, if it shows in ``recording``."""
        found = self.look(recording)
        evidence = Evidence(found) if isinstance(found, str) else found
        if evidence is None or not evidence.seen:
            return None
        return Finding(
            name=self.name,
            severity=evidence.severity or self.severity,
            title=evidence.title or self.title,
            seen=evidence.seen,
            why=evidence.why or self.why,
            fix=evidence.fix or self.fix,
            lesson=self.lesson,
        )


def rule(
    *, severity: Severity = "error", title: str, why: str, fix: str, lesson: str, explains: tuple[str, ...] = ()
) -> Callable[[Look], Rule]:
    """Make a function that looks for evidence into the ``Rule`` of its name: ``missing_step`` is "missing-step"."""

    def with_look(look: Look) -> Rule:
        return Rule(look.__name__.replace("_", "-"), severity, title, why, fix, lesson, explains, look)

    return with_look
