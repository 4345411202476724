"""What is seen of a loop that trains a fresh network on the easy images? Its updates, its images, and what it keeps."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from course_utils import doctor
from course_utils.checks.verdict import call
from course_utils.checks.witness import Graphs, Modes
from course_utils.data import Loader, Split
from course_utils.model import build_model
from course_utils.seeding import generator
from course_utils.training import evaluate

__all__ = ["BATCHES", "EPOCHS", "IMAGES", "Update", "Visit", "easy_images", "examined"]

IMAGES, EPOCHS = 160, 4
_BATCH = 32
BATCHES = IMAGES // _BATCH  # of an epoch
_ALIKE = 0.2  # correlation of two pictures, whatever their brightness and contrast; that of two noises is below 0.1


def easy_images() -> Loader:
    """Noise in ten shades, one for each class: a network of any sense learns something from them."""
    stream = generator(0, "clinic")
    labels = torch.randint(10, (IMAGES,), generator=stream)
    noise = torch.randint(-20, 20, (IMAGES, 3, 32, 32), generator=stream)
    images = (25 * labels.view(-1, 1, 1, 1) + noise).clamp(0, 255).to(torch.uint8)
    names = tuple(f"shade {number}" for number in range(10))
    return Loader(Split(images, labels, names, "photos", "train"), batch_size=_BATCH)


@dataclass(frozen=True)
class Update:
    """One update of the weights."""

    lr: float  #: of the first parameter group
    images: frozenset[int]  #: their numbers in the split, since the update before; -1 for any other


@dataclass(eq=False)
class Visit:
    """What was seen of a loop that trained a fresh network on the easy images."""

    report: doctor.Report
    losses: Any = None  #: what it returned
    before: float = math.nan  #: loss of the fresh network
    after: float = math.nan  #: its loss afterwards
    updates: list[Update] = field(default_factory=list)
    forgot: int | None = None  #: the updates after which an optimizer went on without its state, if one did
    untouched: int = 0  #: parameter tensors with the same weights as before
    evaluating: bool = False  #: it learned in evaluation mode, or was left in it
    graphs: int = 0  #: the most that were alive at a step after backward had walked them


def examined(loop: Callable[..., Any]) -> Visit:
    """What is seen of ``loop(model, loader)``."""
    model, loader = build_model(0), easy_images()
    first = [parameter.detach().clone() for parameter in model.parameters()]
    before = evaluate(model, easy_images()).loss
    modes, graphs, diary = Modes(model), Graphs(model, learned=True), _Diary(model)
    with doctor.watch() as report, _hooked(diary, graphs):
        losses = call(_unrolled, call(loop, model, loader))
    evaluating = modes.wrong
    after = call(evaluate, model, easy_images()).loss
    untouched = sum(map(torch.equal, first, (parameter.detach() for parameter in model.parameters())))
    return Visit(report, losses, before, after, diary.updates, diary.forgot, untouched, evaluating, graphs.most_alive)


def _unrolled(losses: Any) -> Any:
    """``losses`` of a generator as a list, because that trains only while it is read."""
    return list(losses) if isinstance(losses, Iterator) else losses


@contextmanager
def _hooked(diary: "_Diary", graphs: Graphs) -> Iterator[None]:
    """Write down the steps of every optimizer in the block."""
    handles = [
        register_optimizer_step_pre_hook(graphs.count),
        register_optimizer_step_pre_hook(diary.before_step),
        register_optimizer_step_post_hook(diary.after_step),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Diary:
    """The updates of a training, with the images that ``model`` has seen for each."""

    def __init__(self, model: nn.Module) -> None:
        self.updates: list[Update] = []
        self.forgot: int | None = None
        self._images = _standardised(easy_images().split.images)
        self._seen: set[int] = set()
        self._last: Optimizer | None = None
        self._kept: dict[Tensor, tuple[Optimizer, dict[str, Any]]] = {}
        for module in model.modules():
            module.register_forward_pre_hook(lambda module, given: self._look(given))

    def before_step(self, optimizer: Optimizer, *_: Any) -> None:
        """Compare the state of each parameter with that after its last step."""
        for parameter in _parameters(optimizer):
            if parameter in self._kept:
                before, state = self._kept[parameter]
                now = optimizer.state.get(parameter, {})
                anew = optimizer is not before and not now
                if self.forgot is None and (anew or not _same(now, state)):
                    self.forgot = len(self.updates)

    def after_step(self, optimizer: Optimizer, *_: Any) -> None:
        """Note an update; steps of several optimizers upon one forward pass are one update."""
        for parameter in _parameters(optimizer):
            self._kept[parameter] = optimizer, _copied(optimizer.state.get(parameter, {}))
        if self._seen or self._last in (None, optimizer):
            lr = float(optimizer.param_groups[0]["lr"])
            self.updates.append(Update(lr, frozenset(self._seen)))
        self._last = optimizer
        self._seen.clear()

    def _look(self, given: tuple[Any, ...]) -> None:
        """Which of the easy images are these? None are asked for where nothing can be learned."""
        images = given[0] if given else None
        if isinstance(images, Tensor) and images.shape[1:] == (3, 32, 32) and torch.is_grad_enabled():
            with torch.no_grad():
                likeness, numbers = (_standardised(images) @ self._images.T).max(dim=1)
            self._seen.update(numbers.where(likeness > _ALIKE, -1).tolist())


def _parameters(optimizer: Optimizer) -> Iterator[Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def _same(state: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two states of a parameter hold the same; NaN is NaN."""
    return state.keys() == other.keys() and all(_equal(state[name], other[name]) for name in state)


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, Tensor) and isinstance(other, Tensor):
        return value.shape == other.shape and torch.allclose(value, other, rtol=0, atol=0, equal_nan=True)
    return value is other or bool(value == other)


def _standardised(images: Tensor) -> Tensor:
    """Each picture as a row of mean 0 and length 1, float32 ``(n, 3072)``."""
    rows = images.detach().flatten(1).float()
    return normalize(rows - rows.mean(dim=1, keepdim=True), dim=1)
