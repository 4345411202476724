"""What does a notebook ask, and what does it hide? Its cells, exercises and solutions, for the tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import dropwhile, pairwise, takewhile
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["Exercise", "Lesson", "lesson"]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@dataclass(frozen=True)
class Exercise:
    """A question to the reader: ``check(answer)`` judges what the stub, or the solution, has bound."""

    check: str
    answer: str
    stub: str
    solution: str


@dataclass(frozen=True)
class Lesson:
    """A notebook or a part of it: kind and source of each cell."""

    cells: tuple[tuple[str, str], ...]

    def sources(self, kind: str) -> list[str]:
        """The sources of all cells of a kind, "code" or "markdown"."""
        return [source for cell_kind, source in self.cells if cell_kind == kind]

    def solutions(self) -> list[str]:
        """The code of every solution that is hidden behind a click; what follows it as an example does not count."""
        hidden = [text.partition("<summary>Solution</summary>")[2] for text in self.sources("markdown")]
        return [found[1] for text in hidden if (found := re.search(r"```python\n(.*?)```", text, re.DOTALL))]

    def exercises(self) -> list[Exercise]:
        """Every question: a cell that calls a check of one answer, the stub before it, the solution after it."""
        return [Exercise(*asked, solution) for asked, solution in zip(self._asked(), self.solutions(), strict=True)]

    def imports(self) -> dict[str, Any]:
        """The names that the import lines make."""
        names: dict[str, Any] = {}
        for source in self.sources("code"):
            for line in source.splitlines():
                if re.match(r"(from \S+ )?import ", line):
                    exec(line, names)
        return names

    def _asked(self) -> Iterator[tuple[str, str, str]]:
        for stub, source in pairwise(self.sources("code")):
            if found := re.search(r"^(check_\w+)\((\w+)\)$", source, re.MULTILINE):
                yield found[1], found[2], stub


@cache
def lesson(stem: str, *, since: str = "", until: str | None = None) -> Lesson:
    """The cells of ``notebooks/<stem>.ipynb`` from the one that begins with ``since`` to before that with ``until``."""
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    cells = dropwhile(lambda cell: not cell[1].startswith(since), ((c.cell_type, c.source) for c in notebook.cells))
    return Lesson(tuple(takewhile(lambda cell: until is None or not cell[1].startswith(until), cells)))
