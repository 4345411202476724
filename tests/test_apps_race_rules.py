"""The arithmetic of the page, run by Node: the rules and surfaces are those of torch, the words are true."""

import json
import random
import re

import pytest
import torch

from course_utils.algorithms import ALGORITHMS
from course_utils.apps import OptimizerRace
from course_utils.apps.race.state import OPTIMIZERS, SURFACES, paths_of, surface_of
from course_utils.descent import descend
from course_utils.surfaces import BEALE, RAVINE, ROSENBROCK, SADDLE, quadratic
from tests.helpers.javascript import APPS, RACE, Node

# Around a minimum RMSprop may jump about chaotically, so that one rounding more or less decides where it is 100 steps
# later, in torch as well. Its learning rates here are such that it is still on its way after 200 steps.
CASES = [
    ("sgd", "SGD", RAVINE, {"lr": 0.09}),
    ("sgd", "SGD", RAVINE, {"lr": 0.05, "weight_decay": 0.2}),
    ("sgd", "SGD", RAVINE, {"lr": 0.02, "momentum": 0.9}),
    ("sgd", "SGD", BEALE, {"lr": 0.002, "momentum": 0.9, "dampening": 0.5}),
    ("sgd", "SGD", BEALE, {"lr": 0.001, "momentum": 0.9, "nesterov": True}),
    ("sgd", "SGD", SADDLE, {"lr": 0.05, "momentum": 0.7, "dampening": 0.2, "weight_decay": 0.1}),
    ("sgd", "SGD", SADDLE, {"lr": 0.05, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1}),
    ("sgd", "SGD", quadratic(3), {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("rmsprop", "RMSprop", BEALE, {"lr": 0.02}),
    ("rmsprop", "RMSprop", BEALE, {"lr": 0.005, "alpha": 0.9, "eps": 0.01}),
    ("rmsprop", "RMSprop", RAVINE, {"lr": 0.02, "momentum": 0.8, "weight_decay": 0.1}),
    ("rmsprop", "RMSprop", BEALE, {"lr": 0.005, "centered": True, "eps": 0.01}),
    ("rmsprop", "RMSprop", SADDLE, {"lr": 0.002, "centered": True, "momentum": 0.5, "eps": 0.1, "alpha": 0.95}),
    ("rmsprop", "RMSprop", quadratic(3), {"lr": 0.05, "maximize": True}),
    ("adagrad", "Adagrad", BEALE, {"lr": 0.5}),
    ("adagrad", "Adagrad", RAVINE, {"lr": 0.5, "lr_decay": 0.05, "eps": 0.1}),
    ("adagrad", "Adagrad", ROSENBROCK, {"lr": 0.3, "initial_accumulator_value": 2.0, "weight_decay": 0.3}),
    ("adagrad", "Adagrad", quadratic(3), {"lr": 0.5, "maximize": True}),
    ("adam", "Adam", BEALE, {"lr": 0.1}),
    ("adam", "Adam", RAVINE, {"lr": 0.3, "betas": (0.5, 0.9), "eps": 0.01}),
    ("adam", "Adam", ROSENBROCK, {"lr": 0.1, "weight_decay": 0.5}),
    ("adam", "Adam", SADDLE, {"lr": 0.05, "amsgrad": True}),
    ("adam", "Adam", BEALE, {"lr": 0.1, "betas": (0.0, 0.99)}),
    ("adam", "Adam", quadratic(3), {"lr": 0.1, "maximize": True}),
    ("adamw", "AdamW", BEALE, {"lr": 0.1}),
    ("adamw", "AdamW", RAVINE, {"lr": 0.3, "weight_decay": 0.5, "betas": (0.8, 0.99)}),
    ("adamw", "AdamW", ROSENBROCK, {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True, "eps": 1e-4}),
    ("adamw", "AdamW", quadratic(3), {"lr": 0.1, "weight_decay": 0.2, "maximize": True}),
]


@pytest.fixture(scope="module")
def page():
    """What the page computes, asked of Node."""
    modules = (RACE / f"{name}.js" for name in ("rules", "surfaces", "run", "words"))
    with Node(*modules, APPS / "common" / "page" / "numbers.js") as node:
        node("(facts) => { globalThis.facts = facts }", OptimizerRace()._facts)
        yield node


def key_of(surface):
    known = {id(value): key for key, value in SURFACES.items()}
    return known.get(id(surface), "Quadratic")


def map_of(surface):
    return {"xlim": surface.xlim, "ylim": surface.ylim}


def state_of(race, **changes):
    """The settings of a race as its page has them."""
    return {**race._answer["settings"], **changes}


def raced(page, race):
    """The paths of a race as the page computes them."""
    paths = page(
        """([state, map]) => Object.fromEntries(state.optimizers.map(
            (name) => [name, pathOf(facts.algorithms[name], state, map)]))""",
        [state_of(race), map_of(surface_of(race.surface, race.condition_number))],
    )
    assert list(paths) == list(race.optimizers)
    return paths


@pytest.mark.parametrize(("rule", "name", "surface", "options"), CASES, ids=lambda value: str(value)[:60])
def test_a_rule_takes_the_path_of_torch_with_every_option(page, rule, name, surface, options):
    theirs = descend(surface, lambda p: getattr(torch.optim, name)(p, **options), steps=200)
    ours = page(
        f"([key, options, map, run]) => descend({rule}, options, LANDSCAPES[key], map, run).points",
        [key_of(surface), options, map_of(surface), {"start": surface.start, "steps": 200, "condition_number": 3}],
    )
    assert len(theirs.points) == 201
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs.points, rtol=1e-9, atol=1e-11)


def test_every_option_of_torch_that_changes_a_path_is_among_the_cases():
    speed_only = {"foreach", "fused", "capturable", "differentiable", "params", "self", "decoupled_weight_decay"}
    for name in ("SGD", "RMSprop", "Adagrad", "Adam", "AdamW"):
        known = set(getattr(torch.optim, name).__init__.__annotations__) - speed_only - {"return"}
        used = {option for _, other, _, options in CASES if other == name for option in options}
        assert known - used == set(), name


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_and_its_gradient_are_those_of_the_package(page, name):
    surface = surface_of(name, 7.5)
    x = torch.linspace(*surface.xlim, 23, dtype=torch.float64)
    y = torch.linspace(*surface.ylim, 17, dtype=torch.float64)
    points = torch.cartesian_prod(x, y).requires_grad_()
    losses = surface(points[:, 0], points[:, 1])
    (gradient,) = torch.autograd.grad(losses.sum(), points)
    theirs = torch.cat([losses[:, None], gradient], dim=1).detach()
    ours = page(
        "([name, points]) => points.map(([x, y]) => "
        "[LANDSCAPES[name].loss(x, y, 7.5), ...LANDSCAPES[name].gradient(x, y, 7.5)])",
        [name, points.tolist()],
    )
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs, rtol=1e-9, atol=1e-11)


def test_the_page_knows_exactly_the_surfaces_and_racers_of_the_package(page):
    assert page("() => Object.keys(LANDSCAPES)") == list(SURFACES)


@pytest.mark.parametrize("number", [1, 20, 100])
def test_the_contour_levels_of_the_bowl_are_those_of_the_package(page, number):
    assert page("(number) => bowlLevels(number)", number) == pytest.approx(list(quadratic(number).levels), rel=1e-12)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_whole_race_is_the_one_of_the_kernel(page, surface):
    options = {"momentum": 0.8, "dampening": 0.1, "alpha": 0.95, "beta1": 0.8, "beta2": 0.99, "weight_decay": 0.03}
    lr = {"RMSprop": 0.001}  # see CASES
    race = OptimizerRace(surface, OPTIMIZERS, lr=lr, steps=200, condition_number=9, **options)
    ours, theirs = raced(page, race), paths_of(race.state())
    for name, path in theirs.items():
        points = torch.tensor(ours[name]["points"], dtype=torch.float64)
        torch.testing.assert_close(points, path.points, rtol=1e-9, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}")


def any_values(algorithm, seed):
    """A value for every free option, out of its whole range."""
    dice = random.Random(f"{algorithm.name} {seed}")
    return {option.name: round(dice.uniform(option.low, option.high), 3) for option in algorithm.free}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("surface", [RAVINE, SADDLE], ids=lambda surface: surface.name)
@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=lambda algorithm: algorithm.name)
def test_the_rule_of_every_algorithm_is_that_of_its_class_whatever_its_free_options(page, algorithm, surface, seed):
    """Twenty steps: so soon no rounding has been amplified, whichever options were drawn."""
    values = any_values(algorithm, seed)
    lr = 0.1 * algorithm.lr[surface.name]
    theirs = descend(surface, lambda p: algorithm.make(p, lr=lr, values=values), steps=20)
    state = {**values, "lr": {algorithm.name: lr}, "surface": surface.name, "start": surface.start, "steps": 20}
    ours = page(
        "([name, state, map]) => pathOf(facts.algorithms[name], { condition_number: 1, ...state }, map).points",
        [algorithm.name, state, map_of(surface)],
    )
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs.points, rtol=1e-9, atol=1e-11)


def test_every_algorithm_has_its_rule_under_the_name_of_its_class(page):
    assert set(page("() => Object.keys(RULES)")) == {algorithm.rule for algorithm in ALGORITHMS.values()}


@pytest.mark.parametrize("lr", [0.101, 0.11, 0.5, 5.0])
def test_a_path_leaves_the_map_and_ends_at_the_steps_that_the_kernel_says(page, lr):
    race = OptimizerRace(RAVINE, OPTIMIZERS, lr=lr, steps=300)
    ours, theirs = raced(page, race), race.paths()
    told = {name: (path["leftMapAt"], path["divergedAt"], len(path["points"])) for name, path in ours.items()}
    assert told == {name: (path.left_map_at, path.diverged_at, len(path.points)) for name, path in theirs.items()}


def test_a_path_that_comes_back_has_not_left_for_good(page):
    (path,) = raced(page, OptimizerRace(RAVINE, ["Momentum"], lr=0.17, momentum=0.9, steps=300)).values()
    assert path["leftMapAt"] is not None
    assert path["leftForGoodAt"] is None


def test_a_divergence_is_told_in_words(page):
    (path,) = raced(page, OptimizerRace(RAVINE, ["SGD"], lr=0.5, steps=300)).values()
    assert page("([path]) => fate(path, 300)", [path]) == "left the map at step 1"


def test_before_a_path_leaves_the_map_its_loss_is_told(page):
    race = OptimizerRace(RAVINE, ["SGD"], lr=0.1045, steps=60)
    (path,), step = raced(page, race).values(), race.paths()["SGD"].left_map_at
    words = [page("([path, step]) => fate(path, step)", [path, k]) for k in (step - 1, step)]
    assert words[0].startswith("loss ")
    assert words[1] == f"left the map at step {step}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", "0"), ("-0", "0"), ("12", "12"), ("-0.5", "−0.5"), ("1/3", "0.3333"), ("123456", "1.235e5"),
        ("-1e-7", "−1e−7"), ("5e-324", "0"), ("NaN", "too large"), ("Infinity", "too large"), ("-1/0", "too large"),
        ("0.1+0.2", "0.3"), ("99999.9", "1e5"), ("1e300", "1e300"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_readers(page, value, words):
    assert page(f"() => written({value})") == words


def rows_of(page, race, name, step):
    """The arithmetic of one step, and the path it belongs to."""
    race.optimizers = [name]
    path = raced(page, race)[name]
    code = """([name, state, path, step]) => {
        const algorithm = facts.algorithms[name];
        return arithmetic(algorithm.rule, stepInFull(algorithm, state, path, step));
    }"""
    return page(code, [name, state_of(race), path, step]), path


def value_of(text):
    """What an expression on the page comes to: its signs are those of print, not of Python."""
    plain = text.replace("−", "-").replace("·", "*").replace("²", "**2")
    assert re.fullmatch(r"[\d.e()+\-*/ ]+", plain), plain
    return eval(plain)


STEPS_IN_WORDS = [(name, step, decay) for name in OPTIMIZERS for step in (1, 2, 40) for decay in (0.0, 0.3)]


@pytest.mark.parametrize(("name", "step", "decay"), STEPS_IN_WORDS)
def test_the_written_arithmetic_comes_to_the_written_result(page, name, step, decay):
    rows, _ = rows_of(page, OptimizerRace(BEALE, weight_decay=decay, dampening=0.25), name, step)
    for row in rows:
        for text, result in zip(row["texts"], row["values"], strict=True):
            numbers = [abs(float(number)) for number in re.findall(r"\d[\d.]*(?:e-?\d+)?", text.replace("−", "-"))]
            if text:
                assert value_of(text) == pytest.approx(result, abs=1e-3 * max([*numbers, abs(result)])), json.dumps(row)


@pytest.mark.parametrize(("name", "step", "decay"), STEPS_IN_WORDS)
def test_the_written_step_leads_from_one_point_of_the_path_to_the_next(page, name, step, decay):
    rows, path = rows_of(page, OptimizerRace(BEALE, weight_decay=decay, dampening=0.25), name, step)
    assert rows[0]["values"] == path["points"][step - 1]
    assert rows[-1]["values"] == path["points"][step]


def test_the_bias_correction_is_written_with_the_number_of_the_step(page):
    rows, _ = rows_of(page, OptimizerRace(BEALE), "Adam", 40)
    rules = {row["symbol"]: row["rule"] for row in rows}
    assert (rules["m̂"], rules["v̂"]) == ("m / (1 − β₁^40)", "v / (1 − β₂^40)")


def test_momentum_zero_is_written_as_plain_sgd(page):
    race = OptimizerRace(BEALE, momentum=0.0)
    symbols = {name: [row["symbol"] for row in rows_of(page, race, name, 3)[0]] for name in ("SGD", "Nesterov")}
    assert symbols["SGD"] == symbols["Nesterov"] == ["p", "g", "p"]


@pytest.mark.parametrize("step", [0, 301])
def test_there_is_no_arithmetic_before_the_first_and_after_the_last_step(page, step):
    race = OptimizerRace(BEALE, ["Adam"], steps=300)
    path = raced(page, race)["Adam"]
    told = page("([s, p, k]) => stepInFull(facts.algorithms.Adam, s, p, k)", [state_of(race), path, step])
    assert told is None
