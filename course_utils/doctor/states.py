"""Which ``state_dict()`` is only another name for the model? Follows those that are kept while the training goes on."""

import gc
import weakref
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.doctor.measures import Overwritten
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.recording import KeptState
from course_utils.doctor.values import wide

__all__ = ["States"]

_OLD = 3  # updates after which a state was meant to be kept
_SCANS = 4
_LOADS = 8  # of a block that are followed
_SAMPLE = 64  # numbers of a weight matrix that are compared
_ALIKE = 0.5  # correlation above which weights are still those that were loaded
_TRAINED = 10  # updates after which weights are trained ones


@dataclass(slots=True)
class _Taken:
    state: weakref.ref[Any]
    addresses: frozenset[int]
    step: int
    before: float  #: the sum of its numbers when it was taken
    facts: KeptState | None = None
    excused: bool = False  #: written to a file, or copied


class States:
    """The states taken since the first update."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._loads = 0
        self._unused: list[tuple[weakref.ref[nn.Module], dict[str, Tensor]]] = []  # what was loaded into a model
        self._taken: list[_Taken] = []
        self._scans = 0
        self._latest: tuple[weakref.ref[Any], int] | None = None
        self._sums: dict[float, int] = {}
        self.resumed: list[tuple[int, int]] = []  #: updates before trained weights were taken, and were loaded again
        self.onto_itself = 0  #: how often a model's own, latest state was loaded into that very model

    def taken(self, module: nn.Module, state: Any, step: int) -> None:
        """``module.state_dict()`` has returned ``state``, after ``step`` updates."""
        if state:
            self._latest = weakref.ref(state), step
        if step and state:
            self._taken = [one for one in self._taken if one.state() is not None or one.facts is not None][-20:]
            tensors = (*module.parameters(), *module.buffers())
            addresses = frozenset(tensor.data_ptr() for tensor in tensors if tensor.numel())
            self._taken.append(_Taken(weakref.ref(state), addresses, step, _sum(state)))
            if step >= _TRAINED:
                self._sums[self._taken[-1].before] = step

    def saved(self) -> None:
        """Something was written to a file: that may have been all that the state was taken for."""
        for one in self._taken:
            one.excused = one.excused or one.state() is not None

    def loaded(self, module: nn.Module, state: Any, step: int) -> None:
        """``state`` is about to be loaded into ``module``."""
        own = {tensor.data_ptr() for tensor in module.parameters() if tensor.numel()}
        self._unused = [pair for pair in self._unused if pair[0]() not in (None, module)]
        if self._loads < _LOADS:
            self._loads += 1
            self._unused.append((weakref.ref(module), _matrices(state)))
        if self._latest is not None and self._latest[0]() is state and self._latest[1] == step:
            self.onto_itself += own <= {tensor.data_ptr() for tensor in _tensors(state)}
        elif (taken := self._sums.get(_sum(state))) is not None and not any(
            one.state() is state for one in self._taken
        ):
            self.resumed.append((taken, step))
        for one in self._taken:
            if one.state() is state and step > one.step and own & one.addresses:
                facts = self._look(one, step)
                one.facts = replace(facts, loaded=True) if facts is not None else one.facts

    def used(self, module: nn.Module, step: int) -> None:
        """``module`` is called: are its weights still those that were loaded?"""
        within = {id(part) for part in module.modules()} if self._unused else set()
        for part, before in [(part(), before) for part, before in self._unused]:
            now = {} if part is None or id(part) not in within else _matrices(part.state_dict(keep_vars=True))
            likeness = [_likeness(before[name], now[name]) for name in before if name in now]
            changed = [value for value in likeness if value < _ALIKE]
            if len(changed) > max(1, len(likeness) / 2) and likeness[0] < _ALIKE:
                numbers = {"loaded": len(likeness), "overwritten": len(changed), "likeness": max(changed)}
                values = {name: torch.tensor(float(value)) for name, value in numbers.items()}
                self._ledger.add(Note(Overwritten, None, step, values))
        self._unused = [(part, before) for part, before in self._unused if id(part()) not in within]

    def look(self, step: int) -> None:
        """Notice what is still kept after ``step`` updates."""
        for one in self._taken:
            if one.facts is None and not one.excused and step >= one.step + _OLD:
                facts = self._look(one, step)
                if facts is not None and self._scans < _SCANS:
                    self._scans += 1
                    one.excused = _copied(one.state())
                    one.facts = None if one.excused else facts

    def facts(self) -> tuple[KeptState, ...]:
        """The states that were kept without a copy."""
        return tuple(
            one.facts for one in self._taken if one.facts is not None and not (one.excused and not one.facts.loaded)
        )

    def _look(self, one: _Taken, step: int) -> KeptState | None:
        state = one.state()
        tensors = [] if state is None else _tensors(state)
        if not tensors or _sum(state) == one.before:
            return None  # gone, or the model has not been trained further
        shared = sum(tensor.data_ptr() in one.addresses for tensor in tensors)
        return KeptState(one.step, step - one.step, shared, len(tensors)) if shared else None


def _sum(state: Any) -> float:
    values = [value for value in _tensors(state) if value.is_floating_point() and value.dim()]
    return sum(float(wide(value.detach()[:1000]).sum()) for value in values)


def _matrices(state: Any) -> dict[str, Tensor]:
    """Some numbers of each weight matrix of ``state``."""
    whole = {name: value.detach() for name, value in state.items() if isinstance(value, Tensor) and value.dim() > 1}
    return {
        name: wide(value.reshape(-1)[:: value.numel() // _SAMPLE + 1]).cpu().clone()
        for name, value in whole.items()
        if value.is_floating_point() and value.numel() >= _SAMPLE // 4
    }


def _likeness(one: Tensor, other: Tensor) -> float:
    """The correlation of two rows of numbers, 0 where they do not fit."""
    if one.shape != other.shape:
        return 0.0
    return 1.0 if one.equal(other) else float(torch.corrcoef(torch.stack([one, other]))[0, 1].nan_to_num(0.0))


def _tensors(state: Any) -> list[Tensor]:
    return [value for value in state.values() if isinstance(value, Tensor)]


def _copied(state: Any) -> bool:
    """Whether another dict holds tensors of the names in ``state``, which has some, in a memory of its own.

    A foreign object is known by its type: asked for its class or its items, a proxy would answer for another or raise.
    """
    name, tensor = next(pair for pair in state.items() if isinstance(pair[1], Tensor))
    for thing in gc.get_objects():
        if issubclass(type(thing), dict) and thing is not state and dict.__contains__(thing, name):
            other: Any = dict.get(thing, name)
            copied = issubclass(type(other), Tensor) and other.data_ptr() != tensor.data_ptr()
            if copied and dict.keys(thing) == state.keys():
                return True
    return False
