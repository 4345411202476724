"""What is one program of the corpus? Its text, what is wrong with it, and how its losses must go."""

import contextlib
import io
import linecache
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import torch

__all__ = ["Course", "Program", "perform"]

Course = Literal["down", "flat", "up"]


@dataclass(frozen=True)
class Program:
    """A program as a student writes it; when run it leaves its losses in the global name ``losses``."""

    id: str  #: such as "missing-step/3"
    fault: str | None  #: name of the finding it must lead to; None: the program is healthy
    follows: str  #: the published taxonomy that has this kind of fault, or the trap that a healthy one sets
    text: str  #: Python source
    raises: str | None = None  #: name of the exception that ends it, if one does
    course: Course | None = None  #: what the losses do; None: they tell nothing about the fault


def perform(program: Program) -> dict[str, Any]:
    """Run the program in a fresh namespace, from a fresh torch seed, unheard; returns the namespace.

    What the program raises passes through. Its source is known to ``linecache``, so that tracebacks and tools
    that quote the caller's line find it.
    """
    name = f"<{program.id}>"
    linecache.cache[name] = (len(program.text), None, program.text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "program"}
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a student may overlook a warning; the corpus must not stop at it
        exec(compile(program.text, name, "exec"), namespace)
    return namespace
