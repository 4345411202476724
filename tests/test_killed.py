"""Proof by force: a training that is killed or interrupted at random instants ends as if nothing had happened.

The processes to kill are forked from one that has torch in memory already, and is itself a fresh one with a single
thread that has trained nothing, because a fork takes no other thread with it.
What came of it is printed: `pytest -s tests/test_killed.py`.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from course_utils.training import checkpoints as files
from course_utils.training import load, previous_path, restore, save, snapshot, train
from course_utils.watch import checkpointed, interruptible
from tests.helpers.tiny_runs import TinyData, packed, tiny_run

KILLS, INTERRUPTS = 60, 200
EPOCHS = 20  # of 5 steps
ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows kills in other ways")


def new_run():
    return tiny_run(torch.optim.Adam, lr=0.01)


def go_on(path, epochs=EPOCHS):
    """What the reader of a notebook does after every mishap: build, load, train."""
    run = new_run()
    if path.exists():
        load(run, path)
    for _ in interruptible(checkpointed(train(run, TinyData(), epochs=epochs), run, path, every=1)):
        pass


# --- in the process that is forked ---------------------------------------------------------------------------


def forked(work):
    """The process number of a child that does ``work`` and then ends, with 0 if all went well."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(child):
    """Wait for a child; the signal that killed it, or 0."""
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        raise RuntimeError("a child failed; its error is above")
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def kill_at_random(folder, kills):
    """Train again and again to the end, killing until there are enough kills; what happened, and what came out."""
    chance = random.Random(0)
    killed = while_writing = runs = 0
    ends = set()
    while killed < kills:
        path, runs = folder / f"{runs}.pt", runs + 1
        while True:
            child = forked(lambda path=path: go_on(path))
            if killed < kills:
                time.sleep(chance.uniform(0, 0.12))
                os.kill(child, signal.SIGKILL)
            if not ended(child):
                break
            killed += 1
            while_writing += bool(strays(folder, sweep=True))
        ends.add(hashlib.sha256(path.read_bytes()).hexdigest())
    return {"killed": killed, "while_writing": while_writing, "runs": runs, "ends": sorted(ends)}


def strays(folder, *, sweep=False):
    """The half-written files that a killed process left."""
    left = list(folder.glob(".*.tmp"))
    for file in left if sweep else []:
        file.unlink()
    return left


class KilledAtCall:
    """Kills the process at the ``number``-th call that ``save`` makes to the system, before or after it is done."""

    def __init__(self, number):
        self.left = number

    def watch(self, owner, name):
        whole = getattr(owner, name)

        def call(*given, **options):
            self.count()
            result = whole(*given, **options)
            self.count()
            return result

        setattr(owner, name, call)

    def count(self):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


CALLS = ((Path, "open"), (os, "fsync"), (os, "link"), (Path, "replace"), (Path, "unlink"), (files, "_write"))


def kill_at_every_call(folder):
    """For every call of the second of two saves, the steps of the two files that a process killed there leaves."""
    found = []
    while True:
        path = folder / f"call{len(found)}.pt"
        ended(forked(lambda path=path: go_on(path, epochs=1)))
        if not ended(forked(lambda path=path: save_and_be_killed(path, len(found)))):
            return found
        found.append([load(new_run(), file).step for file in (path, previous_path(path))])


def save_and_be_killed(path, number):
    run = load(new_run(), path)
    next(train(run, TinyData(), epochs=2))
    killer = KilledAtCall(number)
    for owner, name in CALLS:
        killer.watch(owner, name)
    save(run, path)


def main():
    """What the tests ask for, as one line of JSON."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(new_run(), folder / "warm.pt")  # the first optimizer of a process imports for seconds
        undisturbed = folder / "undisturbed.pt"
        ended(forked(lambda: go_on(undisturbed)))
        report = {"undisturbed": hashlib.sha256(undisturbed.read_bytes()).hexdigest()}
        report |= kill_at_random(folder, KILLS)
        report["calls"] = kill_at_every_call(folder)
    print(json.dumps(report))


# --- in the process of the tests -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    single = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", "from tests.test_killed import main; main()"]
    done = subprocess.run(command, cwd=ROOT, env=single, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_random_instants_every_run_ends_with_the_bits_of_an_undisturbed_one(report, tell):
    tell(
        f"{report['killed']} kills by SIGKILL, {report['while_writing']} of them while a file was being written, "
        f"in {report['runs']} runs: all ended with the bits of the undisturbed run"
    )
    assert report["killed"] >= 50
    assert report["ends"] == [report["undisturbed"]]


def test_killed_at_any_call_of_a_save_the_old_or_the_new_checkpoint_is_there_whole(report, tell):
    """The old one of step 5 before the last move, the new one of step 6 after it; and a whole one before it."""
    steps = report["calls"]
    tell(f"{len(steps)} kills, one at every call that a save makes to the system")
    assert len(steps) >= 10
    assert [path for path, _ in steps] == sorted(path for path, _ in steps)
    assert {tuple(pair) for pair in steps} == {(5, 4), (5, 5), (6, 5)}


class Alarm:
    """One SIGINT after ``delay_s``, whatever Python is doing then, unless the alarm is put off before."""

    def __init__(self):
        self.armed = False

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.ring)
        return self

    def __exit__(self, *_):
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)

    def set(self, delay_s):
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, delay_s)

    def ring(self, *_):
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGINT)


def test_interrupted_at_random_instants_no_step_is_half_done_and_every_run_ends_alike(tmp_path, tell):
    undisturbed = new_run()
    states = [packed(undisturbed)]
    states += [packed(undisturbed) for _ in train(undisturbed, TinyData(), epochs=EPOCHS)]
    chance, stopped, runs = random.Random(0), 0, 0
    with Alarm() as alarm:
        while stopped < INTERRUPTS:
            run, runs = new_run(), runs + 1
            path = tmp_path / f"{runs}.pt"
            while run.step < len(states) - 1 and stopped < INTERRUPTS:
                with suppress(KeyboardInterrupt):
                    alarm.set(chance.uniform(0.0001, 0.03))
                    for _ in interruptible(checkpointed(train(run, TinyData(), epochs=EPOCHS), run, path, every=2)):
                        pass
                    alarm.armed = False
                stopped += run.step < len(states) - 1
                assert run.step == 0 or packed(run) == states[run.step]
                if path.exists() and chance.random() < 0.25:
                    run = load(new_run(), path)  # a reader who starts the kernel anew
            go_on(path)
            assert path.read_bytes() == states[-1]
    tell(f"{stopped} interrupts by SIGINT in {runs} runs: no step half done, all ended alike")


def test_a_second_ctrl_c_while_the_state_is_put_back_leaves_the_run_as_it_was():
    run, other = new_run(), new_run()
    state = snapshot(other)
    for _ in zip(range(3), train(run, TinyData(), epochs=1), strict=False):
        pass
    before = packed(run)
    run.optimizer.register_load_state_dict_post_hook(interrupt_once())
    with pytest.raises(KeyboardInterrupt):
        restore(run, state)
    assert packed(run) == before


def interrupt_once():
    pressed = []

    def hook(_):
        if not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    return hook
