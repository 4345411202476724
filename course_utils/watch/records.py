"""Are these the records of a training? Passes them on, and refuses anything else."""

from collections.abc import Generator, Iterable

from torch import Tensor

from course_utils.arguments import a_check, an_instance, kind_of
from course_utils.training import Step

__all__ = ["checked"]

_records = a_check(
    "be those of train",
    kind=lambda records: isinstance(records, Iterable) and not isinstance(records, Tensor),
    keep=lambda records: records,
    came=kind_of,
    example="train(run, data, epochs=5)",
)
_a_step = an_instance(Step, must="be of the type Step", example="train(run, data, epochs=5)")


def checked(records: Iterable[Step]) -> Generator[Step, None, None]:
    """The very records, one by one; closing this closes ``records`` too.

    Raises:
        TypeError: at the first step, ``records`` is not iterable, or a record is no ``Step``.
    """
    _records("records", records)
    try:
        for step in records:
            yield _a_step("records", step)
    finally:
        getattr(records, "close", bool)()
