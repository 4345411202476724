"""Which optimizer wins, and why? The wing of the race: its settings, its paths, its picture and its page."""

from course_utils.apps.race.widget import OptimizerRace

__all__ = ["OptimizerRace"]
