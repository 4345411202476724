"""Which lines of torch make this curve? The training loop with its scheduler, ready to be copied."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from course_utils.apps.schedule.controls import controls_of, entry_of, names
from course_utils.apps.schedule.plan import Plan

__all__ = ["code_of"]

_LOOP = """\
for epoch in range({epochs}):
    for images, labels in loader:  # {batches}
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
{indent}scheduler.step({measured}){remark}
"""


def code_of(plan: Plan) -> str:
    """Python code that trains ``model`` on ``loader`` with exactly the learning rates of ``plan``."""
    made = _construction(plan)
    used = [name for name in names() if f"{name}(" in made]
    follows_a_loss = plan.scheduler == "ReduceLROnPlateau"
    loop = _LOOP.format(
        epochs=plan.epochs,
        batches=f"{plan.steps_per_epoch} batch{'es' * (plan.steps_per_epoch != 1)}",
        indent=" " * (8 if plan.cadence == "step" else 4),
        measured="1.0" if follows_a_loss else "",
        remark="  # your measured loss" if follows_a_loss else "",
    )
    return (
        "from torch.nn.functional import cross_entropy\n"
        "from torch.optim import SGD\n"
        f"from torch.optim.lr_scheduler import {', '.join(sorted(used))}\n\n"
        f"optimizer = SGD(model.parameters(), lr={plan.lr!r}, momentum=0.9)\n"
        f"scheduler = {made}\n{loop}"
    )


def _construction(plan: Plan) -> str:
    if not controls_of(plan.scheduler):
        return _source_of(entry_of(plan.scheduler).sample)
    arguments = ["optimizer", *(f"{name}={value!r}" for name, value in plan.given.items())]
    line = f"{plan.scheduler}({', '.join(arguments)})"
    if len(line) <= 44:
        return line
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return f"{plan.scheduler}(\n{inside})"


def _source_of(sample: Callable[..., Any]) -> str:
    """What a ``lambda optimizer: ...`` returns, as it is written in its file."""
    code = getattr(sample, "__code__", None)
    if code is None:  # a class of a newer torch that the catalog does not explain yet
        return f"{getattr(sample, '__name__', sample)}(optimizer)"
    source = inspect.getsource(inspect.getmodule(sample) or sample)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Lambda)]
    body = next(
        node.body for node in found if node.lineno == code.co_firstlineno and node.args.args[0].arg == "optimizer"
    )
    first, *rest = (ast.get_source_segment(source, body) or "").splitlines()
    return "\n".join([first, *textwrap.dedent("\n".join(rest)).splitlines()])
