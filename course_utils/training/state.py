"""What of a run decides how it goes on? Its state, as a copy that shares nothing with the run.

Taken and put back between two steps, when nothing is half done. Equal runs have equal states, on any device.
"""

import sys
from collections.abc import Mapping
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from course_utils.arguments import kind_of
from course_utils.training.loop import Run, a_run

__all__ = ["State", "misfit", "restore", "snapshot"]

State = dict[str, Any]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "seed": int,
    "cadence": (str, NoneType),
    "optimizer_class": str,
    "scheduler_class": str,
    "step": int,
    "batches_per_epoch": (int, NoneType),
    "losses": Tensor,
    "rng": list,
    "model": dict,
    "optimizer": dict,
    "scheduler": (dict, NoneType),
}


def snapshot(run: Run) -> State:
    """The state of ``run``: dicts of numbers, words and CPU tensors, copied; on a GPU this waits for the device.

    Raises:
        TypeError: ``run`` is no ``Run``, or its optimizer has no state dict.
    """
    _check_run(run)
    parts = {
        "seed": run.seed,
        "cadence": run.cadence,
        "optimizer_class": type(run.optimizer).__name__,
        "scheduler_class": type(run.scheduler).__name__,
        "step": run.step,
        "batches_per_epoch": run.batches_per_epoch,
        "losses": run.losses,
        "rng": run.rng,
        "model": dict(run.model.state_dict()),
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict() if run.scheduler else None,
    }
    return {name: _copied(part) for name, part in parts.items()}


def restore(run: Run, state: State) -> Run:
    """Put ``run`` in ``state``, which is copied, and return it; when that fails, ``run`` stays as it was.

    Options that the state holds win over those that ``run`` was built with: the lr and the like come back as they were.

    Raises:
        TypeError: ``run`` is no ``Run`` that has a state.
        ValueError: ``state`` is of another model, optimizer, scheduler, cadence or seed.
    """
    before = snapshot(run)
    if words := misfit(run, state):
        raise ValueError(f"state must be of an equally built run: {words}")
    try:
        _put(run, state)
    except BaseException:
        _put(run, before)
        raise
    return run


def misfit(run: Run, state: object) -> str:
    """Why ``state`` cannot be put into ``run``, in words; empty if it can."""
    if not isinstance(state, dict) or state.keys() != _TYPES.keys():
        return "it does not hold the parts of a run"
    wrong = [name for name, kind in _TYPES.items() if not isinstance(state[name], kind)]
    if wrong:
        return f"its {wrong[0]} is a {type(state[wrong[0]]).__name__}"
    return (
        _odd_history(run, state) or _other_build(run, state) or _other_model(run, state) or _other_options(run, state)
    )


def _odd_history(run: Run, state: State) -> str:
    """What is wrong with the counts and losses."""
    step, losses, batches = state["step"], state["losses"], state["batches_per_epoch"]
    if step < 0 or (batches is not None and batches < 1):
        return f"its step is {step} with {batches} batches per epoch"
    if losses.dtype != torch.float32 or losses.shape != (step,):
        return f"it has {step} steps, but losses of shape {tuple(losses.shape)} and {losses.dtype}"
    if [_kind(stream) for stream in state["rng"][:1]] != [_kind(run.rng[0])]:
        return "its random stream is of another kind"
    return ""


def _other_build(run: Run, state: State) -> str:
    """The first choice in which ``run`` was built otherwise."""
    mine = {
        "optimizer_class": type(run.optimizer).__name__,
        "scheduler_class": type(run.scheduler).__name__,
        "cadence": run.cadence,
        "seed": run.seed,
    }
    for name, choice in mine.items():
        if state[name] != choice:
            return f"its {name.removesuffix('_class')} is {state[name]}, that of this run is {choice}"
    return ""


def _other_model(run: Run, state: State) -> str:
    """The tensors in which the two models differ, with their shapes; at most three, then a count."""
    saved = {name: _kind(value) for name, value in state["model"].items()}
    mine = {name: _kind(value) for name, value in run.model.state_dict().items()}
    differing = [name for name in {**mine, **saved} if saved.get(name) != mine.get(name)]
    if not differing:
        return ""
    listed = [f"{name} {saved.get(name, 'missing')} (here {mine.get(name, 'missing')})" for name in differing[:3]]
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"its model has {', '.join(listed)}{more}"


def _other_options(run: Run, state: State) -> str:
    """Where the parameter groups of the optimizer, or the fields of the scheduler, differ."""
    sizes, saved_sizes = _group_sizes(run.optimizer.state_dict()), _group_sizes(state["optimizer"])
    if saved_sizes != sizes:
        return f"its optimizer has groups of {saved_sizes} tensors, that of this run of {sizes}"
    fields = run.scheduler.state_dict() if run.scheduler else {}
    if (state["scheduler"] or {}).keys() != fields.keys():
        return "its scheduler has other fields, as of another version of torch"
    return ""


def _group_sizes(optimizer: State) -> list[int] | None:
    """How many parameters each group of a state dict holds; None if it is none."""
    try:
        return [len(group["params"]) for group in optimizer["param_groups"]] if optimizer.keys() >= {"state"} else None
    except (KeyError, TypeError):
        return None


def _kind(value: object) -> str:
    """Shape and dtype of a tensor, as an error names them: ``(32, 3, 5, 5) float32``."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _put(run: Run, state: State) -> None:
    """Copy every part of ``state`` into the live objects."""
    mine = _copied(state)  # load_state_dict of optimizers and schedulers keeps what it is given
    run.model.load_state_dict(mine["model"])
    run.optimizer.load_state_dict(mine["optimizer"])
    if run.scheduler:
        run.scheduler.load_state_dict(mine["scheduler"])
    run.step, run.batches_per_epoch, run.rng = mine["step"], mine["batches_per_epoch"], mine["rng"]
    run._losses = mine["losses"].to(next(run.model.parameters()).device)


def _copied(value: Any) -> Any:
    """A deep copy, tensors on the CPU. No two parts are one object, because pickle would note that in its bytes."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        twin: Any = type(value)()
        for name, part in value.items():
            twin[_copied(name)] = _copied(part)
        return twin
    if isinstance(value, (list, tuple)):
        return type(value)([_copied(part) for part in value])
    return value


def _check_run(run: Run) -> None:
    optimizer = a_run("run", run).optimizer
    if not callable(getattr(optimizer, "load_state_dict", None)):
        came = kind_of(optimizer)
        raise TypeError(f"the optimizer must have a state dict to be kept, got {came} without; try torch.optim.SGD")
