"""When does Ctrl-C end a training? Between two steps, never inside one."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from course_utils.training import Step
from course_utils.watch.records import checked

__all__ = ["held_interrupt", "interruptible"]


def interruptible(records: Iterable[Step]) -> Iterator[Step]:
    """Let Ctrl-C (the Stop button of a notebook) end the loop between two steps, never inside one.

    The loop then ends as if ``records`` were finished, and one line says how to go on. Put it outermost, so that a
    drawing is not cut short either. Outside the main thread, where Python delivers no signals, it changes nothing.
    """
    iterator = checked(records)
    stopped_after: Step | None = None
    try:
        while stopped_after is None:
            with held_interrupt() as pressed:
                step = next(iterator, None)
            if step is None:
                return
            if pressed:
                stopped_after = step
            yield step
    finally:
        iterator.close()
    print(_how_to_go_on(stopped_after))


@contextmanager
def held_interrupt() -> Iterator[list[int]]:
    """Collect Ctrl-C in a list inside the block, instead of raising KeyboardInterrupt in the middle of it."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)


def _how_to_go_on(step: Step) -> str:
    done, all_steps = step.step + 1, step.epochs * step.batches
    if done == all_steps:
        return f"Stopped after step {done}, the last one: the training is complete."
    return (
        f"Stopped after step {done} of {all_steps}, in epoch {step.epoch + 1} of {step.epochs}. "
        "Nothing is lost: run this cell again to go on."
    )
