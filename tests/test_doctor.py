"""The doctor as a whole: it changes nothing, leaves nothing behind, and lets every exception pass."""

import gc
import random
import subprocess
import sys
import weakref
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from course_utils import doctor
from course_utils.doctor.probes import HUB, watched_attributes
from course_utils.doctor.rules import RULES
from tests.helpers.doctor_programs import learn, leave, setup, step, with_dropout

HOOKS = [
    *(
        vars(torch.nn.modules.module)[f"_global_forward_{kind}"]
        for kind in ("hooks", "pre_hooks", "hooks_always_called")
    ),
    *(vars(sys.modules["torch.optim.optimizer"])[f"_global_optimizer_{kind}_hooks"] for kind in ("pre", "post")),
]


def assert_torch_is_as_before(before):
    after = watched_attributes()
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] is not before[name]] == []
    assert [dict(hooks) for hooks in HOOKS] == [{}] * len(HOOKS)


def weights_after(program, *, watched):
    if not watched:
        return program()
    with doctor.watch() as report:
        weights = program()
    assert report.recording.stumble == ""
    assert len(report.recording.updates) > 0
    return weights


def trained_with_dropout(optimizer):
    torch.manual_seed(3)
    s = setup(model=with_dropout(), optimizer=optimizer)
    learn(s, 2)
    return [*s.model.parameters(), torch.rand(3)]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_numbers_are_the_same_to_the_last_bit(optimizer):
    bare = weights_after(lambda: trained_with_dropout(optimizer), watched=False)
    seen = weights_after(lambda: trained_with_dropout(optimizer), watched=True)
    assert all(torch.equal(a, b) for a, b in zip(bare, seen, strict=True))


def test_the_numbers_of_the_courses_network_are_the_same_to_the_last_bit():
    def program():
        from course_utils.model import build_model

        model = build_model(0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        g = torch.Generator().manual_seed(0)
        for _ in range(3):
            images, labels = torch.rand(8, 3, 32, 32, generator=g), torch.randint(10, (8,), generator=g)
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        return list(model.parameters())

    bare, seen = weights_after(program, watched=False), weights_after(program, watched=True)
    assert all(torch.equal(a, b) for a, b in zip(bare, seen, strict=True))


def test_torch_is_observed_inside_the_block_only():
    before = watched_attributes()
    with doctor.watch():
        inside = watched_attributes()
    assert all(inside[name] is not before[name] for name in before)
    assert_torch_is_as_before(before)


@pytest.mark.parametrize("seed", range(100))
def test_any_order_of_entering_failing_and_leaving_restores_torch(seed):
    before, chance, open_blocks = watched_attributes(), random.Random(seed), []
    s = setup(n=16)
    for _ in range(12):
        action = chance.choice(["enter", "leave", "fail", "step"])
        if action == "enter":
            block = doctor.watch(steps=chance.choice([None, 1, 2]))
            block.__enter__()
            open_blocks.append(block)
        elif action == "step":
            step(s, s.x, s.y)
        elif open_blocks:
            block = open_blocks.pop(chance.randrange(len(open_blocks)))
            leave(block, chance.choice([ValueError, KeyboardInterrupt]) if action == "fail" else None)
    for block in open_blocks:
        leave(block, None)
    assert_torch_is_as_before(before)


def test_ctrl_c_passes_on_and_the_report_holds_what_was_found_until_then():
    s, before = setup(), watched_attributes()

    def loop():
        for i, (x, y) in enumerate(s.loader):
            F.cross_entropy(s.model(x), y).backward()
            s.opt.step()
            if i == 5:
                raise KeyboardInterrupt

    block = doctor.watch()
    report = block.__enter__()
    with pytest.raises(KeyboardInterrupt) as interrupted:
        loop()
    assert not block.__exit__(KeyboardInterrupt, interrupted.value, None)
    assert report.findings[0].name == "missing-zero-grad"
    assert "KeyboardInterrupt" in str(report)
    assert_torch_is_as_before(before)


def test_steps_limits_what_is_observed_and_the_loop_goes_on():
    s = setup()
    with doctor.watch(steps=5) as report:
        learn(s, 1)
    assert len(report.recording.updates) == 5
    assert not report.recording.complete


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps_are_refused_in_words(steps):
    with pytest.raises(ValueError, match=f"steps must be 1 or more, got {steps}; try"):
        doctor.watch(steps=steps)


@pytest.mark.parametrize("steps", [True, 2.0, "3", float("nan")])
def test_steps_that_are_no_number_are_refused_in_words(steps):
    with pytest.raises(TypeError, match="steps must be an int or None, got"):
        doctor.watch(steps=steps)


def test_nested_blocks_see_the_same_steps():
    s = setup()
    with doctor.watch() as outer:
        learn(s, 1)
        with doctor.watch() as inner:
            learn(s, 1)
    assert (len(outer.recording.updates), len(inner.recording.updates)) == (32, 16)


def test_the_outer_of_two_blocks_still_sees_the_steps_after_the_inner_one():
    s = setup()
    with doctor.watch() as outer:
        with doctor.watch():
            learn(s, 1)
        learn(s, 1)
    assert len(outer.recording.updates) == len(outer.recording.backwards) == 32


def test_nothing_of_the_training_is_kept_alive():
    with doctor.watch() as report:
        s = setup()
        learn(s, 1)
        gone = [weakref.ref(thing) for thing in (s.model, s.opt, s.loader, s.x, *s.model.parameters())]
        del s
        gc.collect()
        assert [ref() for ref in gone] == [None] * len(gone)
    assert report.findings == ()


def test_an_error_of_the_doctor_itself_stops_the_observation_and_is_said(monkeypatch):
    monkeypatch.setattr("course_utils.doctor.observer.Observer.hear", lambda *_: 1 / 0)
    with doctor.watch() as report:
        learn(setup(), 1)
    assert "ZeroDivisionError" in str(report)


class UnspeakableError(Exception):
    """The learner's own, with a fault of its own."""

    def __str__(self):
        raise ZeroDivisionError


def broken(*_):
    raise LookupError("a part of the doctor is broken")


@pytest.mark.parametrize(
    ("place", "part", "remark"),
    [
        (
            "diagnosis.RULES",
            [replace(RULES[0], look=broken), *RULES[1:]],
            "A rule could not be applied",
        ),
        ("observer.overlaps", broken, "an error of its own: LookupError"),
        ("heads.squashed_by", broken, "an error of its own: LookupError"),
    ],
    ids=["rule", "recording", "probe"],
)
@pytest.mark.parametrize("own", [KeyError("mine"), UnspeakableError(), KeyboardInterrupt()], ids=repr)
def test_the_learners_exception_comes_through_whatever_of_the_doctor_is_broken(monkeypatch, place, part, remark, own):
    monkeypatch.setattr(f"course_utils.doctor.{place}", part)
    before = watched_attributes()

    def loop():
        learn(setup(), 1)
        raise own

    with pytest.raises(type(own)) as raised, doctor.watch() as report:
        loop()
    assert raised.value is own
    assert remark in str(report)
    assert own.__context__ is None
    assert_torch_is_as_before(before)


@pytest.mark.parametrize("call", [lambda: torch.autograd.backward(3), lambda: torch.autograd.grad(3, 4)])
def test_torch_refuses_a_wrong_call_in_its_own_words(call):
    with pytest.raises(Exception) as bare:
        call()
    with pytest.raises(type(bare.value)) as watched, doctor.watch():
        call()
    assert str(watched.value) == str(bare.value)


def test_the_doctor_needs_torch_and_the_standard_library_only():
    code = (
        "import sys, torch, torch.utils.data; before = {*sys.modules}; import course_utils.doctor;"
        "new = {'.'.join(name.split('.')[:2]) for name in {*sys.modules} - before if not name.startswith('torch.')};"
        "print(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert said == "['course_utils', 'course_utils.doctor', 'course_utils.reading']"


def test_the_hub_is_empty_after_all_this():
    assert HUB._observers == []
