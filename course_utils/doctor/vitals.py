"""How do inputs, labels, scores and weights look? A few numbers of each, computed on the device and not yet read."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Snapshot", "fingerprints", "gradient_sizes", "of_inputs", "of_labels", "of_rows"]

_ELEMENTS = 65_536  # of a parameter tensor that are compared
_IMAGES = 8  # of a batch that are looked at for their scale


def of_inputs(inputs: Tensor) -> Tensor:
    """``(4,)`` of the first few inputs: smallest, largest, root mean square, and the share of whole numbers."""
    flat = inputs.detach()[:_IMAGES].float()
    whole = (flat == flat.round()).float().mean()
    return torch.stack([flat.min(), flat.max(), flat.square().mean().sqrt(), whole])


def of_labels(labels: Tensor) -> Tensor:
    """``(5,)``: how many, smallest, largest, first, and how often a label differs from the one before it."""
    flat = labels.detach().reshape(-1).float()
    changes = (flat[1:] != flat[:-1]).sum()
    count = torch.tensor(float(len(flat)), device=flat.device)
    return torch.stack([count, flat.min(), flat.max(), flat[0], changes.float()])


def of_rows(scores: Tensor) -> Tensor:
    """``(4,)`` of scores ``(batch, classes, ...)``: smallest, sums of rows from and to, distance from log-softmax."""
    rows = scores.detach().float()
    sums = rows.sum(dim=1)
    return torch.stack([rows.min(), sums.min(), sums.max(), rows.logsumexp(dim=1).abs().max()])


def fingerprints(inputs: Tensor) -> Tensor:
    """Two numbers for each input, float64 ``(2 * batch,)``: equal for equal images, whatever batch they are in."""
    some = inputs.detach()
    if some.dim() == 4 and min(some.shape[2:]) >= 16:  # every fourth pixel each way tells images apart as well
        some = some[:, :, ::4, ::4]
    flat = some.reshape(len(some), -1).double()
    return (flat @ _weights(flat.shape[1], flat.device)).reshape(-1)


@functools.lru_cache(maxsize=8)
def _weights(features: int, device: torch.device) -> Tensor:
    """``(features, 2)``: ones, for the sum of an image, and a ramp, which tells where its numbers stand."""
    ramp = torch.linspace(0, 1, features, dtype=torch.float64, device=device)
    return torch.stack([torch.ones_like(ramp), ramp], dim=1)


def gradient_sizes(parameters: Sequence[Tensor]) -> Tensor:
    """``(2 * tensors,)``: the norm of each gradient (NaN where there is none), then of each parameter tensor."""
    absent = torch.full((), float("nan"), device=parameters[0].device)
    gradients = [p.grad for p in parameters]
    norms = [absent if g is None else _norm(g) for g in gradients]
    return torch.stack([*norms, *(_norm(p) for p in parameters)])


class Snapshot:
    """A part of each parameter tensor before a step, to measure what the step changes."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._before = [_part(parameter).clone() for parameter in parameters]

    def compare(self, parameters: Sequence[Tensor]) -> Tensor:
        """``(3,)``: norm of the change, norm of the weights before it, share of the weights that changed at all."""
        pairs = [(_part(parameter), old) for parameter, old in zip(parameters, self._before, strict=True)]
        change = _norm(torch.stack([_norm(new - old) for new, old in pairs]))
        before = _norm(torch.stack([_norm(old) for _, old in pairs]))
        changed = torch.stack([(new != old).sum() for new, old in pairs]).sum()
        return torch.stack([change, before, changed / sum(old.numel() for _, old in pairs)])


def _part(parameter: Tensor) -> Tensor:
    whole = parameter.detach()
    if whole.numel() <= _ELEMENTS or whole.dim() == 0:
        return whole
    return whole[: max(1, len(whole) * _ELEMENTS // whole.numel())]


def _norm(tensor: Tensor) -> Tensor:
    norm: Any = torch.linalg.vector_norm(tensor.detach().float())
    return norm  # type: ignore[no-any-return]
