"""What is known about one optimizer, one scheduler, one parameter?

Two kinds of records. *Texts* and *notes* hold what a person wrote, and nothing that torch says itself. *Entries* are
the rows of the tables: a text joined with the names and defaults of the installed torch.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_utils.catalog.table import Record

__all__ = [
    "REQUIRED",
    "Cadence",
    "Note",
    "Notes",
    "OptimizerEntry",
    "OptimizerText",
    "Paper",
    "ParameterEntry",
    "SchedulerEntry",
    "SchedulerText",
    "as_code",
]

Cadence = Literal["epoch", "step", "either"]


class _Default(Enum):
    """Stands where a parameter has no default value."""

    REQUIRED = "must be given"

    def __repr__(self) -> str:
        return self.value


REQUIRED = _Default.REQUIRED


@dataclass(frozen=True)
class Paper:
    """Where an idea was published: ``year`` is that of the first public version, ``venue`` names the printed one."""

    authors: str
    title: str
    venue: str
    year: int
    url: str = ""

    def __str__(self) -> str:
        return f"{self.authors}: {self.title}. {self.venue}"


@dataclass(frozen=True)
class Note:
    """What one parameter means; the first sentence stands alone. ``values`` are worth trying, smallest first."""

    text: str
    values: tuple[object, ...] = ()


Notes = Mapping[str, Note]  # by parameter name


@dataclass(frozen=True)
class OptimizerText:
    """What a person says of an optimizer.

    ``builds_on`` names the optimizers whose idea it takes up, ``own`` holds the notes of parameters that no other
    optimizer has, or that mean something else here.
    """

    adds: str
    when_to_use: str
    paper: Paper
    builds_on: tuple[str, ...] = ()
    own: Notes = field(default_factory=dict)


@dataclass(frozen=True)
class SchedulerText:
    """What a person says of a scheduler; ``sample`` makes one whose shape shows within 30 calls of ``step()``."""

    does: str
    cadence: Cadence
    reason: str
    sample: Callable[[Optimizer], LRScheduler]
    paper: Paper | None = None
    own: Notes = field(default_factory=dict)


@dataclass(frozen=True)
class ParameterEntry(Record):
    """One parameter: ``default`` is that of the installed torch; ``worth_trying`` may be empty."""

    default: object
    worth_trying: tuple[object, ...]
    explanation: str

    @property
    def required(self) -> bool:
        """Whether there is no default, so that a value must be given."""
        return self.default is REQUIRED

    @property
    def summary(self) -> str:
        """The first sentence of the explanation."""
        return self.explanation.split(". ")[0].rstrip(".")

    def cell(self, column: str) -> str:
        """What the table shows in this column; values are written as in code, but 1e-8 instead of 1e-08."""
        if column == "default":
            return as_code(self.default)
        if column == "worth_trying":
            return ", ".join(map(as_code, self.worth_trying)) or "—"
        return super().cell(column)


@dataclass(frozen=True)
class OptimizerEntry(Record):
    """One class of ``torch.optim``, explained; ``builds_on`` names the optimizers whose idea it takes up."""

    adds: str
    paper: Paper
    default_lr: float | None
    when_to_use: str
    builds_on: tuple[str, ...]
    parameters: tuple[ParameterEntry, ...] = field(repr=False)

    @property
    def year(self) -> int:
        """The year in which the idea was first public."""
        return self.paper.year

    def cell(self, column: str) -> str:
        """What the table shows in this column."""
        return as_code(self.default_lr) if column == "default_lr" else super().cell(column)


@dataclass(frozen=True)
class SchedulerEntry(Record):
    """One class of ``torch.optim.lr_scheduler``, explained.

    ``cadence`` says how often its ``step()`` is meant to be called: once an "epoch", once a "step" (batch), or
    "either"; ``sample(optimizer)`` makes one whose shape shows within 30 calls.
    """

    does: str
    cadence: Cadence
    reason: str
    paper: Paper | None
    parameters: tuple[ParameterEntry, ...] = field(repr=False)
    sample: Callable[[Optimizer], LRScheduler] = field(repr=False)


def as_code(value: object) -> str:
    """A value as one would type it: ``1e-8`` for 1e-08, ``0.3333`` for a third, ``'cos'``, ``(0.9, 0.999)``."""
    if isinstance(value, tuple):
        return f"({', '.join(map(as_code, value))})"
    if isinstance(value, float):
        return re.sub(r"e([+-])0*", lambda power: "e-" if power[1] == "-" else "e", f"{value:.5g}")
    return repr(value)
