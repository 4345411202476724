"""A live training in any hands: errors become words, and no row of commands leaves a wrong state."""

import random
import threading
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.apps.live.optimizer import CHOICES
from course_utils.apps.live.record import in_words
from course_utils.apps.live.trainer import Trainer
from tests.helpers.live_runs import DATA, TEST, small_run, trained, wait_until, weights

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
