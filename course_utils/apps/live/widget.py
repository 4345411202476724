"""What happens while a network learns? A real training in the background, with its settings in reach of the hand."""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import traitlets

from course_utils.apps.common.app import App, page
from course_utils.apps.common.settings import Refused
from course_utils.apps.live.optimizer import CHOICES, LR_RANGE
from course_utils.apps.live.picture import render
from course_utils.apps.live.record import SHOWN, Mark, Record, in_words
from course_utils.apps.live.trainer import MOST_STEPS, Trainer
from course_utils.data import Split
from course_utils.training import Batches, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LiveTraining"]

REDRAWS_PER_S = 12
SHARE_OF_TIME = 0.02  # of the training thread, for telling the page
MOST_POINTS = 1_000  # of a curve on the page
SMOOTHING = 0.9


class LiveTraining(App):
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

    _facts = traitlets.Dict().tag(sync=True)  # what the page must know and cannot change
    _progress = traitlets.Dict().tag(sync=True)  # how the training stands; one message a redraw

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
        self._test_split = test_split
        self._telling = threading.Lock()
        self._told, self._next_telling = "", 0.0
        self._refused: dict[str, str] = {}
        self.trainer = Trainer(run, data, test_split, budget=budget, test_every=test_every)
        super().__init__(_facts=_facts(test_split))
        self._tell()
        self.trainer.listener = _listener(self)
        self.on_msg(self._obey)

    # ---- For cells --------------------------------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """Where it stands: "ready", "running", "paused", "finished", "stopped" or "failed"."""
        return self.trainer.stage

    @property
    def steps(self) -> int:
        """Updates done since the beginning or the last reset."""
        return self.trainer.steps

    @property
    def losses(self) -> npt.NDArray[np.float32]:
        """The loss of every update, float32 ``(steps,)``."""
        return self.trainer.record().losses

    @property
    def accuracy(self) -> float:
        """Share of the test images that were classified rightly when last measured, 0 to 1."""
        return self.trainer.record().exams[-1].accuracy

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What was changed by hand, and before which update."""
        return self.trainer.record().marks

    @property
    def optimizer(self) -> str:
        """The name of the optimizer; assign another one of SGD, Nesterov, RMSprop, Adagrad, Adam and AdamW."""
        return self.trainer.record().optimizer

    @optimizer.setter
    def optimizer(self, name: str) -> None:
        self.trainer.change(optimizer=name)

    @property
    def lr(self) -> float:
        """The learning rate; assign another one, from 1e-6 to 10."""
        return self.trainer.record().lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self.trainer.change(lr=lr)

    @property
    def momentum(self) -> float | None:
        """The momentum of SGD or β₁ of Adam, None where there is none; assign another one, from 0 to 0.999."""
        return self.trainer.record().momentum

    @momentum.setter
    def momentum(self, momentum: float) -> None:
        self.trainer.change(momentum=momentum)

    @property
    def budget(self) -> int:
        """Updates after which the training ends by itself; assign another number at any time."""
        return self.trainer.budget

    @budget.setter
    def budget(self, budget: int) -> None:
        self.trainer.budget = budget

    def start(self) -> None:
        """Train in the background until the budget is used up."""
        self.trainer.start()

    def pause(self) -> None:
        """Stop after the present update; ``start`` goes on from there."""
        self.trainer.pause()

    def step(self) -> None:
        """Do one update, if the training is not running."""
        self.trainer.step()

    def advance(self, steps: int) -> None:
        """Do ``steps`` updates before the next line of the cell; what goes wrong is raised.

        Raises:
            ValueError: ``steps`` is no whole number above 0.
        """
        self.trainer.advance(steps)

    def stop(self) -> None:
        """End the training; only ``reset`` leads on."""
        self.trainer.stop()

    def reset(self) -> None:
        """Bring weights, optimizer and settings back to where they were at the beginning."""
        self.trainer.reset()

    def close(self) -> None:
        """End the thread and take the widget off the page."""
        if trainer := getattr(self, "trainer", None):
            trainer.close()
        super().close()

    def figure(self) -> Figure:
        """The loss so far as a matplotlib Figure; before the first step the test images."""
        return render(self.trainer.record(), self._test_split)

    # ---- For the page -----------------------------------------------------------------------------------------------

    def _obey(self, widget: Any, content: Any, buffers: Any) -> None:
        """Do what a hand on the page wants, or say beside the control why not."""
        self._refused = {}
        try:
            self._do(content)
        except Refused as error:
            self._refused = {next(iter(content.get("set", {})), "words"): str(error)}
        self._tell()

    def _do(self, content: Mapping[str, Any]) -> None:
        commands = {name: getattr(self, name) for name in ("start", "pause", "step", "stop", "reset")}
        wanted = dict(content.get("set", {}))
        if content.get("do") in commands:
            commands[content["do"]]()
        if "budget" in wanted:
            self.budget = wanted.pop("budget")
        if wanted:
            self.trainer.change(**wanted)

    def _follow(self) -> None:
        """Called by the trainer after every update and command: tell the page now and then, and at rest always."""
        stage = self.trainer.stage
        if stage != "running" or stage != self._told or time.perf_counter() >= self._next_telling:
            self._tell()

    def _tell(self) -> None:
        """Send how the training stands, from whatever thread; the next time is earned by the cost of this one."""
        with self._telling:
            began = time.perf_counter()
            record = self.trainer.record()
            self._progress = {**_progress(record), "refused": self._refused}
            now = time.perf_counter()
            self._told = record.stage
            self._next_telling = now + max(1 / REDRAWS_PER_S, (now - began) / SHARE_OF_TIME)


def _listener(app: LiveTraining) -> Callable[[], None]:
    """``app._follow``, without keeping the app alive."""
    follow = weakref.WeakMethod(app._follow)

    def listen() -> None:
        if (method := follow()) is not None:
            method()

    return listen


def _progress(record: Record) -> dict[str, Any]:
    """What the page draws and writes; a curve of many steps is thinned out."""
    from course_utils.plots import smooth

    every = math.ceil(max(record.steps, 1) / MOST_POINTS)
    smoothed = smooth(record.losses, SMOOTHING) if record.steps else record.losses
    exam = record.exams[-1]
    return {
        "stage": record.stage,
        "steps": record.steps,
        "budget": record.budget,
        "words": in_words(record),
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
        "optimizer": record.optimizer,
        "lr": record.lr,
        "momentum": record.momentum,
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
        "title": split.title,
        "colors": {**COLORS, "right": RIGHT, "wrong": WRONG},
        "optimizers": list(CHOICES),
        "range": {"lr": LR_RANGE, "budget": [1, MOST_STEPS]},
    }
