"""A table is read like a list, and shown so that no word is lost: as text, on a page, on a terminal of ASCII alone."""

import dataclasses
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.catalog import Table, optimizers, parameters, schedulers
from course_utils.catalog.records import as_code
from course_utils.catalog.table import Record
from tests.helpers.torch_today import OPTIMIZER_NAMES, SCHEDULER_NAMES

ROOT = Path(__file__).parent.parent

# --- A table is read like a list and shown like a table --------------------------------------------------------------


def test_a_table_is_iterated_and_filtered_like_a_list():
    assert [row.name for row in optimizers() if row.year > 2018] == ["RAdam", "Muon"]


def test_a_table_has_positions():
    assert optimizers()[len(optimizers()) - 1] == optimizers()[-1] == optimizers()["Muon"]


def test_a_row_is_found_by_name():
    assert optimizers()["Adam"].default_lr == 0.001


def test_a_slice_is_a_smaller_table():
    assert optimizers()[:2] == optimizers().only("SGD", "LBFGS")


def test_only_keeps_the_order_that_was_asked_for():
    assert [row.name for row in optimizers().only("Adam", "SGD")] == ["Adam", "SGD"]


def test_where_keeps_the_rows_that_fit():
    assert [row.name for row in schedulers().where(lambda row: row.cadence == "step")] == ["CyclicLR", "OneCycleLR"]


def test_pick_chooses_the_columns():
    assert optimizers().pick("year", "name").columns == ("year", "name")


def test_the_oldest_optimizer_comes_first():
    years = [row.year for row in optimizers()]
    assert years == sorted(years)


def test_a_table_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizers().rows = ()


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizers()["SGD"].adds = "magic"


def test_parameters_come_in_the_order_of_the_signature():
    assert [each.name for each in parameters("SGD")][:4] == ["params", "lr", "momentum", "dampening"]


def test_parameters_of_a_scheduler_are_found_too():
    assert [each.name for each in parameters("StepLR") if each.required] == ["optimizer", "step_size"]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: parameters("adam"), "there is no optimizer or scheduler called 'adam'; try 'Adam' or"),
        (lambda: parameters("StepLr"), "try 'StepLR'"),
        (lambda: parameters(""), "try one of SGD, LBFGS"),
        (lambda: optimizers()["RMSProp"], "there is no row 'RMSProp'; try 'RMSprop'"),
        (lambda: optimizers().only("SGD", "Admw"), "there is no row 'Admw'; try 'AdamW'"),
        (lambda: optimizers().pick("when"), "there is no column 'when'; try"),
        (lambda: optimizers().pick(), "pick needs a column, got none; try one of name, adds"),
    ],
)
def test_an_unknown_name_is_refused_with_close_ones(ask, answer):
    with pytest.raises(ValueError, match=re.escape(answer)):
        ask()


@pytest.mark.parametrize("name", [None, 3, math.nan, ["SGD"]])
def test_a_name_that_is_no_string_is_refused_in_words(name):
    with pytest.raises(TypeError, match=re.escape(f"got {name!r}; try parameters('SGD')")):
        parameters(name)


def test_a_class_in_place_of_its_name_is_refused_with_its_name():
    with pytest.raises(TypeError, match=re.escape("try parameters('Adam')")):
        parameters(torch.optim.Adam)


# --- How it looks ----------------------------------------------------------------------------------------------------

TABLES = {
    "optimizers": optimizers(),
    "schedulers": schedulers(),
    **{name: parameters(name) for name in OPTIMIZER_NAMES + SCHEDULER_NAMES},
}
every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


@every_table
def test_the_text_fits_in_110_columns(table):
    assert max(map(len, repr(table).splitlines())) <= 110


@every_table
def test_the_html_leaves_colours_to_the_theme(table):
    assert not re.search(r"color|background|#[0-9a-f]{3}", table._repr_html_(), re.IGNORECASE)


@every_table
def test_all_cells_are_aligned_left(table):
    page = table._repr_html_()
    assert page.count("text-align: left") == len(table.columns) * (len(table) + 1)


@every_table
def test_no_noise_of_introspection_is_shown(table):
    assert not re.search(r"<required|inspect|object at|e-0|<class", repr(table) + table._repr_html_())


def test_a_false_default_is_shown_as_false():
    # the wrapping of tabulate itself turns the word into True
    assert re.search(r"nesterov +│ False", repr(parameters("SGD")))


def test_a_default_that_does_not_exist_is_said_so():
    assert parameters("StepLR")["step_size"].cell("default") == "must be given"


def test_a_paper_is_a_link_in_html():
    assert '<a href="https://arxiv.org/abs/1412.6980"' in optimizers().only("Adam")._repr_html_()


def test_html_signs_in_a_cell_are_escaped():
    page = Table((Record("<script>&"),), ("name",))._repr_html_()
    assert re.findall(r"\S{4}script\S{4}", page) == ["&lt;script&gt;"]


def test_an_empty_table_still_shows_its_columns():
    assert "when to use" in repr(optimizers()[:0])


@dataclasses.dataclass(frozen=True)
class Words(Record):
    """A row of anything."""

    words: str


tricky = st.sampled_from(["True", "False", "None", "nan", "1e5", "007", "-1", "--", "1,000", "a" * 130, "β²", "_x_"])
cells = st.lists(tricky, max_size=30).map(" ".join)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(cells, min_size=1, max_size=4))
def test_no_word_of_a_cell_is_lost_or_changed(texts):
    shown = repr(Table(tuple(Words("row", text) for text in texts), ("name", "words")))
    lines = [line.split("│")[2] for line in shown.splitlines() if line.startswith("│")]
    assert " ".join(lines).split() == " ".join(["words", *texts]).split()


@settings(derandomize=True, deadline=None)
@given(st.floats(-1e300, 1e300))
def test_a_number_is_written_so_that_python_reads_it_back(number):
    assert float(as_code(number)) == pytest.approx(number, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "written"),
    [(1e-8, "1e-8"), (1e6, "1e6"), (1 / 3, "0.33333"), (0.0, "0"), (True, "True"), ("cos", "'cos'"), (None, "None"),
     ((0.9, 0.999), "(0.9, 0.999)"), ((None, 1e-3), "(None, 0.001)")],
)  # fmt: skip
def test_a_value_is_written_as_one_would_type_it(value, written):
    assert as_code(value) == written


@pytest.mark.parametrize("table", ["optimizers", "schedulers"])
def test_a_table_is_printed_on_a_terminal_that_knows_only_ascii(table):
    command = [sys.executable, "-c", f"from course_utils import catalog; print(catalog.{table}())"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    printed = done.stdout.decode("ascii")
    assert "+====" in printed
    assert "Adam" in printed or "StepLR" in printed
