"""What is a loss function given? How its input was made, and a few numbers of input and target."""

import weakref
from collections import deque

import torch
from torch import Tensor

from course_utils.doctor import measures, vitals
from course_utils.doctor.batches import Batches
from course_utils.doctor.calls import Call
from course_utils.doctor.events import LossComputed, LossRefused, Stretched
from course_utils.doctor.graph import bounded_by, nodes, operation, sequence, squashed_by, squashes_batch
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.recording import LossHead, Refused
from course_utils.doctor.values import first_line, near, wide

__all__ = ["MEAN", "Heads", "refused"]

MEAN = 1  # the number of reduction="mean" in torch's core

_LATEST = 8  # calls of models that are remembered
_BEHIND = 64  # operations between scores and the model that made them
_AMOUNTS = ("mse", "l1", "smooth_l1", "huber")
_CLASSES = ("cross_entropy", "nll")


class Heads:
    """Looks at each call of a loss function, and at the latest call of a model before it."""

    def __init__(self, ledger: Ledger, batches: Batches) -> None:
        self._ledger, self._batches = ledger, batches
        self._calls = deque[tuple[weakref.ref[Tensor] | None, Call]](maxlen=_LATEST)

    def forward(self, inputs: Tensor | None, call: Call) -> None:
        """A model was called with ``inputs``."""
        self._calls.append((None if inputs is None else weakref.ref(inputs), call))

    def kind_of(self, event: LossComputed) -> LossHead:
        """In which way the loss function was called."""
        inputs, target = event.inputs, event.target
        return LossHead(
            event.kind,
            squashed_by(inputs.grad_fn),
            with_gradients=event.output.requires_grad,
            bounded=bounded_by(inputs.grad_fn),
            over_batch=squashes_batch(inputs.grad_fn),
            broadcast=_stretched(inputs, target) if event.kind in _AMOUNTS else "",
            swapped=target.requires_grad and not inputs.requires_grad,
        )

    def stretched(self, event: Stretched, step: int) -> Call:
        """A difference was stretched; by accident where neither side was given its dimension on the spot."""
        sides = [event.one, event.other]
        accident = sum(side.grad_fn is not None for side in sides) == 1 and not any(map(_given_a_dimension, sides))
        shapes = " against ".join("(N, 1)" if side.dim() == 2 else "(N)" for side in sides)
        kind = LossHead("difference", broadcast=shapes if accident else "")
        return Call(kind, sequence(event.output), step)

    def notes(self, event: LossComputed, step: int) -> list[Note]:
        """A few numbers of input and target."""
        kind, scores, target = event.kind, near(event.inputs), near(event.target)
        found = [Note(measures.Labels, kind, step, vitals.of_labels(target))]
        if scores.dim() >= 2 and scores.shape[1] >= 2:
            found.append(Note(measures.ScoreRows, kind, step, vitals.of_rows(scores)))
        if kind in _AMOUNTS and target.is_floating_point():
            found.append(Note(measures.HeadScale, kind, step, vitals.of_amounts(scores, target)))
        of_classes = kind in _CLASSES and not target.is_floating_point() and scores.dim() == target.dim() + 1 >= 2
        of_two = kind == "bce_with_logits" and scores.numel() == target.numel()
        if (of_classes or of_two) and target.numel():
            found.append(Note(measures.Balance, kind, step, vitals.of_balance(scores, target)))
        if of_classes:
            found += self._against_inputs(event, step)
        return found

    def _against_inputs(self, event: LossComputed, step: int) -> list[Note]:
        """How labels stand to the inputs of the model whose scores they judge: one label an input, or one a token."""
        target = event.target
        reference, call = self._nearest(event.inputs)
        inputs = None if reference is None else reference()
        if inputs is None or call is None:
            return []
        batch = call.batch
        if batch is not None and target.dim() == 1 and len(target) == len(inputs) and inputs.is_floating_point():
            self._batches.labelled(batch, target)
        if inputs.is_floating_point() or inputs.dtype == torch.bool or inputs.numel() != target.numel():
            return []
        if inputs.dim() < 2 or inputs.shape[1] < 2:
            return []
        tokens, labels = (near(side.detach()).reshape(-1).long() for side in (inputs, target))
        copied = Note(measures.Copied, None, step, {"share": wide(tokens == labels).mean()})
        counts = event.ignored if event.reduction == MEAN else None
        return [copied, Note(measures.Padding, event.kind, step, vitals.of_padding(tokens, labels, counts))]

    def _nearest(self, scores: Tensor) -> tuple[weakref.ref[Tensor] | None, Call | None]:
        """The latest call that has made these ``scores``, with what the model was given."""
        known = {call.sequence: (reference, call) for reference, call in self._calls}
        behind = nodes(scores.grad_fn, _BEHIND) if scores.grad_fn is not None else ()
        found = (known.get(int(node._sequence_nr())) for node in behind)
        return next((pair for pair in found if pair is not None), (None, None))


def refused(event: LossRefused) -> Refused:
    """What a loss function did not take."""
    inputs, target = event.inputs, event.target
    low, high = (target.min().item(), target.max().item()) if target.numel() else (0, 0)
    return Refused(
        kind=event.kind,
        dtype=str(target.dtype).removeprefix("torch."),
        low=float(low),
        high=float(high),
        classes=inputs.shape[1] if inputs.dim() > 1 else inputs.shape[-1] if inputs.dim() else 0,
        message=first_line(event.error),
    )


def _given_a_dimension(tensor: Tensor) -> bool:
    """Whether ``tensor`` is a view of one with fewer dimensions, as ``x[:, None]`` is."""
    node = tensor.grad_fn
    if node is None:
        return tensor._base is not None and tensor._base.dim() < tensor.dim()
    source = node.next_functions[0][0] if operation(node) in ("Unsqueeze", "View", "UnsafeView") else None
    return source is not None and len(source._input_metadata[0].shape) < tensor.dim()


def _stretched(inputs: Tensor, target: Tensor) -> str:
    """How ``(N, 1)`` and ``(N,)`` become ``(N, N)``: each is repeated along the other, one of them over the batch."""
    if inputs.shape != target.shape or not inputs.dim():
        return ""
    repeated = [_repeated(tensor) for tensor in (inputs, target)]
    if not all(repeated) or 0 not in repeated[0] | repeated[1] or repeated[0] & repeated[1]:
        return ""
    sizes = [_before(tensor, those) for tensor, those in zip((inputs, target), repeated, strict=True)]
    return " against ".join(f"({', '.join(size)})" for size in sizes)


def _repeated(tensor: Tensor) -> set[int]:
    """The dimensions along which the same numbers come again."""
    return {
        dim for dim, (size, step) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)) if size > 1 and not step
    }


def _before(tensor: Tensor, repeated: set[int]) -> list[str]:
    """The sizes before ``tensor`` was stretched, the batch's as N."""
    sizes = [
        "1" if dim in repeated else "N" if size == len(tensor) else str(size) for dim, size in enumerate(tensor.shape)
    ]
    return sizes[1:] if 0 in repeated else sizes
