"""The loop: how does a network learn from batches of images, and how does a run outlive its process?

``loop`` is the training itself, ``state`` what of a run decides how it goes on, ``checkpoints`` the files that keep it,
``distributed`` lets several processes train one run.
"""

from course_utils.training.checkpoints import CheckpointError, load, previous_path, save
from course_utils.training.distributed import Shard, Worker, in_parallel, this_worker
from course_utils.training.loop import Batch, Batches, Evaluation, Run, Step, evaluate, train, train_step
from course_utils.training.state import restore, snapshot

__all__ = [
    "Batch",
    "Batches",
    "CheckpointError",
    "Evaluation",
    "Run",
    "Shard",
    "Step",
    "Worker",
    "evaluate",
    "in_parallel",
    "load",
    "previous_path",
    "restore",
    "save",
    "snapshot",
    "this_worker",
    "train",
    "train_step",
]
