"""The checks at the public doors: what passes, what is kept of it, and the words in which the rest is refused."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch

from course_utils.arguments import (
    a_check,
    a_dict,
    a_function,
    a_number,
    a_row,
    a_switch,
    a_text,
    a_tuple,
    a_whole_number,
    an_array,
    an_instance,
    kind_of,
    one_of,
    or_none,
    shown,
)

SHARE, LR, BETA = a_number(0, 1, example=0.5), a_number(above=0, example=0.1), a_number(0, below=1, example=0.9)
COUNT, UP_TO_FIVE = a_whole_number(1, example=64), a_whole_number(1, 5, example=2)
PAIR = a_tuple(a_number(example=1.0), 2, of="two numbers", example=(0.0, 1.0))
NAMES = a_tuple(a_text(example="cat"), of="names", example=("cat",))
GROUP = a_dict("params", most=3, of='options with "params"', example='{"params": [p]}')
ROW = a_row(example="[2.3, 1.9]")


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (SHARE, 0, 0.0), (SHARE, 1, 1.0), (SHARE, np.float32(0.5), 0.5), (SHARE, Fraction(1, 4), 0.25),
        (LR, 5e-324, 5e-324), (LR, 1e308, 1e308), (BETA, 0, 0.0), (a_number(example=1.0), -3, -3.0),
        (COUNT, 1, 1), (COUNT, np.int64(7), 7), (COUNT, 10**30, 10**30), (UP_TO_FIVE, 5, 5),
        (a_switch(), True, True), (a_text(example="SGD"), "", ""), (a_text(1, 3, example="SGD"), " SGD ", " SGD "),
        (one_of(("epoch", "step")), "step", "step"), (an_instance(int, str, example="3"), "a", "a"),
        (a_function("x", example="len"), len, len), (PAIR, (1, 2.5), (1.0, 2.5)), (NAMES, (), ()),
        (GROUP, {"params": 1, "lr": 2}, {"params": 1, "lr": 2}),
        (or_none(COUNT), None, None), (or_none(COUNT), 3, 3),
    ],
)  # fmt: skip
def test_what_fits_is_kept(check, value, kept):
    result = check("thing", value)
    assert result == kept
    assert type(result) is type(kept)


@pytest.mark.parametrize(
    ("check", "value", "error", "words"),
    [
        (SHARE, 1.5, ValueError, "thing must be a number from 0 to 1, got 1.5; try 0.5"),
        (SHARE, math.nan, ValueError, "thing must be a number from 0 to 1, got nan; try 0.5"),
        (SHARE, "1", TypeError, "thing must be a number from 0 to 1, got '1'; try 0.5"),
        (SHARE, True, TypeError, "thing must be a number from 0 to 1, got True; try 0.5"),
        (SHARE, 1j, TypeError, "thing must be a number from 0 to 1, got 1j; try 0.5"),
        (LR, 0, ValueError, "thing must be a finite number above 0, got 0; try 0.1"),
        (LR, math.inf, ValueError, "thing must be a finite number above 0, got inf; try 0.1"),
        (BETA, 1, ValueError, "thing must be a number of 0 or more and below 1, got 1; try 0.9"),
        (a_number(0, example=1.0), -1, ValueError, "thing must be a finite number of 0 or more, got -1; try 1.0"),
        (a_number(high=0, example=-1.0), 1, ValueError, "thing must be a finite number of 0 or less, got 1; try -1.0"),
        (a_number(example=1.0), -math.inf, ValueError, "thing must be a finite number, got -inf; try 1.0"),
        (a_number(-9, 9, must="be small", example=1.0), 10, ValueError, "thing must be small, got 10; try 1.0"),
        (COUNT, 0, ValueError, "thing must be a whole number of 1 or more, got 0; try 64"),
        (COUNT, 2.0, TypeError, "thing must be a whole number of 1 or more, got 2.0; try 64"),
        (COUNT, True, TypeError, "thing must be a whole number of 1 or more, got True; try 64"),
        (UP_TO_FIVE, 6, ValueError, "thing must be a whole number from 1 to 5, got 6; try 2"),
        (a_whole_number(1, 10_000, example=9), 0, ValueError, "thing must be a whole number from 1 to 10,000, got 0; "),
        (a_whole_number(example=0), "0", TypeError, "thing must be a whole number, got '0'; try 0"),
        (a_switch(example=True), 1, TypeError, "thing must be True or False, got 1; try True"),
        (a_text(example="SGD"), 3, TypeError, "thing must be a text, got 3; try 'SGD'"),
        (a_text(1, 3, example="SGD"), "  ", ValueError, "thing must be a text of 1 to 3 letters, got ' '; try 'SGD'"),
        (a_text(1, 3, example="SGD"), "Adam", ValueError, "thing must be a text of 1 to 3 letters, got 'Adam'"),
        (one_of(("epoch", "step")), "batch", ValueError, "thing must be one of 'epoch', 'step', got 'batch'; try 'epo"),
        (one_of(("a", "b"), example="b"), None, ValueError, "thing must be one of 'a', 'b', got None; try 'b'"),
        (one_of(("a", "b")), np.zeros(0), ValueError, "thing must be one of 'a', 'b', got array([], dtype=float64)"),
        (an_instance(list, example="[]"), (), TypeError, "thing must be a list, got tuple; try []"),
        (an_instance(int, str, example="3"), None, TypeError, "thing must be an int or str, got NoneType; try 3"),
        (an_instance(list, must="be many", example="[]"), 3, TypeError, "thing must be many, got int; try []"),
        (a_function("x", example="len"), 3, TypeError, "thing must be a function of x, got 3; try len"),
        (PAIR, [0.0, 1.0], TypeError, "thing must be a tuple of two numbers, got [0.0, 1.0]; try (0.0, 1.0)"),
        (PAIR, (0.0,), ValueError, "thing must be a tuple of two numbers, got (0.0,); try (0.0, 1.0)"),
        (PAIR, (0.0, math.nan), ValueError, "thing[1] must be a finite number, got nan; try 1.0"),
        (NAMES, ("cat", 3), TypeError, "thing[1] must be a text, got 3; try 'cat'"),
        (GROUP, [], TypeError, "thing must be a dict of options with \"params\", got list; try {\"params\": [p]}"),
        (GROUP, {"lr": 1}, ValueError, "thing must be a dict of options with \"params\", got one of 'lr'; try"),
        (GROUP, dict.fromkeys(["params", *"abc"]), ValueError, "got one of 'params', 'a', 'b', 'c'; try"),
        (ROW, "abc", TypeError, "thing must be a row of numbers, got 'abc'; try [2.3, 1.9]"),
        (ROW, [], ValueError, "thing must be a row of numbers, got []; try [2.3, 1.9]"),
        (ROW, [[1.0]], ValueError, "thing must be a row of numbers, got [[1.0]]; try [2.3, 1.9]"),
        (ROW, [[1.0], [1.0, 2.0]], TypeError, "thing must be a row of numbers, got [[1.0], [1.0, 2.0]]; try"),
        (a_row(2, must="be two", example="(1, 2)"), [1.0], ValueError, "thing must be two, got [1.0]; try (1, 2)"),
        (an_array(example="1.0"), 1j, TypeError, "thing must be numbers, got 1j; try 1.0"),
        (an_array(example="1.0"), None, TypeError, "thing must be numbers, got None; try 1.0"),
        (or_none(COUNT), 0, ValueError, "thing must be a whole number of 1 or more, got 0; try 64"),
    ],
)  # fmt: skip
def test_the_rest_is_refused_in_words(check, value, error, words):
    with pytest.raises(error, match=re.escape(words)):
        check("thing", value)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2], (1.0, 2.0), np.array([1, 2]), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0], requires_grad=True),
        [torch.tensor(1.0), torch.tensor(2.0)], torch.tensor([1.0, 2.0]).to_sparse(), torch.tensor([1, 2]),
    ],
)  # fmt: skip
def test_a_row_is_kept_as_float64_whatever_holds_it(values):
    row = ROW("curve", values)
    assert row.dtype == np.float64
    assert row.tolist() == [1.0, 2.0]


def test_an_array_is_a_copy_in_the_shape_that_it_had():
    values = np.zeros((2, 3))
    kept = an_array(example="1.0")("lr", values)
    kept += 1
    assert kept.shape == (2, 3)
    assert values.sum() == 0
    assert an_array(example="1.0")("lr", 2).shape == ()


def test_a_dict_is_kept_as_a_copy():
    group = {"params": 1}
    GROUP("group", group)["lr"] = 2
    assert group == {"params": 1}


def test_a_check_of_ones_own_says_what_the_argument_must_be():
    even = a_check("be even", kind=lambda n: isinstance(n, int), fits=lambda n: n % 2 == 0, keep=int, example="2")
    assert even("n", 4) == 4
    with pytest.raises(ValueError, match=re.escape("n must be even, got 3; try 2")):
        even("n", 3)


def test_a_long_value_is_quoted_in_one_short_line():
    assert len(shown(list(range(1000)))) <= 60
    assert "\n" not in shown(np.zeros((3, 3)))


def test_the_kind_of_a_thing_is_the_name_of_its_class():
    assert kind_of(torch.zeros(2)) == "Tensor"
