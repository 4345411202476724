"""The figures of all optimizers and parameters: as the script draws them now, and true to the tables."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from course_utils.catalog import optimizers, parameters
from course_utils.plots import COLORS
from tests.helpers.torch_today import PARAMETERS_OF_OPTIMIZERS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def draw():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "images")
        yield importlib.import_module("draw")


FIGURES = ["01_common_optimizers", "01_common_parameters"]
NUMBER = re.compile(r"-?\d+\.\d+")


def same_picture(first, second):
    """Whether two SVGs differ at most by a fiftieth of a point, so that another processor may round otherwise."""
    numbers = [[float(found) for found in NUMBER.findall(page)] for page in (first, second)]
    return NUMBER.sub("", first) == NUMBER.sub("", second) and numbers[0] == pytest.approx(numbers[1], abs=0.02)


def committed(name):
    return (ROOT / "images" / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIGURES)
def test_a_committed_figure_is_what_the_script_draws_now(draw, name):
    assert same_picture(committed(name), draw.svg(name).decode()), "run `python images/draw.py` and commit the result"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_follows_the_catalog(draw, name, monkeypatch):
    new_words = tuple(dataclasses.replace(each, explanation="Something else.") for each in parameters("SGD"))
    sgd = dataclasses.replace(optimizers()["SGD"], adds="something else", parameters=new_words)
    table = dataclasses.replace(optimizers(), rows=(sgd, *optimizers()[1:]))
    monkeypatch.setattr(draw, "optimizers", lambda: table)
    assert not same_picture(committed(name), draw.svg(name).decode())


def test_a_picture_shifted_by_a_point_is_not_the_same():
    assert not same_picture('<path d="M 1.5 2.0"/>', '<path d="M 2.5 2.0"/>')


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_smaller_than_300_kilobytes(name):
    assert len(committed(name)) < 300_000


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_letters_as_outlines_and_no_date(name):
    assert not re.search(r"<text|dc:date", committed(name))


def test_every_figure_has_its_alternative_text(draw):
    assert set(draw.ALT) == set(draw.FIGURES) == set(FIGURES)


def test_every_card_is_that_of_an_algorithm_of_the_course(draw):
    assert {card.name for card in draw.CARDS} <= set(COLORS)
    assert len(draw.CARDS) >= 7


def test_every_parameter_that_two_optimizers_share_has_its_row(draw):
    rows = {name for names in draw.GROUPS.values() for name in names}
    names = [each.name for _, each in PARAMETERS_OF_OPTIMIZERS]
    assert {name for name in names if names.count(name) > 1} <= rows


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "RMSprop", "Adam"])
def test_the_paths_said_to_arrive_come_near_the_lowest_point(draw, name):
    (card,) = (card for card in draw.CARDS if card.name == name)
    assert abs(draw.path(card.make)[-1]).max() < 0.7


def test_the_steps_of_adagrad_die_out_before_it_arrives(draw):
    (card,) = (card for card in draw.CARDS if card.name == "Adagrad")
    assert draw.path(card.make)[-1][0] < -0.5


def test_running_the_script_writes_the_figures_and_says_their_texts(draw, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(draw, "HERE", tmp_path)
    draw.main()
    assert [path.stem for path in sorted(tmp_path.iterdir())] == FIGURES
    assert all(text in capsys.readouterr().out for text in [draw.ALT[FIGURES[0]]])
