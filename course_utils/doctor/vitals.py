"""How do inputs, labels, scores and weights look? A few numbers of each, computed on the device and not yet read.

What is measured here comes by the names of the fields of its record in ``measures``.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.doctor.values import wide

__all__ = ["Snapshot", "fingerprints", "gradient_sizes", "norm", "of_amounts", "of_balance", "of_inputs", "of_labels",
           "of_padding", "of_rows"]  # fmt: skip

_ELEMENTS = 65_536  # of a parameter tensor that are compared
_IMAGES = 8  # of a batch that are looked at for their scale
_PIXELS = 4096  # of an image that are all summed up


def of_inputs(inputs: Tensor) -> dict[str, Tensor]:
    """An ``InputScale`` of the first few inputs."""
    flat = inputs.detach()[:_IMAGES].float()
    whole = (flat == flat.round()).float().mean()
    return {"low": flat.min(), "high": flat.max(), "size": flat.square().mean().sqrt(), "whole": whole}


def of_labels(labels: Tensor) -> dict[str, Tensor]:
    """The ``Labels`` of a batch."""
    flat = labels.detach().reshape(-1).float()
    changes = (flat[1:] != flat[:-1]).sum()
    count = torch.tensor(float(len(flat)), device=flat.device)
    return {"count": count, "low": flat.min(), "high": flat.max(), "first": flat[0].clone(), "changes": changes}


def of_rows(scores: Tensor) -> dict[str, Tensor]:
    """The ``ScoreRows`` of a batch."""
    rows = scores.detach().float()
    sums, off = rows.sum(dim=1), rows.logsumexp(dim=1).abs().max()
    return {"low": rows.min(), "least_sum": sums.min(), "largest_sum": sums.max(), "off_log_softmax": off}


def of_amounts(outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """The ``HeadScale`` of a batch."""
    flat = targets.detach().float()
    return {
        "size": outputs.detach().float().square().mean().sqrt(),
        "target_size": flat.square().mean().sqrt(),
        "target_low": flat.min(),
        "target_high": flat.max(),
        "below": (flat < 0).float().mean(),
        "above": (flat > 1).float().mean(),
        "beyond": (flat.abs() > 1).float().mean(),
    }


def of_balance(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The ``Balance`` of a batch: scores ``(batch, classes, ...)`` of classes, or one for each label."""
    named = scores.detach().argmax(dim=1) if scores.dim() > labels.dim() else (scores.detach() > 0).long()
    plain = torch.full((), float("nan"), device=labels.device)
    if scores.dim() == labels.dim():
        flat = scores.detach().float()
        plain = (nn.functional.softplus(flat) - flat * labels).mean()
    labels = labels.detach().long()
    counted = labels[labels >= 0]
    common = counted.mode().values if counted.numel() else torch.zeros((), device=labels.device)
    return {
        "count": torch.tensor(float(counted.numel()), device=labels.device),
        "common": wide(common),
        "share": wide(counted == common).mean(),
        "named": wide(named == common).mean(),
        "plain": plain,
    }


def of_padding(tokens: Tensor, labels: Tensor, ignored: int | None) -> dict[str, Tensor]:
    """The ``Padding`` of a batch: as many labels as tokens, flat; ``ignored`` None where the loss is no mean."""
    padding = tokens == tokens.mode().values
    label = labels[padding].mode().values
    counted = torch.tensor(float(ignored is not None), device=labels.device)
    return {
        "share": wide(padding).mean(),
        "alike": wide(labels[padding] == label).mean(),
        "counted": counted if ignored is None else wide(label != ignored),
    }


def fingerprints(inputs: Tensor) -> Tensor:
    """Two numbers for each input, float64 ``(2 * batch,)``: equal for equal images, whatever batch they are in."""
    some = inputs.detach()
    large = some.dim() == 4 and some[0].numel() > _PIXELS
    if large and min(some.shape[2:]) >= 16:  # every fourth pixel each way tells large images apart as well
        some = some[:, :, ::4, ::4]
    flat = wide(some).reshape(len(some), -1)
    # Sums of differently cut batches differ in the last bits: the upper 32 of 52 are kept, rounded.
    bits = (flat @ _weights(flat.shape[1], flat.device)).reshape(-1).view(torch.int64)
    return ((bits + (1 << 19)) >> 20 << 20).view(torch.float64)


@functools.lru_cache(maxsize=8)
def _weights(features: int, device: torch.device) -> Tensor:
    """``(features, 2)``: ones, for the sum of an image, and an irregular weight for each place.

    Rows of zeros and ones, or of other small whole numbers, have few sums, and few with any regular weights.
    """
    own = torch.Generator().manual_seed(features)  # drawn on the CPU: the same on every device
    irregular = torch.rand(features, dtype=torch.float64, generator=own)
    return torch.stack([torch.ones_like(irregular), irregular], dim=1).to(device)


def gradient_sizes(parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    """The ``GradientSizes`` of ``parameters``."""
    absent = torch.full((), float("nan"), device=parameters[0].device)
    gradients = [absent if p.grad is None else p.grad for p in parameters]
    return {"gradients": _norms(gradients), "weights": _norms(parameters)}


class Snapshot:
    """A part of each parameter tensor before a step, to measure what the step changes."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._before = _flat(parameters)

    def compare(self, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        """The ``UpdateSize`` of the step."""
        change = _flat(parameters) - self._before
        return {"change": norm(change), "before": norm(self._before), "changed": (change != 0).float().mean()}


def norm(tensor: Tensor) -> Tensor:
    """The Euclidean norm of all numbers in ``tensor``, 0-d, float32."""
    size: Any = torch.linalg.vector_norm(_dense(tensor))
    return size  # type: ignore[no-any-return]


def _norms(tensors: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of each."""
    return torch.stack(torch._foreach_norm([_dense(tensor) for tensor in tensors]))


def _dense(tensor: Tensor) -> Tensor:
    """The numbers of ``tensor``, float32, of a sparse one those that it holds."""
    held = tensor.detach().coalesce().values() if tensor.is_sparse else tensor.detach()
    return (torch.view_as_real(held) if held.is_complex() else held).float()


def _flat(parameters: Sequence[Tensor]) -> Tensor:
    """A part of each parameter tensor, one after the other, in memory of their own."""
    return torch.cat([_part(parameter).reshape(-1) for parameter in parameters])


def _part(parameter: Tensor) -> Tensor:
    whole = parameter.detach()
    if whole.numel() <= _ELEMENTS or whole.dim() == 0:
        return whole
    return whole[: max(1, len(whole) * _ELEMENTS // whole.numel())]
