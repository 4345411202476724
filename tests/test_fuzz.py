"""Whatever a public function is given, it answers, or it refuses in words that name the argument.

Every function gets good arguments with one replaced by something else: wrong types and shapes, NaN, infinity, negative,
huge and empty things. Then it may raise a TypeError, a ValueError or an error that its docstring names, from a line of
course_utils and not from deep inside a library; it may not hang, nor ask for more memory than there is.

Equal code draws equal inputs, but hypothesis also takes constants from whatever modules are loaded: this file alone may
draw others than the whole suite does. What was found once is therefore tried by name.
"""

import inspect
import pkgutil
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import course_utils
from course_utils import (
    algorithms,
    apps,
    arguments,
    catalog,
    checks,
    curvature,
    data,
    descent,
    devices,
    doctor,
    model,
    optim,
    plots,
    reading,
    schedules,
    seeding,
    surfaces,
    training,
    watch,
)
from course_utils.checks.verdict import Verdict
from tests.helpers.good_arguments import GOOD, LEFT_OUT, METHODS, METHODS_LEFT_OUT
from tests.helpers.tiny_runs import tiny_run

PACKAGE = Path(course_utils.__file__).parent
ROOMS = (
    algorithms, apps, arguments, catalog, checks, curvature, data, descent, devices, doctor, model, optim, plots,
    reading, schedules, seeding, surfaces, training, watch,
)  # fmt: skip
SECONDS = 20
tried: Counter[str] = Counter()


# --- what is given -------------------------------------------------------------------------------------------

things = st.sampled_from([
    None, ..., int, object(), len, {}, (), [], set(), b"x", "", "nonsense", "\0", 1j, 10**30, -(10**30),
    float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, -0.0, 0, -1, True, False,
])  # fmt: skip
numbers = st.integers() | st.floats() | st.booleans()
tensors = st.sampled_from([
    torch.empty(0), torch.zeros(2, 3), torch.zeros(1), torch.tensor(1.0), torch.tensor([1.0, torch.nan]),
    torch.tensor(torch.inf), torch.tensor([-1.0, 2.0]), torch.ones(3, dtype=torch.int64),
    torch.ones(2, dtype=torch.complex64),
    torch.zeros(2, dtype=torch.bool), torch.zeros(2, device="meta"),
    torch.zeros(2, 0, 3), torch.ones(2).to_sparse(), np.zeros(0), np.array(["a"]),
    np.array([1, None], dtype=object), np.zeros((2, 0)),
    np.full(3, np.nan), np.float64("nan"),
])  # fmt: skip
simple = things | numbers | tensors | st.text(max_size=3) | st.binary(max_size=3)
anything = (
    simple | st.lists(simple, max_size=3) | st.dictionaries(st.text(max_size=2) | st.integers(), simple, max_size=2)
)

# --- what it answers -----------------------------------------------------------------------------------------

#: other words for an argument, which read better in an error
OTHER_WORDS = {
    (catalog.parameters, "name"): "called",
    (training.load, "path"): "checkpoint",
    (training.save, "path"): "written|there",
    (watch.checkpointed, "path"): "written|there",
    (descent.descend_many, "lr"): "settings",
    (descent.descend_many, "momentum"): "settings",
    (plots.loss_curves, "losses"): "lines",
    (plots.lr_curves, "curves"): "lines",
    (plots.lr_range, "losses"): "lines|lrs",
    (plots.lr_range, "lrs"): "lines|x",
    (plots.bar_plot, "values"): "errors",
    ("Worker.device", "wish"): "device",
    ("ScheduleLab.change", "parameters"): "parameter",
    ("Table.only", "name"): "row",
    (apps.ScheduleLab, "parameters"): "parameter",
}

#: arguments that are called: what is a function fails in its own words, anything else is refused in ours
CALLED = {(schedules.lr_curve, "make_scheduler"), ("Table.where", "keep")}


@contextmanager
def at_most(seconds):
    def late(*_):
        raise AssertionError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def origin(error):
    """The file of the line that raised."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return Path(trace.tb_frame.f_code.co_filename)


def check_answer(function, given, argument, name=None):
    """Call; an error must come from the package and name the argument."""
    if (error := refusal(function, given)) is None:
        return
    if (name or function, argument) in CALLED and callable(given[argument]):
        return
    words = OTHER_WORDS.get((name or function, argument), argument)
    assert origin(error).is_relative_to(PACKAGE), f"raised in {origin(error)}: {error!r}"
    assert re.search(rf"\b({argument}|{words})", str(error)), f"does not name {argument}: {error!r}"


def use(answer):
    """What is lazy looks at its arguments only now."""
    if isinstance(answer, Iterator):
        list(islice(answer, 7))
    elif isinstance(answer, AbstractContextManager) and not isinstance(answer, Path):
        with answer:
            pass
    elif isinstance(answer, apps.OptimizerRace | apps.ScheduleLab | apps.LiveTraining | apps.EdgeOfStability):
        answer.close()


def refusal(function, given):
    """The error of one of the kinds that a function may raise; None if it answers."""
    try:
        with at_most(SECONDS):
            use(function(**given))
    except (TypeError, ValueError, IndexError, training.CheckpointError, data.DataError) as error:
        return error
    return None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to write in, with one good checkpoint."""
    monkeypatch.chdir(tmp_path)
    training.save(tiny_run(), "good.pt")
    return tmp_path


@pytest.mark.parametrize("function", GOOD, ids=lambda f: f"{f.__module__.removeprefix('course_utils.')}.{f.__name__}")
@settings(derandomize=True, deadline=None, max_examples=40, database=None, suppress_health_check=list(HealthCheck))
@given(choice=st.data())
def test_one_wrong_argument_is_taken_or_refused_in_words(folder, function, choice):
    good = GOOD[function]()
    argument = choice.draw(st.sampled_from(sorted(good)))
    tried[function.__name__] += 1
    check_answer(function, {**good, argument: choice.draw(anything)}, argument)


#: what fuzzing found once, answered by an error from inside a library
FOUND = [
    (schedules.first_step_below, "curve", 1j), (schedules.lr_curve, "cadence", np.zeros(0)),
    (descent.descend, "start", torch.ones(2, dtype=torch.complex64)), (descent.descend_many, "start", ["", None]),
    (optim.SGD, "params", np.zeros(2)), (surfaces.Surface, "gradient", ...),
    (surfaces.Surface, "gradient", int),
    (apps.ScheduleLab, "parameters", torch.empty(0)), (apps.LiveTraining, "run", len),
    (apps.OptimizerRace, "optimizers", None), (watch.live_plot, "title", ""),
]  # fmt: skip
FOUND_IN_METHODS = [
    ("ScheduleLab.change", "scheduler", np.zeros(0)), ("ScheduleLab.unpin", "index", "0"),
    ("Table.pick", "column", np.zeros(0)), ("Table.only", "name", np.zeros(0)), ("Table.where", "keep", None),
]  # fmt: skip


@pytest.mark.parametrize(("function", "argument", "thing"), FOUND, ids=[f"{f.__name__}-{a}" for f, a, _ in FOUND])
def test_what_was_found_once_is_refused_in_words(folder, function, argument, thing):
    given = {**GOOD[function](), argument: thing}
    assert refusal(function, given)
    check_answer(function, given, argument)


@pytest.mark.parametrize(("name", "argument", "thing"), FOUND_IN_METHODS, ids=lambda thing: str(thing)[:20])
def test_what_was_found_once_in_a_method_is_refused_in_words(name, argument, thing):
    method, arguments = METHODS[name]
    given = {**arguments(), argument: thing}
    assert refusal(method, given)
    check_answer(method, given, argument, name)


def test_a_running_loss_beyond_all_floats_is_no_number():
    assert "more than 300 digits" in checks.check_running_loss(lambda *_: 10**400).message


@pytest.mark.parametrize("name", METHODS)
@settings(derandomize=True, deadline=None, max_examples=40, database=None, suppress_health_check=list(HealthCheck))
@given(choice=st.data())
def test_one_wrong_argument_of_a_method_is_taken_or_refused_in_words(name, choice):
    method, arguments = METHODS[name]
    good = arguments()
    argument = choice.draw(st.sampled_from(sorted(good)))
    tried[name] += 1
    check_answer(method, {**good, argument: choice.draw(anything)}, argument, name)


@pytest.mark.parametrize("name", METHODS)
def test_the_good_arguments_of_a_method_are_good(name):
    method, arguments = METHODS[name]
    use(method(**arguments()))


@pytest.mark.parametrize("check", [getattr(checks, name) for name in checks.__all__], ids=lambda check: check.__name__)
@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(answer=anything, wrapped=st.booleans())
def test_a_check_answers_every_answer_with_a_verdict(check, answer, wrapped):
    tried[check.__name__] += 1
    given_answer = (lambda *_, **__: answer) if wrapped else answer
    with at_most(SECONDS):
        assert isinstance(check(*[given_answer] * len(inspect.signature(check).parameters)), Verdict)


@pytest.mark.parametrize("function", GOOD, ids=lambda f: f"{f.__module__.removeprefix('course_utils.')}.{f.__name__}")
def test_the_good_arguments_are_good(folder, function):
    use(function(**GOOD[function]()))


def test_every_public_function_is_tried_or_left_out_for_a_reason():
    public = {
        name
        for room in ROOMS
        for name in room.__all__
        if inspect.isfunction(value := getattr(room, name)) or (inspect.isclass(value) and value in GOOD)
    }
    named = {function.__name__ for function in GOOD} | set(checks.__all__) | set().union(*LEFT_OUT.values())
    assert public == named


def test_every_public_method_with_an_argument_is_tried_or_left_out_for_a_reason():
    classes = {
        value
        for room in ROOMS
        for name in room.__all__
        if inspect.isclass(value := getattr(room, name)) and not getattr(value, "_is_protocol", False)
    }
    public = {
        f"{cls.__name__}.{name}"
        for cls in classes
        for owner in (cls, *(base for base in cls.__mro__[1:] if base.__module__.startswith("course_utils.apps")))
        for name, value in vars(owner).items()
        if not name.startswith("_") and isinstance(value, FunctionType | staticmethod | classmethod)
        if not hasattr(value, "hooked")  # the step that torch wraps for each class when it makes its first optimizer
        if set(inspect.signature(getattr(cls, name)).parameters) - {"self"}
    }
    assert public == (set(METHODS) - {"Surface.__call__"}) | set().union(*METHODS_LEFT_OUT.values())


def test_every_room_is_looked_into():
    rooms = {module.name for module in pkgutil.iter_modules(course_utils.__path__)}
    assert rooms == {room.__name__.rpartition(".")[2] for room in ROOMS}


def test_the_inputs_are_counted(tell):
    tell(f"{tried.total():,} inputs tried on {len(tried)} public functions and methods")
    assert set(tried) <= {function.__name__ for function in GOOD} | set(checks.__all__) | set(METHODS)
