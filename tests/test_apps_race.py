"""The race in the kernel: settings, the paths of torch, the stability map, the picture."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.algorithms import ALGORITHMS
from course_utils.apps import OptimizerRace
from course_utils.apps.race.state import OPTIMIZERS, OWN_LR, SURFACES, settings_of, stability_of, surface_of
from course_utils.descent import descend
from course_utils.surfaces import BEALE, QUADRATIC, RAVINE, ROSENBROCK, SADDLE, quadratic

BY_HAND = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1),
    "Momentum": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.8, dampening=0.3),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.8, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, weight_decay=0.1, alpha=0.95),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, betas=(0.7, 0.97)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, betas=(0.7, 0.97)),
}
OPTIONS = {"momentum": 0.8, "dampening": 0.3, "alpha": 0.95, "beta1": 0.7, "beta2": 0.97, "weight_decay": 0.1}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_path_is_the_one_of_torch_with_these_options(name):
    race = OptimizerRace(RAVINE, OPTIMIZERS, lr=0.01, steps=30, start=(-3.0, 1.0), **OPTIONS)
    expected = descend(RAVINE, BY_HAND[name], start=(-3.0, 1.0), steps=30)
    assert torch.equal(race.paths()[name].points, expected.points)


def test_only_those_who_race_have_a_path():
    assert list(OptimizerRace(optimizers=["Adam", "SGD"]).paths()) == ["SGD", "Adam"]


def test_a_race_without_anyone_is_a_race():
    race = OptimizerRace(optimizers=[])
    assert race.paths() == {}
    assert race.figure() is not None


def test_nesterov_without_momentum_is_plain_sgd():
    paths = OptimizerRace(optimizers=["SGD", "Nesterov"], lr=0.05, momentum=0.0).paths()
    assert torch.equal(paths["SGD"].points, paths["Nesterov"].points)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_own_learning_rates_of_a_surface_keep_every_optimizer_on_the_map(surface):
    paths = OptimizerRace(surface, OPTIMIZERS).paths()
    assert {name: path.left_map_at for name, path in paths.items()} == dict.fromkeys(OPTIMIZERS)


@pytest.mark.parametrize(
    ("surface", "name"),
    [(QUADRATIC, "Quadratic"), (RAVINE, "Ravine"), (SADDLE, "Saddle"), (ROSENBROCK, "Rosenbrock"), (BEALE, "Beale")],
)
def test_a_surface_may_be_given_itself_or_by_name(surface, name):
    assert OptimizerRace(surface).state() == OptimizerRace(name).state()


def test_the_condition_number_shapes_the_bowl():
    race = OptimizerRace("Quadratic", ["SGD"], condition_number=30, steps=10)
    expected = descend(quadratic(30), lambda p: torch.optim.SGD(p, lr=OWN_LR["Quadratic"]["SGD"]), steps=10)
    assert torch.equal(race.paths()["SGD"].points, expected.points)


def test_a_new_surface_brings_its_own_start_and_learning_rates():
    race = OptimizerRace(RAVINE, start=(1.0, 1.0), lr=0.05)
    race.surface = BEALE
    assert (race.surface, race.start, race.lr) == ("Beale", BEALE.start, OWN_LR["Beale"])


def test_one_learning_rate_is_for_all():
    assert OptimizerRace(lr=0.25).lr == dict.fromkeys(OPTIMIZERS, 0.25)


def test_learning_rates_that_are_not_given_are_the_own_ones_of_the_surface():
    assert OptimizerRace(BEALE, lr={"SGD": 0.02}).lr == {**OWN_LR["Beale"], "SGD": 0.02}


def test_the_last_step_is_shown_at_first():
    assert OptimizerRace(steps=37).step == 37


def test_a_step_beyond_the_last_is_the_last():
    assert OptimizerRace(steps=20, step=30).step == 20


def test_whoever_sees_the_end_sees_the_new_end():
    race = OptimizerRace(steps=20)
    race.steps = 50
    assert race.step == 50


def test_whoever_sees_the_middle_stays_there():
    race = OptimizerRace(steps=100, step=20)
    race.steps = 200
    assert race.step == 20


def test_fewer_steps_cut_the_step_shown():
    race = OptimizerRace(steps=100, step=80)
    race.steps = 50
    assert race.step == 50


def test_a_step_given_at_first_stays_even_if_it_is_the_default():
    assert OptimizerRace(steps=200, step=100).step == 100


def test_the_state_is_a_record_that_later_changes_leave_alone():
    race = OptimizerRace()
    before = race.state()
    race.momentum, race.start, race.lr = 0.5, (1.0, 1.0), 0.2
    assert (before.options["momentum"], before.start, before.lr["SGD"]) == (0.9, RAVINE.start, 0.09)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": -0.1}, r"lr must be a number from 1e-05 to 10, got -0.1; try 0.1"),
        ({"lr": 0}, "lr must be a number"),
        ({"lr": math.nan}, "lr must be a number"),
        ({"lr": "fast"}, "lr must be a number"),
        ({"lr": {"SGD": 11}}, r"lr\['SGD'\] must be a number"),
        ({"lr": {"adam": 0.1}}, "lr has no optimizer 'adam'; try one of SGD, Momentum"),
        ({"steps": 0}, "steps must be a whole number from 1 to 500, got 0; try 100"),
        ({"steps": 501}, "steps must be a whole number"),
        ({"steps": 10.0}, "steps must be a whole number"),
        ({"momentum": 1.0}, "momentum must be a number from 0 to 0.9999, got 1.0; try 0.9"),
        ({"beta2": -0.1}, "beta2 must be a number"),
        ({"weight_decay": math.inf}, "weight_decay must be a number"),
        ({"condition_number": 0.5}, "condition_number must be a number from 1 to 100"),
        ({"optimizers": ["Lion"]}, "optimizers must be a list of SGD, .*, got 'Lion'"),
        ({"optimizers": "SGD"}, "optimizers must be a list of"),
        ({"surface": "Everest"}, "surface must be one of Quadratic, .*, got 'Everest'"),
        ({"surface": quadratic(3)}, r"try surface=\"Ravine\", or surface=\"Quadratic\" with condition_number=20"),
        ({"surface": None}, "surface must be one of"),
        ({"start": (11, 0)}, r"start must lie on the map, x from -10 to 10 and y from -4 to 4, got \(11.0, 0.0\)"),
        ({"start": (0, math.nan)}, "start must be two finite numbers"),
        ({"start": (0, 1, 2)}, "start must be two finite numbers"),
        ({"start": "here"}, "start must be two finite numbers"),
        ({"start": (10**400, 0)}, "start must be two finite numbers"),
        ({"start": 3}, "start must be two finite numbers"),
        ({"view": "map"}, "view must be one of loss, stability, got 'map'"),
        ({"chosen": "sgd"}, "chosen must be one of SGD"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        OptimizerRace(**arguments)


def test_a_setting_that_does_not_exist_is_refused_in_words():
    with pytest.raises(TypeError, match="no setting 'learning_rate'; try one of alpha, beta1"):
        OptimizerRace(learning_rate=0.1)


def test_a_wrong_value_set_later_is_refused_and_the_old_one_stays():
    race = OptimizerRace()
    with pytest.raises(ValueError, match="start must lie on the map"):
        race.start = (-9.0, 5.0)
    assert race.start == RAVINE.start


@given(
    lr=st.floats(1e-5, 10), momentum=st.floats(0, 0.9999), beta=st.floats(0, 0.9999), decay=st.floats(0, 1),
    surface=st.sampled_from(list(SURFACES)), steps=st.integers(1, 12),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=25)
def test_no_allowed_setting_gives_a_path_with_nan(lr, momentum, beta, decay, surface, steps):
    options = {"momentum": momentum, "beta1": beta, "beta2": beta, "alpha": beta, "weight_decay": decay}
    paths = OptimizerRace(surface, OPTIMIZERS, lr=lr, steps=steps, **options).paths()
    assert all(path.points.isfinite().all() and path.losses.isfinite().all() for path in paths.values())


# ---- The stability map ----


def test_the_curvature_of_the_ravine_is_20():
    assert settings_of(RAVINE)[2] == pytest.approx(20)


def test_the_map_has_64_by_64_settings_around_the_edge_of_stability():
    lr, momentum, curvature = settings_of(BEALE)
    assert (len(lr), len(momentum)) == (64, 64)
    assert lr[0] < 2 / curvature < lr[-1]


def test_a_cell_of_the_map_is_one_run_of_torch():
    race = OptimizerRace(RAVINE, steps=40, view="stability", chosen="Momentum")
    lr, momentum, _ = settings_of(RAVINE)
    path = descend(RAVINE, lambda p: torch.optim.SGD(p, lr=lr[30].item(), momentum=momentum[50].item()), steps=40)
    assert race.stability().losses[50, 30].item() == pytest.approx(path.losses[-1].item(), rel=1e-9)


def test_the_map_is_of_nesterov_if_that_is_chosen():
    race = OptimizerRace(chosen="Nesterov", view="stability")
    assert torch.equal(race.stability().losses, stability_of(race.state(), nesterov=True).losses)
    assert race._stability["rule"] == "Nesterov"


def test_the_map_on_the_ravine_diverges_beyond_the_edge_that_theory_knows():
    lr, momentum, curvature = settings_of(RAVINE)
    beyond = lr[None, :] > 1.05 * 2 * (1 + momentum[:, None]) / curvature
    within = lr[None, :] < 0.95 * 2 * (1 + momentum[:, None]) / curvature
    lost = OptimizerRace(steps=500).stability().diverged
    assert lost[beyond].all()
    assert not lost[within].any()


def test_the_page_gets_the_numbers_of_the_map_row_by_row():
    race = OptimizerRace(RAVINE, view="stability")
    sent = np.frombuffer(race._stability["losses"], dtype=np.float32).reshape(64, 64)
    assert np.array_equal(sent, race.stability().losses.float().numpy())


def test_the_page_gets_which_runs_are_lost():
    race = OptimizerRace(RAVINE, view="stability")
    sent = np.frombuffer(race._stability["lost"], dtype=np.uint8).reshape(64, 64)
    assert np.array_equal(sent == 1, race.stability().diverged.numpy())


def test_nothing_is_computed_while_the_map_is_out_of_view():
    race = OptimizerRace(view="loss")
    race.start = (1.0, 1.0)
    assert race._stability == {}


@pytest.mark.parametrize(
    "change",
    [{"start": (1.0, 1.0)}, {"steps": 7}, {"chosen": "Nesterov"}, {"surface": "Beale"}, {"condition_number": 5.0}],
    ids=str,
)
def test_the_map_follows_what_it_depends_on(change):
    race = OptimizerRace("Quadratic", view="stability", chosen="Momentum")
    before = race._stability["losses"]
    race.set_trait(*next(iter(change.items())))
    assert race._stability["losses"] != before


# ---- What the page is told, and the picture ----


def test_the_page_has_every_algorithm_as_its_record_has_it():
    told = OptimizerRace()._facts["algorithms"]
    for name, algorithm in ALGORITHMS.items():
        assert (told[name]["rule"], told[name]["color"]) == (algorithm.torch_class.split(".")[-1], algorithm.color)
    assert told["Adam"]["free"][:2] == [{"name": "beta1", "keyword": "betas"}, {"name": "beta2", "keyword": "betas"}]


def test_a_slider_says_whose_option_it_is():
    hints = {option["name"]: option["hint"] for option in OptimizerRace()._facts["options"]}
    assert (hints["momentum"], hints["alpha"], hints["weight_decay"]) == ("Momentum, Nesterov", "RMSprop", "all")


def wish(race, **settings):
    number = race._answer["number"] + 1
    race._wishes = {"list": [{"number": number, "set": settings}]}
    return race._answer


def test_a_wish_of_the_page_for_several_settings_is_done_at_once():
    race = OptimizerRace()
    settings = wish(race, lr={**race.lr, "SGD": 0.05}, steps=200, step=150, momentum=0.5)["settings"]
    assert (race.lr["SGD"], race.steps, race.step, race.momentum) == (0.05, 200, 150, 0.5)
    assert (settings["steps"], settings["momentum"]) == (200, 0.5)


def test_a_start_that_was_dragged_on_the_new_surface_stays():
    race = OptimizerRace()
    wish(race, surface="Beale", start=[1.0, 2.0], lr=OWN_LR["Beale"])
    assert (race.surface, race.start) == ("Beale", (1.0, 2.0))


def test_a_wish_that_cannot_be_is_refused_as_a_whole():
    race = OptimizerRace()
    answer = wish(race, start=[99.0, 0.0], momentum=0.5)
    assert "start must lie on the map" in answer["refused"]["start"]
    assert (race.start, race.momentum) == (RAVINE.start, 0.9)


@pytest.mark.parametrize("name", SURFACES)
def test_the_page_has_the_map_of_every_surface(name):
    told, surface = OptimizerRace()._facts["surfaces"][name], surface_of(name, 1.0)
    assert (told["xlim"], told["ylim"], told["levels"]) == (surface.xlim, surface.ylim, surface.levels)


def test_the_picture_names_who_races_and_how_it_ended():
    figure = OptimizerRace(RAVINE, ["SGD", "Adam"], lr={"SGD": 0.11, "Adam": 0.3}, steps=60).figure()
    left = OptimizerRace(RAVINE, ["SGD"], lr=0.11, steps=60).paths()["SGD"].left_map_at
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert words[0] == f"SGD, lr 0.11: left at step {left}"
    assert words[1].startswith("Adam, lr 0.3: ")


def test_the_picture_says_what_it_shows():
    assert OptimizerRace(steps=60).figure()._suptitle.get_text().startswith("A race of 3 optimizers, 60 steps")
