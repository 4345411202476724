"""Do the targets stand still? Where they grow within a run, a loss that rises with them proves nothing."""

from statistics import median

from course_utils.doctor.measures import HeadScale
from course_utils.doctor.recording import Recording

__all__ = ["targets_grow"]

_GROWN = 1.5


def targets_grow(recording: Recording) -> bool:
    """Whether targets are larger at the end than at first, as those that a network's own outputs are made of."""
    swapped = {head.kind for head in recording.heads if head.swapped}
    for kind, series in recording.series(HeadScale).items():
        sizes = [scale.size if kind in swapped else scale.target_size for scale in series]
        early, late = sizes[: max(3, len(sizes) // 10)], sizes[-max(3, len(sizes) // 4) :]
        if len(sizes) >= 6 and median(late) > _GROWN * median(early):
            return True
    return False
