"""The race of notebook 04: what is stored is what the kept script makes, and the notebook draws its very shapes."""

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from benchmarks import schedules as script
from course_utils.schedules import cosine, lr_curve, step_decay, warmup_cosine
from tests.helpers.lessons import lesson

STORED: dict[str, Any] = json.loads(script.RESULTS.read_text(encoding="utf-8"))
SETTING = script.Setting()


def test_the_stored_runs_are_those_of_the_setting() -> None:
    for name in ("images", "batch", "epochs", "lrs", "tuning_seeds", "test_seeds"):
        assert STORED[name] == json.loads(json.dumps(getattr(SETTING, name)))


def test_every_contestant_had_the_same_search_and_the_same_seeds() -> None:
    assert set(STORED["runs"]) == {*script.SCHEDULES, *script.AVERAGES}
    for run in STORED["runs"].values():
        assert list(run["held_out"]) == [f"{lr:g}" for lr in SETTING.lrs]
        assert {len(losses) for losses in run["held_out"].values()} == {len(SETTING.tuning_seeds)}
        assert len(run["test"]) == len(run["accuracy"]) == len(SETTING.test_seeds) >= 4


def test_every_contestant_raced_with_its_best_lr() -> None:
    for run in STORED["runs"].values():
        best = min(run["held_out"], key=lambda lr: sum(run["held_out"][lr]))
        assert run["lr"] == float(best)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[float]]:
    """The curves of the notebook's own cell, for 100 updates."""
    (cell,) = (
        text for text in lesson("04_lr_scheduler").sources("code") if text.startswith('shapes = {\n    "constant"')
    )
    names: dict[str, Any] = {"updates": 100, "partial": partial, "cosine": cosine, "step_decay": step_decay}
    names |= {"warmup_cosine": warmup_cosine, "lr_curve": lr_curve, "OneCycleLR": OneCycleLR}
    exec(cell.partition("plots.")[0], names)
    curves: dict[str, list[float]] = names["curves"]
    return curves


@pytest.mark.parametrize("name", script.SCHEDULES)
def test_the_notebook_draws_the_shape_that_the_script_ran(name: str, drawn: dict[str, list[float]]) -> None:
    ran = lr_curve(partial(script.schedules(100)[name], total=100), epochs=1, steps_per_epoch=100, cadence="step", lr=1)
    assert np.allclose(drawn[name], ran)


def test_a_run_is_a_function_of_its_key() -> None:
    key = ("cosine", 0.01, 3)
    setting = script.Setting(images=400, batch=16, epochs=2)
    assert script.raced(setting, key) == script.raced(setting, key)


def test_the_network_depends_on_its_seed_alone() -> None:
    one, same, other = (script.small_network(seed)(torch.ones(1, 3, 32, 32)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
