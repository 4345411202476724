"""How do the numbers look? Numbers in, a finished matplotlib Figure out; nothing is shown or kept.

Every figure has its own white ground (for dark themes), text that can be read from the last row, one colour per
algorithm and a second sign beside each colour: a marker, a dash or the name at the end of the line. The same numbers
give the same picture, whatever the reader has set in ``rcParams``.
"""

from course_utils.plots.bars import bar_plot, histograms
from course_utils.plots.colors import COLORS, MARKERS
from course_utils.plots.frame import Figure as Figure
from course_utils.plots.heat_maps import heat_map
from course_utils.plots.images import image_grid
from course_utils.plots.lines import line_panels, line_plot, loss_curves, lr_curves, lr_range
from course_utils.plots.smoothing import smooth
from course_utils.plots.surfaces import surface_paths

__all__ = [
    "COLORS",
    "MARKERS",
    "bar_plot",
    "heat_map",
    "histograms",
    "image_grid",
    "line_panels",
    "line_plot",
    "loss_curves",
    "lr_curves",
    "lr_range",
    "smooth",
    "surface_paths",
]
