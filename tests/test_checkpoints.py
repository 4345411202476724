"""Checkpoints: does a run that is loaded go on as if it had never been stopped, and is a file whole or not there?"""

import errno
import hashlib
import os
import re
import signal
import stat
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_utils import optim
from course_utils.catalog import schedulers
from course_utils.training import CheckpointError, Run, load, previous_path, restore, save, snapshot, train
from course_utils.training import checkpoints as files
from tests.helpers.kept_runs import advance, names, scheduled
from tests.helpers.tiny_runs import TinyData, finish, packed, same_weights, tiny_model, tiny_run

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
