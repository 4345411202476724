"""Were the measured images also trained on? Compares fingerprints of both."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from course_utils.doctor.measures import Fingerprints, Measure, MeasuredOn, Owner, TrainedOn
from course_utils.doctor.recording import DataSource, Overlap

__all__ = ["overlaps", "with_repeats"]

_Key = tuple[float, float]
_FEW = 5
_SELDOM = 0.1  # of the updates; weights that are changed by hand more often are trained so
_PASSES = 3  # that training makes without an image before it has left it


def overlaps(looks: Sequence[Fingerprints], by_hand: Sequence[int] = (), updates: int = 0) -> tuple[Overlap, ...]:
    """For each model and each source that it was measured on: how many of its images it has learned from.

    ``by_hand`` says at which of all ``updates`` weights were changed by hand. Where that was seldom, the model began
    anew: what it has learned before counts no more, and what was measured just then may belong to both.
    """
    restarts = by_hand if len(by_hand) <= _SELDOM * updates else ()
    models: dict[tuple[int, int], list[Fingerprints]] = {}
    for look in looks:
        if isinstance(look.of, tuple) and not (isinstance(look, MeasuredOn) and look.step in restarts):
            models.setdefault((look.of[0], bisect_right(restarts, look.step)), []).append(look)
    return tuple(found for those in models.values() for found in _of_one(those))


def with_repeats(sources: Sequence[DataSource], noted: Sequence[Measure]) -> tuple[DataSource, ...]:
    """The sources, each with how many of its batches that were learned from differ from each other."""
    learned: dict[Owner, list[tuple[_Key, ...]]] = defaultdict(list)
    for look in noted:
        if isinstance(look, TrainedOn) and isinstance(look.of, tuple):
            learned[look.of[1]].append(tuple(_keys(look)))
    return tuple(
        replace(source, looked=len(learned[source.number]), different=len(set(learned[source.number])))
        for source in sources
    )


def _of_one(looks: Sequence[Fingerprints]) -> tuple[Overlap, ...]:
    batches = [_keys(look) for look in looks if isinstance(look, TrainedOn)]
    trained = Counter(key for batch in batches for key in batch)
    if not trained:
        return ()
    training = {look.of for look in looks if isinstance(look, TrainedOn)}
    measured: dict[Owner, list[MeasuredOn]] = defaultdict(list)
    for look in looks:
        if isinstance(look, MeasuredOn):
            measured[look.of].append(look)
    earlier = _known_before(looks)
    facts = Overlap(
        batches=len({tuple(batch) for batch in batches}),
        distinct=len({first for first, _ in trained}) / len(trained),
        repeated=sum(times >= 2 for times in trained.values()) >= 0.9 * len(trained),
    )
    return tuple(
        replace(
            _compared([_keys(look) for look in those], trained, facts),
            measured_by=of[1] if isinstance(of, tuple) else None,
            same_source=of in training and of != (of[0], None) if isinstance(of, tuple) else False,
            folds=_left([look for look in looks if isinstance(look, TrainedOn) or look.of == of]),
            earlier=earlier[of],
            first=those[0].step,
            last=those[-1].step,
        )
        for of, those in measured.items()
    )


def _known_before(looks: Sequence[Fingerprints]) -> dict[Owner, float]:
    """For each source that was measured on: the share of its images that had been trained on by then."""
    learned, known = set[_Key](), defaultdict[Owner, list[bool]](list)
    for look in looks:
        if isinstance(look, MeasuredOn):
            known[look.of] += [key in learned for key in _keys(look)]
        else:
            learned.update(_keys(look))
    return {of: sum(those) / max(1, len(those)) for of, those in known.items()}


def _left(looks: Sequence[Fingerprints]) -> int:
    """How many images were measured when training had been through them and had left them, as in a later fold.

    0 unless others were measured before they were trained on, each batch was new or known as a whole, and no image was
    trained on between two measurements: then no fold was measured on images that it was learning from.
    """
    log, last = list[_Key](), dict[_Key, int]()  # images learned from, and the latest place of each
    measured, left = dict[_Key, int](), set[_Key]()  # when, by the length of the log
    for look in looks:
        keys = _keys(look)
        if isinstance(look, TrainedOn):
            last.update((key, len(log) + i) for i, key in enumerate(keys))
            log += keys
            continue
        known = [last[key] for key in keys if key in last]
        between = any(key in measured and last.get(key, -1) >= measured[key] for key in keys)
        if 0 < len(known) < len(keys) or between:
            return 0
        since = log[max(known, default=len(log)) + 1 :]
        if len(since) >= _PASSES * max(1, len(set(since))):
            left.update(keys)
        measured.update((key, len(log)) for key in keys)
    held = sum(last.get(key, -1) >= when for key, when in measured.items())
    return len(left) if held >= _FEW else 0


def _compared(looks: list[list[_Key]], trained: Counter[_Key], facts: Overlap) -> Overlap:
    images = {key for look in looks for key in look}
    known = [sum(key in trained for key in look) for look in looks]
    return replace(
        facts,
        measured=len(images),
        known=len(images & trained.keys()),
        mixed=sum(_FEW <= inside <= len(look) - _FEW for inside, look in zip(known, looks, strict=True)),
    )


def _keys(look: Fingerprints) -> list[_Key]:
    """The fingerprints of one batch."""
    return list(zip(look.prints[::2], look.prints[1::2], strict=True))
