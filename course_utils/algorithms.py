"""Which algorithms do we show, with which options, colour and words? One record each, and all else follows from it.

Race, live training, figures, catalogue and pages read ``ALGORITHMS``. To let another one race, write its record here
and its rule in ``apps/race/page/rules.js``, under the name of its class; a test compares the two.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

__all__ = ["ALGORITHMS", "OPTIONS", "Algorithm", "Option"]


@dataclass(frozen=True)
class Option:
    """An option that may be set by hand, with the same value for all algorithms that have it."""

    name: str  #: of the setting, such as "beta1"
    label: str  #: beside its slider
    low: float  #: what is allowed
    high: float
    default: float
    slide: tuple[float, float, float]  #: the ends and the step of its slider
    keyword: str = ""  #: in torch, if it is another; those that share one are a tuple there
    example: float = 0.9  #: to try, when a value was refused

    @property
    def torch_name(self) -> str:
        """The keyword in torch."""
        return self.keyword or self.name


@dataclass(frozen=True)
class Algorithm:
    """An update rule as the course shows it."""

    name: str
    torch_class: str  #: where its class is: "torch.optim.SGD"
    color: str  #: the same in every figure; safe for colour-blind readers
    marker: str  #: of matplotlib; a second sign beside the colour
    words: str  #: what it adds to those before it
    lr: Mapping[str, float]  #: one that is worth seeing, for each surface of the course by name
    free: tuple[Option, ...] = ()  #: what a hand may set
    fixed: Mapping[str, Any] = field(default_factory=dict)  #: what it always has

    @property
    def rule(self) -> str:
        """The name of its class, and of its rule on the page."""
        return self.torch_class.rpartition(".")[2]

    def options(self, values: Mapping[str, float]) -> dict[str, Any]:
        """The keywords for torch, with ``values`` of the free options by name; those not given have their default."""
        given: dict[str, list[float]] = {}
        for option in self.free:
            given.setdefault(option.torch_name, []).append(values.get(option.name, option.default))
        keywords = {**self.fixed, **{key: tuple(all_) if len(all_) > 1 else all_[0] for key, all_ in given.items()}}
        if keywords.get("nesterov") and not keywords["momentum"]:
            keywords["nesterov"] = False  # torch refuses it without momentum, where it would be plain SGD
        return keywords

    def make(self, parameters: Iterable[Parameter], *, lr: float, values: Mapping[str, float]) -> Optimizer:
        """An optimizer of torch on ``parameters``.

        Raises:
            ValueError: torch finds a value out of range.
        """
        return self.find()(parameters, lr=lr, **self.options(values))

    def find(self) -> Callable[..., Optimizer]:
        """Its class; torch is imported when it is asked for, so that figures without it stay quick."""
        found: Callable[..., Optimizer] = pkgutil.resolve_name(self.torch_class)
        return found


def _a_share(name: str, label: str, default: float, step: float, *, keyword: str = "", lowest: float = 0.0) -> Option:
    """An option from 0 to just below 1, of which a hand needs the upper part."""
    return Option(name, label, 0.0, 0.9999, default, (lowest, round(1 - step, 4), step), keyword)


MOMENTUM = _a_share("momentum", "momentum", 0.9, 0.01)
DAMPENING = Option("dampening", "dampening", 0.0, 1.0, 0.0, (0.0, 1.0, 0.05), example=0.5)
BETA1 = _a_share("beta1", "β₁", 0.9, 0.01, keyword="betas")
BETA2 = _a_share("beta2", "β₂", 0.999, 0.001, keyword="betas", lowest=0.5)
ALPHA = _a_share("alpha", "alpha", 0.99, 0.001, lowest=0.5)
WEIGHT_DECAY = Option("weight_decay", "weight decay", 0.0, 1.0, 0.0, (0.0, 1.0, 0.01), example=0.01)

# Colours: M. Okabe, K. Ito, Color universal design, 2008. Learning rates: none of 100 steps from the surface's own
# start leaves the map.
_ALL = (
    Algorithm(
        "SGD",
        "torch.optim.SGD",
        "#0072B2",
        "o",
        "a step against the gradient of one batch",
        {"Quadratic": 0.1, "Ravine": 0.09, "Saddle": 0.1, "Rosenbrock": 0.001, "Beale": 0.01},
        (WEIGHT_DECAY,),
    ),
    Algorithm(
        "Momentum",
        "torch.optim.SGD",
        "#56B4E9",
        "s",
        "a part of every earlier step, so that steady slopes add up",
        {"Quadratic": 0.02, "Ravine": 0.02, "Saddle": 0.05, "Rosenbrock": 0.001, "Beale": 0.001},
        (MOMENTUM, DAMPENING, WEIGHT_DECAY),
    ),
    Algorithm(
        "Nesterov",
        "torch.optim.SGD",
        "#009E73",
        "^",
        "momentum that looks ahead, and brakes earlier before a rise",
        {"Quadratic": 0.02, "Ravine": 0.02, "Saddle": 0.05, "Rosenbrock": 0.0005, "Beale": 0.001},
        (MOMENTUM, WEIGHT_DECAY),
        {"nesterov": True},
    ),
    Algorithm(
        "RMSprop",
        "torch.optim.RMSprop",
        "#E69F00",
        "D",
        "forgetting: divides by a moving average of squared gradients",
        {"Quadratic": 0.2, "Ravine": 0.2, "Saddle": 0.02, "Rosenbrock": 0.02, "Beale": 0.1},
        (ALPHA, WEIGHT_DECAY),
    ),
    Algorithm(
        "Adagrad",
        "torch.optim.Adagrad",
        "#CC79A7",
        "v",
        "smaller steps for weights with large gradients so far",
        {"Quadratic": 1.0, "Ravine": 1.0, "Saddle": 0.2, "Rosenbrock": 0.5, "Beale": 0.5},
        (WEIGHT_DECAY,),
    ),
    Algorithm(
        "Adam",
        "torch.optim.Adam",
        "#D55E00",
        "P",
        "momentum and RMSprop together, corrected for their start at zero",
        {"Quadratic": 0.5, "Ravine": 0.3, "Saddle": 0.05, "Rosenbrock": 0.5, "Beale": 0.1},
        (BETA1, BETA2, WEIGHT_DECAY),
    ),
    Algorithm(
        "AdamW",
        "torch.optim.AdamW",
        "#000000",
        "X",
        "weight decay taken out of the gradient (decoupled)",
        {"Quadratic": 0.5, "Ravine": 0.3, "Saddle": 0.05, "Rosenbrock": 0.5, "Beale": 0.1},
        (BETA1, BETA2, WEIGHT_DECAY),
    ),
)

ALGORITHMS: dict[str, Algorithm] = {algorithm.name: algorithm for algorithm in _ALL}
#: Every free option once; those that all algorithms have come last.
OPTIONS: dict[str, Option] = {
    option.name: option
    for option in sorted(
        dict.fromkeys(option for algorithm in _ALL for option in algorithm.free),
        key=lambda option: all(option in algorithm.free for algorithm in _ALL),
    )
}
