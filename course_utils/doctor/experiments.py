"""How does a model answer when it is asked? Experiments on copies, each of which changes one thing of a batch.

Every call is made on a copy of its own, in evaluation mode unless it is said otherwise, and with the same random
numbers; so two outputs differ by what was changed, and by nothing else. The modules are called, never traced.
"""

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.doctor.copies import Unable, aside, copied, tensors_in
from course_utils.doctor.recording import Probed
from course_utils.doctor.values import first_line, wide

__all__ = ["Batch", "look", "probe"]

Loss = Callable[[Any, Any], Tensor]
_ROWS = 32  # samples that are looked at
_FEW = 8  # samples that are learned by heart
_RATES = (1e-3, 1e-2, 1e-1)  # of Adam, to learn them
_NUDGE = 0.02  # of the size of the weights, so that a last layer that starts at 0 lets something through


@dataclass(frozen=True, slots=True)
class Batch:
    """What a model is tried out with."""

    inputs: Tensor  #: (samples, ...)
    target: Tensor | None = None  #: what the loss function is given; None where it is not known

    @property
    def paired(self) -> bool:
        """Whether there is a target for each sample."""
        return self.target is not None and self.target.shape[:1] == self.inputs.shape[:1]

    def first(self, rows: int) -> "Batch":
        """The first few samples; all where it is not known that the first dimension counts them."""
        if self.target is None:
            return Batch(self.inputs[:rows])
        return Batch(self.inputs[:rows], self.target[:rows]) if self.paired else self


def look(model: nn.Module, batch: Batch, loss_fn: Loss | None, *, causal: bool | None, steps: int) -> Probed:
    """All experiments for which there is what they need; ``steps`` is how long a batch is learned by heart."""
    probed = probe(model, batch, causal=causal)
    if loss_fn is None or batch.target is None:
        return replace(probed, skipped=(*probed.skipped, "the loss and one batch by heart, for no loss_fn was given"))
    experiments: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("the first loss", lambda: _first_loss(model, batch, copied(loss_fn))),
        ("one batch by heart", lambda: _by_heart(model, batch.first(_FEW), copied(loss_fn), steps)),
    )
    return _all_of(experiments, probed)


def probe(model: nn.Module, batch: Batch, *, causal: bool | None = None) -> Probed:
    """The experiments that need no loss function: the model's answers alone.

    Args:
        model: is copied for every call, and not touched.
        batch: on the device of the model.
        causal: whether outputs may not depend on later positions; None looks whether the targets are the next inputs.
    """
    certain = batch.paired and batch.target is not None and batch.target.dim() == 1
    batch = batch.first(_ROWS)
    experiments: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("determinism", lambda: _randomness(model, batch.inputs)),
        ("dependence on the input", lambda: _influence(model, batch.inputs)),
        ("independence of the samples", lambda: _mixing(model, batch, certain=certain)),
        ("causality", lambda: _foresight(model, batch, causal)),
    )
    return _all_of(experiments, Probed(samples=len(batch.inputs)))


def _all_of(experiments: Sequence[tuple[str, Callable[[], dict[str, Any]]]], probed: Probed) -> Probed:
    """``probed`` with what each experiment gives, or with the reason why it was not made."""
    for name, experiment in experiments:
        try:
            with aside():
                found = experiment()
            probed = replace(probed, **found, made=(*probed.made, name))
        except Unable as reason:
            probed = replace(probed, skipped=(*probed.skipped, f"{name}, for {reason}"))
        except Exception as error:  # of the reader's model, which is not to blame for what it was given
            said = f"{name}, for the copy failed ({type(error).__name__}: {first_line(error)})"
            probed = replace(probed, skipped=(*probed.skipped, said))
    return probed


# -- single experiments ---------------------------------------------------------------------------------------------


def _randomness(model: nn.Module, inputs: Tensor) -> dict[str, Any]:
    """How far two calls with one input are apart, and which random operation did it."""
    heard = _RandomOperations()
    with heard:
        first = _answer(model, inputs, seed=0)
    apart = _apart(first, _answer(model, inputs, seed=1))
    return {"random": apart, "drawn": tuple(dict.fromkeys(heard.names)) if apart else ()}


def _influence(model: nn.Module, inputs: Tensor) -> dict[str, Any]:
    """How far the outputs for two inputs are apart, with weights that are nowhere exactly 0."""
    other = _others(inputs)
    before, after = (_answer(model, these, nudge=True) for these in (inputs, other))
    return {"influence": _apart(before, after, floor=1e-6)}


def _mixing(model: nn.Module, batch: Batch, *, certain: bool) -> dict[str, Any]:
    """How far one half of the outputs moves when only the other half of the samples changes."""
    inputs, half = batch.inputs, len(batch.inputs) // 2
    if not certain and any(not getattr(layer, "batch_first", True) for layer in model.modules()):
        raise Unable("a layer reads time along the first dimension, which may be meant so")
    if batch.target is not None and not batch.paired:
        raise Unable(f"{len(inputs)} inputs and {len(batch.target)} targets do not tell which dimension is the batch")
    others = _others(inputs) if not torch.equal(_others(inputs), inputs) else inputs.flip(0)
    before = _answer(model, inputs)
    if len(before) != len(inputs):
        raise Unable(f"{len(inputs)} samples give {len(before)} outputs")
    # Both halves in turn: a layer that reads along the batch hands on from the first to the second alone.
    later = _answer(model, torch.cat([inputs[:half], others[half:]]))[:half]
    earlier = _answer(model, torch.cat([others[:half], inputs[half:]]))[half:]
    mixed = max(_apart(before[:half], later, of=before), _apart(before[half:], earlier, of=before))
    return {"mixed": mixed, "stateless": _stateless(model)}


def _foresight(model: nn.Module, batch: Batch, causal: bool | None) -> dict[str, Any]:
    """How far the outputs of early positions move when only later positions change."""
    inputs = batch.inputs
    if causal is False or (causal is None and not _next_inputs(batch)):
        raise Unable("causal=True was not asked for, and the targets are not the next inputs")
    if inputs.dim() < 2 or inputs.shape[1] < 3:
        raise Unable("the input has no positions, or fewer than 3")
    until = inputs.shape[1] // 2
    changed = torch.cat([inputs[:, :until], _others(inputs)[:, until:]], dim=1)
    before, after = _answer(model, inputs), _answer(model, changed)
    if before.dim() < 3 or before.shape[:2] != inputs.shape[:2]:
        raise Unable(f"inputs {tuple(inputs.shape)} give outputs {tuple(before.shape)}, without their positions")
    return {"foresight": _apart(before[:, :until], after[:, :until], of=before), "position": until}


def _first_loss(model: nn.Module, batch: Batch, loss_fn: Loss) -> dict[str, Any]:
    """The loss, and that of an even guess, where the targets are classes."""
    inputs, target = batch.inputs, batch.target
    assert target is not None
    net = copied(model)
    output = net(inputs)
    if not isinstance(output, Tensor) or target.is_floating_point() or output.dim() != target.dim() + 1:
        raise Unable("the targets are not class numbers, one for each row of scores")
    with torch.no_grad():
        classes = output.shape[1]
        guess = float(loss_fn(torch.full_like(output, -math.log(classes)), target))
        return {"loss": float(loss_fn(output, target)), "guess": guess, "classes": classes}


def _by_heart(model: nn.Module, batch: Batch, loss_fn: Loss, steps: int) -> dict[str, Any]:
    """The loss of a few samples before and after ``steps`` steps of Adam on them alone, at the best of three rates."""
    runs = list[tuple[float, float]]()
    for lr in _RATES:
        runs.append(_learned(model, batch, loss_fn, steps, lr))
        if runs[-1][1] < 0.5 * runs[-1][0]:
            break
    start, end = min(runs, key=lambda run: run[1] if math.isfinite(run[1]) else math.inf)
    if start <= 0 or start < 0.05:
        raise Unable("the loss is small or negative from the start")
    return {"learned": (start, end), "by_heart": len(batch.inputs), "steps": steps}


def _learned(model: nn.Module, batch: Batch, loss_fn: Loss, steps: int, lr: float) -> tuple[float, float]:
    _seed(0)
    net = copied(model).train()
    weights = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not weights:
        raise Unable("no weight of the model asks for a gradient")
    optimizer, losses = torch.optim.Adam(weights, lr=lr), list[Tensor]()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(net(batch.inputs.clone()), batch.target)
        if not loss.requires_grad:
            raise Unable("the loss has no graph")
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.detach())
    numbers = [float(loss) for loss in losses]
    return numbers[0], sum(numbers[-5:]) / len(numbers[-5:])


# -- what they share ------------------------------------------------------------------------------------------------


class _RandomOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which random operations torch performs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.names.append(str(func).split(".")[1].strip("_"))
        return func(*args, **(kwargs or {}))


def _answer(model: nn.Module, inputs: Tensor, *, seed: int = 0, nudge: bool = False) -> Tensor:
    """The first output of a copy in evaluation mode."""
    net = copied(model).eval()
    _seed(7)
    with torch.no_grad():
        for parameter in net.parameters() if nudge else ():
            if parameter.is_floating_point():
                size = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
                parameter += _NUDGE * torch.randn_like(parameter) * (size if size > 0 else 1.0)
        _seed(seed)
        found = tensors_in(net(inputs.clone()))
    if not found or not found[0].is_floating_point():
        raise Unable("the model gives no numbers that could be compared")
    return found[0]


def _seed(seed: int) -> None:
    """The same random numbers from torch, Python and numpy; ``aside`` puts their streams back."""
    torch.manual_seed(seed)
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)


def _others(inputs: Tensor) -> Tensor:
    """The same samples at other places, so that each place has another sample's numbers."""
    if len(inputs) < 2:
        raise Unable("there is only one sample")
    for shift in range(1, len(inputs)):
        other = inputs.roll(shift, 0)
        if not torch.equal(other, inputs):
            return other
    raise Unable("all samples are equal")


def _apart(one: Tensor, other: Tensor, of: Tensor | None = None, floor: float = 1e-3) -> float:
    """The largest difference, as a part of the spread of all outputs; 0.0 below ``floor``, where it is a rounding."""
    whole = wide(one if of is None else of)
    size = max(float(whole.std()) if whole.numel() > 1 else 0.0, 1e-3 * float(whole.abs().max()), 1e-12)
    if one.shape != other.shape:
        raise Unable("two calls give outputs of different shapes")
    found = float((wide(one) - wide(other)).abs().max()) / size
    if not math.isfinite(found):
        raise Unable("the outputs are not finite")
    return found if found > floor else 0.0


def _stateless(model: nn.Module) -> bool:
    """Whether a batch normalisation takes its averages from the batch in evaluation mode, too."""
    return any(isinstance(layer, _BatchNorm) and layer.running_mean is None for layer in model.modules())


def _next_inputs(batch: Batch) -> bool:
    """Whether each target is the next input."""
    inputs, target = batch.inputs, batch.target
    if target is None or inputs.dim() < 2 or target.numel() != inputs.numel() or inputs.shape[1] < 3:
        return False
    return torch.equal(target.reshape(inputs.shape)[:, :-1].to(inputs.dtype), inputs[:, 1:])
