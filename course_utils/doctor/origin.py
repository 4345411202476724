"""Where did NaN come from? The first number that is not finite, found in the step in which it comes up."""

import math
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from course_utils.doctor.graph import nodes, operation
from course_utils.doctor.recording import NotFinite

__all__ = ["Origin"]

_PART = 65_536  # numbers of a tensor that are looked at in every step
_STEEP = ("Sqrt", "Pow", "LinalgVectorNorm", "Norm", "Log", "Log2", "Div", "Acos", "Asin", "Atan2", "Std", "Where")
_Weak = weakref.ref[Tensor] | None


class Origin:
    """Follows inputs, scores, targets, gradients and weights until one of them is not finite."""

    def __init__(self) -> None:
        self.found: NotFinite | None = None
        self._suspect: NotFinite | None = None
        self._inputs: _Weak = None
        self._made = False  # by a network that is watched, as the images of a generator are
        self._outputs: list[int] = []  # where the latest outputs of networks lie
        self._scores: _Weak = None
        self._loss: _Weak = None
        self._targets: list[weakref.ref[Tensor]] = []

    def forward(self, inputs: Tensor | None, output: Tensor) -> None:
        """A model has made ``output`` of ``inputs``."""
        self._inputs = None if inputs is None else weakref.ref(inputs)
        self._made = inputs is not None and self.made(inputs)
        self._outputs = [*self._outputs[-3:], output.data_ptr()]

    def made(self, inputs: Tensor) -> bool:
        """Whether a network has made these ``inputs`` just now."""
        return inputs.requires_grad or inputs.data_ptr() in self._outputs

    def head(self, scores: Tensor, target: Tensor) -> None:
        """A loss function is called."""
        self._scores = weakref.ref(scores)
        self._targets = [*self._targets[-3:], weakref.ref(target)]

    def backward_begins(self, loss: Tensor, weights: Iterable[Tensor], step: int) -> None:
        """A backward pass begins."""
        self._loss = weakref.ref(loss)
        if self.found is not None or loss.dim() or math.isfinite(float(loss)):
            return
        if any(not _finite(weight) for weight in weights):  # then inputs that a network made may be broken, too
            self.found = NotFinite("update", step, "some weights were no longer finite before the forward pass")
            return
        for name, tensors in (("inputs", [self._inputs]), ("targets", self._targets)):
            if said := _broken(tensors):
                made = self._made and name == "inputs"
                self.found = NotFinite("update" if made else name, step, said)
                return
        if said := _broken([self._scores]):
            self.found = NotFinite("forward", step, f"inputs and weights were finite, the scores were not: {said}")
        else:
            steep = _steep(loss)
            self.found = NotFinite("loss", step, f"inputs and weights were finite, the loss was {float(loss):g}{steep}")

    def backward_ended(self, gradients: Sequence[Tensor], step: int) -> None:
        """A backward pass from a loss that was finite left these ``gradients``; they count once a step has used them.

        Where each step uses those of one pass alone, ``step_ended`` looks at them soon enough.
        """
        if self.found is not None or self._suspect is not None or all(map(_finite, gradients)):
            return
        for name, tensors in (("targets", self._targets), ("inputs", [self._inputs])):
            if said := _broken(tensors):
                self._suspect = NotFinite(name, step, said, masked=True)
                return
        loss = None if self._loss is None else self._loss()
        value = "finite" if loss is None else f"{float(loss):.3g}"
        said = f"the loss was {value}, and its gradient was not finite{_steep(loss)}"
        self._suspect = NotFinite("backward", step, said, masked=True)

    def step_ended(self, optimizer: Optimizer, weights: Sequence[Tensor], step: int) -> None:
        """A step has used the gradients."""
        if self.found is not None or all(map(_finite, weights)):
            self._suspect = None
            return
        self.backward_ended([weight.grad for weight in weights if weight.grad is not None], step)
        suspect = self._suspect
        if suspect is None:
            kinds = " and ".join(sorted({str(weight.dtype).removeprefix("torch.") for weight in weights}))
            eps = getattr(optimizer, "defaults", {}).get("eps")
            small = f"; eps is {eps:g}" if eps is not None else ""
            if eps and any(torch.tensor(eps, dtype=weight.dtype) == 0 for weight in weights):
                small += f", which is 0 in {kinds}"
            said = f"loss and gradients were finite; {type(optimizer).__name__} made {kinds} weights NaN{small}"
            suspect = NotFinite("update", step, said, masked=True)
        self.found = suspect


def _broken(tensors: Sequence[Any]) -> str:
    """How many numbers of the first of ``tensors`` that has any are not finite."""
    for reference in tensors:
        tensor = None if reference is None else reference()
        if tensor is None or not tensor.is_floating_point() or _finite(tensor):
            continue
        wrong = int((~tensor.isfinite()).sum())
        if wrong:
            return f"{wrong} of {tensor.numel():,} numbers were not finite"
    return ""


def _finite(tensor: Tensor) -> bool:
    """Whether all of ``tensor``, or of its first part, is finite."""
    some = tensor.detach()
    if some.is_sparse or not some.is_floating_point():
        return True
    if some.numel() > _PART and some.dim():
        some = some[: max(1, len(some) * _PART // some.numel())]
    # A sum is NaN or infinite where one of its terms is, and costs less than a look at each.
    return math.isfinite(float(some.sum(dtype=torch.float32 if some.dtype.itemsize < 4 else None)))


def _steep(loss: Tensor | None) -> str:
    """The operations behind ``loss`` whose slope, or value, has no bound."""
    root = None if loss is None else loss.grad_fn
    kinds = {} if root is None else dict.fromkeys(operation(node) for node in nodes(root))
    steep = [kind.lower() for kind in kinds if kind in _STEEP]
    return f"; behind it stand {', '.join(steep)}" if steep else ""
