"""Which models move without being trained? Follows those that are only measured: averages and target networks."""

import weakref
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from course_utils.doctor.recording import AverageFacts
from course_utils.doctor.values import wide

__all__ = ["Averages"]

_EVERY = 10  # updates between two looks at a model
_AT_MOST = 8  # models that are followed


@dataclass(slots=True)
class _Seen:
    module: weakref.ref[nn.Module]
    weights: float
    statistics: float
    step: int
    moved: bool = False
    still: bool = True


class Averages:
    """Whether the weights of a model that nobody trains move, and its batch statistics with them."""

    def __init__(self) -> None:
        self._trained: set[int] = set()
        self._seen: dict[int, _Seen] = {}

    def called(self, module: nn.Module, number: int, *, learning: bool, step: int) -> None:
        """A model was called from outside, ``learning`` if its output has a graph."""
        if learning:
            self._trained.add(number)
            self._seen.pop(number, None)
        elif number in self._seen:
            self._look(self._seen[number], step)
        elif number not in self._trained and len(self._seen) < _AT_MOST and _norms(module):
            self._seen[number] = _Seen(weakref.ref(module), _weights(module), _statistics(module), step)

    def facts(self, step: int) -> tuple[AverageFacts, ...]:
        """What became of each model that was measured and never trained, after ``step`` updates."""
        for seen in self._seen.values():
            self._look(seen, step + _EVERY)
        return tuple(
            AverageFacts(number, seen.moved, seen.still, step - seen.step) for number, seen in self._seen.items()
        )

    def _look(self, seen: _Seen, step: int) -> None:
        module = seen.module()
        if module is not None and step >= seen.step + _EVERY:
            seen.moved = seen.moved or _weights(module) != seen.weights
            seen.still = seen.still and _statistics(module) == seen.statistics


def _norms(module: nn.Module) -> list[_BatchNorm]:
    """Its batch normalisations that keep statistics."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None]


def _weights(module: nn.Module) -> float:
    with torch.no_grad():
        return float(sum(wide(parameter).sum() for parameter in module.parameters()))


def _statistics(module: nn.Module) -> float:
    tensors = [statistic for layer in _norms(module) for statistic in (layer.running_mean, layer.running_var)]
    return float(sum(wide(tensor).sum() for tensor in tensors if tensor is not None))
