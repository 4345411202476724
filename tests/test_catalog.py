"""The tables agree with the installed torch, say so when they do not, and hold its own numbers."""

import pytest
import torch
from torch.optim import lr_scheduler

from course_utils.catalog import gaps, optimizers, parameters, schedulers
from course_utils.catalog.optimizer_texts import OPTIMIZER_NOTES
from course_utils.catalog.scheduler_texts import SCHEDULER_NOTES
from tests.helpers.torch_today import (
    OPTIMIZER_NAMES,
    PARAMETERS_OF_OPTIMIZERS,
    PARAMETERS_OF_SCHEDULERS,
    SCHEDULER_NAMES,
    an_optimizer,
    weight,
)

TRIED_WITH_OPTIMIZERS = [(name, each) for name, each in PARAMETERS_OF_OPTIMIZERS if each.worth_trying]
TRIED_WITH_SCHEDULERS = [(name, each) for name, each in PARAMETERS_OF_SCHEDULERS if each.worth_trying]


def ids(pairs):
    return [f"{name}-{each.name}" for name, each in pairs]


# --- What torch has is explained, and nothing else -------------------------------------------------------------------


def test_everything_that_torch_has_is_explained_and_nothing_more():
    assert gaps() == ()


def test_the_optimizers_are_those_that_torch_declares():
    declared = {
        name
        for name in torch.optim.__all__
        if isinstance(getattr(torch.optim, name), type) and name != "Optimizer"
    }  # fmt: skip
    assert set(OPTIMIZER_NAMES) == declared


def test_the_schedulers_are_those_that_torch_declares():
    assert set(SCHEDULER_NAMES) == set(lr_scheduler.__all__) - {"LRScheduler"}


class Fast(torch.optim.SGD):
    """An optimizer that a later torch might have."""

    def __init__(self, params, lr=0.5, warp=9):
        super().__init__(params, lr=lr)


class Steep(lr_scheduler.StepLR):
    """A scheduler that a later torch might have."""

    def __init__(self, optimizer, slope=3):
        super().__init__(optimizer, slope)


def test_a_new_optimizer_of_torch_is_reported(monkeypatch):
    monkeypatch.setattr(torch.optim, "Fast", Fast, raising=False)
    assert gaps() == ("Fast is not explained", "Fast(warp=...) is not explained")


def test_a_new_optimizer_of_torch_is_in_the_table_all_the_same(monkeypatch):
    monkeypatch.setattr(torch.optim, "Fast", Fast, raising=False)
    assert (optimizers()["Fast"].default_lr, parameters("Fast")["warp"].default) == (0.5, 9)


def test_a_new_scheduler_of_torch_is_reported(monkeypatch):
    monkeypatch.setattr(lr_scheduler, "Steep", Steep, raising=False)
    assert gaps() == ("Steep is not explained", "Steep(slope=...) is not explained")


def test_a_new_scheduler_of_torch_is_in_the_table_all_the_same(monkeypatch):
    monkeypatch.setattr(lr_scheduler, "Steep", Steep, raising=False)
    assert "not explained" in schedulers()["Steep"].does


def test_a_new_parameter_of_an_optimizer_is_reported(monkeypatch):
    class Adagrad(torch.optim.Adagrad):
        def __init__(self, params, lr=0.01, lr_decay=0, initial_accumulator_value=0, twist=1):
            super().__init__(params)

    monkeypatch.setattr(torch.optim, "Adagrad", Adagrad)
    assert gaps() == ("Adagrad(twist=...) is not explained",)


def test_an_optimizer_that_torch_has_no_longer_is_reported(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    assert gaps() == ("Muon is explained, but torch has it no longer",)


def test_a_scheduler_that_torch_has_no_longer_is_reported(monkeypatch):
    monkeypatch.delattr(lr_scheduler, "CyclicLR")
    assert gaps() == ("CyclicLR is explained, but torch has it no longer",)


def test_a_parameter_that_an_optimizer_has_no_longer_is_reported(monkeypatch):
    class Adadelta(torch.optim.Adadelta):
        def __init__(self, params, lr=1.0, eps=1e-6):
            super().__init__(params)

    monkeypatch.setattr(torch.optim, "Adadelta", Adadelta)
    assert gaps() == ("Adadelta(rho=...) is explained, but torch has it no longer",)


@pytest.mark.parametrize("notes", [OPTIMIZER_NOTES, SCHEDULER_NOTES])
def test_a_shared_note_that_nothing_uses_is_reported(monkeypatch, notes):
    monkeypatch.setitem(notes, "zeal", "how eager it is")
    assert gaps() == ("zeal=... is explained, but nothing uses that note",)


def test_private_names_and_base_classes_are_no_optimizers_or_schedulers():
    assert not {"Optimizer", "LRScheduler", "_LRScheduler"} & {*OPTIMIZER_NAMES, *SCHEDULER_NAMES}


# --- The numbers are those of torch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_the_defaults_are_those_of_an_optimizer_made_without_options(name):
    made = getattr(torch.optim, name)([weight()]).defaults
    stated = {each.name: each.default for each in parameters(name) if not each.required and each.default is not None}
    assert stated == {key: made[key] for key in stated}


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_the_default_lr_is_that_of_an_optimizer_made_without_options(name):
    assert optimizers()[name].default_lr == getattr(torch.optim, name)([weight()]).defaults["lr"]


@pytest.mark.parametrize(("name", "each"), TRIED_WITH_OPTIMIZERS, ids=ids(TRIED_WITH_OPTIMIZERS))
def test_torch_accepts_every_value_called_worth_trying_for_an_optimizer(name, each):
    for value in each.worth_trying:
        options = {"momentum": 0.9} if each.name == "nesterov" else {}
        made = getattr(torch.optim, name)([weight()], **options, **{each.name: value})
        assert made.defaults[each.name] == value


@pytest.mark.parametrize(("name", "each"), TRIED_WITH_SCHEDULERS, ids=ids(TRIED_WITH_SCHEDULERS))
def test_torch_accepts_every_value_called_worth_trying_for_a_scheduler(name, each):
    needed = {other.name: other.worth_trying[0] for other in parameters(name) if other.required and other.worth_trying}
    if name == "OneCycleLR":
        needed["total_steps"] = 31
    if name == "SequentialLR":
        needed["milestones"], needed["schedulers"] = [20], []
    for value in each.worth_trying:
        optimizer = an_optimizer()
        options = needed | {each.name: value}
        if name == "SequentialLR":
            parts = [lr_scheduler.StepLR(optimizer, 5) for _ in range(len(options["milestones"]) + 1)]
            options["schedulers"] = parts
        assert getattr(lr_scheduler, name)(optimizer, **options)


@pytest.mark.parametrize("entry", [*optimizers(), *schedulers()], ids=lambda entry: entry.name)
def test_a_numeric_default_lies_within_the_values_worth_trying(entry):
    for each in entry.parameters:
        numbers = [value for value in each.worth_trying if isinstance(value, (int, float))]
        if numbers and isinstance(each.default, (int, float)) and each.name != "step_size_up":  # 2000 needs no sample
            assert min(numbers) <= each.default <= max(numbers), each.name


@pytest.mark.parametrize("pairs", [PARAMETERS_OF_OPTIMIZERS, PARAMETERS_OF_SCHEDULERS])
def test_the_values_worth_trying_are_sorted(pairs):
    unsorted = [
        f"{owner}.{each.name}"
        for owner, each in pairs
        if all(isinstance(value, (int, float)) for value in each.worth_trying)
        and list(each.worth_trying) != sorted(each.worth_trying)
    ]
    assert unsorted == []
