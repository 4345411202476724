"""Is my answer right? One ``check_*`` function per exercise; each says what is right or what is still missing."""

from course_utils.checks import (
    clinic,
    curvature,
    kept_states,
    lr_scheduler,
    multi_epoch,
    one_epoch,
    overview,
    own_optimizer,
    practice,
)
from course_utils.checks.clinic import *  # noqa: F403
from course_utils.checks.curvature import *  # noqa: F403
from course_utils.checks.kept_states import *  # noqa: F403
from course_utils.checks.lr_scheduler import *  # noqa: F403
from course_utils.checks.multi_epoch import *  # noqa: F403
from course_utils.checks.one_epoch import *  # noqa: F403
from course_utils.checks.overview import *  # noqa: F403
from course_utils.checks.own_optimizer import *  # noqa: F403
from course_utils.checks.practice import *  # noqa: F403

_BOOKS = (overview, one_epoch, multi_epoch, lr_scheduler, clinic, practice, kept_states, own_optimizer, curvature)

__all__ = [name for book in _BOOKS for name in book.__all__ if name.startswith("check_")]
