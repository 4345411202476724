"""Do two outputs of a cell say the same? Word for word, numbers within a tolerance, pictures at a glance.

A figure is compared by its text alternative, which stands in its `text/plain`, and by its pixels. A cell whose run
amplifies the last bit is tagged "nbval-chaotic": its numbers, those of the figures too, get the tolerance that its
measured spread asks for, and its pixels are not looked at.
"""

import base64
import difflib
import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from nbformat import NotebookNode

from tests.tools.store_outputs import WIDGET_VIEW

__all__ = [
    "ATOL",
    "CHAOTIC_TAG",
    "PICTURE_BLOCKS_FREE",
    "PLACE_RTOL",
    "RTOL",
    "SPREAD",
    "SPREADS_ALLOWED",
    "differences",
    "distance",
    "same_picture",
    "same_text",
    "spread",
    "tolerance_of",
]

# Numbers with a point or an exponent; whole numbers (shapes, counts, steps) must be equal. Lessons print 4 significant
# digits, so one step of the last digit is at most 1e-3. Another CPU sums in another order: mean losses of three epochs
# differ by up to 1e-3 between AVX2 and AVX-512.
RTOL = 2e-3
ATOL = 1e-12  # above float64's noise around zero, below every learning rate that a lesson prints
PLACE_RTOL = 0.05  # "≈ 120" in the text of a figure, beside the farthest place on its line

# A large lr or many epochs turn the last bit into percents. A cell that shows such a run carries the tag, the reason,
# and how far `make processors` saw its numbers spread over the processors that a machine can imitate.
CHAOTIC_TAG, SPREAD = "nbval-chaotic", "nbval_spread"
SPREADS_ALLOWED = 3

# Pictures are compared as means over blocks. A block may lie between the darkest and the lightest of its neighbours: a
# line that moved by less than a block passes, a line, a label or a legend that is gone does not.
PICTURE_BLOCK_PX = 8
PICTURE_CONTRAST = 0.12  # of the range from black to white
PICTURE_BLOCKS_FREE = 2  # a label of four letters fills five
PICTURE_SIZE_RTOL = 0.05  # the legend may need one row more

_FIGURE = "text of a figure"
_LINEAR_AXES = re.compile(r"^(?!.*\(log scale\)).*(?:upwards|Length): ", re.MULTILINE)
_TOKEN = re.compile(
    r"(?P<count>\d[\d,]*)(?= (?:points|values)\b)"
    r"|(?P<place>≈ ?)?(?P<number>[-+−]?(?:\d+(?:\.\d+|\.(?=[eE][-+−]?\d))?|\.\d+)(?:[eE][-+−]?\d+)?)"
    r"|[^\W\d]\w*|[^\w\s]"
)


def tolerance_of(cell: NotebookNode) -> float | None:
    """Within what the numbers of a chaotic cell must agree, or None if it is not tagged as one."""
    tagged = CHAOTIC_TAG in cell.metadata.get("tags", [])
    return SPREADS_ALLOWED * cell.metadata.get(SPREAD, 0.0) if tagged else None


# --- texts ----------------------------------------------------------------------------------------------------------


def same_text(stored: str, fresh: str, rtol: float = RTOL) -> bool:
    """Whether two texts have the same words, lines and whole numbers, and floats equal within ``rtol`` or ATOL.

    Blanks only separate: ``[ 0.1, -0.2]`` and ``[0.1, -0.2]`` are the same.
    """
    return distance(stored, fresh) <= rtol


def distance(stored: str, fresh: str, *, figure: bool = False, places: bool = True) -> float:
    """The relative tolerance that two texts need to be the same, infinite where words or whole numbers differ.

    In the text of a ``figure`` with linear axes a number is held against the largest one on its line: near zero nobody
    sees its last digit. With ``places`` false, nobody asks where on the axis something is lowest, and of how many.
    """
    if stored == fresh:
        return 0.0
    then, now = stored.split("\n"), fresh.split("\n")
    if len(then) != len(now):
        return math.inf
    scaled = figure and bool(_LINEAR_AXES.search(stored))
    return max(_line_distance(a, b, scaled=scaled, places=places) for a, b in zip(then, now, strict=True))


def _line_distance(stored: str, fresh: str, *, scaled: bool, places: bool) -> float:
    then, now = list(_TOKEN.finditer(stored)), list(_TOKEN.finditer(fresh))
    if len(then) != len(now):
        return math.inf
    floats = [abs(_number(token)) for token in then + now if _is_float(token)]
    scale = max(floats, default=0.0) if scaled else 0.0
    farthest = max((abs(_number(token)) for token in then + now if token["place"]), default=0.0)
    needed = 0.0
    for a, b in zip(then, now, strict=True):
        if a.group() == b.group():
            continue
        if a["count"] and b["count"] and not places:
            continue
        if a["place"] and b["place"]:
            share = abs(_number(a) - _number(b)) / farthest
            needed = max(needed, share * RTOL / PLACE_RTOL if places else 0.0)
        elif not (a["number"] and b["number"] and (_is_float(a) or _is_float(b))):
            return math.inf
        else:
            needed = max(needed, _share(_number(a), _number(b), scale))
    return needed


def _number(token: re.Match[str]) -> float:
    return float(token["number"].replace("−", "-"))


def _is_float(token: re.Match[str]) -> bool:
    return bool(token["number"] and not token["place"] and set(token["number"]) & set(".eE"))


def _share(a: float, b: float, scale: float) -> float:
    return 0.0 if abs(a - b) <= ATOL else abs(a - b) / max(abs(a), abs(b), scale)


# --- pictures -------------------------------------------------------------------------------------------------------


def same_picture(stored: bytes, fresh: bytes) -> bool:
    """Whether two image files show the same at a glance: the same size, curves, colours, labels in the same places.

    Words are seen as ink, not read: "train" for "test" in a title passes.
    """
    return blocks_out_of_place(stored, fresh) <= PICTURE_BLOCKS_FREE


def blocks_out_of_place(stored: bytes, fresh: bytes) -> float:
    """How many blocks of 8 x 8 pixels show something else; infinite for pictures of other sizes."""
    import numpy as np
    from PIL import Image

    if stored == fresh:
        return 0
    then, now = (Image.open(io.BytesIO(data)).convert("RGB") for data in (stored, fresh))
    if any(not math.isclose(a, b, rel_tol=PICTURE_SIZE_RTOL) for a, b in zip(then.size, now.size, strict=True)):
        return math.inf
    grid = (math.ceil(then.width / PICTURE_BLOCK_PX), math.ceil(then.height / PICTURE_BLOCK_PX))
    before, after = _blocks(then, grid), _blocks(now, grid)
    excess = np.maximum(_outside_neighbours(before, after), _outside_neighbours(after, before))
    return int((excess.max(axis=-1) > PICTURE_CONTRAST).sum())


def _blocks(image: Any, grid: tuple[int, int]) -> Any:
    import numpy as np
    from PIL import Image

    return np.asarray(image.resize(grid, Image.Resampling.BOX), dtype=np.float32) / 255


def _outside_neighbours(blocks: Any, other: Any) -> Any:
    """How far each of ``blocks`` lies outside the range of the 3 x 3 blocks around its place in ``other``."""
    import numpy as np

    padded = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.maximum(around.min(axis=(-2, -1)) - blocks, blocks - around.max(axis=(-2, -1)))


# --- outputs --------------------------------------------------------------------------------------------------------


def differences(
    stored: Sequence[NotebookNode], fresh: Sequence[NotebookNode], *, chaos: float | None = None
) -> list[str]:
    """How the ``fresh`` outputs of a cell differ from the ``stored`` ones, line by line; empty where they agree.

    ``chaos`` is the tolerance for the numbers of a chaotic cell, whose pictures are counted and not looked at.
    """
    then, now = _by_kind(stored), _by_kind(fresh)
    report: list[str] = []
    for kind in sorted({*then, *now}):
        if _is_picture(kind):
            report += _compare_pictures(kind, then[kind], now[kind], look=chaos is None)
        else:
            report += _compare_texts(kind, then[kind], now[kind], chaos)
    return report


def spread(stored: Sequence[NotebookNode], fresh: Sequence[NotebookNode]) -> tuple[float, float]:
    """How far two outputs are apart: the tolerance that their numbers need, and the blocks that differ in a picture.

    Both are infinite where no tolerance helps, as when a word differs.
    """
    then, now = _by_kind(stored), _by_kind(fresh)
    numbers, blocks = [0.0], [0.0]
    for kind in {*then, *now}:
        pairs = list(zip(then[kind], now[kind], strict=False))
        if len(then[kind]) != len(now[kind]):
            numbers.append(math.inf)
        elif _is_picture(kind):
            blocks += [blocks_out_of_place(base64.b64decode(a), base64.b64decode(b)) for a, b in pairs]
        else:
            numbers += [distance(a, b, figure=kind == _FIGURE, places=False) for a, b in pairs]
    return max(numbers), max(blocks)


def _is_picture(kind: str) -> bool:
    return bool(re.match(r"image/(?!svg)", kind))


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
                text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True)
                if not _repeats(mime, text, output.data):
                    found[_kind(mime, output.data)].append(text)
    return found


def _kind(mime: str, data: NotebookNode) -> str:
    return _FIGURE if mime == "text/plain" and any(map(_is_picture, data)) else mime


def _repeats(mime: str, text: str, data: NotebookNode) -> bool:
    """Whether this is the page that only shows the output's own picture, which is compared as such."""
    return mime == "text/html" and data.get("image/png", "no picture") in text


def _compare_texts(kind: str, stored: list[str], fresh: list[str], chaos: float | None) -> Iterator[str]:
    def same(a: str, b: str) -> bool:
        needed = distance(a, b, figure=kind == _FIGURE, places=chaos is None)
        return needed <= (RTOL if chaos is None else chaos)

    if len(stored) == len(fresh) and all(map(same, stored, fresh)):
        return
    yield f"{kind}: {len(stored)} stored, {len(fresh)} now"
    then, now = "\n".join(stored).splitlines(), "\n".join(fresh).splitlines()
    if len(then) == len(now):  # show only the lines that really differ
        now = [a if same(a, b) else b for a, b in zip(then, now, strict=True)]
    yield from list(difflib.unified_diff(then, now, lineterm="", n=1))[2:]


def _compare_pictures(kind: str, stored: list[str], fresh: list[str], *, look: bool) -> Iterator[str]:
    if len(stored) != len(fresh):
        yield f"{kind}: {len(stored)} stored, {len(fresh)} now"
        return
    for number, (then, now) in enumerate(zip(stored, fresh, strict=True), start=1):
        if look and not same_picture(base64.b64decode(then), base64.b64decode(now)):
            yield f"{kind}: picture {number} of {len(stored)} looks different; `make outputs` and git show both"
