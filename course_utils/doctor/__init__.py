"""Why does my loop not learn? ``watch()`` around any PyTorch loop names the cause, with what it measured.

    from course_utils import doctor

    with doctor.watch() as report:
        train()                       # your loop, unchanged
    print(report)                     # in a notebook: report
    report.assert_healthy()           # in a test; allow={"learning-rate-too-low"} lets that finding pass
    report.as_dict()                  # for programs, ready for json.dumps

``watch(prove=True)`` keeps the first batches, so that ``report.prove()`` can do these steps again on copies, with and
without the cure: a ``Proof``. ``examine(model, batch, loss_fn)`` tries a model out on copies without a loop, and
``watch(probe=True)`` on the first batch of one.

``python -m course_utils.doctor script.py`` runs a script under watch and prints the report; ``rules()`` lists all
faults that are known. In a notebook ``%load_ext course_utils.doctor`` once, then ``%%doctor`` on top of a cell does
the same.
"""

from typing import Any

from course_utils.doctor.examining import examine
from course_utils.doctor.finding import Finding
from course_utils.doctor.proving import Proof
from course_utils.doctor.report import Report
from course_utils.doctor.rule import Rule
from course_utils.doctor.rules import PROBED, RULES
from course_utils.doctor.watching import watch

__all__ = ["Finding", "Proof", "Report", "Rule", "examine", "load_ipython_extension", "rules", "watch"]


def rules() -> tuple[Rule, ...]:
    """Every fault that is known: name, severity, title, why it hurts, the cure as code, and the lesson."""
    return (*RULES, *PROBED)


def load_ipython_extension(shell: Any) -> None:
    """Register the ``%%doctor`` cell magic: what ``%load_ext course_utils.doctor`` calls."""
    from course_utils.doctor.magic import register

    register(shell)
