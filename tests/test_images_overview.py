"""The figures that notebook 01 alone shows: drawn by their kept scripts, true to the course, with their message."""

import base64
import importlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ["draw_rolling_balls", "draw_training_step"]
NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture(params=SCRIPTS)
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "images")
    return importlib.import_module(request.param)


@pytest.fixture
def balls(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "images")
    return importlib.import_module("draw_rolling_balls")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "images")
    return importlib.import_module("inline")


def committed(name: str) -> str:
    return (ROOT / "images" / f"{name}.svg").read_text(encoding="utf-8")


def test_the_committed_figure_is_what_the_script_draws_now(script: ModuleType) -> None:
    then, now = committed(script.NAME), script.svg()
    assert NUMBER.sub("", then) == NUMBER.sub("", now), f"run `python images/{script.__name__}.py`, commit the result"
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (then, now)]
    np.testing.assert_allclose(*numbers, atol=0.02)


def test_running_the_script_writes_the_figure_and_says_its_text(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "HERE", tmp_path)
    script.main()
    assert [path.name for path in tmp_path.iterdir()] == [f"{script.NAME}.svg"]
    assert script.ALT in capsys.readouterr().out


def test_the_notebook_shows_the_figure_with_its_text(script: ModuleType) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "01_optimizer_overview.ipynb", as_version=4)
    assert any(f"![{script.ALT}][{script.NAME}]" in cell.source for cell in notebook.cells)


def test_every_picture_in_a_notebook_is_of_the_svg_as_it_is_now(inline: ModuleType) -> None:
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            found += inline.REFERENCE.findall(cell.source) if cell.cell_type == "markdown" else []
    assert {name for name, _, _ in found} == {path.stem for path in (ROOT / "images").glob("*.svg")}
    stale = [name for name, _, data in found if inline.source_of(base64.b64decode(data)) != inline.checksum(name)]
    assert stale == [], "run `python images/inline.py`"


def test_a_picture_is_drawn_as_large_as_its_svg_and_names_it(inline: ModuleType) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue", "blue")]
    for shown, kind in ((frames[:1], "image/png"), (frames, "image/webp")):
        found, picture = inline.packed(shown, "a" * 64)
        assert (found, inline.source_of(picture)) == (kind, "a" * 64)
        with Image.open(io.BytesIO(picture)) as image:
            assert image.size == (8, 6)


def test_a_cell_gets_its_pictures_once(inline: ModuleType) -> None:
    pictures = {"01_ball": ("image/png", b"ball")}
    once = inline.inlined("Look:\n\n![a ball][01_ball]\n\nMore.", pictures)
    assert once == "Look:\n\n![a ball][01_ball]\n\nMore.\n\n[01_ball]: data:image/png;base64,YmFsbA=="
    assert inline.inlined(once, pictures) == once
    assert inline.inlined("no picture [here]", pictures) == "no picture [here]"


def test_the_figure_has_letters_as_outlines_and_no_date(script: ModuleType) -> None:
    assert not re.search(r"<text|dc:date", committed(script.NAME))


def test_momentum_is_the_first_ball_at_the_lowest_point(balls: ModuleType) -> None:
    arrivals = {ball.name: np.argmax(ball.path.losses.numpy() < 0.1) or balls.STEPS for ball in balls.BALLS}
    assert min(arrivals, key=arrivals.__getitem__) == "Momentum"


def test_adam_swings_past_the_lowest_point(balls: ModuleType) -> None:
    (adam,) = (ball for ball in balls.BALLS if ball.name == "Adam")
    assert adam.path.points[:, 0].max() > 0.5


def test_no_ball_leaves_the_map(balls: ModuleType) -> None:
    assert [ball.path.left_map_at for ball in balls.BALLS] == [None] * 3


def test_a_moving_ball_ends_where_it_stands_without_animation(balls: ModuleType) -> None:
    for circle in re.findall(r"<circle.*?</circle>", committed(balls.NAME), re.DOTALL):
        at_rest = re.findall(r' c[xy]="([\d.]+)"', circle)
        assert at_rest == [row.split(";")[-1] for row in re.findall(r'values="([^"]+)"', circle)]
