"""Lines: do they show the numbers they were given, say where they leave the scale, and bear names that can be read?"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from course_utils.plots import line_panels, line_plot, lr_curves, lr_range, smooth
from tests.helpers.figures import end_labels, words
from tests.helpers.gallery import INF, LABELS, NAN, noise
from tests.helpers.refusals import error_for


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
