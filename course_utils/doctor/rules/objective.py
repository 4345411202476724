"""Is what is minimised what was meant? A loss has an end that it cannot fall below."""

import math
from itertools import pairwise

from course_utils.doctor.measures import LossValue
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import rule
from course_utils.doctor.rules.effects import WILD
from course_utils.doctor.words import count, number

_PARTS = 6  # of the run, whose lowest losses are compared
_LEAST = 3 * _PARTS  # losses
_LAST = 4  # of these parts, that must fall by more and more
_FASTER = 1.1  # each fall beside the one before
_BEYOND = 5  # times the largest loss of the beginning


@rule(
    title="The loss falls below zero, and faster and faster: it has no lower end.",
    why="A term has the wrong sign, or a reward is paid for what can grow without limit: a penalty that is subtracted, "
    "a divergence that is maximised. The training does what it is told, and never arrives.",
    fix="loss = data_term + strength * penalty      # a penalty is added\n"
    "kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()      # never below 0",
    lesson="01_optimizer_overview.ipynb, section 2",
    explains=(*WILD, "learning-rate-too-low", "penalty-dominates", "not-finite"),
)
def loss_without_end(recording: Recording) -> str:
    """The lowest losses of the parts of the run fall by more and more, far below zero."""
    losses = [loss.value for loss in recording.measured(LossValue) if math.isfinite(loss.value)]
    size = len(losses) // _PARTS
    if len(losses) < _LEAST:
        return ""
    later = losses[-_PARTS * size :]
    lows = [min(later[part * size : (part + 1) * size]) for part in range(_PARTS)]
    falls = [before - after for before, after in pairwise(lows[-_LAST:])]
    faster = all(after > _FASTER * before > 0 for before, after in pairwise(falls))
    if not faster or lows[-1] > -_BEYOND * max(abs(loss) for loss in losses[:size]):
        return ""
    return (
        f"from {number(losses[0])} it fell to {number(lows[-1])} in {count(len(losses), 'backward pass')}; the lowest "
        f"of each sixth were {', '.join(map(number, lows))}"
    )
