"""What does a watched block hold? What is counted in it, of which objects, and of which images."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.data import Loader, Split
from course_utils.doctor.registry import Registry
from tests.helpers.doctor_programs import DataLoader, TensorDataset, blobs, learn, setup


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


@pytest.mark.parametrize("early", [True, False], ids=["before the block", "late in the block"])
def test_an_optimizer_that_never_steps_is_known_whenever_it_was_made(early):
    body, head = nn.Linear(4, 8), nn.Linear(8, 2)
    other = torch.optim.SGD(head.parameters(), lr=0.1) if early else None
    opt = torch.optim.SGD(body.parameters(), lr=0.1)
    with doctor.watch() as report:
        for step in range(30):
            if step == 15 and not early:
                other = torch.optim.SGD(head.parameters(), lr=0.1)
            opt.zero_grad()
            head.zero_grad()
            F.cross_entropy(head(body(torch.randn(8, 4))), torch.arange(8) % 2).backward()
            opt.step()
    assert "optimizer-never-steps" in {finding.name for finding in report.findings}
    assert other is not None


def broken_constructors(opt):
    """Optimizers and schedulers whose constructors raise an error."""
    schedule = torch.optim.lr_scheduler
    yield lambda: torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=-1)
    yield lambda: torch.optim.SGD([], lr=0.1)
    yield lambda: schedule.OneCycleLR(opt, max_lr=0.1)
    yield lambda: schedule.CyclicLR(opt, base_lr=0.1, max_lr=0.2, mode="up")
    yield lambda: schedule.LambdaLR(opt, [abs, abs])
    yield lambda: schedule.ReduceLROnPlateau(opt, factor=2.0)
    yield lambda: schedule.CosineAnnealingWarmRestarts(opt, T_0=-1)
    yield lambda: schedule.SequentialLR(opt, [], milestones=[3])


def test_what_was_never_wholly_made_and_lives_on_in_a_traceback_does_no_harm():
    s = setup()
    errors = []
    for make in broken_constructors(s.opt):
        with pytest.raises((ValueError, IndexError)) as caught:
            make()
        errors.append(caught.value)  # and with it the frame that holds the half-made object
    with doctor.watch() as report:
        learn(s, 2)
    assert "of its own" not in str(report)
    report.assert_healthy(allow=["scheduler-never-stepped"])
    assert len(errors) == 8
