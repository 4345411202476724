"""Is my answer right, in notebook 05? Groups of a fine-tuning, a clipped update, groups for decay."""

import math
from collections.abc import Callable, Iterable, Sized
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer

from course_utils.checks.small_networks import a_batch, a_network, drawn, must_be_trainable, same, same_models
from course_utils.checks.verdict import NotYetError, call, explained, one_number

__all__ = ["check_clipped_update", "check_decay_groups", "check_fine_tuning"]

Answer = Callable[..., Any]


# ------------------------------------------------------------------------------------------------- a fine-tuning script


@explained
def check_fine_tuning(answer: Answer) -> str:
    """A verdict on ``answer(model, classes, lr)``: a new last layer, and an SGD with two learning rates."""
    for classes, lr in ((3, 0.01), (7, 0.004)):
        model, before = a_network(), a_network()
        optimizer = call(answer, model, classes, lr)
        _check_head(model, before, classes)
        if not isinstance(optimizer, SGD):
            raise NotYetError(f"return the SGD that trains the model, got {type(optimizer).__name__}")
        _check_groups(model, optimizer.param_groups, "the optimizer")
        _check_rates(model, optimizer, lr)
        must_be_trainable(model)
    return "the new head is trained, ten times as fast as the body, and nothing that was replaced"


def _check_head(model: nn.Sequential, before: nn.Sequential, classes: int) -> None:
    head = model[-1]
    if not isinstance(head, nn.Linear) or (head.in_features, head.out_features) != (8, classes):
        raise NotYetError(f"the last layer must be nn.Linear(8, {classes}) for a body of 8 features, got {head}")
    if len(model) != len(before) or not same_models(model[:-1], before[:-1]):
        raise NotYetError("the body is no longer what it was; replace the last layer only")


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
            for option, kept in (("momentum", 0.9), ("dampening", 0), ("maximize", False)):
                if group[option] != kept:
                    raise NotYetError(f"{option} must stay {kept} in every group, got {group[option]} for the {part}")


# ----------------------------------------------------------------------------------------------------- a clipped update

_MAX_NORMS = (0.05, 100.0)
Parts = list[tuple[Tensor, Tensor]]
Made = Callable[[Any], Optimizer]
_OPTIMIZERS: tuple[Made, ...] = (
    lambda parameters: SGD(parameters, lr=0.5),
    lambda parameters: SGD(parameters, lr=0.2, momentum=0.9, weight_decay=0.1),
)


@explained
def check_clipped_update(answer: Answer) -> str:
    """A verdict on ``answer(model, parts, optimizer, max_norm)``: accumulate, clip once, step."""
    for count in (1, 3):
        parts = [a_batch(seed) for seed in range(count)]
        for max_norm in _MAX_NORMS:
            for made in _OPTIMIZERS:
                got, wanted = (_clipped(update, parts, max_norm, made) for update in (answer, _right_update))
                if not same(got, wanted):
                    raise NotYetError(_why_update_differs(got, parts, max_norm, made))
    return "the gradient of the whole batch is cut once, after its last backward and before the step"


def _clipped(update: Answer, parts: Parts, max_norm: float, made: Made) -> Tensor:
    """The weights after three updates, of which the later ones would see gradients that were not cleared.

    At their end stand how many steps the optimizer made.
    """
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=number))
    optimizer, steps = made(model.parameters()), list[None]()
    optimizer.register_step_pre_hook(lambda *_: steps.append(None))
    for _ in range(3):
        call(update, model, list(parts), optimizer, max_norm)
        must_be_trainable(model)
    return torch.cat([*(parameter.detach().flatten() for parameter in model.parameters()), torch.tensor([len(steps)])])


def _update(
    *, clears: str = "once", divides: bool = True, clip: str = "once"
) -> Callable[[nn.Module, Parts, Optimizer, float], None]:
    """The right update, or one with a fault."""

    def update(model: nn.Module, parts: Parts, optimizer: Optimizer, max_norm: float) -> None:
        if clears == "once":
            optimizer.zero_grad()
        for images, labels in parts:
            if clears == "each":
                optimizer.zero_grad()
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
_LAST_ALONE = "the gradient of the last part alone arrives; clear once, before the first part, and take all of them"
_WRONG_UPDATES = (
    (
        "the gradient is not cut; call clip_grad_norm_ after the last backward and before the step",
        _update(clip="never"),
    ),
    ("the gradient is cut after every part; cut their sum, once, after the last backward", _update(clip="each")),
    ("that cuts every number by itself and bends the direction; use clip_grad_norm_", _update(clip="value")),
    (
        "divide each loss by the number of parts, so that the gradients add up to that of the mean",
        _update(divides=False),
    ),
    ("the second update still holds gradients of the first; begin with zero_grad", _update(clears="never")),
    (_LAST_ALONE, _update(clears="each")),
    (_LAST_ALONE, _update(clears="each", divides=False)),
)


def _why_update_differs(got: Tensor, parts: Parts, max_norm: float, made: Made) -> str:
    for words, wrong in _WRONG_UPDATES:
        if same(got, _clipped(wrong, parts, max_norm, made)):
            return words
    if same(got[:-1], _clipped(lambda *_: None, parts, max_norm, made)[:-1]):
        return "the weights do not move at all; call backward for every part, then step"
    if got[-1] != 3:
        return f"three updates made {int(got[-1])} steps of the given optimizer; make one in each, after all parts"
    count = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
    return f"with {count} and max_norm={max_norm:g} the weights differ from those of one clipped update"


# ----------------------------------------------------------------------------------------------------- groups for decay


@explained
def check_decay_groups(answer: Answer) -> str:
    """A verdict on ``answer(model, weight_decay)``: groups for AdamW in which only matrices and filters decay."""
    convolutional = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 8, bias=False), nn.LayerNorm(8)
    )
    scaled = a_network()
    scaled.register_parameter("scale", nn.Parameter(torch.tensor(2.0)))
    for model in (a_network(), convolutional, scaled):
        for decay in (0.1, 0.02):
            groups = _as_torch_takes_them(call(answer, model, decay))
            _check_groups(model, groups, "your list")
            _check_decays(model, groups, decay)
    return "matrices and filters are pulled to zero; biases and norms are left alone"


_UNSAID = 0.12345  # the decay of a group that says none


def _as_torch_takes_them(groups: Any) -> list[dict[str, Any]]:
    """The groups in an ``AdamW``: whatever that takes is an answer, such as iterators, or tensors with their names."""
    if isinstance(groups, (dict, Tensor)) or not isinstance(groups, Iterable):
        raise NotYetError('return a list of dicts, each with "params" and "weight_decay"')
    groups = list(groups)
    if not all(isinstance(group, dict) and "params" in group for group in groups):
        raise NotYetError('return a list of dicts, each with "params" and "weight_decay"')
    groups = [dict(group) for group in groups if not _is_empty(group["params"])]
    try:
        optimizer = AdamW(groups, weight_decay=_UNSAID)
    except Exception as error:
        raise NotYetError(f"AdamW does not take these groups: {error}") from error
    return optimizer.param_groups


def _is_empty(params: Any) -> bool:
    return isinstance(params, Sized) and not isinstance(params, Tensor) and len(params) == 0


def _check_decays(model: nn.Module, groups: list[dict[str, Any]], decay: float) -> None:
    names = {id(parameter): (name, parameter) for name, parameter in model.named_parameters()}
    for group in groups:
        got = one_number(group["weight_decay"], 'the "weight_decay" of a group')
        if got == _UNSAID:
            raise NotYetError('a group has no "weight_decay"; it would get the 0.01 that AdamW has by default')
        if not one_number(group["lr"], 'the "lr" of a group') > 0:
            raise NotYetError("a group has lr 0 and would never learn; leave the lr to the optimizer")
        for held in group["params"]:
            name, parameter = names[id(held)]
            wanted = decay if parameter.dim() > 1 else 0.0
            if not math.isclose(got, wanted, rel_tol=1e-6):
                shape = tuple(parameter.shape)
                raise NotYetError(f"{name} of shape {shape} must have weight_decay {wanted:g}, got {got:g}")
