"""What do many faults look like from afar? Groups of findings that follow from one cause."""

__all__ = ["FLAT", "NOTHING_LEARNS", "WILD"]

FLAT = ("learning-rate-too-low", "learning-rate-vanished", "vanishing-gradients", "dead-relus")
WILD = ("learning-rate-too-high", "exploding-gradients", "dead-relus", "vanishing-gradients")
NOTHING_LEARNS = (
    *FLAT,
    "learning-rate-too-high",
    "scheduler-before-optimizer",
    "scheduler-never-stepped",
    "measuring-with-gradients",
    "parameters-not-in-optimizer",
    "loss-kept-with-graph",
)
