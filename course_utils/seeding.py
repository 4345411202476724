"""Which random stream? One independent stream of random numbers per purpose and epoch.

A single global seed ties everything to the order of calls: draw one number more for the weights and the
images come in another order. Here each purpose has its own stream, so the order of images in epoch 3 is the
same whether or not epochs 0 to 2 were run in this process.
"""

import hashlib

import torch

__all__ = ["generator", "stream_seed"]


def stream_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """The 63-bit integer that starts the stream of ``purpose`` in ``epoch``.

    Raises:
        TypeError: ``seed`` or ``epoch`` is not an int.
        ValueError: ``epoch`` is negative.
    """
    for name, value in (("seed", seed), ("epoch", epoch)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {value!r}; try {name}=0")
    if epoch < 0:
        raise ValueError(f"epoch must be 0 or more, got {epoch}; epochs are counted from 0")
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """A CPU generator whose numbers depend on ``(seed, purpose, epoch)`` alone.

    Raises:
        TypeError: ``seed`` or ``epoch`` is not an int.
        ValueError: ``epoch`` is negative.
    """
    return torch.Generator().manual_seed(stream_seed(seed, purpose, epoch))
