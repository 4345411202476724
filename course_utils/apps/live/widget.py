"""What happens while a network learns? A real training in the background, with its settings in reach of the hand."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from course_utils.apps.common.app import App, page
from course_utils.apps.live.optimizer import CHOICES, LR_RANGE
from course_utils.apps.live.picture import render
from course_utils.apps.live.record import SHOWN, Record, in_words
from course_utils.apps.live.trainer import MOST_STEPS, Trainer
from course_utils.data import Split
from course_utils.training import Batches, Run

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["LiveTraining"]

REDRAWS_PER_S = 12
SHARE_OF_TIME = 0.02  # of the training thread, for telling the page
MOST_POINTS = 1_000  # of a curve on the page
SMOOTHING = 0.9


class LiveTraining(Trainer, App):
    """A training that runs in the background while other cells stay usable, seen and steered on the page.

    Start, pause, step, stop and reset it with the buttons or with the methods of the same names; change the lr, the
    momentum and the optimizer while it runs, and see each change marked on the curve. Left alone it does exactly the
    updates of ``train(run, data, ...)``. Close it, or run its cell again, to end its thread.

    Args:
        run: a ``Run``, which is trained in place and brought back by a reset; or a function that makes one.
        data: the batches to learn from, such as a ``Loader``.
        test_split: images to measure on; the first 500 are used, the first 12 are shown.
        budget: updates after which it ends by itself, 1 to 20,000.
        test_every: updates between two measurements, at least.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: ``budget`` or ``test_every`` is out of range.
    """

    _esm, _css = page("live")

    def __init__(
        self,
        run: Run | Callable[[], Run],
        data: Batches,
        test_split: Split,
        *,
        budget: int = 2_000,
        test_every: int = 25,
    ) -> None:
        self._telling = threading.Lock()
        self._stage_told, self._next_telling = "", 0.0
        Trainer.__init__(self, run, data, test_split, budget=budget, test_every=test_every)
        App.__init__(self, _facts=_facts(test_split))
        self._tell()

    def close(self) -> None:
        """End the thread and take the widget off the page."""
        self._end()
        App.close(self)

    def figure(self) -> Figure:
        """The loss so far as a matplotlib Figure; before the first step the test images."""
        return render(self.record(), self._test_split)

    def _do(self, name: str, *given: Any) -> None:
        if name in ("start", "pause", "step", "stop", "reset"):
            getattr(self, name)()

    def _set(self, settings: Mapping[str, Any]) -> None:
        wanted = dict(settings)
        if "budget" in wanted:
            self.budget = wanted.pop("budget")
        if wanted:
            self.change(**wanted)

    def _changed(self) -> None:
        """Tell the page now and then, and at rest always."""
        stage = self.stage
        if stage != "running" or stage != self._stage_told or time.perf_counter() >= self._next_telling:
            self._tell()

    def _tell(self) -> None:
        """Send how the training stands, from whatever thread; the next time is earned by the cost of this one."""
        with self._telling:
            began = time.perf_counter()
            super()._tell()
            now = time.perf_counter()
            self._stage_told = self._answer["stage"]
            self._next_telling = now + max(1 / REDRAWS_PER_S, (now - began) / SHARE_OF_TIME)

    def _told(self) -> dict[str, Any]:
        return _progress(self.record())


def _progress(record: Record) -> dict[str, Any]:
    """What the page draws and writes; a curve of many steps is thinned out."""
    from course_utils.plots import smooth

    every = math.ceil(max(record.steps, 1) / MOST_POINTS)
    smoothed = smooth(record.losses, SMOOTHING) if record.steps else record.losses
    exam = record.exams[-1]
    return {
        "stage": record.stage,
        "steps": record.steps,
        "words": in_words(record),
        "lost": record.lost_since is not None,
        "every": every,
        "losses": record.losses[::every].astype("<f4").tobytes(),
        "smoothed": smoothed[::every].astype("<f4").tobytes(),
        "last": float(smoothed[-1]) if record.steps and math.isfinite(smoothed[-1]) else None,
        "exams": [[each.step, each.accuracy] for each in record.exams],
        "predictions": exam.predictions,
        "certainty": exam.certainty,
        "marks": [
            {"step": mark.step, "what": mark.what, "before": mark.before, "after": mark.after, "text": str(mark)}
            for mark in record.marks
        ],
        "settings": {name: getattr(record, name) for name in ("optimizer", "lr", "momentum", "budget")},
    }


def _facts(split: Split) -> dict[str, Any]:
    """Test images, colours and ranges: what never changes on the page."""
    from course_utils.plots import COLORS
    from course_utils.plots.colors import RIGHT, WRONG

    shown = split.take(min(SHOWN, len(split)))
    return {
        "images": shown.images.permute(0, 2, 3, 1).contiguous().numpy().tobytes(),
        "labels": shown.labels.tolist(),
        "classes": list(split.classes),
        "colors": {**COLORS, "right": RIGHT, "wrong": WRONG},
        "optimizers": list(CHOICES),
        "range": {"lr": LR_RANGE, "budget": [1, MOST_STEPS]},
    }
