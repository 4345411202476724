"""What explains what? The one table by which a finding that merely follows from another is left out."""

from collections.abc import Iterable

from course_utils.doctor.finding import SEVERITIES, Finding

__all__ = ["EXPLAINS", "ORDER", "ranked"]

_FLAT = ("learning-rate-too-low", "learning-rate-vanished", "vanishing-gradients", "dead-relus")
_WILD = ("learning-rate-too-high", "exploding-gradients", "dead-relus", "vanishing-gradients")
_NOTHING_LEARNS = (
    *_FLAT,
    "learning-rate-too-high",
    "scheduler-before-optimizer",
    "scheduler-never-stepped",
    "measuring-with-gradients",
    "parameters-not-in-optimizer",
    "loss-kept-with-graph",
)

EXPLAINS: dict[str, tuple[str, ...]] = {
    "labels-wrong-dtype": (*_NOTHING_LEARNS, "labels-out-of-range", "loss-without-gradient", "missing-step"),
    "labels-out-of-range": (*_WILD, "measuring-with-gradients", "measuring-in-train-mode"),
    "frozen-by-accident": (
        "loss-without-gradient",
        "missing-backward",
        "learning-rate-too-low",
        "learning-rate-vanished",
    ),
    "other-models-parameters": (*_NOTHING_LEARNS, "missing-backward", "loss-without-gradient", "zero-grad-before-step"),
    "loss-without-gradient": (*_NOTHING_LEARNS, "missing-backward", "missing-step"),
    "missing-backward": (
        *_NOTHING_LEARNS,
        "loss-without-gradient",
        "other-models-parameters",
        "measuring-in-train-mode",
    ),
    "missing-step": _NOTHING_LEARNS,
    "step-before-backward": (*_NOTHING_LEARNS, "zero-grad-before-step", "missing-backward", "missing-zero-grad"),
    "zero-grad-before-step": (*_NOTHING_LEARNS, "missing-backward"),
    "inputs-not-scaled": (*_WILD, "learning-rate-too-low"),
    "missing-zero-grad": (*_WILD, "learning-rate-too-low"),
    "unshuffled-labels": ("learning-rate-too-high", "learning-rate-too-low", "dead-relus"),
    "softmax-before-cross-entropy": (*_FLAT, "learning-rate-too-high"),
    "nll-loss-on-probabilities": (*_FLAT, *_WILD),
    "sigmoid-before-bce-with-logits": (*_FLAT, "learning-rate-too-high"),
    "scheduler-stepped-per-batch": ("learning-rate-vanished", "learning-rate-too-low", "scheduler-before-optimizer"),
    "loss-divided-twice": ("learning-rate-too-low",),
    "exploding-gradients": ("learning-rate-too-high", "dead-relus", "vanishing-gradients"),
    "learning-rate-too-high": ("dead-relus", "vanishing-gradients", "learning-rate-too-low"),
    "learning-rate-vanished": ("learning-rate-too-low",),
    "dead-relus": ("vanishing-gradients", "learning-rate-too-low"),
    "vanishing-gradients": ("learning-rate-too-low",),
    "trained-on-test-split": ("same-images-in-both-splits",),
}

# Causes before effects, among findings of one severity: first what stops the loop, last what only costs memory.
ORDER: tuple[str, ...] = (
    *EXPLAINS,
    "parameters-not-in-optimizer",
    "optimizer-recreated",
    "scheduler-before-optimizer",
    "scheduler-never-stepped",
    "eval-mode-while-training",
    "same-images-in-both-splits",
    "running-loss-is-a-tensor",
    "loss-kept-with-graph",
    "learning-rate-too-low",
    "measuring-in-train-mode",
    "measuring-with-gradients",
    "log-softmax-before-cross-entropy",
    "last-batch-in-running-loss",
)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """``findings`` without those that another one explains: most severe first, then most causal."""
    found = {finding.name: finding for finding in findings}
    explained = {
        effect for name, cause in found.items() if cause.severity != "note" for effect in EXPLAINS.get(name, ())
    }
    # Two that explain each other would both go: then the more causal one stays.
    kept = [f for name, f in found.items() if name not in explained or not _explained_by_earlier(name, found)]
    return tuple(sorted(kept, key=lambda finding: (SEVERITIES.index(finding.severity), ORDER.index(finding.name))))


def _explained_by_earlier(name: str, found: dict[str, Finding]) -> bool:
    return any(
        name in EXPLAINS.get(other, ()) and ORDER.index(other) < ORDER.index(name) and found[other].severity != "note"
        for other in found
    )
