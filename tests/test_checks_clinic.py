"""The clinic of notebook 04: its five loops are as ill as it says, and its solutions cure them."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.optim import SGD
from torch.optim.lr_scheduler import MultiStepLR, StepLR

from course_utils.checks import check_diagnoses, check_repairs, clinic
from course_utils.doctor.rules import RULES
from tests.helpers.lessons import lesson

CLINIC = lesson("04_lr_scheduler", since="## 7 The clinic")
LETTERS = "ABCDE"

Loop = Callable[..., Any]


def names_after(*sources: str) -> dict[str, Any]:
    names: dict[str, Any] = {"cross_entropy": cross_entropy, "SGD": SGD, "StepLR": StepLR}
    for source in sources:
        exec(source, names)
    return names


def loops_in(names: dict[str, Any]) -> dict[str, Loop]:
    return {letter: names[f"loop_{letter.lower()}"] for letter in LETTERS}


@pytest.fixture(scope="module")
def broken() -> dict[str, Loop]:
    return loops_in(names_after(*(text for text in CLINIC.sources("code") if text.startswith("def loop_"))))


@pytest.fixture(scope="module")
def repaired() -> dict[str, Loop]:
    return loops_in(names_after(CLINIC.solutions()[1]))


@pytest.fixture(scope="module")
def diagnoses() -> dict[str, str]:
    found: dict[str, str] = names_after(CLINIC.solutions()[0])["diagnoses"]
    return found


@pytest.fixture(scope="module")
def visited() -> Loop:
    """A visit that is made once for each loop."""
    return cache(clinic._examined)


def test_the_diagnoses_of_the_solution_are_those_of_the_doctor(
    broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_diagnoses(broken, diagnoses)


def test_the_loops_of_the_solution_are_healthy_and_learn(repaired: dict[str, Loop]) -> None:
    assert check_repairs(repaired)


@pytest.mark.parametrize("letter", LETTERS)
def test_a_broken_loop_that_is_handed_in_as_repaired_is_refused_without_the_name_of_its_fault(
    letter: str, broken: dict[str, Loop], repaired: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    verdict = check_repairs({**repaired, letter: broken[letter]})
    assert not verdict
    assert f"still finds faults in loop {letter};" in verdict.message
    assert diagnoses[letter] not in verdict.message


def test_the_names_to_choose_from_are_names_of_the_doctor_and_hold_the_right_ones(diagnoses: dict[str, str]) -> None:
    listed = next(text for text in CLINIC.sources("markdown") if text.startswith("### Exercise 5"))
    choices = set(re.findall(r'`"([a-z-]+)"`', listed))
    assert choices <= {rule.name for rule in RULES}
    assert set(diagnoses.values()) < choices


def test_a_missing_diagnosis_is_asked_for(broken: dict[str, Loop]) -> None:
    assert "no diagnosis yet" in check_diagnoses(broken, dict.fromkeys(LETTERS)).message


def test_a_wrong_diagnosis_gets_a_measurement_and_not_the_name(
    broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    verdict = check_diagnoses({"B": broken["B"]}, {"B": "missing-step"})
    assert not verdict
    assert "softmax in 20 of 20 calls" in verdict.message
    assert diagnoses["B"] not in verdict.message


def test_a_healthy_loop_cannot_be_diagnosed(repaired: dict[str, Loop]) -> None:
    assert "healthy" in check_diagnoses({"A": repaired["A"]}, {"A": "missing-zero-grad"}).message


@pytest.mark.parametrize("loops", [None, {}, [len]])
def test_what_are_no_loops_is_said_in_words(loops: Any) -> None:
    assert "leave the dict as it was" in check_repairs(loops).message
    assert "leave the dict as it was" in check_diagnoses(loops, {"A": "missing-step"}).message


def test_letters_that_do_not_agree_are_said_in_words(broken: dict[str, Loop]) -> None:
    assert "expected the letters A" in check_diagnoses({"A": broken["A"]}, {"Z": "missing-step"}).message


def test_a_loop_that_trains_without_a_fault_but_learns_nothing_is_not_repaired(repaired: dict[str, Loop]) -> None:
    def idle(model: Any, loader: Any) -> list[float]:
        losses = repaired["A"](model, loader)
        return [losses[0]] * len(losses)

    assert "hardly learns" in check_repairs({"A": idle}).message


def test_a_loss_that_falls_by_one_percent_is_hardly_learned(repaired: dict[str, Loop]) -> None:
    def slow(model: Any, loader: Any) -> list[float]:
        repaired["A"](model, loader)
        return [1.0] * 5 + [0.99] * 5

    assert "hardly learns: loss 1.000 at first, 0.990 at last" in check_repairs({"A": slow}).message


@pytest.mark.parametrize(
    ("returned", "words"), [(None, "must return its losses"), ([2.3], "returned 1 losses"), (["x"], "must return")]
)
def test_losses_that_are_none_are_said_in_words(repaired: dict[str, Loop], returned: Any, words: str) -> None:
    def loop(model: Any, loader: Any) -> Any:
        repaired["A"](model, loader)
        return returned

    assert words in check_repairs({"A": loop}).message


def test_a_loop_that_raises_is_said_in_words() -> None:
    assert "ZeroDivisionError" in check_repairs({"A": lambda model, loader: 1 / 0}).message


# ----------------------------------------------------------------------------------- names in many forms, and no names

SPELLINGS = [
    "missing-zero-grad", "Missing-Zero-Grad", "MISSING-ZERO-GRAD", " missing-zero-grad ", "missing-zero-grad\n",
    "missing zero grad", "missing_zero_grad", "Missing zero_grad", "missing  zero  grad", '"missing-zero-grad"',
    "`missing-zero-grad`", "missing–zero–grad", np.str_("missing-zero-grad"), "missing-zero-grad.",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_diagnosis_is_recognised_however_it_is_spelled(
    spelling: str, visited: Loop, monkeypatch: pytest.MonkeyPatch, broken: dict[str, Loop]
) -> None:
    monkeypatch.setattr(clinic, "_examined", visited)
    assert check_diagnoses({"A": broken["A"]}, {"A": spelling})


NO_NAMES: list[Any] = [
    "zero-grad", "missing-zero-gradient", "the gradients add up", "", "A", 1, True, ["missing-zero-grad"], 0.5,
    b"missing-zero-grad", len, "missing-zero-grad, missing-step",
]  # fmt: skip


@pytest.mark.parametrize("diagnosis", NO_NAMES)
def test_what_is_no_name_from_the_list_is_called_that(diagnosis: Any, broken: dict[str, Loop]) -> None:
    assert "is no name from the list" in check_diagnoses({"A": broken["A"]}, {"A": diagnosis}).message


# ------------------------------------------------------------------------------------------ repairs, right and wrong


def trained(
    *,
    lr: float = 0.02,
    epochs: int = 4,
    loss_of: Callable[..., Any] = cross_entropy,
    scheduler: Callable[[Any], Any] | None = None,
    per_batch: bool = False,
    at_the_end: int = 0,
    parameters: Callable[[Any], Any] = lambda model: model.parameters(),
    returned: Callable[[list[Any]], Any] = lambda losses: losses,
) -> Loop:
    """A sound loop, of which a part may be replaced."""

    def loop(model: Any, loader: Any) -> Any:
        optimizer, losses = SGD(parameters(model), lr=lr, momentum=0.9), []
        plan = scheduler(optimizer) if scheduler else None
        for epoch in range(epochs):
            for images, labels in loader.batches(epoch):
                optimizer.zero_grad()
                loss = loss_of(model(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                if plan and per_batch:
                    plan.step()
            if plan and not per_batch and not at_the_end:
                plan.step()
        for _ in range(at_the_end):
            plan.step()
        return returned(losses)

    return loop


def as_a_generator(model: Any, loader: Any) -> Any:
    """Trains while its losses are read."""
    yield from trained()(model, loader)


def stairs(optimizer: Any) -> Any:
    return StepLR(optimizer, step_size=2, gamma=0.1)


def in_two_pieces(scores: Any, labels: Any) -> Any:
    return nll_loss(log_softmax(scores, dim=1), labels)


RIGHT_REPAIRS: dict[str, tuple[str, Loop]] = {
    "C, once per epoch": ("C", trained(scheduler=stairs)),
    "C, ten batches": ("C", trained(scheduler=lambda o: StepLR(o, step_size=10, gamma=0.1), per_batch=True)),
    "C, milestones": ("C", trained(scheduler=lambda o: MultiStepLR(o, milestones=[2], gamma=0.1))),
    "B, log_softmax first": ("B", trained(loss_of=lambda scores, y: cross_entropy(scores.log_softmax(dim=1), y))),
    "B, in two pieces": ("B", trained(loss_of=in_two_pieces)),
    "a mean by hand": ("B", trained(loss_of=lambda scores, y: -scores.log_softmax(1)[range(len(y)), y].mean())),
    "a list of parameters": ("D", trained(parameters=lambda model: list(model.parameters()))),
    "a group": ("D", trained(parameters=lambda model: [{"params": list(model.parameters())}])),
    "losses as a tensor": ("E", trained(returned=torch.tensor)),
    "losses as an array": ("E", trained(returned=np.array)),
    "losses as a tuple": ("E", trained(returned=tuple)),
    "losses one by one": ("E", trained(returned=iter)),
    "a generator": ("E", as_a_generator),
    "0-d tensors": ("E", trained(returned=lambda losses: [torch.tensor(loss) for loss in losses])),
    "numpy float32": ("E", trained(returned=lambda losses: list(np.float32(losses)))),
}


@pytest.mark.parametrize(("letter", "loop"), RIGHT_REPAIRS.values(), ids=list(RIGHT_REPAIRS))
def test_an_honest_repair_is_accepted(letter: str, loop: Loop) -> None:
    assert check_repairs({letter: loop})


def untrained(model: Any, loader: Any) -> list[float]:
    return [5 - 0.1 * number for number in range(20)]


def untrained_later(model: Any, loader: Any) -> Any:
    """A generator that promises, and trains nothing."""
    yield from untrained(model, loader)


def another_network(model: Any, loader: Any) -> Any:
    from course_utils.model import build_model

    return trained()(build_model(0), loader)


def anew_each_step(model: Any, loader: Any) -> list[float]:
    losses = []
    for epoch in range(4):
        for images, labels in loader.batches(epoch):
            optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
            optimizer.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def leaves(model: Any, loader: Any) -> None:
    raise SystemExit


def last_layer(model: Any) -> list[Any]:
    return list(model.parameters())[-2:]


def invented(losses: list[float]) -> list[float]:
    return [9 - 0.1 * number for number in range(20)]


WRONG_REPAIRS: dict[str, tuple[str, Any, str]] = {
    "no training": ("A", untrained, "made 0 updates"),
    "no training, read later": ("A", untrained_later, "made 0 updates"),
    "another network": ("A", another_network, "parameter tensors as they were"),
    "one epoch": ("B", trained(epochs=1), "made 5 updates; 4 epochs of 5 batches are 20"),
    "part of the parameters": ("B", trained(parameters=last_layer), "still finds faults in loop B"),
    "C without its scheduler": ("C", trained(), "step it once at the end of each epoch"),
    "C with an absurd step_size": (
        "C", trained(scheduler=lambda o: StepLR(o, 2000), per_batch=True), "with the lrs 0.02, 0.02",
    ),
    "C, stepped after all epochs": ("C", trained(scheduler=stairs, at_the_end=4), "lrs 0.02, 0.02, 0.02, 0.02"),
    "C, stepped every epoch": ("C", trained(scheduler=lambda o: StepLR(o, 1, 0.1)), "0.02, 0.002, 0.0002"),
    "D, made anew at each step": ("D", anew_each_step, "still finds faults in loop D"),
    "an lr of nearly nothing": ("D", trained(lr=1e-9), "still finds faults in loop D"),
    "invented losses": (
        "D", trained(lr=1e-3, returned=lambda losses: [2.3 - 0.01 * n for n in range(20)]), "hardly learned",
    ),
    "losses of another training": ("E", trained(returned=invented), "but returned"),
    "losses as words": ("E", trained(returned=lambda losses: ["fell"]), "must return its losses"),
    "a mean only": ("E", trained(returned=lambda losses: sum(losses) / len(losses)), "must return its losses"),
    "leaves the program": ("E", leaves, "SystemExit"),
}  # fmt: skip


@pytest.mark.parametrize(("letter", "loop", "words"), WRONG_REPAIRS.values(), ids=list(WRONG_REPAIRS))
def test_what_is_no_repair_is_refused_in_words(letter: str, loop: Any, words: str) -> None:
    verdict = check_repairs({letter: loop})
    assert not verdict
    assert words in verdict.message
