"""What is the score? Runs the corpus under the doctor; ends with status 1 when a goal is missed."""

import argparse
import sys
from collections.abc import Sequence

import torch

from benchmarks.doctor.corpus import corpus
from benchmarks.doctor.program import Program
from benchmarks.doctor.score import Watch, diagnose, goals_met, table, totals

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and the totals, or one program and its report; returns the exit status."""
    parser = argparse.ArgumentParser(description="Does the loop doctor name the cause?")
    parser.add_argument("--only", metavar="NAME", help="the programs whose fault or id begins so")
    parser.add_argument("--show", metavar="ID", help="print one program's text and the doctor's report")
    chosen = parser.parse_args(arguments)

    selected = [p for p in corpus() if p.id == chosen.show] if chosen.show else _selected(chosen.only)
    if not selected:
        parser.error(f"no program is called {chosen.show or chosen.only!r}; try --only missing-step")

    from course_utils.doctor import watch

    torch.set_num_threads(1)  # the programs are so small that threads would only wait for each other
    if chosen.show:
        return _show(selected[0], watch)
    diagnoses = [diagnose(program, watch) for program in selected]
    print(f"{table(diagnoses)}\n\n{totals(diagnoses)}")
    return 0 if goals_met(diagnoses) else 1


def _selected(only: str | None) -> list[Program]:
    return [p for p in corpus() if only is None or p.id.startswith(only) or (p.fault or "").startswith(only)]


def _show(program: Program, watch: Watch) -> int:
    diagnosis = diagnose(program, watch)
    ended = f"\nended by {diagnosis.error}" if diagnosis.error else ""
    print(
        f"{program.text}\n{program.id}: {program.fault or 'healthy'} ({program.follows}){ended}\n\n{diagnosis.report}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
