"""Does the text of a figure say what the picture shows, and only that?"""

import base64
import functools
import html
import io
import re

import numpy as np
import pytest
from comparing import same_picture
from gallery import CLASSES, FIGURES, LABELS, NAN, Bowl, noise, pixels, stability_map
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import load_images
from course_utils.plots import bar_plot, histograms, image_grid, line_panels, line_plot, smooth, surface_paths
from course_utils.plots.words import about, value

EVERY = pytest.mark.parametrize("name", FIGURES)


@functools.cache
def made(name):
    """A figure of the gallery, made once for all the tests that only read it."""
    return FIGURES[name]()


def items(figure):
    """What is said of each thing drawn, by its name."""
    said = [line.removeprefix("- ") for line in figure.alt.splitlines()[1:]]
    return dict(re.split(r": (?=[^:]*$)", line, maxsplit=1) if ": " in line else (line, "") for line in said)


def numbers(text):
    return [float(word) for word in re.findall(r"-?\d[\d.]*(?:e[-+]\d+)?", text)]


# What holds of every figure.


@EVERY
def test_the_first_line_says_the_title_and_the_labels(name):
    figure = made(name)
    first = figure.alt.partition("\n")[0]
    title = " ".join(figure.get_suptitle().split())
    labels = [axes.get_xlabel() for axes in figure.axes if axes.axison and axes.get_label() != "<colorbar>"]
    assert title in first
    assert all(label in first or label.startswith("parameter") for label in labels)


@EVERY
def test_the_same_numbers_give_the_same_text(name):
    assert FIGURES[name]().alt == made(name).alt


@EVERY
def test_a_figure_reads_the_same_in_a_terminal_in_a_notebook_and_to_a_screen_reader(name):
    figure = made(name)
    data, metadata = figure.bundle()
    assert repr(figure) == str(figure) == figure.alt == data["text/plain"] == metadata["image/png"]["alt"]
    (alternative,) = re.findall(r'alt="([^"]*)"', data["text/html"])
    assert html.unescape(alternative) == figure.alt


@pytest.mark.parametrize("name", [*(name for name in FIGURES if "image" not in name), "photographs"])
def test_the_picture_of_the_bundle_is_the_figure_in_fewer_colours(name):
    make, whole = {**FIGURES, "photographs": photographs}[name], io.BytesIO()
    make().savefig(whole, format="png")
    data, _ = make().bundle()  # a second drawing of one figure finds other margins
    assert f"data:image/png;base64,{data['image/png']}" in data["text/html"]
    assert same_picture(whole.getvalue(), base64.b64decode(data["image/png"]))


def photographs():
    """What image grids are for; the gallery's images are noise, with more colours than any photograph."""
    return image_grid(load_images("photos", split="test", limit=18).images, title="What is seen")


def test_a_heading_stands_above_the_text():
    figure = FIGURES["bars"]()
    assert figure.bundle("a playground")[0]["text/plain"] == f"a playground\n{figure.alt}"


def test_a_notebook_is_handed_the_bundle(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options)))
    FIGURES["bars"]()._ipython_display_()
    data, metadata = FIGURES["bars"]().bundle()
    assert shown == [(data, {"metadata": metadata, "raw": True})]


@pytest.mark.parametrize(
    ("number", "text"), [(2, "2.0"), (2.30261, "2.303"), (1234.5, "1234.0"), (1e-9, "1e-09"), (NAN, "not finite")]
)
def test_a_value_has_four_digits_and_a_point(number, text):
    assert value(number) == text


def test_a_place_is_marked_as_one():
    assert about(1234.5) == "≈ 1230"


# Lines.


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.sampled_from([0.0, 0.5]))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_line_is_told_by_its_ends_its_extremes_and_its_mean(values, beta):
    figure = line_plot({"SGD": values}, beta=beta, **LABELS)
    drawn = smooth(values, beta)
    if np.ptp(drawn) == 0:
        assert items(figure)["SGD"] == f"≈ {len(values)} points, all {value(drawn[0])}"
        return
    extremes = drawn.min(), drawn.max()
    _, begin, end, low, _, high, _, mean = numbers(items(figure)["SGD"])
    np.testing.assert_allclose([begin, end, low, high], [drawn[0], drawn[-1], *extremes], rtol=1e-3)
    assert mean == pytest.approx(drawn.mean(), rel=1e-3, abs=1e-9)


def test_a_line_is_lowest_where_it_gets_to_its_lowest_hundredth():
    falling = 0.5 ** np.arange(40.0)
    assert "lowest 1.819e-12 at ≈ 7" in items(line_plot({"SGD": falling}, **LABELS))["SGD"]


def test_places_are_those_of_x():
    assert "highest 3.0 at ≈ 30" in items(line_plot({"SGD": [1, 3, 2]}, x=[20, 30, 40], **LABELS))["SGD"]


def test_the_text_tells_how_far_x_reaches():
    assert "To the right: step (updates), 20 to 40;" in line_plot({"SGD": [1, 2]}, x=[20, 40], **LABELS).alt


def test_what_is_off_the_scale_is_off_the_text():
    text = items(line_plot({"SGD": [1, 2, 99, 1e9]}, ylim=(0, 3), **LABELS))["SGD"]
    assert text == "≈ 4 points, begins at 1.0, leaves the scale at ≈ 2, lowest 1.0 at ≈ 0, highest 2.0 at ≈ 1, mean 1.5"


def test_a_line_that_is_nowhere_on_the_scale_says_so():
    assert items(line_plot({"SGD": [NAN, 9]}, ylim=(0, 3), **LABELS))["SGD"] == "≈ 2 points, none of them on the scale"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([3, 2, 1], "falls below 'guessing' at ≈ 2"),
        ([1, 2, 3], "rises above 'guessing' at ≈ 1"),
        ([3, 1, 3, 1], "falls below 'guessing', not for the first time, at ≈ 3"),
        ([1.0, 1.2, 1.0], "nowhere above 'guessing'"),
        ([1.5, 1.2, 1.0], "nowhere above 'guessing'"),  # begins on it
        ([3, 2, 3], "nowhere below 'guessing'"),
        ([1.5, 1.5], "all of it on 'guessing'"),
    ],
)
def test_a_reference_is_crossed_where_the_line_gets_to_its_other_side(values, said):
    figure = line_plot({"SGD": values}, references={"guessing": 1.5}, **LABELS)
    assert items(figure)["SGD"].endswith(said)
    assert items(figure)["dotted line 'guessing'"] == "1.5"


def test_noise_around_a_reference_is_no_crossing():
    values = 1.5 + 1e-3 * noise(50)
    figure = line_plot({"SGD": values, "far": [0, 3]}, references={"guessing": 1.5}, **LABELS)
    assert "all of it on 'guessing'" in figure.alt


def test_two_lines_that_cross_say_where():
    assert "- 'SGD' falls below 'Adam' at ≈ 3" in line_plot({"SGD": [4, 3, 2, 1], "Adam": [1, 2, 2, 4]}, **LABELS).alt


def test_two_lines_that_do_not_cross_say_nothing_of_it():
    assert len(line_plot({"SGD": [4, 3], "Adam": [2, 1]}, **LABELS).alt.splitlines()) == 3


def test_five_lines_are_not_compared_in_pairs():
    crowd = {f"line {k}": [k, -k] for k in range(5)}
    assert len(line_plot(crowd, **LABELS).alt.splitlines()) == 6


def test_a_crossing_is_found_on_a_log_scale_too():
    figure = line_plot({"SGD": [1e-3, 1e-6]}, log_y=True, references={"half": 1e-5}, **LABELS)
    assert "falls below 'half' at ≈ 1" in figure.alt
    assert "(log scale)" in figure.alt


def test_a_mark_is_told():
    assert items(line_plot({"SGD": [1, 2]}, marks={"the lr drops": 0.5}, **LABELS))["mark 'the lr drops'"] == "≈ 0.5"


def test_every_line_of_every_panel_is_told():
    panels = {"loss": {"train": [2, 1], "test": [2, 1.5]}, "accuracy": {"train": [10, 50]}}
    said = line_panels(panels, title="Seen", xlabel="epoch").alt
    assert [line.split(": ≈ 2 points")[0] for line in said.splitlines()[1:]] == [
        "- loss: train", "- loss: test", "- accuracy: train",
    ]  # fmt: skip


# Bars, samples, maps, paths, images.


def test_a_bar_is_told_with_its_error():
    figure = bar_plot({"a": 3.14159, "b": -2, "c": NAN}, title="Seen", xlabel="gain", errors={"a": 0.25})
    assert items(figure) == {"a": "3.142 ± 0.25", "b": "-2.0", "c": "left the scale"}


def test_a_sample_is_told_by_its_quantiles():
    row = np.arange(1.0, 102.0)
    (text,) = items(histograms({"a": row}, title="Seen", xlabel="size", log=False)).values()
    assert numbers(text) == [101, 11.0, 26.0, 51.0, 76.0, 91.0]


def test_a_map_is_told_by_its_best_cell_and_its_rows():
    figure = stability_map(lost=[[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]], lines={"theory": ([0.1, 1.0], [0.0, 0.9])})
    said = figure.alt.splitlines()[1:]
    assert said == [
        "- 8 of 12 cells have a value, 4 diverged",
        "- lowest 0.000152 at (≈ 0.01, ≈ 0.5)",
        "- highest 1.0, half of the cells below 0.01484",
        "- lowest row, at ≈ 0: all diverged",
        "- middle row, at ≈ 0.5: lowest 0.000152 at ≈ 0.01, 0 diverged",
        "- highest row, at ≈ 0.9: lowest 0.0231 at ≈ 0.01, 0 diverged",
        "- line 'theory'",
    ]


def test_a_path_is_told_by_its_ends_and_reversals():
    figure = surface_paths(Bowl(), {"SGD": [[3, 1], [-1, 0.5], [1, 0.25]]}, title="Seen")
    said = "2 steps from (3.0, 1.0), loss 10.0; to (1.0, 0.25), loss 1.062; reversals: 1"
    assert f"- SGD: {said}" in figure.alt


def test_a_path_that_leaves_says_when():
    assert "leaves the map at step 1" in surface_paths(Bowl(), {"SGD": [[3, 1], [9, 9]]}, title="Seen").alt


def test_a_formula_is_read_without_tex():
    bowl = Bowl()
    bowl.formula = r"\frac{1}{2}\,x^2 + 10\,y^2"
    assert "Loss = 1/2 x^2 + 10 y^2." in surface_paths(bowl, {}, title="Seen").alt


def test_images_are_told_row_by_row():
    figure = image_grid(pixels(3), title="Seen", labels=[0, 1, 2], predictions=[0, 1, 3], classes=CLASSES, columns=2)
    assert figure.alt.splitlines()[1:] == [
        "- 2 of 3 right", "- row 1: ✓ airplane; ✓ automobile", "- row 2: ✗ cat, is bird",
    ]  # fmt: skip


# What a wrong experiment would show.

RUN = {"SGD": 2.3 - 0.5 * np.linspace(0, 1, 50) + 0.1 * noise(50), "Adam": 2.3 - np.linspace(0, 1, 50)}
FAULTS = {
    "a curve lost": lambda: line_plot({"SGD": RUN["SGD"]}, beta=0.9, **LABELS),
    "a factor lost": lambda: line_plot({**RUN, "Adam": 1.02 * RUN["Adam"]}, beta=0.9, **LABELS),
    "smoothing left out": lambda: line_plot(RUN, **LABELS),
    "another smoothing": lambda: line_plot(RUN, beta=0.8, **LABELS),
    "curves swapped": lambda: line_plot({"SGD": RUN["Adam"], "Adam": RUN["SGD"]}, beta=0.9, **LABELS),
    "a reference lost": lambda: line_plot(RUN, beta=0.9, references={"guessing": 2.3}, **LABELS),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_experiment_reads_differently(fault):
    assert FAULTS[fault]().alt != line_plot(RUN, beta=0.9, **LABELS).alt
