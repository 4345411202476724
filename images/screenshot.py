"""What does a student see first? `python images/screenshot.py` starts `make lab` in a fresh home and pictures it."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.helpers.lab import chromium, student_lab  # noqa: E402


def main() -> None:
    """Write `images/make_lab.png`."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        student_lab(Path(home)) as address,
        chromium(width=1200, height=760) as page,
    ):
        page.goto(address)
        page.wait_for_function("() => document.querySelector('.jp-MarkdownOutput img[alt]')?.naturalWidth > 0")
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        page.wait_for_timeout(5000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(256, dither=Image.Dither.NONE).save(HERE / "make_lab.png", optimize=True)
    print("images/make_lab.png")


if __name__ == "__main__":
    main()
