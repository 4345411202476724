"""Where does a training begin, and how does it get back there? With a run as it was, and images to measure it on."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from course_utils.data import Loader, Split
from course_utils.training import Run, restore, snapshot

__all__ = ["images_to_measure_on", "way_back"]

MOST_TEST_IMAGES = 500


def way_back(run: Any) -> Callable[[], Run]:
    """A function that gives the run as it was at the beginning: the same one brought back, or a new one made.

    Raises:
        TypeError: ``run`` is neither a ``Run`` that has a state nor a function; what it makes is checked when it does.
    """
    if not isinstance(run, Run):
        return _maker(run)
    first, optimizer, scheduler = snapshot(run), run.optimizer, run.scheduler

    def again() -> Run:
        run.optimizer, run.scheduler = optimizer, scheduler
        return restore(run, first)

    return again


def _maker(make_run: Any) -> Callable[[], Run]:
    def again() -> Run:
        made = make_run() if _needs_no_argument(make_run) else make_run
        if not isinstance(made, Run):
            raise TypeError(
                f"run must be a Run or make one without arguments, got {type(made).__name__}; try Run(model, optimizer)"
            )
        return made

    return again


def _needs_no_argument(make_run: Any) -> bool:
    """Whether it is a function to call as it stands; of a few in C nobody knows, and a call would tell."""
    try:
        signature(make_run).bind()
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def images_to_measure_on(split: Split, run: Run) -> Loader:
    """The first images of ``split``, in whole batches on the device of ``run``.

    Raises:
        TypeError: ``split`` is no ``Split``.
    """
    if not isinstance(split, Split):
        raise TypeError(f"test_split must be a Split, got {type(split).__name__}; try load_images(split='test')")
    few = split.take(min(len(split), MOST_TEST_IMAGES))
    return Loader(few, batch_size=250, shuffle=False, device=next(run.model.parameters()).device)
