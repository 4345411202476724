"""Whose gradient is this? For each parameter tensor: is its gradient fresh, cleared, or used by a step already?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.doctor.recording import TensorFacts, Update
from course_utils.doctor.registry import Registry
from course_utils.doctor.values import wide

__all__ = ["Gradients", "Watched", "parameters_of"]

_State = tuple[int, int] | None
_FEW = 3  # tensors whose numbers are compared, and
_NUMBERS = 16  # numbers of each, as .data leaves no other trace


@dataclass(slots=True)
class Watched:
    """What is known of one parameter tensor."""

    name: str
    model: int | None
    numel: int
    trainable: bool
    reached: int = 0
    optimizers: set[int] = field(default_factory=set)
    state: _State = None  #: address and version of its gradient when last looked at
    empty: bool = True  #: cleared since the last backward, or never filled
    used: bool = False  #: an optimizer step has used what the gradient holds
    mixed: bool = False  #: a backward has added to a gradient that was used before
    dims: int = 2
    passes: set[int] = field(default_factory=set)  #: backward passes whose gradients it holds
    first_sum: float | None = None  #: of its numbers, for a tensor that no model and no optimizer has shown
    moved: bool = False  #: whether such a tensor has changed since
    alike: int = 0  #: how often the weights of all its units were equal


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """All parameter tensors that ``optimizer`` holds."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class Gradients:
    """Follows the gradients of all parameters that models and optimizers have shown."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._watched: list[Watched] = []
        self._models = set[int]()
        self._stepped = set[int]()  # tensors that an optimizer has stepped since the latest backward pass began
        self._wiped = False  # whether gradients that a step had used were all 0 when last looked at
        self._pass = 0
        self._open: dict[int, bool] = {}  # backward passes whose gradients are held, and whether a step has used them
        self._reach: dict[int, frozenset[int]] = {}  # the optimizers whose parameters each pass has reached
        self.lost: set[int] = set()  #: backward passes whose gradients were cleared unused
        self.used: dict[int, set[int]] = {}  #: for each followed pass, the tensors whose gradients a step has used
        self._versions: dict[int, int] | None = None  # of each tensor, when things were settled
        self._numbers: dict[int, list[float]] = {}
        self.foreign = 0  #: backward passes that gave a gradient to a tensor seen only once, such as an input

    def watch_model(self, module: nn.Module, model: int, *, again: bool) -> None:
        """Watch the parameters of ``module``; of one that is known only where it is to be looked at ``again``.

        The first model to show a tensor names it.
        """
        if model in self._models and not again:
            return
        self._models.add(model)
        for name, parameter in module.named_parameters():
            if not parameter.is_leaf:  # ``functional_call`` puts tensors of its own in the places of parameters
                continue
            watched = self._watch(parameter)
            if watched.model is None:
                watched.name, watched.model = name, model

    def watch_optimizer(self, optimizer: Optimizer, number: int) -> list[Watched]:
        """Watch the parameters of ``optimizer``; returns what is known of each."""
        held = [self._watch(parameter) for parameter in parameters_of(optimizer)]
        for watched in held:
            watched.optimizers.add(number)
        return held

    def knows_any_of(self, optimizer: Optimizer) -> bool:
        """Whether any parameter of ``optimizer`` is watched already."""
        return any(self._registry.find(parameter) is not None for parameter in parameters_of(optimizer))

    def knows(self, tensor: Tensor) -> bool:
        """Whether a model or an optimizer has shown ``tensor``."""
        number = self._registry.find(tensor)
        return number is not None and self._watched[number].first_sum is None

    def numbers_of(self, parameters: Sequence[Tensor]) -> tuple[int, ...]:
        """The numbers of ``parameters``."""
        for parameter in parameters:
            self._watch(parameter)
        return tuple(self._registry.number(parameter) for parameter in parameters)

    def cleared(self, parameters: Iterable[Tensor]) -> None:
        """A ``zero_grad`` was called on ``parameters``."""
        for parameter in parameters:
            watched = self._watch(parameter)
            self._drop(watched)
            watched.empty, watched.used, watched.mixed = True, False, False
            watched.state = _state(parameter)

    def before_backward(self, *, closely: bool) -> None:
        """Notice what was cleared by hand since the last look, such as ``p.grad = None``.

        Args:
            closely: whether to look at the numbers, too: ``p.grad.data.zero_()`` leaves no other trace.
        """
        self._stepped = set()
        kept = []
        for watched, parameter in self._alive():
            state = _state(parameter)
            if state != watched.state:
                self._drop(watched)
                watched.used = False
                watched.state = state
            elif watched.used:
                kept.append((watched, parameter))
        if closely and kept:
            self._wiped = not any(bool(_held(parameter.grad).any()) for _, parameter in kept)
        for watched, _ in kept if self._wiped else ():
            self._drop(watched)
            watched.used = False

    def after_backward(self) -> list[Watched]:
        """Notice which gradients the backward pass has changed; returns what is known of those."""
        reached = []
        self._open[self._pass] = False
        for watched, parameter in self._alive():
            state = _state(parameter)
            if state != watched.state or id(watched) in self._stepped:  # a hook may step, and clear, in the pass itself
                stepped = id(watched) in self._stepped
                watched.state, watched.empty = state, state is None
                watched.mixed = (watched.mixed or watched.used) and not stepped
                watched.reached += 1
                if stepped:
                    self._open[self._pass] = True
                else:
                    watched.passes.add(self._pass)
                if watched.first_sum is None:
                    reached.append(watched)
        self._reach[self._pass] = frozenset(number for watched in reached for number in watched.optimizers)
        self._pass += 1
        return reached

    def leaves(self, tensors: Iterable[Tensor]) -> None:
        """A backward pass is about to reach ``tensors``: watch those that no model and no optimizer has shown."""
        known = [(tensor, self._registry.find(tensor)) for tensor in tensors]
        for tensor, number in known:
            if number is not None and self._watched[number].first_sum is not None:
                watched = self._watched[number]
                watched.moved = watched.moved or _sum(tensor) != watched.first_sum
        new = [tensor for tensor, number in known if number is None]
        self.foreign += bool(new)
        for tensor in new:
            watched = self._watch(tensor)
            watched.name = f"a tensor of shape {tuple(tensor.shape)}"
            watched.first_sum = _sum(tensor)

    def follow(self) -> int:
        """The number of the next backward pass, whose use by steps is to be noted tensor by tensor."""
        self.used[self._pass] = set()
        return self._pass

    def compare_units(self, optimizer: Optimizer) -> None:
        """Notice weights with a gradient whose units are all equal, after steps that should have parted them."""
        for parameter in parameters_of(optimizer):
            if parameter.dim() >= 2 and len(parameter) >= 3 and parameter.grad is not None:
                weight = parameter.detach()
                some = torch.stack([weight[1], weight[len(weight) // 2], weight[-1]])
                self._watch(parameter).alike += bool((some == weight[0]).all())

    def before_step(self, optimizer: Optimizer, number: int) -> Update:
        """What is known of an update of ``optimizer`` before its step: what it holds."""
        held = self.watch_optimizer(optimizer, number)
        others = sum(self._holds_of_others(watched, number) for watched in held)
        empty = stale = frozen = 0
        for watched, parameter in zip(held, parameters_of(optimizer), strict=True):
            self._use(watched, parameter)
            has_gradient = parameter.grad is not None
            by_hand = _state(parameter) != watched.state
            empty += not has_gradient or (watched.empty and not by_hand)
            stale += has_gradient and watched.mixed
            frozen += not parameter.requires_grad
        return Update(number, tensors=len(held), empty=empty, stale=stale, frozen=frozen, others=others)

    def _holds_of_others(self, watched: Watched, number: int) -> bool:
        """Whether the gradient holds a pass that another optimizer has stepped on, and one that is its own alone.

        Where the later one reaches others, too, the losses of several tasks may be meant to add up.
        """
        held = [(bool(self._open.get(one)), self._reach.get(one, frozenset()) - {number}) for one in watched.passes]
        return any(used and others for used, others in held) and any(not used and not others for used, others in held)

    def after_step(self, optimizer: Optimizer) -> None:
        """The gradients that ``optimizer`` holds are used now."""
        for parameter in parameters_of(optimizer):
            watched = self._watch(parameter)
            watched.state = _state(parameter)
            watched.used = watched.state is not None and not watched.empty
            watched.mixed = False
            self._stepped.add(id(watched))

    @property
    def passes(self) -> int:
        """Backward passes so far."""
        return self._pass

    def tensors(self) -> Iterator[Tensor]:
        """All tensors that are watched and in memory."""
        return (parameter for _, parameter in self._alive())

    def trainable(self) -> int:
        """Parameter tensors in memory that require a gradient."""
        return sum(_can_learn(parameter) for _, parameter in self._alive())

    def settle(self, *, closely: bool) -> None:
        """What changes from now on is not the work of an optimizer.

        Args:
            closely: whether to look at some numbers, too: a change through ``.data`` leaves no other trace.
        """
        self._versions = self._now()
        reached = [n for n, _ in self._registry.alive() if self._watched[n].reached] if closely else []
        self._numbers = {number: _some(self._registry.get(number)) for number in reached[-_FEW:]}

    def moved(self) -> bool:
        """Whether any parameter has changed since things were settled, or since this was last asked."""
        before, self._versions = self._versions, self._now()
        if before is None or any(before.get(number, now) != now for number, now in self._versions.items()):
            return before is not None
        pairs = [(self._registry.get(number), before) for number, before in self._numbers.items()]
        return any(parameter is not None and _some(parameter) != before for parameter, before in pairs)

    def _now(self) -> dict[int, int]:
        return {number: p._version for number, p in self._registry.alive() if not p.is_inference()}

    def name_of(self, parameter: Tensor) -> str:
        """The name of ``parameter`` in its model."""
        return self._watch(parameter).name

    def facts(self) -> tuple[TensorFacts, ...]:
        """Everything known of each parameter tensor."""
        for watched, parameter in self._alive():
            watched.trainable = _can_learn(parameter)
        return tuple(
            TensorFacts(
                w.name,
                w.model,
                w.numel,
                w.trainable,
                w.reached,
                tuple(sorted(w.optimizers)),
                w.dims,
                moved=w.moved,
                alike=w.alike,
            )
            for w in self._watched
        )

    def _drop(self, watched: Watched) -> None:
        """The gradient of ``watched`` is cleared: passes that no step has used are lost."""
        for number in watched.passes:
            if self._open.get(number) is False:
                self.lost.add(number)
        watched.passes.clear()

    def _use(self, watched: Watched, parameter: Tensor) -> None:
        """A step uses the gradient of ``watched``."""
        for number in watched.passes:
            self._open[number] = True
            self.lost.discard(number)
            if number in self.used:
                self.used[number].add(self._registry.number(parameter))
        if watched.passes and max(watched.passes) > 1000 and len(self._open) > 2000:
            self._open = {number: used for number, used in self._open.items() if number > self._pass - 1000}
            self._reach = {number: reach for number, reach in self._reach.items() if number in self._open}

    def _watch(self, parameter: Tensor) -> Watched:
        number = self._registry.number(parameter)
        if number == len(self._watched):
            state = _state(parameter)
            self._watched.append(
                Watched(
                    name=f"tensor {number + 1}",
                    model=None,
                    numel=parameter.numel(),
                    dims=parameter.dim(),
                    trainable=_can_learn(parameter),
                    state=state,
                    empty=state is None,
                )
            )
        return self._watched[number]

    def _alive(self) -> list[tuple[Watched, Any]]:
        return [(self._watched[number], parameter) for number, parameter in self._registry.alive()]


def _can_learn(parameter: Tensor) -> bool:
    """Whether a gradient may come: one without numbers never gets any."""
    return parameter.requires_grad and parameter.numel() > 0


def _sum(tensor: Tensor) -> float:
    return float(wide(tensor.detach()).sum())


def _some(tensor: Tensor) -> list[float]:
    """Some of the numbers of ``tensor``, from all over it."""
    flat = tensor.detach().reshape(-1)
    numbers: list[float] = flat[:: len(flat) // _NUMBERS + 1].tolist()
    return numbers


def _state(parameter: Tensor) -> _State:
    gradient = parameter.grad
    return None if gradient is None else (_held(gradient).data_ptr(), gradient._version)


def _held(gradient: Tensor) -> Tensor:
    """The numbers that ``gradient`` holds, if it is sparse, too."""
    return gradient._values() if gradient.is_sparse else gradient
