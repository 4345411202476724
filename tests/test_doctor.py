"""The doctor as a whole: it changes nothing, leaves nothing behind, and says what it saw."""

import gc
import random
import re
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.data import Loader, Split
from course_utils.doctor import Finding
from course_utils.doctor.probes import HUB, watched_attributes
from course_utils.doctor.recording import Recording, Update
from course_utils.doctor.registry import Registry
from course_utils.doctor.rules import RULES
from tests.helpers.doctor_programs import DataLoader, TensorDataset, blobs, learn, mlp, setup, step, with_dropout

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


def leave(block, error):
    if error is None:
        block.__exit__(None, None, None)
    else:
        raised = error("stop")
        assert not block.__exit__(type(raised), raised, None)


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


def test_the_report_is_empty_until_the_block_has_ended():
    with doctor.watch() as report:
        assert report.findings == ()
        assert "still observing" in str(report)
        assert "still observing" in report._repr_html_()
        with pytest.raises(RuntimeError, match="has not ended"):
            report.assert_healthy()


def test_assert_healthy_passes_for_a_healthy_loop():
    with doctor.watch() as report:
        learn(setup(), 2)
    report.assert_healthy()
    assert "healthy" in str(report)
    assert "Checked: " in str(report)


def test_assert_healthy_fails_with_the_report_as_its_text():
    s = setup()
    with doctor.watch() as report:
        for x, y in s.loader:
            F.cross_entropy(s.model(x), y).backward()
            s.opt.step()
    with pytest.raises(AssertionError, match="missing-zero-grad"):
        report.assert_healthy()


def test_every_zero_grad_is_counted():
    with doctor.watch() as report:
        learn(setup(), 1)
    assert report.recording.zeroings == 16


def test_a_closure_that_forgets_zero_grad_is_caught():
    s = setup()
    with doctor.watch() as report:
        for x, y in s.loader:

            def closure(images=x, labels=y):
                loss = F.cross_entropy(s.model(images), labels)
                loss.backward()
                return loss

            s.opt.step(closure)
    assert [finding.name for finding in report.findings] == ["missing-zero-grad"]


def test_a_new_optimizer_that_is_given_the_memory_of_the_old_one_forgets_nothing():
    s = setup(optimizer="adam")
    with doctor.watch() as report:
        learn(s, 1)
        old, s.opt = s.opt, torch.optim.Adam(s.model.parameters(), lr=0.01)
        s.opt.load_state_dict(old.state_dict())
        learn(s, 1)
    assert report.findings == ()


class Around(torch.optim.Optimizer):
    """Steps another optimizer inside its own step, as wrappers such as Lookahead do."""

    def __init__(self, params, inner):
        super().__init__(params, {"lr": 0.1})
        self.inner = inner

    def step(self, closure=None):
        self.inner.step()


def test_an_optimizer_inside_anothers_step_keeps_its_facts_to_itself():
    s = setup()
    frozen = nn.Linear(3, 3).requires_grad_(False)
    outer = Around(s.model.parameters(), torch.optim.SGD(frozen.parameters(), lr=0.5))
    with doctor.watch() as report:
        outer.zero_grad()
        F.cross_entropy(s.model(s.x), s.y).backward()
        outer.step()
    seen = [(update.lr, update.tensors, update.empty, update.frozen) for update in report.recording.updates]
    assert seen == [(0.5, 2, 2, 2), (0.1, 4, 0, 0)]


def test_an_object_does_not_take_the_number_of_one_that_is_gone():
    registry = Registry()
    assert [registry.number(nn.Identity()) for _ in range(50)] == list(range(50))


def test_an_empty_block_is_neither_healthy_nor_ill():
    with doctor.watch() as report:
        pass
    assert report.headline == "Doctor: nothing to judge. 0 steps observed."


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


# -- the course's own data ---------------------------------------------------------------------------------------


def pictures(name, seed=0):
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (64, 3, 32, 32), generator=g, dtype=torch.uint8)
    return Split(images, torch.randint(10, (64,), generator=g), tuple("abcdefghij"), "photos", name)


@pytest.mark.parametrize(("name", "findings"), [("train", []), ("test", ["trained-on-test-split"])])
def test_the_courses_splits_say_themselves_what_they_are_for(name, findings):
    from course_utils.model import build_model

    model = build_model(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loader = Loader(pictures(name), batch_size=16)
    with doctor.watch() as report:
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert [finding.name for finding in report.findings] == findings
    assert report.recording.sources[0].epochs == 1


def test_a_watched_loader_gives_the_same_batches():
    def batches():
        return [x for x, _ in Loader(pictures("train"), batch_size=24)]

    with doctor.watch():
        seen = batches()
    assert all(torch.equal(a, b) for a, b in zip(seen, batches(), strict=True))


def test_measuring_on_the_test_split_is_what_it_is_for():
    s = setup()
    x, y = blobs(64, 5)
    test = TensorDataset(x, y)
    test.train = False
    loader = DataLoader(test, batch_size=16)
    with doctor.watch() as report:
        learn(s, 2)
        s.model.eval()
        with torch.no_grad():
            for a, _ in loader:
                s.model(a)
    assert report.findings == ()


# -- how it looks ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ill():
    s = setup()
    with doctor.watch() as report:
        for x, y in s.loader:
            F.cross_entropy(s.model(x), y).backward()
            s.opt.step()
    return report


def test_the_text_names_evidence_cure_and_lesson(ill):
    text = str(ill)
    assert "ERROR missing-zero-grad" in text
    assert "15 of 16 steps" in text
    assert "optimizer.zero_grad()" in text
    assert "Lesson: 01_optimizer_overview.ipynb, section 3" in text


def test_the_html_has_the_strip_the_code_and_a_link(ill):
    html = ill._repr_html_()
    assert 'aria-label="forward loss backward optimizer step forward' in html
    assert "<pre>for images, labels in loader:" in html
    assert '<a href="01_optimizer_overview.ipynb">' in html


def test_neither_text_nor_html_holds_an_address(ill):
    assert re.search(r"0x[0-9a-f]{6}|object at", str(ill) + ill._repr_html_()) is None


def test_html_escapes_what_an_exception_says():
    block = doctor.watch()
    report = block.__enter__()
    leave(block, lambda _: ValueError("<script>alert(1)</script>"))
    assert "<script>" not in report._repr_html_()


@pytest.fixture
def two_findings():
    """A report on an error and a warning, whose evidence looks like code."""
    report = doctor.Report()
    report.recording = Recording(updates=(Update(),))
    report.findings = tuple(
        Finding(name, severity, "title", "<b>seen</b>", "why", "fix", "notebook.ipynb, section 1")
        for name, severity in (("missing-step", "error"), ("measuring-with-gradients", "warning"))
    )
    return report


def test_the_html_has_the_colour_of_the_most_severe_finding(two_findings):
    html = two_findings._repr_html_()
    assert re.findall(r'class="head" style="border-color:(#\w+)"', html) == re.findall(r"left-color:(#\w+)", html)[:1]


def test_html_escapes_what_was_seen(two_findings):
    assert "<b>seen" not in two_findings._repr_html_()


def headings(notebook):
    import json

    cells = json.loads((Path(__file__).parent.parent / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()]
    return [line.lstrip("# ") for line in lines if line.startswith("#")]


def test_every_lesson_is_a_section_of_a_notebook():
    lessons = [re.fullmatch(r"(\w+\.ipynb), section ([\d.]+)", rule.lesson).groups() for rule in RULES]
    assert len(set(lessons)) > 5
    missing = [(n, s) for n, s in lessons if not any(h.startswith((f"{s} ", f"{s}.")) for h in headings(n))]
    assert missing == []


# -- the cell magic ----------------------------------------------------------------------------------------------


@pytest.fixture
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    doctor.load_ipython_extension(shell)
    shell.user_ns |= {"setup": setup, "learn": learn, "mlp": mlp, "nn": nn}
    yield shell
    shell.history_manager.end_session()
    shell.history_manager.save_thread and shell.history_manager.save_thread.stop()


def test_the_magic_runs_the_cell_and_shows_the_report(shell, capsys):
    value = shell.run_cell_magic("doctor", "", "s = setup()\nlearn(s, 1)\n1 + 1")
    assert value == 2
    assert "s" in shell.user_ns
    assert "Doctor: healthy. 16 steps observed" in capsys.readouterr().out


def test_the_magic_takes_a_number_of_steps(shell, capsys):
    shell.run_cell_magic("doctor", "--steps 3", "learn(setup(), 1)")
    assert "3 steps observed" in capsys.readouterr().out


def test_the_magic_shows_the_report_and_lets_an_exception_pass(shell, capsys):
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("doctor", "", "learn(setup(), 1)\n1 / 0")
    assert "ended with ZeroDivisionError" in capsys.readouterr().out


def test_the_magic_refuses_other_options_in_words(shell):
    with pytest.raises(ValueError, match="unknown options '--verbose'; write %%doctor"):
        shell.run_cell_magic("doctor", "--verbose", "1")


def test_the_hub_is_empty_after_all_this():
    assert HUB._observers == []
