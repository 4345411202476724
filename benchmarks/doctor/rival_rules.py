"""Which of our faults may a rule of another tool mean? In a generous reading, one table for each tool.

Only rules that say that something is wrong stand here: none on speed, hardware, seeds and style, of which the corpus
has no faults.
"""

__all__ = ["MEANS"]

_NOT_LEARNING = {"learning-rate-vanished", "learning-rate-too-low", "missing-step", "vanishing-gradients", "dead-relus",
                 "zero-grad-before-step", "missing-backward", "units-all-equal", "other-models-parameters"}  # fmt: skip
_WILD = {"learning-rate-too-high", "exploding-gradients", "not-finite", "missing-zero-grad"}
_NO_GRADIENT = {"loss-without-gradient", "frozen-by-accident", "tensor-not-registered", "vanishing-gradients",
                "dead-relus", "missing-backward", "zero-grad-before-step", "other-models-parameters",
                "softmax-over-batch"}  # fmt: skip

#: By tool and rule: the faults that a finding of this rule may mean.
MEANS: dict[str, dict[str, set[str]]] = {
    "torch-preflight": {
        "TG001": {"loss-kept-with-graph", "running-loss-is-a-tensor", "backward-from-running-sum"},
        "TG002": {"measuring-with-gradients", "backward-in-validation"}, "TG003": {"missing-zero-grad"},
        "TG005": {"softmax-before-cross-entropy", "log-softmax-before-cross-entropy", "nll-loss-on-probabilities"},
        "TG006": {"sigmoid-before-bce-with-logits"}, "TG011": {"eval-mode-while-training", "backward-in-validation"},
        "TG012": set(), "TG014": {"loss-divided-twice", "gradients-thrown-away", "loss-divided-for-nothing"},
    },
    "torch-audit": {
        "TA100": _WILD, "TA102": _WILD, "TA103": _NO_GRADIENT | _NOT_LEARNING, "TA104": _NO_GRADIENT | _NOT_LEARNING,
        "TA105": {"dead-relus", "units-all-equal"}, "TA301": {"inputs-not-scaled"},
        "TA302": {"batches-that-never-come", "inputs-not-scaled"}, "TA303": {"view-for-transpose"},
        "TA304": {"batch-norm-of-one"}, "TA305": {"not-finite", "labels-out-of-range"},
        "TA500": {"one-layer-in-several-places", "term-reaches-nothing"}, "TA501": {"one-layer-in-several-places"},
    },
    "gradsnitch": {
        "GS001": _WILD, "GS002": _WILD, "GS003": _WILD, "GS004": set(), "GS005": _NOT_LEARNING | _NO_GRADIENT,
        "GS006": _WILD, "GS007": _NO_GRADIENT | _NOT_LEARNING, "GS008": _WILD | _NOT_LEARNING, "GS009": _WILD,
        "GS010": {"scheduler-stepped-per-batch", "learning-rate-vanished", "factor-is-the-rate"},
    },
    "torchtest2": {
        "forward": {"stopped-by-an-error"}, "output_finite": {"not-finite"}, "output_varies": _NO_GRADIENT,
        "eval_determinism": set(), "loss": {"loss-without-gradient", "labels-out-of-range", "labels-wrong-dtype"},
        "initial_loss": {"exploding-gradients", "inputs-not-scaled", "targets-not-scaled", "nll-loss-on-probabilities"},
        "optimizer_coverage": {"parameters-not-in-optimizer", "other-models-parameters"},
        "gradient_flow": _NO_GRADIENT | {"term-reaches-nothing"}, "gradient_magnitude": _WILD,
        "params_change": _NOT_LEARNING | _NO_GRADIENT | {"parameters-not-in-optimizer"}, "frozen_params": set(),
        "input_dependency": {"units-all-equal", "dead-relus"},
        "batch_independence": {"batch-taken-for-time", "softmax-over-batch", "view-for-transpose"},
        "overfit_batch": _NOT_LEARNING | _WILD | _NO_GRADIENT | {"softmax-before-cross-entropy", "targets-out-of-reach",
            "nll-loss-on-probabilities", "loss-broadcast", "inputs-not-scaled", "targets-not-scaled"},
    },
}  # fmt: skip
