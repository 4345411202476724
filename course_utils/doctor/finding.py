"""What does the doctor say? A ``Finding``: one cause by name, with what was seen, why it hurts and the cure."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SEVERITIES", "Finding", "Severity"]

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a training loop, or worth knowing about it."""

    name: str  #: the cause as a slug, such as ``"missing-zero-grad"``
    severity: Severity  #: "error" spoils the training, "warning" probably does, "note" is worth knowing
    title: str  #: the cause in one sentence
    seen: str  #: the evidence: numbers of this very run
    why: str  #: what it does to the training
    fix: str  #: the cure, as code
    lesson: str  #: where the course explains it, such as ``"02_one_epoch.ipynb, section 6"``
