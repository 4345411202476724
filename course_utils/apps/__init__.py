"""What can I play with? Instruments that answer at the speed of the hand, and whose numbers are those of torch.

Every app is a widget with checked settings (``race.lr = 0.1``), a picture of its state where no kernel runs, and
methods that tell its state to a cell, so that a notebook can assert what was played.
"""

from course_utils.apps.edge import EdgeOfStability
from course_utils.apps.live import LiveTraining
from course_utils.apps.race import OptimizerRace
from course_utils.apps.schedule import ScheduleLab

__all__ = ["EdgeOfStability", "LiveTraining", "OptimizerRace", "ScheduleLab"]
