"""Figures of every kind: the same picture for the same numbers, words for all that is seen, a look for every name."""

import functools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from course_utils import plots
from course_utils.plots import (
    COLORS,
    MARKERS,
    line_panels,
    line_plot,
    smooth,
)
from tests.helpers import gallery
from tests.helpers.figures import end_labels, line_of, png, texts, words
from tests.helpers.gallery import FIGURES, INF, LABELS, NAN
from tests.helpers.refusals import error_for

EVERY = pytest.mark.parametrize("name", FIGURES)


@functools.cache
def drawn(name):
    """A figure of the gallery and its picture, made once for all the tests that only look."""
    figure = FIGURES[name]()
    return figure, png(figure)


# What holds of every figure. Warnings are errors here.


@EVERY
def test_the_same_numbers_give_the_same_picture(name):
    assert png(FIGURES[name]()) == drawn(name)[1]


@pytest.mark.parametrize("name", ["lines", "bars", "map", "paths", "images"])
def test_the_settings_of_the_reader_do_not_change_a_picture(name):
    _, expected = drawn(name)
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "lines.linewidth": 9, "figure.facecolor": "black"}):
        assert png(FIGURES[name]()) == expected


@pytest.mark.parametrize("name", ["lines", "images"])
def test_a_picture_does_not_change_the_settings_of_the_reader(name):
    before = dict(mpl.rcParams)
    FIGURES[name]()
    assert dict(mpl.rcParams) == before


@EVERY
def test_nothing_is_cut_off(name):
    figure, _ = drawn(name)
    everything, page = figure.get_tightbbox(), figure.bbox_inches.padded(0.01)
    assert page.contains(*everything.min)
    assert page.contains(*everything.max)
    notes = [note.get_tightbbox() for note in figure.artists]
    assert all(figure.bbox.contains(*note.min) and figure.bbox.contains(*note.max) for note in notes)


@EVERY
def test_every_text_can_be_read_from_the_last_row(name):
    assert min(text.get_fontsize() for text in texts(drawn(name)[0])) >= 13


@EVERY
def test_every_axis_has_a_label(name):
    figure, _ = drawn(name)
    shared = figure.get_supylabel()
    for axes in figure.axes:
        if axes.axison and axes.get_label() != "<colorbar>" and axes.get_subplotspec().is_last_row():
            assert axes.get_xlabel()
        if axes.axison and name not in ("bars",):
            assert axes.get_ylabel() or shared


@EVERY
def test_the_title_says_what_is_seen(name):
    assert "een" in drawn(name)[0].get_suptitle()


@EVERY
def test_the_ground_is_white_for_dark_themes(name):
    assert to_rgb(drawn(name)[0].get_facecolor()) == (1, 1, 1)


@EVERY
def test_a_figure_is_eight_inches_wide_at_110_dots(name):
    figure, _ = drawn(name)
    assert (figure.get_figwidth(), figure.dpi) == (8.0, 110)


@pytest.mark.parametrize("name", ["lines", "loss", "panels", "bars", "images"])
def test_the_source_of_the_data_stands_below_the_title(name):
    assert {"Data: photos", "Data: CIFAR-10"} & set(words(drawn(name)[0]))


def test_no_figure_needs_pyplot():
    code = "import sys, course_utils.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("title", ["", "  ", None, 3, "x" * 181])
def test_a_title_that_says_nothing_is_refused_in_words(title):
    with pytest.raises(error_for(title, str), match=r"title must be a text of 1 to 180 letters, got"):
        line_plot({"SGD": [1, 2]}, **{**LABELS, "title": title})


# Colours.


def test_the_algorithms_have_colours_and_markers_of_their_own():
    assert list(COLORS) == list(MARKERS)
    assert len(set(COLORS.values())) == len(set(MARKERS.values())) == len(COLORS)


@pytest.mark.parametrize("name", COLORS)
def test_an_algorithm_has_its_colour_and_marker_whatever_else_is_drawn(name):
    figure = line_plot({"first": [1, 2], f"{name}, lr 0.1": [2, 3], "last": [3, 4]}, **LABELS)
    assert line_of(figure, COLORS[name]).get_marker() == MARKERS[name]


@pytest.mark.parametrize("name", ["Adam2", "sgd", "my Adam", "train"])
def test_a_name_that_is_no_algorithm_has_no_colour_of_an_algorithm(name):
    figure = line_plot({name: [1, 2]}, **LABELS)
    assert figure.axes[0].lines[0].get_color() not in COLORS.values()


def test_two_runs_of_one_algorithm_differ_in_dash_and_shade():
    lines = line_plot({"SGD, lr 0.1": [1, 2], "SGD, lr 0.2": [2, 3], "SGD": [3, 4]}, **LABELS).axes[0].lines
    assert len({(line.get_color()) for line in lines}) == len({str(line._dash_pattern) for line in lines}) == 3


def test_two_runs_of_the_black_algorithm_differ_in_shade():
    lines = line_plot({"AdamW, 1": [1, 2], "AdamW, 2": [2, 3]}, **LABELS).axes[0].lines
    assert lines[0].get_color() != lines[1].get_color()


def test_twelve_lines_have_twelve_looks():
    lines = line_plot({f"line {k}": [0, k] for k in range(12)}, **LABELS).axes[0].lines
    assert len({(line.get_color(), str(line._dash_pattern)) for line in lines}) == 12


def test_a_name_has_the_same_look_in_every_panel():
    panels = {"a": {"train": [1, 2], "test": [2, 3]}, "b": {"test": [1, 2], "train": [2, 3]}}
    first, second = line_panels(panels, title="Seen", xlabel="epoch").axes[:2]
    assert [line.get_color() for line in first.lines] == [line.get_color() for line in second.lines][::-1]


@pytest.mark.parametrize("name", [*COLORS, "a", "b"])
def test_the_name_at_the_end_of_a_line_has_contrast_to_white(name):
    (label,) = end_labels(line_plot({name: [1, 2]}, **LABELS))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(label.get_color())
    ]
    assert 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05) >= 4.5  # WCAG 2.1


# Smoothing.


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.0, 0.99))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_smoothing_is_the_weighted_mean_of_the_closed_form(values, beta):
    closed_form = [
        np.average(values[: k + 1], weights=[beta ** (k - i) if k > i else 1.0 for i in range(k + 1)])
        for k in range(len(values))
    ]
    np.testing.assert_allclose(smooth(values, beta), closed_form, rtol=1e-9, atol=1e-6)


def test_smoothing_a_constant_changes_nothing():
    np.testing.assert_allclose(smooth([2.3] * 50, 0.98), 2.3, rtol=1e-14)


def test_smoothing_with_beta_0_changes_nothing():
    np.testing.assert_array_equal(smooth([1.0, INF, 2.0, NAN], 0), [1.0, INF, 2.0, NAN])


def test_smoothing_does_not_hide_a_nan():
    assert np.isnan(smooth([1.0, NAN, 2.0], 0.5)).tolist() == [False, True, True]


@pytest.mark.parametrize("beta", [-0.1, 1.0, NAN, "0.9", None, True])
def test_a_beta_outside_0_to_1_is_refused_in_words(beta):
    with pytest.raises(error_for(beta, float), match=r"beta must be 0 or more and below 1, got .*; try 0.9"):
        smooth([1.0], beta)


def test_everything_public_is_tried_here():
    assert set(plots.__all__) <= {*globals(), *vars(gallery)}
