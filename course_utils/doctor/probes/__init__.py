"""How is torch observed? By its hooks around a step; by replaced functions where there is no hook, or none so cheap.

``HUB.enter(observer)`` installs everything for the first observer, ``HUB.leave(observer)`` removes everything after
the last; observers may leave in any order.
"""

from course_utils.doctor.probes.hub import HUB, Hub
from course_utils.doctor.probes.install import watched_attributes

__all__ = ["HUB", "Hub", "watched_attributes"]
