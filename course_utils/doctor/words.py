"""How are numbers said? Short, the same at every run, with the right plural."""

import math
from collections.abc import Sequence

__all__ = ["count", "names", "number"]


def number(value: float) -> str:
    """``value`` with three significant digits."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.3g}"


def count(amount: int, thing: str) -> str:
    """``1 step``, ``2 steps``, ``2 batches``, ``2 passes``, ``2 epochs``."""
    plural = f"{thing}es" if thing.endswith(("s", "tch")) else f"{thing}s"
    return f"{amount:,} {thing if amount == 1 else plural}"


def names(all_names: Sequence[str], limit: int = 3) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(all_names[:limit])
    return shown if len(all_names) <= limit else f"{shown} and {len(all_names) - limit} more"
