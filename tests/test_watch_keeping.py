"""Keepers: a run is saved at its cadence, and one that diverged is taken back to its last good state."""

import signal

import pytest
import torch

from course_utils.training import checkpoints as files
from course_utils.training import load, save, train
from course_utils.watch import DivergedError, checkpointed, interruptible, progress, stop_when_diverged
from tests.helpers.kept_runs import advance
from tests.helpers.tiny_runs import TinyData, finish, packed, tiny_model, tiny_run

# --- checkpointed --------------------------------------------------------------------------------------------


def checkpointed_at(records, run, **options):
    return checkpointed(records, run, "run.pt", **options)


@pytest.fixture
def saves(monkeypatch):
    """The step at each save, which is done as well."""
    done = []
    whole = save
    monkeypatch.setattr("course_utils.watch.keeping.save", lambda run, path: (done.append(run.step), whole(run, path)))
    return done


@pytest.mark.parametrize(
    ("every", "expected"), [("epoch", [5, 10]), (4, [4, 8, 10]), (1, list(range(1, 11))), (99, [10])]
)
def test_a_run_is_saved_at_its_cadence_and_at_the_end(path, saves, every, expected):
    run = tiny_run()
    list(checkpointed(train(run, TinyData(), epochs=2), run, path, every=every))
    assert saves == expected


def test_the_steps_are_counted_in_the_run_and_not_in_the_call(path, saves):
    run = advance(tiny_run(), 3)
    list(checkpointed(train(run, TinyData(), epochs=2), run, path, every=4))
    assert saves == [4, 8, 10]


def test_a_finished_run_is_not_saved_again(path, saves):
    run = finish(tiny_run(), TinyData(), 1)
    list(checkpointed(train(run, TinyData(), epochs=1), run, path))
    assert saves == []


@pytest.mark.parametrize("leave", ["break", "error", "interrupt"])
def test_a_loop_that_is_left_is_saved_where_it_was_left(path, leave):
    run = tiny_run()
    try:
        for step in checkpointed(train(run, TinyData(), epochs=2), run, path):
            if step.step == 6:
                if leave == "break":
                    break
                raise KeyboardInterrupt if leave == "interrupt" else ZeroDivisionError
    except (ZeroDivisionError, KeyboardInterrupt):
        pass
    assert load(tiny_run(), path).step == 7


def test_ctrl_c_in_a_nest_of_observers_is_saved_after_the_step(path, capsys):
    run = tiny_run()
    run.optimizer.register_step_pre_hook(lambda *_: signal.raise_signal(signal.SIGINT) if run.step == 6 else None)
    list(interruptible(checkpointed(progress(train(run, TinyData(), epochs=2)), run, path)))
    assert load(tiny_run(), path).step == 7
    assert "Stopped after step 7 of 10" in capsys.readouterr().out


def test_ctrl_c_during_a_save_waits_until_the_file_is_whole(path, monkeypatch):
    run, whole = tiny_run(), files._write
    monkeypatch.setattr(files, "_write", lambda *given: (signal.raise_signal(signal.SIGINT), whole(*given)))
    with pytest.raises(KeyboardInterrupt):
        list(checkpointed(train(run, TinyData(), epochs=2), run, path))
    assert load(tiny_run(), path).step == 5


def test_a_step_that_failed_half_way_is_not_saved(path):
    run = tiny_run()
    run.optimizer.register_step_post_hook(lambda *_: run.step == 6 and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(checkpointed(train(run, TinyData(), epochs=2), run, path))
    assert load(tiny_run(), path).step == 5


def test_a_diverged_run_does_not_overwrite_a_good_checkpoint(path):
    run = tiny_run()
    with pytest.raises(DivergedError, match=r"diverged in step 7, .*Nothing was saved: .*run\.pt is from before") as it:
        list(checkpointed(diverging(run, at=6), run, path))
    assert (it.value.step, it.value.back_at) == (6, None)
    assert load(tiny_run(), path).step == 5


@pytest.mark.parametrize("observer", ["checkpointed", "stop_when_diverged"])
def test_a_keeper_yields_the_very_records_and_changes_no_weight(path, observer):
    run, bare = tiny_run(), tiny_run()
    given = []
    records = (given.append(step) or step for step in train(run, TinyData(), epochs=2))
    kept = checkpointed(records, run, path, every=3) if observer == "checkpointed" else stop_when_diverged(records, run)
    assert all(a is b for a, b in zip(list(kept), given, strict=True))
    assert packed(run) == packed(finish(bare, TinyData(), 2))


@pytest.mark.parametrize("keeper", [checkpointed_at, stop_when_diverged])
def test_the_records_of_another_run_are_refused(keeper):
    with pytest.raises(ValueError, match="run must be the one that the records come from"):
        list(keeper(train(tiny_run(), TinyData(), epochs=1), tiny_run()))


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), (True, TypeError)])
@pytest.mark.parametrize("keeper", [checkpointed_at, stop_when_diverged])
def test_every_must_be_a_number_of_steps(keeper, wrong, error):
    with pytest.raises(error, match="every must be"):
        keeper([], tiny_run(), every=wrong)


def test_what_cannot_be_saved_is_refused_before_the_first_step():
    with pytest.raises(TypeError, match="run must be a Run"):
        checkpointed([], tiny_model(), "run.pt")
    with pytest.raises(TypeError, match="path must be a path"):
        checkpointed([], tiny_run(), 3)


# --- stop_when_diverged --------------------------------------------------------------------------------------


def diverging(run, at, epochs=5, weight=torch.nan):
    """Records of a training whose weights become NaN after step ``at - 1``, so that the loss of step ``at`` is NaN."""

    def poisoned(records):
        for step in records:
            if step.step == at - 1:
                with torch.no_grad():
                    run.model.out.weight.fill_(weight)
            yield step

    return poisoned(train(run, TinyData(), epochs=epochs))


@pytest.mark.parametrize(("at", "back_at"), [(6, 4), (7, 4), (9, 8), (11, 8), (13, 12), (2, 0), (1, 0)])
def test_a_diverged_run_is_back_at_the_last_state_that_made_a_finite_loss(at, back_at):
    run = tiny_run(momentum=0.9)
    with pytest.raises(DivergedError) as caught:
        list(stop_when_diverged(diverging(run, at), run, every=4))
    assert (caught.value.step, caught.value.back_at) == (at, back_at)
    assert packed(run) == packed(advance(tiny_run(momentum=0.9), back_at))


def test_a_state_with_finite_weights_that_make_an_infinite_loss_is_not_good():
    run = tiny_run(momentum=0.9)
    with pytest.raises(DivergedError) as caught:
        list(stop_when_diverged(diverging(run, 8, weight=3e38), run, every=4))
    assert (caught.value.step, caught.value.back_at) == (8, 4)


def test_the_error_names_step_epoch_loss_and_a_way_on():
    run = tiny_run(lr=0.25)
    with pytest.raises(DivergedError) as caught:
        list(stop_when_diverged(diverging(run, 6), run, every=4))
    assert str(caught.value) == (
        "diverged in step 7, in epoch 2: its loss is nan. The run is back at its last good state, after 4 steps; "
        "go on with a smaller lr than 0.25"
    )
    assert caught.value.lr == 0.25
    assert caught.value.loss != caught.value.loss


def test_a_real_divergence_is_found_at_its_first_infinite_loss():
    whole, run = tiny_run(lr=1e30), tiny_run(lr=1e30)
    losses = finish(whole, TinyData(), 2).losses
    with pytest.raises(DivergedError) as caught:
        list(stop_when_diverged(train(run, TinyData(), epochs=2), run))
    assert caught.value.step == int((~losses.isfinite()).nonzero()[0])
    assert run.step == 0


def test_weights_that_diverge_in_the_very_last_step_are_found():
    run = tiny_run()
    with pytest.raises(DivergedError, match="in step 10, in epoch 2: a weight is no finite number after it"):
        list(stop_when_diverged(diverging(run, at=10, epochs=2), run))
    assert run.step == 0


def test_a_diverged_loop_that_is_left_is_taken_back_too():
    run = tiny_run()
    records = stop_when_diverged(diverging(run, at=6), run)
    for step in records:
        if step.step == 8:
            break
    with pytest.raises(DivergedError):
        records.close()
    assert run.step == 0


def test_with_a_smaller_lr_the_run_goes_on_to_its_end():
    run = tiny_run(lr=1e30)
    with pytest.raises(DivergedError):
        list(stop_when_diverged(train(run, TinyData(), epochs=2), run))
    run.optimizer.param_groups[0]["lr"] = 0.1
    list(stop_when_diverged(train(run, TinyData(), epochs=2), run))
    assert packed(run) == packed(finish(tiny_run(), TinyData(), 2))


def test_left_by_break_a_diverged_run_is_not_saved(path):
    run = tiny_run()
    kept = interruptible(checkpointed(stop_when_diverged(diverging(run, at=6), run), run, path))
    for step in kept:
        if step.step == 8:
            break
    with pytest.raises(DivergedError):
        kept.close()
    assert (run.step, load(tiny_run(), path).step) == (0, 5)


def test_between_two_looks_nothing_is_read(monkeypatch):
    run, looks = tiny_run(), []
    monkeypatch.setattr("course_utils.watch.keeping._diverged_at", lambda run, since: looks.append(run.step))
    list(stop_when_diverged(train(run, TinyData(), epochs=5), run, every=10))
    assert looks == [10, 20, 25]
