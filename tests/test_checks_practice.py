"""The checks of notebook 05 for groups and updates: right answers pass in any form, each typical wrong one is named."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adam

from course_utils.checks.practice import check_clipped_update, check_decay_groups, check_fine_tuning
from tests.helpers.answers import Answer, is_named, nothing

# ------------------------------------------------------------------------------------------------- a fine-tuning script


def new_head(model: nn.Sequential, classes: int, **options: Any) -> nn.Linear:
    model[-1] = nn.Linear(model[-1].in_features, classes, **options)
    return model[-1]


def two_groups(model: nn.Sequential, classes: int, lr: float, **changed: Any) -> SGD:
    """The right answer, of which parts may be replaced."""
    head = new_head(model, classes)
    groups = [{"params": list(model[:-1].parameters())}, {"params": list(head.parameters()), "lr": 10 * lr}]
    return SGD(changed.pop("groups", lambda *found: list(found))(*groups), **{"lr": lr, "momentum": 0.9, **changed})


def by_adding(model: nn.Sequential, classes: int, lr: float) -> SGD:
    optimizer = SGD(model[:-1].parameters(), lr, 0.9)
    optimizer.add_param_group({"params": new_head(model, classes).parameters(), "lr": lr * 10})
    return optimizer


def by_names(model: nn.Sequential, classes: int, lr: float) -> SGD:
    new_head(model, classes)
    last = f"{len(model) - 1}."
    parts: dict[bool, list[Any]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        parts[name.startswith(last)].append((name, parameter))
    groups = [{"params": parts[True], "lr": 10 * lr}, {"params": parts[False], "lr": lr}]
    return SGD(groups, momentum=0.9, nesterov=True)


def a_group_each(model: nn.Sequential, classes: int, lr: float) -> SGD:
    head = set(new_head(model, classes).parameters())
    groups = [{"params": [p], "lr": lr * (10 if p in head else 1)} for p in model.parameters()]
    return SGD(groups, lr=1.0, momentum=0.9)


def lr_set_afterwards(model: nn.Sequential, classes: int, lr: float) -> SGD:
    optimizer = two_groups(model, classes, lr)
    optimizer.param_groups[1]["lr"] = lr / 0.1
    return optimizer


def by_pop(model: nn.Sequential, classes: int, lr: float) -> SGD:
    features = model.pop(-1).in_features
    model.append(nn.Linear(features, classes))
    groups = [{"params": model[:-1].parameters()}, {"params": model[-1].parameters(), "lr": 10 * lr}]
    return SGD(groups, lr=lr, momentum=0.9)


def with_a_head_of_zeros(model: nn.Sequential, classes: int, lr: float) -> SGD:
    optimizer = two_groups(model, classes, lr)
    for parameter in model[-1].parameters():
        nn.init.zeros_(parameter)
    return optimizer


RIGHT_TUNINGS: dict[str, Answer] = {
    "two groups": two_groups,
    "the head first": partial(two_groups, groups=lambda body, head: [head, body]),
    "add_param_group": by_adding,
    "names": by_names,
    "a group for each tensor": a_group_each,
    "lr set afterwards": lr_set_afterwards,
    "pop and append": by_pop,
    "with decay": partial(two_groups, weight_decay=1e-4),
    "foreach": partial(two_groups, foreach=True),
    "a default for no group": partial(
        two_groups, groups=lambda body, head: [{**body, "lr": head["lr"] / 10, "nesterov": True}, head]
    ),
    "momentum in the groups": partial(
        two_groups, groups=lambda body, head: [{**body, "momentum": 0.9}, {**head, "momentum": 0.9}], momentum=0.0
    ),
    "a head of zeros": with_a_head_of_zeros,
}


@pytest.mark.parametrize("answer", RIGHT_TUNINGS.values(), ids=list(RIGHT_TUNINGS))
def test_a_fine_tuning_may_be_prepared_in_any_way(answer: Answer) -> None:
    assert check_fine_tuning(answer)


def too_early(model: nn.Sequential, classes: int, lr: float) -> SGD:
    body, head = model[:-1].parameters(), model[-1].parameters()
    optimizer = SGD([{"params": body}, {"params": head, "lr": 10 * lr}], lr=lr, momentum=0.9)
    new_head(model, classes)
    return optimizer


def body_made_anew(model: nn.Sequential, classes: int, lr: float) -> SGD:
    nn.init.normal_(model[0].weight)
    return two_groups(model, classes, lr)


def old_and_new(model: nn.Sequential, classes: int, lr: float) -> SGD:
    old = list(model[-1].parameters())
    optimizer = two_groups(model, classes, lr)
    optimizer.add_param_group({"params": old})
    return optimizer


def frozen_head(model: nn.Sequential, classes: int, lr: float) -> SGD:
    optimizer = two_groups(model, classes, lr)
    model[-1].requires_grad_(False)
    return optimizer


WRONG_TUNINGS: dict[str, tuple[Answer, str]] = {
    "too early": (too_early, "does not hold 3.weight, 3.bias"),
    "the old head too": (old_and_new, "no longer in the model"),
    "no new head": (
        lambda m, c, lr: SGD(m.parameters(), lr=lr, momentum=0.9),
        "the last layer must be nn.Linear(8, 3)",
    ),
    "one class too many": (lambda m, c, lr: two_groups(m, c + 1, lr), "the last layer must be"),
    "always ten classes": (lambda m, c, lr: two_groups(m, 10, lr), "the last layer must be"),
    "one lr": (
        partial(two_groups, groups=lambda body, head: [body, {"params": head["params"]}]),
        "the head must have lr 0.1, got 0.01",
    ),
    "the body ten times": (
        partial(two_groups, groups=lambda body, head: [{**body, "lr": head["lr"]}, {"params": head["params"]}]),
        "the body must have lr 0.01, got 0.1",
    ),
    "a fixed lr": (lambda m, c, lr: two_groups(m, c, 0.01), "with lr=0.004"),
    "the head alone": (partial(two_groups, groups=lambda body, head: [head]), "does not hold 0.weight"),
    "the body alone": (partial(two_groups, groups=lambda body, head: [body]), "does not hold 3.weight"),
    "no momentum": (partial(two_groups, momentum=0.0), "momentum must stay 0.9"),
    "Adam": (lambda m, c, lr: Adam(two_groups(m, c, lr).param_groups), "return the SGD"),
    "the groups": (lambda m, c, lr: two_groups(m, c, lr).param_groups, "return the SGD"),
    "another body": (body_made_anew, "the body is no longer what it was"),
    "a frozen head": (frozen_head, "3.weight, 3.bias must require a gradient"),
    "a frozen body": (lambda m, c, lr: two_groups(m.requires_grad_(False), c, lr), "0.weight, 0.bias"),
    "uphill": (partial(two_groups, maximize=True), "maximize must stay False"),
    "dampened": (partial(two_groups, dampening=0.9), "dampening must stay 0"),
    "in evaluation mode": (lambda m, c, lr: two_groups(m.eval(), c, lr), "evaluation mode"),
    "a layer more": (lambda m, c, lr: [m.append(nn.ReLU()), SGD(m.parameters(), lr=lr)][1], "the last layer must be"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_TUNINGS.values(), ids=list(WRONG_TUNINGS))
def test_a_wrong_fine_tuning_is_named(answer: Answer, words: str) -> None:
    is_named(check_fine_tuning(answer), words)


# ----------------------------------------------------------------------------------------------------- groups for decay

Groups = list[dict[str, Any]]


def split_by(decays: Callable[[str, nn.Parameter], bool], model: nn.Module, weight_decay: float) -> Groups:
    named = list(model.named_parameters())
    return [
        {"params": [p for name, p in named if decays(name, p)], "weight_decay": weight_decay},
        {"params": [p for name, p in named if not decays(name, p)], "weight_decay": 0.0},
    ]


def by_layers(model: nn.Module, weight_decay: float) -> tuple[dict[str, Any], ...]:
    heavy = [m.weight for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    known = {id(p) for p in heavy}
    light = tuple(p for p in model.parameters() if id(p) not in known)
    return {"params": light, "weight_decay": 0}, {"params": heavy, "weight_decay": weight_decay}


right_groups = partial(split_by, lambda name, p: p.dim() > 1)

RIGHT_GROUPS: dict[str, Answer] = {
    "dimensions": right_groups,
    "ndim": partial(split_by, lambda name, p: p.ndim >= 2),
    "shape": partial(split_by, lambda name, p: len(p.shape) not in (0, 1)),
    "layers, tuples": by_layers,
    "a group each": lambda m, d: [{"params": [p], "weight_decay": d if p.dim() > 1 else 0.0} for p in m.parameters()],
    "the other way round": lambda m, d: right_groups(m, d)[::-1],
    "with an lr": lambda m, d: [{**group, "lr": 1e-3} for group in right_groups(m, d)],
    "with an empty group": lambda m, d: [*right_groups(m, d), {"params": [], "weight_decay": 1.0}],
    "numel and rows": partial(split_by, lambda name, p: bool(p.shape) and p.numel() > p.shape[0]),
    "iterators": lambda m, d: [{**group, "params": iter(group["params"])} for group in right_groups(m, d)],
    "dicts": lambda m, d: [
        {**group, "params": {str(k): p for k, p in enumerate(group["params"])}.values()} for group in right_groups(m, d)
    ],
    "a ParameterList": lambda m, d: [
        {**group, "params": nn.ParameterList(group["params"])} for group in right_groups(m, d)
    ],
    "by yield": lambda m, d: (group for group in right_groups(m, d)),
    "a tensor as decay": lambda m, d: [
        {**group, "weight_decay": torch.tensor(group["weight_decay"])} for group in right_groups(m, d)
    ],
    "0": lambda m, d: [right_groups(m, d)[0], {**right_groups(m, d)[1], "weight_decay": 0}],
    "names with the tensors": lambda m, d: [
        {**group, "params": [(name, p) for name, p in m.named_parameters() if any(p is q for q in group["params"])]}
        for group in right_groups(m, d)
    ],
    "a tuple": lambda m, d: tuple(right_groups(m, d)),
    "names kept": lambda m, d: [{**group, "name": str(k)} for k, group in enumerate(right_groups(m, d))],
}


@pytest.mark.parametrize("answer", RIGHT_GROUPS.values(), ids=list(RIGHT_GROUPS))
def test_groups_may_be_made_in_any_way(answer: Answer) -> None:
    assert check_decay_groups(answer)


WRONG_GROUPS: dict[str, tuple[Answer, str]] = {
    "all decay": (partial(split_by, lambda name, p: True), "0.bias of shape (8,) must have weight_decay 0, got 0.1"),
    "none decays": (partial(split_by, lambda name, p: False), "0.weight of shape (8, 6) must have weight_decay 0.1"),
    "by the name bias": (partial(split_by, lambda name, p: "bias" not in name), "1.weight of shape (8,)"),
    "swapped": (partial(split_by, lambda name, p: p.dim() == 1), "must have weight_decay 0, got 0.1"),
    "matrices only": (partial(split_by, lambda name, p: p.dim() == 2), "0.weight of shape (4, 3, 3, 3)"),
    "a fixed decay": (lambda m, d: right_groups(m, 0.1), "must have weight_decay 0.02, got 0.1"),
    "a group missing": (lambda m, d: right_groups(m, d)[:1], "does not hold 0.bias, 1.weight, 1.bias, 3.bias"),
    "one twice": (lambda m, d: [*right_groups(m, d), *right_groups(m, d)[:1]], "in more than one parameter group"),
    "an iterator of all": (lambda m, d: [{"params": m.parameters(), "weight_decay": d}], "must have weight_decay 0"),
    "all but vectors": (partial(split_by, lambda name, p: p.dim() != 1), "scale of shape () must have weight_decay 0"),
    "no scalars": (
        lambda m, d: [
            {"params": [p for p in m.parameters() if p.dim() > 1], "weight_decay": d},
            {"params": [p for p in m.parameters() if p.dim() == 1], "weight_decay": 0.0},
        ],
        "does not hold scale",
    ),
    "names alone": (
        lambda m, d: [{"params": [name for name, _ in m.named_parameters()], "weight_decay": d}], "AdamW does not take",
    ),
    "a set": (lambda m, d: [{"params": {*m.parameters()}, "weight_decay": d}], "AdamW does not take"),
    "lr 0": (lambda m, d: [{**right_groups(m, d)[0], "lr": 0.0}, right_groups(m, d)[1]], "would never learn"),
    "a text": (lambda m, d: [{**group, "weight_decay": "0.1"} for group in right_groups(m, d)], "leave the quotes out"),
    "None": (lambda m, d: [{**group, "weight_decay": None} for group in right_groups(m, d)], "gave None"),
    "no decay said": (lambda m, d: [right_groups(m, d)[0], {"params": right_groups(m, d)[1]["params"]}], "by default"),
    "one dict": (lambda m, d: right_groups(m, d)[0], "return a list of dicts"),
    "another model": (lambda m, d: right_groups(copy.deepcopy(m), d), "does not hold"),
    "an optimizer": (lambda m, d: SGD(right_groups(m, d)), "return a list of dicts"),
    "nothing": (nothing, "return a list of dicts"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG_GROUPS.values(), ids=list(WRONG_GROUPS))
def test_a_wrong_group_is_named(answer: Answer, words: str) -> None:
    is_named(check_decay_groups(answer), words)


# ----------------------------------------------------------------------------------------------------- a clipped update


def accumulated(
    model: nn.Module,
    parts: Any,
    optimizer: Any,
    max_norm: float,
    *,
    clear: Callable[[Any], Any] = lambda optimizer: optimizer.zero_grad(),
    share: Callable[[int], float] = lambda count: 1 / count,
    each: Callable[..., Any] = lambda *_: None,
    last: Callable[..., Any] = clip_grad_norm_,
    after: Callable[..., Any] = lambda *_: None,
) -> None:
    """The right update, of which a line may be replaced."""
    clear(optimizer)
    for images, labels in parts:
        (cross_entropy(model(images), labels) * share(len(parts))).backward()
        each(model.parameters(), max_norm)
    last(model.parameters(), max_norm)
    optimizer.step()
    after(model.parameters(), max_norm)


def in_one_batch(model: nn.Module, parts: Any, optimizer: Any, max_norm: float) -> None:
    images, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    accumulated(model, [(images, labels)], optimizer, max_norm)


def one_graph(model: nn.Module, parts: Any, optimizer: Any, max_norm: float) -> float:
    optimizer.zero_grad()
    loss = sum(cross_entropy(model(images), labels) for images, labels in parts) / len(parts)
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    norm = clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return float(norm)


def cut_by_hand(parameters: Any, max_norm: float) -> None:
    gradients = [p.grad for p in parameters]
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    for gradient in gradients:
        gradient.mul_(min(1.0, max_norm / norm.item()))


def by_autograd(model: nn.Module, parts: Any, optimizer: Any, max_norm: float) -> None:
    loss = torch.stack([cross_entropy(model(images), labels) for images, labels in parts]).mean()
    for p, gradient in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
        p.grad = gradient
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


RIGHT_UPDATES: dict[str, Answer] = {
    "accumulated": accumulated,
    "one batch": in_one_batch,
    "one graph": one_graph,
    "autograd.grad": by_autograd,
    "cut by hand": partial(accumulated, last=cut_by_hand),
    "clears with zeros": partial(accumulated, clear=lambda optimizer: optimizer.zero_grad(set_to_none=False)),
    "clears twice": partial(accumulated, clear=lambda optimizer: [optimizer.zero_grad(), optimizer.zero_grad()]),
    "without foreach": partial(accumulated, last=lambda ps, limit: clip_grad_norm_(list(ps), limit, foreach=False)),
    "norm type said": partial(accumulated, last=lambda ps, limit: clip_grad_norm_(ps, limit, norm_type=2.0)),
    "a tensor as limit": partial(accumulated, last=lambda ps, limit: clip_grad_norm_(ps, float(torch.tensor(limit)))),
    "cut twice": partial(
        accumulated, last=lambda ps, limit: [cut_by_hand(q := list(ps), limit), clip_grad_norm_(q, limit)]
    ),
    "parts backwards": lambda model, parts, *rest: accumulated(model, parts[::-1], *rest),
    "clears after": lambda model, parts, optimizer, limit: [
        accumulated(model, parts, optimizer, limit), optimizer.zero_grad()
    ],
}  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT_UPDATES.values(), ids=list(RIGHT_UPDATES))
def test_an_update_may_be_made_in_any_way(answer: Answer) -> None:
    assert check_clipped_update(answer)


def cleared_for_each(model: nn.Module, parts: Any, optimizer: Any, max_norm: float) -> None:
    for images, labels in parts:
        optimizer.zero_grad()
        (cross_entropy(model(images), labels) / len(parts)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def by_hand(model: nn.Module, parts: Any, optimizer: Any, max_norm: float) -> None:
    """Not a step of the optimizer, but the same as one without momentum."""
    accumulated(model, parts, SGD(model.parameters(), lr=0.0), max_norm)
    with torch.no_grad():
        for p in model.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad


WRONG_UPDATES: dict[str, tuple[Answer, str]] = {
    "no clip": (partial(accumulated, last=nothing), "the gradient is not cut"),
    "clip after the step": (partial(accumulated, last=nothing, after=clip_grad_norm_), "the gradient is not cut"),
    "clip after every part": (partial(accumulated, last=nothing, each=clip_grad_norm_), "after every part"),
    "by value": (partial(accumulated, last=clip_grad_value_), "bends the direction"),
    "not divided": (partial(accumulated, share=lambda count: 1.0), "divide each loss by the number of parts"),
    "not cleared": (partial(accumulated, clear=nothing), "begin with zero_grad"),
    "nothing": (nothing, "do not move at all"),
    "no step": (lambda m, parts, o, limit: accumulated(m, parts, SGD(m.parameters(), lr=0.0), limit), "at all"),
    "the first part": (lambda m, parts, o, limit: accumulated(m, parts[:1], o, limit), "with 3 parts"),
    "cleared for each part": (cleared_for_each, "the gradient of the last part alone arrives"),
    "the last part": (lambda m, parts, *rest: accumulated(m, parts[-1:], *rest), "the last part alone"),
    "an optimizer of its own": (
        lambda m, parts, o, limit: accumulated(m, parts, SGD(m.parameters(), lr=o.param_groups[0]["lr"]), limit),
        "made 0 steps of the given optimizer",
    ),
    "by hand": (by_hand, "made 0 steps of the given optimizer"),
    "in evaluation mode": (lambda m, *rest: accumulated(m.eval(), *rest), "evaluation mode"),
    "a fixed limit": (lambda m, parts, o, limit: accumulated(m, parts, o, 1.0), "max_norm=0.05"),
    "a step for each part": (
        lambda m, parts, o, limit: [accumulated(m, [part], o, limit) for part in parts],
        "made 9 steps of the given optimizer; make one in each",
    ),
    "the maximum norm": (
        partial(accumulated, last=lambda ps, limit: clip_grad_norm_(ps, limit, norm_type=float("inf"))),
        "max_norm=0.05 the weights differ",
    ),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_UPDATES.values(), ids=list(WRONG_UPDATES))
def test_a_wrong_update_is_named(answer: Answer, words: str) -> None:
    is_named(check_clipped_update(answer), words)
