"""Is what was kept in notebook 05 whole? A checkpoint that a training goes on from, and a moving average."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils.checks.small_networks import a_batch, a_network, drawn, learn, must_be_trainable, same
from course_utils.checks.verdict import NotYetError, call, explained, said_by

__all__ = ["check_ema_update", "check_take_checkpoint"]

Answer = Callable[..., Any]


# --------------------------------------------------------------------------------------------------------- a checkpoint


@explained
def check_take_checkpoint(answer: Answer) -> str:
    """A verdict on ``answer(model, optimizer, scheduler)``: a dict of three states that later steps leave alone."""
    parts = _a_training()
    _go_on(parts, range(3))
    checkpoint = call(answer, *parts)
    if not isinstance(checkpoint, Mapping) or not {*_PARTS} <= {*checkpoint}:
        raise NotYetError('return a dict with the keys "model", "optimizer" and "scheduler"')
    must_be_trainable(parts[0])
    at_once = {name: _numbers(checkpoint[name]) for name in _PARTS}
    undisturbed = _go_on(parts, range(3, 6))
    resumed = _a_training()
    for part, name in zip(resumed, _PARTS, strict=True):
        _put(part, name, checkpoint[name])
    if not same(_go_on(resumed, range(3, 6)), undisturbed):
        raise NotYetError(_why_it_jumps(checkpoint, at_once))
    return "a training that goes on from it makes the steps that it would have made without the pause"


_PARTS = ("model", "optimizer", "scheduler")


def _a_training() -> tuple[nn.Module, Optimizer, StepLR]:
    model = a_network()
    optimizer = Adam(model.parameters(), lr=0.05)
    return model, optimizer, StepLR(optimizer, step_size=2, gamma=0.5)


def _go_on(parts: tuple[nn.Module, Optimizer, StepLR], numbers: range) -> Tensor:
    """The weights and the lr after these updates."""
    model, optimizer, scheduler = parts
    for number in numbers:
        learn(model, optimizer, a_batch(number))
        scheduler.step()
    weights = [tensor.detach().flatten().float() for tensor in model.state_dict().values()]
    return torch.cat([*weights, torch.tensor([float(optimizer.param_groups[0]["lr"])])])


def _put(part: Any, name: str, state: Any) -> None:
    try:
        part.load_state_dict(copy.deepcopy(state))
    except Exception as error:
        raise NotYetError(f'"{name}" is not what {name}.state_dict() gives: {said_by(error)}') from error
    if missing := sorted(part.state_dict().keys() - state.keys()):
        raise NotYetError(f'"{name}" has no {", ".join(missing)}; take all of {name}.state_dict()')


def _why_it_jumps(checkpoint: Mapping[str, Any], at_once: dict[str, list[float]]) -> str:
    """Which part is not that of the moment when it was taken: it never was, or it has gone along since."""
    parts: tuple[Any, ...] = _a_training()
    _go_on(parts, range(3))
    for name, part in zip(_PARTS, parts, strict=True):
        wanted = _numbers(part.state_dict())
        if at_once[name] != wanted:
            return f'"{name}" is not as it was when it was taken: its numbers are not those of {name}.state_dict()'
        if _numbers(checkpoint[name]) != wanted:
            return (
                f'"{name}" is not as it was when it was taken; state_dict() shares its tensors with the training, '
                "so copy it: copy.deepcopy"
            )
    return "a training that goes on from it takes another way than the one that was not interrupted"


def _numbers(state: Any) -> list[float]:
    """All numbers in a state, in order, as far as float32 fixes them."""
    if isinstance(state, Tensor):
        return [float(f"{number:.4g}") for number in state.detach().double().flatten().tolist()]
    if isinstance(state, dict):
        return [number for value in state.values() for number in _numbers(value)]
    if isinstance(state, (list, tuple)):
        return [number for value in state for number in _numbers(value)]
    return [float(state)] if isinstance(state, (int, float)) and not isinstance(state, bool) else []


# ----------------------------------------------------------------------------------------------------------- an average

_BETAS = (0.9, 0.5)


@explained
def check_ema_update(answer: Answer) -> str:
    """A verdict on ``answer(average, model, beta)``: one step of a moving average of the weights, in place."""
    for beta in _BETAS:
        model = a_network()
        average, wanted = copy.deepcopy(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(beta))  # type: ignore[no-untyped-call]
        wanted.update_parameters(model)
        held = list(average.parameters())
        for seed in (10, 20):
            _move(model, seed)
            call(answer, average, model, beta)
            wanted.update_parameters(model)
        if list(map(id, average.parameters())) != list(map(id, held)):
            raise NotYetError("the average must be changed in place, its parameters must stay the same tensors")
        _check_average(average, wanted.module, model, beta)
        must_be_trainable(model)
    return "the average follows the weights, and autograd knows nothing of it"


def _move(model: nn.Module, seed: int) -> None:
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=seed + number))
        for buffer in model.buffers():
            buffer.add_(seed)


def _check_average(average: nn.Module, wanted: nn.Module, model: nn.Module, beta: float) -> None:
    moved = {name: drawn(*p.shape, seed=20 + n) for n, (name, p) in enumerate(model.named_parameters())}
    if not all(same(parameter, moved[name]) for name, parameter in model.named_parameters()):
        raise NotYetError("the model itself was changed; only the average may move")
    for (name, got), right, latest in zip(
        average.named_parameters(), wanted.parameters(), model.parameters(), strict=True
    ):
        if got.grad_fn is not None:
            raise NotYetError("the average carries a graph; update it under torch.no_grad()")
        if not same(got, right):
            raise NotYetError(_why_average_differs(name, got, latest, beta))
    if not all(map(same, average.buffers(), model.buffers())):
        raise NotYetError("the buffers of the average are stale; copy those of the model: running means are no weights")
    if any(a.data_ptr() == b.data_ptr() for a, b in zip(average.buffers(), model.buffers(), strict=True)):
        raise NotYetError("the buffers of the average share their memory with those of the model; fill them with copy_")


def _why_average_differs(name: str, got: Tensor, latest: Tensor, beta: float) -> str:
    first = dict(a_network().named_parameters())
    start, middle = first[name], drawn(*got.shape, seed=10 + list(first).index(name))
    if same(got, start):
        return f"{name} of the average has not moved"
    if same(got, latest):
        return f"{name} of the average equals the model's; keep the share beta={beta:g} of what it was"
    swapped = (1 - beta) * ((1 - beta) * start + beta * middle) + beta * latest
    if same(got, swapped):
        return "beta is the share that stays, 1 - beta that of the new weights; yours are the other way round"
    return f"with beta={beta:g} {name} is not beta * average + (1 - beta) * model"
