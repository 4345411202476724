"""How does one ask the doctor? ``watch()`` around a loop."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from course_utils.doctor.observer import Observer
from course_utils.doctor.probes import HUB
from course_utils.doctor.recording import Stop
from course_utils.doctor.report import Report
from course_utils.doctor.values import stop_of

__all__ = ["watch"]


def watch(*, steps: int | None = None) -> AbstractContextManager[Report]:
    """Observe the loop in a ``with`` block; gives a ``Report`` that is filled when the block ends.

        with doctor.watch() as report:
            ...                       # any PyTorch loop, unchanged
        print(report)

    With ``steps`` only the first so many steps of optimizers are observed, and the loop goes on unobserved. The
    numbers of the training are the same to the last bit, and torch is left as it was, also after an exception,
    which passes on; the report then holds what was found until then. Blocks may be nested.

    Raises:
        TypeError: ``steps`` is not an int.
        ValueError: ``steps`` is below 1.
    """
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int)):
        raise TypeError(f"steps must be an int or None, got {steps!r}; try steps=50")
    if steps is not None and steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}; try steps=50, or None for all")
    return _watching(Observer(steps=steps), Report())


@contextmanager
def _watching(observer: Observer, report: Report) -> Iterator[Report]:
    HUB.enter(observer)
    stop: Stop | None = None
    try:
        yield report
    except BaseException as error:
        stop = stop_of(error)
        raise
    finally:
        HUB.leave(observer)
        report.fill(observer.recording(stop))
