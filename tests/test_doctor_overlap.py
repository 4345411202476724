"""Were the measured images also trained on? Folds of a cross-validation, and loops that only look like it."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import doctor
from tests.helpers.doctor_programs import mlp

NAME = "same-images-in-both-splits"
EPOCHS = 5


def train(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def measure(model, batches):
    with torch.no_grad():
        for x, _ in batches:
            model(x)


def data(n=96):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 20, generator=generator), torch.randint(4, (n,), generator=generator)


def cut(x, y):
    return list(zip(x.split(8), y.split(8), strict=True))


def loaded(x, y):
    return DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)


def folds(batches, anew):
    """Three folds of one model, which ``anew`` may change before each."""
    torch.manual_seed(0)
    (x, y), model = data(), mlp()
    start = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    rows = torch.arange(len(x)).chunk(3)
    for held in rows:
        anew(model, start)
        rest = torch.cat([other for other in rows if other is not held])
        training, testing = batches(x[rest], y[rest]), batches(x[held], y[held])
        for _ in range(EPOCHS):
            train(model, optimizer, training)
            measure(model, testing)


def same(model, start):
    """The model goes on."""


def back(model, start):
    model.load_state_dict(start)


def drawn(model, start):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()


def names(program, *args):
    with doctor.watch() as report:
        program(*args)
    assert report.recording.stumble == ""
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("batches", [cut, loaded])
def test_folds_that_share_a_model_are_named(batches):
    assert NAME in names(folds, batches, same)


@pytest.mark.parametrize("batches", [cut, loaded])
@pytest.mark.parametrize("anew", [back, drawn])
def test_folds_whose_model_begins_anew_are_not(batches, anew):
    assert NAME not in names(folds, batches, anew)


def two_tasks():
    """First one task and then another; both are measured all the time."""
    torch.manual_seed(0)
    (x, y), model = data(), mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    first, second = cut(x[:48], y[:48]), cut(x[48:], y[48:])
    for task in (first, second):
        for _ in range(EPOCHS):
            train(model, optimizer, task)
            measure(model, first)
            measure(model, second)


def trained_again_on_all():
    """The accuracy on both parts is measured at the end of the first training; the second one has both."""
    torch.manual_seed(0)
    (x, y), model = data(), mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    first, held = cut(x[:64], y[:64]), cut(x[64:], y[64:])
    for _ in range(EPOCHS):
        train(model, optimizer, first)
        measure(model, held)
    measure(model, first)
    for _ in range(EPOCHS):
        train(model, optimizer, first + held)


@pytest.mark.parametrize("program", [two_tasks, trained_again_on_all])
def test_what_is_still_learned_or_always_measured_is_no_fold(program):
    assert NAME not in names(program)
