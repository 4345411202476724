"""How does a notebook cell ask the doctor? With ``%%doctor`` as its first line."""

import ast
from typing import Any

from course_utils.doctor.watching import watch

__all__ = ["doctor", "register"]

_USAGE = "write %%doctor, or %%doctor --steps 50"


def register(shell: Any) -> None:
    """Make ``%%doctor`` known to an IPython shell."""
    shell.register_magic_function(lambda line, cell: doctor(shell, line, cell), "cell", "doctor")


def doctor(shell: Any, line: str, cell: str) -> Any:
    """Run ``cell`` under ``watch()`` and display the report after it; gives the value of the last expression.

    An exception of the cell, Ctrl-C included, passes on after the report.

    Raises:
        ValueError: ``line`` has options other than ``--steps N``.
    """
    from IPython.display import display

    watching = watch(steps=_steps(line))
    report = None
    try:
        with watching as report:
            value = _run(shell, cell)
    finally:
        if report is not None:
            display(report)  # type: ignore[no-untyped-call]
    return value


def _run(shell: Any, cell: str) -> Any:
    """Run ``cell`` in the user's namespace, as IPython itself does, but let exceptions pass."""
    source = shell.transform_cell(cell)
    tree = shell.transform_ast(shell.compile.ast_parse(source))
    place = shell.compile.cache(source)  # so that a traceback shows the lines of the cell
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), shell.user_ns)
    return None if last is None else eval(compile(ast.Expression(last.value), place, "eval"), shell.user_ns)


def _steps(line: str) -> int | None:
    words = line.replace("=", " ").split()
    if not words:
        return None
    if len(words) != 2 or words[0] != "--steps" or not words[1].isdecimal():
        raise ValueError(f"unknown options {line!r}; {_USAGE}")
    return int(words[1])
