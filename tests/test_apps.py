"""What all apps share: the page as one module, a picture for readers without a kernel, settings that speak."""

import base64
import re
import subprocess

import pytest
from traitlets import HasTraits, TraitError

from course_utils.apps import OptimizerRace
from course_utils.apps.common.app import STATIC, App, page
from course_utils.apps.common.settings import Refused, Setting, a_choice, a_number, a_whole_number, names_of
from tests.helpers.javascript import APPS, NODE, WINGS


class Knobs(HasTraits):
    share = Setting(a_number(0, 1, example=0.5), 0.5)
    count = Setting(a_whole_number(1, 9, example=3), 3)
    kind = Setting(a_choice(("round", "flat")), "round")
    names = Setting(names_of(("a", "b", "c")), ["a"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("share", value)
            for value in (-0.1, 1.1, float("nan"), float("inf"), 1e300, 10**400, "0.5", None, True, [0.5])
        ),
        *(("count", value) for value in (0, 10, 2.0, "3", None, True, float("nan"))),
        *(("kind", value) for value in ("square", "", None, 1, ["round"])),
        *(("names", value) for value in ("a", ["d"], [1], None, [["a"]], 3)),
    ],
)
def test_a_wrong_value_is_refused_in_words_and_the_old_one_stays(name, value):
    knobs = Knobs()
    before = getattr(knobs, name)
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got .*; try "):
        setattr(knobs, name, value)
    assert getattr(knobs, name) == before


def test_a_refusal_is_what_both_python_and_traitlets_expect():
    assert issubclass(Refused, ValueError)
    assert issubclass(Refused, TraitError)


def test_a_whole_number_given_for_a_number_becomes_a_float():
    knobs = Knobs(share=1)
    assert isinstance(knobs.share, float)


def test_names_are_kept_once_and_in_their_own_order():
    assert Knobs(names=("c", "a", "c")).names == ["a", "c"]


def test_both_ends_of_a_range_are_allowed():
    assert (Knobs(share=0.0).share, Knobs(share=1.0).share, Knobs(count=9).count) == (0.0, 1.0, 9)


SOURCES = [file for file in APPS.glob("*/page/*") if file.is_file()]


@pytest.mark.parametrize("wing", WINGS)
def test_a_page_imports_nothing_and_exports_once(wing):
    script, _ = page(wing)
    assert re.findall(r"\bimport\b[^;]*\bfrom\b|\bimport\(", script) == []
    assert len(re.findall(r"\bexport\b", script)) == 1


@pytest.mark.skipif(not (APPS / "node_modules").exists(), reason="the tools of the pages are not here: make pages")
def test_the_bundles_are_what_the_command_builds(tmp_path):
    subprocess.run([NODE, "build.js", tmp_path], cwd=APPS, check=True)
    built = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert built == {file.name: file.read_bytes() for file in STATIC.iterdir()}


def test_the_modules_of_the_pages_pass_their_own_tests():
    ended = subprocess.run([NODE, "--test", "--test-reporter=dot"], cwd=APPS, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def test_a_page_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        page("nothing")


def test_nothing_is_fetched_from_outside():
    pages = "".join(file.read_text(encoding="utf-8") for file in STATIC.iterdir())
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"')`]+|@import|url\(", pages) == []


def test_no_wing_imports_another():
    imports = [
        (file.relative_to(APPS).parts[0], wing)
        for file in [*SOURCES, *APPS.glob("*/*.py")]
        for wing in re.findall(r"(?:apps\.|\.\./)(race|schedule|live|edge)\b", file.read_text(encoding="utf-8"))
    ]
    assert [(here, wing) for here, wing in imports if here != wing] == []


def test_no_module_of_a_page_is_longer_than_300_lines():
    assert [file.name for file in SOURCES if len(file.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_the_first_line_of_every_file_of_a_page_is_its_question():
    assert [file for file in SOURCES if "?" not in file.read_text(encoding="utf-8").partition("\n")[0]] == []


def test_no_committed_file_of_the_tools_names_a_registry():
    told = [
        file.read_text(encoding="utf-8")
        for file in (APPS / "package-lock.json", APPS / ".npmrc", APPS / "package.json")
    ]
    assert re.findall(r'"resolved"|registry=|registry\.', "".join(told)) == []


def test_the_repr_is_one_short_line_whatever_the_settings():
    assert repr(OptimizerRace()) == repr(OptimizerRace("Beale", ["SGD"], lr=0.01))
    assert len(repr(OptimizerRace())) < 80


def test_the_output_holds_the_widget_the_text_and_a_picture():
    data, _ = OptimizerRace(steps=5)._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_the_text_of_the_output_says_what_to_do_and_what_the_picture_shows():
    race = OptimizerRace(steps=5)
    data, metadata = race._repr_mimebundle_()
    assert data["text/plain"] == metadata["image/png"]["alt"] == f"{race!r}\n{race.figure().alt}"


def test_the_same_state_gives_the_same_picture_to_the_byte():
    first, second = (OptimizerRace("Saddle", steps=20)._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert first == second


def test_another_state_gives_another_picture():
    first, second = (OptimizerRace(steps=20, lr=lr)._repr_mimebundle_()[0]["image/png"] for lr in (0.01, 0.05))
    assert first != second


# ---- What page and kernel say to each other -------------------------------------------------------------------------


class Counter(App):
    """An app with one setting and one button, which counts what it does."""

    count = Setting(a_whole_number(1, 9, example=3), 3)

    def __init__(self):
        self.done = []
        super().__init__()
        self.observe(self._follow, "count")
        self._tell()

    def _told(self):
        return {"settings": {"count": self.count}}

    def _set(self, settings):
        self.done.append(settings)
        self.count = settings["count"]

    def _do(self, name, *given):
        self.done.append((name, *given))


def hear(app, *wishes):
    app._wishes = {"list": list(wishes)}
    return app._answer


def test_a_wish_is_done_and_answered_by_its_number():
    app = Counter()
    assert app._answer == {"number": 0, "refused": {}, "settings": {"count": 3}}
    assert hear(app, {"number": 1, "set": {"count": 5}}) == {"number": 1, "refused": {}, "settings": {"count": 5}}


def test_a_wish_that_is_repeated_is_done_once_and_in_its_order():
    app = Counter()
    press, more = {"number": 1, "do": "pin", "with": [7]}, {"number": 2, "set": {"count": 4}}
    hear(app, press)
    hear(app, press, more)
    hear(app, press, more)
    assert app.done == [("pin", 7), {"count": 4}]


def test_a_refusal_is_told_beside_its_control_and_the_wishes_after_it_are_done():
    app = Counter()
    answer = hear(app, {"number": 1, "set": {"count": 10}}, {"number": 2, "do": "pin"})
    assert answer["refused"] == {"count": "count must be a whole number from 1 to 9, got 10; try 3"}
    assert (answer["number"], app.done[-1], app.count) == (2, ("pin",), 3)


@pytest.mark.parametrize(
    "correct", [lambda app: hear(app, {"number": 2, "set": {"count": 4}}), lambda app: setattr(app, "count", 4)]
)
def test_a_refusal_is_no_longer_told_once_the_value_was_corrected(correct):
    app = Counter()
    hear(app, {"number": 1, "set": {"count": 10}})
    correct(app)
    assert app._answer["refused"] == {}


def test_what_a_cell_sets_is_told_under_the_number_of_the_last_wish():
    app = Counter()
    hear(app, {"number": 5, "set": {"count": 4}})
    app.count = 8
    assert app._answer == {"number": 5, "refused": {}, "settings": {"count": 8}}


def test_the_wishes_do_not_come_back_as_an_echo():
    assert Counter().traits()["_wishes"].metadata["echo_update"] is False
