"""What does the page of the edge of stability compute? Its network and its training, asked of Node."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from course_utils.apps import EdgeOfStability
from tests.helpers.javascript import APPS, Node

__all__ = ["page_of_edge", "train_in_page"]

PAGE = APPS / "edge" / "page"
SET_UP = """({ images, labels, weights, widths, every }) => {
    const data = { images: Float64Array.from(images), labels, weights: Float64Array.from(weights), widths, every };
    globalThis.data = data;
    globalThis.nets = netsOf(data);
    return nets.all.size;
}"""
TRAIN = """({ settings, steps }) => {
    const trainer = makeTraining(data, nets);
    for (let k = 0; k < steps; k++) trainer.advance(settings);
    return { ...trainer.told, weights: [...trainer.weights] };
}"""


@contextmanager
def page_of_edge() -> Iterator[tuple[Node, int]]:
    """A Node with the images and weights that the kernel sends a page, and how many weights it counts."""
    facts = EdgeOfStability()._facts
    sent = {name: np.frombuffer(facts[name]).tolist() for name in ("images", "weights")}
    with Node(PAGE / "training.js", PAGE / "network.js") as node:
        yield node, node(SET_UP, {**facts, **sent})


def train_in_page(node: Node, lr: float, momentum: float, batch_size: int, steps: int) -> dict[str, Any]:
    """What the page tells of a run: ``losses``, ``sharpness`` and ``limits``, and the ``weights`` at its end."""
    settings = {"lr": lr, "momentum": momentum, "batch_size": batch_size}
    told: dict[str, Any] = node(TRAIN, {"settings": settings, "steps": steps})
    return told
