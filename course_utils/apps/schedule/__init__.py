"""What does this scheduler do to the lr? The wing of the schedule lab: plans, their code, their picture, their page."""

from course_utils.apps.schedule.widget import ScheduleLab

__all__ = ["ScheduleLab"]
