"""What do single layers get? Batches of one, the batch taken for time, tokens that are not looked at."""

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from course_utils.doctor.measures import TokensReached
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.recording import Sequences

__all__ = ["Layers", "Norms"]

_TOKENS = 512  # of a batch that are looked at


@dataclass(slots=True)
class Norms:
    """What the batch normalisations of one model were given in training mode."""

    calls: int = 0
    tiny: int = 0
    smallest: int = 0
    frozen: tuple[str, ...] = ()  #: names of those whose weights need no gradient


class Layers:
    """Looks at layers while their model is called."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._norms: list[tuple[nn.Module, int]] = []
        self._sequences: list[tuple[str, tuple[int, ...]]] = []
        self._counts: dict[str, list[Any]] = {}
        self._tokens: list[tuple[weakref.ref[nn.Embedding], Tensor]] = []
        self.of_models: dict[int, Norms] = {}

    def called(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """``module`` is called with ``args``."""
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if first is None or first.dim() == 0:
            return
        if isinstance(module, _BatchNorm):
            if module.training:
                self._norms.append((module, len(first)))
        elif isinstance(module, nn.Embedding):
            if module.weight.requires_grad:
                self._tokens = [*self._tokens[-7:], (weakref.ref(module), first.detach().reshape(-1)[:_TOKENS])]
        elif first.dim() == 3 and module.__dict__.get("batch_first") is False:
            self._sequences.append((type(module).__name__, tuple(first.shape)))

    def model_ended(self, module: nn.Module, model: int) -> None:
        """``module``, to which the latest calls belong, has returned."""
        known = self.of_models.setdefault(model, Norms())
        frozen = [norm for norm, _ in self._norms if norm.track_running_stats and _is_frozen(norm)]
        if frozen and not known.frozen:
            known.frozen = tuple(name for name, layer in module.named_modules() if layer in frozen)
        for _, size in self._norms:
            known.calls += 1
            known.tiny += size <= 2
            known.smallest = min(known.smallest or size, size)
        self._norms = []

    def head(self, target: Tensor, batch: tuple[int, ...] | None, batch_size: int | None) -> None:
        """A loss function is called on ``target``; the loader, if any, gave a tensor of the sizes ``batch``."""
        for kind, shape in dict(self._sequences).items():
            entry = self._counts.setdefault(kind, [0, 0, shape])
            entry[0] += 1
            rows = target.dim() >= 1 and len(target) == shape[0] and shape[1] not in target.shape[1:2]
            loaded = batch is not None and batch_size == shape[0] and batch[:2] == shape[:2]
            entry[1] += shape[0] != shape[1] and (rows or loaded)
        self._sequences = []

    def backward_ended(self, step: int) -> None:
        """Gradients are there: which of the tokens got one?"""
        for reference, ids in self._tokens:
            embedding = reference()
            gradient = None if embedding is None else embedding.weight.grad
            if gradient is None or gradient.is_sparse or embedding is None:
                continue
            used = ids.unique()  # type: ignore[no-untyped-call]
            used = used[used != embedding.padding_idx] if embedding.padding_idx is not None else used
            reached = (gradient[used] != 0).any(dim=1).sum()
            self._ledger.add(
                Note(TokensReached, None, step, {"used": torch.tensor(float(len(used))), "reached": reached})
            )
        self._tokens = []

    def sequences(self) -> tuple[Sequences, ...]:
        """What is known of each kind of layer that reads along the first dimension."""
        return tuple(Sequences(kind, calls, along, shape) for kind, (calls, along, shape) in self._counts.items())


def _is_frozen(norm: nn.Module) -> bool:
    return isinstance(norm.weight, Tensor) and not norm.weight.requires_grad
