"""How every check reads an answer: honest forms of a number are numbers, all else is refused in words."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.checks.verdict import (
    NotYetError,
    call,
    explained,
    one_number,
    row_of_numbers,
    same_name,
    same_number,
    same_numbers,
    whole_number,
)


def iter_nothing() -> Iterator[float]:
    yield from ()


HALVES = {
    "float": 2.5,
    "np.float64": np.float64(2.5),
    "np.float32": np.float32(2.5),
    "np.float16": np.float16(2.5),
    "0-d array": np.array(2.5),
    "array of one": np.array([2.5]),
    "array of one, as a matrix": np.array([[2.5]]),
    "array of objects": np.array([2.5], dtype=object),
    "0-d tensor": torch.tensor(2.5),
    "tensor of one": torch.tensor([2.5]),
    "float64 tensor": torch.tensor(2.5, dtype=torch.float64),
    "bfloat16 tensor": torch.tensor(2.5, dtype=torch.bfloat16),
    "tensor that requires grad": torch.tensor(2.5, requires_grad=True),
    "tensor with a graph": torch.tensor(2.0, requires_grad=True) + 0.5,
    "parameter": nn.Parameter(torch.tensor([2.5])),
    "Decimal": Decimal("2.5"),
    "Fraction": Fraction(5, 2),
}
THREES = {
    "int": 3,
    "float": 3.0,
    "np.int64": np.int64(3),
    "np.uint8": np.uint8(3),
    "np.float32": np.float32(3),
    "0-d array": np.array(3),
    "int tensor": torch.tensor(3),
    "float tensor": torch.tensor(3.0),
    "uint8 tensor": torch.tensor(3, dtype=torch.uint8),
    "tensor of one": torch.tensor([3]),
    "Decimal": Decimal(3),
    "Fraction": Fraction(3),
}
NO_NUMBERS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "returned None; is the `return` forgotten?"),
    "True": (True, "got True"),
    "np.True_": (np.True_, "got np.True_"),
    "a tensor of truth": (torch.tensor(True), "got tensor(True)"),
    "a text": ("2.5", "got '2.5'"),
    "a list": ([2.5], "got [2.5]"),
    "a tuple": ((2.5, 1), "got (2.5, 1)"),
    "a dict": ({}, "got {}"),
    "NaN": (float("nan"), "got nan"),
    "infinity": (float("inf"), "got inf"),
    "NaN of numpy": (np.float32("nan"), "got np.float32(nan)"),
    "NaN of torch": (torch.tensor(torch.nan), "got tensor(nan)"),
    "NaN of decimal": (Decimal("NaN"), "got Decimal('NaN')"),
    "two numbers": (torch.zeros(2), "of shape (2,)"),
    "no number": (np.zeros(0), "of shape (0,)"),
    "a complex number": (1j, "got 1j"),
    "a complex tensor": (torch.tensor(1j), "got tensor"),
    "a number of 400 digits": (10**400, "more than 300 digits"),
    "a function": (len, "got <built-in function len>"),
    "a generator": (iter_nothing(), "use `return`"),
}

each_half = pytest.mark.parametrize("got", HALVES.values(), ids=list(HALVES))
each_three = pytest.mark.parametrize("got", THREES.values(), ids=list(THREES))


@each_half
def test_a_number_in_any_honest_form_is_a_number(got: Any) -> None:
    assert one_number(got) == 2.5
    assert same_number(got, 2.5)
    assert not same_number(got, 2.6)


@each_three
def test_a_whole_number_in_any_honest_form_is_one_and_is_a_float_where_floats_are_meant(got: Any) -> None:
    assert whole_number(got) == 3
    assert one_number(got) == 3.0


@each_half
def test_a_broken_number_is_no_whole_one(got: Any) -> None:
    with pytest.raises(NotYetError, match=r"return a whole number: your function gave 2\.5"):
        whole_number(got)


@pytest.mark.parametrize(("got", "words"), NO_NUMBERS.values(), ids=list(NO_NUMBERS))
def test_what_is_no_number_is_refused_in_words(got: Any, words: str) -> None:
    for read in (one_number, whole_number):
        with pytest.raises(NotYetError) as refusal:
            read(got)
        assert words in str(refusal.value)


def test_a_coroutine_is_named_by_its_keyword() -> None:
    async def answer() -> float:
        return 2.5

    with pytest.raises(NotYetError, match="made by `async`"):
        one_number(answer())


@pytest.mark.parametrize("form", [np.float16, np.float32, torch.tensor, lambda number: torch.tensor(number).half()])
def test_a_number_below_the_least_of_its_type_is_0_in_it_and_not_in_another(form: Any) -> None:
    assert same_number(form(1e-60), 1e-60, abs_tol=0.0)
    assert not same_number(0.0, 1e-60, abs_tol=0.0)
    assert not same_number(form(0.0), 1e-3, abs_tol=0.0)


def test_numbers_of_half_precision_are_right_one_by_one() -> None:
    row = [0.3, 100.0, -0.01]
    assert same_numbers(np.array(row, dtype=np.float16), row)
    assert not same_numbers(np.array(row, dtype=np.float16), [0.3, 101.0, -0.01])
    assert not same_numbers(row, [0.3, 100.0, -0.0101])


def test_a_number_of_half_precision_is_right_as_far_as_it_can_be() -> None:
    assert same_number(np.float16(0.025), 0.025)
    assert same_number(torch.tensor(0.025, dtype=torch.bfloat16), 0.025)
    assert not same_number(0.02501, 0.025)


ROWS = {
    "list": [1.0, 2.0],
    "tuple": (1, 2),
    "generator": (number for number in (1, 2)),
    "range": range(1, 3),
    "array": np.array([1.0, 2.0]),
    "column": np.array([[1.0], [2.0]]),
    "tensor": torch.tensor([1.0, 2.0]),
    "tensor that requires grad": torch.tensor([1.0, 2.0], requires_grad=True),
    "list of tensors": [torch.tensor(1.0), torch.tensor([2.0], requires_grad=True)],
    "list of numpy numbers": [np.float32(1), np.int64(2)],
    "Decimal and Fraction": [Decimal(1), Fraction(2)],
    "array of objects": np.array([1, Decimal(2)], dtype=object),
}
NO_ROWS = {
    "nothing": (None, "returned None"),
    "one number": (1.0, "one number for each of the 2 values"),
    "a text": ("12", "got '12'"),
    "one too few": ([1.0], "got 1"),
    "one too many": ([1.0, 2.0, 3.0], "got more than 2"),
    "without end": (iter(int, 1), "got more than 2"),
    "a square": (torch.zeros(2, 2), "got shape (2, 2)"),
    "a hole": ([1.0, None], "returned None"),
    "NaN": ([1.0, float("nan")], "got nan"),
    "0-d": (torch.tensor(1.0), "0-d tensor"),
    "an error on the way": ((1 / 0 for _ in range(2)), "ZeroDivisionError"),
    "texts": (["1", "2"], "got '1'"),
}


@pytest.mark.parametrize("got", ROWS.values(), ids=list(ROWS))
def test_a_row_in_any_honest_form_is_a_row(got: Any) -> None:
    assert row_of_numbers(got, 2) == [1.0, 2.0]


@pytest.mark.parametrize(("got", "words"), NO_ROWS.values(), ids=list(NO_ROWS))
def test_what_is_no_row_is_refused_in_words(got: Any, words: str) -> None:
    with pytest.raises(NotYetError) as refusal:
        row_of_numbers(got, 2)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "got", ["missing-zero-grad", "Missing Zero Grad", " MISSING_ZERO_GRAD ", '"missing-zero-grad"']
)
def test_names_are_compared_without_capitals_and_blanks(got: str) -> None:
    assert same_name(got, "missing-zero-grad")


@pytest.mark.parametrize("got", [None, "", "missing-zero", "zero-grad-missing", 1, b"missing-zero-grad"])
def test_another_name_is_another(got: Any) -> None:
    assert not same_name(got, "missing-zero-grad")


# ------------------------------------------------------------------------------------------------- raised by the answer


class Sour:
    """Raises whenever it is looked at."""

    def __float__(self) -> float:
        raise ValueError("sour")

    def __eq__(self, other: object) -> bool:
        raise ValueError("sour")

    __hash__ = None  # type: ignore[assignment]


@explained
def check_equals_two(answer: Any) -> str:
    if call(answer) == 2:
        return "two"
    raise NotYetError("not two")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: 1 / 0, "your function raised ZeroDivisionError: division by zero"),
        (lambda: sys.exit(), "your function raised SystemExit"),
        (lambda: Sour(), "it raised ValueError: sour"),
        (lambda: 3, "not two"),
        (2, "expected a function, got 2"),
    ],
)
def test_whatever_an_answer_raises_is_a_refusal_in_words(answer: Any, words: str) -> None:
    verdict = check_equals_two(answer)
    assert not verdict
    assert words in verdict.message


def test_a_right_answer_is_praised() -> None:
    assert repr(check_equals_two(lambda: 2)) == "✓ right: two"


def test_the_stop_button_stops_a_check() -> None:
    def pressed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_equals_two(pressed)
