"""Is this number of images possible? Checks that the public functions of this package share."""

__all__ = ["check_count"]


def check_count(name: str, value: int, *, at_most: int | None = None) -> None:
    """Refuse what is not a whole number from 1 to ``at_most``, in words.

    Raises:
        TypeError: ``value`` is not an int.
        ValueError: ``value`` is below 1 or above ``at_most``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}; try {name}=64")
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, got {value}; try {name}=64")
    if at_most is not None and value > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {value}; try {name}={at_most}")
