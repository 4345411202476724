"""What of a run survives when it is killed, stopped, or leaves the finite numbers? Its last good state.

These observers need the run beside its records. They look at its losses when they save, not at every step.
"""

import math
import os
import signal
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Literal

import torch

from course_utils.arguments import a_whole_number
from course_utils.training import Run, Step, previous_path, restore, save, snapshot
from course_utils.watch.interrupts import held_interrupt
from course_utils.watch.records import checked

__all__ = ["DivergedError", "checkpointed", "stop_when_diverged"]

_a_number_of_steps = a_whole_number(1, example=100)


def checkpointed(
    records: Iterable[Step], run: Run, path: str | os.PathLike[str], *, every: int | Literal["epoch"] = "epoch"
) -> Iterator[Step]:
    """Save ``run`` at ``path`` while its ``records`` pass: every ``every`` steps, and whenever the loop is left.

    Next time ``load(run, path)`` goes on from there; what was saved before is kept as ``previous_path(path)``. An error
    inside a step leaves the last file alone, and so does a run that diverged. A save takes about as long as a step:

        for step in interruptible(checkpointed(progress(train(run, loader, epochs=5)), run, "run.pt", every=100)):
            ...

    Raises:
        TypeError: ``run`` has no state to save, ``path`` is no path, or ``every`` no whole number and not ``"epoch"``.
        ValueError: ``every`` is below 1, ``path`` names no file, or the records are those of another run.
        CheckpointError: while the records pass, when a file cannot be written; the old ones are intact.
        DivergedError: while the records pass, when a loss or weight since the last save is no finite number.
    """
    snapshot(run)  # refuses what cannot be saved now rather than after an epoch
    previous_path(path)
    if not isinstance(every, str) or every != "epoch":
        every = _a_number_of_steps("every", every)
    return _saving(checked(records), run, path, every)


def stop_when_diverged(records: Iterable[Step], run: Run, *, every: int = 100) -> Iterator[Step]:
    """End the loop with a ``DivergedError`` when a loss or weight of ``run`` is NaN or infinite, and take ``run`` back.

    The run is then in its last good state: at the last look but one or two, ``every`` steps apart, from which it still
    made finite losses. With the same lr it would diverge again, so lower that before you go on. Put it innermost:

        for step in interruptible(progress(stop_when_diverged(train(run, loader, epochs=5), run))):
            ...

    It costs two copies of weights and optimizer state in memory, and at each look a copy and, on a GPU, a wait for the
    device; in the steps between nothing is read, so that up to ``every`` steps are done in vain.

    Raises:
        TypeError: ``run`` has no state, or ``every`` is no whole number.
        ValueError: ``every`` is below 1, or the records are those of another run.
        DivergedError: while the records pass; it says at which step the numbers ceased to be finite.
    """
    snapshot(run)
    return _guarding(checked(records), run, _a_number_of_steps("every", every))


class DivergedError(ArithmeticError):
    """The training left the finite numbers.

    Attributes:
        step: the first update, from 0, whose loss, or after which a weight, is NaN or infinite.
        loss: the loss of that update.
        lr: the learning rate that the run had come to when this was found.
        back_at: the number of updates done in the good state that ``run`` was taken back to; None if it was not.
    """

    def __init__(self, *, step: int, loss: float, lr: float, batches: int, kept: str, back_at: int | None) -> None:
        what = f"its loss is {loss}" if not math.isfinite(loss) else "a weight is no finite number after it"
        super().__init__(f"diverged in step {step + 1:,}, in epoch {step // batches + 1}: {what}. {kept}")
        self.step, self.loss, self.lr, self.back_at = step, loss, lr, back_at


def _saving(
    records: Generator[Step, None, None], run: Run, path: str | os.PathLike[str], every: int | Literal["epoch"]
) -> Iterator[Step]:
    """The generator behind ``checkpointed``, which checks its arguments before the first step is asked for."""
    saved = run.step

    def keep() -> None:
        nonlocal saved
        _save_sound(run, path, since=min(saved, run.step))
        saved = run.step

    for step in records:  # an error in here may leave a step half done, and then nothing is saved
        _check_own(step, run)
        if step.ends_epoch if every == "epoch" else run.step % every == 0:
            keep()
        try:
            yield step
        except GeneratorExit:  # the loop was left
            records.close()
            keep()
            raise
    keep()


def _save_sound(run: Run, path: str | os.PathLike[str], *, since: int) -> None:
    """Save ``run`` unless that is done or it diverged; Ctrl-C waits until the file is whole."""
    if run.step == since:
        return
    with held_interrupt() as pressed:
        step = _diverged_at(run, since)
        if step is not None:
            raise _diverged(run, step, kept=f"Nothing was saved: {path} is from before; try a smaller lr")
        save(run, path)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def _guarding(records: Generator[Step, None, None], run: Run, every: int) -> Iterator[Step]:
    """The generator behind ``stop_when_diverged``.

    A state is good once the loss that its weights made is finite, so the newest one waits for the next look.
    """
    good = newest = snapshot(run)
    for step in records:
        _check_own(step, run)
        if run.step - newest["step"] >= every:
            _look(run, good, newest)
            good, newest = newest, snapshot(run)
        try:
            yield step
        except GeneratorExit:
            records.close()
            _look(run, good, newest)
            raise
    _look(run, good, newest)


def _look(run: Run, good: dict[str, Any], newest: dict[str, Any]) -> None:
    """Take ``run`` back to the last good state if it diverged since ``newest``."""
    step = _diverged_at(run, newest["step"])
    if step is None:
        return
    state = good if step == newest["step"] else newest
    kept = f"The run is back at its last good state, after {state['step']:,} steps; go on with a smaller lr"
    error = _diverged(run, step, kept=kept, back_at=state["step"])
    restore(run, state)
    raise error


def _diverged_at(run: Run, since: int) -> int | None:
    """The first step from ``since`` on with a loss that is not finite, or the last step if a weight is not."""
    wrong = (~run.losses[since:].isfinite()).nonzero()
    if len(wrong):
        return since + int(wrong[0])
    weights = torch.stack([weight.isfinite().all() for weight in run.model.parameters()])
    return None if weights.all() else run.step - 1


def _diverged(run: Run, step: int, *, kept: str, back_at: int | None = None) -> DivergedError:
    lr, batches = float(run.optimizer.param_groups[0]["lr"]), run.batches_per_epoch or 1
    loss = run.losses[step].item()
    return DivergedError(step=step, loss=loss, lr=lr, batches=batches, kept=f"{kept} than {lr:g}", back_at=back_at)


def _check_own(step: Step, run: Run) -> None:
    if run.step <= step.step:
        raise ValueError(
            f"run must be the one that the records come from, but it did {run.step} steps and this is the record of "
            f"step {step.step + 1}; try checkpointed(train(run, data, epochs=5), run, path)"
        )
