"""Checkpoints: whole or not there, equal for equal runs, refused in words when anything is wrong with them."""

import errno
import hashlib
import io
import itertools
import os
import pickle
import re
import signal
import stat
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from course_utils import optim
from course_utils.catalog import schedulers
from course_utils.training import CheckpointError, Run, load, previous_path, restore, save, snapshot, train
from course_utils.training import checkpoints as files
from course_utils.watch import DivergedError, checkpointed, interruptible, progress, stop_when_diverged
from tests.helpers.tiny_runs import CLASSES, FEATURES, TinyData, finish, packed, same_weights, tiny_model, tiny_run


def advance(run, steps, epochs=5):
    for _ in zip(range(steps), train(run, TinyData(), epochs=epochs), strict=False):
        pass
    return run


def scheduled(make, cadence="step", seed=0):
    run = tiny_run(momentum=0.9, seed=seed)
    return Run(run.model, run.optimizer, make(run.optimizer), cadence=cadence, seed=seed)


def forged(state):
    """A file whose checksum is right, whatever it holds."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return sealed(buffer.getvalue())


def sealed(content):
    first = f"course_utils checkpoint 1 {len(content)} {hashlib.sha256(content).hexdigest()}\n"
    return first.encode() + content


def refused(run, path, match):
    """Assert that ``load`` refuses ``path`` in these words and leaves ``run`` as it was; the error."""
    before = packed(run)
    with pytest.raises(CheckpointError, match=match) as caught:
        load(run, path)
    assert packed(run) == before
    return caught.value


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.pt"


@pytest.fixture
def two(path):
    """A path with a checkpoint of step 7 and, before it, of step 4."""
    run = advance(tiny_run(momentum=0.9), 4)
    save(run, path)
    save(advance(run, 3), path)
    return path


def names(folder):
    return sorted(file.name for file in folder.iterdir())


# --- what comes back -----------------------------------------------------------------------------------------


OPTIMIZERS = [
    (torch.optim.SGD, {}), (torch.optim.SGD, {"momentum": 0.9}), (torch.optim.Adam, {"amsgrad": True}),
    (torch.optim.AdamW, {}), (torch.optim.NAdam, {}), (torch.optim.RAdam, {}), (torch.optim.Adamax, {}),
    (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}), (torch.optim.Adagrad, {}), (torch.optim.Adadelta, {}),
    (torch.optim.Rprop, {}), (torch.optim.ASGD, {}), (torch.optim.Adafactor, {}),
    (optim.SGD, {"momentum": 0.9}), (optim.RMSprop, {"centered": True, "momentum": 0.5}), (optim.Adagrad, {}),
    (optim.Adam, {"amsgrad": True}), (optim.AdamW, {}),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS)
def test_a_loaded_run_ends_with_the_weights_of_an_undisturbed_one(path, optimizer, options):
    whole = finish(tiny_run(optimizer, **options), TinyData(), 3)
    save(advance(tiny_run(optimizer, **options), 7), path)
    loaded = finish(load(tiny_run(optimizer, **options), path), TinyData(), 3)
    assert same_weights(whole, loaded)
    assert torch.equal(whole.losses, loaded.losses)


@pytest.mark.parametrize("entry", tuple(schedulers()), ids=lambda entry: entry.name)
@pytest.mark.parametrize("cadence", ["step", "epoch"])
def test_a_loaded_scheduler_goes_on_where_it_was(path, entry, cadence):
    whole, part, loaded = (scheduled(entry.sample, cadence) for _ in range(3))
    expected = [step.lr for step in train(whole, TinyData(), epochs=4)][12:]
    save(advance(part, 12), path)
    assert [step.lr for step in train(load(loaded, path), TinyData(), epochs=4)] == expected
    assert packed(whole) == packed(loaded)


def test_loading_returns_the_very_run_with_its_step_losses_and_batches(two):
    run = tiny_run(momentum=0.9)
    assert load(run, two) is run
    assert (run.step, len(run.losses), run.batches_per_epoch) == (7, 7, 5)


def test_a_run_can_be_saved_before_its_first_step(path):
    save(tiny_run(), path)
    assert load(advance(tiny_run(), 3), path).step == 0


def test_equal_runs_give_equal_bytes_even_if_one_was_interrupted(tmp_path):
    whole, part = (tmp_path / name for name in ("whole.pt", "part.pt"))
    save(finish(tiny_run(torch.optim.Adam), TinyData(), 2), whole)
    save(advance(tiny_run(torch.optim.Adam), 3), part)
    save(finish(load(tiny_run(torch.optim.Adam), part), TinyData(), 2), part)
    assert whole.read_bytes() == part.read_bytes()


def test_two_runs_in_one_state_share_nothing_with_it_or_each_other():
    state = snapshot(advance(tiny_run(torch.optim.Adam), 4))
    before = files._packed(state)
    one, other = (restore(tiny_run(torch.optim.Adam), state) for _ in range(2))
    advance(one, 3)
    assert files._packed(state) == before == packed(other)


def test_a_loaded_tensor_keeps_its_place_in_memory(path):
    run = tiny_run()
    places = [p.data_ptr() for p in run.model.parameters()]
    save(advance(tiny_run(), 3), path)
    load(run, path)
    assert [p.data_ptr() for p in run.model.parameters()] == places


def test_a_model_in_channels_last_memory_stays_in_it(path):
    def build():
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()).to(memory_format=torch.channels_last)
        return Run(model, torch.optim.SGD(model.parameters(), lr=0.1))

    save(build(), path)
    assert load(build(), path).model[0].weight.is_contiguous(memory_format=torch.channels_last)


# --- damaged, foreign and hostile files ----------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file_is_refused_and_the_one_before_it_is_offered(two, data):
    whole = two.read_bytes()
    try:
        two.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        error = refused(tiny_run(momentum=0.9), two, "cut short|is no checkpoint")
    finally:
        two.write_bytes(whole)
    assert load(tiny_run(momentum=0.9), error.previous).step == 4


@settings(
    deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_single_wrong_bit_is_refused_and_the_one_before_it_is_offered(two, data):
    whole = two.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 110))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        two.write_bytes(damaged)
        error = refused(tiny_run(momentum=0.9), two, "damaged|cut short|has format|is no checkpoint")
    finally:
        two.write_bytes(whole)
    assert f'of step 4, is whole: try load(run, "{previous_path(two)}")' in str(error)


def test_a_damaged_file_without_a_good_one_before_it_says_so(two):
    for file in (two, previous_path(two)):
        file.write_bytes(file.read_bytes()[:-1])
    error = refused(tiny_run(momentum=0.9), two, "There is no whole one before it")
    assert error.previous is None


def test_a_missing_file_is_named(path):
    refused(tiny_run(), path, f"there is no checkpoint {re.escape(str(path))}")


def test_a_missing_file_offers_the_one_before_it(two):
    two.unlink()
    assert refused(tiny_run(momentum=0.9), two, "there is no checkpoint").previous == previous_path(two)


def test_a_folder_is_no_checkpoint(tmp_path):
    refused(tiny_run(), tmp_path, "there is no checkpoint")


def test_a_file_that_may_not_be_read_is_named(two, monkeypatch):
    def forbidden(file):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    refused(tiny_run(momentum=0.9), two, "run.pt cannot be read: Permission denied")


def test_another_version_of_the_format_is_named(two):
    two.write_bytes(two.read_bytes().replace(b"checkpoint 1 ", b"checkpoint 2 ", 1))
    refused(tiny_run(momentum=0.9), two, "has format 2, and this course_utils reads format 1")


def test_a_file_that_torch_saved_by_itself_is_no_checkpoint(path):
    torch.save(tiny_model().state_dict(), path)
    refused(tiny_run(), path, "is no checkpoint of this course")


def test_a_foreign_model_is_refused_with_the_names_and_shapes_that_differ(two):
    model = tiny_model()
    model.out = nn.Linear(8, 7)
    run = Run(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    words = r"out\.weight \(3, 8\) float32 \(here \(7, 8\) float32\), out\.bias \(3,\) float32 \(here \(7,\) float32\)"
    refused(run, two, words)


def test_a_model_with_other_layers_is_refused_with_a_count_of_the_rest(two):
    model = nn.Sequential(nn.Linear(FEATURES, CLASSES))
    run = Run(model, torch.optim.SGD(model.parameters(), lr=0.1))
    refused(run, two, r"0\.weight missing \(here \(3, 6\) float32\).* and 8 more")


def test_a_model_of_another_dtype_is_refused(two):
    model = tiny_model().double()
    refused(Run(model, torch.optim.SGD(model.parameters(), lr=0.1)), two, r"\(8, 6\) float32 \(here \(8, 6\) float64")


def in_groups():
    model = tiny_model()
    groups = [{"params": list(layer.parameters())} for layer in (model.hidden, model.norm, model.out)]
    return Run(model, torch.optim.SGD(groups, lr=0.1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: tiny_run(torch.optim.Adam), "its optimizer is SGD, that of this run is Adam"),
        (lambda: tiny_run(seed=3), "its seed is 0, that of this run is 3"),
        (in_groups, r"groups of \[6\] tensors, that of this run of \[2, 2, 2\]"),
        (lambda: scheduled(lambda o: StepLR(o, 5)), "its scheduler is NoneType, that of this run is StepLR"),
    ],
)
def test_a_run_that_was_built_otherwise_is_refused(two, build, words):
    refused(build(), two, words)


def test_a_scheduler_at_another_cadence_is_refused(path):
    save(scheduled(lambda o: StepLR(o, 5), "epoch"), path)
    refused(scheduled(lambda o: StepLR(o, 5), "step"), path, "its cadence is epoch, that of this run is step")


def test_a_scheduler_with_other_fields_is_refused(path):
    state = snapshot(scheduled(lambda o: ExponentialLR(o, 0.5)))
    state["scheduler"]["step"] = "not a method"
    path.write_bytes(forged(state))
    refused(scheduled(lambda o: ExponentialLR(o, 0.5)), path, "its scheduler has other fields")


class Bomb:
    """What unpickling would run is a command that leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("disguise", ["bare pickle", "torch.save", "sealed pickle", "sealed torch.save", "in a state"])
def test_a_file_with_code_in_it_is_refused_and_the_code_never_runs(path, tmp_path, disguise):
    bomb, run = Bomb(tmp_path / "mark"), tiny_run()
    saved = io.BytesIO()
    torch.save(bomb, saved)
    contents = {
        "bare pickle": pickle.dumps(bomb),
        "torch.save": saved.getvalue(),
        "sealed pickle": sealed(pickle.dumps(bomb)),
        "sealed torch.save": sealed(saved.getvalue()),
        "in a state": forged({**snapshot(run), "losses": bomb}),
    }
    path.write_bytes(contents[disguise])
    refused(run, path, "it was not opened|is no checkpoint")
    assert names(tmp_path) == ["run.pt"]


def test_the_refusal_of_code_does_not_repeat_the_advice_to_run_it(path, tmp_path):
    path.write_bytes(forged(Bomb(tmp_path / "mark")))
    error = refused(tiny_run(), path, "holds more than tensors")
    assert error.__cause__.__cause__ is None
    assert error.__cause__.__suppress_context__


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1}, {"step": 3}, {"step": "3"}, {"batches_per_epoch": 0}, {"losses": [1.0]}, {"rng": []},
        {"losses": torch.zeros(7, dtype=torch.int64)}, {"rng": [torch.zeros(3)]}, {"model": {}}, {"model": None},
        {"optimizer": {}}, {"optimizer": {"state": {}, "param_groups": 3}}, {"more": 1}, {"cadence": "epoch"},
        {"optimizer": {"state": 5, "param_groups": [{"params": list(range(6))}]}}, {"scheduler": {"step": 1}},
    ],
    ids=repr,
)  # fmt: skip
def test_a_forged_file_with_a_right_checksum_is_refused_and_changes_nothing(path, change):
    path.write_bytes(forged({**snapshot(advance(tiny_run(momentum=0.9), 7)), **change}))
    refused(advance(tiny_run(momentum=0.9), 2), path, "built otherwise|does not go into this run")


@pytest.mark.parametrize("content", [None, 3, [], {}, torch.zeros(2)], ids=repr)
def test_a_sealed_file_that_holds_no_run_is_refused(path, content):
    path.write_bytes(forged(content))
    refused(tiny_run(), path, "does not hold the parts of a run")


def test_a_file_that_unpacks_to_more_than_itself_is_refused_before_it_does(path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 24))
    path.write_bytes(sealed(buffer.getvalue()))
    refused(tiny_run(), path, "it was not opened")


def test_a_tensor_that_repeats_one_number_a_thousand_billion_times_is_refused(path):
    path.write_bytes(forged({**snapshot(tiny_run()), "step": 10**12, "losses": torch.zeros(1).expand(10**12)}))
    refused(tiny_run(), path, "it was not opened")


def test_a_load_that_fails_half_way_takes_everything_back(path, monkeypatch):
    save(advance(scheduled(lambda o: StepLR(o, 5)), 7), path)
    run = advance(scheduled(lambda o: StepLR(o, 5)), 2)
    whole, calls = StepLR.load_state_dict, itertools.count()
    monkeypatch.setattr(StepLR, "load_state_dict", lambda *given: whole(*given) if next(calls) else 1 / 0)
    refused(run, path, "does not go into this run: ZeroDivisionError")


# --- writing -------------------------------------------------------------------------------------------------


def test_the_one_before_is_kept(two):
    assert load(tiny_run(momentum=0.9), previous_path(two)).step == 4
    assert names(two.parent) == ["run.pt", "run.pt.previous"]


def test_saving_the_same_state_twice_keeps_the_older_one_before_it(two):
    save(load(tiny_run(momentum=0.9), two), two)
    assert load(tiny_run(momentum=0.9), previous_path(two)).step == 4


def test_a_damaged_file_does_not_push_out_the_good_one_before_it(two):
    two.write_bytes(two.read_bytes()[:-1])
    save(advance(tiny_run(momentum=0.9), 9), two)
    assert load(tiny_run(momentum=0.9), previous_path(two)).step == 4
    assert load(tiny_run(momentum=0.9), two).step == 9


def test_without_hard_links_the_one_before_is_copied(two, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    save(advance(tiny_run(momentum=0.9), 9), two)
    assert load(tiny_run(momentum=0.9), previous_path(two)).step == 7


def test_folders_are_made_as_needed(tmp_path):
    save(tiny_run(), tmp_path / "a" / "b" / "run.pt")
    assert names(tmp_path / "a" / "b") == ["run.pt"]


@pytest.mark.parametrize("content", [b"my thesis", b"\x80\x04", b"PK\x03\x04"])
def test_a_file_that_is_no_checkpoint_is_not_overwritten(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is there and is no checkpoint"):
        save(tiny_run(), path)
    assert path.read_bytes() == content


def test_an_empty_file_as_a_crashed_disk_leaves_it_is_overwritten(path):
    path.touch()
    save(tiny_run(), path)
    assert load(tiny_run(), path).step == 0


def test_a_checkpoint_cannot_be_saved_over_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder or a device"):
        save(tiny_run(), tmp_path)


def test_what_a_killed_process_left_is_swept_up_and_what_another_is_writing_is_not(two):
    old, young = (two.parent / f".run.pt.{name}.tmp" for name in ("old", "young"))
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    save(advance(tiny_run(momentum=0.9), 9), two)
    assert names(two.parent) == [young.name, "run.pt", "run.pt.previous"]


def test_a_checkpoint_has_the_rights_of_any_new_file(path):
    save(tiny_run(), path)
    other = path.with_name("other")
    other.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def failing_save(path, match):
    """Assert that saving more fails in these words, and that the checkpoints of ``two`` are as they were."""
    before = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()}
    run = advance(tiny_run(momentum=0.9), 9)
    with pytest.raises(CheckpointError, match=match):
        save(run, path)
    assert {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()} == before
    assert run.step == 9


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk or your share of it is full"),
        (errno.EDQUOT, "the disk or your share of it is full"),
        (errno.EROFS, "may not be written to; try another folder"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_disk_that_fails_says_why_and_leaves_the_old_checkpoints(two, monkeypatch, call, code, words):
    opened = Path.open

    def failing(file, mode="xb", **options):
        if mode != "xb":
            return opened(file, mode, **options)
        raise OSError(code, os.strerror(code))

    owner = Path if call == "open" else os
    monkeypatch.setattr(owner, call, failing)
    failing_save(two, f"run.pt was not written: .*{words}.*What was there is intact")


def test_on_windows_a_file_that_a_scanner_holds_is_moved_a_moment_later(tmp_path, monkeypatch):
    (tmp_path / "new").write_bytes(b"new")
    replace, refused = Path.replace, []

    def held(file, target):
        if len(refused) < 3:
            refused.append(target)
            raise PermissionError(13, "Access is denied")
        return replace(file, target)

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(files, "WAITS_S", (0.01, 0.01, 0.01))
    files._move(tmp_path / "new", tmp_path / "run.pt")
    monkeypatch.undo()
    assert (tmp_path / "run.pt").read_bytes() == b"new"
    assert len(refused) == 3


def test_a_real_limit_of_the_system_in_the_middle_of_a_write_leaves_the_old_checkpoints(two):
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, limits[1]))
        failing_save(two, "the disk or your share of it is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)


@pytest.fixture
def nobody():
    """This process without the rights of root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_is_only_for_reading_is_named_and_can_still_be_read_from(nobody):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "run.pt"
        save(tiny_run(momentum=0.9), path)
        folder.chmod(0o555)
        try:
            failing_save(path, f"{re.escape(name)} may not be written to; try another folder")
            assert load(tiny_run(momentum=0.9), path).step == 0
        finally:
            folder.chmod(0o755)


def test_what_cannot_be_read_back_is_not_written(two):
    run = advance(tiny_run(momentum=0.9), 9)
    run.optimizer.param_groups[0]["note"] = Path("a path is no number")
    before = two.read_bytes()
    with pytest.raises(CheckpointError, match="holds more than tensors, numbers and words"):
        save(run, two)
    assert two.read_bytes() == before


@pytest.mark.parametrize("wrong", [None, 3, b"run.pt", ["run.pt"]])
@pytest.mark.parametrize("door", [save, load])
def test_a_path_must_be_one(door, wrong):
    with pytest.raises(TypeError, match="path must be a path"):
        door(tiny_run(), wrong)


@pytest.mark.parametrize("wrong", ["", ".", "/", "..", "a\0b"])
@pytest.mark.parametrize("door", [save, load])
def test_a_path_must_name_a_file(door, wrong):
    with pytest.raises(ValueError, match="path must name a file"):
        door(tiny_run(), wrong)


@pytest.mark.parametrize("door", [save, load])
def test_only_a_run_can_be_kept(door, path):
    with pytest.raises(TypeError, match="run must be a Run, got Sequential"):
        door(tiny_model(), path)


def test_an_optimizer_without_a_state_dict_is_refused(path):
    model = tiny_model()
    bare = SimpleNamespace(param_groups=[{"params": list(model.parameters())}])
    with pytest.raises(TypeError, match=r"got SimpleNamespace without; try torch\.optim\.SGD"):
        save(Run(model, bare), path)


def test_a_state_of_another_run_is_refused():
    with pytest.raises(ValueError, match="state must be of an equally built run: its optimizer is Adam"):
        restore(tiny_run(), snapshot(tiny_run(torch.optim.Adam)))


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
