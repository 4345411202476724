"""What happens while a network learns? The wing of the live training: a trainer, its records, its picture, its page."""

from course_utils.apps.live.widget import LiveTraining

__all__ = ["LiveTraining"]
