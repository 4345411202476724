"""What limits the learning rate of a network? A network that trains in the page, with its sharpness beside 2 / lr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from course_utils.apps.common.app import App, page
from course_utils.apps.common.settings import Refused, Setting, a_number, a_whole_number
from course_utils.apps.edge.network import BATCH_SIZES, EVERY, WIDTHS, Trained, make_network, patches, trained
from course_utils.apps.edge.picture import render
from course_utils.curvature import edge

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["EdgeOfStability"]

_LR, _MOMENTUM, _MOST_STEPS, _PICTURED = (0.005, 2.0), (0.0, 0.95), 2_000, 400
_a_step_count = a_whole_number(1, _MOST_STEPS, example=1000)


def _a_batch_size(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in BATCH_SIZES:
        raise Refused(f"{name} must be one of {', '.join(map(str, BATCH_SIZES))}, got {value!r}; try {BATCH_SIZES[0]}")
    return value


class EdgeOfStability(App):
    """A small network that is trained in the page, thousands of steps, with its sharpness drawn beside 2 / lr.

    Start it, and turn lr and momentum while it runs; keep a run to see the next one beside it. Loss and gradients,
    Hessian-vector products and sharpness are computed by the browser, and are those of torch.

    Every setting is an attribute, readable and writable: ``edge.lr = 0.3``.

    Args:
        lr: from 0.005 to 2.
        momentum: of SGD, from 0 to 0.95.
        batch_size: 500 (all images), 100 or 20.
        seed: of the weights at the start.

    Raises:
        ValueError: a setting is out of range; the message says what is allowed.
    """

    lr = Setting(a_number(*_LR, example=0.1), 0.1)
    momentum = Setting(a_number(*_MOMENTUM, example=0.9), 0.0)
    batch_size = Setting(_a_batch_size, BATCH_SIZES[0])

    _esm, _css = page("edge")

    def __init__(self, lr: float = 0.2, momentum: float = 0.0, batch_size: int = 500, *, seed: int = 0) -> None:
        self._seed = a_whole_number(0, 1_000_000, example=0)("seed", seed)
        super().__init__(lr=lr, momentum=momentum, batch_size=batch_size, _facts=_facts(self._seed))
        self._tell()
        self.observe(self._follow, _SETTINGS)

    @property
    def edge(self) -> float:
        """The sharpness above which these steps would grow on a quadratic: 2 (1 + momentum) / lr."""
        return edge(self.lr, momentum=self.momentum)

    def trained(self, steps: int = 1_000) -> Trained:
        """The run with the present settings from its start on, computed by torch, 1 to 2,000 steps.

        Raises:
            ValueError: ``steps`` is out of range.
        """
        count = _a_step_count("steps", steps)
        return trained(self._seed, self.lr, self.momentum, self.batch_size, count)

    def figure(self) -> Figure:
        """The sharpness of the first 400 steps as a matplotlib Figure."""
        return render(self.trained(_PICTURED), lr=self.lr, momentum=self.momentum, limit=self.edge)

    def _told(self) -> dict[str, Any]:
        return {"settings": {name: getattr(self, name) for name in _SETTINGS}}

    def _set(self, settings: Mapping[str, Any]) -> None:
        for name in _SETTINGS:
            if name in settings:
                setattr(self, name, settings[name])


_SETTINGS = ("lr", "momentum", "batch_size")


def _facts(seed: int) -> dict[str, Any]:
    """Images, weights and ranges: what never changes on the page; numbers as float64."""
    from course_utils.plots.colors import OTHERS

    images, labels = patches()
    weights = [part.detach().flatten() for part in make_network(seed).parameters()]
    return {
        "images": images.numpy().tobytes(),
        "labels": labels.tolist(),
        "weights": b"".join(part.numpy().tobytes() for part in weights),
        "widths": list(WIDTHS),
        "every": EVERY,
        "batches": list(BATCH_SIZES),
        "range": {"lr": _LR, "momentum": _MOMENTUM},
        "colors": OTHERS[:4],
    }
