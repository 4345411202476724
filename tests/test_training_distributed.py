"""Several processes: the same losses and weights as one, each other's checkpoints, and no rank that waits for ever.

The parallel part needs real processes. Starting them takes far longer than what they do, so there are two launches: the
command itself, and the program below, which does one thing after the other and writes down what came out.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_utils.data import Loader, load_images
from course_utils.model import build_model
from course_utils.training import Run, Shard, in_parallel, load, previous_path, this_worker, train
from course_utils.training.__main__ import main
from tests.helpers.tiny_runs import TinyData, finish, tiny_run

ROOT = Path(__file__).parent.parent
TIME_LIMIT_S = 120
# Three batches of 49, which no two processes share evenly, and one of a single image, which leaves one with nothing.
IMAGES, BATCH, EPOCHS = 148, 49, 2
OPTIONS = {"source": "photos", "images": IMAGES, "batch-size": BATCH, "epochs": EPOCHS, "lr": 0.01, "momentum": 0.9}


def words(**changes):
    """The command line: ``OPTIONS`` with ``changes``."""
    options = {**OPTIONS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def torchrun(*command):
    """Start two processes and wait for them, but not for ever."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with subprocess.Popen(
        [*start, *map(str, command)], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            stdout, stderr = process.communicate(timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends the two, which a kill would leave behind
            raise
    return SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)


def photos():
    return load_images("photos", limit=IMAGES, announce=False)


def fresh_run():
    """The run of the command line, as a notebook writes it."""
    model = build_model(0)
    return Run(model, SGD(model.parameters(), lr=OPTIONS["lr"], momentum=OPTIONS["momentum"]))


def followed_run(loss_fn=cross_entropy):
    """A run whose lr depends on every loss, as much as can be."""
    model = build_model(0)
    optimizer = Adam(model.parameters(), lr=0.003)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.7, patience=0, threshold=0.0)
    return Run(model, optimizer, scheduler, cadence="step", loss_fn=loss_fn)


def lrs_of(run, data, epochs=EPOCHS):
    return [step.lr for step in train(run, data, epochs=epochs)]


def assert_same_run(run, expected):
    """Equal up to rounding: 2e-7 in losses of 2.3 and 2e-8 in weights were measured.

    There is room for more, because a rounding may give the maximum of a pooling to another pixel.
    """
    torch.testing.assert_close(run.losses, expected.losses, rtol=1e-5, atol=0)
    torch.testing.assert_close(run.model.state_dict(), expected.model.state_dict(), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def alone():
    """What one process comes to, by ``train`` and nothing else."""
    return finish(fresh_run(), Loader(photos(), batch_size=BATCH), EPOCHS)


# --- the two launches ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command in two processes: what it printed, and its checkpoint."""
    path = tmp_path_factory.mktemp("command") / "run.pt"
    return SimpleNamespace(done=torchrun("-m", "course_utils.training", *words(checkpoint=path)), path=path)


def program(folder):
    """What each of the two processes of the second launch does; the last thing is to fail in one of them."""
    worker, split = this_worker(), photos()
    main(words(checkpoint=folder / "run.pt"))

    def breaks(scores, labels):
        if worker.rank == 1 and broken.step == 1:
            raise ArithmeticError("rank 1 is out of luck")
        return cross_entropy(scores, labels)

    run, broken = followed_run(), followed_run(breaks)
    model, loss_fn = run.model, run.loss_fn
    if worker.rank == 1:  # it comes with a state of its own
        finish(run, Loader(split, batch_size=BATCH), 1)
    with in_parallel(run, Loader(split, batch_size=BATCH)) as part:
        found = {"begins at": run.step, "lrs": lrs_of(run, part)}
    found |= {"losses": run.losses, "weights": model.state_dict()}
    found["as before"] = run.model is model and run.loss_fn is loss_fn
    with pytest.raises(ValueError) as refusal, in_parallel(broken, Loader(split, seed=worker.rank)):
        pass
    torch.save({**found, "refusal": str(refusal.value)}, folder / f"{worker.rank}.pt")
    with in_parallel(broken, Loader(split, batch_size=BATCH)) as part:
        finish(broken, part, EPOCHS)


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    """The program above, which goes on from the first epoch of one process: its output and what each process wrote."""
    folder = tmp_path_factory.mktemp("program")
    main(words(checkpoint=folder / "run.pt", epochs=1))
    done = torchrun("-m", "tests.test_training_distributed", folder)
    files = sorted(folder.glob("[01].pt"))
    assert len(files) == 2, done.stderr
    return SimpleNamespace(done=done, path=folder / "run.pt", found=[torch.load(file) for file in files])


def test_two_processes_make_the_losses_and_weights_of_one(command, alone):
    assert_same_run(load(fresh_run(), command.path), alone)


def test_only_one_process_prints_and_none_of_them_warns(command):
    assert command.done.stderr == ""
    assert [line.split(":")[0] for line in command.done.stdout.splitlines()] == [
        "photos", "Loader(photos, train split", "epoch 1", "epoch 2",
    ]  # fmt: skip


def test_the_line_of_an_epoch_holds_the_running_loss_of_the_whole_batches(command, alone):
    printed = [line.partition(" | ")[0] for line in command.done.stdout.splitlines()[-EPOCHS:]]
    running = [float(line.partition("running loss ")[2]) for line in printed]
    assert running == pytest.approx(alone.losses.view(EPOCHS, -1).sum(dim=1).tolist(), abs=0.001)


def test_one_process_goes_on_where_two_were_stopped(command, alone, tmp_path):
    path = tmp_path / "run.pt"
    shutil.copy(previous_path(command.path), path)
    assert load(fresh_run(), path).step == len(alone.losses) // 2
    main(words(checkpoint=path))
    assert_same_run(load(fresh_run(), path), alone)


def test_two_processes_go_on_where_one_was_stopped(launch, alone):
    assert load(fresh_run(), previous_path(launch.path)).step == len(alone.losses) // 2
    assert_same_run(load(fresh_run(), launch.path), alone)


@pytest.mark.parametrize("part", ["lrs", "losses", "weights"])
def test_both_processes_hold_the_same_bits(launch, part):
    first, second = (found[part] for found in launch.found)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_a_scheduler_that_follows_the_loss_takes_the_steps_it_takes_alone(launch):
    expected = lrs_of(followed_run(), Loader(photos(), batch_size=BATCH))
    assert len(set(expected)) > 2
    assert launch.found[0]["lrs"] == pytest.approx(expected, rel=1e-12)


def test_all_processes_begin_in_the_state_of_the_first(launch):
    assert [found["begins at"] for found in launch.found] == [0, 0]


def test_after_the_block_the_run_has_its_own_network_and_loss_again(launch):
    assert all(found["as before"] for found in launch.found)


def test_processes_with_different_images_refuse_to_mix_them_in_words(launch):
    for found in launch.found:
        assert "process 1 has others than process 0; try the same seed" in found["refusal"]


def test_an_error_in_one_process_ends_the_other_and_can_be_read(launch):
    assert launch.done.returncode != 0
    assert "ArithmeticError: rank 1 is out of luck" in launch.done.stderr


# --- one process ---------------------------------------------------------------------------------------------


def test_the_command_alone_ends_with_the_bits_of_train(tmp_path, alone):
    main(words(checkpoint=tmp_path / "run.pt"))
    run = load(fresh_run(), tmp_path / "run.pt")
    assert torch.equal(run.losses, alone.losses)
    torch.testing.assert_close(run.model.state_dict(), alone.model.state_dict(), rtol=0, atol=0)


def test_alone_in_parallel_changes_nothing_and_gives_the_data_itself():
    run, data = tiny_run(), TinyData()
    model = run.model
    with in_parallel(run, data) as part:
        assert part is data
        assert run.model is model
        assert run.loss_fn is cross_entropy


@pytest.mark.parametrize(
    ("run", "data", "text"),
    [
        (tiny_run().model, TinyData(), "run must be a Run, got Sequential"),
        (tiny_run(), [], "data must give the batches of a chosen epoch, got list"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(run, data, text):
    with pytest.raises(TypeError, match=text), in_parallel(run, data):
        pass


def test_a_finished_checkpoint_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "run.pt"
    main(words(checkpoint=path, epochs=1))
    before = path.read_bytes(), path.stat().st_mtime_ns
    capsys.readouterr()
    main(words(checkpoint=path, epochs=1))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert capsys.readouterr().out.splitlines()[-1].endswith("step 4 of 4")


def test_a_run_that_diverges_ends_in_words_and_is_not_saved(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(SystemExit, match="diverged in epoch 1, which was not saved; try a smaller --lr"):
        main(words(checkpoint=path, lr=1e30))
    assert fresh_run().losses.equal(load(fresh_run(), path).losses)


# --- what cannot work is refused before any process waits for another -----------------------------------------


@pytest.fixture
def first_of_two(monkeypatch):
    """The environment of the first of two processes, in which nobody may wait for the second."""
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)

    def waits(*_, **__):
        raise AssertionError("this would wait for the other process")

    monkeypatch.setattr(dist, "init_process_group", waits)


def test_with_options_that_are_right_it_does_wait_for_the_others(first_of_two):
    with pytest.raises(AssertionError, match="wait for the other process"):
        main(words())


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("lr", "nan", "lr must be a finite number above 0, got nan; try 0.01"),
        ("lr", "0", "lr must be a finite number above 0, got 0.0; try 0.01"),
        ("lr", "inf", "lr must be a finite number above 0, got inf"),
        ("momentum", "1", "momentum must be a number of 0 or more and below 1, got 1.0; try 0.9"),
        ("momentum", "-0.1", "momentum must be a number of 0 or more and below 1, got -0.1"),
        ("epochs", "-1", "epochs must be a whole number of 0 or more, got -1"),
        ("epochs", "many", "argument --epochs: invalid int value: 'many'"),
        ("batch-size", "0", "batch_size must be a whole number of 1 or more, got 0"),
        ("images", "10001", "limit must be at most 10,000"),
        ("source", "imagenet", "argument --source: invalid choice: 'imagenet'"),
        ("device", "abacus", 'device must be "auto" or one of'),
        ("checkpoint", "tests", "tests"),
        ("checkpoint", "README.md", "README.md is no checkpoint of this course"),
    ],
)
def test_an_option_that_cannot_work_is_refused_in_words(option, value, text, first_of_two, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        main(words(**{option: value}))
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def test_a_checkpoint_of_other_batches_is_refused_in_words(tmp_path, first_of_two, capsys, monkeypatch):
    path = tmp_path / "run.pt"
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "1")
        main(words(checkpoint=path, epochs=1))
    with pytest.raises(SystemExit):
        main(words(checkpoint=path, batch_size=10))
    assert "this run was started with 4 batches per epoch, data has 15" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_is_noticed_before_the_training(tmp_path, first_of_two, capsys):
    (tmp_path / "file").write_text("here", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(words(checkpoint=tmp_path / "file" / "run.pt"))
    assert "was not written" in capsys.readouterr().err


def test_a_network_on_a_device_that_cannot_be_shared_is_refused_in_words(first_of_two):
    model = build_model(0, device="meta")
    run = Run(model, SGD(model.parameters(), lr=0.1))
    with (
        pytest.raises(ValueError, match='several processes train on cpu or cuda, got meta; try device="cpu"'),
        in_parallel(run, TinyData()),
    ):
        pass


# --- the part of each process --------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(
    points=st.integers(1, 40), batch_size=st.integers(1, 12), world_size=st.integers(1, 6), epoch=st.integers(0, 3),
    start=st.integers(0, 4),
)  # fmt: skip
def test_the_parts_of_all_processes_are_every_batch_in_order(points, batch_size, world_size, epoch, start):
    data = TinyData(points, batch_size)
    shards = [Shard(data, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert {len(shard) for shard in shards} == {len(data)}
    parts = list(zip(*(shard.batches(epoch, start) for shard in shards), strict=True))
    whole = list(data.batches(epoch, start))
    assert len(parts) == len(whole)
    for (images, labels), part in zip(whole, parts, strict=True):
        assert torch.equal(torch.cat([ours for ours, _ in part]), images)
        assert torch.equal(torch.cat([ours for _, ours in part]), labels)
        sizes = [len(ours) for ours, _ in part]
        assert max(sizes) - min(sizes) <= 1


def test_an_empty_part_keeps_the_shape_of_images():
    shard = Shard(Loader(photos(), batch_size=BATCH), rank=1, world_size=2)
    images, labels = list(shard.batches(0))[-1]
    assert (images.shape, labels.shape) == ((0, 3, 32, 32), (0,))


def test_a_shard_names_its_data_and_its_part():
    shard = Shard(Loader(photos(), batch_size=BATCH), rank=1, world_size=2)
    assert repr(shard) == "Shard(Loader(photos, train split: 4 batches of 49), part 2 of 2)"


@pytest.mark.parametrize(
    ("numbers", "error", "text"),
    [
        ({"rank": 0, "world_size": 0}, ValueError, "world_size must be a whole number of 1 or more, got 0; try 2"),
        ({"rank": 2, "world_size": 2}, ValueError, "rank must be a whole number from 0 to 1, got 2; try 0"),
        ({"rank": -1, "world_size": 2}, ValueError, "rank must be a whole number from 0 to 1, got -1"),
        ({"rank": True, "world_size": 2}, TypeError, "rank must be a whole number from 0 to 1, got True; try 0"),
        ({"rank": 0, "world_size": 2.0}, TypeError, "world_size must be a whole number of 1 or more, got 2.0; try 2"),
    ],
)
def test_a_part_that_does_not_exist_is_refused_in_words(numbers, error, text):
    with pytest.raises(error, match=text):
        Shard(TinyData(), **numbers)


def test_a_shard_of_a_list_of_batches_is_refused_in_words():
    with pytest.raises(
        TypeError, match=r"data must give the batches of a chosen epoch, got list; try course_utils\.data\.Loader"
    ):
        Shard([], rank=0, world_size=2)


# --- which process, which device -----------------------------------------------------------------------------

if __name__ == "__main__":
    program(Path(sys.argv[1]))
