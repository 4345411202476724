"""What is in torch.optim today? Tables made by introspection of the installed torch, explained by hand.

``optimizers()`` and ``schedulers()`` list every class, ``parameters("SGD")`` what one of them takes. ``gaps()`` lists
what is not explained yet.
"""

from course_utils.catalog.introspection import gaps, optimizers, parameters, schedulers
from course_utils.catalog.records import OptimizerEntry, Paper, ParameterEntry, SchedulerEntry
from course_utils.catalog.table import Table

__all__ = [
    "OptimizerEntry",
    "Paper",
    "ParameterEntry",
    "SchedulerEntry",
    "Table",
    "gaps",
    "optimizers",
    "parameters",
    "schedulers",
]
