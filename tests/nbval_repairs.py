"""Does a notebook still say what it said? nbval 0.11.0, repaired for interactive notebooks.

nbval collects the cells, reads their markers and compares outputs as exact text. Here every cell runs through nbclient
instead (`store_outputs.run_cell`), which does what a front end does and notices a dead kernel, and is compared within
the tolerances below. The two subclasses at the end are the whole of the repair; nothing of nbval is patched.
"""

import base64
import copy
import difflib
import io
import json
import math
import re
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
from store_outputs import WIDGET_VIEW, fresh_kernel, run_cell, set_defaults

__all__ = ["ATOL", "CHAOTIC_RTOL", "CHAOTIC_TAG", "RTOL", "differences", "same_picture", "same_text"]

# Numbers with a point or an exponent; whole numbers (shapes, counts, steps) must be equal. Lessons print 4 significant
# digits, so one step of the last digit is at most 1e-3. Another CPU sums in another order: mean losses of three epochs
# differ by up to 1e-3 between AVX2 and AVX-512, the loss of a late single batch by 4e-3, a test accuracy by 1e-2.
RTOL = 2e-3
ATOL = 1e-12  # above float64's noise around zero, below every learning rate that a lesson prints

# A large lr or many epochs turn the last bit into percents (SGD, lr 0.1, three epochs: 7e-2). A cell that shows such
# a run carries this tag: its numbers are held to the wider tolerance, its pictures are counted and not looked at.
CHAOTIC_TAG = "nbval-chaotic"
CHAOTIC_RTOL = 0.1

# Pictures are compared as means over blocks. A block may lie between the darkest and the lightest of its neighbours: a
# line that moved by less than a block passes, a line, a label or a legend that is gone does not.
PICTURE_BLOCK_PX = 8
PICTURE_CONTRAST = 0.12  # of the range from black to white
PICTURE_BLOCKS_FREE = 2  # a label of four letters fills five
PICTURE_SIZE_RTOL = 0.05  # a tick label more or less moves the tight edge of a figure

_NBVAL = "0.11.0"
_TOKEN = re.compile(
    r"(?P<number>[-+]?(?:\d+(?:\.\d+|\.(?=[eE][-+]?\d))?|\.\d+)(?:[eE][-+]?\d+)?)|[^\W\d]\w*|\n|[^\w\s]"
)


# --- what counts as the same ----------------------------------------------------------------------------------------


def same_text(stored: str, fresh: str, rtol: float = RTOL) -> bool:
    """Whether two texts have the same words, lines and whole numbers, and floats equal within ``rtol`` or ATOL.

    Blanks only separate: ``[ 0.1, -0.2]`` and ``[0.1, -0.2]`` are the same.
    """
    if stored == fresh:
        return True
    then, now = list(_TOKEN.finditer(stored)), list(_TOKEN.finditer(fresh))
    return len(then) == len(now) and all(_same_token(a, b, rtol) for a, b in zip(then, now, strict=True))


def _same_token(stored: re.Match[str], fresh: re.Match[str], rtol: float) -> bool:
    then, now = stored.group(), fresh.group()
    if then == now:
        return True
    if not (stored["number"] and fresh["number"]) or not set(then + now) & set(".eE"):
        return False
    return math.isclose(float(then), float(now), rel_tol=rtol, abs_tol=ATOL)


def same_picture(stored: bytes, fresh: bytes) -> bool:
    """Whether two image files show the same at a glance: the same size, curves, colours, labels in the same places.

    Words are seen as ink, not read: "train" for "test" in a title passes.
    """
    from PIL import Image

    then, now = (Image.open(io.BytesIO(data)).convert("RGB") for data in (stored, fresh))
    if any(not math.isclose(a, b, rel_tol=PICTURE_SIZE_RTOL) for a, b in zip(then.size, now.size, strict=True)):
        return False
    grid = (math.ceil(then.width / PICTURE_BLOCK_PX), math.ceil(then.height / PICTURE_BLOCK_PX))
    return _blocks_out_of_place(_blocks(then, grid), _blocks(now, grid)) <= PICTURE_BLOCKS_FREE


def _blocks(image: Any, grid: tuple[int, int]) -> Any:
    import numpy as np
    from PIL import Image

    return np.asarray(image.resize(grid, Image.Resampling.BOX), dtype=np.float32) / 255


def _blocks_out_of_place(then: Any, now: Any) -> int:
    import numpy as np

    excess = np.maximum(_outside_neighbours(then, now), _outside_neighbours(now, then))
    return int((excess.max(axis=-1) > PICTURE_CONTRAST).sum())


def _outside_neighbours(blocks: Any, other: Any) -> Any:
    """How far each of ``blocks`` lies outside the range of the 3 x 3 blocks around its place in ``other``."""
    import numpy as np

    padded = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.maximum(around.min(axis=(-2, -1)) - blocks, blocks - around.max(axis=(-2, -1)))


def differences(stored: Sequence[NotebookNode], fresh: Sequence[NotebookNode], *, chaotic: bool = False) -> list[str]:
    """How the ``fresh`` outputs of a cell differ from the ``stored`` ones, line by line; empty where they agree."""
    then, now = _by_kind(stored), _by_kind(fresh)
    report: list[str] = []
    for kind in sorted({*then, *now}):
        if re.match(r"image/(?!svg)", kind):
            report += _compare_pictures(kind, then[kind], now[kind], look=not chaotic)
        else:
            report += _compare_texts(kind, then[kind], now[kind], rtol=CHAOTIC_RTOL if chaotic else RTOL)
    return report


def _by_kind(outputs: Sequence[NotebookNode]) -> dict[str, list[str]]:
    """Outputs in order, under "stdout", "stderr", "error" or their MIME type. The id of a live widget is random."""
    found: dict[str, list[str]] = defaultdict(list)
    for output in outputs:
        if output.output_type == "stream":
            found[output.name].append(output.text)
        elif output.output_type == "error":
            found["error"].append(f"{output.ename}: {output.evalue}")
        else:
            for mime in output.data.keys() - {WIDGET_VIEW}:
                value = output.data[mime]
                found[mime].append(value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True))
    return found


def _compare_texts(kind: str, stored: list[str], fresh: list[str], *, rtol: float) -> Iterator[str]:
    if len(stored) == len(fresh) and all(same_text(a, b, rtol) for a, b in zip(stored, fresh, strict=True)):
        return
    yield f"{kind}: {len(stored)} stored, {len(fresh)} now"
    then, now = "\n".join(stored).splitlines(), "\n".join(fresh).splitlines()
    if len(then) == len(now):  # show only the lines that really differ
        now = [a if same_text(a, b, rtol) else b for a, b in zip(then, now, strict=True)]
    yield from list(difflib.unified_diff(then, now, lineterm="", n=1))[2:]


def _compare_pictures(kind: str, stored: list[str], fresh: list[str], *, look: bool) -> Iterator[str]:
    if len(stored) != len(fresh):
        yield f"{kind}: {len(stored)} stored, {len(fresh)} now"
        return
    for number, (then, now) in enumerate(zip(stored, fresh, strict=True), start=1):
        if look and not same_picture(base64.b64decode(then), base64.b64decode(now)):
            yield f"{kind}: picture {number} of {len(stored)} looks different; `make outputs` and git show both"


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
        chaotic = CHAOTIC_TAG in self.cell.metadata.get("tags", [])
        report = differences(self.cell.outputs, fresh.outputs, chaotic=chaotic)
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
        raise pytest.UsageError(f"tests/nbval_repairs.py repairs nbval {_NBVAL}, found {nbval.__version__}")
    if config.option.nbval_sanitize_with or config.option.nbdime:
        raise pytest.UsageError("--nbval-sanitize-with and --nbdime do nothing here; see tests/nbval_repairs.py")
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
