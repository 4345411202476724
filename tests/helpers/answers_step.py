"""What do students answer where a training step is asked? Right ones in unusual forms, wrong ones with what they hear.

Notebook 01 asks for a step to be repaired, notebook 02 for one to be written.
"""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss, one_hot, softmax
from torch.optim import SGD, Adam, Optimizer

from course_utils.training import train_step
from tests.helpers.answers import Answer

__all__ = ["STEPS", "WRONG_STEPS", "by_hand", "made_anew"]


def trained(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: Optimizer,
    *,
    order: str = "zbs",
    loss_of: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> Tensor:
    """One step in this order: z(ero_grad), b(ackward), s(tep)."""
    loss = loss_of(model(images), labels)
    for letter in order:
        {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[letter]()
    return loss.detach()


def by_nll(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, optimizer, loss_of=lambda s, y: nll_loss(log_softmax(s, dim=1), y))


def by_hand_written_loss(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    def loss_of(scores: Tensor, labels: Tensor) -> Tensor:
        return -(one_hot(labels, scores.shape[1]) * scores.log_softmax(dim=1)).sum() / len(labels)

    return trained(model, images, labels, optimizer, loss_of=loss_of)


def with_zeros(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad(set_to_none=False)
    return trained(model, images, labels, optimizer, order="bs")


def emptied_by_hand(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    for parameter in model.parameters():
        parameter.grad = None
    return trained(model, images, labels, optimizer, order="bs")


def with_closure(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Any:
    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss.item()

    return optimizer.step(closure)


def by_autograd_grad(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    loss = cross_entropy(model(images), labels)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.detach()


def in_two_parts(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    total = 0.0
    for x, y in ((images[:2], labels[:2]), (images[2:], labels[2:])):
        if len(y):
            loss = cross_entropy(model(x), y) * len(y) / len(labels)
            loss.backward()
            total += loss.item()
    optimizer.step()
    return total


STEPS: dict[str, Answer] = {
    "the five lines": trained,
    "the package's": lambda model, images, labels, optimizer: train_step(model, (images, labels), optimizer),
    "zero_grad at the end": lambda *a: trained(*a, order="bsz"),
    "zero_grad twice": lambda *a: trained(*a, order="zzbs"),
    "gradients of zero": with_zeros,
    "gradients emptied by hand": emptied_by_hand,
    "closure": with_closure,
    "autograd.grad, then the optimizer": by_autograd_grad,
    "gradients gathered in two parts": in_two_parts,
    "nll of log_softmax": by_nll,
    "loss by hand": by_hand_written_loss,
    "layer CrossEntropyLoss": lambda *a: trained(*a, loss_of=nn.CrossEntropyLoss()),
    "measured on the way": lambda *a: measured_on_the_way(*a),
    "train() first": lambda model, *rest: trained(model.train(), *rest),
    "returns a float": lambda *a: trained(*a).item(),
    "returns np.float32": lambda *a: np.float32(trained(*a).item()),
    "returns a 0-d array": lambda *a: trained(*a).numpy(),
    "returns Decimal": lambda *a: Decimal(trained(*a).item()),
    "returns a tensor of one": lambda *a: trained(*a)[None],
}


def by_hand(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    loss = cross_entropy(model(images), labels)
    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter -= optimizer.param_groups[0]["lr"] * gradient
    return loss.detach()


def made_anew(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"]))


def another_kind(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images, labels, Adam(model.parameters(), lr=0.1))


def of_a_copy(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(deepcopy(model), images, labels, optimizer)


def without_the_bias(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad()
    loss = cross_entropy(model(images), labels)
    loss.backward()
    list(model.parameters())[-1].grad = None
    optimizer.step()
    return loss.detach()


def evaluating(model: nn.Module, *rest: Any) -> Tensor:
    return (trained(model.eval(), *rest), model.train())[0]


def left_evaluating(model: nn.Module, *rest: Any) -> Tensor:
    return (trained(model, *rest), model.eval())[0]


def with_graph(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    optimizer.zero_grad()
    loss = cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def measured_on_the_way(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    model.eval()
    with torch.no_grad():
        model(images)
    model.train()
    return trained(model, images, labels, optimizer)


def step_twice(*a: Any) -> Tensor:
    trained(*a)
    return trained(*a)


def loss_afterwards(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    trained(model, images, labels, optimizer)
    return cross_entropy(model(images), labels).detach()


def first_images_only(model: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    return trained(model, images[:-1], labels[:-1], optimizer)


# What both checks of a step must refuse; the words are those of check_repaired_step, then of check_train_step.
WRONG_STEPS: dict[str, tuple[Answer, str, str]] = {
    "without zero_grad": (lambda *a: trained(*a, order="bs"), "zero_grad() was not called", "added up"),
    "without backward": (lambda *a: trained(*a, order="zs"), "backward() was not called", "did not move"),
    "without step": (lambda *a: trained(*a, order="zb"), "step() was not called", "did not move"),
    "zero_grad too late": (lambda *a: trained(*a, order="bzs"), "stood between", "did not move"),
    "zero_grad also too late": (lambda *a: trained(*a, order="zbzs"), "stood between", "did not move"),
    "step first": (lambda *a: trained(*a, order="szb"), "step() came before", "weights differ"),
    "two steps of one gradient": (lambda *a: trained(*a, order="zbss"), "called 2 times", "called 6 times"),
    "the step twice": (step_twice, "called 2 times", "called 6 times"),
    "by hand, for plain SGD": (by_hand, "was not called", "not by optimizer.step()"),
    "an optimizer made anew": (made_anew, "step() was not called", "not by optimizer.step()"),
    "another optimizer": (another_kind, "step() was not called", "not by optimizer.step()"),
    "a copy learns": (of_a_copy, "was not called", "did not move"),
    "the bias left out": (without_the_bias, "weights end elsewhere", "weights differ"),
    "a part of the batch": (first_images_only, "weights end elsewhere", "weights differ"),
    "summed loss": (
        lambda *a: trained(*a, loss_of=nn.CrossEntropyLoss(reduction="sum")), "weights end elsewhere", "was summed",
    ),
    "softmax too many": (
        lambda *a: trained(*a, loss_of=lambda s, y: cross_entropy(softmax(s, dim=1), y)),
        "weights end elsewhere", "a softmax too many",
    ),
    "loss after the step": (loss_afterwards, "not the loss from before", "before the update"),
    "a loss by heart": (lambda *a: (trained(*a), 2.3)[1], "not the loss from before", "before the update"),
    "forgotten return": (lambda *a: (trained(*a), None)[1], "the weights are right; return", "nothing is returned"),
    "a list": (lambda *a: [trained(*a)], "return a number", "return a number"),
    "with its graph": (with_graph, "still holds its graph", "still holds its graph"),
    "with its graph, as a tensor of one": (lambda *a: with_graph(*a)[None], "holds its graph", "holds its graph"),
    "in evaluation mode": (evaluating, "learned in evaluation mode", "learned in evaluation mode"),
    "left in evaluation mode": (left_evaluating, "evaluation mode", "evaluation mode"),
    "no training at all": (lambda *a: 1.0, "was not called", "did not move"),
    "an error": (lambda *a: 1 / 0, "ZeroDivisionError", "ZeroDivisionError"),
    "exit": (lambda *a: (_ for _ in ()).throw(SystemExit(1)), "SystemExit", "SystemExit"),
}  # fmt: skip
