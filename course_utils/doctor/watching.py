"""How does one ask the doctor? ``watch()`` around a loop."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from course_utils.doctor.observer import Observer
from course_utils.doctor.prober import Prober
from course_utils.doctor.probes import HUB
from course_utils.doctor.recording import Stop
from course_utils.doctor.report import Report
from course_utils.doctor.tape import Tape
from course_utils.doctor.values import stop_of

__all__ = ["watch"]


def watch(*, steps: int | None = None, prove: bool = False, probe: bool = False) -> AbstractContextManager[Report]:
    """Observe the loop in a ``with`` block; gives a ``Report`` that is filled when the block ends.

        with doctor.watch() as report:
            ...                       # any PyTorch loop, unchanged
        print(report)

    With ``steps`` only the first so many steps of optimizers are observed, and the loop goes on unobserved. The
    numbers of the training are the same to the last bit, and torch is left as it was, also after an exception,
    which passes on; the report then holds what was found until then. Blocks may be nested.

    With ``prove`` the model and the optimizer are copied at their start, and the first 40 batches (at most 256 MB) as
    they come, so that ``report.prove()`` can do these steps again with and without the cure.

    With ``probe`` the model answers to experiments on its first batch, on copies: whether the outputs depend on the
    input, on other samples, on later positions, or on chance. ``examine`` makes them without a loop.

    Raises:
        TypeError: ``steps`` is not an int, or ``prove`` or ``probe`` not a bool.
        ValueError: ``steps`` is below 1.
    """
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int)):
        raise TypeError(f"steps must be an int or None, got {steps!r}; try steps=50")
    if steps is not None and steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}; try steps=50, or None for all")
    for name, wish in (("prove", prove), ("probe", probe)):
        if not isinstance(wish, bool):
            raise TypeError(f"{name} must be True or False, got {wish!r}; try {name}=True")
    return _watching(Observer(steps=steps), Report(), Tape() if prove else None, Prober() if probe else None)


@contextmanager
def _watching(observer: Observer, report: Report, tape: Tape | None, prober: Prober | None) -> Iterator[Report]:
    listeners = [listener for listener in (tape, prober, observer) if listener is not None]
    for listener in listeners:
        HUB.enter(listener)
    stop: Stop | None = None
    try:
        yield report
    except BaseException as error:
        stop = stop_of(error)
        raise
    finally:
        for listener in listeners:
            HUB.leave(listener)
        if tape is not None:
            tape.close()
        recording = observer.recording(stop)
        report.fill(recording if prober is None else replace(recording, probed=prober.probed), tape)
