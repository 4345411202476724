"""Is my diagnosis right, and is the loop healthy now? The loop doctor judges the broken loops of notebook 04."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from course_utils import doctor
from course_utils.checks.verdict import NotYetError, call, explained, same_name
from course_utils.data import Loader, Split
from course_utils.doctor.rules import RULES
from course_utils.model import build_model
from course_utils.seeding import generator
from course_utils.training import evaluate

__all__ = ["check_diagnoses", "check_repairs", "easy_images"]

Loop = Callable[..., Any]

_IMAGES, _BATCH, _EPOCHS = 160, 32, 4
_AVERAGED = 5  # losses at the start and at the end
_FALLEN_TO = 0.98  # of the first losses: a loop that learns at all gets there
_FIRST_LOSS_WITHIN = 0.5  # of the fresh network's loss: beyond that, losses are not those of this training
_CUT = {"C": 0.1}  # what the lr of the second half is of that of the first, where a schedule is prescribed


@explained
def check_diagnoses(loops: Mapping[str, Loop], diagnoses: Mapping[str, str | None]) -> str:
    """A verdict on the ``diagnoses``: under the same letter as each broken loop, the name of its fault."""
    _check_letters(loops, diagnoses)
    for letter, diagnosis in diagnoses.items():
        name = _listed_name(letter, diagnosis)
        first = _first_finding(_examined(loops[letter]).report)
        if first is None:
            raise NotYetError(f"the doctor finds loop {letter} healthy; put the broken loop back to diagnose it")
        if name != first.name:
            raise NotYetError(f"loop {letter} is not {name!r}; a hint: {first.seen}")
    return f"{len(diagnoses)} loops, {len(diagnoses)} causes; the doctor agrees."


@explained
def check_repairs(loops: Mapping[str, Loop]) -> str:
    """A verdict on repaired ``loops``: they train, the doctor has nothing against them, and their loss falls."""
    _check_letters(loops)
    visits = {letter: _examined(loop) for letter, loop in loops.items()}
    if ill := [letter for letter, visit in visits.items() if _first_finding(visit.report)]:
        found = f"the doctor still finds faults in loop {', '.join(ill)}"
        raise NotYetError(f"{found}; %%doctor on top of a cell says which")
    for letter, visit in visits.items():
        _check_trains(letter, visit)
        _check_schedule(letter, visit.lrs)
        _check_learns(letter, visit)
    return f"{len(loops)} loops, all healthy, and all learn."


def easy_images() -> Loader:
    """Noise in ten shades, one for each class: a network of any sense learns something from them."""
    stream = generator(0, "clinic")
    labels = torch.randint(10, (_IMAGES,), generator=stream)
    noise = torch.randint(-20, 20, (_IMAGES, 3, 32, 32), generator=stream)
    images = (25 * labels.view(-1, 1, 1, 1) + noise).clamp(0, 255).to(torch.uint8)
    names = tuple(f"shade {number}" for number in range(10))
    return Loader(Split(images, labels, names, "photos", "train"), batch_size=_BATCH)


def _check_letters(loops: Any, diagnoses: Any = None) -> None:
    for name, given in (("loops", loops), ("diagnoses", loops if diagnoses is None else diagnoses)):
        if not isinstance(given, Mapping) or not given:
            raise NotYetError(f"expected {name} by their letters, got {given!r}; leave the dict as it was")
    if diagnoses is not None and diagnoses.keys() != loops.keys():
        raise NotYetError(f"expected the letters {', '.join(loops)}, got {', '.join(map(str, diagnoses))}")


def _listed_name(letter: str, diagnosis: Any) -> str:
    """The name of the rule that ``diagnosis`` means; capitals, blanks and hyphens are forgiven."""
    if diagnosis is None:
        raise NotYetError(f"loop {letter} has no diagnosis yet; write a name from the list")
    name = next((rule.name for rule in RULES if same_name(diagnosis, rule.name)), None)
    if name is None:
        raise NotYetError(f"{diagnosis!r}, for loop {letter}, is no name from the list; copy one from there")
    return name


# ------------------------------------------------------------------------------------------------- one visit


@dataclass(eq=False)
class _Visit:
    """What was seen of a loop that trained a fresh network on the easy images."""

    report: doctor.Report
    losses: Any = None  #: what it returned
    before: float = math.nan  #: loss of the fresh network
    after: float = math.nan  #: its loss afterwards
    lrs: list[float] = field(default_factory=list)  #: of every update, of the first parameter group
    untouched: int = 0  #: parameter tensors with the same weights as before


def _examined(loop: Loop) -> _Visit:
    model, loader = build_model(0), easy_images()
    first = [parameter.detach().clone() for parameter in model.parameters()]
    before = evaluate(model, easy_images()).loss
    with doctor.watch() as report, _lrs_of_updates() as lrs:
        losses = call(_unrolled, call(loop, model, loader))
    after = call(evaluate, model, easy_images()).loss
    untouched = sum(map(torch.equal, first, (parameter.detach() for parameter in model.parameters())))
    return _Visit(report, losses, before, after, lrs, untouched)


def _unrolled(losses: Any) -> Any:
    """``losses`` of a generator as a list, because that trains only while it is read."""
    return list(losses) if isinstance(losses, Iterator) else losses


@contextmanager
def _lrs_of_updates() -> Iterator[list[float]]:
    """Collect the lr of every step of every optimizer in the block."""
    used: list[float] = []

    def note(optimizer: Optimizer, *_: Any) -> None:
        used.append(float(optimizer.param_groups[0]["lr"]))

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield used
    finally:
        handle.remove()


def _first_finding(report: doctor.Report) -> doctor.Finding | None:
    """The most severe finding; a note is no fault."""
    return next((finding for finding in report.findings if finding.severity != "note"), None)


# ------------------------------------------------------------------------------------------------- a sound loop


def _check_trains(letter: str, visit: _Visit) -> None:
    wanted = _EPOCHS * (_IMAGES // _BATCH)
    if len(visit.lrs) < wanted:
        raise NotYetError(
            f"loop {letter} made {len(visit.lrs)} updates; {_EPOCHS} epochs of {_IMAGES // _BATCH} batches are {wanted}"
        )
    if visit.untouched:
        raise NotYetError(
            f"loop {letter} left {visit.untouched} of the network's parameter tensors as they were; "
            "train the network that it is given, and all of it: model.parameters()"
        )


def _check_schedule(letter: str, lrs: list[float]) -> None:
    """Whether the lr falls where the loop's scheduler says, and there alone."""
    cut = _CUT.get(str(letter).strip().upper())
    if cut is None:
        return
    half = len(lrs) // 2
    wanted = [lrs[0]] * half + [cut * lrs[0]] * (len(lrs) - half)
    if all(math.isclose(lr, plan, rel_tol=1e-6) for lr, plan in zip(lrs, wanted, strict=True)):
        return
    batches = _IMAGES // _BATCH
    by_epoch = ", ".join(f"{lr:.2g}" for lr in lrs[::batches])
    raise NotYetError(
        f"loop {letter} begins its epochs with the lrs {by_epoch}; StepLR(2, 0.1) is meant to keep the lr for two "
        "epochs and then train on with a tenth, so step it once at the end of each epoch"
    )


def _check_learns(letter: str, visit: _Visit) -> None:
    try:
        values = [float(loss) for loss in visit.losses]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        kind = type(visit.losses).__name__
        raise NotYetError(f"loop {letter} must return its losses, one for every batch, got {kind}") from error
    if len(values) < 2 * _AVERAGED:
        raise NotYetError(f"loop {letter} returned {len(values)} losses; return one for every batch of every epoch")
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
