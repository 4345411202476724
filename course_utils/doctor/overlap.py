"""Were the measured images also trained on? Compares fingerprints of both."""

from collections import Counter, defaultdict
from dataclasses import replace

from course_utils.doctor.record import Measure, Overlap

__all__ = ["overlaps"]

_Key = tuple[float, float]
_FEW = 5


def overlaps(measures: list[Measure]) -> tuple[Overlap, ...]:
    """For each source that was measured on: how many of its images training has seen.

    ``measures`` are fingerprints: kind "trained" or "measured", ``of`` the number of the source ("" without one).
    """
    batches = [_keys(measure) for measure in measures if measure.kind == "trained"]
    trained = Counter(key for batch in batches for key in batch)
    if not trained:
        return ()
    training = {measure.of for measure in measures if measure.kind == "trained"}
    measured: dict[str, list[list[_Key]]] = defaultdict(list)
    for measure in measures:
        if measure.kind == "measured":
            measured[measure.of].append(_keys(measure))
    facts = Overlap(
        batches=len({tuple(batch) for batch in batches}),
        distinct=len({first for first, _ in trained}) / len(trained),
        repeated=sum(times >= 2 for times in trained.values()) >= 0.9 * len(trained),
    )
    return tuple(_compared(of, looks, trained, training, facts) for of, looks in measured.items())


def _compared(of: str, looks: list[list[_Key]], trained: Counter[_Key], training: set[str], facts: Overlap) -> Overlap:
    images = {key for look in looks for key in look}
    known = [sum(key in trained for key in look) for look in looks]
    return replace(
        facts,
        measured_by=of,
        measured=len(images),
        known=len(images & trained.keys()),
        mixed=sum(_FEW <= inside <= len(look) - _FEW for inside, look in zip(known, looks, strict=True)),
        same_source=of != "" and of in training,
    )


def _keys(measure: Measure) -> list[_Key]:
    """The fingerprints of one batch, rounded, because sums of differently cut batches differ in the last bits."""
    rounded = [float(f"{value:.9g}") for value in measure.values]
    return list(zip(rounded[::2], rounded[1::2], strict=True))
