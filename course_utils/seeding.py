"""Which random stream? One independent stream of random numbers per purpose and epoch.

A single global seed ties everything to the order of calls: draw one number more for the weights and the
images come in another order. Here each purpose has its own stream, so the order of images in epoch 3 is the
same whether or not epochs 0 to 2 were run in this process.
"""

import hashlib

import torch

from course_utils.arguments import a_whole_number

__all__ = ["generator", "stream_seed"]

a_seed = a_whole_number(example=0)
_an_epoch = a_whole_number(0, example=0)


def stream_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """The 63-bit integer that starts the stream of ``purpose`` in ``epoch``.

    Raises:
        TypeError: ``seed`` or ``epoch`` is no whole number.
        ValueError: ``epoch`` is negative.
    """
    seed, epoch = a_seed("seed", seed), _an_epoch("epoch", epoch)
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """A CPU generator whose numbers depend on ``(seed, purpose, epoch)`` alone.

    Raises:
        TypeError: ``seed`` or ``epoch`` is no whole number.
        ValueError: ``epoch`` is negative.
    """
    return torch.Generator().manual_seed(stream_seed(seed, purpose, epoch))
