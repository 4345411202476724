"""What is trained? 500 grey patches of 8 x 8, a network of 3,466 weights, and its training as torch does it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from course_utils.curvature import largest_eigenvalues
from course_utils.data import load_images
from course_utils.seeding import stream_seed

__all__ = ["BATCH_SIZES", "EVERY", "IMAGES", "WIDTHS", "Trained", "make_network", "patches", "trained"]

IMAGES = 500
WIDTHS = (64, 32, 32, 10)
BATCH_SIZES = (500, 100, 20)
EVERY = 10  # steps from one measurement of the sharpness to the next

Row = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trained:
    """A training, step by step."""

    losses: Row  #: mean loss of all images before each step, ``(steps,)``
    steps: npt.NDArray[np.int64]  #: those before which the sharpness was measured
    sharpness: Row  #: the largest eigenvalue of the Hessian of all images' loss at each of them


@lru_cache(maxsize=1)
def patches() -> tuple[Tensor, Tensor]:
    """Pixels float64 ``(500, 64)``, each of mean 0 and deviation 1 over the images, and labels int64 ``(500,)``.

    They are the first patches of the course's photographs, averaged over 4 x 4 pixels and over the colours.
    """
    split = load_images("photos", "train", IMAGES, announce=False)
    pixels = avg_pool2d(split.images.double() / 255, 4).mean(dim=1).flatten(1)
    return (pixels - pixels.mean(dim=0)) / pixels.std(dim=0), split.labels


def make_network(seed: int = 0) -> nn.Sequential:
    """A fresh network in float64, two hidden layers of 32 with tanh; its weights depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "edge"))
        a, b, c, d = WIDTHS
        layers = nn.Linear(a, b), nn.Tanh(), nn.Linear(b, c), nn.Tanh(), nn.Linear(c, d)
        return nn.Sequential(*layers).double()


@lru_cache(maxsize=8)
def trained(seed: int, lr: float, momentum: float, batch_size: int, steps: int) -> Trained:
    """The training of ``make_network(seed)`` by ``torch.optim.SGD``, as the page does it by itself.

    Batches follow each other in the order of the images, the same in every epoch; the losses are those of all images.
    """
    model, (images, labels) = make_network(seed), patches()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    losses, measured, top = [], [], None
    for step in range(steps):
        loss = cross_entropy(model(images), labels)
        losses.append(loss.item())
        if not np.isfinite(losses[-1]):
            break
        if step % EVERY == 0:
            found = largest_eigenvalues(loss, model.parameters(), start=top, tolerance=1e-2)
            measured.append(found.values[0].item())
            top = found.vectors[0]
        if batch_size < IMAGES:
            first = step * batch_size % IMAGES
            loss = cross_entropy(model(images[first : first + batch_size]), labels[first : first + batch_size])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return Trained(np.array(losses), EVERY * np.arange(len(measured)), np.array(measured))
