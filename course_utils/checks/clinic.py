"""Is my diagnosis right, and is the loop healthy now? The loop doctor judges the broken loops of notebook 04."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from course_utils import doctor
from course_utils.checks.verdict import NotYetError, call, explained
from course_utils.data import Loader, Split
from course_utils.model import build_model
from course_utils.seeding import generator

__all__ = ["check_diagnoses", "check_repairs"]

Loop = Callable[..., Any]

_IMAGES, _BATCH = 160, 32
_AVERAGED = 5  # losses at the start and at the end
_FALLEN_TO = 0.98  # of the first losses: a loop that learns at all gets there


@explained
def check_diagnoses(loops: Mapping[str, Loop], diagnoses: Mapping[str, str | None]) -> str:
    """A verdict on the ``diagnoses``: under the same letter as each broken loop, the name of its fault."""
    _check_letters(loops, diagnoses)
    for letter, diagnosis in diagnoses.items():
        if diagnosis is None:
            raise NotYetError(f"loop {letter} has no diagnosis yet; write a name from the list")
        first = _first_finding(loops[letter])
        if first is None:
            raise NotYetError(f"the doctor finds loop {letter} healthy; put the broken loop back to diagnose it")
        if diagnosis != first.name:
            raise NotYetError(f"loop {letter} is not {diagnosis!r}; a hint: {first.seen}")
    return f"{len(diagnoses)} loops, {len(diagnoses)} causes; the doctor agrees."


@explained
def check_repairs(loops: Mapping[str, Loop]) -> str:
    """A verdict on repaired ``loops``: the doctor has nothing against them, and their loss falls."""
    _check_letters(loops)
    for letter, loop in loops.items():
        report, losses = _examined(loop)
        if report.findings:
            finding = report.findings[0]
            raise NotYetError(f"loop {letter}: {finding.name}. {finding.title} Seen: {finding.seen}")
        _check_learns(letter, losses)
    return f"{len(loops)} loops, all healthy, and all learn."


def _check_letters(loops: Any, diagnoses: Any = None) -> None:
    for name, given in (("loops", loops), ("diagnoses", loops if diagnoses is None else diagnoses)):
        if not isinstance(given, Mapping) or not given:
            raise NotYetError(f"expected {name} by their letters, got {given!r}; leave the dict as it was")
    if diagnoses is not None and diagnoses.keys() != loops.keys():
        raise NotYetError(f"expected the letters {', '.join(loops)}, got {', '.join(map(str, diagnoses))}")


def _first_finding(loop: Loop) -> doctor.Finding | None:
    report, _ = _examined(loop)
    return report.findings[0] if report.findings else None


def _examined(loop: Loop) -> tuple[doctor.Report, Any]:
    """What the doctor says of ``loop`` on a fresh network and easy images, and what the loop returns."""
    model, loader = build_model(0), _easy_images()
    with doctor.watch() as report:
        losses = call(loop, model, loader)
    return report, losses


def _easy_images() -> Loader:
    """Noise in ten shades, one for each class: a network of any sense learns something from them."""
    stream = generator(0, "clinic")
    labels = torch.randint(10, (_IMAGES,), generator=stream)
    noise = torch.randint(-20, 20, (_IMAGES, 3, 32, 32), generator=stream)
    images = (25 * labels.view(-1, 1, 1, 1) + noise).clamp(0, 255).to(torch.uint8)
    names = tuple(f"shade {number}" for number in range(10))
    return Loader(Split(images, labels, names, "photos", "train"), batch_size=_BATCH)


def _check_learns(letter: str, losses: Any) -> None:
    try:
        values = [float(loss) for loss in losses]
    except (TypeError, ValueError, OverflowError) as error:
        raise NotYetError(f"loop {letter} must return its losses, got {type(losses).__name__}") from error
    if len(values) < 2 * _AVERAGED:
        raise NotYetError(f"loop {letter} returned {len(values)} losses; return one for every batch of every epoch")
    first, last = (math.fsum(part) / _AVERAGED for part in (values[:_AVERAGED], values[-_AVERAGED:]))
    if not last < _FALLEN_TO * first:
        raise NotYetError(f"loop {letter} is healthy but hardly learns: loss {first:.3f} at first, {last:.3f} at last")
