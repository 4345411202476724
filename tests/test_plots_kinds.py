"""Bars, histograms, maps, paths and images: do they show the numbers they were given, and name what they show?"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.patches import StepPatch

from course_utils.plots import COLORS, bar_plot, heat_map, histograms, image_grid, surface_paths
from tests.helpers.figures import bars, line_of, png, texts, words
from tests.helpers.gallery import CLASSES, INF, LABELS, NAN, Bowl, noise, pixels, stability_map
from tests.helpers.refusals import error_for

# Bars.


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
