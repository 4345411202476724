"""How long until something is seen? What the package adds to ``import torch``, and the first figure of notebook 01.

    python -m benchmarks.startup

Goals: ``import course_utils`` adds at most 50 ms to ``import torch``; the first figure stands 20 s after `make lab`.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks.rows import Row
from tests.helpers.lab import CHROMIUM, chromium, lab, open_notebook

__all__ = ["first_figure_s", "import_ms", "main"]

ROUNDS = 7
NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "01_optimizer_overview.ipynb"
LOOP = "course_utils.training"
FIGURE = ".jp-Notebook .jp-OutputArea-output img"


def import_ms(module: str) -> float:
    """Milliseconds that ``module`` takes in a fresh Python that has torch already; median of several."""
    return statistics.median(_import_ms(module) for _ in range(ROUNDS))


def _import_ms(module: str) -> float:
    command = [sys.executable, "-X", "importtime", "-c", f"import torch; import {module}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    rows = re.findall(r"import time:\s*\d+ \|\s*(\d+) \|( *)(\S+)", told)
    top = [(name, int(cumulative)) for cumulative, indent, name in rows if len(indent) == 1]  # imported by no other
    names = [name for name, _ in top]
    return sum(cumulative for _, cumulative in top[names.index("torch") + 1 :]) / 1000


def first_figure_s() -> float:
    """Seconds from the start of JupyterLab, with the browser open, to the first figure of notebook 01, Run All."""
    with tempfile.TemporaryDirectory() as folder, chromium() as page:
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
        nbformat.write(notebook, Path(folder) / NOTEBOOK.name)
        began = time.perf_counter()
        with lab(Path(folder)) as server:
            open_notebook(page, server, NOTEBOOK.name)
            page.evaluate("() => { window.jupyterapp.commands.execute('runmenu:run-all') }")
            page.wait_for_selector(FIGURE, state="attached", timeout=120_000)
            return time.perf_counter() - began


def main() -> None:
    """Measure, and print each figure with its goal."""
    print(Row("import course_utils, beside import torch", import_ms("course_utils"), "ms", 50))
    print(Row(f"import {LOOP}, beside import torch", import_ms(LOOP), "ms", 50))
    if CHROMIUM is None:
        print("first figure of notebook 01: no Chromium here, not measured")
        return
    print(Row("first figure of notebook 01, from the start of JupyterLab", first_figure_s(), "s", 20))


if __name__ == "__main__":
    main()
