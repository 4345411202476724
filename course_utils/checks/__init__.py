"""Is my answer right? One ``check_*`` function per exercise; each says what is right or what is still missing."""

from course_utils.checks.clinic import check_diagnoses, check_repairs
from course_utils.checks.curvature import (
    check_adam_edge,
    check_change_in_a_step,
    check_hessian_vector_product,
    check_largest_eigenvalue,
    check_momentum_edge,
)
from course_utils.checks.lr_scheduler import (
    check_lr_after,
    check_repaired_loop,
    check_total_steps,
    check_warm_then_cosine,
)
from course_utils.checks.multi_epoch import (
    check_fair_comparison,
    check_mean_loss_per_image,
    check_softmax_floor,
    check_stop_early,
)
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
from course_utils.checks.own_optimizer import check_lion
from course_utils.checks.practice import (
    check_clipped_update,
    check_decay_groups,
    check_ema_update,
    check_fine_tuning,
    check_take_checkpoint,
)

__all__ = [
    "check_adam_edge",
    "check_change_in_a_step",
    "check_clipped_update",
    "check_decay_groups",
    "check_diagnoses",
    "check_ema_update",
    "check_fair_comparison",
    "check_fine_tuning",
    "check_hessian_vector_product",
    "check_largest_eigenvalue",
    "check_largest_stable_lr",
    "check_lion",
    "check_lr_after",
    "check_mean_loss_per_image",
    "check_momentum_edge",
    "check_momentum_step",
    "check_moving_average",
    "check_number_of_batches",
    "check_repaired_loop",
    "check_repaired_step",
    "check_repairs",
    "check_running_loss",
    "check_softmax_floor",
    "check_stop_early",
    "check_take_checkpoint",
    "check_torch_lr",
    "check_total_steps",
    "check_train_step",
    "check_warm_then_cosine",
]
