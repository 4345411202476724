"""Would the tests notice? Makes small faults in a copy of the project, one at a time, and runs the fitting tests.

    python -m tests.tools.mutate [--jobs N] [word ...]     (`make mutants` calls it; words choose faults by their name)

The faults are in `mutants.toml`. A fault is killed when a test or its fixture fails, nothing else counts: tests that
cannot be collected, or that fail without any fault, end the whole with an error. Exit status 0: at least 95 % are
killed, and each survivor has its reason.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

__all__ = ["Mutant", "mutated", "read_mutants"]

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.toml")
GOAL = 0.95
TIMEOUT_S = 900

_PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no")
_SOME_FAILED, _ALL_PASSED = 1, 0  # exit codes of pytest


@dataclass(frozen=True)
class Mutant:
    """One fault: in ``file`` the text ``old`` becomes ``new``, and one of ``tests`` should fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    survives: str | None = None  #: why no test can notice, for the faults that may live


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: ``noticed_by`` is the first test that failed, None if all passed."""

    mutant: Mutant
    noticed_by: str | None

    @property
    def as_expected(self) -> bool:
        return (self.noticed_by is None) == (self.mutant.survives is not None)

    def __str__(self) -> str:
        if self.noticed_by:
            return f"killed    {self.mutant.name:60} {self.noticed_by}"
        return f"SURVIVED  {self.mutant.name:60} {self.mutant.survives or 'no test noticed'}"


def read_mutants(path: Path = LIST) -> list[Mutant]:
    """The mutants of the list, in its order."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**{**entry, "tests": tuple(entry.get("tests", [entry["file"]]))}) for entry in entries]


def mutated(mutant: Mutant, text: str) -> str:
    """The ``text`` of the mutant's file with the fault in it; of a notebook only code changes, never an output.

    Raises:
        ValueError: what the fault replaces is not there exactly once.
    """
    if not mutant.file.endswith(".ipynb"):
        return _replaced(mutant, text)
    notebook = nbformat.reads(text, as_version=4)
    hit = [cell for cell in notebook.cells if cell.cell_type == "code" and mutant.old in cell.source]
    if len(hit) != 1:
        raise ValueError(f"{mutant.name}: {len(hit)} code cells of {mutant.file} hold {mutant.old!r}, not one")
    hit[0].source = _replaced(mutant, hit[0].source)
    return nbformat.writes(notebook) + "\n"


def _replaced(mutant: Mutant, text: str) -> str:
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.old!r} is {text.count(mutant.old)} times in {mutant.file}, not once")
    return text.replace(mutant.old, mutant.new)


@contextmanager
def _copies(count: int) -> Iterator["queue.Queue[Path]"]:
    """Copies of the project to make faults in, so that an interruption leaves none in the project itself."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        free: queue.Queue[Path] = queue.Queue()
        for number in range(count):
            free.put(_copy_to(Path(folder) / str(number)))
        yield free


def _copy_to(folder: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _pytest(copy: Path, tests: Sequence[str]) -> str | None:
    """Run the tests in the copy; the first that failed, or None.

    Raises:
        RuntimeError: pytest could not do its work.
    """
    environment = {
        **os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip
    command = [sys.executable, *_PYTEST, *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"no end after {TIMEOUT_S} s"
    if done.returncode not in (_ALL_PASSED, _SOME_FAILED):
        raise RuntimeError(
            f"pytest {' '.join(tests)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}"
        )
    failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode == _SOME_FAILED and not failed:
        raise RuntimeError(f"{tests} name no failed test:\n{done.stdout[-3000:]}")
    return failed[1] if failed else None


def _try(mutant: Mutant, free: "queue.Queue[Path]") -> Outcome:
    copy = free.get()
    file = copy / mutant.file
    whole = file.read_text(encoding="utf-8")
    try:
        file.write_text(mutated(mutant, whole), encoding="utf-8")
        outcome = Outcome(mutant, _pytest(copy, mutant.tests))
    finally:
        file.write_text(whole, encoding="utf-8")
        free.put(copy)
    print(outcome, flush=True)
    return outcome


def _check_healthy(tests: str, free: "queue.Queue[Path]") -> None:
    """Without a fault all must pass, in the copy and nowhere else, or a failure would prove nothing."""
    copy = free.get()
    try:
        failed = _pytest(copy, [tests])
    finally:
        free.put(copy)
    print(f"healthy   {tests}", flush=True)
    if failed:
        raise RuntimeError(f"{failed} fails without any fault")


def main() -> int:
    """Try the chosen mutants and print what became of them; 1 when too many survive."""
    parser = argparse.ArgumentParser(description="Make small faults and see whether a test notices.")
    parser.add_argument("words", nargs="*", help="only faults with one of these words in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults tried side by side")
    options = parser.parse_args()
    chosen = [m for m in read_mutants() if not options.words or any(word in m.name for word in options.words)]
    with _copies(options.jobs) as free, ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda tests: _check_healthy(tests, free), sorted({t for m in chosen for t in m.tests})))
        outcomes = list(pool.map(lambda mutant: _try(mutant, free), chosen))
    killed = sum(outcome.noticed_by is not None for outcome in outcomes)
    print(f"\n{killed} of {len(outcomes)} killed ({killed / len(outcomes):.1%}; goal {GOAL:.0%})")
    for outcome in outcomes:
        if outcome.noticed_by is None or not outcome.as_expected:
            print(outcome)
    return 0 if killed >= GOAL * len(outcomes) and all(outcome.as_expected for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
