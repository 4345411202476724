"""Faults of clips, divisions, decays, copies and passes: each kind in several forms, beside loops that are sound."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, AdamW
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import doctor

LABELS = torch.arange(256) % 4
IMAGES = torch.randn(256, 8, generator=torch.Generator().manual_seed(0)) + 2 * nn.functional.one_hot(LABELS, 8)


def loader(shuffle=True, size=16):
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=size, shuffle=shuffle)


def network(norm=False):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU(), nn.Linear(16, 4))


def forever(*, shuffle=True):
    return (batch for _ in itertools.count() for batch in loader(shuffle))


def trained(model, optimizer, steps=40, *, divide=1.0, every=1, before_step=lambda: None, after=lambda step: None):
    """A plain loop of ``steps`` batches, with an update after every so many of them."""
    for step, (images, labels) in enumerate(itertools.islice(forever(), steps), start=1):
        (cross_entropy(model(images), labels) / divide).backward()
        if step % every == 0:
            before_step()
            optimizer.step()
            optimizer.zero_grad()
        after(step)


# --- clips ----------------------------------------------------------------------------------------------------------


def with_scaler(order, max_norm=1.0, enabled=True, rounds=30):
    model = network()
    optimizer, scaler = SGD(model.parameters(), lr=0.05), torch.amp.GradScaler("cpu", enabled=enabled)
    for images, labels in itertools.islice(forever(), rounds):
        optimizer.zero_grad()
        scaler.scale(cross_entropy(model(images), labels)).backward()
        for act in order:
            if act == "unscale":
                scaler.unscale_(optimizer)
            elif act == "clip":
                nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            elif act == "clip the last":
                nn.utils.clip_grad_norm_(model[-1].parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()


def clipped(max_norm, lr=0.1):
    model = network()
    trained(
        model, SGD(model.parameters(), lr=lr), 120,
        before_step=lambda: nn.utils.clip_grad_norm_(model.parameters(), max_norm),
    )  # fmt: skip


# --- division and decay ---------------------------------------------------------------------------------------------


def divided(by, every=1, optimizer_class=SGD):
    model = network()
    trained(model, optimizer_class(model.parameters(), lr=0.05), 48, divide=by, every=every)


def decayed(optimizer_class, groups=lambda model: model.parameters(), **options):
    model = network(norm=True)
    trained(model, optimizer_class(groups(model), lr=0.01, **options))


def matrices_alone(model):
    return [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.01},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]


# --- passes ---------------------------------------------------------------------------------------------------------


def left_early(batches, *, shuffle, passes=12):
    model, data = network(), loader(shuffle)
    optimizer = SGD(model.parameters(), lr=0.05)
    for _ in range(passes):
        for images, labels in itertools.islice(data, batches):
            optimizer.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimizer.step()


def next_of_iter(*, shuffle, steps=30):
    model, data = network(), loader(shuffle)
    optimizer = Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        images, labels = next(iter(data))
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


# --- copies ---------------------------------------------------------------------------------------------------------


def with_target(target_of, every=10):
    model = network()
    target = target_of(model)
    target.load_state_dict(model.state_dict())

    def sync(step):
        if step % every == 0:
            target.load_state_dict(model.state_dict())

    trained(model, SGD(model.parameters(), lr=0.05), after=sync)


def stacked(layers):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), *layers, nn.Linear(16, 4))
    trained(model, SGD(model.parameters(), lr=0.05))


def moving_average(update, measure_every=12, copy_of=copy.deepcopy, steps=60):
    model = network(norm=True)
    average = copy_of(model)

    def after(step):
        update(average, model)
        if step % measure_every == 0:
            average.eval()
            with torch.no_grad():
                average(IMAGES)

    trained(model, SGD(model.parameters(), lr=0.1), steps, after=after)


def ema(average, model, *, buffers):
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast, 0.1)
        for slow, fast in zip(average.buffers(), model.buffers(), strict=True) if buffers else ():
            slow.copy_(fast)


def by_state_dict(average, model):
    state = average.state_dict()
    for name, p in model.named_parameters():
        state[name].copy_(0.9 * state[name] + 0.1 * p.detach())


def of_averaged_model(average, model):
    average.update_parameters(model)


def wrapped(model):
    return nn.Sequential(copy.deepcopy(model))


def averaged_model(model, **options):
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), **options)


def resumed(keeps_state, optimizer_class=Adam, new_lr=None, new_model=True, pause=20):
    model = network()
    optimizer = optimizer_class(model.parameters(), lr=0.01)
    trained(model, optimizer, pause)
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    model = network() if new_model else model
    model.load_state_dict(weights)
    optimizer = optimizer_class(model.parameters(), lr=new_lr or 0.01)
    if keeps_state:
        optimizer.load_state_dict(state)
    trained(model, optimizer, 20)


SHARED = nn.Linear(16, 16)
FAULTS = {
    "clipped-before-unscale": {
        "at once": lambda: with_scaler(["clip"]),
        "the wrong way round": lambda: with_scaler(["clip", "unscale"]),
        "a high limit": lambda: with_scaler(["clip"], max_norm=1e6),
        "a part": lambda: with_scaler(["clip the last"]),
    },
    "clipping-always": {
        "a low limit": lambda: clipped(0.1),
        "lower": lambda: clipped(1e-4, lr=1.0),
        "unscaled": lambda: with_scaler(["unscale", "clip"], max_norm=1e-3, rounds=60),
        "no scaler": lambda: with_scaler(["clip"], max_norm=1e-3, enabled=False, rounds=60),
    },
    "coupled-weight-decay": {
        "Adam": lambda: decayed(Adam, weight_decay=0.01),
        "NAdam": lambda: decayed(torch.optim.NAdam, weight_decay=1e-4),
        "two groups that both decay": lambda: decayed(
            Adam, lambda m: [{"params": m[0].parameters()}, {"params": m[1:].parameters()}], weight_decay=0.01
        ),
        "RAdam": lambda: decayed(torch.optim.RAdam, weight_decay=0.1),
    },
    "loss-divided-for-nothing": {
        "by 4": lambda: divided(4),
        "by 16": lambda: divided(16),
        "by 2, Adam": lambda: divided(2, optimizer_class=Adam),
        "by 8": lambda: divided(8.0),
    },
    "batches-that-never-come": {
        "next(iter())": lambda: next_of_iter(shuffle=False),
        "three of sixteen": lambda: left_early(3, shuffle=False),
        "one of sixteen": lambda: left_early(1, shuffle=False),
        "half": lambda: left_early(8, shuffle=False),
    },
    "one-model-under-two-names": {
        "every 10": lambda: with_target(lambda model: model),
        "every step": lambda: with_target(lambda model: model, every=1),
        "in a list": lambda: with_target(lambda model: [model][0]),
        "every 3": lambda: with_target(lambda model: model, every=3),
    },
    "one-layer-in-several-places": {
        "[layer] * 3": lambda: stacked([nn.Linear(16, 16)] * 3),
        "appended": lambda: stacked([SHARED, nn.ReLU(), SHARED]),
        "blocks": lambda: stacked([nn.Sequential(nn.Linear(16, 16), nn.ReLU())] * 2),
        "inside": lambda: stacked([nn.Sequential(SHARED, SHARED)]),
    },
    "average-with-old-statistics": {
        "parameters alone": lambda: moving_average(lambda a, m: ema(a, m, buffers=False)),
        "in a wrapper": lambda: moving_average(lambda a, m: ema(a, m, buffers=False), copy_of=wrapped),
        "seldom measured": lambda: moving_average(lambda a, m: ema(a, m, buffers=False), measure_every=30),
        "by its state": lambda: moving_average(by_state_dict),
    },
    "resumed-without-its-optimizer": {
        "Adam": lambda: resumed(False),
        "momentum": lambda: resumed(False, lambda p, lr: SGD(p, lr=lr, momentum=0.9)),
        "AdamW": lambda: resumed(False, AdamW),
        "later": lambda: resumed(False, pause=30),
    },
}
SOUND = {
    "clipped after unscale_": lambda: with_scaler(["unscale", "clip"]),
    "a scaler that is off": lambda: with_scaler(["clip"], enabled=False),
    "a scaler and no clip": lambda: with_scaler([]),
    "unscaled and a part clipped": lambda: with_scaler(["unscale", "clip the last"]),
    "a guard": lambda: clipped(5.0),
    "AdamW": lambda: decayed(AdamW, weight_decay=0.01),
    "Adam without decay": lambda: decayed(Adam),
    "Adam, matrices alone": lambda: decayed(Adam, matrices_alone),
    "SGD with decay": lambda: decayed(SGD, weight_decay=1e-4, momentum=0.9),
    "decoupled Adam": lambda: decayed(Adam, weight_decay=0.01, decoupled_weight_decay=True),
    "not divided": lambda: divided(1),
    "accumulated and divided": lambda: divided(4, every=4),
    "weighted": lambda: divided(1.7),
    "scaled up": lambda: divided(0.5),
    "whole passes": lambda: left_early(16, shuffle=False, passes=4),
    "parts of shuffled passes": lambda: left_early(3, shuffle=True),
    "next(iter()), shuffled": lambda: next_of_iter(shuffle=True),
    "nearly whole passes": lambda: left_early(15, shuffle=False, passes=4),
    "a target of its own": lambda: with_target(copy.deepcopy),
    "a target made anew": lambda: with_target(lambda _: network()),
    "layers of their own": lambda: stacked([nn.Linear(16, 16) for _ in range(3)]),
    "one ReLU in many places": lambda: stacked([nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU()]),
    "an average with its buffers": lambda: moving_average(lambda a, m: ema(a, m, buffers=True)),
    "AveragedModel, which copies buffers": lambda: moving_average(of_averaged_model, copy_of=averaged_model),
    "AveragedModel with averaged buffers": lambda: moving_average(
        of_averaged_model, copy_of=lambda model: averaged_model(model, use_buffers=True)
    ),
    "update_bn before measuring": lambda: moving_average(
        lambda a, m: (of_averaged_model(a, m), a.train(), update_bn([IMAGES], a)), copy_of=averaged_model
    ),
    "resumed with its state": lambda: resumed(True),
    "resumed at another lr": lambda: resumed(False, new_lr=0.001),
    "plain SGD resumed": lambda: resumed(False, SGD),
    "the same model goes on with its state": lambda: resumed(True, new_model=False),
}  # fmt: skip
CASES = [(name, form, program) for name, forms in FAULTS.items() for form, program in forms.items()]


def diagnosed(program):
    torch.manual_seed(0)
    with doctor.watch() as report:
        program()
    return report.findings


@pytest.mark.parametrize(("name", "program"), [(n, p) for n, _, p in CASES], ids=[f"{n}: {f}" for n, f, _ in CASES])
def test_a_fault_of_this_kind_is_named_first(name, program):
    found = diagnosed(program)
    assert [finding.name for finding in found][:1] == [name]
    assert found[0].seen


@pytest.mark.parametrize("program", SOUND.values(), ids=list(SOUND))
def test_a_sound_loop_is_told_no_fault(program):
    assert [finding.name for finding in diagnosed(program) if finding.severity != "note"] == []
    assert not {finding.name for finding in diagnosed(program)} & {"clipping-always", "coupled-weight-decay"}


def test_each_kind_has_four_forms_and_as_many_neighbours():
    assert all(len(forms) >= 4 for forms in FAULTS.values())
    assert len(SOUND) >= 3 * len(FAULTS)


def test_what_a_network_made_is_no_fault_of_the_data():
    """A generator that runs away gives its critic inputs that are not finite; the cause is the step."""

    def game():
        maker, critic = network(), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        optimizer = SGD([*maker.parameters(), *critic.parameters()], lr=1e4)
        for images, _ in itertools.islice(forever(), 20):
            optimizer.zero_grad()
            (critic(maker(images)) ** 2).mean().backward()
            optimizer.step()

    found = {finding.name for finding in diagnosed(game)}
    assert "learning-rate-too-high" in found
    assert not found & {"not-finite", "inputs-not-scaled"}


def test_a_copy_that_is_only_measured_and_never_changes_gets_no_more_than_a_note():
    """It may be a reference, or an average that nobody renews."""
    (finding,) = diagnosed(lambda: moving_average(lambda a, m: None))
    assert (finding.name, finding.severity) == ("measured-copy-never-changes", "note")
