"""How does a set of records look, as text and as HTML?

A `Table` is read like a list of records and shown like a table. Both looks come from the same cells, through tabulate.
The HTML sets no colour of its own, so it follows the light or dark theme around it.
"""

import html
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from textwrap import fill
from typing import Generic, TypeVar, overload

from tabulate import tabulate

from course_utils.arguments import a_function

__all__ = ["Record", "Table", "unknown_name"]

TEXT_WIDTH = 110
# Inline, because JupyterLab drops <style> from notebooks it does not trust; without it cells are right-aligned.
TABLE_STYLE = "table-layout: auto; font-size: 1.1em"
CELL_STYLE = "text-align: left; vertical-align: top"


def unknown_name(name: object, known: list[str], what: str) -> ValueError:
    """The error to raise for a name that is not among ``known``; it names the closest ones."""
    by_lower_case = {each.lower(): each for each in known}
    close = [by_lower_case[each] for each in get_close_matches(str(name).lower(), by_lower_case, cutoff=0.5)]
    hint = f"try {' or '.join(map(repr, close))}" if close else f"try one of {', '.join(known)}"
    return ValueError(f"there is no {what} {name!r}; {hint}")


@dataclass(frozen=True)
class Record:
    """A row of a `Table`: has a name, and knows how each of its attributes is written."""

    name: str

    def cell(self, column: str) -> str:
        """What the table shows in this column."""
        return str(getattr(self, column))

    def link(self, column: str) -> str:
        """Where a click on this cell leads; empty when nowhere."""
        return str(getattr(getattr(self, column), "url", ""))


Row = TypeVar("Row", bound=Record)


@dataclass(frozen=True, repr=False)
class Table(Generic[Row]):
    """Records that a notebook shows as a table; ``columns`` are the attributes shown, in order.

    Use it like a list (``for row in table``, ``len(table)``, ``table[0]``, ``table[:3]``), like a dictionary of names
    (``table["Adam"]``), or make a smaller table: ``table.only("SGD", "Adam")``, ``table.pick("name", "year")``,
    ``table.where(lambda row: row.year > 2015)``.
    """

    rows: tuple[Row, ...]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: int | str) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> "Table[Row]": ...
    def __getitem__(self, key: int | str | slice) -> "Row | Table[Row]":
        if isinstance(key, str):
            return self._named(key)
        return replace(self, rows=self.rows[key]) if isinstance(key, slice) else self.rows[key]

    def only(self, *names: str) -> "Table[Row]":
        """The table of the rows with these names, in this order.

        Raises:
            ValueError: a name is not in the table; the error names the closest ones.
        """
        return replace(self, rows=tuple(self._named(name) for name in names))

    def where(self, keep: Callable[[Row], bool]) -> "Table[Row]":
        """The table of the rows for which ``keep(row)`` is true.

        Raises:
            TypeError: ``keep`` is no function.
        """
        a_function("a row", example="lambda row: row.year > 2015")("keep", keep)
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def pick(self, *columns: str) -> "Table[Row]":
        """The same rows with these columns, in this order.

        Raises:
            ValueError: no column is named, or one that is not in the table.
        """
        if not columns:
            raise ValueError(f"pick needs a column, got none; try one of {', '.join(self.columns)}")
        for column in columns:
            if not isinstance(column, str) or column not in self.columns:
                raise unknown_name(column, list(self.columns), "column")
        return replace(self, columns=columns)

    def _named(self, name: str) -> Row:
        for row in self.rows:
            if isinstance(name, str) and row.name == name:
                return row
        raise unknown_name(name, [row.name for row in self.rows], "row")

    def _headings(self) -> list[str]:
        return [column.replace("_", " ") for column in self.columns]

    def __repr__(self) -> str:
        headings = self._headings()
        cells = [[row.cell(column) for column in self.columns] for row in self.rows]
        widths = _column_widths([[f"{heading}  " for heading in headings], *cells])
        wrapped = [[_wrap(cell, width) for cell, width in zip(line, widths, strict=True)] for line in cells]
        text = tabulate(wrapped, headings, "simple_grid", disable_numparse=True)
        if _can_be_printed(text):
            return text
        return _plain(tabulate(wrapped, headings, "grid", disable_numparse=True))

    def _repr_html_(self) -> str:
        cells = [[_html_cell(row, column) for column in self.columns] for row in self.rows]
        page = tabulate(cells, self._headings(), "unsafehtml", disable_numparse=True)
        page = re.sub(" +</t([hd])>", r"</t\1>", page)  # the padding that only plain text needs
        page = page.replace("<table>", f'<table style="{TABLE_STYLE}">')
        return re.sub("<t([hd])>", rf'<t\1 style="{CELL_STYLE}">', page)


def _can_be_printed(text: str) -> bool:
    """Whether the terminal has all these characters; one in ASCII has no frames."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _plain(text: str) -> str:
    """The text in ASCII: letters without their accents, and a question mark for what has no letter."""
    letters = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return letters.encode("ascii", "replace").decode()


def _column_widths(lines: list[list[str]]) -> list[int]:
    """Columns as wide as their longest cell, the widest cut back until a line fits in TEXT_WIDTH characters.

    No column becomes narrower than its longest word, so a line of very long words stays longer.
    """
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    words = [max(len(word) for cell in cells for word in [*cell.split(), ""]) for cells in zip(*lines, strict=True)]
    room = TEXT_WIDTH - 3 * len(widths) - 1  # each cell has "│ " before it and " " after it; "│" ends the line
    while sum(widths) > room and widths != words:
        widest = max(range(len(widths)), key=lambda i: (widths[i] > words[i], widths[i]))
        widths[widest] -= 1
    return widths


def _wrap(cell: str, width: int) -> str:
    # tabulate can wrap by itself, but then turns the word "False" into True.
    return fill(cell, width, break_on_hyphens=False)


def _html_cell(row: Record, column: str) -> str:
    text, link = html.escape(row.cell(column)), html.escape(row.link(column))
    if link:
        return f'<a href="{link}" target="_blank" rel="noopener">{text}</a>'
    return f"<b><code>{text}</code></b>" if column == "name" else text
