"""How does one ask the doctor about a script? By running it under watch.

    python -m course_utils.doctor [--steps N] [--probe] [--prove] [--json] script.py [arguments of the script]

Prints the report after what the script prints. Exit status: 0 healthy or notes only, 1 a warning, 2 an error among the
findings, 3 an exception that no finding explains, else the script's own.
"""

import argparse
import contextlib
import json
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from course_utils.doctor.report import Report
from course_utils.doctor.watching import watch

__all__ = ["main"]

_STATUS = {"note": 0, "warning": 1, "error": 2}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script under watch, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.doctor", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, help="observe only the first so many steps")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, alone on stdout")
    parser.add_argument("--probe", action="store_true", help="also try out copies of the model on its first batch")
    parser.add_argument("--prove", action="store_true", help="do the first steps again with the cure of the finding")
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="are passed to the script")
    asked = parser.parse_args(arguments)
    if not asked.script.is_file():
        parser.error(f"script must be a file, got {str(asked.script)!r}; try python -m course_utils.doctor train.py")
    watching = watch(steps=asked.steps, probe=asked.probe, prove=asked.prove)
    report, status = _run(asked.script, asked.arguments, watching, quiet=asked.json)
    if asked.prove and report.findings:
        report.prove()
    print(json.dumps(report.as_dict(), indent=2) if asked.json else f"\n{report}")
    found = _STATUS[report.findings[0].severity] if report.findings else 0
    stopped = report.recording is not None and report.recording.stop is not None
    return found or (3 if stopped and not report.findings else status)


def _run(
    script: Path, arguments: Sequence[str], watching: contextlib.AbstractContextManager[Report], *, quiet: bool
) -> tuple[Report, int]:
    """Run ``script`` as ``python script`` would; its exception is printed and ends it. With its own exit status."""
    argv, path, report, status = sys.argv, sys.path[:], Report(), 0
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.resolve().parent)
    try:
        with contextlib.redirect_stdout(sys.stderr if quiet else sys.stdout), watching as report:
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as ended:  # the script's own way to end
                status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
                print(f"the script ended with exit status {ended.code or 0}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        sys.argv, sys.path[:] = argv, path
    return report, status


if __name__ == "__main__":
    raise SystemExit(main())
