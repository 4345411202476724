"""How is torch observed? Official global hooks where there are any, replaced functions where there are none.

``HUB.enter(observer)`` installs everything for the first observer, ``HUB.leave(observer)`` removes everything after
the last; observers may leave in any order.
"""

from course_utils.doctor.probes.hub import HUB, Hub
from course_utils.doctor.probes.install import watched_attributes

__all__ = ["HUB", "Hub", "watched_attributes"]
