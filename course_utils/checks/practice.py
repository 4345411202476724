"""Is my answer right, in notebook 05? Groups of a fine-tuning, a clip, decay, a checkpoint, an average."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils.checks.verdict import NotYetError, call, explained
from course_utils.seeding import generator

__all__ = [
    "check_clipped_update",
    "check_decay_groups",
    "check_ema_update",
    "check_fine_tuning",
    "check_take_checkpoint",
]

Answer = Callable[..., Any]


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed, "check/practice"))


def _a_network(classes: int = 4, seed: int = 0) -> nn.Sequential:
    """Two linear layers around a norm, the same at every call."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(0.3 * _drawn(*parameter.shape, seed=seed + number))
    return model


def _batch(seed: int, count: int = 8, classes: int = 4) -> tuple[Tensor, Tensor]:
    return _drawn(count, 6, seed=100 + seed), torch.arange(count) % classes


def _learn(model: nn.Module, optimizer: Optimizer, batch: tuple[Tensor, Tensor]) -> None:
    optimizer.zero_grad()
    cross_entropy(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-6)


def _same_models(a: nn.Module, b: nn.Module) -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(_same(mine[name], theirs[name]) for name in mine)


# ------------------------------------------------------------------------------------------------- a fine-tuning script


@explained
def check_fine_tuning(answer: Answer) -> str:
    """A verdict on ``answer(model, classes, lr)``: a new last layer, and an SGD with two learning rates."""
    for classes, lr in ((3, 0.01), (7, 0.004)):
        model, before = _a_network(), _a_network()
        optimizer = call(answer, model, classes, lr)
        _check_head(model, before, classes)
        if not isinstance(optimizer, SGD):
            raise NotYetError(f"return the SGD that trains the model, got {type(optimizer).__name__}")
        _check_held(model, optimizer, "the optimizer")
        _check_rates(model, optimizer, lr)
    return "the new head is trained, ten times as fast as the body, and nothing that was replaced"


def _check_head(model: nn.Sequential, before: nn.Sequential, classes: int) -> None:
    head = model[-1]
    if not isinstance(head, nn.Linear) or (head.in_features, head.out_features) != (8, classes):
        raise NotYetError(f"the last layer must be nn.Linear(8, {classes}) for a body of 8 features, got {head}")
    if len(model) != len(before) or not _same_models(model[:-1], before[:-1]):
        raise NotYetError("the body is no longer what it was; replace the last layer only")


def _check_held(model: nn.Module, optimizer: Optimizer, holder: str) -> None:
    _check_groups(model, optimizer.param_groups, holder)


def _check_groups(model: nn.Module, groups: list[dict[str, Any]], holder: str) -> None:
    """Every parameter of the model is in exactly one group, and nothing else is in any."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    held = [id(parameter) for group in groups for parameter in group["params"]]
    if missing := [name for key, name in names.items() if key not in held]:
        raise NotYetError(f"{holder} does not hold {', '.join(missing)}; these would never learn")
    if any(key not in names for key in held):
        raise NotYetError(f"{holder} holds a tensor that is no longer in the model; make it after the replacement")
    if len(held) != len(set(held)):
        raise NotYetError(f"{holder} holds a parameter twice; each belongs to one group")


def _check_rates(model: nn.Sequential, optimizer: SGD, lr: float) -> None:
    head = {id(parameter) for parameter in model[-1].parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            part, wanted = ("head", 10 * lr) if id(parameter) in head else ("body", lr)
            if not math.isclose(group["lr"], wanted, rel_tol=1e-6):
                raise NotYetError(f"with lr={lr:g} the {part} must have lr {wanted:g}, got {group['lr']:g}")
            if group["momentum"] != 0.9:
                raise NotYetError(f"momentum must stay 0.9 in every group, got {group['momentum']:g} for the {part}")


# ----------------------------------------------------------------------------------------------------- a clipped update

_MAX_NORMS = (0.05, 100.0)


@explained
def check_clipped_update(answer: Answer) -> str:
    """A verdict on ``answer(model, parts, optimizer, max_norm)``: accumulate, clip once, step."""
    for count in (1, 3):
        parts = [_batch(seed) for seed in range(count)]
        for max_norm in _MAX_NORMS:
            got, wanted = (_clipped(update, parts, max_norm) for update in (answer, _right_update))
            if not _same(got, wanted):
                raise NotYetError(_why_update_differs(got, parts, max_norm))
    return "the gradient of the whole batch is cut once, after its last backward and before the step"


def _clipped(update: Answer, parts: list[tuple[Tensor, Tensor]], max_norm: float) -> Tensor:
    """The weights after two updates, of which the second would see gradients that were not cleared."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(_drawn(*parameter.shape, seed=number))
    optimizer = SGD(model.parameters(), lr=0.5)
    for _ in range(2):
        call(update, model, list(parts), optimizer, max_norm)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _update(
    *, clears: bool = True, divides: bool = True, clip: str = "once"
) -> Callable[[nn.Module, list[tuple[Tensor, Tensor]], Optimizer, float], None]:
    """The right update, or one with a fault."""

    def update(model: nn.Module, parts: list[tuple[Tensor, Tensor]], optimizer: Optimizer, max_norm: float) -> None:
        if clears:
            optimizer.zero_grad()
        for images, labels in parts:
            loss = cross_entropy(model(images), labels)
            (loss / len(parts) if divides else loss).backward()  # type: ignore[no-untyped-call]
            if clip == "each":
                nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        if clip == "once":
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        if clip == "value":
            nn.utils.clip_grad_value_(model.parameters(), max_norm)
        optimizer.step()

    return update


_right_update = _update()
_WRONG_UPDATES = {
    "the gradient is not cut; call clip_grad_norm_ after the last backward and before the step": _update(clip="never"),
    "the gradient is cut after every part; cut their sum, once, after the last backward": _update(clip="each"),
    "that cuts every number by itself and bends the direction; use clip_grad_norm_": _update(clip="value"),
    "divide each loss by the number of parts, so that the gradients add up to that of the mean": _update(divides=False),
    "the second update still holds gradients of the first; begin with zero_grad": _update(clears=False),
}


def _why_update_differs(got: Tensor, parts: list[tuple[Tensor, Tensor]], max_norm: float) -> str:
    for words, wrong in _WRONG_UPDATES.items():
        if _same(got, _clipped(wrong, parts, max_norm)):
            return words
    if _same(got, _clipped(lambda *_: None, parts, max_norm)):
        return "the weights do not move at all; call backward for every part, then step"
    return f"with {len(parts)} parts and max_norm={max_norm:g} the weights differ from those of one clipped update"


# ----------------------------------------------------------------------------------------------------- groups for decay


@explained
def check_decay_groups(answer: Answer) -> str:
    """A verdict on ``answer(model, weight_decay)``: groups for AdamW in which only matrices and filters decay."""
    convolutional = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 8, bias=False), nn.LayerNorm(8)
    )
    for model in (_a_network(), convolutional):
        for decay in (0.1, 0.02):
            groups = _without_names(call(answer, model, decay))
            _check_groups(model, groups, "your list")
            _check_decays(model, groups, decay)
    return "matrices and filters are pulled to zero; biases and norms are left alone"


def _without_names(groups: Any) -> list[dict[str, Any]]:
    """The groups with plain tensors in their "params", where pairs of name and tensor are allowed too."""
    fits = isinstance(groups, (list, tuple)) and all(isinstance(group, dict) and "params" in group for group in groups)
    if not fits:
        raise NotYetError('return a list of dicts, each with "params" and "weight_decay"')
    groups = [{**group, "params": _as_list(group["params"])} for group in groups]
    for group in groups:
        if not isinstance(group["params"], (list, tuple)) or not all(map(_tensor_of, group["params"])):
            raise NotYetError('"params" must be a list of tensors; an iterator can be read only once')
        if not isinstance(group.get("weight_decay"), (int, float)):
            raise NotYetError('a group has no "weight_decay"; it would get the 0.01 that AdamW has by default')
    return [{**group, "params": [_tensor_of(held)[0] for held in group["params"]]} for group in groups]


def _as_list(params: Any) -> Any:
    """One tensor alone is a list of one, as for torch."""
    return [params] if isinstance(params, Tensor) else params


def _tensor_of(held: Any) -> list[Tensor]:
    named = held[1:] if isinstance(held, tuple) and len(held) == 2 and isinstance(held[0], str) else (held,)
    return [tensor for tensor in named if isinstance(tensor, Tensor)]


def _check_decays(model: nn.Module, groups: list[dict[str, Any]], decay: float) -> None:
    names = {id(parameter): (name, parameter) for name, parameter in model.named_parameters()}
    for group in groups:
        for held in group["params"]:
            name, parameter = names[id(held)]
            wanted = decay if parameter.dim() > 1 else 0.0
            if group["weight_decay"] != wanted:
                raise NotYetError(
                    f"{name} of shape {tuple(parameter.shape)} must have weight_decay {wanted:g}, "
                    f"got {group['weight_decay']:g}"
                )


# --------------------------------------------------------------------------------------------------------- a checkpoint


@explained
def check_take_checkpoint(answer: Answer) -> str:
    """A verdict on ``answer(model, optimizer, scheduler)``: a dict of three states that later steps leave alone."""
    parts = _a_training()
    _go_on(parts, range(3))
    checkpoint = call(answer, *parts)
    if not isinstance(checkpoint, dict) or set(checkpoint) != {"model", "optimizer", "scheduler"}:
        raise NotYetError('return a dict with the keys "model", "optimizer" and "scheduler"')
    undisturbed = _go_on(parts, range(3, 6))
    resumed = _a_training()
    for part, (name, state) in zip(resumed, sorted(checkpoint.items()), strict=True):
        _put(part, name, state)
    if not _same(_go_on(resumed, range(3, 6)), undisturbed):
        raise NotYetError(_why_it_jumps(checkpoint))
    return "a training that goes on from it makes the steps that it would have made without the pause"


def _a_training() -> tuple[nn.Module, Optimizer, StepLR]:
    model = _a_network()
    optimizer = Adam(model.parameters(), lr=0.05)
    return model, optimizer, StepLR(optimizer, step_size=2, gamma=0.5)


def _go_on(parts: tuple[nn.Module, Optimizer, StepLR], numbers: range) -> Tensor:
    """The weights and the lr after these updates."""
    model, optimizer, scheduler = parts
    for number in numbers:
        _learn(model, optimizer, _batch(number))
        scheduler.step()
    weights = [tensor.detach().flatten().float() for tensor in model.state_dict().values()]
    return torch.cat([*weights, torch.tensor([float(optimizer.param_groups[0]["lr"])])])


def _put(part: Any, name: str, state: Any) -> None:
    try:
        part.load_state_dict(copy.deepcopy(state))
    except Exception as error:
        raise NotYetError(f'"{name}" is not what {name}.state_dict() gives: {type(error).__name__}: {error}') from error


def _why_it_jumps(checkpoint: dict[str, Any]) -> str:
    """Which part is not that of the moment when it was taken."""
    parts: tuple[Any, ...] = _a_training()
    _go_on(parts, range(3))
    for name, part in zip(("model", "optimizer", "scheduler"), parts, strict=True):
        if _numbers(checkpoint[name]) != _numbers(part.state_dict()):
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
        model = _a_network()
        average, wanted = copy.deepcopy(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(beta))  # type: ignore[no-untyped-call]
        wanted.update_parameters(model)
        held = list(average.parameters())
        for seed in (10, 20):
            _move(model, seed)
            call(answer, average, model, beta)
            wanted.update_parameters(model)
        _check_average(average, wanted.module, model, beta)
        if not all(map(lambda a, b: a is b, held, average.parameters())):
            raise NotYetError("the average must be changed in place, its parameters must stay the same tensors")
    return "the average follows the weights, and autograd knows nothing of it"


def _move(model: nn.Module, seed: int) -> None:
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(_drawn(*parameter.shape, seed=seed + number))
        for buffer in model.buffers():
            buffer.add_(seed)


def _check_average(average: nn.Module, wanted: nn.Module, model: nn.Module, beta: float) -> None:
    moved = {name: _drawn(*p.shape, seed=20 + n) for n, (name, p) in enumerate(model.named_parameters())}
    if not all(_same(parameter, moved[name]) for name, parameter in model.named_parameters()):
        raise NotYetError("the model itself was changed; only the average may move")
    for (name, got), right, latest in zip(
        average.named_parameters(), wanted.parameters(), model.parameters(), strict=True
    ):
        if got.grad_fn is not None:
            raise NotYetError("the average carries a graph; update it under torch.no_grad()")
        if not _same(got, right):
            raise NotYetError(_why_average_differs(name, got, latest, beta))
    if not all(map(_same, average.buffers(), model.buffers())):
        raise NotYetError("the buffers of the average are stale; copy those of the model: running means are no weights")
    if any(a.data_ptr() == b.data_ptr() for a, b in zip(average.buffers(), model.buffers(), strict=True)):
        raise NotYetError("the buffers of the average share their memory with those of the model; fill them with copy_")


def _why_average_differs(name: str, got: Tensor, latest: Tensor, beta: float) -> str:
    first = dict(_a_network().named_parameters())
    start, middle = first[name], _drawn(*got.shape, seed=10 + list(first).index(name))
    if _same(got, start):
        return f"{name} of the average has not moved"
    if _same(got, latest):
        return f"{name} of the average equals the model's; keep the share beta={beta:g} of what it was"
    swapped = (1 - beta) * ((1 - beta) * start + beta * middle) + beta * latest
    if _same(got, swapped):
        return "beta is the share that stays, 1 - beta that of the new weights; yours are the other way round"
    return f"with beta={beta:g} {name} is not beta * average + (1 - beta) * model"
