import base64
import math
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from course_utils.apps.schedule import ScheduleLab
from course_utils.apps.schedule.code import code_of
from course_utils.apps.schedule.controls import controls_of, entry_of, names, starting_values
from course_utils.apps.schedule.plan import FLOOR, Unfit, changed, frozen_from, in_words, planned
from course_utils.catalog import schedulers
from course_utils.schedules import lr_curve, step_decay

CADENCES = ("epoch", "step")


@pytest.fixture
def lab():
    return ScheduleLab(steps_per_epoch=4, epochs=20)


def from_torch(plan):
    """The oracle: torch's own class with the parameters of the plan."""

    def make(optimizer):
        if not plan.parameters:
            return entry_of(plan.scheduler).sample(optimizer)
        return getattr(lr_scheduler, plan.scheduler)(optimizer, **plan.parameters)

    run = {"epochs": plan.epochs, "steps_per_epoch": plan.steps_per_epoch, "cadence": plan.cadence, "lr": plan.lr}
    return lr_curve(make, **run, metrics=lambda call: 1.0)


# ---- Every scheduler of torch ---------------------------------------------------------------------------------------


def test_every_scheduler_of_the_installed_torch_can_be_chosen():
    assert names() == [entry.name for entry in schedulers()]


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize("name", names())
def test_the_curve_is_that_of_lr_curve(lab, name, cadence):
    lab.change(scheduler=name, cadence=cadence)
    np.testing.assert_array_equal(lab.curve(), from_torch(lab.plan))


def train_with(code, steps_per_epoch):
    """The lr at which every update of the shown code is made, with a model that writes it down."""
    used = []
    weight = torch.zeros(1, requires_grad=True)

    def model(images):
        used.append(space["optimizer"].param_groups[0]["lr"])
        return weight.expand(1, 1)

    model.parameters = lambda: [weight]
    batch = (torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    space = {"model": model, "loader": [batch] * steps_per_epoch}
    exec(code, space)
    return used


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize("name", names())
def test_the_code_that_is_shown_trains_with_the_learning_rates_that_are_drawn(lab, name, cadence):
    lab.change(scheduler=name, cadence=cadence)
    np.testing.assert_array_equal(train_with(lab.code, 4), lab.curve())


@pytest.mark.parametrize("name", [name for name in names() if controls_of(name)])
def test_every_value_worth_trying_gives_a_curve_or_a_refusal_in_words(name):
    plan = planned(scheduler=name, steps_per_epoch=2)
    for control in controls_of(name):
        for value in control.values:
            with suppress(Unfit):
                tried = changed(plan, {"parameters": {control.name: value}})
                np.testing.assert_array_equal(tried.curve, from_torch(tried))


def test_code_with_changed_parameters_still_makes_the_curve(lab):
    lab.change(scheduler="CyclicLR", parameters={"mode": "exp_range", "gamma": 0.9, "cycle_momentum": False})
    np.testing.assert_array_equal(train_with(lab.code, 4), lab.curve())


def test_code_leaves_out_what_is_torchs_default_anyway():
    code = code_of(planned(scheduler="StepLR", parameters={"step_size": 3, "gamma": 0.1}))
    assert "StepLR(optimizer, step_size=3)" in code


def test_controls_know_their_kind_from_the_catalog():
    kinds = {control.name: control.kind for control in controls_of("CyclicLR")}
    assert (kinds["base_lr"], kinds["step_size_down"], kinds["mode"]) == ("number", "whole number", "choice")
    assert kinds["cycle_momentum"] == "switch"
    assert controls_of("MultiStepLR")[0].kind == "list"


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"])
def test_schedulers_made_of_functions_or_schedulers_have_no_controls(name):
    assert controls_of(name) == ()
    assert starting_values(name) == {}


def test_a_scheduler_that_nobody_explained_yet_would_be_shown_in_code(monkeypatch):
    newest = SimpleNamespace(name="StepLR", sample=lr_scheduler.ExponentialLR, parameters=())
    monkeypatch.setattr("course_utils.apps.schedule.code.entry_of", lambda name: newest)
    monkeypatch.setattr("course_utils.apps.schedule.code.controls_of", lambda name: ())
    assert "scheduler = ExponentialLR(optimizer)" in code_of(planned())


# ---- What the words say ---------------------------------------------------------------------------------------------


def test_a_staircase_per_batch_freezes_and_the_words_name_the_step():
    plan = planned(scheduler="StepLR", parameters={"step_size": 1, "gamma": 0.1}, cadence="step")
    weight, gradient = np.float32(0.05), np.float32(0.01)
    by_hand = next(k for k in range(99) if weight - np.float32(0.1 * 0.1**k) * gradient == weight)
    assert frozen_from(plan) == by_hand
    assert f"From step {by_hand} on (epoch 1, batch {by_hand + 1})" in in_words(plan)


def test_a_constant_lr_never_freezes():
    assert "Every update can change" in in_words(planned(scheduler="StepLR", parameters={"step_size": 50}))


def test_an_lr_that_comes_back_is_not_called_frozen():
    plan = planned(scheduler="CosineAnnealingLR", parameters={"T_max": 5})
    assert plan.curve.min() < FLOOR
    assert "it comes back" in in_words(plan)


def test_the_floor_is_the_largest_lr_whose_update_float32_rounds_away():
    weight, gradient = np.float32(0.05), np.float32(0.01)
    assert weight - np.float32(0.99 * FLOOR) * gradient == weight
    assert weight - np.float32(1.01 * FLOOR) * gradient != weight


# ---- Settings -------------------------------------------------------------------------------------------------------


def test_an_attribute_can_be_set_and_the_curve_follows(lab):
    lab.lr = 0.5
    assert lab.curve()[0] == 0.5


def test_parameters_may_be_set_in_part(lab):
    lab.parameters = {"gamma": 0.5}
    assert lab.parameters == {"step_size": 5, "gamma": 0.5}
    expected = [0.1 * step_decay(epoch, step_size=5, gamma=0.5) for epoch in range(20)]
    np.testing.assert_allclose(lab.curve()[::4], expected, rtol=1e-12)


def test_another_scheduler_brings_its_own_parameters(lab):
    lab.scheduler = "CosineAnnealingLR"
    assert lab.parameters == {"T_max": 20, "eta_min": 0.0}


def test_the_length_of_one_cycle_follows_the_run(lab):
    lab.scheduler = "OneCycleLR"
    lab.cadence = "step"
    lab.epochs = 30
    assert lab.parameters["total_steps"] == 120


def test_a_length_of_one_cycle_set_by_hand_stays(lab):
    lab.scheduler = "OneCycleLR"
    lab.parameters = {"total_steps": 100}
    lab.epochs = 30
    assert lab.parameters["total_steps"] == 100


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lr", -0.1),
        ("lr", math.nan),
        ("lr", "0.1"),
        ("lr", True),
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", 10**9),
        ("steps_per_epoch", 10_001),
        ("cadence", "batch"),
        ("scheduler", "StepLr"),
        ("scheduler", None),
        ("parameters", {"gamma": -1}),
        ("parameters", {"gamma": math.inf}),
        ("parameters", {"step_size": 0}),
        ("parameters", {"step_size": 1.5}),
        ("parameters", {"stepsize": 3}),
        ("parameters", [1]),
        ("scale", "cubic"),
    ],
)
def test_a_wrong_setting_is_refused_in_words_and_changes_nothing(lab, setting, value):
    before, curve = lab.plan, lab.curve()
    with pytest.raises(ValueError, match=r"must be|cannot work|no parameter"):
        setattr(lab, setting, value)
    assert lab.plan is before
    assert getattr(lab, setting) != value
    np.testing.assert_array_equal(lab.curve(), curve)


def test_torchs_own_objection_names_the_parameter_and_its_value():
    with pytest.raises(Unfit, match=r"OneCycleLR cannot work with total_steps=3: .*3") as caught:
        planned(scheduler="OneCycleLR", parameters={"total_steps": 3})
    assert caught.value.setting == "total_steps"


def test_a_parameter_that_blows_the_lr_up_is_refused():
    with pytest.raises(Unfit, match=r"gamma makes the lr inf at step"):
        planned(scheduler="ExponentialLR", parameters={"gamma": 9.0}, cadence="step")


def test_a_parameter_that_makes_the_lr_negative_is_refused():
    falling = {"base_lr": 1.0, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 1.5}
    with pytest.raises(Unfit, match=r"gamma makes the lr -\S+ at step"):
        planned(scheduler="CyclicLR", parameters=falling)


def test_an_lr_that_torch_rounds_to_just_below_0_is_no_negative_lr():
    curve = planned(scheduler="LinearLR", parameters={"end_factor": 0.0}, epochs=30).curve
    assert -1e-15 < curve.min() < 0


def test_exactly_fifty_thousand_updates_are_allowed():
    assert len(planned(epochs=1000, steps_per_epoch=50).curve) == 50_000


def test_too_many_updates_are_refused_beside_what_was_changed():
    with pytest.raises(Unfit, match="at most 50,000") as caught:
        changed(planned(), {"epochs": 1000})
    assert caught.value.setting == "epochs"


def test_an_unknown_setting_is_a_type_error(lab):
    with pytest.raises(TypeError, match="no setting 'gamma'"):
        lab.change(gamma=0.5)


def test_milestones_must_increase():
    with pytest.raises(Unfit, match="increasing whole numbers"):
        planned(scheduler="MultiStepLR", parameters={"milestones": [20, 10]})


# ---- Pins -----------------------------------------------------------------------------------------------------------


def test_a_pinned_curve_stays_while_the_lab_goes_on(lab):
    lab.pin()
    lab.scheduler = "ExponentialLR"
    assert [plan.scheduler for plan in lab.pinned] == ["StepLR"]


def test_two_curves_can_be_pinned_and_the_oldest_makes_room(lab):
    for name in ("StepLR", "ExponentialLR", "LinearLR"):
        lab.scheduler = name
        lab.pin()
    assert [plan.scheduler for plan in lab.pinned] == ["ExponentialLR", "LinearLR"]


def test_a_pin_can_be_let_go(lab):
    lab.pin()
    lab.unpin(0)
    assert lab.pinned == ()
    with pytest.raises(IndexError, match="index must be below 0"):
        lab.unpin(0)


# ---- What the page asks ---------------------------------------------------------------------------------------------


def ask(lab, number, **question):
    lab._wishes = {"list": [{"number": number, **question}]}
    return lab._answer


def test_a_question_of_the_page_changes_the_plan(lab):
    answer = ask(lab, 1, set={"parameters": {"gamma": 0.5}, "cadence": "step"})
    assert (answer["number"], answer["refused"]) == (1, {})
    assert (lab.parameters["gamma"], lab.cadence) == (0.5, "step")


def test_a_refusal_is_told_beside_its_control_and_the_last_good_curve_stays(lab):
    before = lab._answer["plan"]
    answer = ask(lab, 1, set={"parameters": {"gamma": -3}})
    assert list(answer["refused"]) == ["gamma"]
    assert "gamma must be a number from 0" in answer["refused"]["gamma"]
    assert lab._answer["plan"] == before


def test_the_page_can_pin_unpin_and_reset(lab):
    ask(lab, 1, set={"scheduler": "LinearLR"})
    ask(lab, 2, do="pin")
    ask(lab, 3, do="reset")
    assert (lab.scheduler, [plan.scheduler for plan in lab.pinned]) == ("StepLR", ["LinearLR"])
    ask(lab, 4, do="unpin", **{"with": [0]})
    assert lab.pinned == ()


def test_a_refusal_is_gone_once_the_value_was_corrected(lab):
    ask(lab, 1, set={"parameters": {"gamma": -3}})
    assert ask(lab, 2, set={"parameters": {"gamma": 0.5}})["refused"] == {}


def test_a_pinned_curve_that_coincides_with_the_present_one_is_told(lab):
    lab.change(parameters={"step_size": 5, "gamma": 0.1})
    lab.pin()
    assert [pin["same"] for pin in lab._answer["pins"]] == [True]
    lab.cadence = "step"
    assert [pin["same"] for pin in lab._answer["pins"]] == [False]
    lab.parameters = {"step_size": 20}
    assert [pin["same"] for pin in lab._answer["pins"]] == [True]


def test_the_page_gets_the_curve_as_its_changes(lab):
    drawn = lab._answer["plan"]
    at, values = np.frombuffer(drawn["at"], "<u4"), np.frombuffer(drawn["values"], "<f8")
    assert at.tolist() == [0, 20, 40, 60]
    np.testing.assert_array_equal(np.repeat(values, np.diff([*at, drawn["steps"]])), lab.curve())


VALUES = st.dictionaries(st.sampled_from(["gamma", "step_size", "T_max", "power"]), st.floats() | st.integers())
WANTED = st.one_of(
    st.fixed_dictionaries({"lr": st.floats()}),
    st.fixed_dictionaries({"epochs": st.integers(-3, 60)}),
    st.fixed_dictionaries({"scheduler": st.sampled_from([*names(), "Nonsense"])}),
    st.fixed_dictionaries({"cadence": st.sampled_from([*CADENCES, "never"])}),
    st.fixed_dictionaries({"parameters": VALUES}),
)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.lists(WANTED, min_size=1, max_size=8))
def test_whatever_a_hand_does_the_lab_shows_a_curve_of_torch(wishes):
    lab = ScheduleLab(steps_per_epoch=3, epochs=10)
    for number, wish in enumerate(wishes, start=1):
        answer = ask(lab, number, set=wish)
        assert answer["number"] == number
        np.testing.assert_array_equal(lab.curve(), from_torch(lab.plan))


# ---- Where no kernel runs -------------------------------------------------------------------------------------------


def test_the_text_is_constant_and_the_picture_is_deterministic(lab):
    first, again = (lab._repr_mimebundle_()[0] for _ in range(2))
    assert first["text/plain"] == f"ScheduleLab: run this cell to play with it\n{lab.figure().alt}"
    assert first["image/png"] == again["image/png"]
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")


def test_the_picture_shows_the_pinned_curves_too(lab):
    lab.pin()
    lab.lr = 0.5
    lab.scale = "log"
    assert [line.get_label() for line in lab.figure().axes[0].lines].count("_nothing") == 0
    assert len(lab.figure().axes[0].lines) > len(ScheduleLab().figure().axes[0].lines)
