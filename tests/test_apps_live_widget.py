"""The widget of the live training: it obeys the page, tells it everything, and shows the same picture each time."""

import base64

import numpy as np
import pytest
import torch

from course_utils.apps.common.app import App
from course_utils.apps.live.trainer import Trainer
from course_utils.apps.live.widget import MOST_POINTS, LiveTraining
from course_utils.plots import smooth
from tests.helpers.live_runs import DATA, TEST, small_run, wait_until


@pytest.fixture
def live():
    made = LiveTraining(small_run, DATA, TEST, budget=40, test_every=10)
    yield made
    made.close()


def wish(live, **wanted):
    live._wishes = {"list": [{"number": live._answer["number"] + 1, **wanted}]}
    return live._answer


def test_a_click_on_the_page_is_obeyed(live):
    answer = wish(live, do="step")
    assert (live.stage, live.steps, answer["steps"]) == ("paused", 1, 1)


def test_a_slider_on_the_page_is_obeyed(live):
    answer = wish(live, set={"lr": 0.3, "budget": 30})
    assert (live.lr, live.budget, answer["settings"]["lr"]) == (0.3, 30, 0.3)


def test_a_refusal_is_told_beside_its_control(live):
    assert "budget must be a whole number" in wish(live, set={"budget": None})["refused"]["budget"]
    assert wish(live, do="step")["refused"] == {}


def test_a_wish_that_means_nothing_does_nothing(live):
    wish(live, do="close")
    wish(live)
    assert live.stage == "ready"


def test_a_trainer_and_a_widget_have_no_name_in_common_but_close():
    own = {name for name in vars(Trainer) if not name.startswith("__")}
    assert own & set(dir(App)) == {"close"}


def test_a_loss_that_is_no_number_ends_the_training(live):
    with torch.no_grad():
        live.run.model.layers[2].weight.fill_(float("nan"))
    live.start()
    wait_until(lambda: live.stage == "stopped")
    assert (live.steps, live._answer["lost"]) == (1, True)
    live.reset()
    live.advance(2)
    assert (live.stage, live._answer["lost"]) == ("paused", False)


def test_the_page_is_told_the_end_of_the_training(live):
    live.start()
    wait_until(lambda: live._answer["stage"] == "finished")
    wait_until(lambda: live._answer["exams"][-1][0] == 40)
    assert live._answer["steps"] == 40


def test_the_page_gets_the_loss_and_its_moving_average(live):
    live.advance(20)
    np.testing.assert_array_equal(np.frombuffer(live._answer["losses"], "<f4"), live.losses)
    smoothed = smooth(live.losses, 0.9).astype("<f4")
    np.testing.assert_array_equal(np.frombuffer(live._answer["smoothed"], "<f4"), smoothed)


def test_a_long_curve_is_thinned_out_for_the_page(live):
    live.budget = MOST_POINTS + 200
    live.advance(MOST_POINTS + 200)
    told = np.frombuffer(live._answer["losses"], "<f4")
    assert len(told) == 600
    np.testing.assert_array_equal(told, live.losses[::2])


def test_attributes_steer_the_training(live):
    live.optimizer = "Adam"
    live.lr, live.momentum, live.budget = 0.002, 0.8, 7
    live.advance(100)
    assert (live.optimizer, live.lr, live.momentum, live.steps, live.stage) == ("Adam", 0.002, 0.8, 7, "finished")
    assert [mark.what for mark in live.marks] == ["optimizer", "lr", "momentum"]
    assert 0 <= live.accuracy <= 1


def test_closing_the_widget_ends_the_thread(live):
    live.budget = 20_000
    live.start()
    thread = live._thread
    live.close()
    assert not thread.is_alive()


@pytest.mark.parametrize("steps", [0, 5])
def test_the_text_and_the_picture_are_deterministic(live, steps):
    if steps:
        live.advance(steps)
    first, again = (live._repr_mimebundle_()[0] for _ in range(2))
    assert first["text/plain"] == f"LiveTraining: run this cell to play with it\n{live.figure().alt}"
    assert first["image/png"] == again["image/png"]
    assert base64.b64decode(first["image/png"]).startswith(b"\x89PNG")
