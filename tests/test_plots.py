"""Figures: do they show the numbers they were given, name what they show, and stay readable whatever comes?"""

import functools
import io
import itertools
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Annotation, Text

from course_utils import plots
from course_utils.plots import (
    COLORS,
    MARKERS,
    bar_plot,
    heat_map,
    histograms,
    image_grid,
    line_panels,
    line_plot,
    lr_curves,
    lr_range,
    smooth,
    surface_paths,
)
from tests.helpers import gallery
from tests.helpers.gallery import CLASSES, FIGURES, INF, LABELS, NAN, Bowl, noise, pixels, stability_map
from tests.helpers.refusals import error_for

EVERY = pytest.mark.parametrize("name", FIGURES)


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


@functools.cache
def drawn(name):
    """A figure of the gallery and its picture, made once for all the tests that only look."""
    figure = FIGURES[name]()
    return figure, png(figure)


def texts(figure):
    """Every visible text of a figure."""
    if figure.stale:
        figure.draw_without_rendering()
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    hidden = [label for axes in figure.axes if not axes.axison for label in [axes.xaxis, axes.yaxis]]
    kept = {text for axis in hidden for text in axis.findobj(Text)}
    return [text for text in found if text not in kept]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def line_of(figure, color):
    """The first line of a colour, that of the numbers."""
    return next(line for line in figure.axes[0].lines if line.get_color() == color)


def end_labels(figure):
    return [text for text in texts(figure) if isinstance(text, Annotation) and text.arrow_patch is not None]


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


# Lines.


def test_a_line_shows_its_numbers():
    line = line_plot({"SGD": [2.5, 1.5, 0.5]}, **LABELS).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xydata(), [[0, 2.5], [1, 1.5], [2, 0.5]])


@pytest.mark.parametrize(
    "values",
    [
        (2, 1),
        np.array([2, 1], dtype=np.int8),
        np.array([2.0, 1.0], dtype=np.float16),
        torch.tensor([2.0, 1.0], requires_grad=True),
        torch.tensor([2.0, 1.0], dtype=torch.bfloat16),
        [torch.tensor(2.0), torch.tensor(1.0, requires_grad=True)],
        [torch.tensor(2.0), 1.0],
    ],
)
def test_arrays_lists_and_tensors_show_the_same_numbers(values):
    line = line_plot({"SGD": values}, **LABELS).axes[0].lines[0]
    assert line.get_ydata().tolist() == [2.0, 1.0]


def test_a_smoothed_line_lies_over_its_pale_values():
    values = noise(50).tolist()
    pale, strong = line_plot({"SGD": values}, beta=0.9, **LABELS).axes[0].lines
    assert pale.get_alpha() < 0.5
    np.testing.assert_array_equal(pale.get_ydata(), values)
    np.testing.assert_array_equal(strong.get_ydata(), smooth(values, 0.9))


def test_lines_of_different_length_start_together():
    long, short = line_plot({"SGD": [3, 2, 1], "Adam": [3, 2]}, **LABELS).axes[0].lines
    assert (long.get_xdata().tolist(), short.get_xdata().tolist()) == ([0, 1, 2], [0, 1])


def test_x_may_differ_from_name_to_name():
    lines = line_plot({"SGD": [3, 2], "Adam": [3]}, x={"SGD": [64, 128], "Adam": [256]}, **LABELS).axes[0].lines
    assert [line.get_xdata().tolist() for line in lines] == [[64, 128], [256]]


def test_a_value_that_is_not_finite_is_a_gap():
    line = line_plot({"SGD": [1.0, NAN, INF, -INF, 2.0]}, **LABELS).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [1.0, NAN, NAN, NAN, 2.0])


def test_a_value_that_a_log_scale_cannot_show_is_a_gap():
    line = line_plot({"SGD": [1.0, 0.0, -1.0, 2.0]}, log_y=True, **LABELS).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [1.0, NAN, NAN, 2.0])


@pytest.mark.parametrize(
    ("values", "step", "edge"),
    [
        ([1, 2, NAN, NAN], 2, 1),
        ([1, INF, INF, INF], 1, 1),
        ([1, 2, 9, 99], 2, 1),
        ([1, 2, 99, NAN], 2, 1),
        ([1, 9, 2, -9], 3, 0),
        ([1, -INF, -INF, -INF], 1, 0),
        ([1, NAN, 2, 2], 1, 1),
    ],
)
def test_a_cross_on_the_edge_marks_where_a_line_left_the_scale(values, step, edge):
    axes = line_plot({"SGD": values}, ylim=(0, 3), **LABELS).axes[0]
    (cross,) = [line for line in axes.lines if line.get_marker() == "X"]
    assert cross.get_xydata().tolist() == [[step, (0, 3)[edge]]]


def test_a_line_that_stays_on_the_scale_has_no_cross():
    axes = line_plot({"SGD": [1, 2, 3]}, ylim=(0, 3), **LABELS).axes[0]
    assert [line.get_marker() for line in axes.lines] == ["o"]


def test_a_line_that_came_back_has_no_word_of_leaving():
    assert not any("left the scale" in word for word in words(line_plot({"SGD": [1, NAN, 2]}, **LABELS)))


def test_the_name_of_a_line_that_left_says_so():
    (label,) = end_labels(line_plot({"SGD": [1, NAN]}, **LABELS))
    assert label.get_text() == "SGD\n✕ left the scale"


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12))
@settings(derandomize=True, deadline=None, max_examples=12)
def test_no_name_covers_another(ends):
    labels = end_labels(line_plot({f"name {k}": [0, end] for k, end in enumerate(ends)}, **LABELS))
    boxes = sorted((box.y0, box.y1) for box in map(Text.get_window_extent, labels))
    assert all(above[0] >= below[1] - 1 for below, above in itertools.pairwise(boxes))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8, unique=True))
@settings(derandomize=True, deadline=None, max_examples=12)
def test_the_names_stand_in_the_order_of_the_ends(ends):
    labels = end_labels(line_plot({str(k): [0, end] for k, end in enumerate(ends)}, **LABELS))
    upwards = [int(label.get_text()) for label in sorted(labels, key=lambda label: label.xyann[1])]
    apart = [ends[a] <= ends[b] + 1e-9 for a, b in itertools.pairwise(upwards)]
    assert all(apart)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_names_stay_beside_the_axes(end):
    labels = end_labels(line_plot({f"name {k}": [1.0 - end, end] for k in range(9)}, **LABELS))
    assert all(-1e-9 <= label.xyann[1] <= 1 + 1e-9 for label in labels)


def test_a_reference_is_a_named_line_at_its_height():
    figure = line_plot({"SGD": [1, 2]}, references={"guessing": 2.3}, **LABELS)
    assert [2.3, 2.3] in [list(line.get_ydata()) for line in figure.axes[0].lines]
    assert "guessing" in words(figure)


def test_a_mark_is_a_named_line_at_its_place():
    figure = line_plot({"SGD": [1, 2]}, marks={"the lr drops": 0.5}, **LABELS)
    assert [0.5, 0.5] in [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert "the lr drops" in words(figure)


def test_the_limits_are_those_asked_for():
    assert line_plot({"SGD": [1, 2]}, ylim=(0.5, 9), **LABELS).axes[0].get_ylim() == (0.5, 9)


def test_the_lr_is_drawn_as_stairs_over_epochs():
    axes = lr_curves({"StepLR": [0.1, 0.1, 0.01, 0.01]}, title="Seen", steps_per_epoch=2).axes[0]
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert axes.lines[0].get_xdata().tolist() == [0, 0.5, 1, 1.5]


def test_the_scale_of_an_lr_range_test_ends_little_above_the_first_loss():
    axes = lr_range([1e-3, 1e-2, 1e-1], {"SGD": [2.0, 1.0, 1e9]}, title="Seen", beta=0.0).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylim() == pytest.approx((0.85, 2.6))


def test_panels_of_one_quantity_share_their_scale():
    panels = {"a": {"SGD": [0, 1]}, "b": {"SGD": [0, 9]}}
    first, second = line_panels(panels, title="Seen", xlabel="step", ylabel="loss").axes[:2]
    assert first.get_ylim() == second.get_ylim()
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("a", "b")


def test_panels_of_two_quantities_have_scales_of_their_own():
    panels = {"loss (nats)": {"SGD": [0, 1]}, "accuracy (%)": {"SGD": [0, 9]}}
    first, second = line_panels(panels, title="Seen", xlabel="step").axes[:2]
    assert first.get_ylim() != second.get_ylim()
    assert (first.get_ylabel(), second.get_ylabel()) == ("loss (nats)", "accuracy (%)")


@pytest.mark.parametrize("lines", [None, [1.0, 2.0], "SGD", np.array([1.0])])
def test_lines_that_are_no_dict_are_refused_in_words(lines):
    with pytest.raises(TypeError, match=r"lines must be a dict of 1 to 12 names, got \w+; try"):
        line_plot(lines, **LABELS)


@pytest.mark.parametrize("count", [0, 13])
def test_no_lines_and_too_many_are_refused_in_words(count):
    with pytest.raises(ValueError, match=r"lines must be a dict of 1 to 12 names, got one of .*; try"):
        line_plot({f"{k}": [1.0] for k in range(count)}, **LABELS)


@pytest.mark.parametrize("values", [["a"], "abc", None, [None], [1j], [[1.0], [1.0, 2.0]], {"a": 1}, [{}]])
def test_values_that_are_no_numbers_are_refused_in_words(values):
    with pytest.raises(TypeError, match=r"lines\['SGD'\] must be a row of one or more numbers, got .*; try"):
        line_plot({"SGD": values}, **LABELS)


@pytest.mark.parametrize("values", [[], 3.0, [[1.0]]])
def test_values_that_are_no_row_are_refused_in_words(values):
    with pytest.raises(ValueError, match=r"lines\['SGD'\] must be a row of one or more numbers, got .*; try"):
        line_plot({"SGD": values}, **LABELS)


@pytest.mark.parametrize("x", [[1, 2, 3], [1], [1, NAN], [1, INF]])
def test_an_x_of_another_length_or_not_finite_is_refused_in_words(x):
    with pytest.raises(ValueError, match=r"x must be 2 finite numbers for 'SGD', got \d numbers; try x=None"):
        line_plot({"SGD": [1, 2]}, x=x, **LABELS)


def test_an_x_without_a_name_is_refused_in_words():
    with pytest.raises(ValueError, match=r"x must have a row for every line, got none for 'SGD'; try x=None"):
        line_plot({"SGD": [1, 2]}, x={"Adam": [1, 2]}, **LABELS)


def test_an_x_of_0_on_a_log_scale_is_refused_in_words():
    with pytest.raises(ValueError, match=r"x must be above 0 on a log scale, got 0 for 'SGD'; try log_x=False"):
        line_plot({"SGD": [1, 2]}, log_x=True, **LABELS)


@pytest.mark.parametrize("ylim", [(1, 1), (2, 1), (0, INF), (NAN, 1), (1,), "ab", 3])
def test_limits_out_of_order_are_refused_in_words(ylim):
    with pytest.raises(error_for(ylim, tuple, int), match=r"ylim must be .*; try"):
        line_plot({"SGD": [1, 2]}, ylim=ylim, **LABELS)


@pytest.mark.parametrize("height", [NAN, INF, "2", None, [1.0]])
def test_a_reference_that_is_no_number_is_refused_in_words(height):
    with pytest.raises(error_for(height, float, list), match=r"references\['a'\] must be .*; try"):
        line_plot({"SGD": [1, 2]}, references={"a": height}, **LABELS)


def test_a_mark_of_0_on_a_log_scale_is_refused_in_words():
    with pytest.raises(ValueError, match=r"marks\['a'\] must be a number above 0, got 0; try"):
        line_plot({"SGD": [1, 2]}, x=[1, 2], log_x=True, marks={"a": 0}, **LABELS)


@pytest.mark.parametrize("columns", [0, 5, 1.5, "2", None])
def test_an_impossible_number_of_columns_is_refused_in_words(columns):
    with pytest.raises(error_for(columns, int), match=r"columns must be a whole number from 1 to 4, got .*; try 2"):
        line_panels({"a": {"SGD": [1]}}, title="Seen", xlabel="step", columns=columns)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "2"])
def test_an_impossible_number_of_steps_per_epoch_is_refused_in_words(steps):
    with pytest.raises(error_for(steps, int), match=r"steps_per_epoch must be a whole number of 1 or more"):
        lr_curves({"StepLR": [1]}, title="Seen", steps_per_epoch=steps)


def test_a_panel_that_is_no_dict_is_refused_in_words():
    with pytest.raises(TypeError, match=r"panels\['a'\] must be a dict of 1 to 12 names, got list"):
        line_panels({"a": [1, 2]}, title="Seen", xlabel="step")


# Bars.


def bars(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_a_bar_is_as_long_as_its_number():
    assert [bar.get_width() for bar in bars(bar_plot({"a": 3.5, "b": -2}, title="Seen", xlabel="gain"))] == [3.5, -2]


def test_the_number_stands_beside_its_bar():
    figure = bar_plot({"a": 3.14159, "b": -2}, title="Seen", xlabel="gain", errors={"a": 0.25})
    assert {"3.142 ± 0.25", "−2"} <= set(words(figure))


def test_the_number_of_a_negative_bar_stands_to_its_left():
    figure = bar_plot({"a": 3, "b": -2}, title="Seen", xlabel="gain", errors={"b": 0.5})
    (number,) = [text for text in texts(figure) if text.get_text() == "−2 ± 0.5"]
    end = figure.axes[0].transData.transform((-2.5, 0))[0]
    assert number.get_window_extent().x1 < end


def test_a_bar_that_is_not_finite_is_a_word():
    figure = bar_plot({"a": 1, "b": NAN}, title="Seen", xlabel="gain")
    assert len(bars(figure)) == 1
    assert "✕ left the scale" in words(figure)


def test_an_algorithm_keeps_its_colour_as_a_bar():
    figure = bar_plot({"Adam": 1, "SGD": 2}, title="Seen", xlabel="gain")
    assert [bar.get_facecolor()[:3] for bar in bars(figure)] == [to_rgb(COLORS["Adam"]), to_rgb(COLORS["SGD"])]


def test_only_the_highlighted_bar_is_strong():
    figure = bar_plot({"Adam": 1, "SGD": 2, "AdamW": 3}, title="Seen", xlabel="gain", highlight="SGD")
    colors = [bar.get_facecolor()[:3] for bar in bars(figure)]
    assert colors[1] == to_rgb(COLORS["SGD"])
    assert colors[0] == colors[2] not in [to_rgb(color) for color in COLORS.values()]


@pytest.mark.parametrize("options", [{"errors": {"c": 1}}, {"errors": {"a": -1}}, {"highlight": "c"}])
def test_an_error_or_highlight_without_a_bar_is_refused_in_words(options):
    with pytest.raises(ValueError, match=r"errors and highlight must name bars, errors 0 or more, got .*; try 'a'"):
        bar_plot({"a": 1}, title="Seen", xlabel="gain", **options)


# Histograms.


def test_the_shares_of_a_histogram_are_those_of_numpy():
    values = np.exp(noise(1000))
    axes = histograms({"a": values}, title="Seen", xlabel="size").axes[0]
    shares, edges, _ = next(p for p in axes.patches if isinstance(p, StepPatch)).get_data()
    np.testing.assert_allclose(shares, np.histogram(values, edges)[0] / 10)
    assert shares.sum() == pytest.approx(100)


def test_what_the_scale_cannot_show_is_named_and_not_hidden():
    figure = histograms({"a": [1, 2, 0, NAN]}, title="Seen", xlabel="size")
    assert "a (50 % not on this scale)" in words(figure)


def test_a_sample_of_any_shape_is_counted():
    axes = histograms({"a": np.ones((2, 3))}, title="Seen", xlabel="size", log=False).axes[0]
    shares, _, _ = axes.patches[0].get_data()
    assert shares.sum() == 100


@pytest.mark.parametrize("values", [[0.0, -1.0], [NAN]])
def test_a_histogram_of_nothing_is_refused_in_words(values):
    with pytest.raises(ValueError, match=r"samples must hold values that the scale can show, got none"):
        histograms({"a": values}, title="Seen", xlabel="size")


@pytest.mark.parametrize("bins", [1, 501, 2.5, None])
def test_an_impossible_number_of_bins_is_refused_in_words(bins):
    with pytest.raises(error_for(bins, int), match=r"bins must be a whole number from 2 to 500, got"):
        histograms({"a": [1.0]}, title="Seen", xlabel="size", bins=bins)


# Maps.


def cells(figure):
    return next(artist for artist in figure.axes[0].collections if isinstance(artist, QuadMesh)).get_array()


def test_every_cell_of_a_map_has_its_value():
    np.testing.assert_allclose(cells(stability_map()), np.geomspace(1e-6, 1.0, 12).reshape(3, 4))


def test_lost_cells_have_no_colour():
    lost = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(cells(stability_map(lost=torch.tensor(lost) > 0)).mask, lost == 1)


def test_cells_that_are_not_finite_count_as_lost():
    figure = heat_map([[1.0, INF, NAN]], x=[1, 2, 3], y=[0], value_label="loss", **LABELS)
    assert cells(figure).mask.tolist() == [[False, True, True]]
    assert "diverged" in words(figure)


def test_a_cell_that_is_not_finite_is_lost_among_others():
    figure = heat_map([[1.0, INF, 2.0]], x=[1, 2, 3], y=[0], lost=[[0, 0, 1]], value_label="loss", **LABELS)
    assert cells(figure).mask.tolist() == [[False, True, True]]


def test_the_star_stands_at_the_lowest_cell_that_is_not_lost():
    figure = stability_map(lost=[[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    (star,) = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    assert star.get_xydata().tolist() == [[0.1, 0.0]]


def test_a_line_from_theory_is_drawn_and_named():
    figure = stability_map(lines={"theory": ([0.1, 1.0], [0.0, 0.9])})
    assert [[0.1, 0.0], [1.0, 0.9]] in [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert "theory" in words(figure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": [1, 2, 3]}, r"values must have shape \(len\(y\), len\(x\)\) = \(3, 3\), got \(3, 4\)"),
        ({"x": [4, 3, 2, 1]}, r"x must be finite, ascending and above 0, got \[4, 3, 2, 1\]"),
        ({"x": [0, 1, 2, 3]}, r"x must be finite, ascending and above 0, got \[0, 1, 2, 3\]"),
        ({"y": [0, NAN, 1]}, r"y must be finite and ascending"),
        ({"lost": [True]}, r"lost must have the shape of the values, \(3, 4\), got \[True\]"),
        ({"limits": (1, 0)}, r"limits must be two finite numbers, the lower first"),
    ],
)
def test_a_map_whose_numbers_do_not_fit_is_refused_in_words(options, message):
    with pytest.raises(ValueError, match=message):
        stability_map(**options)


# Surfaces.


def test_a_path_is_drawn_through_its_points():
    track = [[3.0, 1.0], [1.0, 0.5], [0.25, 0.0]]
    figure = surface_paths(Bowl(), {"SGD": track}, title="Seen")
    assert line_of(figure, COLORS["SGD"]).get_xydata().tolist() == track


def test_a_record_with_points_is_a_path_as_well():
    record = SimpleNamespace(points=torch.tensor([[3.0, 1.0], [1.0, 0.5]], dtype=torch.float64))
    figure = surface_paths(Bowl(), {"SGD": record}, title="Seen")
    assert line_of(figure, COLORS["SGD"]).get_xydata().tolist() == record.points.tolist()


def test_the_legend_names_the_loss_at_the_end_of_a_path():
    assert "SGD: 1.2" in words(surface_paths(Bowl(), {"SGD": [[3.0, 1.0], [1.0, 0.5]]}, title="Seen"))


def test_a_path_that_leaves_is_cut_where_it_crosses_the_edge():
    figure = surface_paths(Bowl(), {"SGD": [[3.0, 1.0], [2.0, 0.0], [6.0, 1.0], [9.0, 9.0]]}, title="Seen")
    assert line_of(figure, COLORS["SGD"]).get_xydata().tolist() == [[3.0, 1.0], [2.0, 0.0], [4.0, 0.5]]
    assert "SGD: left at step 2" in words(figure)


def test_a_path_that_comes_back_has_not_left():
    figure = surface_paths(Bowl(), {"SGD": [[3.0, 1.0], [6.0, 0.0], [1.0, 0.0]]}, title="Seen")
    assert "SGD: 1" in words(figure)


def test_a_path_to_the_end_of_the_numbers_is_drawn_to_the_edge():
    figure = surface_paths(Bowl(), {"SGD": [[0.0, 0.0], [1e308, 0.0]]}, title="Seen")
    np.testing.assert_allclose(line_of(figure, COLORS["SGD"]).get_xydata()[-1], [4.0, 0.0])


def test_the_formula_of_the_surface_stands_below_the_title():
    assert "Bowl: loss $= x^2 + y^2$" in words(surface_paths(Bowl(), {}, title="Seen"))


def test_a_step_is_as_long_upwards_as_to_the_right():
    assert surface_paths(Bowl(), {}, title="Seen").axes[0].get_aspect() == 1


@pytest.mark.parametrize("path", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[NAN, 0.0]], np.empty((0, 2))])
def test_a_path_that_is_no_row_of_points_is_refused_in_words(path):
    with pytest.raises(ValueError, match=r"paths\['SGD'\] must be points \(steps \+ 1, 2\) without NaN, got shape"):
        surface_paths(Bowl(), {"SGD": path}, title="Seen")


# Images.


@pytest.mark.parametrize("count", [1, 3, 8])
def test_an_image_is_as_high_as_wide(count):
    figure = image_grid(pixels(count), title="Seen")
    figure.draw_without_rendering()
    box = figure.axes[0].images[0].get_window_extent()
    assert box.width == pytest.approx(box.height)


def test_an_image_is_shown_pixel_by_pixel():
    images = pixels(3)
    shown = [picture.get_array() for picture in image_grid(images, title="Seen").axes[0].images]
    np.testing.assert_array_equal(np.moveaxis(np.array(shown), -1, 1), images)


@pytest.mark.parametrize(
    "convert", [torch.tensor, lambda images: torch.tensor(images) / 255, lambda images: images / 255]
)
def test_tensors_and_floats_show_the_same_image(convert):
    expected = png(image_grid(pixels(2), title="Seen"))
    assert png(image_grid(convert(pixels(2)), title="Seen")) == expected


def test_every_image_has_the_name_of_its_class():
    figure = image_grid(pixels(3), title="Seen", labels=torch.tensor([2, 0, 3]), classes=CLASSES)
    assert [word for word in words(figure) if word in CLASSES] == ["bird", "airplane", "cat"]


def test_without_names_a_class_is_its_number():
    assert {"7", "12"} <= set(words(image_grid(pixels(2), title="Seen", labels=[7, 12])))


def test_right_and_wrong_differ_in_sign_word_and_colour():
    figure = image_grid(pixels(2), title="Seen", labels=[0, 1], predictions=[0, 2], classes=CLASSES)
    said = {text.get_text(): text.get_color() for text in texts(figure)}
    assert {"✓ airplane", "✗ bird", "is automobile"} <= set(said)
    assert said["✓ airplane"] != said["✗ bird"]


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 1, 8, 8), (2, 8, 8, 3), (0, 3, 8, 8), (2, 3, 8, 9)])
def test_images_of_another_shape_are_refused_in_words(shape):
    with pytest.raises(ValueError, match=r"images must have shape \(n, 3, size, size\), got"):
        image_grid(np.zeros(shape, dtype=np.uint8), title="Seen")


@pytest.mark.parametrize("value", [-0.5, 1.5, NAN, 255.0])
def test_images_outside_0_to_1_are_refused_in_words(value):
    with pytest.raises(ValueError, match=r"images must be uint8 or floats from 0 to 1, got .*; undo the normalisation"):
        image_grid(np.full((1, 3, 8, 8), value), title="Seen")


def test_too_many_images_are_refused_in_words():
    with pytest.raises(ValueError, match=r"images must be at most 120, got 121; try images\[:12\]"):
        image_grid(pixels(121), title="Seen")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [0]}, "labels must have one number per image, got 1 for 2"),
        ({"labels": [0, 4]}, "labels must be whole numbers from 0 to 3, got 0 to 4"),
        ({"labels": [0, -1]}, "labels must be whole numbers from 0 to 3, got -1 to 0"),
        ({"labels": [0, 0.5]}, "labels must be whole numbers from 0 to 3, got 0 to 0.5"),
        ({"labels": [0, 1], "predictions": [1]}, "predictions must have one number per image, got 1 for 2"),
        ({"predictions": [0, 1]}, "predictions need labels to be right or wrong, got none"),
        ({"columns": 0}, "columns must be a whole number from 1 to 120, got 0"),
    ],
)
def test_labels_that_do_not_fit_the_images_are_refused_in_words(options, message):
    with pytest.raises(ValueError, match=message):
        image_grid(pixels(2), title="Seen", **{"classes": CLASSES, **options})


def test_everything_public_is_tried_here():
    assert set(plots.__all__) <= {*globals(), *vars(gallery)}
