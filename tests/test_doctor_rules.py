"""The rules on recordings made by hand, and the table of what explains what."""

import pytest

from course_utils.doctor.causes import EXPLAINS, ORDER, ranked
from course_utils.doctor.finding import Finding
from course_utils.doctor.record import (
    Backward,
    DataSource,
    Forwards,
    Measure,
    OptimizerFacts,
    Recording,
    SchedulerFacts,
    Survivors,
    Update,
)
from course_utils.doctor.report import diagnose
from course_utils.doctor.rules import RULES, data, learning, measuring, memory, order, scheduling


def finding(name, severity="error"):
    return Finding(name, severity, "title", "seen", "why", "fix", "lesson")


def losses(*values):
    return tuple(Measure("loss", "", step, (value,)) for step, value in enumerate(values))


def named(findings):
    return [f.name for f in findings]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_rule_finds_anything_in_an_empty_recording(rule):
    assert rule(Recording()) is None


def test_every_explained_name_is_a_known_cause():
    assert {name for effects in EXPLAINS.values() for name in effects} <= set(ORDER)


def test_no_cause_explains_itself():
    assert [name for name, effects in EXPLAINS.items() if name in effects] == []


def test_a_cause_is_listed_once():
    assert len(set(ORDER)) == len(ORDER)


def test_an_explained_finding_is_left_out():
    found = ranked([finding("learning-rate-vanished"), finding("scheduler-stepped-per-batch")])
    assert named(found) == ["scheduler-stepped-per-batch"]


def test_a_note_explains_nothing():
    found = ranked([finding("exploding-gradients", "note"), finding("learning-rate-too-high")])
    assert named(found) == ["learning-rate-too-high", "exploding-gradients"]


def test_errors_come_before_warnings_and_warnings_before_notes():
    found = ranked(
        [
            finding("last-batch-in-running-loss", "note"),
            finding("measuring-with-gradients", "warning"),
            finding("loss-kept-with-graph"),
        ]
    )
    assert [f.severity for f in found] == ["error", "warning", "note"]


def test_one_stale_step_among_many_is_no_missing_zero_grad():
    updates = (Update(stale=1), *[Update()] * 20)
    assert order.missing_zero_grad(Recording(updates=updates)) is None


def test_accumulated_losses_divided_once_are_right():
    updates = tuple(Update(backwards=4) for _ in range(5))
    measures = tuple(Measure("divisor", "", step, (4.0,)) for step in range(5))
    assert order.loss_divided_twice(Recording(updates=updates, measures=measures)) is None


def test_a_single_backward_pass_is_no_missing_step():
    assert order.missing_step(Recording(backwards=(Backward(),), zeroings=1)) is None


def test_a_nan_loss_names_the_step_it_began_at():
    recording = Recording(updates=(Update(),) * 4, measures=losses(2.3, 40.0, float("nan"), float("nan")))
    assert "became NaN at step 2" in learning.learning_rate_too_high(recording).seen


def test_a_loss_that_is_nan_before_any_step_is_not_blamed_on_the_learning_rate():
    recording = Recording(updates=(Update(),) * 4, measures=losses(float("nan"), float("nan"), float("nan")))
    assert learning.learning_rate_too_high(recording) is None


def test_two_players_may_raise_each_others_loss():
    optimizers = (OptimizerFacts(0, tensors=(0,)), OptimizerFacts(1, tensors=(1,)))
    updates = (Update(optimizer=0), Update(optimizer=1)) * 4
    recording = Recording(updates=updates, optimizers=optimizers, measures=losses(0.7, 0.9, 2, 3, 4, 5, 5, 5))
    assert learning.learning_rate_too_high(recording) is None


@pytest.mark.parametrize(("alive", "found"), [((1, 1, 1), False), ((2, 12, 22), True)])
def test_memory_must_grow(alive, found):
    survivors = tuple(Survivors(10 * i, 10 * i + 5, n, 0, 9) for i, n in enumerate(alive))
    assert (memory.loss_kept_with_graph(Recording(survivors=survivors)) is not None) == found


@pytest.mark.parametrize(("complete", "found"), [(True, True), (False, False)])
def test_a_scheduler_may_still_be_stepped_after_a_block_that_was_cut_off(complete, found):
    facts = {"updates": (Update(),) * 5, "schedulers": (SchedulerFacts(),), "optimizers": (OptimizerFacts(),)}
    recording = Recording(**facts, complete=complete)
    assert (scheduling.scheduler_never_stepped(recording) is not None) == found


def test_a_full_batch_an_epoch_makes_both_cadences_the_same():
    updates = tuple(Update(lr=0.1 * 0.5 ** (i // 2)) for i in range(40))
    recording = Recording(updates=updates, schedulers=(SchedulerFacts(steps=40, horizon=2.0),), period=1)
    assert scheduling.scheduler_stepped_per_batch(recording) is None


@pytest.mark.parametrize(("batches", "found"), [(1, False), (2, True)])
def test_looking_at_one_test_batch_is_not_training_on_it(batches, found):
    forwards = (Forwards(source=0, count=batches),)
    recording = Recording(forwards=forwards, sources=(DataSource(split="test", mark="Set(train=False)"),))
    assert (data.trained_on_test_split(recording) is not None) == found


@pytest.mark.parametrize(("largest", "found"), [(3.0, False), (255.0, True)])
def test_inputs_are_judged_by_their_scale(largest, found):
    recording = Recording(measures=(Measure("inputs", "0", 0, (0.0, largest, largest / 2, 1.0)),))
    assert (data.inputs_not_scaled(recording) is not None) == found


def test_backward_passes_that_reach_nothing_have_lost_the_model():
    recording = Recording(backwards=(Backward(reached=0, optimizers=(), watched=4),) * 3)
    assert measuring.loss_without_gradient(recording).severity == "error"


def test_the_diagnosis_of_a_recording_is_a_pure_function():
    recording = Recording(updates=(Update(stale=1),) * 5)
    assert diagnose(recording) == diagnose(recording)
    assert named(diagnose(recording)) == ["missing-zero-grad"]
