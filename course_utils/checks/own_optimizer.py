"""Is my own optimizer one? Lion, held against its formula and against all that torch asks of an optimizer."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR

from course_utils.checks.verdict import NotYetError, call, explained
from course_utils.seeding import generator

__all__ = ["check_lion", "lion_update"]

_STEPS, _HALF = 100, 40
_LR, _OTHER_LR, _BETAS, _DECAY, _GAMMA = 0.02, 0.005, (0.8, 0.95), 0.3, 0.98


def lion_update(
    p: Tensor, g: Tensor, m: Tensor, *, lr: float, betas: tuple[float, float], weight_decay: float
) -> tuple[Tensor, Tensor]:
    """One step of Lion: the new p and m.

        p = p - lr * weight_decay * p - lr * sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, Algorithm 2.
    """
    beta1, beta2 = betas
    p = p - lr * weight_decay * p - lr * (beta1 * m + (1 - beta1) * g).sign()
    return p, beta2 * m + (1 - beta2) * g


@explained
def check_lion(answer: Callable[..., Any]) -> str:
    """A verdict on the class ``answer``: its steps, its groups, its state, its closure, a scheduler on it."""
    if not isinstance(answer, type) or not issubclass(answer, Optimizer):
        raise NotYetError(f"expected a subclass of torch.optim.Optimizer, got {answer!r}")
    parameters = _parameters()
    _check_steps(answer, parameters)
    _check_resumes(answer)
    _check_closure(answer)
    return f"{_STEPS} steps are those of the formula, with two groups, a scheduler and a pause"


def _parameters() -> list[nn.Parameter]:
    stream = generator(0, "check/lion")
    return [nn.Parameter(torch.randn(3, 2, generator=stream, dtype=torch.float64)) for _ in range(3)]


def _gradient(number: int, place: int) -> Tensor:
    stream = generator(place, "check/lion/gradient", number)
    return torch.randn(3, 2, generator=stream, dtype=torch.float64)


def _made(answer: type, parameters: list[nn.Parameter]) -> Optimizer:
    """The answer on two groups; the third parameter never gets a gradient."""
    groups = [{"params": [parameters[0], parameters[2]]}, {"params": [parameters[1]], "lr": _OTHER_LR}]
    optimizer: Optimizer = call(answer, groups, lr=_LR, betas=_BETAS, weight_decay=_DECAY)
    if [group.get("lr") for group in optimizer.param_groups] != [_LR, _OTHER_LR]:
        raise NotYetError('the groups have no "lr" of their own; pass {"lr": lr, ...} as defaults to super().__init__')
    return optimizer


def _step(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    for place in (0, 1):
        parameters[place].grad = _gradient(number, place)
    call(optimizer.step)


def _reference(until: int, *, decay: float = _DECAY, momentum: int | None = None) -> list[Tensor]:
    """The two parameters with gradients after ``until`` steps of the formula under the scheduler."""
    ends = []
    for place, rate in enumerate((_LR, _OTHER_LR)):
        p, m = _parameters()[place].detach(), torch.zeros(3, 2, dtype=torch.float64)
        for number in range(until):
            lr = rate * _GAMMA**number
            p, m = lion_update(p, _gradient(number, place), m, lr=lr, betas=_BETAS, weight_decay=decay)
            m = torch.zeros_like(m) if momentum is not None else m
        ends.append(p)
    return ends


def _same(parameters: list[nn.Parameter], wanted: list[Tensor]) -> bool:
    return all(torch.allclose(p.detach(), w, rtol=1e-6, atol=1e-9) for p, w in zip(parameters, wanted, strict=False))


def _check_steps(answer: type, parameters: list[nn.Parameter]) -> None:
    still = parameters[2].detach().clone()
    optimizer = _made(answer, parameters)
    scheduler = ExponentialLR(optimizer, _GAMMA)
    for number in range(_STEPS):
        _step(optimizer, parameters, number)
        scheduler.step()
        if number == 0 and not _same(parameters, _reference(1)):
            raise NotYetError(_why_first_step_differs(parameters))
    if not torch.equal(parameters[2].detach(), still):
        raise NotYetError("a parameter whose grad is None must stay where it is, without decay")
    if not _same(parameters, _reference(_STEPS)):
        raise NotYetError(_why_steps_differ(parameters))


def _why_first_step_differs(parameters: list[nn.Parameter]) -> str:
    start = [p.detach() for p in _parameters()[:2]]
    if _same(parameters, start):
        return "the first step moves nothing; write to p in place: p.add_(...), p.mul_(...)"
    if _same(parameters, _reference(1, decay=0.0)):
        return "weight_decay has no effect (or goes through the sign); p shrinks by lr * weight_decay * p in a step"
    if _same(parameters[:1], _reference(1)[:1]):
        return "the second group does not use its own lr; read group[...] inside the loop over self.param_groups"
    moved = (parameters[0].detach() - start[0]).abs()
    decayed = _LR * _DECAY * start[0].abs()
    if not bool((moved <= _LR + decayed + 1e-9).all()):
        return "in the first step no number may move by more than lr, apart from the decay; did you take the sign?"
    return "the first step differs from p - lr * weight_decay * p - lr * sign(beta1 * m + (1 - beta1) * g) with m = 0"


def _why_steps_differ(parameters: list[nn.Parameter]) -> str:
    if _same(parameters, _reference(_STEPS, momentum=0)):
        return "the first step is right, later ones forget m; keep it in self.state[p]"
    return (
        f"the first step is right, after {_STEPS} steps p is not; look at m = beta2 * m + (1 - beta2) * g, which comes "
        "after the step (the sign sees the old m), and at which beta stands where"
    )


def _check_resumes(answer: type) -> None:
    """Half of the steps, then a new optimizer with the old one's state: the same way."""
    parameters = _parameters()
    optimizer = _made(answer, parameters)
    for number in range(_HALF):
        _step(optimizer, parameters, number)
    state = copy.deepcopy(optimizer.state_dict())
    resumed = [nn.Parameter(p.detach().clone()) for p in parameters]
    other = _made(answer, resumed)
    try:
        other.load_state_dict(state)
    except Exception as error:
        raise NotYetError(f"its state_dict cannot be loaded again: {type(error).__name__}: {error}") from error
    for number in range(_HALF, _HALF + 20):
        _step(optimizer, parameters, number)
        _step(other, resumed, number)
    if not _same(resumed, [p.detach() for p in parameters]):
        raise NotYetError("resumed from its state_dict it takes another way; all memory must be in self.state[p]")


def _check_closure(answer: type) -> None:
    parameters = _parameters()
    optimizer = _made(answer, parameters)
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = sum((p**2).sum() for p in parameters[:2])
        assert isinstance(loss, Tensor)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    wanted = float(sum((p.detach() ** 2).sum() for p in parameters[:2]))
    got = call(optimizer.step, closure)
    if calls != [True]:
        how = f"{len(calls)} times" if len(calls) != 1 else "without gradients; wrap it in torch.enable_grad()"
        raise NotYetError(f"step(closure) must call the closure once, with gradients; it was called {how}")
    if got is None or abs(float(got) - wanted) > 1e-6:
        raise NotYetError("step(closure) must return the loss that the closure returned")
