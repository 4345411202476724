"""How do several processes train one network? Each takes a part of every batch, and torch averages their gradients.

The mean over a batch is the mean of the means over its parts, each weighted by its images, and so is the gradient:
many processes make the updates of one. ``torchrun`` starts them, ``DistributedDataParallel`` ties them together:

    with in_parallel(run, loader) as part:
        for step in train(run, part, epochs=5):
            ...

Started without ``torchrun`` the same lines are a plain training.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from course_utils.arguments import a_whole_number
from course_utils.devices import pick_device
from course_utils.training.loop import Batch, Batches, LossFunction, Run, a_run, batches_by_epoch
from course_utils.training.state import restore, snapshot

__all__ = ["Shard", "Worker", "in_parallel", "this_worker"]

PATIENCE = timedelta(minutes=5)  # for a process that answers no more; one that dies ends the others at once

_BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


@dataclass(frozen=True)
class Worker:
    """One of the processes that train together.

    Raises:
        TypeError: a field is no whole number.
        ValueError: ``world_size`` is below 1, or a number is not from 0 to ``world_size - 1``.
    """

    rank: int = 0  #: its number among all, from 0
    local_rank: int = 0  #: its number among those on this machine, from 0: the number of its GPU
    world_size: int = 1  #: how many there are

    def __post_init__(self) -> None:
        a_rank = a_whole_number(0, a_whole_number(1, example=2)("world_size", self.world_size) - 1, example=0)
        a_rank("rank", self.rank)
        a_rank("local_rank", self.local_rank)

    @property
    def leads(self) -> bool:
        """Whether it is the one that prints and writes files."""
        return self.rank == 0

    def device(self, wish: str = "auto") -> torch.device:
        """Where this process computes: as ``pick_device(wish)``, but several processes take a GPU each, or the CPU.

        Raises:
            TypeError: ``wish`` is no string.
            ValueError: this machine has no such device, or not one for each process.
        """
        device = pick_device(wish)
        if self.world_size == 1:
            return device
        if device.type not in _BACKENDS and wish == "auto":
            return torch.device("cpu")
        _check_shareable(device)
        if device.type != "cuda":
            return device
        if wish not in ("auto", "cuda"):
            raise ValueError(f'each process takes the GPU of its own number, got {wish!r}; try "cuda"')
        if self.local_rank >= torch.cuda.device_count():
            raise ValueError(
                f"process {self.local_rank} of this machine finds {torch.cuda.device_count()} GPUs, and each process "
                'needs its own; start as many processes as there are GPUs, or try "cpu"'
            )
        return torch.device("cuda", self.local_rank)


def this_worker() -> Worker:
    """This process as ``torchrun`` numbered it, in the environment; without ``torchrun`` the only one.

    Raises:
        ValueError: the environment holds other words in ``RANK``, ``LOCAL_RANK`` or ``WORLD_SIZE`` than numbers.
    """
    return Worker(_number("RANK", 0), _number("LOCAL_RANK", 0), _number("WORLD_SIZE", 1))


class Shard:
    """The part of every batch that process ``rank`` of ``world_size`` trains on.

    The parts are equal or differ by one image, and in the order of the processes they are the batch. In a batch of
    fewer images than processes the last parts are empty: ``(0, 3, 32, 32)``. Every process cuts out the whole batch
    first, which costs little beside a step.

    Raises:
        TypeError: ``data`` cannot give the batches of a chosen epoch, or a number is no whole one.
        ValueError: ``world_size`` is below 1, or ``rank`` not from 0 to ``world_size - 1``.
    """

    def __init__(self, data: Batches, *, rank: int, world_size: int) -> None:
        self.data: Batches = batches_by_epoch("data", data)
        self.worker = Worker(rank, 0, world_size)

    def __len__(self) -> int:
        """Batches in one epoch, the same in every process."""
        return len(self.data)

    def __repr__(self) -> str:
        return f"Shard({self.data!r}, part {self.worker.rank + 1} of {self.worker.world_size})"

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """This process's part of the batches of ``epoch``, from batch ``start`` on."""
        rank, count = self.worker.rank, self.worker.world_size
        for images, labels in self.data.batches(epoch, start):
            yield images.tensor_split(count)[rank], labels.tensor_split(count)[rank]


@contextmanager
def in_parallel(run: Run, data: Batches) -> Iterator[Batches]:
    """Train ``run`` together with the other processes of ``torchrun`` inside the block; you get this one's batches.

    Inside, ``run.model`` is wrapped in ``DistributedDataParallel`` and ``run.loss_fn`` is the mean over the images of
    all processes. So ``run.losses``, the weights and what ``save`` writes are the same in each, and, up to the
    rounding of float32, those of one process alone. All begin in the state of the first. ``Step.images`` counts
    this process's part. A single process gets ``data`` itself, and ``run`` stays as it is.

    ``run.loss_fn`` must be a mean over images. A network with BatchNorm or Dropout trains as well, but not to the same
    numbers: each process then takes its statistics from its own part, and draws alike. To evaluate inside the block,
    let every process do it.

    Raises:
        TypeError: ``run`` is no ``Run`` that has a state, or ``data`` cannot give the batches of a chosen epoch.
        ValueError: the network is on a device that processes cannot share, or they hold different data or runs.
    """
    worker, model, loss_fn = this_worker(), a_run("run", run).model, run.loss_fn
    part = Shard(data, rank=worker.rank, world_size=worker.world_size)
    if worker.world_size == 1:
        yield data
        return
    device = next(model.parameters()).device
    _check_shareable(device)
    state = snapshot(run)
    _join(device)
    _check_same_data(data)
    restore(run, _of_the_first(state))
    run.model = Replica(model, device_ids=None if device.type == "cpu" else [device])
    run.loss_fn = partial(_mean_over_workers, loss_fn)
    try:
        yield part
    except BaseException:
        atexit.unregister(dist.destroy_process_group)  # it might wait for those who wait for this process to end
        raise
    finally:
        run.model, run.loss_fn = model, loss_fn


class Replica(DistributedDataParallel):
    """The wrapped network with the state of the network itself, so that any number of processes reads its files."""

    def state_dict(self, *args: Any, **options: Any) -> Any:
        return self.module.state_dict(*args, **options)

    def load_state_dict(self, *args: Any, **options: Any) -> Any:
        return self.module.load_state_dict(*args, **options)


def _mean_over_workers(loss_fn: LossFunction, scores: Tensor, labels: Tensor) -> Tensor:
    """The mean loss of the whole batch, with the gradient of this process's part in it.

    DistributedDataParallel takes the mean of n gradients where their sum is due, hence the n in ``part``.
    """
    loss = loss_fn(scores, labels) if len(labels) else scores.sum()  # of no images: 0, and gradients of 0
    ours = loss.detach().double() * len(labels)
    sums = torch.stack([ours, torch.full_like(ours, len(labels))])
    dist.all_reduce(sums)
    total, images = sums
    mean: Tensor = (total / images).to(loss.dtype)
    part: Tensor = loss * (dist.get_world_size() * len(labels) / images).to(loss.dtype)
    return mean + (part - part.detach())  # plus 0 with a gradient: the same bits in every process


def _join(device: torch.device) -> None:
    """Meet the other processes, and stay with them: torch cannot leave a group and meet again."""
    if dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    bound = device if device.type == "cuda" else None
    dist.init_process_group(_BACKENDS[device.type], timeout=PATIENCE, device_id=bound)
    atexit.register(dist.destroy_process_group)


def _of_the_first(state: dict[str, Any]) -> dict[str, Any]:
    """The state that the first process came with, because another may not see its disk."""
    states = [state]
    dist.broadcast_object_list(states)
    return states[0]


def _check_same_data(data: Batches) -> None:
    """Refuse to mix sources, as when only one process could reach the network; the labels tell them apart."""
    mine = (len(data), next(data.batches(0))[1].tolist())
    all_of_them: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(all_of_them, mine)
    if others := [rank for rank, theirs in enumerate(all_of_them) if theirs != all_of_them[0]]:
        raise ValueError(
            f"all processes must have the same images in the same order, but process {others[0]} has others than "
            'process 0; try the same seed, and source="photos" or "cifar10" instead of "auto"'
        )


def _check_shareable(device: torch.device) -> None:
    if device.type not in _BACKENDS:
        raise ValueError(f'several processes train on {" or ".join(_BACKENDS)}, got {device.type}; try device="cpu"')


def _number(name: str, default: int) -> int:
    """The number in an environment variable."""
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"the environment variable {name} must be a number, got {text!r}; unset it or use torchrun")
    return int(text)
