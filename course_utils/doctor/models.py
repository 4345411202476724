"""Which models are called, and which of their modules is at work? Follows the nesting of module calls."""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from course_utils.doctor.layers import Norms
from course_utils.doctor.recording import ModelFacts
from course_utils.doctor.registry import Registry

__all__ = ["Models", "has_parameters"]


class Models:
    """Numbers the modules that are called from outside any other module."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._facts: list[ModelFacts] = []
        self.calling: list[nn.Module] = []  #: the modules that are being called, from the outermost inwards
        self._first_seen = self._first_evaluation = False
        self._evaluated: dict[int, int] = {}  # updates before the latest call of a model in evaluation mode

    def enter(self, module: nn.Module, step: int, *, outermost: bool) -> None:
        """``module`` is called after this many updates, from outside where it is the ``outermost``."""
        if outermost:
            self.calling, self._first_seen = [], False
            self._first_evaluation = not module.training and self._evaluated.get(id(module)) != step
            if not module.training:
                self._evaluated[id(module)] = step
        self.calling.append(module)

    def leave(self) -> None:
        """The module that was called last has returned."""
        if self.calling:  # else its call had begun before the block
            self.calling.pop()

    def measured_while_dropping(self) -> bool:
        """Whether a model in evaluation mode is being called, and no layer that drops on its own switch calls."""
        return bool(self.calling) and not self.calling[0].training and (self.strange() or not self.calling[-1].training)

    def strange(self) -> bool:
        """Whether a layer that drops is being called by one in evaluation mode, and is no part of the model."""
        layer = self.calling[-1]
        if not isinstance(layer, _DropoutNd) or len(self.calling) < 2 or self.calling[-2].training:
            return False
        return all(layer is not one for one in self.calling[0].modules())

    def takes_first(self, module: nn.Module, *, measured: bool) -> bool:
        """Whether ``module`` is the first layer with weights in this call, and sensitive to the scale of its input.

        Only in a step that is ``measured``, and in the first call in evaluation mode after each step.
        """
        if self._first_seen or not (measured or self._first_evaluation) or not module._parameters or module._modules:
            return False
        self._first_seen = True
        return not isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm | nn.Embedding)

    def learns(self, module: nn.Module) -> bool:
        """Whether ``module`` has anything to learn, or is known to have had."""
        return self._registry.find(module) is not None or has_parameters(module)

    def number(self, module: nn.Module) -> int:
        """The number of a model."""
        number = self._registry.number(module)
        if number == len(self._facts):
            self._facts.append(ModelFacts(number, type(module).__name__, _sensitive(module), _repeated(module)))
        return number

    def facts(self, norms: Mapping[int, Norms]) -> tuple[ModelFacts, ...]:
        """Everything known of each model, with what its batch normalisations were given."""
        return tuple(_with(facts, norms.get(facts.number, Norms())) for facts in self._facts)


def has_parameters(module: nn.Module) -> bool:
    """Whether ``module`` has anything to learn (a loss function has not)."""
    return next(module.parameters(), None) is not None


def _with(facts: ModelFacts, norms: Norms) -> ModelFacts:
    return replace(facts, norms=norms.calls, tiny=norms.tiny, smallest=norms.smallest, moving=norms.frozen)


def _repeated(module: nn.Module) -> tuple[str, ...]:
    """Where in a ``Sequential`` or ``ModuleList`` a layer with weights stands that stood there before."""
    places = []
    for name, holder in module.named_modules():
        if isinstance(holder, nn.Sequential | nn.ModuleList):
            held = [(f"{name}.{place}".lstrip("."), layer) for place, layer in holder._modules.items()]
            weighty = [(place, id(layer)) for place, layer in held if layer is not None and [*layer.parameters()]]
            first = {number: place for place, number in reversed(weighty)}
            places += [place for place, number in weighty if first[number] != place]
    return tuple(places)


def _sensitive(module: nn.Module) -> tuple[str, ...]:
    """Classes of layers whose output differs between training and evaluation mode."""
    kinds = {
        type(layer).__name__
        for layer in module.modules()
        if (isinstance(layer, _DropoutNd) and layer.p > 0)
        or (isinstance(layer, _BatchNorm) and layer.track_running_stats)
    }
    return tuple(sorted(kinds))
