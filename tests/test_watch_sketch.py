"""The sketch of a growing curve: well-formed, to scale, and of the places that the final picture has."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import plots
from course_utils.watch.sketch import sketch

SVG = "{http://www.w3.org/2000/svg}"


def drawn(losses, *, title="Loss", first=0, steps=100):
    return ET.fromstring(sketch(losses, losses, title=title, first=first, steps=steps))


def curves(page):
    """The points of the pale and of the strong line."""
    lines = [path for path in page.iter(f"{SVG}path") if path.get("stroke-width")]
    return [[tuple(map(float, p.split())) for p in path.get("d")[1:].split("L") if p] for path in lines]


def numbers(page, anchor):
    """Text -> place of the numbers on the axis whose texts have ``anchor``."""
    texts = [text for text in page.iter(f"{SVG}text") if text.get("text-anchor") == anchor and text.get("x")]
    axis = "y" if anchor == "end" else "x"
    return {float(text.text): float(text.get(axis)) for text in texts if text.text[-1].isdigit()}


def test_a_loss_stands_at_the_height_of_its_number():
    page = drawn([1.0, 2.0, 3.0])
    heights = numbers(page, "end")
    assert heights[1.0] > heights[2.0] > heights[3.0]
    for (_, y), loss in zip(curves(page)[0], (1.0, 2.0, 3.0), strict=True):
        assert y == pytest.approx(heights[loss] - 7, abs=0.11)  # the number hangs 7 pixels lower


def test_a_step_stands_above_its_number_on_an_axis_with_room_for_all_steps():
    page = drawn([1.0, 2.0, 3.0], first=50, steps=250)
    columns, points = numbers(page, "middle"), curves(page)[0]
    assert points[0][0] == pytest.approx(columns[50], abs=0.11)
    per_step = (columns[200] - columns[50]) / 150
    assert points[2][0] - points[0][0] == pytest.approx(2 * per_step, abs=0.11)
    assert max(columns) <= 249


def test_the_page_is_as_large_as_the_picture_that_replaces_it():
    for title in ("Loss", "A title that is long enough to need two lines because it says what is seen in many words"):
        figure = plots.loss_curves({"loss": [1.0, 2.0]}, title=title)
        width, height = figure.get_size_inches() * figure.dpi
        page = drawn([1.0, 2.0], title=title)
        assert float(page.get("width")) == pytest.approx(width, abs=1)
        assert float(page.get("height")) == pytest.approx(height, abs=1)


def test_a_title_with_signs_of_markup_stays_a_title():
    page = drawn([1.0], title='a < b & "c"')
    assert page.get("aria-label") == 'a < b & "c"'


def test_a_loss_that_is_no_number_is_left_out():
    assert len(curves(drawn([1.0, math.nan, math.inf, 2.0]))[0]) == 2


def test_a_long_curve_has_no_more_points_than_can_be_told_apart():
    assert len(curves(drawn([float(k % 7) for k in range(20_000)], steps=20_000))[0]) <= 420


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=30), st.integers(0, 99))
def test_whatever_the_losses_are_every_point_lies_inside_the_axes(losses, first):
    pale, strong = curves(drawn(losses, first=first, steps=first + len(losses)))
    assert pale == strong
    assert all(91 <= x <= 805 for x, _ in pale)
    assert all(55 <= y <= 430 for _, y in pale)
