"""The checks of notebook 05: right answers pass in any form, each typical wrong one is named, nothing raises."""

import copy
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adam

from course_utils.checks.practice import (
    check_clipped_update,
    check_decay_groups,
    check_ema_update,
    check_fine_tuning,
    check_take_checkpoint,
)

CHECKS = {
    check.__name__: check
    for check in (check_fine_tuning, check_decay_groups, check_clipped_update, check_take_checkpoint, check_ema_update)
}

Answer = Callable[..., Any]


def stub(*_: Any, **__: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (stub, "the stub is still there"),
        (None, "expected a function"),
        (lambda *_, **__: 1 / 0, "ZeroDivisionError"),
        (lambda: None, "TypeError"),
    ],
    ids=["stub", "None", "an error", "no argument"],
)
def test_what_is_no_answer_is_not_yet_right(check: Answer, answer: Any, words: str) -> None:
    verdict = check(answer)
    assert not verdict
    assert words in verdict.message


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
@pytest.mark.parametrize("returned", [None, True, 0, "done", [], {}, (1, 2), [{}], torch.ones(3)])
def test_what_does_no_work_does_not_pass(check: Answer, returned: Any) -> None:
    assert not check(lambda *_, **__: returned)


def is_named(check: Answer, answer: Answer, words: str) -> None:
    verdict = check(answer)
    assert not verdict
    assert words in verdict.message


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
    "a layer more": (lambda m, c, lr: [m.append(nn.ReLU()), SGD(m.parameters(), lr=lr)][1], "the last layer must be"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_TUNINGS.values(), ids=list(WRONG_TUNINGS))
def test_a_wrong_fine_tuning_is_named(answer: Answer, words: str) -> None:
    is_named(check_fine_tuning, answer, words)


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
    "shape": partial(split_by, lambda name, p: len(p.shape) != 1),
    "layers, tuples": by_layers,
    "a group each": lambda m, d: [{"params": [p], "weight_decay": d if p.dim() > 1 else 0.0} for p in m.parameters()],
    "the other way round": lambda m, d: right_groups(m, d)[::-1],
    "with an lr": lambda m, d: [{**group, "lr": 1e-3} for group in right_groups(m, d)],
    "with an empty group": lambda m, d: [*right_groups(m, d), {"params": [], "weight_decay": 1.0}],
    "numel and rows": partial(split_by, lambda name, p: p.numel() > p.shape[0]),
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
    "one twice": (lambda m, d: [*right_groups(m, d), *right_groups(m, d)[:1]], "twice"),
    "an iterator": (lambda m, d: [{"params": m.parameters(), "weight_decay": d}], "can be read only once"),
    "no decay said": (lambda m, d: [right_groups(m, d)[0], {"params": right_groups(m, d)[1]["params"]}], "by default"),
    "one dict": (lambda m, d: right_groups(m, d)[0], "return a list of dicts"),
    "another model": (lambda m, d: right_groups(copy.deepcopy(m), d), "does not hold"),
    "an optimizer": (lambda m, d: SGD(right_groups(m, d)), "return a list of dicts"),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_GROUPS.values(), ids=list(WRONG_GROUPS))
def test_a_wrong_group_is_named(answer: Answer, words: str) -> None:
    is_named(check_decay_groups, answer, words)


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


def nothing(*_: Any) -> None:
    return None


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
    "a fixed limit": (lambda m, parts, o, limit: accumulated(m, parts, o, 1.0), "max_norm=0.05"),
    "a step for each part": (
        lambda m, parts, o, limit: [accumulated(m, [part], o, limit) for part in parts],
        "with 3 parts",
    ),
    "the maximum norm": (
        partial(accumulated, last=lambda ps, limit: clip_grad_norm_(ps, limit, norm_type=float("inf"))),
        "max_norm=0.05 the weights differ",
    ),
}


@pytest.mark.parametrize(("answer", "words"), WRONG_UPDATES.values(), ids=list(WRONG_UPDATES))
def test_a_wrong_update_is_named(answer: Answer, words: str) -> None:
    is_named(check_clipped_update, answer, words)


# --------------------------------------------------------------------------------------------------------- a checkpoint

NAMES = ("model", "optimizer", "scheduler")


def states(*parts: Any, keep: Callable[[Any], Any] = copy.deepcopy) -> dict[str, Any]:
    return {name: keep(part.state_dict()) for name, part in zip(NAMES, parts, strict=True)}


def through_a_file(*parts: Any) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(states(*parts, keep=lambda state: state), file)
    loaded: dict[str, Any] = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    return loaded


def cloned(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {key: cloned(value) for key, value in state.items()}
    return [cloned(value) for value in state] if isinstance(state, list) else state


def of_copies(model: nn.Module, optimizer: Any, scheduler: Any) -> dict[str, Any]:
    model, optimizer, scheduler = copy.deepcopy((model, optimizer, scheduler))
    return states(model, optimizer, scheduler, keep=lambda state: state)


RIGHT_CHECKPOINTS: dict[str, Answer] = {
    "deepcopy": states,
    "deepcopy of all": lambda *parts: copy.deepcopy(states(*parts, keep=lambda state: state)),
    "a file": through_a_file,
    "cloned": partial(states, keep=cloned),
    "of copies": of_copies,
    "another order": lambda *parts: dict(reversed(states(*parts).items())),
    "model cloned": lambda m, *rest: {
        **states(m, *rest), "model": {name: value.detach().clone() for name, value in m.state_dict().items()}
    },
    "the scheduler as it is": lambda m, o, s: {**states(m, o, s), "scheduler": s.state_dict()},
    "the scheduler as dict": lambda m, o, s: {**states(m, o, s), "scheduler": dict(s.state_dict())},
    "on the cpu": partial(states, keep=lambda state: cloned(copy.copy(state))),
    "twice": lambda *parts: copy.deepcopy(states(*parts)),
    "numpy and back": lambda m, *rest: {
        **states(m, *rest),
        "model": {name: torch.tensor(value.numpy().copy()) for name, value in m.state_dict().items()},
    },
}  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT_CHECKPOINTS.values(), ids=list(RIGHT_CHECKPOINTS))
def test_a_checkpoint_may_be_taken_in_any_way(answer: Answer) -> None:
    assert check_take_checkpoint(answer)


WRONG_CHECKPOINTS: dict[str, tuple[Answer, str]] = {
    "views": (partial(states, keep=lambda state: state), '"model" is not as it was'),
    "shallow": (partial(states, keep=dict), '"model" is not as it was'),
    "shallow copies": (partial(states, keep=copy.copy), '"model" is not as it was'),
    "the model alone copied": (
        lambda m, o, s: {**states(m, o, s), "optimizer": o.state_dict()}, '"optimizer" is not as it was'
    ),
    "the optimizer alone copied": (lambda m, o, s: {**states(m, o, s), "model": m.state_dict()}, '"model" is not'),
    "no scheduler": (lambda m, o, s: {k: v for k, v in states(m, o, s).items() if k != "scheduler"}, "the keys"),
    "the weights alone": (lambda m, o, s: copy.deepcopy(m.state_dict()), "the keys"),
    "a tuple": (lambda *parts: tuple(states(*parts).values()), "return a dict"),
    "the objects": (lambda *parts: dict(zip(NAMES, copy.deepcopy(parts), strict=True)), '"model" is not what'),
    "mixed up": (lambda m, o, s: states(m, s, o), '"optimizer" is not what'),
    "a new optimizer": (lambda m, o, s: states(m, Adam(m.parameters(), lr=0.05), s), '"optimizer" is not as it was'),
    "no buffers": (
        lambda m, o, s: {**states(m, o, s), "model": {n: p.detach().clone() for n, p in m.named_parameters()}},
        '"model" is not what',
    ),
    "half precision": (
        lambda m, o, s: {**states(m, o, s), "model": {n: v.half() for n, v in m.state_dict().items()}},
        '"model" is not as it was',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG_CHECKPOINTS.values(), ids=list(WRONG_CHECKPOINTS))
def test_a_wrong_checkpoint_is_named(answer: Answer, words: str) -> None:
    is_named(check_take_checkpoint, answer, words)


# ----------------------------------------------------------------------------------------------------------- an average


def pairs(average: nn.Module, model: nn.Module) -> Any:
    return zip(average.parameters(), model.parameters(), strict=True)


def averaged(
    average: nn.Module,
    model: nn.Module,
    beta: float,
    *,
    rule: Callable[[Any, Any, float], Any] = lambda slow, fast, beta: slow.mul_(beta).add_(fast, alpha=1 - beta),
    buffers: Callable[[Any, Any], Any] = lambda slow, fast: slow.copy_(fast),
) -> None:
    with torch.no_grad():
        for slow, fast in pairs(average, model):
            rule(slow, fast, beta)
        for slow, fast in zip(average.buffers(), model.buffers(), strict=True):
            buffers(slow, fast)


def by_state_dict(average: nn.Module, model: nn.Module, beta: float) -> None:
    slow, fast = average.state_dict(), model.state_dict()
    weights = {name for name, _ in model.named_parameters()}
    average.load_state_dict({n: beta * slow[n] + (1 - beta) * fast[n] if n in weights else fast[n] for n in slow})


def by_data(average: nn.Module, model: nn.Module, beta: float) -> None:
    for slow, fast in pairs(average, model):
        slow.data = beta * slow.data + (1 - beta) * fast.data
    for slow, fast in zip(average.buffers(), model.buffers(), strict=True):
        slow.data = fast.data.clone()


def by_foreach(average: nn.Module, model: nn.Module, beta: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - beta)
        for name, buffer in model.named_buffers():
            average.get_buffer(name).copy_(buffer)


RIGHT_AVERAGES: dict[str, Answer] = {
    "mul and add": averaged,
    "lerp": partial(averaged, rule=lambda slow, fast, beta: slow.lerp_(fast, 1 - beta)),
    "copy": partial(averaged, rule=lambda slow, fast, beta: slow.copy_(beta * slow + (1 - beta) * fast)),
    "the difference": partial(averaged, rule=lambda slow, fast, beta: slow.sub_((1 - beta) * (slow - fast))),
    "from the model": partial(averaged, rule=lambda slow, fast, beta: slow.sub_(fast).mul_(beta).add_(fast)),
    "a slice": partial(
        averaged, rule=lambda slow, fast, beta: slow.__setitem__(..., beta * slow + (1 - beta) * fast)
    ),
    "state_dict": by_state_dict,
    "data": by_data,
    "foreach": by_foreach,
    "float64": partial(
        averaged, rule=lambda slow, fast, beta: slow.copy_(beta * slow.double() + (1 - beta) * fast.double())
    ),
    "detached": partial(
        averaged, rule=lambda slow, fast, beta: slow.detach().mul_(beta).add_(fast.detach() * (1 - beta))
    ),
    "decorated": torch.no_grad()(averaged),
}  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT_AVERAGES.values(), ids=list(RIGHT_AVERAGES))
def test_an_average_may_be_made_in_any_way(answer: Answer) -> None:
    assert check_ema_update(answer)


def with_graph(average: nn.Module, model: nn.Module, beta: float) -> None:
    for slow, fast in pairs(average, model):
        slow.mul_(beta).add_(fast, alpha=1 - beta)


def new_parameters(average: nn.Module, model: nn.Module, beta: float) -> None:
    """Other tensors in the place of the old ones."""
    for name, fast in model.named_parameters():
        owner, _, last = name.rpartition(".")
        module = average.get_submodule(owner)
        setattr(module, last, nn.Parameter((beta * getattr(module, last) + (1 - beta) * fast).detach()))
    averaged(average, model, beta, rule=nothing)


def into_the_model(average: nn.Module, model: nn.Module, beta: float) -> None:
    averaged(average, model, beta)
    model.load_state_dict(average.state_dict())


def the_running_mean_alone(average: nn.Module, model: nn.Module, beta: float) -> None:
    averaged(average, model, beta, buffers=nothing)
    average[1].running_mean.copy_(model[1].running_mean)


WRONG_AVERAGES: dict[str, tuple[Answer, str]] = {
    "nothing": (nothing, "has not moved"),
    "a copy": (partial(averaged, rule=lambda slow, fast, beta: slow.copy_(fast)), "equals the model's"),
    "swapped": (lambda a, m, beta: averaged(a, m, 1 - beta), "the other way round"),
    "a fixed beta": (lambda a, m, beta: averaged(a, m, 0.9), "with beta=0.5"),
    "the plain mean": (lambda a, m, beta: averaged(a, m, 0.5), "with beta=0.9"),
    "no share": (partial(averaged, rule=lambda slow, fast, beta: slow.mul_(beta).add_(fast)), "is not beta * average"),
    "a graph": (with_graph, "RuntimeError"),
    "no buffers": (partial(averaged, buffers=nothing), "the buffers of the average are stale"),
    "the running mean alone": (the_running_mean_alone, "the buffers of the average are stale"),
    "averaged buffers": (
        partial(averaged, buffers=lambda slow, fast: slow.copy_(0.5 * slow + 0.5 * fast)), "buffers of the average"
    ),
    "out of place": (
        partial(averaged, rule=lambda slow, fast, beta: beta * slow + (1 - beta) * fast), "has not moved"
    ),
    "new tensors": (new_parameters, "must be changed in place"),
    "the model too": (into_the_model, "the model itself was changed"),
    "the first alone": (
        lambda a, m, beta: averaged(a[0], m[0], beta), "1.weight of the average has not moved"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG_AVERAGES.values(), ids=list(WRONG_AVERAGES))
def test_a_wrong_average_is_named(answer: Answer, words: str) -> None:
    is_named(check_ema_update, answer, words)
