"""How does a training look where nobody can play? One figure, drawn by matplotlib from a record alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course_utils.apps.live.record import SHOWN, Record
from course_utils.data import Split

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["render"]


def render(record: Record, test_split: Split) -> Figure:
    """The loss so far, its changes marked; before the first step, test images and what the network says of them."""
    from course_utils import plots

    exam = record.exams[-1]
    if record.steps == 0:
        shown = min(SHOWN, len(test_split))
        return plots.image_grid(
            test_split.images[:shown],
            labels=test_split.labels[:shown],
            predictions=np.array(exam.predictions),
            classes=test_split.classes,
            columns=6,
            title=f"Before the first step: {exam.accuracy:.0%} right",
            source=test_split.title,
        )
    return plots.line_plot(
        {record.optimizer: record.losses},
        title=f"Loss in {record.steps:,} step{'s' * (record.steps != 1)}; {exam.accuracy:.0%} of the test images right",
        xlabel="step (updates)",
        ylabel="cross-entropy loss (nats)",
        beta=0.9,
        marks={str(mark): float(mark.step) for mark in record.marks[-4:]},
    )
