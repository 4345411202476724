"""What is no checkpoint of this run? Damaged, foreign and hostile files are refused in words, and change nothing."""

import errno
import hashlib
import io
import itertools
import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from course_utils.training import CheckpointError, Run, load, previous_path, save, snapshot
from tests.helpers.kept_runs import advance, names, scheduled
from tests.helpers.tiny_runs import CLASSES, FEATURES, packed, tiny_model, tiny_run


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
