"""What limits the learning rate of a network? The wing of the edge of stability: its network, its picture, its page."""

from course_utils.apps.edge.widget import EdgeOfStability

__all__ = ["EdgeOfStability"]
