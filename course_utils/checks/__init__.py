"""Is my answer right? One ``check_*`` function per exercise; each says what is right or what is still missing."""

from course_utils.checks.one_epoch import (
    check_moving_average,
    check_number_of_batches,
    check_running_loss,
    check_train_step,
)
from course_utils.checks.overview import (
    check_largest_stable_lr,
    check_momentum_step,
    check_repaired_step,
    check_torch_lr,
)

__all__ = [
    "check_largest_stable_lr",
    "check_momentum_step",
    "check_moving_average",
    "check_number_of_batches",
    "check_repaired_step",
    "check_running_loss",
    "check_torch_lr",
    "check_train_step",
]
