"""What does a notebook say? Runs it in a fresh kernel and writes it back in one normal form.

    python -m tests.tools.store_outputs [notebook ...]    (all of notebooks/ if none is named; `make outputs` calls it)

`pytest --nbval` runs its cells through the same two functions, `fresh_kernel` and `run_cell`, so what is stored is
what the tests see again; both treat `;`, clear_output, update_display and Output widgets as a front end does.
"""

import argparse
import copy
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

from course_utils.plots.frame import picture_in_html
from tests.tools.kernel_client import KernelClient

__all__ = [
    "NOTEBOOKS",
    "WIDGET_VIEW",
    "fresh_kernel",
    "normalise",
    "run_cell",
    "run_notebook",
    "set_defaults",
    "store",
    "text_of",
]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL_TIMEOUT_S = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
_KEPT_CELL_METADATA = ("jupyter", "nbval_ignore_reason", "nbval_spread", "slideshow", "tags")


def set_defaults() -> None:
    """What every kernel started from here gets, unless the caller chose otherwise: the embedded photographs as data.

    And threads that sleep while they wait. OpenMP's spin, which on a machine that others use too makes a training
    several times as slow; the numbers are the same.
    """
    os.environ.setdefault("COURSE_DATA", "photos")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def fresh_kernel(
    notebook: NotebookNode, folder: Path, *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Iterator[NotebookClient]:
    """A client of a new kernel of this very Python, with working directory ``folder``; the kernel ends with the block.

    The client writes the outputs into the cells of ``notebook``. ``timeout_s`` is the limit for one cell;
    ``environment`` is added to this process's own.
    """
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(
            client_factory=KernelClient,
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
            transport_encryption="auto",  # else ipykernel warns about plain text at every start
        ),
        timeout=int(timeout_s),
        iopub_timeout=60,
        raise_on_iopub_timeout=True,  # the default drops the outputs of a busy machine without a word
        coalesce_streams=True,
        record_timing=False,
        # What C libraries and subprocesses write arrives whenever it likes, sometimes after the cell: leave it out.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel(cleanup_kc=True, env=_kernel_environment() | dict(environment or {})):
        yield client


def _kernel_environment() -> dict[str, str]:
    # A matplotlib backend meant for the caller would leave the notebook without figures; no library in the kernel shall
    # take a lesson for a test.
    return {k: v for k, v in os.environ.items() if k not in ("PYTEST_CURRENT_TEST", "MPLBACKEND")}


def run_cell(client: NotebookClient, index: int) -> NotebookNode:
    """Cell ``index`` of the client's notebook with fresh outputs and execution count.

    Raises:
        CellExecutionError: the cell raised, and has no tag "raises-exception".
        CellTimeoutError: it ran longer than the client's time-out.
        DeadKernelError: the kernel died.
    """
    cell = client.execute_cell(client.nb.cells[index], index)
    # Later cells leave these outputs alone: a test compares them now, before the later cells run.
    client.clear_display_id_mapping(index)
    return cell


def normalise(notebook: NotebookNode) -> NotebookNode:
    """A copy of ``notebook`` without anything that differs between two runs or two editors.

    Metadata: the kernel's name, the language, and of each cell what the course uses. In place of the id of a live
    widget stands its picture as HTML, so that a reader without a kernel gets that instead of "model not found". The id
    of a code cell follows from its source, so a source changed after `make outputs` shows.
    """
    normal = copy.deepcopy(notebook)
    normal.nbformat, normal.nbformat_minor = 4, 5
    normal.metadata = nbformat.from_dict(_NOTEBOOK_METADATA)
    for cell, cell_id in zip(normal.cells, _stable_ids(normal.cells), strict=True):
        cell.id = cell_id
        cell.metadata = NotebookNode({k: cell.metadata[k] for k in _KEPT_CELL_METADATA if k in cell.metadata})
        for output in cell.get("outputs", []):
            if output.get("data", {}).pop(WIDGET_VIEW, None) and "image/png" in output.data:
                alternative = output.metadata.get("image/png", {}).get("alt", "")
                output.data["text/html"] = picture_in_html(output.data["image/png"], alternative)
    return normal


def _stable_ids(cells: Sequence[NotebookNode]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for cell in cells:
        name = "text" if cell.cell_type != "code" else hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] += 1
        yield f"{name}-{seen[name]}"


def text_of(notebook: NotebookNode) -> str:
    """``notebook`` as the text of its file."""
    return nbformat.writes(notebook) + "\n"


def run_notebook(path: Path, environment: Mapping[str, str] | None = None, *, cells: int | None = None) -> NotebookNode:
    """The notebook ``path``, run in its own folder to its end, or only its first ``cells``; nothing is written.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: as `run_cell`.
    """
    notebook = nbformat.read(path, as_version=4)
    with fresh_kernel(notebook, path.parent, timeout_s=CELL_TIMEOUT_S, environment=environment) as client:
        for index, cell in enumerate(notebook.cells[:cells]):
            if cell.cell_type == "code":
                run_cell(client, index)
    return notebook


def store(path: Path) -> NotebookNode:
    """Run the notebook ``path`` in its own folder and write its outputs back; return what was written.

    Nothing is written when a cell fails.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: as `run_cell`.
    """
    normal = normalise(run_notebook(path))
    _write_whole(path, text_of(normal))
    return normal


def _write_whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _report(path: Path) -> bool:
    start = time.perf_counter()
    try:
        stored = store(path)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path.name}: not stored\n{error}", file=sys.stderr)
        return False
    cells = [cell for cell in stored.cells if cell.cell_type == "code"]
    print(f"{path.name}: {len(cells)} cells in {time.perf_counter() - start:.1f} s")
    for cell in cells:
        for output in cell.outputs:
            if output.get("name") == "stderr":
                print(f"  warning: cell {cell.execution_count} wrote to stderr: {output.text.strip()}")
    return True


def main() -> int:
    """Store the outputs of the notebooks on the command line; 1 when one of them failed."""
    parser = argparse.ArgumentParser(description="Run notebooks afresh and store their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    set_defaults()
    paths = parser.parse_args().notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    stored = [_report(path) for path in paths]
    return 0 if all(stored) else 1


if __name__ == "__main__":
    sys.exit(main())
