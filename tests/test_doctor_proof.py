"""Proof by cure: the steps of a watched block again, with and without the cure, or the reason why that cannot be."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor.cures import CURES, changes
from course_utils.doctor.proving import Proof, demoted
from course_utils.doctor.replay import Change, replay
from course_utils.doctor.rules import RULES, by_name
from course_utils.doctor.tape import Stepped
from tests.helpers.doctor_programs import mlp, setup, with_dropout
from tests.helpers.doctor_proofs import noisy, proof_of, trained, with_two_models


def step_lr(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.1)


def exponential(optimizer):
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)


def regression(*, lr=0.1, clear=True, scale=1.0, inputs=1.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(60):
        x = torch.randn(32, 5)
        if clear:
            optimizer.zero_grad()
        F.mse_loss(
            model(x * inputs), (x[:, :1] + x[:, 1:2].abs()) * scale + torch.randn(32, 1) * 0.3 * scale
        ).backward()
        optimizer.step()


def accumulated(k=4, *, divide=1.0, lr=0.1, optimizer="sgd", clear_inside=False):
    s = setup(optimizer=optimizer, lr=lr, data=noisy())
    for _ in range(3):
        for i, (x, y) in enumerate(s.loader):
            if clear_inside:
                s.opt.zero_grad()
            (F.cross_entropy(s.model(x), y) / divide).backward()
            if i % k == k - 1:
                s.opt.step()
                s.opt.zero_grad()


def cleared_before_step():
    s = setup(data=noisy())
    for x, y in s.loader:
        loss = F.cross_entropy(s.model(x), y)
        loss.backward()
        s.opt.zero_grad()
        s.opt.step()


def never_stepped():
    s = setup(data=noisy())
    for x, y in s.loader:
        s.opt.zero_grad()
        F.cross_entropy(s.model(x), y).backward()


def softmax_outside(scores, y):
    return F.cross_entropy(scores.softmax(dim=1), y)


CURED = {
    "lr a hundred times too high": ("learning-rate-too-high", lambda: trained(lr=100.0)),
    "lr too high for a regression": ("learning-rate-too-high", lambda: regression(lr=3.0)),
    "lr too low": ("learning-rate-too-low", lambda: trained(lr=1e-6)),
    "Adam with a low lr": ("learning-rate-too-low", lambda: trained(lr=1e-5, optimizer="adam")),
    "no zero_grad": ("missing-zero-grad", lambda: regression(clear=False)),
    "no zero_grad and momentum": ("missing-zero-grad", lambda: trained(clear=False, optimizer="momentum", lr=0.05)),
    "cleared before the step": ("zero-grad-before-step", cleared_before_step),
    "never stepped": ("missing-step", never_stepped),
    "Softmax as a layer": ("softmax-before-cross-entropy", lambda: trained(model=mlp(nn.Softmax(dim=1)))),
    "softmax in the loop": ("softmax-before-cross-entropy", lambda: trained(loss_fn=softmax_outside)),
    "StepLR per batch": ("scheduler-stepped-per-batch", lambda: trained(scheduler=step_lr)),
    "ExponentialLR per batch": ("scheduler-stepped-per-batch", lambda: trained(scheduler=exponential)),
    "divided twice": ("loss-divided-twice", lambda: accumulated(divide=64)),
}


@pytest.mark.parametrize("name", CURED)
def test_the_cure_of_a_true_cause_helps(name):
    cause, program = CURED[name]
    proof, report = proof_of(program)
    assert proof.finding.name == cause
    assert proof.holds, proof
    assert report.findings[0].severity == by_name(cause).severity
    assert len(proof.without) == len(proof.cured)


def test_every_cure_belongs_to_a_rule():
    assert CURES.keys() <= {rule.name for rule in RULES}


def test_a_replay_gives_the_losses_of_the_run():
    said = []

    def program():
        s = setup(model=with_dropout(), data=noisy())
        for x, y in s.loader:
            s.opt.zero_grad()
            loss = F.cross_entropy(s.model(x), y)
            loss.backward()
            s.opt.step()
            said.append(loss.item())

    with doctor.watch(prove=True) as report:
        program()
    assert replay(report._tape, Change(), passes=len(said)) == said


@pytest.mark.filterwarnings("ignore:Detected call of")  # torch's own warning: the plan is stepped before the optimizer
def test_a_scheduler_per_small_batch_is_stepped_with_the_optimizer():
    def program():
        s = setup(data=noisy())
        plan = torch.optim.lr_scheduler.CosineAnnealingLR(s.opt, 12)
        for _ in range(3):
            for i, (x, y) in enumerate(s.loader):
                (F.cross_entropy(s.model(x), y) / 4).backward()
                if i % 4 == 3:
                    s.opt.step()
                    s.opt.zero_grad()
                plan.step()

    with doctor.watch(prove=True) as report:
        program()
    (change,) = changes("scheduler-stepped-per-batch", report._tape, report.recording)
    assert "with the optimizer" in change.said
    plan = [step.settings[0]["lr"] for step in report._tape.entries if isinstance(step, Stepped)]
    assert [change.rate(step, 0.0) for step in range(5)] == [plan[0]] * 4 + [plan[1]]


# -- what is demoted, and what is not ---------------------------------------------------------------------------------


def test_a_finding_whose_cure_changes_nothing_is_demoted_in_words():
    # Adam divides by the size of the gradient: a loss that is divided too often makes the same steps.
    proof, report = proof_of(lambda: accumulated(divide=64, optimizer="adam", lr=0.01), "loss-divided-twice")
    (found,) = [f for f in report.findings if f.name == "loss-divided-twice"]
    assert proof.holds is False
    assert (proof.finding.severity, found.severity) == ("error", "warning")
    assert "but the cure changes nothing" in found.seen


def test_a_note_stays_a_note():
    note = doctor.Finding("n", "note", "t", "seen", "w", "f", "l")
    assert demoted(note, Proof(note, False, "why", "x", (1.0,), (1.0,))).severity == "note"


@pytest.mark.parametrize("holds", [True, None])
def test_only_a_cure_that_changes_nothing_demotes(holds):
    finding = doctor.Finding("n", "error", "t", "seen", "w", "f", "l")
    assert demoted(finding, Proof(finding, holds, "why", "x", (1.0,), (1.0,))) is finding


def test_a_fault_that_has_been_counted_stays_where_it_helps_for_a_while():
    proof, report = proof_of(lambda: trained(clear=False, lr=0.003))
    assert proof.holds is None
    assert report.findings[0].severity == "error"


# -- where no replay is possible --------------------------------------------------------------------------------------


def with_own_loss():
    trained(lr=100.0, loss_fn=lambda scores, y: -scores.log_softmax(1)[range(len(y)), y].mean())


def with_closure():
    s = setup(data=noisy())
    optimizer = torch.optim.LBFGS(s.model.parameters(), lr=100.0, max_iter=2)

    def closure():
        loss = F.cross_entropy(s.model(s.x), s.y)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)


def with_secret_noise():
    s = setup(lr=100.0, data=noisy())
    for x, y in s.loader:
        s.opt.zero_grad()
        F.cross_entropy(s.model(x), y).backward()
        for parameter in s.model.parameters():
            parameter.grad *= random.random()
        s.opt.step()


def with_hook():
    model = mlp()
    model.register_forward_hook(lambda *_: None)
    trained(lr=100.0, model=model)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (with_two_models, "more than one model was called"),
        (with_own_loss, "more than torch's own loss functions"),
        (with_closure, "by a closure"),
        (with_secret_noise, "something that a replay does not"),
        (with_hook, "has a hook that is a function"),
    ],
)
def test_where_a_replay_is_not_possible_the_reason_is_said(program, reason):
    proof, report = proof_of(program)
    before = report.findings
    assert proof.holds is None
    assert reason in str(proof)
    assert proof.cured == ()
    assert report.findings == before


def test_a_cure_that_no_machine_can_make_is_left_to_the_reader():
    def program():
        s, kept = setup(data=noisy()), []
        for x, y in [*s.loader, *s.loader]:
            s.opt.zero_grad()
            loss = F.cross_entropy(s.model(x), y)
            loss.backward()
            s.opt.step()
            kept.append(loss)

    proof, _ = proof_of(program)
    assert proof.finding.name == "loss-kept-with-graph"
    assert "apply it by hand" in str(proof)


@pytest.mark.parametrize("passes", [9, 0, -1])
def test_too_few_passes_are_refused_in_words(passes):
    with doctor.watch(prove=True) as report:
        trained(lr=100.0)
    with pytest.raises(ValueError, match="10 or more"):
        report.prove(passes=passes)


@pytest.mark.parametrize("passes", [True, 20.0, "20"])
def test_passes_that_are_no_number_are_refused_in_words(passes):
    with doctor.watch(prove=True) as report:
        trained(lr=100.0)
    with pytest.raises(TypeError, match="must be an int"):
        report.prove(passes=passes)


def test_a_block_whose_batches_were_not_kept_has_no_proof():
    with doctor.watch() as report:
        trained(lr=100.0)
    with pytest.raises(RuntimeError, match=r"watch\(prove=True\)"):
        report.prove()


def test_an_open_report_has_no_proof():
    with doctor.watch(prove=True) as report, pytest.raises(RuntimeError, match="has not ended"):
        report.prove()


def test_a_name_that_is_no_finding_is_refused_with_those_that_are():
    with doctor.watch(prove=True) as report:
        trained(lr=100.0)
    with pytest.raises(ValueError, match="learning-rate-too-high"):
        report.prove("missing-zero-grad")


def test_a_healthy_block_has_nothing_to_prove():
    with doctor.watch(prove=True) as report:
        trained()
    assert report.findings == ()
    with pytest.raises(ValueError, match="no finding to prove"):
        report.prove()


@pytest.mark.parametrize("wish", [1, None, "yes"])
def test_a_wish_that_is_no_bool_is_refused(wish):
    with pytest.raises(TypeError, match="True or False"):
        doctor.watch(prove=wish)
