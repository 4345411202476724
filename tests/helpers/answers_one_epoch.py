"""What do students answer in notebook 02? Right answers in unusual forms, and wrong ones with what they must hear."""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from course_utils.plots import smooth
from course_utils.training import train_step
from tests.helpers.answers import Answer
from tests.helpers.answers_step import by_hand, made_anew

__all__ = [
    "AVERAGES",
    "BATCHES",
    "RUNNING_LOSSES",
    "WRONG_AVERAGES",
    "WRONG_BATCHES",
    "WRONG_RUNNING_LOSSES",
    "on_a_batch",
]


# ----------------------------------------------------------------------------------------------------- a training step


def on_a_batch(step: Answer) -> Answer:
    """The same step with the images and labels in one argument, as check_train_step gives them."""
    return lambda model, batch, optimizer: step(model, *batch, optimizer)


# --------------------------------------------------------------------------------------------------- number of batches


def counted(n: int, size: int, drop: bool) -> int:
    return n // size if drop else -(-n // size)


BATCHES: dict[str, Answer] = {
    "int": counted,
    "float that is whole": lambda *a: float(counted(*a)),
    "np.ceil": lambda n, size, drop: np.floor(n / size) if drop else np.ceil(n / size),
    "math.ceil": lambda n, size, drop: math.floor(n / size) if drop else math.ceil(n / size),
    "np.int64": lambda *a: np.int64(counted(*a)),
    "0-d array": lambda *a: np.array(counted(*a)),
    "int tensor": lambda *a: torch.tensor(counted(*a)),
    "torch.ceil": lambda n, size, drop: (
        torch.floor(torch.tensor(n / size)) if drop else torch.ceil(torch.tensor(n / size))
    ),
    "Fraction": lambda *a: Fraction(counted(*a)),
    "Decimal": lambda *a: Decimal(counted(*a)),
    "range": lambda n, size, drop: len(range(0, n, size)) - (drop and n % size > 0),
    "bool added": lambda n, size, drop: n // size + (not drop and n % size != 0),
    "chunks": lambda n, size, drop: sum(len(range(i, min(i + size, n))) == size or not drop for i in range(0, n, size)),
    "slow": lambda n, size, drop: (n + (0 if drop else size - 1)) // size,
    "a loader of torch": lambda n, size, drop: len(
        torch.utils.data.DataLoader(range(n), batch_size=size, drop_last=drop)
    ),
}
WRONG_BATCHES: dict[str, tuple[Answer, str]] = {
    "always down": (lambda n, size, drop: n // size, "one more, smaller batch"),
    "always up": (lambda n, size, drop: -(-n // size), "which drop_last leaves out"),
    "one more": (lambda n, size, drop: n // size + (not drop), "nothing over"),
    "a fraction": (lambda n, size, drop: n / size, "rounded down: // in place of /"),
    "a fraction where it is up": (lambda n, size, drop: n // size if drop else n / size, "rounded up: math.ceil"),
    "the wrong way round": (lambda n, size, drop: counted(n, size, not drop), "which drop_last leaves out"),
    "rounded": (lambda n, size, drop: n // size if drop else round(n / size), "there are"),
    "by heart": (lambda n, size, drop: 156 if drop else 157, "gives"),
    "for 64 alone": (lambda n, size, drop: n // 64 if drop else -(-n // 64), "gives"),
    "at least one": (lambda n, size, drop: max(counted(n, size, drop), 1), "gives 0, got 1"),
    "images": (lambda n, size, drop: counted(n, size, drop) * size, "gives"),
    "true": (lambda n, size, drop: True, "got True"),
    "text": (lambda n, size, drop: str(counted(n, size, drop)), "got '156'"),
    "forgotten return": (lambda n, size, drop: None, "is the `return` forgotten?"),
    "a pair": (lambda n, size, drop: divmod(n, size), "got (156, 16)"),
    "an error": (lambda n, size, drop: n[0], "TypeError"),
    "too few arguments": (lambda n: n, "TypeError"),
    "no function": (157, "expected a function"),
}

# ------------------------------------------------------------------------------------------------------ moving average


def averaged(values: list[float], beta: float) -> list[float]:
    average, found = 0.0, []
    for k, value in enumerate(values):
        average = beta * average + (1 - beta) * value
        found.append(average / (1 - beta ** (k + 1)))
    return found


def by_weights(values: list[float], beta: float) -> Any:
    """Each average as a weighted mean of all values so far."""
    powers = np.array([beta**k for k in range(len(values))])
    return [np.dot(powers[: k + 1][::-1], values[: k + 1]) / powers[: k + 1].sum() for k in range(len(values))]


def in_a_tensor(values: list[float], beta: float) -> Tensor:
    x, average = torch.tensor(values, requires_grad=True), torch.zeros(())
    found = []
    for k, value in enumerate(x):
        average = beta * average + (1 - beta) * value
        found.append(average / (1 - beta ** (k + 1)))
    return torch.stack(found)


def in_decimals(values: list[float], beta: float) -> list[Decimal]:
    return [Decimal(number) for number in averaged(values, beta)]


AVERAGES: dict[str, Answer] = {
    "list": averaged,
    "tuple": lambda *a: tuple(averaged(*a)),
    "generator": lambda *a: (number for number in averaged(*a)),
    "array": lambda *a: np.array(averaged(*a)),
    "float32": lambda *a: np.array(averaged(*a), dtype=np.float32),
    "tensor": lambda *a: torch.tensor(averaged(*a)),
    "float16": lambda *a: np.array(averaged(*a), dtype=np.float16),
    "half": lambda *a: torch.tensor(averaged(*a)).half(),
    "bfloat16": lambda *a: torch.tensor(averaged(*a)).bfloat16(),
    "list of float16": lambda *a: list(map(np.float16, averaged(*a))),
    "tensor that requires grad": in_a_tensor,
    "list of tensors that require grad": lambda *a: list(in_a_tensor(*a)),
    "column": lambda *a: np.array(averaged(*a))[:, None],
    "Decimal": in_decimals,
    "Fraction": lambda *a: [Fraction(number) for number in averaged(*a)],
    "array of objects": lambda *a: np.array(in_decimals(*a), dtype=object),
    "weighted means": by_weights,
    "the package's": smooth,
}
WRONG_AVERAGES: dict[str, tuple[Answer, str]] = {
    "0.9 and 0.1 by heart, uncorrected": (
        lambda values, beta: (np.array(averaged(values, 0.9)) * (1 - 0.9 ** np.arange(1, len(values) + 1))).tolist(),
        "without the correction",
    ),
    "beta 0.9 by heart": (lambda values, beta: averaged(values, 0.9), "whatever beta is given"),
    "uncorrected": (
        lambda values, beta: [a * (1 - beta ** (k + 1)) for k, a in enumerate(averaged(values, beta))],
        "without the correction",
    ),
    "changed places": (lambda values, beta: averaged(values, 1 - beta) if beta else values, "changed places"),
    "started at the first": (
        lambda values, beta: [values[0]] + [sum(values[: k + 1]) / (k + 1) for k in range(1, len(values))],
        "the averages of",
    ),
    "as they are": (lambda values, beta: values, "the averages of"),
    "means": (lambda values, beta: [sum(values) / len(values)] * len(values), "the averages of"),
    "the last alone": (lambda values, beta: averaged(values, beta)[-1], "one number for each"),
    "one too few": (lambda values, beta: averaged(values, beta)[1:], "one number for each of the 5 values; got 4"),
    "one too many": (lambda values, beta: [0.0, *averaged(values, beta)], "got more than 5"),
    "for five values": (
        lambda values, beta: averaged((values * 5)[:5], beta),
        "one number for the one value; got more than 1",
    ),
    "without end": (lambda values, beta: iter(int, 1), "got more than 5"),
    "NaN": (lambda values, beta: [float("nan")] * len(values), "got nan"),
    "texts": (lambda values, beta: [str(number) for number in averaged(values, beta)], "got '2.0'"),
    "forgotten return": (lambda values, beta: None, "in a list; your function returned None; is the `return`"),
    "half precision, a hundredth beside": (
        lambda *a: 1.01 * np.array(averaged(*a), dtype=np.float16),
        "are [2.0, 1.474, 2.406, 2.579, 2.071], got [2.02",
    ),
    "a print's hole": (lambda values, beta: [None] * len(values), "returned None"),
    "an error on the way": (lambda values, beta: (1 / 0 for _ in values), "ZeroDivisionError"),
    "an error": (lambda values, beta: values[9], "IndexError"),
}

# -------------------------------------------------------------------------------------------------------- running loss


def epoch(add: Callable[[Any, Tensor], Any], end: Callable[[Any], Any] = lambda total: total, **how: Any) -> Answer:
    """Trains on all batches, adds up with ``add``, and returns ``end`` of the sum."""

    def running_loss(model: nn.Module, batches: Any, optimizer: Optimizer) -> Any:
        total: Any = how.get("start", 0.0)
        for images, labels in how.get("walk", lambda batches: batches)(batches):
            optimizer.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total = add(total, loss)
        return end(total)

    return running_loss


def _item(total: Any, loss: Tensor) -> Any:
    return total + loss.item()


def by_train_step(model: nn.Module, batches: Any, optimizer: Optimizer) -> Any:
    return sum(train_step(model, batch, optimizer) for batch in batches)


def by_index(model: nn.Module, batches: Any, optimizer: Optimizer) -> Tensor:
    losses = torch.zeros(len(batches))
    for k, batch in enumerate(batches):
        losses[k] = train_step(model, batch, optimizer)
    return losses.sum()


def by_closure(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> float:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss

    total = 0.0
    for images, labels in batches:  # noqa: B007
        loss = optimizer.step(closure)  # type: ignore[arg-type]
        total += loss.item()
    return total


RUNNING_LOSSES: dict[str, Answer] = {
    "item": epoch(_item),
    "detach": epoch(lambda total, loss: total + loss.detach()),
    "data": epoch(lambda total, loss: total + loss.data),
    "float": epoch(lambda total, loss: total + float(loss.detach())),
    "list of numbers": epoch(lambda total, loss: [*total, loss.item()], sum, start=[]),
    "np.float32": epoch(_item, np.float32),
    "0-d array": epoch(_item, np.array),
    "fsum": epoch(lambda total, loss: [*total, loss.item()], math.fsum, start=[]),
    "Decimal": epoch(lambda total, loss: total + Decimal(loss.item()), start=Decimal(0)),
    "tensor of one": epoch(lambda total, loss: total + loss.detach(), start=torch.zeros(1)),
    "all batches taken beforehand": epoch(_item, walk=list),
    "train_step": by_train_step,
    "closure": by_closure,
    "as many places as batches": by_index,
    "numbered": epoch(_item, walk=lambda batches: (batch for _, batch in enumerate(batches))),
}


def only_adds(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> float:
    return sum(cross_entropy(model(images), labels).item() for images, labels in batches)


def by_hand_epoch(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> float:
    return sum(by_hand(model, *batch, optimizer).item() for batch in batches)


def made_anew_epoch(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> float:
    return sum(made_anew(model, *batch, optimizer).item() for batch in batches)


def undone(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> Any:
    before = deepcopy(model.state_dict())
    total = epoch(_item)(model, batches, optimizer)
    model.load_state_dict(before)
    return total


def not_the_last(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> Any:
    """The last batch is measured, but nothing is learned from it."""
    walked = list(batches)
    images, labels = walked[-1]
    return epoch(_item)(model, iter(walked[:-1]), optimizer) + cross_entropy(model(images), labels).item()


def in_pairs(model: nn.Module, batches: Iterator[Any], optimizer: Optimizer) -> float:
    """Lets go of the graphs after every second batch."""
    total, kept = 0.0, list[Tensor]()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        kept.append(loss)
        if len(kept) == 2:
            total += sum(each.item() for each in kept)
            kept.clear()
    return total


_all_kept: list[Tensor] = []

WRONG_RUNNING_LOSSES: dict[str, tuple[Answer, str]] = {
    "+= loss": (epoch(lambda total, loss: total + loss), "still holds a graph"),
    "item at the end": (epoch(lambda total, loss: total + loss, lambda total: total.item()), "graphs were alive"),
    "all batches first, item at the end": (
        epoch(lambda total, loss: total + loss, lambda total: total.item(), walk=list), "graphs were alive",
    ),
    "all batches first, detach at the end": (
        epoch(lambda total, loss: total + loss, lambda total: total.detach(), walk=list), "graphs were alive",
    ),
    "a list of losses": (
        epoch(lambda total, loss: [*total, loss], lambda total: sum(total).item(), start=[], walk=list),
        "graphs were alive",
    ),
    "kept elsewhere": (
        epoch(lambda total, loss: (_all_kept.append(loss), total + loss.item())[1], walk=list), "graphs were alive",
    ),
    "kept in pairs": (in_pairs, "up to 2 graphs were alive"),
    "in evaluation mode": (
        lambda model, *rest: (epoch(_item)(model.eval(), *rest), model.train())[0], "learned in evaluation mode",
    ),
    "left in evaluation mode": (lambda model, *rest: (epoch(_item)(model, *rest), model.eval())[0], "or was left"),
    "a layer in evaluation mode": (
        lambda model, *rest: (model[1].eval(), epoch(_item)(model, *rest), model.train())[1], "learned in evaluation",
    ),
    "only adds": (only_adds, "train on each batch"),
    "by hand, for plain SGD": (by_hand_epoch, "train on each batch"),
    "an optimizer made anew": (made_anew_epoch, "train on each batch"),
    "undone at the end": (undone, "the weights are not"),
    "the last batch teaches nothing": (not_the_last, "the weights are not"),
    "the mean": (epoch(_item, lambda total: total / 6), "the mean of the losses"),
    "the last alone": (epoch(lambda total, loss: loss.item()), "the last loss alone"),
    "twice": (epoch(lambda total, loss: total + 2 * loss.item()), "add each loss once"),
    "by heart": (lambda *a: 14.0, "add each loss once"),
    "a list": (epoch(lambda total, loss: [*total, loss.item()], start=[]), "return a number"),
    "forgotten return": (epoch(_item, lambda total: None), "is the `return` forgotten?"),
    "NaN": (epoch(_item, lambda total: float("nan")), "got nan"),
    "an error": (lambda *a: 1 / 0, "ZeroDivisionError"),
}  # fmt: skip
