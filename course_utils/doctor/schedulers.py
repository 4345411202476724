"""Which schedulers change the learning rate, how often are they stepped, and how long is their plan?"""

import gc
import math
from dataclasses import replace
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from course_utils.doctor.optimizers import Optimizers
from course_utils.doctor.recording import SchedulerFacts
from course_utils.doctor.registry import Registry

__all__ = ["Schedulers", "horizon"]


class Schedulers:
    """Numbers the schedulers and counts their steps."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._facts: list[SchedulerFacts] = []

    def stepped(self, scheduler: LRScheduler, optimizers: Optimizers, failure: str) -> None:
        """``scheduler.step()`` has returned, or raised an error."""
        number = self.know(scheduler, optimizers, already=1)
        facts = self._facts[number]
        self._facts[number] = replace(facts, steps=facts.steps + 1, failure=facts.failure or failure)

    def know(self, scheduler: LRScheduler, optimizers: Optimizers, *, already: int = 0) -> int:
        """The number of ``scheduler``, which has been stepped ``already`` times in the block at most."""
        number = self._registry.number(scheduler)
        if number == len(self._facts):
            self._facts.append(
                SchedulerFacts(
                    kind=type(scheduler).__name__,
                    optimizer=optimizers.number(scheduler.optimizer),
                    horizon=horizon(scheduler),
                    fresh=scheduler.last_epoch <= already,
                )
            )
        return number

    def look_around(self, optimizers: Optimizers) -> None:
        """Notice schedulers that exist but were never stepped."""
        for thing in gc.get_objects():
            if issubclass(type(thing), LRScheduler) and hasattr(thing, "optimizer"):
                self.know(thing, optimizers)

    def facts(self) -> tuple[SchedulerFacts, ...]:
        """Everything known of each scheduler."""
        return tuple(self._facts)


def horizon(scheduler: Any) -> float | None:
    """After how many calls of ``step()`` the plan of ``scheduler`` is done, or its lr has fallen to 1 %.

    None where a plan has no end that could be known.
    """
    for field in ("T_max", "total_steps", "total_iters", "step_size", "patience"):
        value = getattr(scheduler, field, None)
        if isinstance(value, int | float):
            return float(value)
    milestones = getattr(scheduler, "milestones", None) or getattr(scheduler, "_milestones", None)
    if milestones:
        return float(max(milestones))
    gamma = getattr(scheduler, "gamma", None)
    if isinstance(gamma, float) and 0 < gamma < 1:
        return math.log(0.01) / math.log(gamma)
    return None
