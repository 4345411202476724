import base64
import gc
import random
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import StepLR

from course_utils.apps.common.app import App
from course_utils.apps.live.optimizer import CHOICES, make, momentum_of, name_of, set_lr, set_momentum
from course_utils.apps.live.record import SHOWN, Mark, in_words
from course_utils.apps.live.trainer import Trainer
from course_utils.apps.live.widget import MOST_POINTS, LiveTraining
from course_utils.data import Loader, Split
from course_utils.model import Tudui
from course_utils.plots import smooth
from course_utils.training import Run, evaluate, train

CLASSES = tuple("abcdefghij")


def made_split(count, name, seed=0):
    stream = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=stream, dtype=torch.uint8)
    return Split(images, torch.randint(0, 10, (count,), generator=stream), CLASSES, "photos", name)


TEST = made_split(16, "test", seed=1)
DATA = Loader(made_split(32, "train"), batch_size=4)


class Small(torch.nn.Module):
    """A network with a Dropout, so that the random stream matters, and so small that a step takes a millisecond."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(3072, 10))

    def forward(self, images):
        return self.layers(images)


def small_run(**options):
    model = Small()
    return Run(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5), **options)


@pytest.fixture
def trainer():
    made = Trainer(small_run, DATA, TEST, budget=40, test_every=10)
    yield made
    made.close()


def weights(run):
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


def trained(steps, run=None):
    """The oracle: the package's own loop."""
    run = run or small_run()
    for done in train(run, DATA, epochs=1000):
        if done.step + 1 == steps:
            return run
    raise AssertionError("not reached")


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


# ---- The same arithmetic as train() ---------------------------------------------------------------------------------


def test_advance_ends_with_the_weights_of_train_to_the_last_bit(trainer):
    trainer.advance(20)
    assert torch.equal(weights(trainer.run), weights(trained(20)))


def test_the_thread_ends_with_the_weights_of_train_to_the_last_bit(trainer):
    trainer.start()
    wait_until(lambda: trainer.stage == "finished")
    assert torch.equal(weights(trainer.run), weights(trained(40)))


def test_tudui_in_the_thread_ends_with_the_weights_of_train():
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        model = Tudui()
        runs.append(Run(model, torch.optim.SGD(model.parameters(), lr=0.01)))
    trainer = Trainer(runs[0], DATA, TEST, budget=6)
    trainer.start()
    wait_until(lambda: trainer.stage == "finished")
    assert torch.equal(weights(runs[0]), weights(trained(6, runs[1])))


def test_pausing_and_stepping_change_no_weight(trainer):
    for _ in range(3):
        trainer.start()
        trainer.pause()
        trainer.step()
    assert torch.equal(weights(trainer.run), weights(trained(trainer.steps)))


def test_losses_are_those_of_train(trainer):
    trainer.advance(12)
    np.testing.assert_array_equal(trainer.record().losses, trained(12).losses.numpy())


def test_accuracy_is_that_of_evaluate(trainer):
    trainer.advance(10)
    images = Loader(TEST, batch_size=16, shuffle=False)
    assert trainer.record().exams[-1].accuracy == evaluate(trainer.run.model, images).accuracy


def test_predictions_are_the_largest_scores_of_the_first_test_images(trainer):
    trainer.advance(10)
    images, _ = next(iter(Loader(TEST, batch_size=SHOWN, shuffle=False)))
    trainer.run.model.eval()
    assert trainer.record().exams[-1].predictions == tuple(trainer.run.model(images).argmax(dim=1).tolist())


def test_exams_come_at_most_every_so_many_steps(trainer):
    trainer.advance(25)
    assert [exam.step for exam in trainer.record().exams] == [0, 10, 20, 25]


# ---- Stages ---------------------------------------------------------------------------------------------------------


def test_the_budget_ends_the_training(trainer):
    trainer.advance(1000)
    assert (trainer.stage, trainer.steps) == ("finished", 40)


def test_a_larger_budget_leads_on(trainer):
    trainer.advance(40)
    trainer.budget = 50
    trainer.advance(1000)
    assert (trainer.stage, trainer.steps) == ("finished", 50)


def test_a_smaller_budget_ends_a_paused_training(trainer):
    trainer.advance(20)
    trainer.budget = 10
    assert trainer.stage == "finished"


@pytest.mark.parametrize("command", ["pause", "stop", "reset", "close"])
def test_a_command_takes_effect_between_two_steps(trainer, command):
    trainer.budget = 20_000
    trainer.start()
    wait_until(lambda: trainer.steps > 3)
    getattr(trainer, command)()
    steps, kept = trainer.steps, weights(trainer.run)
    trainer._thread.join(10)
    assert not trainer._thread.is_alive()
    assert trainer.steps == steps
    assert torch.equal(weights(trainer.run), kept)


def test_reset_brings_weights_settings_and_optimizer_back():
    run = small_run()
    optimizer, before = run.optimizer, weights(run).clone()
    trainer = Trainer(run, DATA, TEST, budget=40)
    trainer.change(optimizer="Adam", lr=0.1)
    trainer.advance(5)
    trainer.reset()
    record = trainer.record()
    assert torch.equal(weights(run), before)
    assert run.optimizer is optimizer
    assert (record.stage, record.steps, record.lr, record.momentum, record.marks) == ("ready", 0, 0.01, 0.5, ())


def test_after_a_reset_the_training_is_the_same_again():
    trainer = Trainer(small_run(), DATA, TEST, budget=40)
    trainer.advance(15)
    first = weights(trainer.run).clone()
    trainer.reset()
    trainer.advance(15)
    assert torch.equal(weights(trainer.run), first)


def test_a_function_that_makes_the_run_is_called_anew_at_a_reset(trainer):
    old = trainer.run
    trainer.reset()
    assert trainer.run is not old


def test_a_run_that_has_been_trained_before_goes_on_from_there():
    run = trained(8)
    trainer = Trainer(run, DATA, TEST, budget=4)
    trainer.advance(100)
    assert torch.equal(weights(run), weights(trained(12)))
    trainer.reset()
    assert (trainer.steps, run.step) == (0, 8)


def test_a_stopped_training_only_goes_on_after_a_reset(trainer):
    trainer.advance(3)
    trainer.stop()
    trainer.start()
    trainer.step()
    assert (trainer.stage, trainer.steps) == ("stopped", 3)
    trainer.reset()
    trainer.step()
    assert (trainer.stage, trainer.steps) == ("paused", 1)


def test_a_second_trainer_of_the_same_model_ends_the_first():
    run = small_run()
    first = Trainer(run, DATA, TEST, budget=20_000)
    first.start()
    second = Trainer(run, DATA, TEST, budget=20_000)
    assert not first._thread.is_alive()
    second.step()
    first.start()
    assert first.stage != "running"


def test_garbage_collection_ends_the_thread():
    trainer = Trainer(small_run, DATA, TEST, budget=20_000)
    trainer.start()
    thread = trainer._thread
    del trainer
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_the_thread_ends_with_the_process(trainer):
    trainer.start()
    assert trainer._thread.daemon


# ---- Changes while it runs ------------------------------------------------------------------------------------------


def test_a_changed_lr_is_used_from_the_next_step_on_and_marked(trainer):
    trainer.advance(3)
    trainer.change(lr=0.1)
    trainer.advance(1)
    run = trained(3)
    run.optimizer.param_groups[0]["lr"] = 0.1
    assert torch.equal(weights(trainer.run), weights(trained(4, run)))
    assert trainer.record().marks == (Mark(3, "lr", "0.01", "0.1"),)


def test_a_changed_momentum_is_used_from_the_next_step_on(trainer):
    trainer.advance(3)
    trainer.change(momentum=0.9)
    trainer.advance(3)
    run = trained(3)
    run.optimizer.param_groups[0]["momentum"] = 0.9
    assert torch.equal(weights(trainer.run), weights(trained(6, run)))


def test_a_change_reaches_every_parameter_group():
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.2)]
    optimizer = torch.optim.SGD(groups)
    set_lr(optimizer, 0.5)
    set_momentum(optimizer, 0.7)
    assert [(group["lr"], group["momentum"]) for group in optimizer.param_groups] == [(0.5, 0.7)] * 2


def test_another_optimizer_starts_afresh_with_the_lr_of_the_old_one(trainer):
    trainer.advance(3)
    trainer.change(optimizer="Adam")
    trainer.advance(3)
    run = trained(3)
    run.optimizer = torch.optim.Adam(run.model.parameters(), lr=0.01)
    assert torch.equal(weights(trainer.run), weights(trained(6, run)))
    assert [str(mark) for mark in trainer.record().marks] == ["SGD → Adam"]


def test_changes_of_one_setting_before_the_same_step_are_one_mark(trainer):
    for lr in (0.02, 0.03, 0.04):
        trainer.change(lr=lr)
    trainer.change(momentum=0.6)
    assert [str(mark) for mark in trainer.record().marks] == ["lr 0.01 → 0.04", "momentum 0.5 → 0.6"]
    trainer.change(lr=0.01)
    assert [str(mark) for mark in trainer.record().marks] == ["momentum 0.5 → 0.6"]


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_of_optimizer_trains_and_knows_its_name(trainer, name):
    trainer.change(optimizer=name)
    trainer.advance(3)
    assert trainer.record().optimizer == name


def test_momentum_is_beta1_for_adam_and_none_for_those_without():
    parameters = [torch.zeros(1, requires_grad=True)]
    found = {name: momentum_of(make(name, parameters, lr=0.1)) for name in CHOICES}
    known = {"SGD": 0.0, "Nesterov": 0.9, "RMSprop": None, "Adagrad": None, "Adam": 0.9, "AdamW": 0.9}
    assert {name: found[name] for name in known} == known
    assert name_of(torch.optim.Adamax(parameters)) == "Adamax"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": -0.1}, "lr must be a number from 1e-06 to 10, got -0.1; try 0.01"),
        ({"lr": float("nan")}, "lr must be"),
        ({"momentum": 1}, "momentum must be a number from 0 to 0.999"),
        ({"optimizer": "Lion"}, "optimizer must be one of SGD, Nesterov"),
        ({"optimizer": 3, "lr": 0.5}, "optimizer must be one of"),
    ],
)
def test_a_wrong_change_is_refused_in_words_and_changes_nothing(trainer, change, words):
    with pytest.raises(ValueError, match=words):
        trainer.change(**change)
    record = trainer.record()
    assert (record.optimizer, record.lr, record.momentum, record.marks) == ("SGD", 0.01, 0.5, ())


def test_a_momentum_that_is_not_there_cannot_be_changed(trainer):
    trainer.change(optimizer="Adagrad")
    with pytest.raises(ValueError, match=r"momentum cannot be changed in Adagrad"):
        trainer.change(momentum=0.5)


def test_an_lr_that_a_scheduler_sets_cannot_be_changed_by_hand():
    run = small_run()
    scheduled = Run(run.model, run.optimizer, StepLR(run.optimizer, 1), cadence="epoch")
    trainer = Trainer(scheduled, DATA, TEST)
    with pytest.raises(ValueError, match=r"lr is set by StepLR"):
        trainer.change(lr=0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3, DATA, TEST), TypeError, "run must be a Run or make one without arguments, got int"),
        ((lambda: None, DATA, TEST), TypeError, "run must be a Run or make one without arguments, got NoneType"),
        ((small_run, [1], TEST), TypeError, "data must give the batches"),
        ((small_run, DATA, [1]), TypeError, "test_split must be a Split, got list"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        Trainer(*arguments)


@pytest.mark.parametrize("budget", [0, -1, 2.5, True, 20_001, None])
def test_a_wrong_budget_is_refused_in_words(budget):
    with pytest.raises(ValueError, match=r"budget must be a whole number from 1 to 20000"):
        Trainer(small_run, DATA, TEST, budget=budget)


# ---- Errors ---------------------------------------------------------------------------------------------------------


class Bad:
    """A loss that fails at its third call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, scores, labels):
        self.calls += 1
        if self.calls == 3:
            raise ValueError("the batch is spoiled\nsecond line")
        return torch.nn.functional.cross_entropy(scores, labels)


def test_an_exception_in_the_thread_becomes_words_and_a_reset_leads_on():
    trainer = Trainer(lambda: small_run(loss_fn=Bad()), DATA, TEST, budget=2)
    trainer.budget = 10
    trainer.start()
    wait_until(lambda: trainer.stage == "failed")
    assert in_words(trainer.record()) == "ValueError after 2 steps: the batch is spoiled. Press Reset to begin anew."
    trainer.start()
    assert trainer.stage == "failed"
    trainer.reset()
    trainer.advance(2)
    assert trainer.stage == "paused"


def test_an_exception_in_advance_is_raised():
    trainer = Trainer(lambda: small_run(loss_fn=Bad()), DATA, TEST)
    with pytest.raises(ValueError, match="spoiled"):
        trainer.advance(5)


def test_a_loss_that_is_no_number_is_told_in_words(trainer):
    trainer.change(lr=10.0)
    with torch.no_grad():
        trainer.run.model.layers[2].weight.fill_(float("nan"))
    trainer.advance(2)
    assert "no finite number since step 0" in in_words(trainer.record())


# ---- A hand that does anything --------------------------------------------------------------------------------------

DEEDS = {
    "start": lambda trainer, dice: trainer.start(),
    "pause": lambda trainer, dice: trainer.pause(),
    "step": lambda trainer, dice: trainer.step(),
    "stop": lambda trainer, dice: trainer.stop(),
    "reset": lambda trainer, dice: trainer.reset(),
    "lr": lambda trainer, dice: trainer.change(lr=10 ** dice.uniform(-5, 0)),
    "optimizer": lambda trainer, dice: trainer.change(optimizer=dice.choice(CHOICES)),
    "budget": lambda trainer, dice: setattr(trainer, "budget", dice.randint(1, 300)),
    "wait": lambda trainer, dice: time.sleep(dice.uniform(0, 0.01)),
}


def assert_sound(trainer):
    """The stage, the thread and the numbers agree."""
    with trainer._lock:
        record = trainer.record()
        assert record.error is None
        assert (record.stage == "running") == (trainer._token is not None)
        assert record.stage != "running" or trainer._thread.is_alive()
        assert len(record.losses) == record.steps
        assert record.stage != "ready" or record.steps == 0
        assert all(exam.step <= record.steps for exam in record.exams)


def test_two_hundred_random_clicks_end_without_error_dead_thread_or_wrong_state():
    dice = random.Random(0)
    trainer = Trainer(small_run, DATA, TEST, budget=200)
    for _ in range(200):
        DEEDS[dice.choice(list(DEEDS))](trainer, dice)
        assert_sound(trainer)
    trainer.reset()
    trainer.budget = 10
    trainer.start()
    wait_until(lambda: trainer.stage == "finished")
    assert torch.equal(weights(trainer.run), weights(trained(10)))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.lists(st.sampled_from([name for name in DEEDS if name != "wait"]), min_size=1, max_size=12))
def test_any_row_of_commands_leaves_a_sound_trainer(row):
    trainer = Trainer(small_run, DATA, TEST, budget=50)
    for name in row:
        DEEDS[name](trainer, random.Random(len(row)))
        assert_sound(trainer)
    trainer.close()


def test_commands_from_several_threads_at_once_leave_a_sound_trainer():
    trainer = Trainer(small_run, DATA, TEST, budget=300)
    errors = []

    def play(seed):
        dice = random.Random(seed)
        try:
            for _ in range(40):
                DEEDS[dice.choice(list(DEEDS))](trainer, dice)
        except Exception as error:
            errors.append(error)

    players = [threading.Thread(target=play, args=(seed,)) for seed in range(4)]
    for player in players:
        player.start()
    for player in players:
        player.join(30)
    assert errors == []
    assert_sound(trainer)
    trainer.close()


# ---- The widget -----------------------------------------------------------------------------------------------------


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
