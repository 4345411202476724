"""What do other tools say of the same programs? Each is used as its documentation tells, in an environment of its own.

    make bench-rivals                                     installs them under out/rivals, and prints the table
    python -m benchmarks.doctor.rivals --every 5          a fifth of the programs, in a fifth of an hour or more
    python -m benchmarks.doctor.rivals --only missing     the programs whose fault or id begins so

A program counts as named where the tool reports a rule that may mean its fault (``rival_rules``), and as "something
else" where it reports another one. A static tool is given the text. A tool for the loop is attached to model and
optimizer when the first loss is there; a tool for one batch gets the model, the batch and the loss function of that
moment. A program that never comes there is "not reached".
"""

import argparse
import contextlib
import datetime
import gc
import importlib.metadata
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.doctor.corpus import corpus
from benchmarks.doctor.program import Program, perform
from benchmarks.doctor.rival_rules import MEANS

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "out" / "rivals"


class _ReachedError(Exception):
    """The first loss of a program is there, and nothing more is wanted of it."""


class _Listener:
    """Hears the doctor's probes and hands on what a tool asks for: the model, the batch, the loss; no rule of ours."""

    open = True

    def __init__(self, tool: str) -> None:
        self.tool, self.handle, self.steps = tool, None, 0
        self.depth, self.model, self.inputs, self.loss = 0, None, (), None

    def stumbled(self, error: Exception) -> None:
        raise error

    def hear(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ForwardBegins":
            if not self.depth and next(event.module.parameters(), None) is not None:
                self.model, self.inputs = event.module, event.args
            self.depth += 1
        elif kind == "ForwardEnded":
            self.depth -= 1
        elif kind == "LossComputed" and event.output.requires_grad and self.model is not None:
            self.loss = event
            if self.tool == "torchtest2":
                raise _ReachedError
            if self.handle is None:
                self.handle = _attach(self.tool, self.model)
        elif kind == "BackwardEnded" and self.tool == "gradsnitch" and self.handle is not None:
            self.handle.log(self.steps, float(event.losses.detach()))
            self.steps += 1


def _attach(tool: str, model: Any) -> Any:
    optimizer = _optimizer()
    if tool == "gradsnitch":
        import gradsnitch

        return gradsnitch.watch(model, optimizer)
    from torch_audit import autopatch

    return autopatch(model, optimizer=optimizer, every_n_steps=1)


def _optimizer() -> Any:
    """The optimizer that was made last."""
    from torch.optim import Optimizer

    return next((thing for thing in reversed(gc.get_objects()) if isinstance(thing, Optimizer)), None)


def _said(tool: str, listener: _Listener) -> set[str]:
    """The rules that ``tool`` reports when a program has ended, or has come as far as the tool needs it."""
    if tool == "torchtest2":
        import torchtest2

        inputs = listener.inputs if len(listener.inputs) > 1 else listener.inputs[0]
        report = torchtest2.check_model(
            listener.model, inputs, listener.loss.target, loss_fn=listener.loss.again, optimizer=_optimizer()
        )
        return {result.name for result in (*report.failures, *report.warnings)}
    if tool == "gradsnitch":
        return {finding.code for finding in listener.handle.report()}
    found = listener.handle.finish().findings
    return {finding.rule_id for finding in found if finding.severity.value != "INFO"}


def _run(tool: str, program: Program) -> list[str] | None:
    """What ``tool`` reports of one program; None where it was never reached."""
    from course_utils.doctor.probes import HUB

    gc.collect()
    listener = _Listener(tool)
    HUB.tell = _telling(HUB)  # type: ignore[method-assign]
    HUB.enter(listener)
    try:
        perform(program)
    except Exception:  # a fault may end the program, and a rival may end it too
        pass
    finally:
        HUB.leave(listener)
    if listener.loss is None or (listener.handle is None and tool != "torchtest2"):
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        return sorted(_said(tool, listener) & MEANS[tool].keys())


def _telling(hub: Any) -> Any:
    """The hub's ``tell``, which lets ``_ReachedError`` through."""

    def tell(event: Any) -> None:
        for observer in tuple(hub._observers):
            observer.hear(event)

    return tell


def _run_static(programs: list[Program]) -> Iterator[tuple[str, list[str] | None]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = {str(Path(folder) / f"{program.id.replace('/', '_')}.py"): program for program in programs}
        for path, program in paths.items():
            Path(path).write_text(program.text, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "torch-preflight"), "check", "-f", "json", "-j", "1", folder]
        said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
        found: dict[str, set[str]] = {program.id: set() for program in programs}
        for one in said["diagnostics"]:
            if one["code"] in MEANS["torch-preflight"]:
                found[paths[str(Path(folder) / Path(one["path"]).name)].id].add(one["code"])
        yield from ((name, sorted(codes)) for name, codes in found.items())


def _row(tool: str, version: str, programs: list[Program], said: dict[str, list[str] | None]) -> str:
    counts: Counter[str] = Counter()
    for program in programs:
        codes = said.get(program.id)
        means = set().union(*(MEANS[tool][code] for code in codes)) if codes else set()
        group = "faulty" if program.fault else "healthy"
        verdict = "named" if program.fault in means else "other" if codes else "silent"
        counts[f"{group} {'not reached' if codes is None else verdict}"] += 1
    cells = [counts[f"faulty {verdict}"] for verdict in ("named", "other", "silent", "not reached")]
    accused, reached = counts["healthy other"], counts["healthy other"] + counts["healthy silent"]
    return f"| {tool} {version} | {' | '.join(map(str, cells))} | {accused} of {reached} |"


def _install(tool: str) -> Path:
    """The Python of an environment with ``tool`` and the course; made where there is none."""
    venv = PLACE / tool
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (venv / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], check=True)
        torch = f"torch=={importlib.metadata.version('torch').partition('+')[0]}"
        wanted = [torch, "numpy", "pillow", "filelock", "matplotlib", "tqdm", "tabulate", "torchvision", tool]
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *wanted], check=True)
        (venv / "ready").touch()
    return python


def _inside(tool: str, programs: list[Program]) -> None:
    """In the tool's own environment: print what it says of each program."""
    logging.disable(logging.CRITICAL)
    said = _run_static(programs) if tool == "torch-preflight" else ((p.id, _run(tool, p)) for p in programs)
    for name, codes in said:
        print(json.dumps([name, codes]), flush=True)


def main() -> int:
    """Print a row for each tool; 0 if all could be asked."""
    parser = argparse.ArgumentParser(description="What do other tools say of the same programs?")
    parser.add_argument("--only", default="", help="the programs whose fault or id begins so")
    parser.add_argument("--every", type=int, default=1, help="of these programs every so many")
    parser.add_argument("--inside", choices=sorted(MEANS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    named = [p for p in corpus() if p.id.startswith(asked.only) or (p.fault or "").startswith(asked.only)]
    programs = named[:: asked.every]
    if asked.inside:
        _inside(asked.inside, programs)
        return 0
    print(f"{datetime.date.today()}, {len(programs)} programs, torch {importlib.metadata.version('torch')}\n")
    print("| tool | faulty: named | something else | silent | not reached | healthy: accused |")
    print("|---|---:|---:|---:|---:|---:|")
    rows = [_ask(tool, programs, ["--only", asked.only, "--every", str(asked.every)]) for tool in MEANS]
    return int(not all(rows))


def _ask(tool: str, programs: list[Program], choice: list[str]) -> bool:
    """Print the row of one tool; whether it could be asked."""
    try:
        python = str(_install(tool))
    except subprocess.CalledProcessError:
        print(f"| {tool} | does not install here |")
        return False
    inside = ["-W", "ignore", "-m", "benchmarks.doctor.rivals", "--inside", tool, *choice]
    said = [json.loads(line) for line in _output([python, *inside]).splitlines() if line.startswith("[")]
    version = _output([python, "-c", f"import importlib.metadata as m; print(m.version('{tool}'))"]).strip()
    print(_row(tool, version, programs, dict(said)), flush=True)
    return True


def _output(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
