"""When do two outputs say the same? Numbers within their tolerance, the words of figures, and what the eye sees."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.helpers.made_notebooks import said, shown
from tests.tools.comparing import ATOL, PLACE_RTOL, RTOL, differences, distance, same_picture, same_text, spread

# --- tolerances -----------------------------------------------------------------------------------------------------

SAME = [
    ("2.302", "2.303"),
    ("1e-05", "1.001e-05"),
    ("12.50 %", "12.52 %"),
    ("-0.0", "0.0"),
    ("0.0", "1e-16"),
    ("tensor([ 0.1234, -0.5])", "tensor([0.1235, -0.5])"),
    ("loss=346.9 after 157 batches", "loss=347.0 after 157 batches"),
    ("347", "346.9"),  # 347.0 printed with 4 significant digits
    ("[1.e-05 2.e-05]", "[1.001e-05 2.000e-05]"),
    ("| SGD  | 0.512 |", "| SGD | 0.5121 |"),
    ("(3, 32, 32) nan inf", "(3, 32, 32) nan inf"),
]
DIFFERENT = [
    ("2.302", "2.312"),
    ("lr 0.01", "lr 0.1"),
    ("1e-05", "1e-06"),
    ("1e-11", "1e-10"),
    ("156 batches", "157 batches"),
    ("10000", "10001"),
    ("(3, 32, 32)", "(3, 32, 33)"),
    ("0.5", "-0.5"),
    ("nan", "0.5"),
    ("-inf", "inf"),
    ("float32", "float64"),
    ("conv1", "conv2"),
    ("10. step", "11. step"),
    ("1000.", "1001."),
    ("a b", "ab"),
    ("a\nb", "a b"),
    ("SGD 0.1\nAdam 0.2", "SGD 0.1"),
    ("2.302 s", "2.302 ms"),
]


@pytest.mark.parametrize(("stored", "fresh"), SAME)
def test_the_last_digit_and_blanks_do_not_matter(stored: str, fresh: str) -> None:
    assert same_text(stored, fresh)
    assert same_text(fresh, stored)


@pytest.mark.parametrize(("stored", "fresh"), DIFFERENT)
def test_words_lines_whole_numbers_and_larger_digits_matter(stored: str, fresh: str) -> None:
    assert not same_text(stored, fresh)
    assert not same_text(fresh, stored)


values = st.floats(1e-6, 1e6).flatmap(lambda x: st.sampled_from([x, -x]))


@settings(derandomize=True, deadline=None)
@given(values, st.floats(-0.4, 0.4))
def test_four_significant_digits_pass_within_half_the_tolerance(value: float, share: float) -> None:
    assert same_text(f"{value:#.4g}", f"{value * (1 + share * RTOL):#.4g}")


@settings(derandomize=True, deadline=None)
@given(values, st.floats(2.5, 1000), st.booleans())
def test_four_significant_digits_fail_beyond_twice_the_tolerance(value: float, times: float, up: bool) -> None:
    factor = 1 + times * RTOL
    assert not same_text(f"{value:#.4g}", f"{value * factor if up else value / factor:#.4g}")


@settings(derandomize=True, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(1, 10))
def test_whole_numbers_must_be_equal(number: int, more: int) -> None:
    assert same_text(f"step {number} of n", f"step {number} of n")
    assert not same_text(f"step {number} of n", f"step {number + more} of n")


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_every_text_agrees_with_itself_after_a_change_of_blanks(text: str) -> None:
    assert same_text(text, text.replace(" ", "  "))


def test_the_absolute_tolerance_is_below_every_learning_rate_shown() -> None:
    assert ATOL <= 1e-12


def test_outputs_of_one_kind_keep_their_order() -> None:
    first, second = said("a\n"), shown("1")
    assert not differences([first, second], [second, first])  # stdout and results travel apart
    assert differences([shown("1"), shown("2")], [shown("2"), shown("1")])


# --- texts of figures -------------------------------------------------------------------------------------------------

LINEAR = "Lines: It falls. To the right: step, 0 to 9; upwards: loss (nats).\n- SGD: begins at 2.0, ends at {} at ≈ {}"
LOGARITHMIC = LINEAR.replace("(nats)", "(nats) (log scale)")


@pytest.mark.parametrize(
    ("text", "stored", "fresh", "needed"),
    [
        (LINEAR, (0.01, 9), (0.02, 9), 0.005),  # beside the 2.0 on its line
        (LOGARITHMIC, (0.01, 9), (0.02, 9), 0.5),
        (LINEAR, (0.01, 9), (0.01, 8), RTOL / PLACE_RTOL / 9),
        (LINEAR, (0.01, 9), (0.01, 9), 0.0),
        (LINEAR, ("nan", 9), (0.01, 9), float("inf")),
    ],
)
def test_a_number_of_a_figure_is_held_against_its_line(text: str, stored: tuple, fresh: tuple, needed: float) -> None:
    found = distance(text.format(*stored), text.format(*fresh), figure=True)
    assert found == pytest.approx(needed, rel=1e-6)


def test_places_and_counts_may_be_left_out() -> None:
    assert distance(LINEAR.format(0.01, 9), LINEAR.format(0.01, 2), figure=True, places=False) == 0
    assert distance("475 values", "1,475 values", figure=True, places=False) == 0
    assert distance("475 values", "476 values", figure=True) == float("inf")


def test_a_minus_sign_of_typography_is_one() -> None:
    assert same_text("−0.5 and 1e−05", "−0.5001 and 1.001e−05")
    assert not same_text("−0.5", "0.5")


def test_the_spread_of_two_outputs_is_the_tolerance_they_need() -> None:
    numbers, blocks = spread([said("loss 2.00\n")], [said("loss 2.10\n")])
    assert (numbers, blocks) == (pytest.approx(0.1 / 2.1), 0)
    assert spread([said("it fell\n")], [said("it rose\n")])[0] == float("inf")
    assert spread([said("it fell\n")], [])[0] == float("inf")


# --- pictures -------------------------------------------------------------------------------------------------------


def picture(*, shift: int = 0, size: tuple[int, int] = (320, 200), colour: str = "black", text: bool = True) -> bytes:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.line([(20, 30 + shift), (300, 170 + shift)], fill=colour, width=2)
    if text:
        draw.text((150, 185), "step", fill="black")
    return encode(image)


def encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="png")
    return out.getvalue()


@pytest.mark.parametrize("changed", [picture(shift=2), picture(colour="#101010")], ids=["line moved", "lighter black"])
def test_two_pixels_and_a_shade_are_the_same_picture(changed: bytes) -> None:
    assert same_picture(picture(), changed)
    assert same_picture(changed, picture())


@pytest.mark.parametrize(
    "changed",
    [
        picture(shift=20),
        picture(text=False),
        picture(colour="white"),
        picture(colour="red"),
        picture(size=(320, 240)),
        picture(size=(280, 200)),
        encode(Image.open(io.BytesIO(picture())).resize((640, 400))),
    ],
    ids=["line moved", "label lost", "line lost", "colour changed", "higher", "narrower", "twice as large"],
)
def test_a_visible_change_is_another_picture(changed: bytes) -> None:
    assert not same_picture(picture(), changed)
    assert not same_picture(changed, picture())


def test_a_picture_smaller_than_a_block_can_be_compared() -> None:
    dots = [encode(Image.fromarray(np.full((2, 3, 3), level, np.uint8))) for level in (0, 0, 255)]
    assert same_picture(dots[0], dots[1])
