"""How does a training go on while other cells stay usable? One update at a time, in a thread, under one lock.

Every command takes the lock, so it acts between two updates, from whatever thread it comes. No widget is in here: the
same trainer runs synchronously with ``advance``, and does the same updates as ``course_utils.training.train``.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from course_utils.apps.common.settings import Refused, a_whole_number
from course_utils.apps.live.begin import images_to_measure_on, way_back
from course_utils.apps.live.optimizer import (
    a_momentum,
    a_rate,
    an_optimizer,
    lr_of,
    make,
    momentum_of,
    name_of,
    set_lr,
    set_momentum,
)
from course_utils.apps.live.record import Exam, Mark, Record, Stage, examined, marked
from course_utils.data import Split
from course_utils.training import Batches, Run, Step, train

__all__ = ["MOST_STEPS", "Trainer"]

MOST_STEPS = 20_000
TEST_SHARE = 0.03  # of the time may go into tests
YIELD_S = 0.001  # sleep after an update: other threads get the interpreter, and a waiting command its lock
_EPOCHS_WITHOUT_END = 1_000_000  # the budget counts updates
_a_budget = a_whole_number(1, MOST_STEPS, example=2000)

# A cell that is run again makes a second trainer for the same model; two threads must never train it at once.
_TRAINERS: weakref.WeakSet[Trainer] = weakref.WeakSet()


class Trainer:
    """A training that can be started, paused, stepped, stopped, reset, and changed in between.

    Stages: "ready" (nothing done yet), "running", "paused", "finished" (the budget is used up), "stopped" and "failed"
    (only a reset leads on). A command that makes no sense in the present stage does nothing.

    Args:
        run: a ``Run``, which is trained in place and brought back by a reset; or a function that makes one, called anew
            at each reset.
        data: the batches to learn from, such as a ``Loader``.
        test_split: the images to measure on; the first 500 are used.
        budget: updates after which it ends by itself.
        test_every: updates between two tests, at least; in the thread also at most 3 % of the time.

    Raises:
        TypeError: ``run`` makes no ``Run`` or has no state, ``data`` or ``test_split`` are of the wrong kind.
        ValueError: ``budget`` or ``test_every`` is out of range.
    """

    def __init__(
        self,
        run: Run | Callable[[], Run],
        data: Batches,
        test_split: Split,
        *,
        budget: int = 2_000,
        test_every: int = 25,
    ) -> None:
        self._lock = threading.RLock()
        self._test_every = a_whole_number(1, MOST_STEPS, example=25)("test_every", test_every)
        self._budget = int(_a_budget("budget", budget))
        self._data, self._test_split = data, test_split
        self._again = way_back(run)
        self._begin()
        for other in list(_TRAINERS):
            if other.run.model is self.run.model:
                other._end()
        _TRAINERS.add(self)

    _thread: threading.Thread | None = None
    _closed = False
    _stage: Stage = "ready"
    _token: object | None = None  # of the thread that may train; another one, or None, ends it

    def _changed(self) -> None:
        """Called after every update and every command, without the lock."""

    # ---- What it knows ----------------------------------------------------------------------------------------------

    @property
    def stage(self) -> Stage:
        """Where it stands: "ready", "running", "paused", "finished", "stopped" or "failed"."""
        return self._stage

    @property
    def steps(self) -> int:
        """Updates done since the beginning or the last reset."""
        return self.run.step - self._first

    def record(self) -> Record:
        """All that is known now, taken between two updates; on a GPU this waits for the device."""
        with self._lock:
            return Record(
                stage=self._stage,
                steps=self.steps,
                budget=self._budget,
                batches=len(self._data),
                losses=self.run.losses[self._first :].cpu().numpy().copy(),
                exams=tuple(self._exams),
                marks=self.marks,
                optimizer=self.optimizer,
                lr=self.lr,
                momentum=self.momentum,
                error=self._error,
            )

    @property
    def losses(self) -> npt.NDArray[np.float32]:
        """The loss of every update, float32 ``(steps,)``."""
        return self.record().losses

    @property
    def accuracy(self) -> float:
        """Share of the test images that were classified rightly when last measured, 0 to 1."""
        return self.record().exams[-1].accuracy

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What was changed by hand, and before which update."""
        return tuple(self._marks)

    @property
    def optimizer(self) -> str:
        """The name of the optimizer; assign another one of SGD, Nesterov, RMSprop, Adagrad, Adam and AdamW."""
        return name_of(self.run.optimizer)

    @optimizer.setter
    def optimizer(self, name: str) -> None:
        self.change(optimizer=name)

    @property
    def lr(self) -> float:
        """The learning rate; assign another one, from 1e-6 to 10."""
        return lr_of(self.run.optimizer)

    @lr.setter
    def lr(self, lr: float) -> None:
        self.change(lr=lr)

    @property
    def momentum(self) -> float | None:
        """The momentum of SGD or β₁ of Adam, None where there is none; assign another one, from 0 to 0.999."""
        return momentum_of(self.run.optimizer)

    @momentum.setter
    def momentum(self, momentum: float) -> None:
        self.change(momentum=momentum)

    # ---- Commands ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Train in a thread until the budget is used up."""
        with self._lock:
            if self._may_train():
                self._stage, self._token = "running", object()
                work = (weakref.ref(self), self._token)
                self._thread = threading.Thread(target=_work, args=work, name="LiveTraining", daemon=True)
                self._thread.start()
        self._changed()

    def pause(self) -> None:
        """Stop after the present update; ``start`` goes on from there."""
        with self._lock:
            if self._stage == "running":
                self._token, self._stage = None, "paused"
        self._rest()

    def step(self) -> None:
        """Do one update, if the training is not running."""
        self._forward(1)

    def advance(self, steps: int) -> None:
        """Do ``steps`` updates here and now, or as many as the budget has left; what goes wrong is raised.

        Raises:
            ValueError: ``steps`` is no whole number above 0.
        """
        self._forward(a_whole_number(1, MOST_STEPS, example=100)("steps", steps))
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the training after the present update; only ``reset`` leads on."""
        with self._lock:
            if self._stage in ("ready", "running", "paused"):
                self._token, self._stage = None, "stopped"
        self._rest()

    def reset(self) -> None:
        """Bring weights, optimizer and settings back to where they were at the beginning."""
        with self._lock:
            if not self._closed:
                self._begin()
        self._changed()

    def close(self) -> None:
        """End the thread for ever."""
        self._end()

    def _end(self) -> None:
        with self._lock:
            self._closed, self._token = True, None
            if self._stage == "running":
                self._stage = "stopped"
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)

    def change(self, *, optimizer: str | None = None, lr: float | None = None, momentum: float | None = None) -> None:
        """Change what is given before the next update, and mark it; a new optimizer begins with torch's defaults.

        Raises:
            ValueError: a value is out of range, the optimizer has no momentum, or a scheduler sets the lr.
        """
        with self._lock:
            self._check_free(optimizer, lr)
            rate = None if lr is None else a_rate("lr", lr)
            kind = None if optimizer is None else an_optimizer("optimizer", optimizer)
            share = None if momentum is None else a_momentum("momentum", momentum)
            if kind not in (None, name_of(self.run.optimizer)):
                self._swap(str(kind))
            if rate is not None:
                self._mark("lr", lr_of(self.run.optimizer), rate)
                set_lr(self.run.optimizer, rate)
            if share is not None:
                self._set_momentum(share)
        self._changed()

    @property
    def budget(self) -> int:
        """Updates after which the training ends by itself; may be changed at any time."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._lock:
            self._budget = int(_a_budget("budget", budget))
            if self._stage == "finished" and self.steps < budget:
                self._stage = "paused"
            elif self._stage in ("running", "paused") and self.steps >= budget:
                self._token, self._stage = None, "finished"
        self._rest()

    # ---- Between the commands ---------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._token = None
        self.run: Run = self._again()
        self._first: int = self.run.step
        self._updates: Iterator[Step] = train(self.run, self._data, epochs=_EPOCHS_WITHOUT_END)
        self._exam_images = images_to_measure_on(self._test_split, self.run)
        self._exams: list[Exam] = []
        self._marks: list[Mark] = []
        self._error: Exception | None = None
        self._trained_s = self._examined_s = 0.0
        self._stage = "ready"
        self._examine()

    def _may_train(self) -> bool:
        return self._stage in ("ready", "paused") and self.steps < self._budget and not self._closed

    def _forward(self, steps: int) -> None:
        """Do ``steps`` updates in the thread of the caller."""
        for _ in range(steps):
            with self._lock:
                if not self._may_train():
                    break
                self._stage = "paused"
                self._update(in_thread=False)
        self._rest()

    def _turn(self, token: object) -> bool:
        """One update for the thread with ``token``; whether it shall come again."""
        with self._lock:
            if token is not self._token:
                return False
            self._update(in_thread=True)
            going = token is self._token
        if going:
            self._changed()
        else:
            self._rest()
        return going

    def _update(self, *, in_thread: bool) -> None:
        """One update, and an exam if it is time for one."""
        began = time.perf_counter()
        with self._keeping_errors():
            loss = next(self._updates).loss
            self._trained_s += time.perf_counter() - began
            since = self.steps - self._exams[-1].step
            if since >= self._test_every and not (in_thread and self._examined_s > TEST_SHARE * self._trained_s):
                self._examine()
            if self.steps >= self._budget:
                self._token, self._stage = None, "finished"
            if not loss.isfinite():  # nothing that comes after it is a training any more
                self._token, self._stage = None, "stopped"

    def _rest(self) -> None:
        """Say at once that the training has halted; then measure the weights that it rests on, and say that."""
        self._changed()
        with self._lock, self._keeping_errors():
            if self._stage not in ("running", "failed") and self._exams[-1].step != self.steps:
                self._examine()
        self._changed()

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        """An exception ends the training and is kept for the reader: in a thread there is nobody to raise it to."""
        try:
            yield
        except Exception as error:
            self._token, self._stage, self._error = None, "failed", error

    def _examine(self) -> None:
        began = time.perf_counter()
        self._exams.append(examined(self.run.model, self._exam_images, self.steps))
        self._examined_s += time.perf_counter() - began

    def _swap(self, name: str) -> None:
        old = self.run.optimizer
        self._mark("optimizer", name_of(old), name)
        self.run.optimizer = make(name, self.run.model.parameters(), lr=lr_of(old))

    def _set_momentum(self, momentum: float) -> None:
        before = momentum_of(self.run.optimizer)
        if before is None:
            name = name_of(self.run.optimizer)
            raise Refused(f"momentum cannot be changed in {name}, got {momentum!r}; try optimizer='SGD'")
        self._mark("momentum", before, momentum)
        set_momentum(self.run.optimizer, momentum)

    def _mark(self, what: str, before: str | float, after: str | float) -> None:
        self._marks = marked(self._marks, self.steps, what, before, after)

    def _check_free(self, optimizer: str | None, lr: float | None) -> None:
        if self.run.scheduler is not None and (optimizer is not None or lr is not None):
            name = type(self.run.scheduler).__name__
            raise Refused(f"the lr is set by {name}, so it cannot be changed by hand; try a Run without a scheduler")


def _work(trainer_ref: weakref.ref[Trainer], token: object) -> None:
    """What the thread does. It holds no trainer while it sleeps, so that garbage collection ends it as well."""
    while (trainer := trainer_ref()) is not None and trainer._turn(token):
        del trainer
        time.sleep(YIELD_S)
