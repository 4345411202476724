"""Is my diagnosis right, and is the loop healthy now? The loop doctor judges the broken loops of notebook 04."""

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

from course_utils import doctor
from course_utils.arguments import shown
from course_utils.checks.verdict import NotYetError, explained, same_name
from course_utils.checks.visit import BATCHES, EPOCHS, IMAGES, Visit, easy_images, examined
from course_utils.doctor.rules import RULES
from course_utils.doctor.words import count, number

__all__ = ["check_diagnoses", "check_repairs", "easy_images"]

Loop = Callable[..., Any]

_PATIENTS = ("A", "B", "C", "D", "E")
_AVERAGED = 5  # losses at the start and at the end
_FALLEN_TO = 0.98  # of the first losses: a loop that learns at all gets there
_FIRST_LOSS_WITHIN = 0.5  # of the fresh network's loss: beyond that, losses are not those of this training
_CUT = {"C": 0.1}  # what the lr of the second half is of that of the first, where a schedule is prescribed


@explained
def check_diagnoses(loops: Mapping[str, Loop], diagnoses: Mapping[str, str | None]) -> str:
    """A verdict on the ``diagnoses``: under the same letter as each broken loop, the name of its fault."""
    patients, named = _by_letter(loops, "loops"), _by_letter(diagnoses, "diagnoses")
    if unknown := [letter for letter in named if letter not in patients]:
        raise NotYetError(f"expected the letters {', '.join(patients)}, got {', '.join(unknown)}")
    _check_different(patients)
    for letter, diagnosis in named.items():
        name = _listed_name(letter, diagnosis)
        first = _first_finding(examined(patients[letter]).report)
        if first is None:
            raise NotYetError(f"the doctor finds loop {letter} healthy; put the broken loop back to diagnose it")
        if name != first.name:
            raise NotYetError(f"loop {letter} is not {name!r}; a hint: {first.seen}")
    if missing := [letter for letter in patients if letter not in named]:
        raise NotYetError(f"{', '.join(named)}: the doctor agrees; still missing: {', '.join(missing)}")
    return _so_far(named, "the doctor agrees.") or f"{len(named)} loops, {len(named)} causes; the doctor agrees."


@explained
def check_repairs(loops: Mapping[str, Loop]) -> str:
    """A verdict on repaired ``loops``: they train, the doctor has nothing against them, and their loss falls."""
    patients = _by_letter(loops, "loops")
    _check_different(patients)
    visits = {letter: examined(loop) for letter, loop in patients.items()}
    if ill := [letter for letter, visit in visits.items() if _first_finding(visit.report)]:
        found = f"the doctor still finds faults in loop {', '.join(ill)}"
        raise NotYetError(f"{found}; %%doctor on top of a cell says which")
    for letter, visit in visits.items():
        _check_trains(letter, visit)
        _check_batches(letter, visit)
        _check_keeps(letter, visit)
        _check_schedule(letter, [update.lr for update in visit.updates])
        _check_learns(letter, visit)
    return _so_far(visits, "healthy, and learning.") or f"{len(loops)} loops, all healthy, and all learn."


# ------------------------------------------------------------------------------------------------- the letters


def _by_letter(given: Any, name: str) -> dict[str, Any]:
    """What is ``given`` for each patient; small letters and blanks are forgiven."""
    if not isinstance(given, Mapping) or not given:
        raise NotYetError(f"expected {name} by their letters, got {shown(given)}; leave the dict as it was")
    letters = [str(letter).strip().upper() for letter in given]
    if foreign := [letter for letter in letters if letter not in _PATIENTS]:
        raise NotYetError(f"expected the letters {', '.join(_PATIENTS)}, got {', '.join(foreign)}")
    if len(set(letters)) < len(letters):
        raise NotYetError(f"a letter stands twice among {', '.join(map(repr, given))}")
    return dict(zip(letters, given.values(), strict=True))


def _check_different(loops: Mapping[str, Any]) -> None:
    """Whether each loop is one of its own; what is no function is refused where it is called."""
    for one, other in combinations(loops, 2):
        if callable(loops[one]) and loops[one] == loops[other]:
            raise NotYetError(f"{one} and {other} are the same function; each letter has a loop of its own")


def _so_far(done: Mapping[str, Any], praise: str) -> str:
    """The ``praise`` for a part of the patients, and which are to come; nothing where all are done."""
    missing = [letter for letter in _PATIENTS if letter not in done]
    return f"{', '.join(done)}: {praise} Still to come: {', '.join(missing)}." if missing else ""


def _listed_name(letter: str, diagnosis: Any) -> str:
    """The name of the rule that ``diagnosis`` means; capitals, blanks and hyphens are forgiven."""
    if diagnosis is None:
        raise NotYetError(f"loop {letter} has no diagnosis yet; write a name from the list")
    name = next((rule.name for rule in RULES if same_name(diagnosis, rule.name)), None)
    if name is None:
        raise NotYetError(f"{diagnosis!r}, for loop {letter}, is no name from the list; copy one from there")
    return name


def _first_finding(report: doctor.Report) -> doctor.Finding | None:
    """The most severe finding; a note is no fault."""
    return next((finding for finding in report.findings if finding.severity != "note"), None)


# ------------------------------------------------------------------------------------------------- a sound loop


def _check_trains(letter: str, visit: Visit) -> None:
    made, wanted = len(visit.updates), EPOCHS * BATCHES
    if made != wanted:
        raise NotYetError(
            f"loop {letter} made {count(made, 'update')}; {EPOCHS} epochs of {BATCHES} batches are {wanted}"
        )
    if visit.untouched:
        raise NotYetError(
            f"loop {letter} left {visit.untouched} of the network's parameter tensors as they were; "
            "train the network that it is given, and all of it: model.parameters()"
        )
    if visit.evaluating:
        raise NotYetError(f"loop {letter} trains in evaluation mode, or leaves the network in it; call model.train()")


def _check_batches(letter: str, visit: Visit) -> None:
    """Whether every epoch shows all images, and each in batches of its own."""
    images = [update.images for update in visit.updates]
    epochs = [images[first : first + BATCHES] for first in range(0, len(images), BATCHES)]
    for which, epoch in enumerate(epochs, start=1):
        seen = len(frozenset[int]().union(*epoch) - {-1})
        if seen < IMAGES:
            raise NotYetError(
                f"loop {letter} trains on {seen} of the {IMAGES} images in epoch {which}; "
                "use every batch of loader.batches(epoch)"
            )
    if len({frozenset(epoch) for epoch in epochs}) < len(epochs):
        raise NotYetError(
            f"loop {letter} meets the same batches in more than one epoch; "
            "loader.batches(epoch) mixes the images anew for each number of an epoch"
        )


def _check_keeps(letter: str, visit: Visit) -> None:
    """Whether the optimizer keeps what it knows, and the loop nothing that has done its work."""
    if visit.forgot is not None:
        raise NotYetError(
            f"after {count(visit.forgot, 'update')} loop {letter} goes on with an optimizer that knows nothing of "
            "what was before; let one optimizer, with its state, live through all epochs"
        )
    if visit.graphs > 1:
        raise NotYetError(
            f"loop {letter} keeps up to {visit.graphs} graphs at once; let go of each before the next: "
            "keep loss.item() or loss.detach()"
        )


def _check_schedule(letter: str, lrs: list[float]) -> None:
    """Whether the lr falls where the loop's scheduler says, and there alone."""
    cut = _CUT.get(letter)
    if cut is None:
        return
    half = len(lrs) // 2
    wanted = [lrs[0]] * half + [cut * lrs[0]] * (len(lrs) - half)
    if all(math.isclose(lr, plan, rel_tol=1e-6) for lr, plan in zip(lrs, wanted, strict=True)):
        return
    by_epoch = ", ".join(f"{lr:.2g}" for lr in lrs[::BATCHES])
    raise NotYetError(
        f"loop {letter} begins its epochs with the lrs {by_epoch}; StepLR(2, 0.1) is meant to keep the lr for two "
        "epochs and then train on with a tenth, so step it once at the end of each epoch"
    )


def _check_learns(letter: str, visit: Visit) -> None:
    try:
        values = [float(loss) for loss in visit.losses]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        kind = type(visit.losses).__name__
        raise NotYetError(f"loop {letter} must return its losses, one for every batch, got {kind}") from error
    if len(values) < 2 * _AVERAGED:
        raise NotYetError(
            f"loop {letter} returned {count(len(values), 'loss')}; return one for every batch of every epoch"
        )
    if not all(map(math.isfinite, values)):
        odd = next(update for update, loss in enumerate(values, start=1) if not math.isfinite(loss))
        raise NotYetError(f"the loss of loop {letter} became {number(values[odd - 1])} at update {odd}")
    first, last = (math.fsum(part) / _AVERAGED for part in (values[:_AVERAGED], values[-_AVERAGED:]))
    if not last < _FALLEN_TO * first:
        raise NotYetError(f"loop {letter} is healthy but hardly learns: loss {first:.3f} at first, {last:.3f} at last")
    if not visit.after < _FALLEN_TO * visit.before:
        raise NotYetError(
            f"loop {letter} returns falling losses, but the network it was given hardly learned: "
            f"loss {visit.before:.3f} before, {visit.after:.3f} after"
        )
    if not abs(first - visit.before) < _FIRST_LOSS_WITHIN * visit.before:
        raise NotYetError(f"loop {letter} begins with a loss of {visit.before:.3f}, but returned {first:.3f}")
