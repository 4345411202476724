"""The rules on recordings made by hand, and what explains what."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_utils.doctor import watch
from course_utils.doctor.diagnosis import diagnose, effects_of, ranked
from course_utils.doctor.finding import Finding
from course_utils.doctor.measures import (
    DeadUnits,
    Divisor,
    GradientSizes,
    HeadScale,
    InputScale,
    Labels,
    LossValue,
    ScoreRows,
)
from course_utils.doctor.recording import (
    Backward,
    DataSource,
    Forwards,
    LossHead,
    ModelFacts,
    OptimizerFacts,
    Recording,
    SchedulerFacts,
    Survivors,
    TensorFacts,
    Update,
)
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules import (
    PROBED,
    RULES,
    catalogue,
    data,
    heads,
    learning,
    measuring,
    memory,
    order,
    parameters,
    scheduling,
)
from course_utils.doctor.schedulers import horizon


def finding(name, severity="error"):
    return Finding(name, severity, "title", "seen", "why", "fix", "lesson")


def losses(*values):
    return tuple(LossValue(step=step, value=value) for step, value in enumerate(values))


def named(findings):
    return [f.name for f in findings]


ALL = (*RULES, *PROBED)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_no_rule_finds_anything_in_an_empty_recording(rule):
    assert rule(Recording()) is None


def test_every_explained_name_is_a_known_cause():
    assert {name for cause in ALL for name in cause.explains} <= {cause.name for cause in ALL}


def test_no_cause_explains_itself_not_even_by_detours():
    assert [cause.name for cause in ALL if cause.name in effects_of(cause.name)] == []


def test_a_cause_is_listed_once():
    assert len({cause.name for cause in ALL}) == len(ALL)


def test_causes_come_before_their_effects():
    found = [finding(cause.name, "note") for cause in ALL]  # notes explain nothing, so that all of them stay
    order = named(ranked(found))
    assert len(order) == len(ALL)
    assert [c.name for c in ALL if any(order.index(e) < order.index(c.name) for e in effects_of(c.name))] == []


def test_the_catalogue_has_a_line_for_every_rule():
    lines = catalogue().splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == [cause.name for cause in ALL]


# -- one rule -----------------------------------------------------------------------------------------------------


def made(look):
    return rule(title="title", why="why", fix="fix", lesson="lesson")(look)


def test_a_rule_is_called_as_its_function_with_dashes():
    def two_words(recording):
        return ""

    assert made(two_words).name == "two-words"


@pytest.mark.parametrize("nothing", ["", None, Evidence("")])
def test_a_rule_that_sees_nothing_finds_nothing(nothing):
    assert made(lambda recording: nothing)(Recording()) is None


def test_a_finding_takes_the_words_of_its_rule_unless_the_evidence_has_others():
    evidence = Evidence("seen", severity="note", fix="another fix")
    found = made(lambda recording: evidence)(Recording())
    assert (found.severity, found.title, found.seen, found.fix) == ("note", "title", "seen", "another fix")


def test_a_rule_that_fails_is_named_and_silences_no_other(monkeypatch):
    def broken(recording):
        raise ZeroDivisionError("no")

    monkeypatch.setattr("course_utils.doctor.diagnosis.RULES", (made(broken), *RULES))
    diagnosis = diagnose(Recording(updates=(Update(stale=1),) * 5))
    assert named(diagnosis.findings) == ["missing-zero-grad"]
    assert diagnosis.failures == ("broken (ZeroDivisionError: no)",)


# -- what explains what -------------------------------------------------------------------------------------------


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
    measures = tuple(Divisor(step=step, value=4.0) for step in range(5))
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


@pytest.mark.parametrize(("alive", "found"), [((1, 1, 1), False), ((5, 5, 5), False), ((2, 12, 22), True)])
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
    recording = Recording(measures=(InputScale(of=0, low=0.0, high=largest, size=largest / 2, whole=1.0),))
    assert (data.inputs_not_scaled(recording) is not None) == found


def test_backward_passes_that_reach_nothing_have_lost_the_model():
    recording = Recording(backwards=(Backward(reached=0, optimizers=(), watched=4),) * 3)
    assert measuring.loss_without_gradient(recording).severity == "error"


def test_the_diagnosis_of_a_recording_is_a_pure_function():
    recording = Recording(updates=(Update(stale=1),) * 5)
    assert diagnose(recording) == diagnose(recording)
    assert named(diagnose(recording).findings) == ["missing-zero-grad"]


# -- the numbers that are told ------------------------------------------------------------------------------------


def test_the_evidence_counts_the_tensors_with_a_stale_gradient():
    recording = Recording(updates=(Update(stale=2, tensors=4),) * 5)
    assert "the gradient of 2 of 4 parameter tensors" in order.missing_zero_grad(recording).seen


def test_a_loss_that_breaks_is_told_with_its_first_and_its_last_finite_value():
    recording = Recording(updates=(Update(),) * 3, measures=losses(2.3, 40.0, float("inf")))
    assert "(it was 2.3 at first and 40 just before)" in learning.learning_rate_too_high(recording).seen


def test_the_evidence_counts_the_test_batches_that_were_learned_from():
    forwards = (Forwards(source=0, count=3), Forwards(source=0, learned_from=False, count=10))
    recording = Recording(forwards=forwards, sources=(DataSource(split="test", mark="Set(train=False)"),))
    assert data.trained_on_test_split(recording).seen.startswith("3 batches ")


# -- where a rule begins to speak ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "severity"), [(0.79, None), (0.8, "warning"), (0.94, "warning"), (0.95, "error")])
def test_a_relu_layer_is_dead_from_four_fifths_of_its_units_on(share, severity):
    recording = Recording(measures=tuple(DeadUnits(of="ReLU 1 of 1", step=step, share=share) for step in range(4)))
    found = learning.dead_relus(recording)
    assert (found and found.severity) == severity


@pytest.mark.parametrize(("kind", "found"), [("OneCycleLR", False), ("LambdaLR", True)])
def test_a_one_cycle_may_fall_at_every_batch(kind, found):
    updates = tuple(Update(lr=0.1 * (1 - i / 40) ** 2) for i in range(40))
    recording = Recording(updates=updates, schedulers=(SchedulerFacts(kind=kind, steps=40),), period=20)
    assert (scheduling.scheduler_stepped_per_batch(recording) is not None) == found


@pytest.mark.parametrize(("peak", "found"), [(0.1, True), (0.2, False)])
def test_a_fall_after_a_warm_up_is_a_plan_for_batches(peak, found):
    updates = tuple(Update(lr=lr) for lr in (0.1, *[peak] * 9, *[0.04] * 30))
    recording = Recording(updates=updates, schedulers=(SchedulerFacts(kind="LambdaLR", steps=40),), period=20)
    assert (scheduling.scheduler_stepped_per_batch(recording) is not None) == found


def test_a_probability_may_be_zero():
    rows = ScoreRows(of="cross_entropy", low=0.0, least_sum=1.0, largest_sum=1.0, off_log_softmax=2.3)
    assert heads.softmax_before_cross_entropy(Recording(measures=(rows,) * 3)) is not None


@pytest.mark.parametrize(("frozen", "severity"), [(2, "warning"), (4, "error")])
def test_only_an_optimizer_that_is_wholly_frozen_is_an_error(frozen, severity):
    recording = Recording(updates=(Update(tensors=4, frozen=frozen),) * 3)
    assert parameters.frozen_by_accident(recording).severity == severity


@pytest.mark.parametrize(("times", "found"), [(1, False), (2, True)])
def test_an_optimizer_made_anew_once_has_forgotten(times, found):
    optimizers = tuple(OptimizerFacts(number, "Adam", stateful=True) for number in range(times))
    assert (parameters.optimizer_recreated(Recording(optimizers=optimizers)) is not None) == found


@pytest.mark.parametrize("trained_before", [False, True])
def test_a_first_look_at_the_network_is_no_measurement(trained_before):
    forwards = (Forwards(count=5), Forwards(learned_from=False, after_first_backward=trained_before))
    recording = Recording(
        updates=(Update(),) * 5, forwards=forwards, models=(ModelFacts(),), tensors=(TensorFacts("weight"),)
    )
    assert (measuring.measuring_with_gradients(recording) is not None) == trained_before


@pytest.mark.parametrize("measured", [False, True])
def test_a_training_that_stays_in_evaluation_mode_is_no_validation(measured):
    """Each epoch's loader is a new one; where the model is measured without a graph, that is the validation."""
    forwards = (Forwards(source=0, count=20), Forwards(source=1, training_mode=False, count=60))
    blind = Forwards(source=None, training_mode=False, with_gradients=False, learned_from=False, count=8)
    recording = Recording(
        updates=(Update(),) * 5,
        forwards=(*forwards, blind) if measured else forwards,
        models=(ModelFacts(sensitive=("Dropout",)),),
        tensors=(TensorFacts("weight"),),
    )
    assert (measuring.backward_in_validation(recording) is None) == measured
    assert measuring.eval_mode_while_training(recording) is not None


def test_a_missing_backward_is_explained_by_a_loss_without_gradient():
    found = ranked([finding("missing-backward"), finding("loss-without-gradient")])
    assert named(found) == ["loss-without-gradient"]


def test_the_horizon_of_an_exponential_decay_is_where_one_percent_is_left():
    assert 0.5 ** horizon(SimpleNamespace(gamma=0.5)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ((0.2, 1e-5, 1e-5, 0.3, 0.3), False),  # queries and keys lie beside the path: the layer before them learns
        ((1e-6, 1e-5, 1e-4, 1e-3, 0.3), True),
        ((1e-5, 1e-6, 1e-4, 1e-3, 0.3), True),
    ],
)
def test_a_gradient_vanishes_only_where_no_layer_before_has_one(sizes, found):
    names = ("embed.weight", "query.weight", "key.weight", "value.weight", "last.weight")
    measures = tuple(GradientSizes(of=0, step=i, gradients=sizes, weights=(1.0,) * 5) for i in range(3))
    recording = Recording(optimizers=(OptimizerFacts(names=names),), measures=measures)
    assert (learning.vanishing_gradients(recording) is not None) == found


@pytest.mark.parametrize("how", ["sub", "new", "never"])
def test_a_change_through_data_is_a_step_by_hand(how):
    weight, inputs = torch.nn.Linear(3, 1), torch.randn(20, 3)
    with watch() as report:
        for _ in range(5):
            weight.zero_grad()
            F.mse_loss(weight(inputs), inputs[:, :1]).backward()
            for p in weight.parameters():
                if how == "sub":
                    p.data.sub_(0.1 * p.grad)
                elif how == "new":
                    p.data = p.data - 0.1 * p.grad
    assert ("missing-step" in named(report.findings)) == (how == "never")


@pytest.mark.parametrize("swapped", [False, True])
def test_a_loss_that_rises_with_its_targets_proves_nothing(swapped):
    def grown(size, target):
        scales = {"target_low": 0.0, "target_high": 1.0, "below": 0.0, "above": 0.0, "beyond": 0.0}
        measured = tuple(HeadScale(step=i, of="mse", size=size**i, target_size=target**i, **scales) for i in range(12))
        head = LossHead("mse", swapped=swapped)
        return Recording(
            updates=(Update(),) * 12, measures=losses(*(1.5**i for i in range(12))) + measured, heads=(head,)
        )

    assert bool(learning.learning_rate_too_high(grown(1.0, 1.2))) == swapped
    assert bool(learning.learning_rate_too_high(grown(1.2, 1.0))) != swapped


def test_gradients_that_are_uncleared_in_validation_alone_are_its_fault():
    taught, checked = Forwards(source=0, count=10), Forwards(source=1, training_mode=False, count=5)
    stale = (Update(stale=1),) * 5
    run = Recording(updates=(*(Update(),) * 10, *stale), forwards=(taught, checked), models=(ModelFacts(),))
    assert not order.missing_zero_grad(run)
    assert order.missing_zero_grad(replace(run, updates=stale * 3))


def test_an_optimizer_that_was_only_made_is_known():
    def play():
        one, other = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
        first, idle = torch.optim.SGD(one.parameters(), 0.01), torch.optim.SGD(other.parameters(), 0.01)
        for _ in range(15):
            first.zero_grad(), other.zero_grad()
            F.mse_loss(one(torch.randn(8, 3)) + other(torch.randn(8, 3)), torch.zeros(8, 1)).backward()
            first.step()
        return len(idle.param_groups)

    with watch() as report:
        play()
    assert named(report.findings)[0] == "optimizer-never-steps"


def test_zeros_and_ones_of_one_step_are_not_ordered_by_class():
    def labels(step, value):
        return Labels(step=step, of="bce", count=8, low=value, high=value, first=value, changes=0)

    game = [labels(step, value) for step in range(8) for value in ((1, 0) if step % 2 else (1,))]
    sorted_ones = [labels(step, step // 4) for step in range(8)]
    assert not data.unshuffled_labels(Recording(updates=(Update(),) * 8, measures=tuple(game)))
    assert data.unshuffled_labels(Recording(updates=(Update(),) * 8, measures=tuple(sorted_ones)))
