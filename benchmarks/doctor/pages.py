"""What does the doctor know? A page for each fault, and an index of them, made of the rules and the corpus.

``make catalogue`` writes docs/doctor.
"""

import sys
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from benchmarks.doctor.corpus import corpus, sample
from benchmarks.doctor.examined import examined
from benchmarks.doctor.healthy import TRAPS
from benchmarks.doctor.program import Program, perform
from benchmarks.doctor.reports import MISSED, REPORTS
from course_utils import doctor
from course_utils.doctor.finding import SEVERITIES

__all__ = ["FOLDER", "example", "index", "page", "report_on", "seen", "write"]

FOLDER = Path(__file__).parents[2] / "docs" / "doctor"
_INDEX = """\
# What the loop doctor knows

{count} faults, each with what betrays it, why it hurts, the cure, a small program that has it, and healthy ones that
must not be taken for it. `make catalogue` makes the pages from the rules and the programs of benchmarks/doctor. In a
run a rule may be milder or sterner, by what it measures.

{faults}

## Known to be missed

Reported in public, in the corpus, and not named by the doctor:

{missed}
"""
_PAGE = """\
<!-- fmt: off -->
# {title}

`{name}`, {severity}. [All faults](README.md)

Seen: {seen}

## Why it hurts

{why}

## Cure

{cure}

The course explains it in [{lesson}](../../notebooks/{notebook}).

## A program that has it

`{id}`, after {follows}:

```python
{text}```

## Healthy programs that resemble it

{neighbours}
"""


def index() -> str:
    """All faults by severity and kind, a line each, and what is missed."""
    parts = []
    for severity in SEVERITIES:
        parts.append(f"## {severity.title()}s")
        for kind, rules in groupby((r for r in doctor.rules() if r.severity == severity), key=_kind):
            parts += [f"### {kind}", "\n".join(f"- [`{r.name}`]({r.name}.md) {r.title}" for r in rules)]
    missed = "\n".join(f"- `{p.name}` ({p.source}): {MISSED[p.name]}" for p in REPORTS if p.name in MISSED)
    return _INDEX.format(count=len(doctor.rules()), faults="\n\n".join(parts), missed=missed)


def page(rule: doctor.Rule, seen: str) -> str:
    """The page of one fault; ``seen`` is what betrayed it in its ``example``."""
    program = example(rule.name)
    return _PAGE.format(
        **{field: getattr(rule, field) for field in ("title", "name", "severity", "why", "lesson")},
        seen=seen,
        cure=f"```python\n{rule.fix}\n```" if rule.fix else "It depends on the error; the report says it.",
        notebook=rule.lesson.partition(",")[0],
        **{field: getattr(program, field) for field in ("id", "follows", "text")},
        neighbours="\n".join(f"- {line}" for line in _neighbours(rule.name)),
    )


def example(fault: str) -> Program:
    """The smallest program with this fault among those that tests try."""
    those = (p for p in (*sample(), *examined()) if p.fault == fault and not p.id.startswith(tuple(MISSED)))
    return min(those, key=lambda p: (p.text.count("\n"), len(p.text)))


def seen(fault: str) -> str:
    """What betrays the fault in its example, in a run here and now.

    Raises:
        ValueError: the doctor does not name it first.
    """
    found = report_on(example(fault)).findings
    if not found or found[0].name != fault:
        raise ValueError(f"{example(fault).id} must be named first, got {[finding.name for finding in found]}")
    return found[0].seen.rstrip(".") + "."


def write(folder: Path = FOLDER) -> None:
    """Write the index and all pages afresh."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for rule in doctor.rules():
        (folder / f"{rule.name}.md").write_text(page(rule, seen(rule.name)), encoding="utf-8")
    (folder / "README.md").write_text(index(), encoding="utf-8")


def report_on(program: Program) -> doctor.Report:
    """The report that a program makes itself, else that of the watch around it."""
    names: dict[str, Any] = {}
    with suppress(Exception), doctor.watch() as report:  # an exception of the program's is in the report
        names = perform(program)
    return names.get("report", report)


def _kind(rule: doctor.Rule) -> str:
    """The question of the module that has the rule."""
    doc = sys.modules[rule.look.__module__].__doc__ or ""
    return doc.partition("?")[0] + "?"


def _neighbours(fault: str) -> list[str]:
    """The healthy programs of one kind each, as a line."""
    taken = [f"healthy/{trap}/" for trap, faults in TRAPS.items() if fault in faults]
    starts = (f"healthy/neighbours/{fault}/", *taken)
    those = [p for p in (*corpus(), *examined()) if p.fault is None and p.id.startswith(starts)]
    kinds = groupby(those, key=lambda p: p.id.rpartition("/")[0])
    counted = [(kind, sum(1 for _ in some)) for kind, some in kinds]
    return [f"`{kind}/1`" + (f" to `/{many}`" if many > 1 else "") for kind, many in counted]


if __name__ == "__main__":
    torch.set_num_threads(1)
    write()
