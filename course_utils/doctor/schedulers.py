"""Which schedulers change the learning rate, how often are they stepped, and how long is their plan?"""

import math
from dataclasses import replace
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from course_utils.doctor.gradients import Gradients
from course_utils.doctor.optimizers import Optimizers
from course_utils.doctor.recording import SchedulerFacts
from course_utils.doctor.registry import Registry, living

__all__ = ["Schedulers", "horizon"]


class Schedulers:
    """Numbers the schedulers and counts their steps."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._facts: list[SchedulerFacts] = []
        self._looked = False

    def stepped(
        self, scheduler: LRScheduler, optimizers: Optimizers, failure: str, metric: float | None = None
    ) -> None:
        """``scheduler.step()`` has returned, or raised an error."""
        number = self.know(scheduler, optimizers, already=1)
        facts = self._facts[number]
        metrics = facts.metrics if metric is None else (*facts.metrics, metric)
        self._facts[number] = replace(
            facts,
            steps=facts.steps + 1,
            failure=facts.failure or failure,
            metrics=metrics,
            factors=(*facts.factors, *_factor(scheduler)),
        )

    def know(self, scheduler: LRScheduler, optimizers: Optimizers, *, already: int = 0) -> int:
        """The number of ``scheduler``, which has been stepped ``already`` times in the block at most."""
        number = self._registry.number(scheduler)
        if number == len(self._facts):
            self._facts.append(
                SchedulerFacts(
                    kind=type(scheduler).__name__,
                    optimizer=optimizers.number(scheduler.optimizer),
                    horizon=horizon(scheduler),
                    fresh=_epoch(scheduler) <= already,
                    base=_base(scheduler),
                    factors=_factor(scheduler) if not already else (),
                    mode=str(getattr(scheduler, "mode", "")),
                )
            )
        return number

    def look_around(self, optimizers: Optimizers, gradients: Gradients) -> None:
        """Notice what existed before the block and never steps; of what is made in the block one hears."""
        for thing in () if self._looked else living(Optimizer, LRScheduler):
            # One whose constructor raised an error may live on in its traceback, half made.
            if isinstance(thing, Optimizer) and hasattr(thing, "param_groups"):
                optimizers.exists(thing)
            elif isinstance(thing, LRScheduler) and hasattr(thing, "_last_lr"):  # what a constructor sets last
                self.know(thing, optimizers)
        self._looked = True
        optimizers.look_around(gradients)

    def facts(self, optimizers: Optimizers) -> tuple[SchedulerFacts, ...]:
        """Everything known of each scheduler."""
        return tuple(replace(facts, optimizer=optimizers.stepping(facts.optimizer)) for facts in self._facts)


def _epoch(scheduler: Any) -> int:
    """How often ``scheduler`` has been stepped; for a chain of several, the first of them."""
    chain = getattr(scheduler, "_schedulers", None) or [scheduler]
    return int(getattr(scheduler, "last_epoch", getattr(chain[0], "last_epoch", 0)))


def _base(scheduler: Any) -> float:
    rates = getattr(scheduler, "base_lrs", None)
    return float(rates[0]) if rates else 0.0


def _factor(scheduler: Any) -> tuple[float, ...]:
    """By how much a LambdaLR multiplies the learning rate now; () for any other."""
    base = _base(scheduler)
    return (
        (float(scheduler.optimizer.param_groups[0]["lr"]) / base,) if isinstance(scheduler, LambdaLR) and base else ()
    )


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
