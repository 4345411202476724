"""Is my answer right, in notebook 02? How many batches, one step, a moving average, a running loss without a leak."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax
from torch.optim import SGD, Optimizer

from course_utils.checks.verdict import (
    NotYetError,
    call,
    explained,
    one_number,
    row_of_numbers,
    same_number,
    same_numbers,
    whole_number,
)
from course_utils.checks.witness import Graphs, Modes
from course_utils.seeding import generator
from course_utils.training import Batch, train_step

__all__ = ["check_moving_average", "check_number_of_batches", "check_running_loss", "check_train_step"]

Answer = Callable[..., Any]


# ------------------------------------------------------------------------------------------ number of batches


_EPOCHS = ((10_000, 64), (128, 64), (65, 64), (1, 64), (10, 64), (10_000, 1), (64, 64), (50_001, 500), (777, 10))


@explained
def check_number_of_batches(answer: Answer) -> str:
    """A verdict on ``answer(n, batch_size, drop_last)``: how many batches an epoch of ``n`` images has."""
    for n, batch_size in _EPOCHS:
        for drop_last in (True, False):
            _compare_count(answer, n, batch_size, drop_last)
    return "10,000 images in batches of 64 are 157 batches, or 156 with drop_last."


def _compare_count(answer: Answer, n: int, batch_size: int, drop_last: bool) -> None:
    case = f"n={n}, batch_size={batch_size}, drop_last={drop_last}"
    full, rest = divmod(n, batch_size)
    right = full if drop_last or not rest else full + 1
    got = call(answer, n, batch_size, drop_last)
    number = one_number(got)
    if number == right:
        return
    if not number.is_integer():
        way = "down: // in place of /" if drop_last else "up: math.ceil(n / batch_size)"
        raise NotYetError(
            f"the number of batches is a whole number, got {number:.6g} for {case}; here it is rounded {way}"
        )
    hint, left = f"{full} full batch{'es' * (full != 1)}", f"{rest} image{'s' * (rest != 1)}"
    if not rest:
        hint += " and nothing over: there is no small last batch to count or to drop"
    elif drop_last:
        hint += f" and {left} over, which drop_last leaves out"
    else:
        hint += f" and {left} over, for one more, smaller batch"
    raise NotYetError(f"{case} gives {right}, got {whole_number(got)}; there are {hint}")


# ----------------------------------------------------------------------------------------------------- one step

# One of them has a memory: an update by hand, or by an optimizer made anew, ends elsewhere.
_OPTIMIZERS: tuple[dict[str, Any], ...] = ({"lr": 0.5}, {"lr": 0.2, "momentum": 0.9, "weight_decay": 0.1})


@explained
def check_train_step(answer: Answer) -> str:
    """A verdict on ``answer(model, batch, optimizer)``: three updates, compared by their weights and losses."""
    model = _small_model()
    for options in _OPTIMIZERS:
        mine, losses, steps = _weights_after(answer, model, options)
        theirs, expected, _ = _weights_after(train_step, model, options)
        if not torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6):
            raise NotYetError(_why_weights_differ(mine, model, options, steps))
        for got, wanted in zip(losses, expected, strict=True):
            _compare_loss(got, wanted)
    return "after three steps your weights agree with those of course_utils.training.train_step."


def _weights_after(step: Answer, model: nn.Module, options: dict[str, Any]) -> tuple[Tensor, list[Any], int]:
    """All weights of a copy of ``model`` after three steps ``(m,)``, what they returned, the optimizer's steps."""
    copy = deepcopy(model)
    optimizer, steps = _counted(copy, options)
    modes = Modes(copy)
    returned = [call(step, copy, batch, optimizer) for batch in _small_batches(3)]
    modes.check()
    return _flat(copy), returned, len(steps)


def _counted(model: nn.Module, options: dict[str, Any]) -> tuple[SGD, list[None]]:
    """An optimizer, and a list that gets longer with each of its steps."""
    optimizer, steps = SGD(model.parameters(), **options), list[None]()
    optimizer.register_step_post_hook(lambda *_: steps.append(None))
    return optimizer, steps


def _flat(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _why_weights_differ(mine: Tensor, model: nn.Module, options: dict[str, Any], steps: int) -> str:
    """The known mistake that leads to these very weights, in words."""
    for mistake, words in _MISTAKES.items():
        if torch.allclose(mine, _weights_after(mistake, model, options)[0], rtol=1e-4, atol=1e-6):
            return words
    if steps == 0:
        return (
            "the weights moved, but not by optimizer.step() of the optimizer that your function is given; call that one"
        )
    if steps > 3:
        return f"three batches are three updates, and optimizer.step() was called {steps} times; once for each batch"
    return "the weights differ after three steps; the five lines are zero_grad, the loss, backward, step, return"


def _without_change(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    """What remains of a step without backward, without step, or with zero_grad between the two."""


def _without_zero_grad(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    images, labels = batch
    cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _with_softmax(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    images, labels = batch
    optimizer.zero_grad()
    cross_entropy(softmax(model(images), dim=1), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _with_summed_loss(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    images, labels = batch
    optimizer.zero_grad()
    cross_entropy(model(images), labels, reduction="sum").backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _with_step_first(model: nn.Module, batch: Batch, optimizer: Optimizer) -> None:
    """``step`` before ``backward``: every update uses the gradient of the batch before."""
    images, labels = batch
    optimizer.step()
    optimizer.zero_grad()
    cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]


_MISTAKES: dict[Callable[..., None], str] = {
    _without_change: (
        "the weights did not move; backward() must fill .grad, step() must use it, and zero_grad() may not stand "
        "between the two"
    ),
    _without_zero_grad: "the gradients of earlier batches were added up; call optimizer.zero_grad() before backward()",
    _with_softmax: "there is a softmax too many; cross_entropy takes the scores of the model as they are",
    _with_summed_loss: "the loss of a batch was summed; take its mean, as cross_entropy does without reduction=...",
    _with_step_first: "each update used the gradient of the batch before; call optimizer.step() after backward()",
}


def _compare_loss(got: Any, wanted: Tensor) -> None:
    if got is None:
        raise NotYetError("the weights are right, but nothing is returned; return the loss without its graph")
    value = one_number(got)
    if not same_number(got, wanted.item(), rel_tol=1e-4):
        raise NotYetError(f"return the mean loss of the batch before the update, {wanted:.4f}; got {value:.4f}")
    if isinstance(got, Tensor) and got.requires_grad:
        raise NotYetError("the weights are right, but the returned loss still holds its graph; return loss.detach()")


# ---------------------------------------------------------------------------------------------- moving average

_SERIES = ([2.0, 1.0, 4.0, 3.0, 0.5], [7.0], [-1.0, 3.0, 3.0, -2.0, 8.0, 0.0, 1.0, 5.0])


_POWER = "after the value number k, counted from 0, divide by 1 - beta^(k + 1)"


@explained
def check_moving_average(answer: Answer) -> str:
    """A verdict on ``answer(values, beta)``: the bias-corrected exponential moving average of a list."""
    for values in _SERIES:
        for beta in (0.9, 0.0, 0.5):
            got = row_of_numbers(_given(answer, values, beta), len(values))
            if not same_numbers(got, _corrected(values, beta), rel_tol=1e-5, abs_tol=1e-6):
                raise NotYetError(_why_averages_differ(np.array(list(map(one_number, got))), values, beta))
    return "your average starts at the first value and agrees with plots.smooth."


def _given(answer: Answer, values: list[float], beta: float) -> Any:
    try:
        return call(answer, list(values), beta)
    except NotYetError as error:
        if isinstance(error.__cause__, ZeroDivisionError):
            raise NotYetError(f"{error}; if it is 1 - beta^k, which is 0 for k = 0: {_POWER}") from error
        raise


def _why_averages_differ(got: Any, values: list[float], beta: float) -> str:
    plain = _averages(values, beta)
    steps = np.arange(len(values))
    if np.allclose(got, plain):
        return f"without the correction it starts at {plain[0]:.3g}, far from {values[0]}; divide by 1 - beta^(k + 1)"
    if len(values) > 1 and np.allclose(got[1:], plain[1:] / (1 - beta ** steps[1:])):
        return f"the power is one too small; {_POWER}"
    if np.allclose(got, plain / (1 - beta ** len(values))):
        return f"all are divided by the last power; {_POWER}"
    if np.allclose(got, _fed_back(values, beta)):
        return "the corrected average goes into the next step; go on from m itself, and correct only what you append"
    if beta != 0.9 and np.allclose(got, _corrected(values, 0.9)):
        return "that is the average for beta 0.9, whatever beta is given; use the argument beta"
    swapped = _averages(values, 1 - beta)
    if np.allclose(got, swapped) or (beta and np.allclose(got, _corrected(values, 1 - beta))):
        return "beta and 1 - beta have changed places; m = beta * m + (1 - beta) * value keeps beta of the old"
    if np.allclose(got, _averages(values, beta, start=values[0])):
        return "m started at the first value, which stays too heavy; start at 0 and divide by 1 - beta^(k + 1)"
    right, yours = (np.round(row, 3).tolist() for row in (_corrected(values, beta), got))
    return f"with beta {beta} the averages of {values} are {right}, got {yours}"


def _averages(values: list[float], beta: float, *, start: float = 0.0) -> Any:
    """The moving average without correction, float64 ``(n,)``."""
    average, averages = start, []
    for value in values:
        average = beta * average + (1 - beta) * value
        averages.append(average)
    return np.array(averages)


def _fed_back(values: list[float], beta: float) -> Any:
    """The averages when each step goes on from the corrected one."""
    average, averages = 0.0, []
    for k, value in enumerate(values):
        average = (beta * average + (1 - beta) * value) / (1 - beta ** (k + 1))
        averages.append(average)
    return np.array(averages)


def _corrected(values: list[float], beta: float) -> Any:
    """The average divided by the weight of the values so far, float64 ``(n,)``; ``beta`` is below 1."""
    return _averages(values, beta) / (1 - beta ** np.arange(1, len(values) + 1))


# ------------------------------------------------------------------------------------------------ running loss


@explained
def check_running_loss(answer: Answer) -> str:
    """A verdict on ``answer(model, batches, optimizer)``: the sum of the losses of an epoch, no graph kept alive."""
    model, batches, options = _small_model(), list(_small_batches(6)), _OPTIMIZERS[1]
    copy = deepcopy(model)
    optimizer = SGD(copy.parameters(), **options)
    losses = [train_step(copy, batch, optimizer) for batch in batches]
    graphs, modes = Graphs(model), Modes(model)
    mine, steps = _counted(model, options)
    mine.register_step_pre_hook(graphs.count)
    got = call(answer, model, list(batches), mine)
    _compare_sum(got, torch.stack(losses))
    if isinstance(got, Tensor) and got.requires_grad:
        raise NotYetError("the sum is right, but it still holds a graph; add loss.item() or loss.detach()")
    # The variable `loss` itself keeps the latest graph until it is assigned again: one alive is no leak.
    if graphs.most_alive > 1:
        raise NotYetError(
            f"the sum is right, but up to {graphs.most_alive} graphs were alive at once; let go of each before the next"
        )
    if not torch.allclose(_flat(model), _flat(copy), rtol=1e-4, atol=1e-6):
        why = "optimizer.step() was not called" if not steps else "keep zero_grad, backward and step as they were"
        raise NotYetError(f"the sum is right, but the weights are not; {why}")
    modes.check()
    return "the sum is the same, and no graph but the latest was kept."


def _compare_sum(got: Any, losses: Tensor) -> None:
    value = torch.tensor(one_number(got), dtype=torch.float64)
    for wrong, words in (
        (losses.mean(), "that is the mean of the losses; the running loss of the source notes is their sum"),
        (losses[-1], "that is the last loss alone; add the loss of every batch"),
        (losses[:-1].sum(), "the last loss is missing in the sum"),
        (losses[1:].sum(), "the first loss is missing in the sum"),
    ):
        if torch.isclose(value, wrong.double(), rtol=1e-5):
            raise NotYetError(words)
    wanted = losses.double().sum()
    if not same_number(got, wanted.item(), rel_tol=1e-4):
        raise NotYetError(
            f"the sum of the losses is {wanted:.4f}, got {value:.4f}; train on each batch, add each loss once"
        )


# ------------------------------------------------------------------------------------------------- small things


def _small_model() -> nn.Module:
    """A linear model for images ``(b, 3, 2, 2)`` in ten classes, the same at every call."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator(0, "check/weights")))
    return model


def _small_batches(count: int) -> Iterator[Batch]:
    stream = generator(0, "check/images")
    for _ in range(count):
        yield torch.rand((8, 3, 2, 2), generator=stream), torch.randint(10, (8,), generator=stream)
