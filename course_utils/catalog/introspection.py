"""What is in torch.optim today? Tables of its optimizers, schedulers and parameters.

Names, parameters and defaults are read from the installed torch at each call; a person wrote the rest. A class that a
newer torch has and nobody has explained yet is in the table all the same, and says so.
"""

import inspect
from collections.abc import Mapping

import torch
from torch.optim import lr_scheduler

from course_utils.catalog.optimizer_texts import OPTIMIZER_NOTES, OPTIMIZER_TEXTS
from course_utils.catalog.records import (
    REQUIRED,
    Note,
    Notes,
    OptimizerEntry,
    OptimizerText,
    Paper,
    ParameterEntry,
    SchedulerEntry,
    SchedulerText,
)
from course_utils.catalog.scheduler_texts import SCHEDULER_NOTES, SCHEDULER_TEXTS
from course_utils.catalog.table import Table, unknown_name

__all__ = ["gaps", "optimizers", "parameters", "schedulers"]

UNEXPLAINED = "not explained here yet, see help()"
UNEXPLAINED_OPTIMIZER = OptimizerText(UNEXPLAINED, UNEXPLAINED, Paper("unknown", UNEXPLAINED, "unknown", 0))


def optimizers() -> Table[OptimizerEntry]:
    """Every optimizer of the installed torch, the oldest idea first.

    Columns: name, what it adds, year (first public version), paper, default lr, when to use it. Each row has its
    ``parameters`` too.
    """
    entries = [_optimizer_entry(name, cls) for name, cls in _optimizer_classes().items()]
    ordered = sorted(entries, key=lambda entry: (entry.year, entry.name))
    return Table(tuple(ordered), ("name", "adds", "year", "paper", "default_lr", "when_to_use"))


def schedulers() -> Table[SchedulerEntry]:
    """Every scheduler of the installed ``torch.optim.lr_scheduler``, the simple ones first.

    Columns: name, what it does, how often its ``step()`` is meant to be called, and why. Each row has its
    ``parameters``, and a ``sample(optimizer)`` whose shape shows within 30 calls.
    """
    classes = _scheduler_classes()
    explained = [name for name in SCHEDULER_TEXTS if name in classes]
    new = sorted(classes.keys() - SCHEDULER_TEXTS.keys())
    entries = [_scheduler_entry(name, classes[name]) for name in explained + new]
    return Table(tuple(entries), ("name", "does", "cadence", "reason"))


def parameters(name: str) -> Table[ParameterEntry]:
    """The parameters of the optimizer or scheduler ``name``, in the order of its signature.

    Columns: name, default in the installed torch, values worth trying, explanation.

    Raises:
        TypeError: ``name`` is not a string.
        ValueError: torch has no such optimizer or scheduler; the error names the closest ones.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}; try parameters({getattr(name, '__name__', 'SGD')!r})")
    found: dict[str, OptimizerEntry | SchedulerEntry] = {entry.name: entry for entry in optimizers()}
    found |= {entry.name: entry for entry in schedulers()}
    if name not in found:
        raise unknown_name(name, list(found), "optimizer or scheduler called")
    return Table(found[name].parameters, ("name", "default", "worth_trying", "explanation"))


def gaps() -> tuple[str, ...]:
    """Where the written texts and the installed torch disagree, one line each; empty when all is explained.

    A line names a class or parameter that torch has and nobody explained, or one explained that torch has no longer.
    """
    return tuple(
        _gaps(_optimizer_classes(), {name: text.own for name, text in OPTIMIZER_TEXTS.items()}, OPTIMIZER_NOTES)
        + _gaps(_scheduler_classes(), {name: text.own for name, text in SCHEDULER_TEXTS.items()}, SCHEDULER_NOTES)
    )


def _optimizer_classes() -> dict[str, type]:
    return _public_subclasses(torch.optim, torch.optim.Optimizer)


def _scheduler_classes() -> dict[str, type]:
    return _public_subclasses(lr_scheduler, lr_scheduler.LRScheduler)


def _public_subclasses(module: object, base: type) -> dict[str, type]:
    """The classes a user of ``module`` can name, below ``base`` and without it, by name."""
    found = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {
        name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, base) and cls is not base
    }


def _signature(cls: type) -> dict[str, object]:
    """The parameters of the constructor and their defaults, in order."""
    found = inspect.signature(cls).parameters.values()
    return {each.name: REQUIRED if each.default is each.empty else each.default for each in found}


def _optimizer_entry(name: str, cls: type) -> OptimizerEntry:
    text = OPTIMIZER_TEXTS.get(name, UNEXPLAINED_OPTIMIZER)
    defaults = _signature(cls)
    lr = defaults.get("lr")
    return OptimizerEntry(
        name=name,
        adds=text.adds,
        paper=text.paper,
        default_lr=lr if isinstance(lr, (int, float)) else None,
        when_to_use=text.when_to_use,
        builds_on=text.builds_on,
        parameters=_parameter_entries(defaults, text.own, OPTIMIZER_NOTES),
    )


def _scheduler_entry(name: str, cls: type) -> SchedulerEntry:
    text = SCHEDULER_TEXTS.get(name, SchedulerText(UNEXPLAINED, "either", UNEXPLAINED, sample=cls))
    return SchedulerEntry(
        name=name,
        does=text.does,
        cadence=text.cadence,
        reason=text.reason,
        paper=text.paper,
        parameters=_parameter_entries(_signature(cls), text.own, SCHEDULER_NOTES),
        sample=text.sample,
    )


def _parameter_entries(defaults: Mapping[str, object], own: Notes, common: Notes) -> tuple[ParameterEntry, ...]:
    notes = {name: own.get(name) or common.get(name) or Note(UNEXPLAINED) for name in defaults}
    return tuple(
        ParameterEntry(name, default, notes[name].values, notes[name].text) for name, default in defaults.items()
    )


def _gaps(classes: Mapping[str, type], own: Mapping[str, Notes], common: Notes) -> list[str]:
    has = {name: set(_signature(cls)) for name, cls in classes.items()}
    left_to_common = set().union(*(names - own.get(owner, {}).keys() for owner, names in has.items()))
    missing = [f"{owner} is not explained" for owner in classes if owner not in own]
    stale = [f"{owner} is explained, but torch has it no longer" for owner in own if owner not in classes]
    for owner, names in has.items():
        unexplained = names - own.get(owner, {}).keys() - common.keys()
        missing += [f"{owner}({name}=...) is not explained" for name in sorted(unexplained)]
        stale += [
            f"{owner}({name}=...) is explained, but torch has it no longer"
            for name in own.get(owner, {})
            if name not in names
        ]
    stale += [f"{name}=... is explained, but nothing uses that note" for name in common if name not in left_to_common]
    return missing + stale
