"""Which way does a noisy row of numbers go? Its moving average."""

from __future__ import annotations

import numpy as np

from course_utils.plots.arguments import Array, Values, a_beta, as_row

__all__ = ["smooth"]


def smooth(values: Values, beta: float) -> Array:
    """The exponential moving average of ``values``, corrected so that it starts at the first value, float64 ``(n,)``.

    m <- beta m + (1 - beta) x, and step k (from 0) gives m / (1 - beta^(k + 1)). From a NaN on it is NaN, except
    with beta 0, which changes nothing.

    Raises:
        ValueError: ``beta`` is not in [0, 1), or ``values`` is not a row of numbers.

    Source: D. Kingma, J. Ba, Adam, 2015, section 3.
    """
    beta = a_beta("beta", beta)
    row = as_row("values", values)
    if beta == 0:
        return row
    average, weight, smoothed = 0.0, 0.0, []
    for value in row.tolist():
        average = beta * average + (1 - beta) * value
        weight = beta * weight + (1 - beta)
        smoothed.append(average / weight)
    return np.array(smoothed)
