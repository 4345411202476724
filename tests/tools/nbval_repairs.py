"""Does a notebook still say what it said? nbval 0.11.0, repaired for interactive notebooks.

nbval collects the cells, reads their markers and compares outputs as exact text. Here every cell runs through nbclient
instead (`store_outputs.run_cell`), which does what a front end does and notices a dead kernel, and is compared by
`comparing.differences`. The two subclasses at the end are the whole of the repair; nothing of nbval is patched.
"""

import copy
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import nbval
import pytest
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.tools.comparing import differences, tolerance_of
from tests.tools.store_outputs import fresh_kernel, run_cell, set_defaults

__all__ = ["Cell", "Notebook"]

_NBVAL = "0.11.0"


# --- nbval, repaired ------------------------------------------------------------------------------------------------


class CellError(Exception):
    """What is wrong with a cell: a headline, and lines of detail."""

    def __init__(self, headline: str, details: Sequence[str] = ()) -> None:
        super().__init__(headline)
        self.details = "\n".join(details)


class Cell(IPyNbCell):  # type: ignore[misc]
    """One code cell as one test."""

    def setup(self) -> None:
        if self.parent.broken_by:
            pytest.skip(self.parent.broken_by)

    def runtest(self) -> None:
        if self.options["skip"]:
            pytest.skip("marked NBVAL_SKIP")
        if self.cell.execution_count is None and self.cell.source.strip():
            raise CellError("never run, so there is no output to compare with; try `make outputs`")
        fresh = self._run()
        if not self.options["check"]:
            return
        report = differences(self.cell.outputs, fresh.outputs, chaos=tolerance_of(self.cell))
        if report:
            raise CellError("the output differs (- stored, + now)", report)

    def _run(self) -> NotebookNode:
        try:
            return run_cell(self.parent.client, self.index)
        except CellExecutionError as error:
            outputs = self.parent.client.nb.cells[self.index].outputs
            traceback = [strip_ansi(line) for output in outputs for line in output.get("traceback", [])]
            raise CellError(f"raised {error.ename}: {error.evalue}", traceback) from None
        except CellTimeoutError:
            self._give_up(f"time-out after {self.parent.client.timeout} s")
        except DeadKernelError:
            self._give_up("the kernel died")

    def _give_up(self, why: str) -> NoReturn:
        self.parent.broken_by = f"{why} in {self.name}"
        raise CellError(why) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, CellError):
            return pytest.Item.repr_failure(self, excinfo, style)
        source = "\n".join(f"    {line}" for line in self.cell.source.splitlines())
        return f"{excinfo.value}\n\n{source}\n\n{excinfo.value.details}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.nodeid


class Notebook(IPyNbFile):  # type: ignore[misc]
    """One notebook: its code cells in order, all in one fresh kernel."""

    broken_by = ""

    def collect(self) -> Iterator[Cell]:
        cells = list(super().collect())
        places = [i for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        for number, (found, index) in enumerate(zip(cells, places, strict=True), start=1):
            # counted from 1, as a reader sees them in the notebook
            cell = Cell.from_parent(
                self, name=f"Cell {number}", cell_num=number, cell=found.cell, options=found.options
            )
            cell.index = index
            yield cell

    def setup(self) -> None:
        self.ended = ExitStack()
        timeout_s = self.config.option.nbval_cell_timeout
        fresh = copy.deepcopy(self.nb)
        self.client = self.ended.enter_context(fresh_kernel(fresh, self.path.parent, timeout_s=timeout_s))

    def teardown(self) -> None:
        self.ended.close()


# --- hooks ----------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    if nbval.__version__ != _NBVAL:
        raise pytest.UsageError(f"tests/tools/nbval_repairs.py repairs nbval {_NBVAL}, found {nbval.__version__}")
    if config.option.nbval_sanitize_with or config.option.nbdime:
        raise pytest.UsageError("--nbval-sanitize-with and --nbdime do nothing here; see tests/tools/nbval_repairs.py")
    if getattr(config.option, "dist", "no") not in ("no", "loadfile", "loadscope"):
        config.option.dist = "loadfile"  # the cells of a notebook need one kernel, whatever -n alone would do
    set_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    found = yield
    return [Notebook.from_parent(parent, path=file_path) if type(one) is IPyNbFile else one for one in found]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and ".ipynb::" in report.nodeid:
                seconds[report.nodeid.split("::")[0]] += report.duration
    if seconds:
        terminalreporter.section("seconds per notebook")
        for name, duration in sorted(seconds.items()):
            terminalreporter.write_line(f"{duration:8.1f} s  {name}")
