"""Is it really the cause? The same steps from the same weights, with and without the cure: a ``Proof``."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from course_utils.doctor.copies import Unable
from course_utils.doctor.cures import changes
from course_utils.doctor.curves import picture
from course_utils.doctor.finding import SEVERITIES, Finding
from course_utils.doctor.recording import Recording
from course_utils.doctor.replay import Change, replay
from course_utils.doctor.tape import Differentiated, Tape
from course_utils.doctor.values import first_line
from course_utils.doctor.words import count, number

__all__ = ["Proof", "demoted", "prove"]

_CURVES = ("without", "cured")
_LONGER = 3  # times as many passes before a finding is demoted
_CHECKED = 10  # losses of the run that a replay must give again
_TOLERANCE = 1e-3  # relative; a GPU adds up in another order
_CLEAR = 0.02  # of the first loss: a gain that needs no further reason
_LEARNED = 0.2  # of the first loss: below it both curves have learned
_STILL = 0.01  # of the first loss: a curve that moves less says nothing


@dataclass(frozen=True, slots=True)
class Proof:
    """What a replay says of a finding: two curves of losses, of the same batches and from the same weights."""

    finding: Finding
    holds: bool | None  #: whether the cure helped; None where the replay cannot tell
    reason: str  #: why it holds, or not, or why there is no replay
    change: str = ""  #: what was done otherwise, in words
    without: tuple[float, ...] = ()  #: loss of each backward pass without the cure
    cured: tuple[float, ...] = ()  #: and with it
    seconds: float = 0.0  #: that all replays took

    def __str__(self) -> str:
        """The proof in a sentence with its numbers."""
        if not self.cured:
            return f"No proof of {self.finding.name}: {self.reason}."
        verdict = {True: "The cure helps", False: "The cure changes nothing", None: "The replay cannot tell"}
        return (
            f"{verdict[self.holds]} ({self.finding.name}): with {self.change} the loss went from "
            f"{number(self.cured[0])} to {number(_end(self.cured))}, without to {number(_end(self.without))}, in "
            f"{count(len(self.cured), 'backward pass')} on the same batches from the same weights; {self.reason}."
        )

    __repr__ = __str__

    def as_dict(self) -> dict[str, Any]:
        """The proof for ``json.dumps``: a loss that is not finite as text, the finding by its name."""
        shown = {name: [v if math.isfinite(v) else str(v) for v in getattr(self, name)] for name in _CURVES}
        said = {"finding": self.finding.name, "holds": self.holds, "reason": self.reason, "change": self.change}
        return {**said, **shown, "seconds": self.seconds}

    def _repr_html_(self) -> str:
        """Both curves as a picture, and the sentence below."""
        return picture(self.without, self.cured, said=str(self))


def prove(tape: Tape, finding: Finding, recording: Recording, *, passes: int) -> Proof:
    """Replay the steps of ``tape`` with each change that may cure ``finding``, until one helps.

    Args:
        tape: what was kept of the block; it does not change.
        finding: one of the report on that block.
        recording: of that block.
        passes: backward passes in each replay; three times as many before a cure is said to change nothing.
    """
    began = time.perf_counter()
    try:
        candidates = _candidates(tape, finding, recording)
        plain = _plain(tape, passes)
        best: Proof | None = None
        for change in candidates:
            proof = _tried(tape, finding, change, plain)
            if proof.holds is False:
                proof = _tried(tape, finding, change, replay(tape, Change(), passes=_LONGER * passes))
            if best is None or _order(proof) > _order(best):
                best = proof
            if proof.holds:
                break
        assert best is not None
    except Unable as reason:
        best = Proof(finding, None, str(reason))
    return replace(best, seconds=time.perf_counter() - began)


def demoted(finding: Finding, proof: Proof) -> Finding:
    """``finding`` one severity lower, and with the reason, where its cure changed nothing."""
    if proof.holds is not False:
        return finding
    lower = SEVERITIES[min(SEVERITIES.index(finding.severity) + 1, len(SEVERITIES) - 1)]
    said = f"{finding.seen.rstrip('.')}; but {str(proof)[0].lower()}{str(proof)[1:]}"
    return replace(finding, severity=lower, seen=said)


def _candidates(tape: Tape, finding: Finding, recording: Recording) -> list[Change]:
    if tape.missing:
        raise Unable(f"the steps cannot be replayed, for {tape.missing}; compare two short runs by hand")
    found = changes(finding.name, tape, recording)
    if not found:
        raise Unable("its cure is no change that a replay can make; apply it by hand and watch again")
    return found


def _plain(tape: Tape, passes: int) -> list[float]:
    """The losses of a replay without a change, which must be those of the run."""
    try:
        plain = replay(tape, Change(), passes=passes)
    except Unable:
        raise
    except Exception as error:
        raise Unable(f"the replay failed ({type(error).__name__}: {first_line(error)})") from error
    run = [float(entry.value / entry.factor) for entry in tape.entries if isinstance(entry, Differentiated)]
    for index, (was, now) in enumerate(zip(run[:_CHECKED], plain, strict=False)):
        same = abs(was - now) <= _TOLERANCE * max(abs(was), abs(now), 1e-6) or not math.isfinite(was + now)
        if not same:
            raise Unable(
                f"the loop does something that a replay does not: its loss {index} was {number(was)}, the replay's "
                f"{number(now)}; compare two short runs by hand"
            )
    if not run:
        raise Unable("no backward pass was kept")
    return plain


def _tried(tape: Tape, finding: Finding, change: Change, plain: list[float]) -> Proof:
    """One change, held against a replay without it of as many passes as ``plain`` has."""
    passes = len(plain)
    try:
        without = replay(tape, Change(shown=change.compared), passes=passes)
        cured = replay(tape, change, passes=passes)
    except Unable:
        raise
    except Exception as error:
        raise Unable(f"the replay with {change.said} failed ({type(error).__name__}: {first_line(error)})") from error
    holds, reason = _verdict(without, cured, change)
    return Proof(finding, holds, reason, change.said, tuple(without), tuple(cured))


def _verdict(without: Sequence[float], cured: Sequence[float], change: Change) -> tuple[bool | None, str]:
    """Whether ``cured`` is better for certain, and in which words."""
    start, last, best = without[0], _end(without), _end(cured)
    if not math.isfinite(last) or not math.isfinite(best):
        return (True, "without it the loss is no number") if math.isfinite(best) else (False, "the loss is no number")
    scale = max(min(abs(start), abs(cured[0])), 1e-12)
    tail = max(3, len(cured) // 3)
    gains = [(a - b) / scale for a, b in zip(without[-tail:], cured[-tail:], strict=True)]
    gain, fall = fmean(gains), (start - last) / scale
    # The second form holds also where one curve explodes, and its last losses outweigh all others.
    certain = gain > 3 * stdev(gains) / len(gains) ** 0.5 or sum(one > 0 for one in gains) >= 0.9 * len(gains)
    if certain and gain > min(_CLEAR, max(0.5 * fall, 5e-4)) and best < (1.5 if change.harm else 1.0) * scale:
        return True, f"better by {_told(gain)} of the first loss"
    if certain and gain > _CLEAR:
        return None, f"better by {gain:.3g} times the first loss, which it does not get below: something else is wrong"
    if change.harm and last < start:
        return None, "these steps do not show the fault"
    if max(abs(fall), abs(cured[0] - best) / scale) < _STILL:
        return None, "neither loss moves in so few steps"
    if max(last, best) < _LEARNED * scale:
        return None, "both learn these few batches by heart"
    if change.counted and gain < -_STILL:
        return None, "the fault is there all the same, and works like a larger learning rate in so few steps"
    return False, f"{'better' if gain > 0 else 'worse'} by {_told(abs(gain))} of the first loss"


def _told(share: float) -> str:
    return f"{share:.1%}" if share < 10 else f"{share:.3g} times"


def _end(losses: Sequence[float]) -> float:
    """The mean of the last third."""
    return fmean(losses[-max(3, len(losses) // 3) :])


def _order(proof: Proof) -> tuple[int, float]:
    """What makes one of several tries worth telling: that it holds, else that it cannot tell, then the lower loss."""
    end = _end(proof.cured)
    return {True: 2, None: 1, False: 0}[proof.holds], -end if math.isfinite(end) else -math.inf
