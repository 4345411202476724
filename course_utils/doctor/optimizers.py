"""Which optimizers step, with which settings, and what happens between two of their steps?"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from course_utils.doctor.gradients import Gradients, parameters_of
from course_utils.doctor.graph import latest_sequence
from course_utils.doctor.recording import OptimizerFacts, Update
from course_utils.doctor.registry import Registry
from course_utils.doctor.vitals import norm

__all__ = ["Optimizers"]

_ORDER_LENGTH = 60
_DECOUPLED = ("AdamW", "Muon", "Adafactor", "Lion")  # whose weight decay is none of the gradient


@dataclass(slots=True)
class _Facts:
    kind: str
    settings: str
    stateful: bool = False
    began_empty: bool = True
    steps: int = 0
    tensors: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    pull: float = 0.0
    lr: float = 0.0
    order: str = ""
    backwards: int = 0
    late: int = 0
    sequence: int = -1  #: running number of autograd at its latest step


class Optimizers:
    """Numbers the optimizers and keeps their facts."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._facts: list[_Facts] = []
        self._twins: dict[int, int] = {}  # wrappers, such as those of accelerate and Lightning, and what they wrap
        self._letters = ""
        self._existing = Registry()  # with those that may never step

    def number(self, optimizer: Optimizer) -> int:
        """The number of ``optimizer``."""
        number = self._registry.number(optimizer)
        if number == len(self._facts):
            self._facts.append(_Facts(type(optimizer).__name__, _settings(optimizer), order=self._letters))
            for other, known in self._registry.alive():
                if other != number and known.param_groups is optimizer.param_groups:
                    self._twins |= {number: other, other: number}
        return number

    def stepping(self, number: int) -> int:
        """The number of the optimizer that steps for this one: itself, or the other of a wrapper and what it wraps."""
        twin = self._twins.get(number, number)
        return twin if self._facts[twin].steps and not self._facts[number].steps else number

    def begins(self, optimizer: Optimizer, gradients: Gradients) -> None:
        """A step of ``optimizer`` begins."""
        facts = self._facts[self.number(optimizer)]
        if facts.steps == 0:
            facts.began_empty = not getattr(optimizer, "state", None)
        if not facts.tensors or facts.steps % 10 == 0:
            held = parameters_of(optimizer)
            facts.tensors = gradients.numbers_of(held)
            facts.names = tuple(gradients.name_of(parameter) for parameter in held)
            facts.pull = _pull(optimizer)

    def stepped(self, optimizer: Optimizer) -> None:
        """A step of ``optimizer`` is done."""
        facts = self._facts[self.number(optimizer)]
        if facts.steps == 0:
            facts.stateful = _remembers(optimizer)
        facts.steps += 1
        facts.order, facts.backwards, facts.late = "", 0, 0
        facts.sequence = latest_sequence()

    def letter(self, letter: str) -> None:
        """Something happened: Z, F, L, B, S or C."""
        if not self._facts and len(self._letters) < _ORDER_LENGTH:
            self._letters += letter
        for facts in self._facts:
            facts.order = (facts.order + letter)[-_ORDER_LENGTH:]

    def reached(self, numbers: tuple[int, ...], sequence: int) -> None:
        """A backward pass, from a loss with this running number, has reached parameters of these optimizers."""
        for number in numbers:
            facts = self._facts[number]
            facts.backwards += 1
            facts.late += sequence <= facts.sequence

    def completed(self, update: Update, optimizer: Optimizer) -> Update:
        """``update`` with its learning rate, and with what has happened since the previous step of ``optimizer``."""
        facts = self._facts[update.optimizer]
        lr = self._lr(optimizer, facts)
        return replace(update, lr=lr, order=facts.order, backwards=facts.backwards, late=facts.late)

    def one_gradient(self, number: int) -> Tensor | None:
        """The first gradient that an optimizer holds."""
        optimizer = self._registry.get(number)
        held = parameters_of(optimizer) if optimizer is not None else []
        return next((p.grad for p in held if p.grad is not None), None)

    def one_gradient_norm(self, number: int) -> Tensor:
        """The norm of the first gradient that an optimizer holds, to see whether it is rescaled before the step."""
        gradient = self.one_gradient(number)
        return torch.zeros(()) if gradient is None else norm(gradient)

    def exists(self, optimizer: Optimizer) -> None:
        """There is this optimizer; it may never step."""
        self._existing.number(optimizer)

    def look_around(self, gradients: Gradients) -> None:
        """Notice optimizers that exist but did not step, so that their parameters count as held."""
        for _, optimizer in self._existing.alive():
            if gradients.knows_any_of(optimizer):
                gradients.watch_optimizer(optimizer, self.number(optimizer))

    def facts(self) -> tuple[OptimizerFacts, ...]:
        """Everything known of each optimizer."""
        return tuple(
            OptimizerFacts(i, f.kind, f.settings, f.stateful, f.began_empty, f.steps, f.tensors, f.names, f.pull)
            for i, f in enumerate(self._facts)
        )

    def _lr(self, optimizer: Optimizer, facts: _Facts) -> float:
        """The largest learning rate of its groups; one that is a tensor is read at every tenth step."""
        rates = [group["lr"] for group in optimizer.param_groups if group.get("lr") is not None]
        if facts.steps % 10 == 0 or not any(isinstance(rate, Tensor) for rate in rates):
            facts.lr = max((float(rate) for rate in rates), default=1.0)
        return facts.lr


def _settings(optimizer: Optimizer) -> str:
    defaults = getattr(optimizer, "defaults", {})  # a wrapper around another one may have none
    return ", ".join(f"{name}={value}" for name, value in sorted(defaults.items()))


def _pull(optimizer: Optimizer) -> float:
    """The smallest weight decay of its groups, where it is added to the gradient and not taken from the weights."""
    if type(optimizer).__name__ in _DECOUPLED:
        return 0.0
    return min(
        0.0 if group.get("decoupled_weight_decay") else float(group.get("weight_decay") or 0.0)
        for group in optimizer.param_groups
    )


def _remembers(optimizer: Optimizer) -> bool:
    """Whether a step has left anything that shapes later steps, such as a momentum buffer."""
    return any(
        isinstance(value, Tensor) and name != "step"
        for state in getattr(optimizer, "state", {}).values()
        for name, value in state.items()
    )
