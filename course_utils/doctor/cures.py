"""Which cures can a machine apply? For each fault the changes to try in a replay, the most likely first."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.doctor.copies import tensors_in
from course_utils.doctor.recording import Recording
from course_utils.doctor.replay import Change
from course_utils.doctor.rules.learning import undivided
from course_utils.doctor.tape import Called, Cleared, Clipped, Differentiated, Entry, Scored, Stepped, Tape
from course_utils.doctor.values import wide
from course_utils.doctor.words import number

__all__ = ["CURES", "Cure", "changes"]

Cure = Callable[[Tape, Recording], list[Change]]
_TINY = 1e-12


def changes(name: str, tape: Tape, recording: Recording) -> list[Change]:
    """The changes that may cure the fault of this name; none where a machine cannot make them."""
    cure = CURES.get(name)
    return [] if cure is None else cure(tape, recording)


def _clearing(tape: Tape, recording: Recording) -> list[Change]:
    return [
        Change("the gradients cleared after every step, and nowhere else", order=_cleared_after_steps, counted=True)
    ]


def _cleared_after_steps(entries: list[Entry]) -> list[Entry]:
    """``entries`` with the gradients cleared at the start and after each step, and nowhere else."""
    kept = [entry for entry in entries if not isinstance(entry, Cleared)]
    return [
        Cleared(),
        *(one for entry in kept for one in ((entry, Cleared()) if isinstance(entry, Stepped) else (entry,))),
    ]


def _stepping(tape: Tape, recording: Recording) -> list[Change]:
    return [Change("a step, and then zero_grad, after the backward passes", order=_stepped_after_passes, counted=True)]


def _stepped_after_passes(entries: list[Entry]) -> list[Entry]:
    """``entries`` with a step behind as many backward passes as stood before one, each cleared afterwards."""
    steps = [entry for entry in entries if isinstance(entry, Stepped)]
    passes = sum(isinstance(entry, Differentiated) for entry in entries)
    every = max(1, round(passes / len(steps))) if steps else 1
    ordered, done = list[Entry]([Cleared()]), 0
    for entry in entries:
        if isinstance(entry, Stepped | Cleared):
            continue
        ordered.append(entry)
        if isinstance(entry, Differentiated):
            done += 1
            if done % every == 0:
                step = steps[min(done // every, len(steps)) - 1] if steps else Stepped(())
                ordered += [step, Cleared()]
    return ordered


def _smaller_steps(tape: Tape, recording: Recording) -> list[Change]:
    k = undivided(recording)
    divided = [Change(f"each loss divided by {k}", factor=1 / k, harm=True)] if k >= 2 else []
    scaled = [_scaled(tape, factor, harm=True) for factor in (0.1, 0.01, 0.001)]
    return divided + scaled + _usual(max(_rates(tape), default=0.0), below=0.001, harm=True)


def _larger_steps(tape: Tape, recording: Recording) -> list[Change]:
    return [_scaled(tape, factor) for factor in (10.0, 100.0, 1e3, 1e5)]


def _scaled(tape: Tape, factor: float, *, harm: bool = False) -> Change:
    lr = next(iter(_rates(tape)), 0.0)
    return Change(f"lr {number(lr * factor)} in place of {number(lr)}", rate=lambda _, lr: lr * factor, harm=harm)


def _rates(tape: Tape) -> list[float]:
    """The lr of each step, of the first group."""
    groups = [entry.settings[0] for entry in tape.entries if isinstance(entry, Stepped) and entry.settings]
    return [float(group.get("lr", 0.0)) for group in groups]


def _cadence(tape: Tape, recording: Recording) -> list[Change]:
    """The plan of a scheduler that was stepped too often, at the cadence that it was made for."""
    calls = sum(scheduler.steps for scheduler in recording.schedulers) / max(1, len(recording.updates))
    often, rates = round(calls), _rates(tape)
    if len(set(rates)) < 2:
        return []
    if often >= 2:
        said = "the scheduler stepped with the optimizer, not with every small batch"
        return [Change(said, rate=lambda step, _: rates[min(step // often, len(rates) - 1)])]
    return [Change(f"lr {number(rates[0])} for the whole epoch", rate=lambda _, lr: rates[0])]


def _awake(tape: Tape, recording: Recording) -> list[Change]:
    """A learning rate that does not vanish."""
    rates = _rates(tape)
    best = max(rates, default=0.0)
    kept = [Change(f"lr {number(best)} kept", rate=lambda _, lr: best)] if len(set(rates)) > 1 else []
    return kept + _usual(best)


def _usual(lr: float, *, below: float = math.inf, harm: bool = False) -> list[Change]:
    """Learning rates that are often right, those ``below`` so many times ``lr``."""
    return [
        Change(f"lr {number(usual)} in place of {number(lr)}", rate=partial(_always, usual), harm=harm)
        for usual in (0.1, 0.01, 0.001)
        if usual < below * lr or below == math.inf
    ]


def _always(lr: float, step: int, before: float) -> float:
    return lr


def _clipping(tape: Tape, recording: Recording) -> list[Change]:
    def clipped(entries: list[Entry]) -> list[Entry]:
        return [one for entry in entries for one in ((Clipped(1.0), entry) if isinstance(entry, Stepped) else (entry,))]

    return [Change("the gradients clipped to a norm of 1", order=clipped, harm=True)]


def _dividing(tape: Tape, recording: Recording) -> list[Change]:
    passes = sum(isinstance(entry, Differentiated) for entry in tape.entries)
    k = round(passes / max(1, len(_rates(tape))))
    return [Change(f"each loss divided by {k}, once", factor=1 / k)] if k >= 2 else []


def _head(said: str, kind: str, change: Callable[[Tensor], Tensor]) -> Cure:
    """Other numbers for the loss function of this kind; both curves show the loss of those numbers."""

    def cure(tape: Tape, recording: Recording) -> list[Change]:
        def given(inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
            return change(inputs), target

        kinds = {entry.kind for entry in tape.entries if isinstance(entry, Scored)}
        return [Change(said, learned=given, shown=given, compared=given)] if kinds == {kind} else []

    return cure


def _log(probabilities: Tensor) -> Tensor:
    """Scores whose softmax are these probabilities: the numbers before a softmax, up to a constant."""
    return probabilities.clamp_min(_TINY).log()


def _logit(probabilities: Tensor) -> Tensor:
    return torch.logit(probabilities, 1e-6)


def _paired(tape: Tape, recording: Recording) -> list[Change]:
    """Of all pairs of an output and a target, those that belong together."""

    def diagonal(inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return (inputs.diagonal(), target.diagonal()) if inputs.dim() == 2 else (inputs, target)

    return [Change("each output held against its own target", learned=diagonal, shown=diagonal, compared=diagonal)]


def _scaled_targets(tape: Tape, recording: Recording) -> list[Change]:
    """Targets of mean 0 and deviation 1; the curve shows the loss in the units of the targets."""
    mean, std = _spread([entry.target for entry in tape.entries if isinstance(entry, Scored)])

    def learned(inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return inputs, (target - mean) / std

    def shown(inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return inputs * std + mean, target

    said = f"targets less {number(mean)}, divided by {number(std)}"
    return [Change(said, learned=learned, shown=shown)] if std > 0 else []


def _scaled_inputs(tape: Tape, recording: Recording) -> list[Change]:
    inputs = [tensors_in(entry.args) for entry in tape.entries if isinstance(entry, Called)]
    mean, std = _spread([tensor for several in inputs for tensor in several])
    if any(len(several) != 1 for several in inputs):
        return []

    def given(tensor: Tensor) -> Tensor:
        return (tensor - mean) / std

    return (
        [Change(f"inputs less {number(mean)}, divided by {number(std)}", given=given, counted=True)] if std > 0 else []
    )


def _spread(tensors: list[Tensor]) -> tuple[float, float]:
    """Mean and standard deviation of all numbers."""
    if not tensors or not all(tensor.is_floating_point() for tensor in tensors):
        return 0.0, 0.0
    numbers = torch.cat([wide(tensor.reshape(-1)) for tensor in tensors])
    return float(numbers.mean()), float(numbers.std())


def _as_logs(tensor: Tensor) -> Tensor:
    """Log-probabilities of what an NLLLoss was given: the logarithm of probabilities, or log_softmax of scores."""
    probabilities = tensor.min() >= 0 and torch.allclose(tensor.sum(1), torch.ones_like(tensor.sum(1)), atol=1e-3)
    return _log(tensor) if probabilities else F.log_softmax(tensor, dim=1)


_SCORES = "the scores before the {} given to the loss function"
CURES: dict[str, Cure] = {
    "missing-zero-grad": _clearing,
    "zero-grad-before-step": _clearing,
    "gradients-thrown-away": _clearing,
    "step-before-backward": _stepping,
    "missing-step": _stepping,
    "learning-rate-too-high": _smaller_steps,
    "learning-rate-too-low": _larger_steps,
    "learning-rate-vanished": _awake,
    "scheduler-stepped-per-batch": _cadence,
    "exploding-gradients": _clipping,
    "loss-divided-twice": _dividing,
    "softmax-before-cross-entropy": _head(_SCORES.format("softmax"), "cross_entropy", _log),
    "sigmoid-before-bce-with-logits": _head(_SCORES.format("sigmoid"), "bce_with_logits", _logit),
    "nll-loss-on-probabilities": _head("log-probabilities given to the loss function", "nll", _as_logs),
    "kl-div-on-probabilities": _head("log-probabilities given to kl_div", "kl_div", _as_logs),
    "loss-broadcast": _paired,
    "targets-not-scaled": _scaled_targets,
    "inputs-not-scaled": _scaled_inputs,
}
