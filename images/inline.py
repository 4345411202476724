"""How do a notebook's pictures show where only the notebook is? `python images/inline.py` puts them into its text.

A picture of the prose is written `![words][01_name]`; this script adds `[01_name]: data:image/png;base64,...` at the
end of the cell: Colab shows no attachments and VS Code no SVG, but all of them show this. The browser draws it from
`images/01_name.svg`; what moves becomes an animated WebP. The picture names the SVG that it was made from, so that a
test can ask whether it is still the same.
"""

import base64
import hashlib
import io
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
sys.path.insert(0, str(HERE.parent))

from tests.helpers.lab import chromium  # noqa: E402
from tests.tools.store_outputs import text_of  # noqa: E402

SCALE = 1  # pixels of the picture per pixel of the SVG, which is wider than a cell
FRAMES_PER_S, REST_S = 6, 3  # of a picture that moves: one frame a step of the optimizer
REFERENCE = re.compile(r"^\[([\w.-]+)\]: data:(image/\w+);base64,(\S+)$", re.MULTILINE)


def references(text: str) -> list[str]:
    """The names of the pictures that a cell shows."""
    return re.findall(r"!\[[^\]]*\]\[([\w.-]+)\]", text)


def source_of(picture: bytes) -> str:
    """The checksum of the SVG that ``picture`` says it was made from."""
    with Image.open(io.BytesIO(picture)) as image:
        text = image.info.get("source") or image.info.get("xmp", b"").decode()
    found = re.search("[0-9a-f]{64}", text)
    return found.group() if found else ""


def checksum(name: str) -> str:
    """The checksum of the SVG, whatever the ends of its lines."""
    return hashlib.sha256((HERE / f"{name}.svg").read_text(encoding="utf-8").encode()).hexdigest()


def drawn(page: Page, name: str) -> list[Image.Image]:
    """The frames of ``images/name.svg``: one, or those of one round of what moves in it."""
    svg = (HERE / f"{name}.svg").read_text(encoding="utf-8")
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{svg[svg.index('<svg') :]}")
    durations = [float(s) for s in re.findall(r'\bdur="([\d.]+)s"', svg)]
    seconds = max(durations, default=0) - (REST_S if durations else 0)
    frames = []
    for frame in range(round(seconds * FRAMES_PER_S) + 1):
        page.evaluate(
            "s => { const svg = document.querySelector('svg'); svg.pauseAnimations(); svg.setCurrentTime(s) }",
            frame / FRAMES_PER_S,
        )
        shot = page.locator("svg").screenshot(type="png")
        frames.append(Image.open(io.BytesIO(shot)).convert("RGB"))
    return frames


def packed(frames: list[Image.Image], source: str) -> tuple[str, bytes]:
    """The kind and the bytes of a picture that shows ``frames`` and names its source."""
    file = io.BytesIO()
    if len(frames) > 1:
        times = [round(1000 / FRAMES_PER_S)] * (len(frames) - 1) + [1000 * REST_S]
        options = {"duration": times, "loop": 0, "quality": 55, "method": 6, "xmp": source.encode()}
        frames[0].save(file, "webp", save_all=True, append_images=frames[1:], **options)
        return "image/webp", file.getvalue()
    told = PngImagePlugin.PngInfo()
    told.add_text("source", source)
    few = frames[0].quantize(64, dither=Image.Dither.NONE)
    few.save(file, "png", optimize=True, pnginfo=told)
    return "image/png", file.getvalue()


def inlined(text: str, pictures: dict[str, tuple[str, bytes]]) -> str:
    """The text of a cell with its pictures at its end."""
    lines = [
        f"[{name}]: data:{pictures[name][0]};base64,{base64.b64encode(pictures[name][1]).decode()}"
        for name in references(text)
    ]
    return "\n".join([REFERENCE.sub("", text).rstrip() + "\n", *lines]) if lines else text


def named(cell: NotebookNode) -> None:
    """Write pictures that are named by their file as references."""
    cell.source = re.sub(r"(!\[[^\]]*\])\(\.\./images/([\w-]+)\.svg\)", r"\1[\2]", cell.source)


def main() -> None:
    """Put every picture of every notebook into it; those that are still of the same SVG stay as they are."""
    with chromium(scale=SCALE) as page:
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    named(cell)
                    have = {name: (kind, base64.b64decode(data)) for name, kind, data in REFERENCE.findall(cell.source)}
                    for name in references(cell.source):
                        if name not in have or source_of(have[name][1]) != checksum(name):
                            have[name] = packed(drawn(page, name), checksum(name))
                            print(f"{path.name}: {name}, {len(have[name][1]) / 1e3:.0f} kB {have[name][0]}")
                    cell.source = inlined(cell.source, have)
            path.write_text(text_of(notebook), encoding="utf-8")


if __name__ == "__main__":
    main()
