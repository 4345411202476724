"""The live training: the weights of train() to the last bit, stages and changes between two steps."""

import gc

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from course_utils.apps.live.optimizer import CHOICES, make, momentum_of, name_of, set_lr, set_momentum
from course_utils.apps.live.record import SHOWN, Mark, in_words
from course_utils.apps.live.trainer import Trainer
from course_utils.data import Loader
from course_utils.model import Tudui
from course_utils.training import Run, evaluate
from tests.helpers.live_runs import DATA, TEST, small_run, trained, wait_until, weights


@pytest.fixture
def trainer():
    made = Trainer(small_run, DATA, TEST, budget=40, test_every=10)
    yield made
    made.close()


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


def test_a_loss_that_is_no_number_is_told_in_words(trainer):
    trainer.change(lr=10.0)
    with torch.no_grad():
        trainer.run.model.layers[2].weight.fill_(float("nan"))
    trainer.advance(2)
    assert "no finite number since step 0" in in_words(trainer.record())
