"""What do learners hand in at the clinic of notebook 04? Honest repairs of a loop, and what is none with its words."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import MultiStepLR, StepLR

__all__ = ["RIGHT_REPAIRS", "WRONG_REPAIRS", "Loop"]

Loop = Callable[..., Any]


WITH_MOMENTUM = partial(SGD, momentum=0.9)


def trained(
    *,
    lr: float = 0.02,
    epochs: int = 4,
    batches_of: Callable[[Any, int], Any] = lambda loader, epoch: loader.batches(epoch),
    optimizer_of: Callable[..., Any] = WITH_MOMENTUM,
    keep: Callable[[Any], Any] = lambda loss: None,
    prepare: Callable[..., Any] = lambda model, optimizer, epoch: optimizer,
    loss_of: Callable[..., Any] = cross_entropy,
    scheduler: Callable[[Any], Any] | None = None,
    per_batch: bool = False,
    at_the_end: int = 0,
    parameters: Callable[[Any], Any] = lambda model: model.parameters(),
    returned: Callable[[list[Any]], Any] = lambda losses: losses,
) -> Loop:
    """A sound loop, of which a part may be replaced."""

    def loop(model: Any, loader: Any) -> Any:
        optimizer, losses = optimizer_of(parameters(model), lr=lr), []
        plan = scheduler(optimizer) if scheduler else None
        for epoch in range(epochs):
            optimizer = prepare(model, optimizer, epoch)
            for images, labels in batches_of(loader, epoch):
                optimizer.zero_grad()
                loss = loss_of(model(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                keep(loss)
                if plan and per_batch:
                    plan.step()
            if plan and not per_batch and not at_the_end:
                plan.step()
        for _ in range(at_the_end):
            plan.step()
        return returned(losses)

    return loop


def as_a_generator(model: Any, loader: Any) -> Any:
    """Trains while its losses are read."""
    yield from trained()(model, loader)


def stairs(optimizer: Any) -> Any:
    return StepLR(optimizer, step_size=2, gamma=0.1)


def in_two_pieces(scores: Any, labels: Any) -> Any:
    return nll_loss(log_softmax(scores, dim=1), labels)


def with_its_state(model: Any, optimizer: Any, epoch: int) -> Any:
    """Another optimizer, which knows what the one before has learned."""
    new = SGD(model.parameters(), lr=0.02, momentum=0.9)
    new.load_state_dict(optimizer.state_dict())
    return new


def two_optimizers(model: Any, loader: Any) -> list[float]:
    parameters, losses = list(model.parameters()), []
    optimizers = [SGD(part, lr=0.02, momentum=0.9) for part in (parameters[:-2], parameters[-2:])]
    for epoch in range(4):
        for images, labels in loader.batches(epoch):
            model.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
    return losses


def with_a_closure(model: Any, loader: Any) -> list[float]:
    optimizer, losses = SGD(model.parameters(), lr=0.02, momentum=0.9), []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss

    for _ in range(4):
        for images, labels in loader:  # noqa: B007
            losses.append(optimizer.step(closure).item())
    return losses


def there_and_back(model: Any, optimizer: Any, epoch: int) -> Any:
    """Looks at an image in evaluation mode before every epoch."""
    model.eval()
    with torch.no_grad():
        model(torch.rand(1, 3, 32, 32))
    model.train()
    return optimizer


RIGHT_REPAIRS: dict[str, tuple[str, Loop]] = {
    "D, the state carried over": ("D", trained(prepare=with_its_state)),
    "two optimizers, of a part each": ("D", two_optimizers),
    "a closure": ("D", with_a_closure),
    "Adam": ("D", trained(lr=1e-3, optimizer_of=Adam)),
    "without momentum": ("D", trained(lr=0.05, optimizer_of=SGD)),
    "epochs from 1": ("D", trained(batches_of=lambda loader, epoch: loader.batches(epoch + 1))),
    "all batches taken beforehand": ("E", trained(batches_of=lambda loader, epoch: list(loader.batches(epoch)))),
    "images in another range": (
        "E",
        trained(batches_of=lambda loader, epoch: ((2 * x - 0.2, y) for x, y in loader.batches(epoch))),
    ),
    "evaluation mode between the epochs": ("E", trained(prepare=there_and_back)),
    "C, once per epoch": ("C", trained(scheduler=stairs)),
    "C, ten batches": ("C", trained(scheduler=lambda o: StepLR(o, step_size=10, gamma=0.1), per_batch=True)),
    "C, milestones": ("C", trained(scheduler=lambda o: MultiStepLR(o, milestones=[2], gamma=0.1))),
    "B, log_softmax first": ("B", trained(loss_of=lambda scores, y: cross_entropy(scores.log_softmax(dim=1), y))),
    "B, in two pieces": ("B", trained(loss_of=in_two_pieces)),
    "a mean by hand": ("B", trained(loss_of=lambda scores, y: -scores.log_softmax(1)[range(len(y)), y].mean())),
    "a list of parameters": ("D", trained(parameters=lambda model: list(model.parameters()))),
    "a group": ("D", trained(parameters=lambda model: [{"params": list(model.parameters())}])),
    "losses as a tensor": ("E", trained(returned=torch.tensor)),
    "losses as an array": ("E", trained(returned=np.array)),
    "losses as a tuple": ("E", trained(returned=tuple)),
    "losses one by one": ("E", trained(returned=iter)),
    "a generator": ("E", as_a_generator),
    "0-d tensors": ("E", trained(returned=lambda losses: [torch.tensor(loss) for loss in losses])),
    "numpy float32": ("E", trained(returned=lambda losses: list(np.float32(losses)))),
}


def untrained(model: Any, loader: Any) -> list[float]:
    return [5 - 0.1 * number for number in range(20)]


def untrained_later(model: Any, loader: Any) -> Any:
    """A generator that promises, and trains nothing."""
    yield from untrained(model, loader)


def another_network(model: Any, loader: Any) -> Any:
    from course_utils.model import build_model

    return trained()(build_model(0), loader)


def anew_each_step(model: Any, loader: Any) -> list[float]:
    losses = []
    for epoch in range(4):
        for images, labels in loader.batches(epoch):
            optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
            optimizer.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def made_anew(**options: Any) -> Loop:
    """Prepares each epoch with another optimizer, not quite that of the epoch before."""
    return lambda model, optimizer, epoch: SGD(
        model.parameters(), **{"lr": 0.02, "momentum": 0.9, **{name: of(epoch) for name, of in options.items()}}
    )


def emptied(model: Any, optimizer: Any, epoch: int) -> Any:
    optimizer.state.clear()
    return optimizer


def zeroed(model: Any, optimizer: Any, epoch: int) -> Any:
    for state in optimizer.state.values():
        state["momentum_buffer"].zero_()
    return optimizer


def set_back(model: Any, optimizer: Any, epoch: int) -> Any:
    optimizer.load_state_dict(SGD(model.parameters(), lr=0.02, momentum=0.9).state_dict())
    return optimizer


def evaluating(model: Any, optimizer: Any, epoch: int) -> Any:
    model.eval()
    return optimizer


def one_batch(loader: Any, epoch: int) -> list[Any]:
    return [next(iter(loader.batches(epoch)))] * 5


def half_of_each(loader: Any, epoch: int) -> Any:
    return ((images[:16], labels[:16]) for images, labels in loader.batches(epoch))


def left_evaluating(model: Any, loader: Any) -> list[float]:
    losses: list[float] = trained()(model, loader)
    model.eval()
    return losses


def leaves(model: Any, loader: Any) -> None:
    raise SystemExit


def last_layer(model: Any) -> list[Any]:
    return list(model.parameters())[-2:]


def invented(losses: list[float]) -> list[float]:
    return [9 - 0.1 * number for number in range(20)]


WRONG_REPAIRS: dict[str, tuple[str, Any, str]] = {
    "no training": ("A", untrained, "made 0 updates"),
    "no training, read later": ("A", untrained_later, "made 0 updates"),
    "another network": ("A", another_network, "parameter tensors as they were"),
    "one epoch": ("B", trained(epochs=1), "made 5 updates; 4 epochs of 5 batches are 20"),
    "part of the parameters": ("B", trained(parameters=last_layer), "still finds faults in loop B"),
    "C without its scheduler": ("C", trained(), "step it once at the end of each epoch"),
    "C with an absurd step_size": (
        "C", trained(scheduler=lambda o: StepLR(o, 2000), per_batch=True), "with the lrs 0.02, 0.02",
    ),
    "C, stepped after all epochs": ("C", trained(scheduler=stairs, at_the_end=4), "lrs 0.02, 0.02, 0.02, 0.02"),
    "C, stepped every epoch": ("C", trained(scheduler=lambda o: StepLR(o, 1, 0.1)), "0.02, 0.002, 0.0002"),
    "D, another lr each time": (
        "D", trained(prepare=made_anew(lr=lambda epoch: 0.02 - 1e-6 * epoch)), "after 5 updates",
    ),
    "D, another decay each time": (
        "D", trained(prepare=made_anew(weight_decay=lambda epoch: 1e-9 * epoch)), "after 5 updates",
    ),
    "D, made anew without momentum": ("D", trained(prepare=made_anew(momentum=lambda epoch: 0.0)), "knows nothing"),
    "D, its state emptied": ("D", trained(prepare=emptied), "after 5 updates loop D goes on with"),
    "D, its buffers zeroed": ("D", trained(prepare=zeroed), "knows nothing of what was before"),
    "D, its state set back": ("D", trained(prepare=set_back), "knows nothing of what was before"),
    "one batch, twenty times": ("D", trained(batches_of=lambda loader, _: one_batch(loader, 0)), "still finds faults"),
    "one batch of each epoch": ("D", trained(batches_of=one_batch), "trains on 32 of the 160 images in epoch 1"),
    "half of each batch": ("D", trained(batches_of=half_of_each), "trains on 80 of the 160 images in epoch 1"),
    "epoch 0 again and again": (
        "D", trained(batches_of=lambda loader, epoch: loader.batches(0)), "the same batches in more than one epoch",
    ),
    "two epochs, twice": (
        "D", trained(batches_of=lambda loader, epoch: loader.batches(epoch % 2)), "the same batches in more than one",
    ),
    "eight epochs": ("D", trained(epochs=8), "made 40 updates; 4 epochs of 5 batches are 20"),
    "evaluation mode": ("D", trained(prepare=evaluating), "trains in evaluation mode"),
    "left in evaluation mode": ("D", left_evaluating, "or leaves the network in it"),
    "E, the last three kept": ("E", trained(keep=deque(maxlen=3).append), "keeps up to 4 graphs at once"),
    "E, the last one kept": ("E", trained(keep=deque(maxlen=1).append), "keeps up to 2 graphs at once"),
    "D, made anew at each step": ("D", anew_each_step, "still finds faults in loop D"),
    "an lr of nearly nothing": ("D", trained(lr=1e-9), "still finds faults in loop D"),
    "invented losses": (
        "D", trained(lr=1e-3, returned=lambda losses: [2.3 - 0.01 * n for n in range(20)]), "hardly learned",
    ),
    "losses of another training": ("E", trained(returned=invented), "but returned"),
    "losses as words": ("E", trained(returned=lambda losses: ["fell"]), "must return its losses"),
    "a mean only": ("E", trained(returned=lambda losses: sum(losses) / len(losses)), "must return its losses"),
    "leaves the program": ("E", leaves, "SystemExit"),
}  # fmt: skip
