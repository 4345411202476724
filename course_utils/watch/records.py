"""Are these the records of a training? Passes them on, and refuses anything else."""

from collections.abc import Generator, Iterable

from torch import Tensor

from course_utils.training import Step

__all__ = ["check_text", "check_title", "checked"]

LONGEST_TITLE = 180  # as in course_utils.plots, which is not imported for it: matplotlib takes its time


def checked(records: Iterable[Step]) -> Generator[Step, None, None]:
    """The very records, one by one; closing this closes ``records`` too.

    Raises:
        TypeError: at the first step, ``records`` is not iterable, or a record is no ``Step``.
    """
    if not isinstance(records, Iterable) or isinstance(records, Tensor):
        raise TypeError(f"records must be those of train, got {type(records).__name__}; try train(run, data, epochs=5)")
    try:
        for step in records:
            if not isinstance(step, Step):
                raise TypeError(f"records must be of the type Step, got {type(step).__name__}; try train(...)")
            yield step
    finally:
        getattr(records, "close", bool)()


def check_text(name: str, text: str) -> None:
    """Refuse what is no text, in words."""
    if not isinstance(text, str):
        raise TypeError(f'{name} must be a text, got {type(text).__name__}; try {name}="SGD"')


def check_title(title: str) -> None:
    """Refuse in words, before the first step, what could not stand above the picture at the end."""
    check_text("title", title)
    if not 1 <= len(title.strip()) <= LONGEST_TITLE:
        raise ValueError(f'title must have 1 to {LONGEST_TITLE} letters, got {title!r}; try title="Loss of SGD"')
