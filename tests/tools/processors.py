"""Do the notebooks say the same on other processors? Runs them under the settings that this machine can imitate.

    python -m tests.tools.processors [--saved] [--write] [notebook ...]        (`make processors` calls it)

Prints how far the numbers and pictures of each cell spread over the settings, which cells need the tag of a chaotic
cell or carry it without need, and which cells of one setting are red when the outputs of another are the stored ones.
The runs are kept in out/processors: `--saved` judges them again, `--write` writes the spreads into the tagged cells.
"""

import argparse
import itertools
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tests.tools.comparing import (
    CHAOTIC_TAG,
    PICTURE_BLOCKS_FREE,
    RTOL,
    SPREAD,
    SPREADS_ALLOWED,
    differences,
    spread,
    tolerance_of,
)
from tests.tools.store_outputs import NOTEBOOKS, run_notebook, set_defaults, text_of

__all__ = ["Cell", "code_cells", "red_cells", "settings", "short_setting", "spreads"]

SAVED = NOTEBOOKS.parent / "out" / "processors"
STORED = "stored"

# What decides how sums are ordered: oneDNN computes the convolutions, ATen nearly all else, each with the vectors of a
# processor family: oneDNN's name of it, ATen's, the flag by which a processor tells that it can do as much; and with
# how many threads it is tried here. SSE4.1 takes four times as long as the others.
FAMILIES = (
    ("SSE41", "default", "sse4_1", (1, 2)),
    ("AVX2", "avx2", "avx2", (1, 2)),
    ("AVX512_CORE", "avx512", "avx512_dq", (1,)),
)


def settings() -> dict[str, dict[str, str]]:
    """Every setting of this machine by name: as it is, and as each family that it can imitate, in one thread or two."""
    import torch

    found = {f"native {threads}": {"OMP_NUM_THREADS": str(threads)} for threads in (1, 2)}
    flags = torch.cpu.get_capabilities()
    for onednn, aten, flag, tried in FAMILIES:
        for threads in tried if flags.get(flag) else ():
            found[f"{onednn} {threads}"] = _imitated(onednn, aten, threads)
    if short := short_setting():
        found["mixed 1"] = short
    return found


def short_setting() -> dict[str, str] | None:
    """A setting that differs from every processor's own, the quickest of this machine; None where none can be had.

    ATen goes one family down, oneDNN stays. The numbers spread in the same cells and as far as under an older family
    as a whole. That costs no time with AVX-512, where notebook 03 takes 1.7 times as long under AVX2.
    """
    import torch

    flags = torch.cpu.get_capabilities()
    if flags.get("avx512_dq"):
        return _imitated("AVX512_CORE", "avx2", 1)
    return _imitated("AVX2", "default", 1) if flags.get("avx2") else None


def _imitated(onednn: str, aten: str, threads: int) -> dict[str, str]:
    return {"ONEDNN_MAX_CPU_ISA": onednn, "ATEN_CPU_CAPABILITY": aten, "OMP_NUM_THREADS": str(threads)}


@dataclass(frozen=True)
class Cell:
    """One code cell under all settings: the largest distance of its numbers and of its pictures between any two."""

    number: int
    stored: NotebookNode
    numbers: float
    blocks: float

    @property
    def verdict(self) -> str:
        tolerance = tolerance_of(self.stored)
        quiet = self.numbers <= RTOL and self.blocks <= PICTURE_BLOCKS_FREE
        if tolerance is None:
            return "" if quiet else "needs the tag" if self.numbers < math.inf else "SAYS SOMETHING ELSE"
        if SPREADS_ALLOWED * self.numbers <= RTOL and quiet:
            return "tagged without need"
        return "WIDER THAN ITS TOLERANCE" if self.numbers > tolerance else f"tagged, tolerance {tolerance:.2g}"


def main() -> int:
    """Run, compare, print; 1 when a cell is red under some setting or a tag is missing or needless."""
    parser = argparse.ArgumentParser(description="Run the notebooks as other processors would, and compare.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--saved", action="store_true", help="judge the runs of last time again")
    parser.add_argument("--write", action="store_true", help="write the measured spreads into the tagged cells")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="kernels side by side")
    options = parser.parse_args()
    set_defaults()
    paths = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    if not options.saved:
        _run_all(paths, options.jobs)
    return max(_judge(path, write=options.write) for path in paths)


def _run_all(paths: Sequence[Path], jobs: int) -> None:
    wanted = list(itertools.product(settings().items(), paths))
    with ProcessPoolExecutor(jobs) as pool:
        for line in pool.map(_run_one, *zip(*((name, env, path) for (name, env), path in wanted), strict=True)):
            print(line, flush=True)


def _run_one(name: str, environment: Mapping[str, str], path: Path) -> str:
    folder = SAVED / name
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    (folder / path.name).write_text(text_of(run_notebook(path, environment)), encoding="utf-8")
    return f"ran {path.name} as {name} in {time.perf_counter() - start:.0f} s"


def _judge(path: Path, *, write: bool) -> int:
    stored = nbformat.read(path, as_version=4)
    kept = [folder / path.name for folder in sorted(SAVED.iterdir()) if (folder / path.name).is_file()]
    runs = {file.parent.name: nbformat.read(file, as_version=4) for file in kept}
    stale = [name for name, run in runs.items() if [c.source for c in run.cells] != [c.source for c in stored.cells]]
    if stale:
        raise SystemExit(f"{path.name} has changed since it ran as {', '.join(stale)}; run it again without --saved")
    cells = list(spreads(stored, list(runs.values())))
    print(f"\n{path.name} under {', '.join(runs)}")
    for cell in cells:
        if cell.verdict or cell.numbers > RTOL / 4 or cell.blocks:
            print(f"  cell {cell.number:3}: numbers {cell.numbers:7.2g}, {cell.blocks:3.0f} blocks  {cell.verdict}")
    red = list(_replay({STORED: stored, **runs}))
    print("\n".join(red) or "  no cell of any setting is red beside the stored outputs of any other")
    if write:
        _write_spreads(path, stored, cells)
    return int(bool(red) or any(cell.verdict and not cell.verdict.startswith("tagged, ") for cell in cells))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def red_cells(stored: NotebookNode, shown: Sequence[Sequence[NotebookNode]]) -> list[str]:
    """The chaotic cells of ``stored`` that do not say what is ``shown``, a list of outputs for each code cell."""
    both = zip(code_cells(stored), shown, strict=False)
    chaotic = [(cell, outputs) for cell, outputs in both if tolerance_of(cell) is not None]
    return [line for cell, outputs in chaotic for line in differences(cell.outputs, outputs, chaos=tolerance_of(cell))]


def spreads(stored: NotebookNode, runs: Sequence[NotebookNode]) -> Iterator[Cell]:
    """How far each code cell of ``stored`` spreads over the runs, but for those whose output nobody compares."""
    for number, (cell, *seen) in enumerate(zip(*map(code_cells, (stored, *runs)), strict=True), start=1):
        pairs = [spread(a.outputs, b.outputs) for a, b in itertools.combinations(seen, 2)]
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            yield Cell(number, cell, max(numbers for numbers, _ in pairs), max(blocks for _, blocks in pairs))


def _replay(runs: Mapping[str, NotebookNode]) -> Iterator[str]:
    """The cells that are red when the outputs of one run are the stored ones and those of another the fresh ones."""
    stored = code_cells(runs[STORED])
    for (then, old), (now, new) in itertools.permutations(runs.items(), 2):
        if now == STORED:
            continue
        for number, (cell, a, b) in enumerate(zip(stored, code_cells(old), code_cells(new), strict=True), start=1):
            ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
            report = [] if ignored else differences(a.outputs, b.outputs, chaos=tolerance_of(cell))
            if report:
                yield f"  RED: cell {number}, stored as {then}, run as {now}: {' | '.join(report)[:300]}"


def _write_spreads(path: Path, stored: NotebookNode, cells: Sequence[Cell]) -> None:
    for cell in cells:
        if CHAOTIC_TAG in cell.stored.metadata.get("tags", []):
            cell.stored.metadata[SPREAD] = float(f"{cell.numbers:.2g}")
    path.write_text(text_of(stored), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
