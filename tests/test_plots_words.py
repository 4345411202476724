"""Does the text of a figure say what the picture shows, and only that?"""

import base64
import functools
import html
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import load_images
from course_utils.plots import bar_plot, histograms, image_grid, line_panels, line_plot, smooth, surface_paths
from course_utils.plots.words import about, value
from tests.helpers.gallery import CLASSES, FIGURES, LABELS, NAN, Bowl, noise, pixels, stability_map
from tests.tools.comparing import same_picture

EVERY = pytest.mark.parametrize("name", FIGURES)


@functools.cache
def made(name):
    """A figure of the gallery, made once for all the tests that only read it."""
    return FIGURES[name]()


def items(figure):
    """What is said of each thing drawn, by its name."""
    said = [line.removeprefix("- ").removesuffix(".") for line in figure.alt.splitlines()[1:]]
    return dict(line.split(": ", maxsplit=1) if ": " in line else (line, "") for line in said)


def numbers(text):
    return [float(word.replace("−", "-")) for word in re.findall(r"−?\d[\d.]*(?:e[−+]\d+)?", text)]


def told(*values, **options):
    """What is said of one line through the values."""
    return items(line_plot({"SGD": values}, **{**LABELS, **options}))["SGD"]


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
    ("number", "text"),
    [(2, "2.0"), (2.30261, "2.303"), (12345, "12340.0"), (-1.5, "−1.5"), (1e-9, "1e−09"), (NAN, "not finite")],
)
def test_a_value_has_four_digits_a_point_and_a_minus_that_is_read_aloud(number, text):
    assert value(number) == text


def test_a_place_is_marked_as_one():
    assert about(-1234.5) == "≈ −1230"


def test_every_line_of_a_text_is_one_sentence_that_ends():
    figure = line_plot({"a\nb": [1, 2]}, marks={"c\n- d": 1}, **{**LABELS, "title": "One.\nTwo?"})
    assert figure.alt.splitlines()[0].startswith("Lines: One. Two? To the right")
    assert figure.alt.splitlines()[1].startswith("- a b: ")
    assert figure.alt.splitlines()[2:] == ["- mark “c - d”: ≈ 1."]


# Lines.


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.sampled_from([0.0, 0.5]))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_line_is_told_by_its_ends_its_extremes_and_its_mean(values, beta):
    said, drawn = told(*values, beta=beta), smooth(values, beta)
    if np.ptp(drawn) == 0:
        assert said.startswith(f"{len(values)} points, all {value(drawn[0])}")
        return
    where = [np.argmin(drawn), np.argmax(drawn)]
    _, begin, end, low, at_low, high, at_high, mean = numbers(said)[:8]
    np.testing.assert_allclose([begin, end, low, high], [drawn[0], drawn[-1], *drawn[where]], rtol=1e-3)
    assert [at_low, at_high] == where
    assert mean == pytest.approx(drawn.mean(), rel=1e-3, abs=1e-9)


def test_the_lowest_value_stands_with_its_own_place_on_a_log_scale_too():
    assert "lowest 1.819e−12 at ≈ 39" in told(*0.5 ** np.arange(40.0), log_y=True)


def test_places_are_those_of_x():
    assert "highest 3.0 at ≈ 30" in told(1, 3, 2, x=[20, 30, 40])


def test_the_text_tells_how_far_x_reaches():
    figure = line_plot({"SGD": [1, 2]}, x=[100_000, 100_002], **LABELS)
    assert "To the right: step (updates), 100000 to 100002;" in figure.alt


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1, 2, 99, 1e9), "4 points, begins at 1.0, leaves the scale upwards at ≈ 2, lowest 1.0 at ≈ 0, highest above"),
        (
            (1, -9, -9),
            "3 points, begins at 1.0, leaves the scale downwards at ≈ 1, lowest below the scale, highest 1.0",
        ),
        ((1, 9, 1, 9), "4 points, begins at 1.0, leaves the scale upwards for the last time at ≈ 3"),
        ((1, 9, 2), "3 points, begins at 1.0, ends at 2.0, off the scale in between, lowest 1.0 at ≈ 0, highest above"),
        ((9, 2, 1), "3 points, begins above the scale, ends at 1.0, lowest 1.0 at ≈ 2, highest above the scale"),
        ((1, NAN, 2), "3 points, begins at 1.0, ends at 2.0, with gaps, lowest"),
        ((NAN, 2, 1), "3 points, begins with a gap, ends at 1.0, lowest"),
        ((1, 2, NAN), "3 points, begins at 1.0, no values from ≈ 2 on, lowest"),
        ((NAN, 9), "2 points, none of them on the scale"),
    ],
)
def test_what_the_picture_cuts_off_is_told_as_that(values, said):
    text = told(*values, ylim=(0, 3))
    assert text.startswith(said)
    assert "mean" not in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([3, 2, 1], "it falls below “guessing” at ≈ 1.5"),
        ([1, 2, 3], "it rises above “guessing” at ≈ 0.5"),
        ([3, 1, 3, 1], "it falls below “guessing”, not for the first time, at ≈ 2.75"),
        ([1.0, 1.2, 1.0], "it stays below “guessing”"),
        ([1.5, 1.2, 1.0], "it is close to “guessing” or below it"),
        ([3, 2, 3], "it stays above “guessing”"),
        ([1.49, 1.5, 1.51, 9], "it is close to “guessing” or above it"),
    ],
)
def test_a_reference_is_crossed_where_the_two_really_cross(values, said):
    figure = line_plot({"SGD": values}, references={"guessing": 1.5}, **LABELS)
    assert items(figure)["SGD"].endswith(said)
    assert items(figure)["dotted line “guessing”"] == "1.5"


def test_a_line_that_shoots_through_a_reference_and_off_the_scale_has_crossed_it():
    assert told(1, 1, 99, 99, ylim=(0, 3), references={"guessing": 2}).endswith("it rises above “guessing” at ≈ 2")
    assert "not for the first time" in told(3, -3, 3, -3, ylim=(-1, 1), references={"zero": 0})


def test_noise_around_a_reference_is_no_crossing():
    values = 1.5 + 1e-3 * noise(50)
    figure = line_plot({"SGD": values, "far": [0, 3]}, references={"guessing": 1.5}, **LABELS)
    assert "it lies on “guessing”" in figure.alt


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ([4, 3, 2, 1], [1, 2, 2, 4], "“SGD” falls below “Adam” at ≈ 2"),
        ([4, 3], [2, 1], "“SGD” stays above “Adam”"),
        ([4, 3], [4, 1], "“SGD” is close to “Adam” or above it"),
        ([1, 2, 3, 4], [1, 2, 2, 2], "“SGD” is the same as “Adam” up to ≈ 1, then above it"),
        ([1, 2, 3, 4, 1], [1, 2, 2, 2, 3], "“SGD” is the same as “Adam” up to ≈ 1, then falls below it at ≈ 3.5"),
        ([4, 3, 2, 1, 0], [4, 3, 2, 2, 0], "“SGD” lies mostly on “Adam”"),
        ([4, 3, 2, 1], [4, 3, 2.001, 1], "“SGD” lies on “Adam”"),
        ([4, 3, 1], [4, 3.001, 1], "“SGD” lies on “Adam”"),
    ],
)
def test_two_lines_are_told_against_each_other(a, b, said):
    assert line_plot({"SGD": a, "Adam": b}, **LABELS).alt.splitlines()[-1] == f"- {said}."


def test_five_lines_are_not_compared_in_pairs():
    crowd = {f"line {k}": [k, -k] for k in range(5)}
    assert len(line_plot(crowd, **LABELS).alt.splitlines()) == 6


def test_a_crossing_is_found_on_a_log_scale_too():
    assert told(1e-3, 1e-6, log_y=True, references={"half": 1e-5}).endswith("it falls below “half” at ≈ 0.667")


def test_few_stairs_are_told_one_by_one():
    assert "stairs 0.1, 0.01, 0.1" in told(0.1, 0.1, 0.01, 0.1, stairs=True)
    assert "stairs" not in told(*range(9), stairs=True)


def test_an_average_is_told_with_the_scatter_around_it():
    values = noise(400)
    (scatter,) = re.findall(r"the values scatter by ([\d.]+)", told(*values, beta=0.9))
    assert float(scatter) == pytest.approx(np.std(values - smooth(values, 0.9)), rel=0.05)


def test_a_mark_or_reference_that_the_picture_does_not_show_is_told_as_that():
    figure = line_plot({"SGD": [1, 2]}, ylim=(0, 3), references={"far": 9}, marks={"the lr drops": 0.5}, **LABELS)
    assert items(figure)["mark “the lr drops”"] == "≈ 0.5"
    assert items(figure)["dotted line “far”"] == "9.0, off the scale"


def test_every_line_of_every_panel_is_told():
    panels = {"loss": {"train": [2, 1], "test": [2, 1.5]}, "accuracy": {"train": [10, 50]}}
    said = line_panels(panels, title="Seen", xlabel="epoch").alt
    assert [line.split(": 2 points")[0] for line in said.splitlines()[1:]] == [
        "- loss, train", "- loss, test", "- loss, “train” is close to “test” or below it.", "- accuracy, train",
    ]  # fmt: skip


# Bars, samples, maps, paths, images.


def test_a_bar_is_told_with_its_error():
    figure = bar_plot({"a": 3.14159, "b": -2, "c": NAN}, title="Seen", xlabel="gain", errors={"a": 0.2551})
    assert items(figure) == {"a": "3.142 ± 0.26", "b": "−2.0", "c": "left the scale"}


def test_the_bar_that_is_strong_is_named():
    figure = bar_plot({"a": 1, "b": 2}, title="Seen", xlabel="gain", highlight="b", references={"guessing": 1.5})
    assert "Length: gain, “b” is strong, the others pale." in figure.alt
    assert items(figure)["dotted line “guessing”"] == "1.5"


def test_a_sample_is_told_by_its_ends_and_quantiles():
    row = np.arange(1.0, 102.0)
    (text,) = items(histograms({"a": row}, title="Seen", xlabel="size", log=False)).values()
    assert numbers(text) == [101, 1.0, 101.0, 11.0, 26.0, 51.0, 76.0, 91.0]


def test_a_map_is_told_by_its_best_cell_its_rows_and_its_lines():
    lost = [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
    figure = stability_map(lost=lost, lines={"theory": ([0.1, 1.0], [0.0, 0.9])})
    assert "To the right: learning rate from 0.01 to 10.0 (log scale); upwards: momentum from 0.0 to 0.9;" in figure.alt
    assert figure.alt.splitlines()[1:] == [
        "- 7 of 12 cells have a colour, 5 are diverged.",
        "- lowest 0.000152 at (≈ 0.01, ≈ 0.5).",
        "- highest 0.2848, half of the coloured cells below 0.006579.",
        "- bottom row, momentum ≈ 0: all diverged.",
        "- middle row, momentum ≈ 0.5: lowest 0.000152 at ≈ 0.01.",
        "- top row, momentum ≈ 0.9: lowest 0.0231 at ≈ 0.01, diverged from ≈ 10 on.",
        "- line “theory”: from (≈ 0.1, ≈ 0) to (≈ 1, ≈ 0.9).",
    ]


def test_a_path_is_told_by_its_ends_and_how_far_it_swings():
    figure = surface_paths(Bowl(), {"SGD": [[3, 1], [-1, 0.5], [1, 0.25]]}, title="Seen")
    said = "2 steps from (3.0, 1.0), loss 10.0; to (1.0, 0.25), loss 1.062; x from −1.0 to 3.0, y from 0.25 to 1.0"
    assert f"- SGD: {said}." in figure.alt


def test_a_path_that_leaves_says_when():
    assert "leaves the map at step 1" in surface_paths(Bowl(), {"SGD": [[3, 1], [9, 9]]}, title="Seen").alt
    assert "nowhere on the map" in surface_paths(Bowl(), {"SGD": [[99, 1]]}, title="Seen").alt


def test_a_formula_is_read_without_tex():
    bowl = Bowl()
    bowl.formula = r"\frac{1}{2}\,x^2 + 10\,y^2"
    assert "Loss = 1/2 x² + 10 y²." in surface_paths(bowl, {}, title="Seen").alt


def test_images_are_told_row_by_row():
    figure = image_grid(pixels(3), title="Seen", labels=[0, 1, 2], predictions=[0, 1, 3], classes=CLASSES, columns=2)
    assert figure.alt.splitlines()[1:] == [
        "- 2 of 3 right.", "- row 1: right: airplane; right: automobile.", "- row 2: wrong: cat, is bird.",
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
