"""Which models move without being trained? Follows those that are only measured: averages and target networks."""

import weakref
from dataclasses import dataclass
from math import isclose

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from course_utils.doctor.models import has_parameters
from course_utils.doctor.recording import UntrainedFacts
from course_utils.doctor.values import wide

__all__ = ["Untrained"]

_EVERY = 10  # updates between two looks at a model
_AT_MOST = 8  # models that are followed
_SAME = 1e-9  # equal numbers in another place of the memory may be added in another order


@dataclass(slots=True)
class _Seen:
    module: weakref.ref[nn.Module]
    kind: type
    weights: float
    statistics: float | None
    first: int  #: updates before it was first called
    latest: int  #: and before it was last called
    looked: int  #: and last looked at
    times: int = 1
    moved: bool = False
    still: bool = True


class Untrained:
    """Whether the weights of a model that nobody trains move, and its batch statistics with them."""

    def __init__(self) -> None:
        self._trained: dict[int, tuple[type, float]] = {}  # the kind of each, and its weights before
        self._seen: dict[int, _Seen] = {}

    def called(self, module: nn.Module, number: int, *, learning: bool, step: int) -> None:
        """A model was called from outside, ``learning`` if its output has a graph."""
        if learning:
            if number not in self._trained:
                self._trained[number] = type(module), _weights(module)
            self._seen.pop(number, None)
        elif number in self._seen:
            self._look(self._seen[number], step)
        elif number not in self._trained and len(self._seen) < _AT_MOST and has_parameters(module):
            weights, statistics = _weights(module), _statistics(module)
            self._seen[number] = _Seen(weakref.ref(module), type(module), weights, statistics, step, step, step)

    def facts(self, step: int) -> tuple[UntrainedFacts, ...]:
        """What became of each model that was measured and never trained, after ``step`` updates."""
        for seen in self._seen.values():
            self._compare(seen)
        return tuple(
            UntrainedFacts(
                number,
                seen.moved,
                seen.still and seen.statistics is not None,
                step - seen.first,
                seen.times,
                self._origin(seen),
            )
            for number, seen in self._seen.items()
        )

    def _origin(self, seen: _Seen) -> int | None:
        """The model that is trained, and began with the weights that ``seen`` has."""
        for number, (kind, weights) in self._trained.items():
            if kind is seen.kind and isclose(weights, seen.weights, rel_tol=_SAME, abs_tol=_SAME):
                return number
        return None

    def _look(self, seen: _Seen, step: int) -> None:
        seen.times += step > seen.latest
        seen.latest = step
        if step >= seen.looked + _EVERY:
            seen.looked = step
            self._compare(seen)

    def _compare(self, seen: _Seen) -> None:
        module = seen.module()
        if module is not None:
            seen.moved = seen.moved or _weights(module) != seen.weights
            seen.still = seen.still and _statistics(module) == seen.statistics


def _weights(module: nn.Module) -> float:
    with torch.no_grad():
        return float(sum(wide(parameter).sum() for parameter in module.parameters()))


def _statistics(module: nn.Module) -> float | None:
    """The sum of all running averages, None where there are none."""
    norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None]
    tensors = [statistic for layer in norms for statistic in (layer.running_mean, layer.running_var)]
    return float(sum(wide(tensor).sum() for tensor in tensors if tensor is not None)) if norms else None
