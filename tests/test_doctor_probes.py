"""Experiments on copies: what they find, what they leave alone, and that nothing of the model is touched."""

import copy
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor.rules import PROBED
from tests.helpers.doctor_programs import learn, mlp, setup
from tests.helpers.probed_models import (
    FAULTY,
    HEALTHY,
    IMAGES,
    LABELS,
    NEXT,
    SERIES,
    VECTORS,
    Net,
    cnn,
    recurrent,
    transformer,
)


def seeded(make):
    torch.manual_seed(0)
    return make()


def names(report):
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_model_is_not_accused(name):
    report = doctor.examine(*seeded(HEALTHY[name]))
    assert report.findings == ()
    assert "healthy" in report.headline
    assert "failed" not in str(report)


@pytest.mark.parametrize("name", FAULTY)
def test_the_first_finding_is_the_fault(name):
    cause, *asked = seeded(FAULTY[name])
    assert names(doctor.examine(*asked))[:1] == [cause]


def test_every_fault_has_at_least_four_programs():
    causes = [seeded(make)[0] for make in FAULTY.values()]
    assert {rule.name: causes.count(rule.name) >= 4 for rule in PROBED} == dict.fromkeys(causes, True)


def test_every_experiment_is_made_on_at_least_four_healthy_models():
    made = [doctor.examine(*seeded(make), steps=1).recording.probed.made for make in HEALTHY.values()]
    counts = {name: sum(name in those for those in made) for those in made for name in those}
    assert len(counts) == 6
    assert min(counts.values()) >= 4, counts


def test_a_model_that_samples_gets_a_note():
    def forward(net, layers, x):
        mean, log = layers["a"](x).chunk(2, dim=1)
        return layers["b"](mean + torch.randn_like(mean) * (log / 2).exp())

    (found,) = doctor.examine(Net(forward, a=nn.Linear(20, 32), b=nn.Linear(16, 20)), VECTORS).findings
    assert (found.name, found.severity) == ("evaluation-is-random", "note")


def test_causality_is_looked_at_where_it_is_asked_for():
    model = recurrent(features=5, k=3, bidirectional=True, batch_first=True)
    assert names(doctor.examine(model, SERIES)) == []
    assert names(doctor.examine(model, SERIES, causal=True)) == ["output-sees-later-positions"]
    assert names(doctor.examine(transformer(causal=False), NEXT, causal=False)) == []


def test_time_may_come_first_where_that_is_meant():
    report = doctor.examine(recurrent(features=5, k=3), SERIES)
    assert report.findings == ()
    assert "independence of the samples, for a layer reads time along the first dimension" in str(report)


def test_batch_statistics_in_evaluation_mode_are_a_warning():
    model = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 3))
    (found,) = doctor.examine(model, VECTORS).findings
    assert (found.name, found.severity) == ("output-depends-on-other-samples", "warning")


def test_what_cannot_be_tried_is_said_with_its_reason():
    said = str(doctor.examine(mlp(), VECTORS[:1]))
    assert "there is only one sample" in said
    assert "no loss_fn was given" in said


def test_a_model_that_fails_is_not_accused():
    report = doctor.examine(mlp(), IMAGES)
    assert report.findings == ()
    assert "the copy failed (RuntimeError" in str(report)
    assert "nothing to judge" in report.headline


def test_a_report_without_a_loop_goes_through_json():
    report = doctor.examine(mlp(), VECTORS).as_dict()
    assert report["steps"] == 0
    assert "determinism" in report["judged"]
    assert any(reason.startswith("causality") for reason in report["not_judged"])


# -- nothing is touched -----------------------------------------------------------------------------------------------


def test_weights_buffers_gradients_modes_and_random_streams_stay_to_the_last_bit():
    model = cnn(nn.Dropout(0.5))
    F.cross_entropy(model(IMAGES), LABELS).backward()
    model[1].eval()
    state, grads = copy.deepcopy(model.state_dict()), [p.grad.clone() for p in model.parameters()]
    modes, images = [m.training for m in model.modules()], IMAGES.clone()
    streams = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    with torch.no_grad():
        doctor.examine(model, (IMAGES, LABELS), F.cross_entropy, steps=5)
        assert not torch.is_grad_enabled()
    assert all(torch.equal(state[name], now) for name, now in model.state_dict().items())
    assert all(torch.equal(grad, p.grad) for grad, p in zip(grads, model.parameters(), strict=True))
    assert modes == [m.training for m in model.modules()]
    assert torch.equal(images, IMAGES)
    assert torch.equal(streams[0], torch.get_rng_state())
    assert streams[1] == random.getstate()
    assert (streams[2] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_a_hook_of_the_readers_own_is_never_called():
    model, heard = mlp(), []
    model.register_forward_hook(lambda *_: heard.append(1))
    report = doctor.examine(model, VECTORS)
    assert heard == []
    assert "has a hook that is a function" in str(report)


def test_a_loss_function_with_a_memory_is_copied():
    class Counting(nn.Module):
        calls = 0

        def forward(self, scores, labels):
            self.calls += 1
            return F.cross_entropy(scores, labels)

    loss_fn = Counting()
    doctor.examine(mlp(classes=10), (VECTORS, LABELS), loss_fn, steps=2)
    assert loss_fn.calls == 0


# -- in a loop --------------------------------------------------------------------------------------------------------


def watched(model, x, y, loss_fn, steps=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with doctor.watch(probe=True) as report:
        for _ in range(steps):
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
    return report


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_model_in_a_loop_is_not_accused(name):
    model, (x, y), loss_fn = seeded(HEALTHY[name])
    report = watched(model, x, y, loss_fn)
    assert not {rule.name for rule in PROBED} & set(names(report))
    assert "determinism" in report.recording.probed.made


@pytest.mark.parametrize(
    "name", ["less the mean of the batch", "no mask", "LSTM in both directions", "F.dropout", "all is masked"]
)
def test_a_faulty_model_in_a_loop_is_named(name):
    cause, model, (x, y), loss_fn = seeded(FAULTY[name])
    assert cause in names(watched(model, x, y, loss_fn))


def test_the_numbers_of_a_probed_training_are_the_same_to_the_last_bit():
    def program():
        torch.manual_seed(0)
        model = cnn(nn.Dropout(0.5))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(IMAGES), LABELS).backward()
            optimizer.step()
        return [*model.state_dict().values(), torch.rand(3)]

    bare = program()
    with doctor.watch(probe=True) as report:
        seen = program()
    assert "determinism" in report.recording.probed.made
    assert all(torch.equal(a, b) for a, b in zip(bare, seen, strict=True))
    assert len(report.recording.updates) == 4


def test_a_model_with_a_second_input_is_left_alone():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(20, 10)

        def forward(self, x, *, scale=0.0):
            return self.layer(x) * scale

    model = Masked()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with doctor.watch(probe=True) as report:
        F.cross_entropy(model(VECTORS, scale=1.0), LABELS).backward()
        optimizer.step()
    assert "something else than its one input" in str(report.recording.probed.skipped)
    assert "output-ignores-input" not in names(report)


def test_a_loop_without_a_loss_of_torch_is_not_tried():
    report = watched(mlp(classes=10), VECTORS, LABELS, lambda scores, y: scores.square().mean())
    assert "no loss of torch's own" in str(report.recording.probed.skipped)


def test_without_probe_nothing_is_tried():
    with doctor.watch() as report:
        learn(setup(), 1)
    assert report.recording.probed is None


# -- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": F.relu}, "model must be an nn.Module"),
        ({"batch": [1, 2]}, "batch must be a tensor, or a pair"),
        ({"batch": (VECTORS, LABELS, LABELS)}, "batch must be a tensor, or a pair"),
        ({"loss_fn": 3}, "loss_fn must be a function"),
        ({"causal": 1}, "causal must be True, False or None"),
        ({"steps": 2.0}, "steps must be an int"),
    ],
)
def test_arguments_of_another_kind_are_refused_in_words(change, words):
    with pytest.raises(TypeError, match=words):
        doctor.examine(**({"model": mlp(), "batch": VECTORS} | change))


@pytest.mark.parametrize(
    ("change", "words"), [({"batch": VECTORS[:0]}, "must hold samples"), ({"steps": 0}, "must be 1 or more")]
)
def test_arguments_out_of_range_are_refused_in_words(change, words):
    with pytest.raises(ValueError, match=words):
        doctor.examine(**({"model": mlp(), "batch": VECTORS} | change))
