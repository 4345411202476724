"""The race in a real JupyterLab, played by mouse and by keyboard, and read back in the kernel."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from course_utils.apps import OptimizerRace
from course_utils.apps.race.state import OPTIMIZERS, SURFACES, settings_of
from course_utils.surfaces import BEALE, RAVINE
from tests.helpers.lab import CHROMIUM, outputs, run_code, troubles
from tests.helpers.race_page import (
    CELLS,
    becomes,
    control,
    corner_of,
    in_kernel,
    race_in_lab,
    reset,
    settled,
    shown,
    text_of,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine, and the app lives in a browser"),
]

expect.set_options(timeout=20_000)  # milliseconds; a machine may have other work


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """One JupyterLab for all tests of this file, its notebook run once."""
    with race_in_lab(tmp_path_factory.mktemp("notebooks")) as notebook:
        yield notebook, shown(notebook)


@pytest.fixture
def notebook(opened):
    """The notebook with all settings as they were at first, in the kernel and on the page."""
    notebook, at_first = opened
    reset(notebook, at_first)
    yield notebook
    assert troubles(notebook) == []


def test_the_notebook_opens_without_errors_or_requests_to_the_outside(notebook):
    assert troubles(notebook) == []


def test_the_saved_output_has_a_picture_and_what_it_shows(notebook):
    data = outputs(notebook)[0]["data"]
    assert "".join(data["text/plain"]).startswith(f"{OptimizerRace()!r}\nPaths on the surface")
    assert data["image/png"]


def test_an_arrow_key_changes_the_learning_rate(notebook):
    control(notebook, "learning rate of SGD").focus()
    notebook.page.keyboard.press("ArrowRight")
    assert becomes(notebook, "race.lr['SGD']", 0.0909) == 0.0909


def test_the_slider_for_all_sets_every_learning_rate(notebook):
    control(notebook, "learning rate of all optimizers").focus()
    notebook.page.keyboard.press("Home")
    assert becomes(notebook, "race.lr", dict.fromkeys(OPTIMIZERS, 1e-5)) == dict.fromkeys(OPTIMIZERS, 1e-5)


@pytest.mark.parametrize(
    ("label", "key", "name", "expected"),
    [
        ("momentum (Momentum, Nesterov)", "ArrowLeft", "momentum", 0.89),
        ("dampening (Momentum)", "ArrowRight", "dampening", 0.05),
        ("β₁ (Adam, AdamW)", "ArrowLeft", "beta1", 0.89),
        ("β₂ (Adam, AdamW)", "ArrowLeft", "beta2", 0.998),
        ("alpha (RMSprop)", "ArrowRight", "alpha", 0.991),
        ("weight decay (all)", "ArrowRight", "weight_decay", 0.01),
        ("steps (all)", "ArrowRight", "steps", 101),
        ("steps (all)", "ArrowRight", "step", 101),
        ("last step shown", "ArrowLeft", "step", 99),
    ],
)
def test_every_slider_reaches_the_kernel_by_key(notebook, label, key, name, expected):
    control(notebook, label).focus()
    notebook.page.keyboard.press(key)
    assert becomes(notebook, f"race.{name}", expected) == expected


def test_the_condition_number_has_a_slider_on_the_bowl_only(notebook):
    slider = control(notebook, "condition number (of the bowl)")
    assert not slider.is_visible()
    control(notebook, "surface").select_option("Quadratic")
    slider.wait_for()  # it is shown with the next drawing; focus on a hidden element goes nowhere, without a word
    slider.focus()
    notebook.page.keyboard.press("End")
    assert becomes(notebook, "race.condition_number", 100.0) == 100.0


def test_typing_dd_on_a_control_does_not_delete_the_cell(notebook):
    control(notebook, "learning rate of SGD").focus()
    notebook.page.keyboard.press("Escape")
    notebook.page.keyboard.press("d")
    notebook.page.keyboard.press("d")
    assert notebook.page.locator(".jp-Notebook .jp-CodeCell").count() == len(CELLS)


def test_a_drag_moves_the_start_to_where_the_pointer_is(notebook):
    handle = notebook.page.locator(".race .start")
    x, y, width, height = corner_of(notebook, ".race .start")
    mouse = notebook.page.mouse
    mouse.move(x + width / 2, y + height / 2)
    mouse.down()
    mouse.move(x + width / 2 + 90, y + height / 2 + 40, steps=5)
    mouse.up()
    settled(notebook)
    now = corner_of(notebook, ".race .start")
    assert now[0] - x == pytest.approx(90, abs=1)
    assert now[1] - y == pytest.approx(40, abs=1)
    told = [float(part.replace("−", "-")) for part in re.findall(r"-?[\d.]+", handle.get_attribute("aria-valuetext"))]
    assert becomes(notebook, "race.start", tuple(told)) == tuple(told)
    assert told[0] > RAVINE.start[0]
    assert told[1] < RAVINE.start[1]


def test_a_drag_never_jumps_back(notebook):
    """What the kernel heard a moment ago comes back from it, and must not undo what the hand has done since."""
    x, y, width, height = corner_of(notebook, ".race .start")
    watch = """() => {
        const handle = document.querySelector(".race .start");
        window.seen = [];
        const look = () => {
            seen.push(handle.getBoundingClientRect().x);
            window.looking = requestAnimationFrame(look);
        };
        look();
    }"""
    mouse = notebook.page.mouse
    mouse.move(x + width / 2, y + height / 2)
    mouse.down()
    notebook.page.evaluate(watch)
    mouse.move(x + width / 2 + 240, y + height / 2, steps=120)
    seen = notebook.page.evaluate("() => { cancelAnimationFrame(looking); return seen }")
    mouse.up()
    back = [(round(one), round(then)) for one, then in itertools.pairwise(seen) if then < one]
    assert len(set(seen)) > 50
    assert back == []


def test_a_drag_beyond_the_map_ends_at_its_edge(notebook):
    x, y, width, height = corner_of(notebook, ".race .start")
    mouse = notebook.page.mouse
    mouse.move(x + width / 2, y + height / 2)
    mouse.down()
    mouse.move(2, y - 300, steps=4)
    mouse.up()
    assert becomes(notebook, "race.start", (-10.0, 4.0)) == (-10.0, 4.0)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("ArrowRight", (-8.8, 2.0)),
        ("ArrowLeft", (-9.2, 2.0)),
        ("ArrowUp", (-9.0, 2.08)),
        ("ArrowDown", (-9.0, 1.92)),
        ("Shift+ArrowRight", (-7.0, 2.0)),
    ],
)
def test_arrow_keys_move_the_start_by_a_hundredth_of_the_map(notebook, key, expected):
    notebook.page.locator(".race .start").focus()
    notebook.page.keyboard.press(key)
    assert becomes(notebook, "race.start", expected) == expected


def test_a_click_on_the_map_gives_the_keys_to_the_start(notebook):
    x, y, width, height = corner_of(notebook, ".race .map canvas")
    notebook.page.mouse.click(x + width / 2, y + height / 2)
    notebook.page.keyboard.press("Shift+ArrowRight")
    assert becomes(notebook, "race.start[0] > 1", True)


def test_space_on_a_box_lets_an_optimizer_race(notebook):
    notebook.page.get_by_role("checkbox", name="Nesterov").focus()
    notebook.page.keyboard.press("Space")
    expected = ["SGD", "Momentum", "Nesterov", "Adam"]
    assert becomes(notebook, "race.optimizers", expected) == expected


def test_a_new_surface_brings_its_start_and_learning_rates(notebook):
    control(notebook, "surface").select_option("Beale")
    assert becomes(notebook, "(race.surface, race.start)", ("Beale", BEALE.start)) == ("Beale", BEALE.start)


def test_the_buttons_go_through_the_steps(notebook):
    def press(name):
        notebook.page.get_by_role("button", name=name, exact=True).click()

    press("Start")
    assert becomes(notebook, "race.step", 0) == 0
    press("Step")
    press("Step")
    assert becomes(notebook, "race.step", 2) == 2
    press("End")
    assert becomes(notebook, "race.step", 100) == 100
    press("Step")
    assert becomes(notebook, "race.step", 1) == 1


def test_play_runs_to_the_last_step_and_stops(notebook):
    run_code(notebook, "race.steps = 12; race.step = 0")
    settled(notebook)
    notebook.page.get_by_role("button", name="▶ Play").click()
    expect(notebook.page.get_by_role("button", name="❚❚ Pause")).to_be_visible()
    assert becomes(notebook, "race.step", 12) == 12
    expect(notebook.page.get_by_role("button", name="▶ Play")).to_be_visible()


def test_pause_keeps_the_step_reached(notebook):
    run_code(notebook, "race.steps = 500; race.step = 0")
    settled(notebook)
    notebook.page.get_by_role("button", name="▶ Play").click()
    notebook.page.wait_for_timeout(400)
    notebook.page.get_by_role("button", name="❚❚ Pause").click()
    notebook.page.wait_for_timeout(500)  # the kernel hears of a change 8 times a second
    reached = int(run_code(notebook, "print(race.step)"))
    expect(control(notebook, "last step shown")).to_have_value(str(reached))  # the last drawing may still be under way
    assert 0 < reached < 500
    assert becomes(notebook, "race.step", reached) == reached


def test_reset_brings_back_the_first_settings(notebook):
    run_code(notebook, "race.surface = 'Beale'; race.lr = 0.3; race.optimizers = ['Adagrad']; race.momentum = 0.1")
    settled(notebook)
    notebook.page.get_by_role("button", name="Reset").click()
    first = OptimizerRace()
    expected = (first.surface, first.lr, first.optimizers, first.momentum)
    assert becomes(notebook, "(race.surface, race.lr, race.optimizers, race.momentum)", expected) == expected


def test_what_a_cell_sets_is_shown_at_once(notebook):
    run_code(notebook, "race.momentum = 0.55; race.lr = {'SGD': 0.2}; race.chosen = 'SGD'")
    expect(control(notebook, "momentum (Momentum, Nesterov)")).to_have_attribute("aria-valuetext", "0.55")
    expect(control(notebook, "learning rate of SGD")).to_have_attribute("aria-valuetext", "0.2")


def test_the_losses_on_the_page_are_those_of_torch(notebook):
    fates = notebook.page.locator(".race .racer:not(.absent):not(.head) .fate").all_inner_texts()
    losses = [float(path.losses[-1]) for path in OptimizerRace().paths().values()]
    told = [float(fate.removeprefix("loss ").replace("−", "-")) for fate in fates]
    assert told == pytest.approx(losses, rel=5e-3)


def test_a_path_that_diverges_is_told_in_words(notebook):
    run_code(notebook, "race.lr = {'SGD': 0.11}")
    left = OptimizerRace(lr={"SGD": 0.11}).paths()["SGD"].left_map_at
    expect(notebook.page.locator(".race")).to_contain_text(f"left the map at step {left}")


def test_the_step_is_written_out_in_numbers(notebook):
    run_code(notebook, "race.chosen = 'SGD'; race.step = 1")
    expect(notebook.page.locator(".race")).to_contain_text("(−9) − 0.09 · (−9) = −8.19")
    assert "2 − 0.09 · 40 = −1.6" in text_of(notebook)
    assert "−9 " not in text_of(notebook)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("view", ["loss", "stability"])
def test_no_extreme_setting_shows_a_number_that_is_none(notebook, surface, view):
    run_code(
        notebook,
        f"race.surface = {surface!r}; race.view = {view!r}; race.optimizers = {list(OPTIMIZERS)}; race.lr = 10.0; "
        "race.momentum = 0.99; race.weight_decay = 1.0; race.steps = 500; race.chosen = 'Momentum'",
    )
    settled(notebook)
    for chosen in OPTIMIZERS:
        control(notebook, "optimizer whose step is written out").select_option(chosen)
        settled(notebook)
        spoken = notebook.page.locator(".race").text_content()
        assert re.findall(r"NaN|nfinity|undefined|null", spoken) == []


def test_nobody_racing_is_shown_without_trouble(notebook):
    run_code(notebook, "race.optimizers = []")
    expect(notebook.page.locator(".race .racer.absent")).to_have_count(len(OPTIMIZERS))


# ---- The stability map ----


def open_stability(notebook):
    notebook.page.get_by_role("tab", name="Stability map").click()
    notebook.page.get_by_text("4,096 runs of Momentum").wait_for()
    settled(notebook)


def test_the_stability_map_is_computed_when_it_is_looked_at(notebook):
    open_stability(notebook)
    assert in_kernel(notebook, "(race.view, len(race._stability['losses']))") == ("stability", 4 * 64 * 64)


def test_pointing_at_a_run_tells_its_settings_and_a_click_takes_them(notebook):
    open_stability(notebook)
    x, y, width, height = corner_of(notebook, ".race .panel canvas")
    notebook.page.mouse.move(x + 0.6 * width, y + 0.6 * height)
    words = re.compile(r"Momentum, lr ([\d.]+), momentum ([\d.]+): loss")
    expect(notebook.page.locator(".race")).to_contain_text(words)
    told = words.search(text_of(notebook))
    notebook.page.mouse.click(x + 0.6 * width, y + 0.6 * height)
    lr, momentum = (float(number) for number in told.groups())
    assert becomes(notebook, f"abs(race.momentum - {momentum}) < 1e-3", True)
    assert in_kernel(notebook, "race.lr['Momentum']") == pytest.approx(lr, rel=5e-3)


def test_the_arrow_keys_choose_a_run_and_enter_takes_it(notebook):
    open_stability(notebook)
    best = int(OptimizerRace(view="stability", chosen="Momentum").stability().losses.nan_to_num(9e9).argmin())
    row, column = divmod(best, 64)
    notebook.page.locator(".race .panel").focus()
    notebook.page.keyboard.press("ArrowDown")
    notebook.page.keyboard.press("ArrowLeft")
    notebook.page.keyboard.press("Enter")
    lr, momentum, _ = settings_of(RAVINE)
    expected = round(momentum[row - 1].item(), 4)
    assert becomes(notebook, "race.momentum", expected) == expected
    assert in_kernel(notebook, "race.lr['Momentum']") == pytest.approx(lr[column - 1].item(), rel=1e-3)


def test_the_arrow_keys_change_between_losses_and_map(notebook):
    notebook.page.get_by_role("tab", name="Loss").focus()
    notebook.page.keyboard.press("ArrowRight")
    assert becomes(notebook, "race.view", "stability") == "stability"


# ---- For every reader ----


def test_every_control_has_a_name(notebook):
    nameless = notebook.page.evaluate(
        """() => [...document.querySelectorAll('.race :is(input, select, button, canvas[role], [tabindex="0"])')]
            .filter((e) => !(e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.innerText).trim())
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_no_text_is_smaller_than_14_pixels(notebook):
    small = notebook.page.evaluate(
        """() => [...document.querySelectorAll('.race *')]
            .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
            .filter((e) => parseFloat(getComputedStyle(e).fontSize) < 14).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []


def test_the_tab_key_visits_the_controls_from_top_to_bottom(notebook):
    control(notebook, "surface").focus()
    visited = []
    for _ in range(10):
        visited.append(
            notebook.page.evaluate(
                "() => { const e = document.activeElement; return e.getAttribute('aria-label') ?? e.innerText.trim() }"
            )
        )
        notebook.page.keyboard.press("Tab")
    start = "start point; arrow keys move it, with Shift farther"
    first = ["surface", "▶ Play", "Step", "Start", "End", "last step shown", "Reset", start, "Loss"]
    assert visited == [*first, "learning rate of all optimizers"]


def test_the_focus_is_seen(notebook):
    control(notebook, "learning rate of SGD").focus()
    notebook.page.keyboard.press("Shift+Tab")
    notebook.page.keyboard.press("Tab")
    outline = """() => { const s = getComputedStyle(document.activeElement);
        return [s.outlineStyle, s.outlineWidth] }"""
    assert notebook.page.evaluate(outline) == ["solid", "3px"]


def test_a_screen_reader_hears_how_the_race_ended_once_the_hand_rests(notebook):
    status = notebook.page.locator(".race [role=status]")
    run_code(notebook, "race.lr = {'SGD': 0.5}")
    expect(status).to_contain_text("SGD left the map at step 1; Momentum loss")


def test_the_map_changes_with_the_theme(notebook):
    change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    drawn = """(dark) => { const c = document.querySelector('.race .map canvas');
        const [red] = c.getContext('2d').getImageData(c.width / 2, c.height / 6, 1, 1).data;
        return dark ? red < 90 : red > 170 }"""
    notebook.page.wait_for_function(drawn, arg=False)
    for theme, dark in [("JupyterLab Dark", True), ("JupyterLab Light", False)]:
        notebook.page.evaluate(change, theme)
        notebook.page.wait_for_function(drawn, arg=dark)
        # JupyterLab takes its splash screen away 0.2 s later, and trips over a second change of theme before that.
        notebook.page.locator("#jupyterlab-splash").wait_for(state="detached")
