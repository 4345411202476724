"""The clinic of notebook 04: its five loops are as ill as it says, and its solutions cure them."""

import math
import re
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import MultiStepLR, StepLR

from course_utils.checks import check_diagnoses, check_repairs, clinic
from course_utils.checks.visit import examined
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
    return cache(examined)


@pytest.fixture
def each_visited_once(visited: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinic, "examined", visited)


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
    verdict = check_diagnoses(broken, {**diagnoses, "B": "missing-step"})
    assert not verdict
    assert "softmax in 20 of 20 calls" in verdict.message
    assert diagnoses["B"] not in verdict.message


def test_a_healthy_loop_cannot_be_diagnosed(repaired: dict[str, Loop]) -> None:
    assert "healthy" in check_diagnoses({"A": repaired["A"]}, {"A": "missing-zero-grad"}).message


@pytest.mark.parametrize("loops", [None, {}, [len]])
def test_what_are_no_loops_is_said_in_words(loops: Any) -> None:
    assert "leave the dict as it was" in check_repairs(loops).message
    assert "leave the dict as it was" in check_diagnoses(loops, {"A": "missing-step"}).message


def test_diagnoses_that_are_none_are_asked_for(broken: dict[str, Loop]) -> None:
    for given in (None, {}, "A", list(LETTERS)):
        assert "expected diagnoses by their letters, got" in check_diagnoses(broken, given).message  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- letters


def test_a_foreign_letter_is_named(broken: dict[str, Loop]) -> None:
    assert "expected the letters A, B, C, D, E, got Z" in check_diagnoses(broken, {"Z": "missing-step"}).message
    assert "expected the letters A, B, C, D, E, got X" in check_repairs({"A": len, "X": len}).message
    assert "expected the letters A, got B" in check_diagnoses({"A": broken["A"]}, {"B": "missing-step"}).message


@pytest.mark.usefixtures("each_visited_once")
def test_what_is_right_so_far_is_praised_and_the_missing_letters_are_asked_for(
    broken: dict[str, Loop], repaired: dict[str, Loop]
) -> None:
    verdict = check_repairs({"B": repaired["B"], "D": repaired["D"]})
    assert verdict
    assert verdict.message == "B, D: healthy, and learning. Still to come: A, C, E."
    verdict = check_diagnoses({"A": broken["A"]}, {"A": "missing-zero-grad"})
    assert verdict
    assert verdict.message == "A: the doctor agrees. Still to come: B, C, D, E."
    verdict = check_diagnoses(broken, {"A": "missing-zero-grad"})
    assert not verdict
    assert verdict.message == "A: the doctor agrees; still missing: B, C, D, E"


def test_one_function_under_several_letters_is_named(broken: dict[str, Loop], repaired: dict[str, Loop]) -> None:
    same = "A and B are the same function"
    assert same in check_repairs(dict.fromkeys(LETTERS, repaired["C"])).message
    assert (
        same
        in check_diagnoses(dict.fromkeys(LETTERS, broken["A"]), dict.fromkeys(LETTERS, "missing-zero-grad")).message
    )
    assert "D and E are the same" in check_repairs({**repaired, "E": repaired["D"]}).message


def test_one_letter_in_two_forms_is_named(repaired: dict[str, Loop]) -> None:
    assert "a letter stands twice among 'A', 'a'" in check_repairs({"A": repaired["A"], "a": repaired["B"]}).message


@pytest.mark.usefixtures("each_visited_once")
def test_small_letters_are_letters_too(
    broken: dict[str, Loop], repaired: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_repairs({f" {letter.lower()}": loop for letter, loop in repaired.items()})
    assert check_diagnoses(broken, {letter.lower(): name for letter, name in diagnoses.items()})


def test_what_is_no_loop_under_every_letter_is_said_in_words() -> None:
    assert "expected a function, got 1.0" in check_repairs(dict.fromkeys(LETTERS, 1.0)).message  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------- what it returns


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
    ("returned", "words"),
    [
        (None, "must return its losses"),
        ([2.3], "returned 1 loss; return one for every batch"),
        (["x"], "must return"),
        ([math.nan] * 20, "the loss of loop A became NaN at update 1"),
        ([2.3] * 7 + [math.inf] * 13, "the loss of loop A became inf at update 8"),
    ],
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
@pytest.mark.usefixtures("each_visited_once")
def test_a_diagnosis_is_recognised_however_it_is_spelled(
    spelling: str, broken: dict[str, Loop], diagnoses: dict[str, str]
) -> None:
    assert check_diagnoses(broken, {**diagnoses, "A": spelling})


NO_NAMES: list[Any] = [
    "zero-grad", "missing-zero-gradient", "the gradients add up", "", "A", 1, True, ["missing-zero-grad"], 0.5,
    b"missing-zero-grad", len, "missing-zero-grad, missing-step",
]  # fmt: skip


@pytest.mark.parametrize("diagnosis", NO_NAMES)
def test_what_is_no_name_from_the_list_is_called_that(diagnosis: Any, broken: dict[str, Loop]) -> None:
    assert "is no name from the list" in check_diagnoses({"A": broken["A"]}, {"A": diagnosis}).message


# ------------------------------------------------------------------------------------------ repairs, right and wrong


WITH_MOMENTUM = partial(SGD, momentum=0.9)


def trained(
    *,
    lr: float = 0.02,
    epochs: int = 4,
    batches_of: Callable[[Any, int], Any] = lambda loader, epoch: loader.batches(epoch),
    optimizer_of: Callable[..., Any] = WITH_MOMENTUM,
    keep: Callable[[Any], Any] = lambda loss: None,
    prepare: Callable[..., Any] = lambda model, optimizer, epoch: optimizer,
    loss_of: Callable[..., Any] = cross_entropy,
    scheduler: Callable[[Any], Any] | None = None,
    per_batch: bool = False,
    at_the_end: int = 0,
    parameters: Callable[[Any], Any] = lambda model: model.parameters(),
    returned: Callable[[list[Any]], Any] = lambda losses: losses,
) -> Loop:
    """A sound loop, of which a part may be replaced."""

    def loop(model: Any, loader: Any) -> Any:
        optimizer, losses = optimizer_of(parameters(model), lr=lr), []
        plan = scheduler(optimizer) if scheduler else None
        for epoch in range(epochs):
            optimizer = prepare(model, optimizer, epoch)
            for images, labels in batches_of(loader, epoch):
                optimizer.zero_grad()
                loss = loss_of(model(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                keep(loss)
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


def with_its_state(model: Any, optimizer: Any, epoch: int) -> Any:
    """Another optimizer, which knows what the one before has learned."""
    new = SGD(model.parameters(), lr=0.02, momentum=0.9)
    new.load_state_dict(optimizer.state_dict())
    return new


def two_optimizers(model: Any, loader: Any) -> list[float]:
    parameters, losses = list(model.parameters()), []
    optimizers = [SGD(part, lr=0.02, momentum=0.9) for part in (parameters[:-2], parameters[-2:])]
    for epoch in range(4):
        for images, labels in loader.batches(epoch):
            model.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
    return losses


def with_a_closure(model: Any, loader: Any) -> list[float]:
    optimizer, losses = SGD(model.parameters(), lr=0.02, momentum=0.9), []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        return loss

    for _ in range(4):
        for images, labels in loader:  # noqa: B007
            losses.append(optimizer.step(closure).item())
    return losses


def there_and_back(model: Any, optimizer: Any, epoch: int) -> Any:
    """Looks at an image in evaluation mode before every epoch."""
    model.eval()
    with torch.no_grad():
        model(torch.rand(1, 3, 32, 32))
    model.train()
    return optimizer


RIGHT_REPAIRS: dict[str, tuple[str, Loop]] = {
    "D, the state carried over": ("D", trained(prepare=with_its_state)),
    "two optimizers, of a part each": ("D", two_optimizers),
    "a closure": ("D", with_a_closure),
    "Adam": ("D", trained(lr=1e-3, optimizer_of=Adam)),
    "without momentum": ("D", trained(lr=0.05, optimizer_of=SGD)),
    "epochs from 1": ("D", trained(batches_of=lambda loader, epoch: loader.batches(epoch + 1))),
    "all batches taken beforehand": ("E", trained(batches_of=lambda loader, epoch: list(loader.batches(epoch)))),
    "images in another range": (
        "E",
        trained(batches_of=lambda loader, epoch: ((2 * x - 0.2, y) for x, y in loader.batches(epoch))),
    ),
    "evaluation mode between the epochs": ("E", trained(prepare=there_and_back)),
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
@pytest.mark.usefixtures("each_visited_once")
def test_an_honest_repair_is_accepted(letter: str, loop: Loop, repaired: dict[str, Loop]) -> None:
    verdict = check_repairs({**repaired, letter: loop})
    assert verdict, verdict.message


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


def made_anew(**options: Any) -> Loop:
    """Prepares each epoch with another optimizer, not quite that of the epoch before."""
    return lambda model, optimizer, epoch: SGD(
        model.parameters(), **{"lr": 0.02, "momentum": 0.9, **{name: of(epoch) for name, of in options.items()}}
    )


def emptied(model: Any, optimizer: Any, epoch: int) -> Any:
    optimizer.state.clear()
    return optimizer


def zeroed(model: Any, optimizer: Any, epoch: int) -> Any:
    for state in optimizer.state.values():
        state["momentum_buffer"].zero_()
    return optimizer


def set_back(model: Any, optimizer: Any, epoch: int) -> Any:
    optimizer.load_state_dict(SGD(model.parameters(), lr=0.02, momentum=0.9).state_dict())
    return optimizer


def evaluating(model: Any, optimizer: Any, epoch: int) -> Any:
    model.eval()
    return optimizer


def one_batch(loader: Any, epoch: int) -> list[Any]:
    return [next(iter(loader.batches(epoch)))] * 5


def half_of_each(loader: Any, epoch: int) -> Any:
    return ((images[:16], labels[:16]) for images, labels in loader.batches(epoch))


def left_evaluating(model: Any, loader: Any) -> list[float]:
    losses: list[float] = trained()(model, loader)
    model.eval()
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
    "D, another lr each time": (
        "D", trained(prepare=made_anew(lr=lambda epoch: 0.02 - 1e-6 * epoch)), "after 5 updates",
    ),
    "D, another decay each time": (
        "D", trained(prepare=made_anew(weight_decay=lambda epoch: 1e-9 * epoch)), "after 5 updates",
    ),
    "D, made anew without momentum": ("D", trained(prepare=made_anew(momentum=lambda epoch: 0.0)), "knows nothing"),
    "D, its state emptied": ("D", trained(prepare=emptied), "after 5 updates loop D goes on with"),
    "D, its buffers zeroed": ("D", trained(prepare=zeroed), "knows nothing of what was before"),
    "D, its state set back": ("D", trained(prepare=set_back), "knows nothing of what was before"),
    "one batch, twenty times": ("D", trained(batches_of=lambda loader, _: one_batch(loader, 0)), "still finds faults"),
    "one batch of each epoch": ("D", trained(batches_of=one_batch), "trains on 32 of the 160 images in epoch 1"),
    "half of each batch": ("D", trained(batches_of=half_of_each), "trains on 80 of the 160 images in epoch 1"),
    "epoch 0 again and again": (
        "D", trained(batches_of=lambda loader, epoch: loader.batches(0)), "the same batches in more than one epoch",
    ),
    "two epochs, twice": (
        "D", trained(batches_of=lambda loader, epoch: loader.batches(epoch % 2)), "the same batches in more than one",
    ),
    "eight epochs": ("D", trained(epochs=8), "made 40 updates; 4 epochs of 5 batches are 20"),
    "evaluation mode": ("D", trained(prepare=evaluating), "trains in evaluation mode"),
    "left in evaluation mode": ("D", left_evaluating, "or leaves the network in it"),
    "E, the last three kept": ("E", trained(keep=deque(maxlen=3).append), "keeps up to 4 graphs at once"),
    "E, the last one kept": ("E", trained(keep=deque(maxlen=1).append), "keeps up to 2 graphs at once"),
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
