"""How does an optimizer work inside? Five of torch's, written from scratch: a formula and a memory.

Read the formulas first. Each is a plain function, ``p, *memory = some_update(p, g, *memory, lr=0.1)``, in the
letters of its paper: p the parameter, g its gradient, t the number of steps taken; tensors have the shape and dtype
of p, and the defaults of the memory are its values before the first step. Nothing is changed in place, autograd
flows through, and as all arithmetic is element by element, lr, momentum or the betas may be tensors that broadcast
against p: many settings in one call. Options have torch's names and meaning.

The classes add what a formula cannot have: a memory for each parameter that outlives the step, and a check of the
options. They are thin: all that is not a formula (groups, checkpoints, hooks, ``zero_grad``) is that of their base,
``torch.optim.Optimizer``, so torch's schedulers drive them, ``training.save`` keeps them, and the doctor sees their
steps. Names, defaults, numbers and state are those of torch.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from course_utils.arguments import Check, a_check, a_dict, a_number, a_switch, a_tuple, kind_of, or_none

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "RMSprop",
    "adagrad_update",
    "adam_update",
    "adamw_update",
    "ema_momentum_update",
    "rmsprop_update",
    "sgd_update",
]

Number = float | Tensor


# ---- The formulas -------------------------------------------------------------------------------------------


def sgd_update(
    p: Tensor,
    g: Tensor,
    buf: Tensor | None = None,
    *,
    lr: Number = 1e-3,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """One step of SGD: the new p and the new momentum buffer, None without momentum.

        buf = momentum * buf + (1 - dampening) * g      in the first step buf = g, undampened
        p   = p - lr * buf                              with nesterov p - lr * (g + momentum * buf)

    Source: Sutskever, Martens, Dahl & Hinton 2013, eqs. 1-4. Their velocity, -lr * buf here, holds the learning
    rate: equal paths while lr is constant, but a lowered lr slows torch's p at once and theirs only by and by.
    Their Nesterov takes the gradient ahead, at p + momentum * velocity; torch's p is that point ahead.
    """
    g = _descent_gradient(p, g, weight_decay, maximize)
    if _is_off(momentum):
        return p - lr * g, None
    # A copy, because the next backward() may add to the tensor g.
    buf = g.clone() if buf is None else momentum * buf + (1 - dampening) * g
    return p - lr * (g + momentum * buf if nesterov else buf), buf


def ema_momentum_update(
    p: Tensor, g: Tensor, v: Number = 0.0, *, lr: Number = 1e-3, momentum: Number = 0.9
) -> tuple[Tensor, Tensor]:
    """One step along the average gradient, the momentum of many textbooks but not torch's: the new p and v.

        v = momentum * v + (1 - momentum) * g           exponential moving average (EMA), from v = 0
        p = p - lr * v

    In every step v = (1 - momentum) * buf of `sgd_update`: this walks torch's path once lr / (1 - momentum) is
    given for torch's lr. torch's dampening=momentum averages too, but from v = g of the first step, so that its
    v is larger by momentum^t * (that g).
    """
    v = momentum * v + (1 - momentum) * g
    return p - lr * v, v


def rmsprop_update(
    p: Tensor,
    g: Tensor,
    v: Number = 0.0,
    g_avg: Number = 0.0,
    buf: Number = 0.0,
    *,
    lr: Number = 1e-2,
    alpha: Number = 0.99,
    eps: float = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> tuple[Tensor, Tensor, Number, Number]:
    """One step of RMSprop: the new p, v, g_avg (moves only if centered) and buf (moves only with momentum).

        v     = alpha * v + (1 - alpha) * g^2           average square of the gradient
        g_avg = alpha * g_avg + (1 - alpha) * g         if centered, v - g_avg^2 (variance) is used in place of v
        buf   = momentum * buf + g / (sqrt(v) + eps)
        p     = p - lr * buf

    While the gradient stays constant, rounding can make the variance negative and p NaN, in torch as here.

    Source: Hinton 2012, lecture 6e; momentum and centered: Graves 2013, eqs. 38-41, with eps inside the root and
    lr inside buf.
    """
    g = _descent_gradient(p, g, weight_decay, maximize)
    v = spread = alpha * v + (1 - alpha) * g * g
    if centered:
        g_avg = alpha * g_avg + (1 - alpha) * g
        spread = v - g_avg * g_avg
    direction = g / (spread.sqrt() + eps)
    if not _is_off(momentum):
        direction = buf = momentum * buf + direction
    return p - lr * direction, v, g_avg, buf


def adagrad_update(
    p: Tensor,
    g: Tensor,
    t: int = 0,
    s: Tensor | None = None,
    *,
    lr: Number = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> tuple[Tensor, int, Tensor]:
    """One step of Adagrad: the new p, t and s.

        s = s + g^2                                     a sum, so the steps only ever get shorter
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Source: Duchi, Hazan & Singer 2011, section 1.1, diagonal form; lr_decay and the place of eps are torch's.
    """
    g = _descent_gradient(p, g, weight_decay, maximize)
    t, s = t + 1, (initial_accumulator_value if s is None else s) + g * g
    return p - lr / (1 + (t - 1) * lr_decay) * g / (s.sqrt() + eps), t, s


def adam_update(
    p: Tensor,
    g: Tensor,
    t: int = 0,
    m: Number = 0.0,
    v: Number = 0.0,
    v_max: Number = 0.0,
    *,
    lr: Number = 1e-3,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> tuple[Tensor, int, Tensor, Tensor, Number]:
    """One step of Adam: the new p, t, m, v and v_max (moves only with amsgrad).

        m = beta1 * m + (1 - beta1) * g                 average gradient, m_hat = m / (1 - beta1^t)
        v = beta2 * v + (1 - beta2) * g^2               average square,   v_hat = v / (1 - beta2^t)
        p = p - lr * m_hat / (sqrt(v_hat) + eps)

    The hats correct the bias of averages that begin at 0: in the first step m = (1 - beta1) * g, but m_hat = g.
    weight_decay is a part of g here, so the root divides it too and large gradients all but cancel it: AdamW.

    Source: Kingma & Ba 2015, Algorithm 1; amsgrad: Reddi, Kale & Kumar 2018, Algorithm 2, v_max = max(v_max, v)
    in place of v, which torch corrects for bias as well.
    """
    g = _descent_gradient(p, g, weight_decay, maximize)
    t, (beta1, beta2) = t + 1, betas
    m = beta1 * m + (1 - beta1) * g
    v = largest = beta2 * v + (1 - beta2) * g * g
    if amsgrad:
        largest = v_max = v.clamp(min=v_max)
    m_hat, v_hat = m / (1 - beta1**t), largest / (1 - beta2**t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), t, m, v, v_max


def adamw_update(
    p: Tensor, g: Tensor, *memory: Any, lr: Number = 1e-3, weight_decay: Number = 1e-2, **options: Any
) -> tuple[Tensor, int, Tensor, Tensor, Number]:
    """One step of Adam with decoupled weight decay; memory, result and other options are those of `adam_update`.

        p = p - lr * weight_decay * p                   then Adam's step, with g free of any decay

    Source: Loshchilov & Hutter 2019, Algorithm 2, line 12, where the schedule but not lr scales the decay.
    """
    return adam_update(p - lr * weight_decay * p, g, *memory, lr=lr, **options)


def _descent_gradient(p: Tensor, g: Tensor, weight_decay: Number, maximize: bool) -> Tensor:
    """The gradient of loss + weight_decay / 2 * |p|^2, with minus the loss if that is to be maximized."""
    g = -g if maximize else g
    return g if _is_off(weight_decay) else g + weight_decay * p


def _is_off(option: Number) -> bool:
    """Whether the option is a plain 0; a tensor of many settings never is."""
    return not isinstance(option, Tensor) and option == 0


# ---- The memory ---------------------------------------------------------------------------------------------


class _Optimizer(Optimizer):
    """Parameters in groups with options, and ``state``: for each parameter the memory of its formula, by name.

    ``params`` are tensors, as from ``model.parameters()``, or dicts such as ``{"params": tensors, "lr": 0.1}``,
    whose options hold for these tensors. ``options`` are the keyword arguments of the formula. ``foreach`` is
    taken and changes nothing: in torch it changes speed only, by updating all tensors in a few calls.
    ``differentiable=True`` lets autograd record the step; the tensors must then not be leaves: give ``w.clone()``.

    Raises:
        TypeError, ValueError: what torch refuses, and what it lets pass but cannot mean: NaN, inf, a misspelt
            option in a group, one tensor twice, negative dampening, alpha of 1 or more, complex or integer tensors.
    """

    formula: ClassVar[Callable[..., tuple[Any, ...]]]
    memory: ClassVar[Mapping[str, Any]]  #: the name of each part in ``state``, and its value before the first step
    options: ClassVar[Mapping[str, Any]]  #: those of the formula, with their defaults

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        foreach: bool | None = None,
        differentiable: bool = False,
        **options: Any,
    ) -> None:
        or_none(a_switch())("foreach", foreach)
        a_switch()("differentiable", differentiable)
        super().__init__(_as_groups(params), {**self.options, **options, "differentiable": differentiable})
        if not any(group["params"] for group in self.param_groups):
            raise ValueError("params holds no tensor; model.parameters() can be read only once: try to call it again")

    def __repr__(self) -> str:
        groups = (", ".join(f"{name}={group[name]}" for name in self.options) for group in self.param_groups)
        return "\n".join(f"{type(self).__name__}({options})" for options in groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take on more tensors, ``{"params": tensors, "lr": 0.1}``; options that are not named are the optimizer's."""
        group = {**self.defaults, **_a_group("each parameter group", param_group)}
        tensors = group["params"]
        group["params"] = [tensors] if isinstance(tensors, Tensor) else _a_list("params", tensors)
        _check_group(group, self.options)
        held = [p for known in self.param_groups for p in known["params"]]
        _check_tensors(group["params"], held, differentiable=self.defaults["differentiable"])
        super().add_param_group(group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient, in place, and renew its memory.

        ``closure`` computes the gradients first, if it is given; its loss is returned.
        """
        with torch.enable_grad():
            loss = None if closure is None else closure()
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            for group in self.param_groups:
                options = {name: group[name] for name in self.options}
                for p in group["params"]:
                    if p.grad is not None:
                        self._move(p, options)
        return loss

    def _move(self, p: Tensor, options: dict[str, Any]) -> None:
        # For its backward pass autograd may need the old values, which copy_ overwrites.
        old = p.clone() if self.defaults["differentiable"] else p
        remembered = {**self.memory, **self.state.get(p, {})}
        new, *memory = self.formula(old, p.grad, *(remembered[name] for name in self.memory), **options)
        renewed = zip(self.memory.items(), memory, strict=True)
        if kept := {name: value for (name, start), value in renewed if value is not start}:
            self.state[p] = kept
        p.copy_(new)


def _defaults(*formulas: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments of the formulas with their defaults; the last formula has the last word."""
    return {name: value for formula in formulas for name, value in (formula.__kwdefaults__ or {}).items()}


def _memory(formula: Callable[..., Any], *names: str) -> dict[str, Any]:
    """The positional arguments behind p and g under torch's ``names``, with their values before the first step."""
    return dict(zip(names, formula.__defaults__ or (), strict=True))


class SGD(_Optimizer):
    """Steps against the gradient, on request with momentum; options in `sgd_update`."""

    formula = staticmethod(sgd_update)
    memory = _memory(sgd_update, "momentum_buffer")
    options = _defaults(sgd_update)


class RMSprop(_Optimizer):
    """Steps divided by the recent size of the gradient; options in `rmsprop_update`."""

    formula = staticmethod(rmsprop_update)
    memory = _memory(rmsprop_update, "square_avg", "grad_avg", "momentum_buffer")
    options = _defaults(rmsprop_update)


class Adagrad(_Optimizer):
    """Steps divided by the size of all gradients so far; options in `adagrad_update`."""

    formula = staticmethod(adagrad_update)
    memory = _memory(adagrad_update, "step", "sum")
    options = _defaults(adagrad_update)


class Adam(_Optimizer):
    """Momentum and RMSprop together, both corrected for their start at 0; options in `adam_update`."""

    formula = staticmethod(adam_update)
    memory = _memory(adam_update, "step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    options = _defaults(adam_update)


class AdamW(Adam):
    """Adam whose weight decay shrinks p itself; options in `adamw_update`."""

    formula = staticmethod(adamw_update)
    options = _defaults(adam_update, adamw_update)


# ---- The door -----------------------------------------------------------------------------------------------

_NOT_IN_A_FORMULA = ("params", "differentiable", "initial_lr")  # a scheduler notes the last one in a group

_a_group = a_dict("params", of='options with "params"', example='{"params": [p], "lr": 0.1}')


_a_list = a_check(
    "be tensors or dicts in a list",
    kind=lambda value: isinstance(value, Iterable) and not hasattr(value, "dtype"),  # a tensor is one thing, not many
    keep=list,
    came=kind_of,
    example="model.parameters() or [p]",
)


def _as_groups(params: Any) -> list[dict[str, Any]]:
    """The parameters as dicts: those that came, or one that holds all tensors."""
    groups = _a_list("params", params)
    return groups if any(isinstance(group, dict) for group in groups) else [{"params": groups}]


def _check_tensors(tensors: list[Any], held: list[Tensor], *, differentiable: bool) -> None:
    if len({id(p) for p in [*held, *tensors]}) < len(held) + len(tensors):
        raise ValueError("params holds one tensor twice, which a step would move twice; try to give it once")
    for p in tensors:
        if not isinstance(p, Tensor) or not p.is_floating_point():
            found = f"{p.dtype} tensor" if isinstance(p, Tensor) else type(p).__name__
            raise TypeError(f"params must hold real floating-point tensors, got a {found}; try model.parameters()")
        if differentiable and p.is_leaf and p.requires_grad:
            raise ValueError("differentiable=True cannot move a leaf that requires grad; try p = w.clone()")
        if not differentiable and not (p.is_leaf or p.retains_grad):
            raise ValueError("params holds a computed tensor, not a leaf; try p.detach().requires_grad_()")


def _check_group(group: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in group.items():
        if name not in (*known, *_NOT_IN_A_FORMULA):
            raise TypeError(f"{name!r} is not an option here; the options are {', '.join(known)}")
        if name in known:
            number = value.item() if name == "lr" and isinstance(value, Tensor) and value.ndim == 0 else value
            _an_option(name, known[name])(name, number)
    if group.get("nesterov") and (group["momentum"] == 0 or group["dampening"] != 0):
        found = f"momentum={group['momentum']} and dampening={group['dampening']}"
        raise ValueError(f"nesterov needs momentum above 0 and dampening 0, got {found}; try momentum=0.9")


def _an_option(name: str, default: Any) -> Check[Any]:
    """The default in the formula tells what is allowed: a flag, a pair of numbers or one number."""
    if isinstance(default, bool):
        return a_switch(example=default)
    if isinstance(default, tuple):
        each = a_number(0, below=1, example=default[0])
        return a_tuple(each, len(default), of="two numbers", kinds=(tuple, list), example=default)
    return a_number(0, below=1 if name == "alpha" else None, example=default)
