"""How does one try out a model without a loop? ``examine()`` with one batch."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from course_utils.doctor.experiments import Batch, look
from course_utils.doctor.recording import Recording
from course_utils.doctor.report import Report

__all__ = ["examine"]


def examine(
    model: nn.Module,
    batch: Tensor | tuple[Tensor, Tensor],
    loss_fn: Callable[[Any, Any], Tensor] | None = None,
    *,
    causal: bool | None = None,
    steps: int = 100,
) -> Report:
    """Try out ``model`` on copies, with one batch, before it is trained; gives a ``Report``.

    Looked at are: whether the output depends on the input at all, on other samples of the batch, on later positions,
    or on chance in evaluation mode; with a loss function also whether the first loss is far above that of an even
    guess, and whether a few samples can be learned by heart. What could not be tried is said in the report, with the
    reason. Weights, buffers, gradients, modes and random streams (of torch on CPU and CUDA, of Python and of numpy)
    stay as they are, to the last bit.

    Args:
        model: is called as ``model(inputs)``; its first output tensor is looked at, ``(samples, ...)``.
        batch: ``inputs`` ``(samples, ...)``, or ``(inputs, targets)``, on the device of the model. 32 samples are used.
        loss_fn: is called as ``loss_fn(model(inputs), targets)``, and gives a loss of one number.
        causal: whether the outputs ``(samples, positions, ...)`` may depend on earlier positions alone; with None it
            is looked at where the targets are the next inputs.
        steps: updates in which 8 samples are learned by heart.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: ``steps`` is below 1, or ``batch`` is empty.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, got {type(model).__name__}; try doctor.examine(model, (x, y))")
    if loss_fn is not None and not callable(loss_fn):
        raise TypeError(f"loss_fn must be a function or None, got {loss_fn!r}; try loss_fn=F.cross_entropy")
    if causal is not None and not isinstance(causal, bool):
        raise TypeError(f"causal must be True, False or None, got {causal!r}; try causal=True")
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"steps must be an int, got {steps!r}; try steps=100")
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}; try steps=100")
    report = Report()
    report.fill(Recording(probed=look(model, _checked(batch), loss_fn, causal=causal, steps=steps)))
    return report


def _checked(batch: Any) -> Batch:
    parts = (batch,) if isinstance(batch, Tensor) else batch
    tensors = isinstance(parts, tuple | list) and all(isinstance(part, Tensor) for part in parts)
    if not tensors or not 1 <= len(parts) <= 2:
        raise TypeError(
            f"batch must be a tensor, or a pair of tensors (inputs, targets), got {type(batch).__name__}; "
            "try next(iter(loader))"
        )
    inputs, *targets = (part.detach() for part in parts)
    if not inputs.numel() or not inputs.dim():
        raise ValueError(f"batch must hold samples, got inputs of shape {tuple(inputs.shape)}; try next(iter(loader))")
    return Batch(inputs, *targets)
