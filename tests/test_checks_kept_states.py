"""The checks of notebook 05 for checkpoints and averages: right answers pass in any form, wrong ones are named."""

import copy
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Adam

from course_utils.checks.kept_states import check_ema_update, check_take_checkpoint
from tests.helpers.answers import Answer, is_named, nothing

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
    "more beside them": lambda *parts: {**states(*parts), "epoch": 3, "rng": torch.get_rng_state()},
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
    "a part of the scheduler": (
        lambda m, o, s: {**states(m, o, s), "scheduler": {"last_epoch": s.last_epoch}}, '"scheduler" has no'
    ),
    "an empty memory": (
        lambda m, o, s: {**states(m, o, s), "optimizer": Adam(m.parameters(), lr=0.05).state_dict()},
        "its numbers are not those of optimizer.state_dict()",
    ),
    "half of the weights": (
        lambda m, o, s: {**states(m, o, s), "model": {n: v / 2 for n, v in m.state_dict().items()}},
        "its numbers are not those of model.state_dict()",
    ),
    "a frozen model": (lambda m, o, s: states(m.requires_grad_(False), o, s), "must require a gradient"),
    "a model in evaluation mode": (lambda m, o, s: states(m.eval(), o, s), "evaluation mode"),
    "half precision": (
        lambda m, o, s: {**states(m, o, s), "model": {n: v.half() for n, v in m.state_dict().items()}},
        '"model" is not as it was',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG_CHECKPOINTS.values(), ids=list(WRONG_CHECKPOINTS))
def test_a_wrong_checkpoint_is_named(answer: Answer, words: str) -> None:
    is_named(check_take_checkpoint(answer), words)


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


def replaced_by_graphs(average: nn.Module, model: nn.Module, beta: float) -> None:
    for name, fast in model.named_parameters():
        owner, _, last = name.rpartition(".")
        module = average.get_submodule(owner)
        slow = getattr(module, last)
        module._parameters.pop(last, None)
        setattr(module, last, beta * slow + (1 - beta) * fast)


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
    "parameters with a graph": (replaced_by_graphs, "must be changed in place"),
    "the model in evaluation mode": (lambda a, m, beta: averaged(a, m.eval(), beta), "evaluation mode"),
    "the first alone": (
        lambda a, m, beta: averaged(a[0], m[0], beta), "1.weight of the average has not moved"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), WRONG_AVERAGES.values(), ids=list(WRONG_AVERAGES))
def test_a_wrong_average_is_named(answer: Answer, words: str) -> None:
    is_named(check_ema_update(answer), words)
