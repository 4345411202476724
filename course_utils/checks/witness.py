"""What does an answer do with the network that it is given? Hooks see its mode, and the graphs that are kept."""

from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from course_utils.checks.verdict import NotYetError

__all__ = ["Graphs", "Modes"]


class Modes:
    """Sees whether ``model`` learns in evaluation mode, or is left in it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._learned_so = False
        for module in model.modules():
            module.register_forward_pre_hook(lambda module, _: self._look(module))

    @property
    def wrong(self) -> bool:
        """Whether a pass with gradients was made by a part in evaluation mode, or a part is in it now."""
        return self._learned_so or not all(module.training for module in self._model.modules())

    def check(self) -> None:
        """Refuse in words what was wrong."""
        if self.wrong:
            raise NotYetError(
                "the network learned in evaluation mode, or was left in it; leave model.eval() out, or call "
                "model.train() behind it"
            )

    def _look(self, module: nn.Module) -> None:
        self._learned_so |= torch.is_grad_enabled() and not module.training


class Graphs:
    """Counts the graphs of the outputs of ``model`` that are alive, or with ``learned`` those that backward has walked.

    A hook on each output holds a token. It lives as long as the node that made the output.
    """

    def __init__(self, model: nn.Module, *, learned: bool = False) -> None:
        self.most_alive = 0
        self._alive: WeakSet[_Token] = WeakSet()
        self._learned = learned
        model.register_forward_hook(lambda module, given, output: self._follow(output))

    def count(self, *_: Any) -> None:
        """Look how many are alive now: a hook for before an optimizer's step."""
        self.most_alive = max(self.most_alive, len(self._alive))

    def _follow(self, output: Any) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            token = _Token()
            output.register_hook(lambda gradient: self._alive.add(token))  # type: ignore[no-untyped-call]
            if not self._learned:
                self._alive.add(token)


class _Token:
    """Something that a weak reference can watch."""
