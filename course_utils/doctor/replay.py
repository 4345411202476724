"""What would have happened with one change? The steps of a ``Tape``, done again on copies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor.copies import aside, copied, restore_random, tensors_in, with_tensors
from course_utils.doctor.tape import Called, Cleared, Clipped, Differentiated, Entry, Scored, Stepped, Tape

__all__ = ["Change", "Head", "replay"]

Head = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _as_it_was(inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return inputs, target


@dataclass(frozen=True, slots=True)
class Change:
    """What is done otherwise in a replay."""

    said: str = "nothing changed"  #: the change in words, after "with"
    order: Callable[[list[Entry]], list[Entry]] = list  #: another order of the calls
    rate: Callable[[int, float], float] = lambda _, lr: lr  #: another lr, by the number of the step
    given: Callable[[Tensor], Tensor] = lambda tensor: tensor  #: what the model is given in place of an input
    learned: Head = _as_it_was  #: what the loss function is given, to learn from
    shown: Head = _as_it_was  #: and to be drawn, so that two curves have one unit
    compared: Head = _as_it_was  #: what it is given for the curve without the change
    factor: float | None = None  #: what each loss is multiplied by
    harm: bool = False  #: whether it is a change for a loss that rises, and no proof where it did not
    counted: bool = False  #: whether the fault was counted call by call, and is there even where it does not hurt yet


@dataclass(slots=True)
class _Stage:
    """The copies in one replay, and what was computed on them last."""

    model: nn.Module
    optimizer: Optimizer
    change: Change
    outputs: list[Tensor]
    losses: list[Tensor]
    shown: list[Tensor]
    steps: int = 0


def replay(tape: Tape, change: Change, *, passes: int) -> list[float]:
    """The loss of each of ``passes`` backward passes; the steps of ``tape`` begin anew where it ends.

    Where all steps were done once, the settings of the last one stay. The weights, buffers, gradients and random
    numbers of the loop itself do not change.

    Raises:
        Unable: the model cannot be copied.
        Exception: whatever the reader's model raises.
    """
    with aside():
        memo: dict[int, Any] = {}
        stage = _Stage(copied(tape.model, memo), copied(tape.optimizer, memo), change, [], [], [])
        curve: list[Tensor] = []
        for entry in _again_and_again(change.order(tape.entries)):
            seen = _do(stage, entry)
            curve += [] if seen is None else [seen]
            if len(curve) >= passes:
                break
        return [float(value) for value in curve]


def _again_and_again(entries: list[Entry]) -> Iterator[Entry]:
    """``entries`` for ever; in later rounds with the last settings of the first."""
    if not any(isinstance(entry, Differentiated) for entry in entries):
        return
    yield from entries
    last = [entry for entry in entries if isinstance(entry, Stepped)][-1:]
    scores = sum(isinstance(entry, Scored) for entry in entries)
    done = 0
    while True:
        done += scores
        for entry in entries:
            if isinstance(entry, Stepped):
                yield last[0]
            elif isinstance(entry, Differentiated):
                yield replace(entry, scored=tuple(index + done for index in entry.scored))
            else:
                yield entry


def _do(stage: _Stage, entry: Entry) -> Tensor | None:
    """Do one call again; gives the loss that is drawn, where it is a backward pass."""
    if isinstance(entry, Called):
        restore_random(entry.random)
        if stage.model.training != entry.training:
            stage.model.train(entry.training)
        stage.outputs = tensors_in(stage.model(*with_tensors(entry.args, _changed(stage.change.given))))
    elif isinstance(entry, Scored):
        _score(stage, entry)
    elif isinstance(entry, Differentiated):
        return _differentiate(stage, entry)
    elif isinstance(entry, Clipped):
        held = [parameter for group in stage.optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(held, entry.limit)
    elif isinstance(entry, Cleared):
        stage.optimizer.zero_grad()
        stage.model.zero_grad()
    else:
        _step(stage, entry.settings)
    return None


def _changed(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda tensor: change(tensor.clone())  # a model may change its input in place


def _score(stage: _Stage, entry: Scored) -> None:
    scores = stage.outputs[entry.place]
    if entry.way:
        name, *options = entry.way
        scores = getattr(torch, name)(scores, *options)
    stage.losses.append(entry.again(*stage.change.learned(scores, entry.target)))
    stage.shown.append(entry.again(*stage.change.shown(scores.detach(), entry.target)).detach())


def _differentiate(stage: _Stage, entry: Differentiated) -> Tensor:
    factor = entry.factor if stage.change.factor is None else stage.change.factor
    losses = [stage.losses[index] for index in entry.scored]
    torch.autograd.backward(sum(losses[1:], losses[0]) * factor)
    for index in entry.scored:
        stage.losses[index] = stage.losses[index].detach()  # lets the graph go
    return _total([stage.shown[index] for index in entry.scored])


def _total(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([value.detach() for value in values]).sum()


def _step(stage: _Stage, settings: tuple[dict[str, Any], ...]) -> None:
    for group, recorded in zip(stage.optimizer.param_groups, settings or ({},) * 99, strict=False):
        group.update(recorded)
        if "lr" in group:
            group["lr"] = stage.change.rate(stage.steps, group["lr"])
    stage.optimizer.step()
    stage.steps += 1
