"""Is my own optimizer one? Lion, held against its formula and against all that torch asks of an optimizer."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR

from course_utils.checks.verdict import NotYetError, call, explained
from course_utils.seeding import generator

__all__ = ["check_lion", "lion_update"]

_STEPS, _HALF, _REST = 100, 90, 20
_GAMMA = 0.98
_SETTINGS: tuple[dict[str, Any], ...] = (  # of the two groups
    {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.3},
    {"lr": 0.005, "betas": (0.6, 0.9), "weight_decay": 0.8},
)
_SHAPES = ((3, 2), (4,), (2, 3), (3, 2), ())
_GROUPS, _STILL = (0, 1, 0, 0, 1), 2  # the group of each parameter, and the one that never gets a gradient

Formula = Callable[..., tuple[Tensor, Tensor]]


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
    _check_steps(answer)
    _check_resumes(answer)
    _check_closure(answer)
    return f"{_STEPS} steps are those of the formula, with two groups, a scheduler and a pause"


def _parameters() -> list[nn.Parameter]:
    stream = generator(0, "check/lion")
    return [nn.Parameter(torch.randn(shape, generator=stream, dtype=torch.float64)) for shape in _SHAPES]


def _gradient(number: int, place: int) -> Tensor:
    stream = generator(place, "check/lion/gradient", number)
    return torch.randn(_SHAPES[place], generator=stream, dtype=torch.float64)


def _made(answer: type, parameters: list[nn.Parameter]) -> Optimizer:
    """The answer on two groups, of which the second has settings of its own."""
    held = [[p for p, group in zip(parameters, _GROUPS, strict=True) if group == number] for number in (0, 1)]
    optimizer: Optimizer = call(answer, [{"params": held[0]}, {"params": held[1], **_SETTINGS[1]}], **_SETTINGS[0])
    for option in _SETTINGS[0]:
        if [group.get(option) for group in optimizer.param_groups] != [settings[option] for settings in _SETTINGS]:
            raise NotYetError(
                f'the groups have no "{option}" of their own; pass {{"{option}": {option}, ...}} as defaults to '
                "super().__init__"
            )
    return optimizer


def _step(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    for place, parameter in enumerate(parameters):
        parameter.grad = None if place == _STILL else _gradient(number, place)
    call(optimizer.step)
    for place, parameter in enumerate(parameters):
        if place != _STILL and not (parameter.grad is not None and parameter.grad.equal(_gradient(number, place))):
            raise NotYetError("step changes p.grad; it is there to be read, and zero_grad to clear it")


def _reference(until: int, formula: Formula = lion_update, gamma: float = _GAMMA, **option: Any) -> list[Tensor]:
    """All parameters after ``until`` steps of the formula under the scheduler; an ``option`` counts in both groups."""
    ends = []
    for place, group in enumerate(_GROUPS):
        p = _parameters()[place].detach()
        m, settings = torch.zeros_like(p), {**_SETTINGS[group], **option}
        for number in range(until if place != _STILL else 0):
            now = {**settings, "lr": settings["lr"] * gamma**number}
            p, m = formula(p, _gradient(number, place), m, **now)
        ends.append(p)
    return ends


def _same(parameters: Sequence[Tensor], wanted: list[Tensor]) -> bool:
    return all(torch.allclose(p.detach(), w, rtol=1e-6, atol=1e-9) for p, w in zip(parameters, wanted, strict=True))


def _check_steps(answer: type) -> None:
    parameters = _parameters()
    optimizer = _made(answer, parameters)
    scheduler = ExponentialLR(optimizer, _GAMMA)
    for number in range(_STEPS):
        _step(optimizer, parameters, number)
        scheduler.step()
        if not torch.equal(parameters[_STILL], _parameters()[_STILL]):
            raise NotYetError("a parameter whose grad is None must stay where it is, without decay")
        if number == 0 and not _same(parameters, _reference(1)):
            raise NotYetError(_why_first_step_differs(parameters))
    if not _same(parameters, _reference(_STEPS)):
        raise NotYetError(_why_steps_differ(parameters))


def _with(decays: float = 1.0, *, by_lr: bool = True, sign: bool = True, remembers: bool = True) -> Formula:
    """Lion's update with a fault."""

    def update(p: Tensor, g: Tensor, m: Tensor, *, lr: float, betas: Any, weight_decay: float) -> tuple[Tensor, Tensor]:
        mixed = betas[0] * m + (1 - betas[0]) * g
        shrunk = p - decays * (lr if by_lr else 1.0) * weight_decay * p
        return shrunk - lr * (mixed.sign() if sign else mixed), remembers * (betas[1] * m + (1 - betas[1]) * g)

    return update


def _within_the_sign(p: Tensor, g: Tensor, m: Tensor, *, weight_decay: float, **settings: Any) -> tuple[Tensor, Tensor]:
    return lion_update(p, g + weight_decay * p, m, weight_decay=0.0, **settings)


_WRONG_STEPS: dict[str, Formula] = {
    "the first step moves nothing; write to p in place: p.add_(...), p.mul_(...)": lambda p, g, m, **_: (p, m),
    "weight_decay has no effect, or goes through the sign; p shrinks by lr * weight_decay * p in a step": _with(0.0),
    "the decay goes through the sign; p shrinks by lr * weight_decay * p in a step, beside it": _within_the_sign,
    "the decay is not multiplied by lr; p shrinks by lr * weight_decay * p in a step": _with(by_lr=False),
    "the sign is missing: in a step no number moves by more than lr, apart from the decay": _with(sign=False),
    "the decay pushes p away from zero; it is subtracted": _with(-1.0),
}


def _why_first_step_differs(parameters: list[nn.Parameter]) -> str:
    for words, formula in _WRONG_STEPS.items():
        if _same(parameters, _reference(1, formula)):
            return words
    for option, value in _SETTINGS[0].items():
        if _same(parameters, _reference(1, **{option: value})):
            return f'the second group does not use its own {option}; read group["{option}"] inside the loop over groups'
    right, start = _reference(1), _parameters()
    moved = [place for place in range(len(right)) if not torch.equal(parameters[place], start[place])]
    if moved and all(torch.allclose(parameters[place], right[place]) for place in moved):
        return 'a part of the parameters has not moved; walk through all of group["params"], in every group'
    return "the first step differs from p - lr * weight_decay * p - lr * sign(beta1 * m + (1 - beta1) * g) with m = 0"


def _why_steps_differ(parameters: list[nn.Parameter]) -> str:
    if _same(parameters, _reference(_STEPS, _with(remembers=False))):
        return "the first step is right, later ones forget m; keep it in self.state[p]"
    if _same(parameters, _reference(_STEPS, betas=_SETTINGS[0]["betas"])):
        return 'the second group does not use its own betas; read group["betas"] inside the loop over groups'
    return (
        f"the first step is right, after {_STEPS} steps p is not; look at m = beta2 * m + (1 - beta2) * g, which comes "
        "after the step (the sign sees the old m), and at which beta stands where"
    )


def _check_resumes(answer: type) -> None:
    """Some steps, then a new optimizer with the old one's state: the same way."""
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
    for number in range(_HALF, _HALF + _REST):
        _step(other, resumed, number)
    if not _same(resumed, _reference(_HALF + _REST, gamma=1.0)):
        raise NotYetError("resumed from its state_dict it takes another way; all memory must be in self.state[p]")


def _check_closure(answer: type) -> None:
    parameters = _parameters()
    optimizer = _made(answer, parameters)
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = sum((p**2).sum() for p in parameters)
        assert isinstance(loss, Tensor)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    wanted = float(sum((p.detach() ** 2).sum() for p in parameters))
    got = call(optimizer.step, closure)
    if calls != [True]:
        how = f"{len(calls)} times" if len(calls) != 1 else "without gradients; wrap it in torch.enable_grad()"
        raise NotYetError(f"step(closure) must call the closure once, with gradients; it was called {how}")
    if got is None or abs(float(got) - wanted) > 1e-6:
        raise NotYetError("step(closure) must return the loss that the closure returned")
