"""The loop: equal to the five lines written out, resumable at any step, silent about the device."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau, StepLR

from course_utils.training import Evaluation, Run, evaluate, train, train_step
from tests.helpers.tiny_runs import FEATURES, TinyData, finish, same_weights, tiny_model, tiny_run

# --- one step ------------------------------------------------------------------------------------------------


def test_a_step_returns_the_loss_before_the_update_and_no_graph():
    run, batch = tiny_run(dropout=0), next(TinyData().batches(0))
    expected = cross_entropy(run.model(batch[0]), batch[1])
    loss = train_step(run.model, batch, run.optimizer)
    torch.testing.assert_close(loss, expected.detach())
    assert loss.shape == ()
    assert loss.grad_fn is None


def test_a_step_of_sgd_subtracts_lr_times_the_gradient_of_this_batch_alone():
    run, batch = tiny_run(lr=0.1, dropout=0), next(TinyData().batches(0))
    weight = run.model.out.weight
    before = weight.detach().clone()
    (gradient,) = torch.autograd.grad(cross_entropy(run.model(batch[0]), batch[1]), [weight])
    weight.grad = torch.full_like(weight, 1e6)
    train_step(run.model, batch, run.optimizer)
    torch.testing.assert_close(weight.detach(), before - 0.1 * gradient)


# --- the loop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "options"), [(torch.optim.SGD, {"momentum": 0.9}), (torch.optim.Adam, {}), (torch.optim.RMSprop, {})]
)
def test_train_gives_the_weights_of_the_five_lines_written_out(optimizer, options):
    data, run = TinyData(), tiny_run(optimizer, dropout=0, **options)
    model = tiny_model(dropout=0)
    by_hand = optimizer(model.parameters(), lr=0.1, **options)
    for epoch in range(3):
        for inputs, labels in data.batches(epoch):
            by_hand.zero_grad()
            loss = cross_entropy(model(inputs), labels)
            loss.backward()
            by_hand.step()
    finish(run, data, 3)
    assert all(torch.equal(a, b) for a, b in zip(run.model.parameters(), model.parameters(), strict=True))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(stops=st.lists(st.integers(0, 15), max_size=4))
def test_a_run_stopped_anywhere_ends_with_the_weights_of_an_undisturbed_one(stops):
    data = TinyData()
    whole, parts = (tiny_run(momentum=0.9) for _ in range(2))
    for stop in stops:
        for _ in zip(range(stop), train(parts, data, epochs=3), strict=False):
            torch.rand(1)  # the reader of the records may draw random numbers too
    finish(parts, data, 3), finish(whole, data, 3)
    assert same_weights(whole, parts)
    assert torch.equal(whole.losses, parts.losses)


def test_epochs_count_from_the_start_of_the_run():
    data, run = TinyData(), tiny_run()
    assert len(list(train(run, data, epochs=2))) == 2 * len(data)
    assert len(list(train(run, data, epochs=3))) == len(data)
    assert list(train(run, data, epochs=3)) == []
    assert run.step == 3 * len(data)


def test_the_records_number_steps_epochs_and_batches_from_zero():
    data = TinyData()
    records = list(train(tiny_run(), data, epochs=2))
    assert [(r.step, r.epoch, r.batch) for r in records] == [(k, k // 5, k % 5) for k in range(10)]
    assert [r.images for r in records] == [5, 5, 5, 5, 2] * 2
    assert [r.ends_epoch for r in records] == [False, False, False, False, True] * 2
    assert {(r.batches, r.epochs) for r in records} == {(5, 2)}


def test_losses_hold_the_loss_of_every_update_in_order():
    data, run = TinyData(batch_size=1), tiny_run(dropout=0)
    run.model.norm = nn.Identity()  # it cannot normalise a batch of one
    yielded = [r.loss for r in train(run, data, epochs=30)]
    assert len(yielded) == 660
    assert torch.equal(run.losses, torch.stack(yielded))
    assert not run.losses.requires_grad


def test_two_runs_side_by_side_do_not_disturb_each_other():
    data = TinyData()
    together, alone = [tiny_run(seed=s) for s in (0, 1)], [tiny_run(seed=s) for s in (0, 1)]
    for _ in zip(*(train(run, data, epochs=2) for run in together), strict=True):
        pass
    for run in alone:
        finish(run, data, 2)
    assert same_weights(together[0], alone[0])
    assert same_weights(together[1], alone[1])
    assert not same_weights(*alone)


def test_training_leaves_the_global_random_stream_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    finish(tiny_run(), TinyData(), 1)
    assert torch.equal(torch.rand(2), expected)


def test_the_model_trains_in_training_mode_even_if_the_reader_left_it_in_another():
    run, modes = tiny_run(), []
    run.model.drop.register_forward_hook(lambda module, *_: modes.append(module.training))
    for _ in train(run, TinyData(), epochs=1):
        run.model.eval()
    assert modes == [True] * 5


def test_a_step_reads_no_number_from_the_device():
    """Tensors on "meta" have no numbers: any `.item()`, print or branch on a loss raises."""
    run = Run(model := tiny_model().to("meta"), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    finish(run, TinyData(device="meta"), 2)
    assert run.losses.shape == (10,)


def test_training_starts_only_when_the_first_step_is_asked_for():
    run = tiny_run()
    train(run, TinyData(), epochs=1)
    assert run.step == 0


# --- the scheduler -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cadence", "per_step"), [("epoch", 1 / 5), ("step", 1)])
def test_the_scheduler_steps_at_its_cadence(cadence, per_step):
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, optimizer, ExponentialLR(optimizer, 0.5), cadence=cadence)
    lrs = [step.lr for step in train(run, TinyData(), epochs=3)]
    assert lrs == pytest.approx([0.1 * 0.5 ** int(k * per_step + 1e-9) for k in range(15)])


def test_steplr_per_batch_freezes_the_weights_once_the_lr_has_vanished():
    model = tiny_model(dropout=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run, data = Run(model, optimizer, StepLR(optimizer, 5, 0.1), cadence="step"), TinyData()
    finish(run, data, 12)
    before = [p.detach().clone() for p in model.parameters()]
    finish(run, data, 14)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(("cadence", "since"), [("epoch", 5), ("step", 1)])
def test_a_scheduler_that_follows_a_metric_is_given_the_mean_training_loss(cadence, since, monkeypatch):
    model, seen = tiny_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, optimizer, ReduceLROnPlateau(optimizer), cadence=cadence)
    monkeypatch.setattr(run.scheduler, "step", seen.append)
    finish(run, TinyData(), 2)
    assert seen == pytest.approx(run.losses.view(-1, since).mean(dim=1).tolist())


# --- evaluate ------------------------------------------------------------------------------------------------


def test_evaluate_weighs_every_image_alike_whatever_the_batches():
    data, model = TinyData(points=22, batch_size=5), tiny_model().eval()
    scores = model(data.points)
    expected = Evaluation(
        loss=pytest.approx(cross_entropy(scores, data.labels).item(), rel=1e-5),
        accuracy=pytest.approx((scores.argmax(1) == data.labels).float().mean().item()),
    )
    assert evaluate(model, data) == expected
    assert evaluate(model, list(data.batches(0))) == expected


def test_evaluate_gives_back_every_module_in_its_mode():
    model = tiny_model().train()
    model.norm.eval()
    evaluate(model, TinyData())
    assert [m.training for m in model.children()] == [True, False, True, True]


def test_evaluate_gives_back_the_modes_when_the_data_fail():
    model = tiny_model().train()
    with pytest.raises(RuntimeError):
        evaluate(model, [(torch.zeros(2, FEATURES + 1), torch.zeros(2, dtype=torch.long))])
    assert model.training


def test_evaluate_changes_neither_weights_nor_gradients_nor_statistics():
    model = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, TinyData())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_evaluate_uses_the_loss_it_is_given():
    def double(scores, labels):
        return 2 * cross_entropy(scores, labels)

    model = tiny_model()
    assert evaluate(model, TinyData(), double).loss == pytest.approx(2 * evaluate(model, TinyData()).loss)


def test_evaluating_on_nothing_is_refused_in_words():
    with pytest.raises(ValueError, match="data has no batch to evaluate on"):
        evaluate(tiny_model(), [])


# --- what is refused -----------------------------------------------------------------------------------------


def test_data_without_an_order_by_epoch_are_refused_before_any_step():
    run = tiny_run()
    with pytest.raises(TypeError, match=r"got list; try course_utils\.data\.Loader"):
        train(run, [], epochs=1)


@pytest.mark.parametrize("wrong", [1.0, "3", None, True])
def test_epochs_must_be_an_int(wrong):
    with pytest.raises(TypeError, match="epochs must be a whole number of 0 or more, got"):
        train(tiny_run(), TinyData(), epochs=wrong)


def test_negative_epochs_are_refused():
    with pytest.raises(ValueError, match="epochs must be a whole number of 0 or more, got -1; try 5"):
        train(tiny_run(), TinyData(), epochs=-1)


def test_going_on_with_another_number_of_batches_is_refused_and_loses_nothing():
    run = finish(tiny_run(), TinyData(), 1)
    with pytest.raises(ValueError, match="started with 5 batches per epoch, data has 11"):
        train(run, TinyData(batch_size=2), epochs=2)
    assert len(finish(run, TinyData(), 2).losses) == 10


def test_a_scheduler_without_a_cadence_is_refused():
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="a scheduler needs a cadence"):
        Run(model, optimizer, StepLR(optimizer, 5))


def test_a_cadence_without_a_scheduler_is_refused():
    model = tiny_model()
    with pytest.raises(ValueError, match="cadence='epoch' has no scheduler"):
        Run(model, torch.optim.SGD(model.parameters(), lr=0.1), cadence="epoch")


def test_an_unknown_cadence_is_refused():
    model = tiny_model()
    with pytest.raises(ValueError, match="got 'batch'"):
        Run(model, torch.optim.SGD(model.parameters(), lr=0.1), cadence="batch")


def test_a_scheduler_of_another_optimizer_is_refused():
    model = tiny_model()
    mine, other = (torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    with pytest.raises(ValueError, match="the lr of another optimizer"):
        Run(model, mine, StepLR(other, 5), cadence="epoch")


def test_an_optimizer_of_another_model_is_refused():
    with pytest.raises(ValueError, match="holds none of the model's parameters"):
        Run(tiny_model(), torch.optim.SGD(tiny_model().parameters(), lr=0.1))


def test_the_repr_of_a_run_is_short_and_constant():
    assert repr(finish(tiny_run(), TinyData(), 1)) == "Run(Sequential, SGD, step 5)"
