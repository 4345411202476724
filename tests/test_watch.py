"""Observers: they change no record, draw seldom but at last, and hold Ctrl-C between two steps."""

import base64
import io
import itertools
import os
import signal
import threading

import pytest
import torch
from PIL import Image

from course_utils.training import Run, Step, train
from course_utils.watch import interruptible, live_plot, progress
from course_utils.watch import views as watch
from tests.helpers.tiny_runs import TinyData, same_weights, tiny_run


def records(steps=20, batches=5, start=0):
    """Records as of a resumed run, with losses 2.0, 1.9, ..."""
    for k in range(start, steps):
        yield Step(
            step=k,
            epoch=k // batches,
            batch=k % batches,
            loss=torch.tensor(2.0 - k / 10),
            lr=0.1,
            images=64,
            batches=batches,
            epochs=-(-steps // batches),
        )


@pytest.fixture
def notebook(monkeypatch):
    """A notebook cell: what is shown in each area, in order."""
    shown = []
    monkeypatch.setattr(watch, "_in_notebook", lambda: True)
    monkeypatch.setattr(watch._Area, "show", lambda area, bundle, metadata=None: shown.append((area, bundle)))
    return shown


@pytest.mark.parametrize("observer", [progress, live_plot, interruptible])
def test_an_observer_yields_the_very_records_in_order(observer, notebook):
    given = list(records())
    assert all(a is b for a, b in zip(observer(given), given, strict=True))


@pytest.mark.parametrize("observer", [progress, live_plot, interruptible])
def test_an_observer_of_nothing_shows_nothing(observer, notebook, capsys):
    assert list(observer([])) == []
    assert notebook == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("observer", [progress, live_plot, interruptible])
def test_an_observer_does_no_step_that_was_not_asked_for(observer):
    asked = []
    source = (asked.append(step.step) or step for step in records())
    observed = observer(source)
    assert asked == []
    next(observed)
    assert asked == [0]
    observed.close()


@pytest.mark.parametrize("observer", [progress, live_plot, interruptible])
def test_an_observer_that_is_closed_closes_its_source(observer):
    closed = []

    def source():
        try:
            yield from records()
        finally:
            closed.append(True)

    observed = observer(source())
    next(observed)
    observed.close()
    del observed
    assert closed == [True]


@pytest.mark.parametrize("observer", [progress, live_plot, interruptible])
def test_an_error_in_the_training_comes_through(observer, notebook):
    def broken():
        yield next(records())
        raise ArithmeticError("loss is NaN")

    with pytest.raises(ArithmeticError, match="loss is NaN"):
        list(observer(broken()))


def test_observed_training_gives_the_weights_of_bare_training(notebook):
    bare, observed = tiny_run(momentum=0.9), tiny_run(momentum=0.9)
    list(train(bare, TinyData(), epochs=2))
    list(interruptible(live_plot(progress(train(observed, TinyData(), epochs=2)))))
    assert same_weights(bare, observed)


# --- progress ------------------------------------------------------------------------------------------------


def test_in_a_terminal_the_line_that_remains_says_what_was_done(capsys):
    list(progress(records(), label="SGD"))
    out, err = capsys.readouterr()
    assert out == "SGD: 4 epochs, 20 steps, mean loss of the last 5: 0.300\n"
    assert "images/s" in err


def test_a_loop_that_was_left_says_how_far_it_came(capsys):
    for step in progress(records()):
        if step.step == 6:
            break
    assert capsys.readouterr().out == "4 epochs, stopped after 7 of 20 steps, mean loss of the last 5: 1.600\n"


def test_in_a_notebook_the_bar_shows_epoch_loss_and_speed_and_ends_without_times(notebook):
    list(progress(records(), label="Adam"))
    first, last = notebook[0][1], notebook[-1][1]
    assert "epoch 1/4, loss 2.000" in first["text/html"]
    assert "images/s" in first["text/html"]
    assert last == {"text/plain": "Adam: 4 epochs, 20 steps, mean loss of the last 5: 0.300"}
    assert len({id(area) for area, _ in notebook}) == 1


def test_a_resumed_run_is_shown_from_where_it_goes_on(notebook):
    list(progress(records(start=15)))
    assert 'value="15"' in notebook[0][1]["text/html"]
    assert notebook[-1][1]["text/plain"] == "4 epochs, 20 steps, mean loss of the last 5: 0.300"


# --- live_plot -----------------------------------------------------------------------------------------------


def picture(bundle):
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).convert("RGB")


def test_the_last_state_is_drawn_even_when_the_loop_is_left(notebook):
    for step in live_plot(records()):
        if step.step == 6:
            break
    first, second = notebook[-1][1]["text/plain"].splitlines()[:2]
    assert first == "7 steps"
    assert second.startswith("Moving averages (beta 0.9), the values pale behind them: Loss while training.")


def test_the_picture_is_redrawn_in_one_place_and_is_not_blank(notebook):
    list(live_plot(records(), title="A title"))
    assert len({id(area) for area, _ in notebook}) == 1
    assert len(picture(notebook[-1][1]).getcolors(maxcolors=1 << 20)) > 10


@pytest.mark.parametrize("title", ["", "  ", "long " * 35 + "words!"])
def test_a_title_without_a_place_is_refused_before_the_first_step(title):
    observed = live_plot(records(), title=title)
    with pytest.raises(ValueError, match=r"title must be a text of 1 to 180 letters.* try "):
        next(observed)


def test_the_longest_title_is_drawn(notebook):
    list(live_plot(records(), title="long " * 35 + "words"))
    assert "image/png" in notebook[-1][1]


def test_the_last_picture_depends_on_the_records_alone(notebook):
    for observed in (live_plot(records()), live_plot(records())):
        list(observed)
    last = [
        bundle["image/png"] for (area, bundle), (following, _) in itertools.pairwise(notebook) if area is not following
    ]
    assert last == [notebook[-1][1]["image/png"]]


def test_drawing_takes_its_share_of_the_time_and_no_more(notebook, monkeypatch):
    """On a clock where a step takes 0.1 s and a sketch 0.2 s, 1 sketch in 400 steps is 0.5 %; then the picture."""
    clock = [0.0]
    monkeypatch.setattr(watch.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(watch._Curve, "_svg", lambda self, first: clock.__setitem__(0, clock[0] + 0.2) or "")
    for _ in live_plot(records(steps=1000)):
        clock[0] += 0.1
    assert len(notebook) == 3 + 1


def test_a_sketch_grows_and_a_picture_ends_it(notebook, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(watch.time, "perf_counter", lambda: next(clock))
    list(live_plot(records(steps=60)))
    pictures = ["image/png" in bundle for _, bundle in notebook]
    assert len(pictures) >= 2
    assert pictures == [False] * (len(pictures) - 1) + [True]


def test_a_loss_is_read_only_when_it_is_drawn(notebook, monkeypatch):
    clock, reads = [0.0], []
    monkeypatch.setattr(watch.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(
        watch.torch, "stack", lambda losses: reads.append(len(losses)) or torch.tensor([1.0] * len(losses))
    )
    list(live_plot(records(steps=50)))
    assert reads == [1, 49]


def test_outside_a_notebook_nothing_is_drawn(monkeypatch):
    for drawing in ("_svg", "_figure"):
        monkeypatch.setattr(watch._Curve, drawing, lambda self, first: pytest.fail("drawn"))
    assert len(list(live_plot(records()))) == 20


# --- interruptible -------------------------------------------------------------------------------------------


def pressing(source, at):
    """Records during the making of which, at step ``at``, Ctrl-C is pressed."""
    for step in source:
        if step.step == at:
            signal.raise_signal(signal.SIGINT)
        yield step


def test_ctrl_c_ends_the_loop_after_the_step_and_says_how_to_go_on(capsys):
    assert [step.step for step in interruptible(pressing(records(), at=6))] == list(range(7))
    assert capsys.readouterr().out == (
        "Stopped after step 7 of 20, in epoch 2 of 4. Nothing is lost: run this cell again to go on.\n"
    )


def test_ctrl_c_in_the_last_step_promises_nothing_more(capsys):
    assert len(list(interruptible(pressing(records(), at=19)))) == 20
    assert capsys.readouterr().out == "Stopped after step 20, the last one: the training is complete.\n"


def test_an_interrupted_run_that_goes_on_ends_with_the_weights_of_an_undisturbed_one():
    whole, stopped = tiny_run(momentum=0.9), tiny_run(momentum=0.9)
    list(train(whole, TinyData(), epochs=3))
    list(interruptible(pressing(train(stopped, TinyData(), epochs=3), at=7)))
    assert stopped.step == 8
    list(interruptible(train(stopped, TinyData(), epochs=3)))
    assert same_weights(whole, stopped)


def test_a_signal_inside_the_optimizer_does_not_cut_the_step_in_half():
    """Ctrl-C between backward and the update: the step is finished, then the loop ends."""
    run, whole = tiny_run(), tiny_run()
    run.optimizer.register_step_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGINT))
    list(interruptible(train(run, TinyData(), epochs=1)))
    list(zip(range(1), train(whole, TinyData(), epochs=1), strict=False))
    assert run.step == 1
    assert same_weights(run, whole)


def test_between_two_steps_ctrl_c_belongs_to_the_reader():
    before = signal.getsignal(signal.SIGINT)
    for _ in interruptible(records()):
        assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("leave", ["finish", "break", "error"])
def test_the_handler_is_the_old_one_afterwards(leave, capsys):
    before = signal.getsignal(signal.SIGINT)
    source = records() if leave != "error" else (1 / 0 for _ in records())
    try:
        for _ in interruptible(source):
            if leave == "break":
                break
    except ZeroDivisionError:
        assert leave == "error"
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().out == ""


def test_in_another_thread_records_pass_unchanged():
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(interruptible(records())))
    thread.start()
    thread.join()
    assert len(seen) == 20


def test_a_run_can_be_observed_on_any_device():
    run = Run(model := tiny_run().model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert len(list(progress(train(run, TinyData(), epochs=1)))) == 5
