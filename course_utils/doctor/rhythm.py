"""Which steps are measured? The first ten, every tenth of the first hundred, later fewer: a look takes time."""

__all__ = ["closely"]

_FIRST, _EARLY = 10, 100
_LATE = 23  # a prime, so that the looks of a long training fall on other batches in each epoch


def closely(step: int) -> bool:
    """Whether the step after this many updates is one of those that are measured."""
    return step < _FIRST or step % (_FIRST if step < _EARLY else _LATE) == 0
