"""Why does my loop not learn? ``watch()`` around any PyTorch loop names the cause, with what it measured.

    from course_utils import doctor

    with doctor.watch() as report:
        train()                       # your loop, unchanged
    print(report)                     # in a notebook: report
    report.assert_healthy()           # in a test

In a notebook ``%load_ext course_utils.doctor`` once, then ``%%doctor`` on top of a cell does the same.
"""

from typing import Any

from course_utils.doctor.finding import Finding
from course_utils.doctor.report import Report
from course_utils.doctor.watching import watch

__all__ = ["Finding", "Report", "load_ipython_extension", "watch"]


def load_ipython_extension(shell: Any) -> None:
    """Register the ``%%doctor`` cell magic: what ``%load_ext course_utils.doctor`` calls."""
    from course_utils.doctor.magic import register

    register(shell)
