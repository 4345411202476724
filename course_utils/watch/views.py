"""How is the run doing? A bar and a curve.

A view is rationed: it reads losses only when it draws, and while the training goes on it draws for at most a
hundredth of the time.
"""

import io
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from course_utils.arguments import a_text, a_title
from course_utils.training import Step
from course_utils.watch.records import checked
from course_utils.watch.sketch import sketch

if TYPE_CHECKING:
    from course_utils import plots

__all__ = ["live_plot", "progress"]

REDRAWS_PER_S = 10
SHARE_OF_TIME = 0.005
SMOOTHING = 0.9  # of the moving average


def progress(records: Iterable[Step], *, label: str = "") -> Iterator[Step]:
    """Show a bar with epoch, loss, images per second and remaining time while ``records`` pass.

    Afterwards one line remains that says what was done. It is the same at every run: it holds no times, and no loss of
    a single batch, which is noise, but the mean over as many steps as an epoch has. In a terminal the bar is drawn on
    stderr, in a notebook in the output of the cell.
    """
    bar: _Bar | None = None
    label = a_text(example="SGD")("label", label)
    try:
        for step in checked(records):
            bar = bar or _Bar(step, label)
            bar.count(step)
            yield step
    finally:
        if bar:
            bar.finish()


def live_plot(records: Iterable[Step], *, title: str = "Loss while training") -> Iterator[Step]:
    """Draw the loss of every step and its moving average while ``records`` pass, up to ten times a second.

    In a notebook it is one drawing, renewed in place; when the records end, or the loop is left, a picture of all
    steps by ``course_utils.plots`` replaces it. In a terminal nothing is drawn.

    Raises:
        TypeError: at the first step, ``title`` is no text, or a record is no ``Step``.
        ValueError: at the first step, ``title`` is empty or has more than 180 letters.
    """
    curve = _Curve(a_title()("title", title))
    try:
        for step in checked(records):
            curve.add(step)
            yield step
    finally:
        curve.finish()


class _Area:
    """One output of a notebook cell that is redrawn in place; outside a notebook it shows nothing."""

    def __init__(self) -> None:
        self.in_notebook = _in_notebook()
        self._handle: Any = None

    def show(self, bundle: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
        """Show ``bundle`` (MIME type -> content) in place of what was shown before."""
        if not self.in_notebook:
            return
        if self._handle is None:
            from IPython.display import display

            self._handle = display(bundle, metadata=metadata, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, metadata=metadata, raw=True)


def _in_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel. IPython that was never imported cannot be running one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class _Bar(tqdm):  # type: ignore[type-arg]
    """A tqdm bar that knows steps, and draws itself in a notebook without a widget, so that saved files show it."""

    monitor_interval = 0  # a refresh from tqdm's own thread would land in another cell

    def __init__(self, first: Step, label: str) -> None:
        self.latest, self.images, self.label = first, 0, label
        self.recent: deque[Tensor] = deque(maxlen=first.batches)  # losses of as many steps as an epoch has
        self.area = _Area()
        super().__init__(
            total=first.epochs * first.batches,
            initial=first.step,
            desc=label or None,
            file=io.StringIO() if self.area.in_notebook else sys.stderr,
            mininterval=0.25,
            leave=False,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {status}, {remaining} left",
        )

    def count(self, step: Step) -> None:
        """Take note of one more record; draws only if the last drawing is a while ago."""
        self.latest, self.images = step, self.images + step.images
        self.recent.append(step.loss)
        self.update(step.step + 1 - self.n)

    def finish(self) -> None:
        """Replace the bar by a line that says what was done."""
        self.close()
        if self.area.in_notebook:
            self.area.show({"text/plain": self._summary()})
        else:
            print(self._summary())

    @property
    def format_dict(self) -> Any:
        """What ``bar_format`` may name: tqdm's own fields and ``status``."""
        fields = dict(super().format_dict)
        per_second = self.images / max(fields["elapsed"], 1e-9)
        step = self.latest
        status = f"epoch {step.epoch + 1}/{step.epochs}, loss {_loss(step)}, {per_second:,.0f} images/s"
        return fields | {"status": status}

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar: called by tqdm whenever it is time to."""
        if not self.area.in_notebook:
            super().display(msg, pos)
        elif msg is None:
            text = str(self)
            label = f"{self.label}: " if self.label else ""
            bar = f'<progress value="{self.n}" max="{self.total}" style="width: 20em"></progress>'
            self.area.show({"text/plain": text, "text/html": f"<div>{label}{bar} {text.rpartition('| ')[2]}</div>"})

    def _summary(self) -> str:
        done, step = self.latest.step + 1, self.latest
        what = f"{done:,} steps" if done == self.total else f"stopped after {done:,} of {self.total:,} steps"
        label = f"{self.label}: " if self.label else ""
        epochs = f"{step.epochs} epoch{'s' * (step.epochs != 1)}"
        mean = torch.stack(list(self.recent)).mean().item()
        return f"{label}{epochs}, {what}, mean loss of the last {len(self.recent)}: {mean:.3f}"


def _loss(step: Step) -> str:
    return f"{step.loss.item():.3f}"


class _Curve:
    """The loss so far, read from the device only to be drawn: sketched while it grows, a picture at the end."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.area = _Area()
        self.first: Step | None = None
        self.losses: list[float] = []
        self.unread: list[Tensor] = []
        self.next_sketch = 0.0

    def add(self, step: Step) -> None:
        if not self.area.in_notebook:
            return
        self.first = self.first or step
        self.unread.append(step.loss)
        if time.perf_counter() >= self.next_sketch:
            self._sketch(self.first)

    def _sketch(self, first: Step) -> None:
        """Sketch now, and earn the next one with 200 times as long without."""
        began = time.perf_counter()
        self._read()
        self.area.show({"text/html": self._svg(first), "text/plain": f"{self.title}: {len(self.losses)} steps"})
        now = time.perf_counter()
        self.next_sketch = now + max(1 / REDRAWS_PER_S, (now - began) / SHARE_OF_TIME)

    def finish(self) -> None:
        """Replace the sketch by a picture of all steps, if there were any."""
        if self.first:
            self._read()
            self.area.show(*self._figure(self.first).bundle(f"{len(self.losses):,} steps"))

    def _read(self) -> None:
        if self.unread:
            self.losses += torch.stack(self.unread).tolist()
            self.unread.clear()

    def _svg(self, first: Step) -> str:
        from course_utils.plots.smoothing import smooth

        smoothed = smooth(self.losses, SMOOTHING).tolist()
        return sketch(self.losses, smoothed, title=self.title, first=first.step, steps=first.epochs * first.batches)

    def _figure(self, first: Step) -> "plots.Figure":
        from course_utils import plots

        steps = list(range(first.step, first.step + len(self.losses)))
        return plots.loss_curves({"loss": self.losses}, title=self.title, x=steps, beta=SMOOTHING)
