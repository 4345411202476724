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
from contextlib import AbstractContextManager, contextmanager, suppress
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
from tests.helpers.tiny_runs import TinyData, tiny_run

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


# --- what it is given to -------------------------------------------------------------------------------------


def lines():
    return {"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 0.5]}


def photos():
    return data.load_images("photos", limit=16, announce=False)


SPLIT = photos()


def observed():
    run = tiny_run()
    return {"records": training.train(run, TinyData(), epochs=1), "run": run}


def split_parts():
    return {
        "images": SPLIT.images,
        "labels": SPLIT.labels,
        "classes": SPLIT.classes,
        "source": "photos",
        "name": "test",
    }


def parameters():
    return [torch.nn.Parameter(torch.ones(2))]


def good_options(cls):
    return lambda: {"params": parameters(), **cls.options, "foreach": None, "differentiable": False}


#: function -> its good arguments, made anew for each call
GOOD = {
    seeding.generator: lambda: {"seed": 0, "purpose": "order", "epoch": 0},
    seeding.stream_seed: lambda: {"seed": 0, "purpose": "order", "epoch": 0},
    devices.pick_device: lambda: {"device": "cpu"},
    model.build_model: lambda: {"seed": 0, "softmax": False, "device": "cpu"},
    model.Tudui: lambda: {"softmax": False},
    model.count_parameters: lambda: {"model": torch.nn.Linear(2, 1)},
    schedules.cosine: lambda: {"step": 1, "total": 5, "floor": 0.0},
    schedules.linear_warmup: lambda: {"step": 1, "warmup": 5, "start": 0.1},
    schedules.one_cycle: lambda: {
        "step": 1, "total": 5, "pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4,
    },
    schedules.step_decay: lambda: {"step": 1, "step_size": 5, "gamma": 0.1},
    schedules.warmup_cosine: lambda: {"step": 1, "warmup": 2, "total": 5, "start": 0.1, "floor": 0.0},
    schedules.first_step_below: lambda: {"curve": [3.0, 2.0, 1.0], "threshold": 1.5},
    schedules.freeze_step: lambda: {"curve": [3.0, 2.0, 1.0], "weight": 1.0, "gradient": 1.0},
    schedules.lr_curve: lambda: {
        "make_scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 2), "epochs": 2, "steps_per_epoch": 3,
        "cadence": "epoch", "lr": 0.1, "metrics": None,
    },
    surfaces.quadratic: lambda: {"condition_number": 3.0},
    descent.descend: lambda: {
        "surface": surfaces.RAVINE, "make_optimizer": lambda p: torch.optim.SGD(p, lr=0.01), "start": (1.0, 1.0),
        "steps": 3,
    },
    descent.descend_many: lambda: {
        "surface": surfaces.RAVINE, "lr": 0.1, "momentum": 0.5, "start": (1.0, 1.0), "steps": 3, "nesterov": False,
    },
    catalog.parameters: lambda: {"name": "SGD"},
    data.load_images: lambda: {
        "source": "photos", "split": "train", "limit": 3, "root": None, "announce": False,
    },
    data.Split: split_parts,
    data.Loader: lambda: {
        "split": SPLIT, "batch_size": 4, "seed": 0, "drop_last": False, "shuffle": True, "device": "cpu",
    },
    training.train: lambda: {"run": tiny_run(), "data": TinyData(), "epochs": 1},
    training.evaluate: lambda: {"model": tiny_run().model, "data": TinyData()},
    training.Run: lambda: _run(),
    training.Shard: lambda: {"data": TinyData(), "rank": 0, "world_size": 2},
    training.Worker: lambda: {"rank": 0, "local_rank": 0, "world_size": 2},
    training.in_parallel: lambda: {"run": tiny_run(), "data": TinyData()},
    training.snapshot: lambda: {"run": tiny_run()},
    training.restore: lambda: {"run": tiny_run(), "state": training.snapshot(tiny_run())},
    training.previous_path: lambda: {"path": "run.pt"},
    training.save: lambda: {"run": tiny_run(), "path": "run.pt"},
    training.load: lambda: {"run": tiny_run(), "path": "good.pt"},
    watch.progress: lambda: {"records": observed()["records"], "label": "SGD"},
    watch.live_plot: lambda: {"records": observed()["records"], "title": "Loss"},
    watch.interruptible: lambda: {"records": observed()["records"]},
    watch.checkpointed: lambda: {**observed(), "path": "run.pt", "every": 3},
    watch.stop_when_diverged: lambda: {**observed(), "every": 3},
    plots.line_plot: lambda: {"lines": lines(), "title": "t", "xlabel": "x", "ylabel": "y", "x": [0, 1, 2]},
    plots.loss_curves: lambda: {"losses": lines(), "title": "t", "x": [0, 1, 2], "beta": 0.5, "ylim": (0.0, 1.0)},
    plots.smooth: lambda: {"values": [1.0, 2.0], "beta": 0.5},
    plots.lr_curves: lambda: {"curves": lines(), "title": "t", "steps_per_epoch": 2},
    plots.bar_plot: lambda: {"values": {"a": 1.0, "b": 2.0}, "title": "t", "xlabel": "x", "errors": {"a": 0.1}},
    plots.histograms: lambda: {"samples": lines(), "title": "t", "xlabel": "x", "bins": 5},
    plots.image_grid: lambda: {"images": SPLIT.images[:2], "title": "t", "labels": [0, 1], "columns": 2},
    plots.lr_range: lambda: {"lrs": [0.1, 0.2, 0.3], "losses": lines(), "title": "t", "beta": 0.5},
    plots.line_panels: lambda: {"panels": {"p": lines()}, "title": "t", "xlabel": "x", "x": [0, 1, 2], "columns": 1},
    plots.heat_map: lambda: {
        "values": [[1.0, 2.0], [3.0, 4.0]], "x": [1, 2], "y": [1, 2], "title": "t", "xlabel": "x", "ylabel": "y",
        "value_label": "v",
    },
    plots.surface_paths: lambda: {"surface": surfaces.RAVINE, "paths": {"a": [[1.0, 1.0], [0.5, 0.2]]}, "title": "t"},
    surfaces.Surface: lambda: _surface(),
    apps.OptimizerRace: lambda: {
        "surface": "Ravine", "optimizers": ["SGD", "Adam"], "start": (1.0, 1.0), "lr": {"SGD": 0.1, "Adam": 0.1},
        "steps": 5, "view": "loss", "momentum": 0.5, "beta2": 0.9, "step": 3, "chosen": "Adam",
    },
    apps.ScheduleLab: lambda: {
        "steps_per_epoch": 3, "epochs": 4, "cadence": "epoch", "scheduler": "StepLR", "parameters": {"step_size": 2},
        "lr": 0.1, "scale": "linear",
    },
    apps.LiveTraining: lambda: {
        "run": _trainable(), "data": LOADER, "test_split": SPLIT, "budget": 4, "test_every": 2,
    },
    apps.EdgeOfStability: lambda: {"lr": 0.2, "momentum": 0.5, "batch_size": 100, "seed": 0},
    curvature.flat_gradient: lambda: {"loss": BOWL, "parameters": [PLACE]},
    curvature.hessian_vector_product: lambda: {"loss": BOWL, "parameters": [PLACE], "vector": torch.ones(2)},
    curvature.largest_eigenvalues: lambda: {
        "loss": BOWL, "parameters": [PLACE], "count": 1, "preconditioner": torch.ones(2), "start": torch.ones(2),
        "tolerance": 0.1, "most": 5,
    },
    curvature.sharpness: lambda: {"loss": BOWL, "parameters": [PLACE]},
    curvature.predicted_change: lambda: {"loss": BOWL, "parameters": [PLACE], "step": torch.ones(2)},
    curvature.noise_scale: lambda: {"gradients": torch.ones(2, 3), "batch_size": 4},
    curvature.edge: lambda: {"lr": 0.1, "momentum": 0.5, "nesterov": False},
    curvature.adam_edge: lambda: {"lr": 0.1, "beta1": 0.5},
    curvature.adam_preconditioner: lambda: {"optimizer": _adam_after_a_step()},
    doctor.watch: lambda: {"steps": 3, "prove": True, "probe": False},
    doctor.examine: lambda: {
        "model": torch.nn.Linear(3, 2), "batch": (torch.rand(4, 3), torch.rand(4, 2)), "loss_fn": None, "causal": False,
        "steps": 2,
    },
    **{cls: good_options(cls) for cls in (optim.SGD, optim.RMSprop, optim.Adagrad, optim.Adam, optim.AdamW)},
}  # fmt: skip


PLACE = torch.ones(2, requires_grad=True)
BOWL = (PLACE**2).sum()


def _adam_after_a_step():
    place = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.Adam([place])
    (place**2).sum().backward()
    optimizer.step()
    return optimizer


def _surface():
    return {
        "name": "Bowl", "formula": "x^2 + y^2", "loss": lambda x, y: x**2 + y**2, "start": (1.0, 1.0),
        "minima": ((0.0, 0.0),), "xlim": (-2.0, 2.0), "ylim": (-2.0, 2.0), "levels": (1.0, 2.0), "gradient": None,
    }  # fmt: skip


LOADER, TABLE, WORKER = data.Loader(SPLIT, batch_size=4), catalog.optimizers(), training.Worker(0, 0, 1)


def a_lab():
    lab = apps.ScheduleLab(3, 4)
    lab.pin()
    return lab


def advance(steps):
    live = apps.LiveTraining(_trainable(), LOADER, SPLIT, budget=4)
    try:
        live.advance(steps)
    finally:
        live.close()


def on_the_ravine(x, y):
    """Tensors that do not go together are refused by torch in its own words."""
    with suppress(RuntimeError):
        return surfaces.RAVINE(x, y)


#: the same for methods, by the name of their class and their own
METHODS = {
    "Split.take": (SPLIT.take, lambda: {"n": 3}),
    "Loader.batches": (LOADER.batches, lambda: {"epoch": 0, "start": 1}),
    "Shard.batches": (
        training.Shard(LOADER, rank=0, world_size=2).batches, lambda: {"epoch": 0, "start": 1},
    ),
    "Worker.device": (WORKER.device, lambda: {"wish": "cpu"}),
    "Surface.grid": (surfaces.RAVINE.grid, lambda: {"points": 5}),
    "Surface.__call__": (on_the_ravine, lambda: {"x": torch.ones(2), "y": 1.0}),
    "Table.only": (lambda name: TABLE.only(name), lambda: {"name": "SGD"}),
    "Table.pick": (lambda column: TABLE.pick(column), lambda: {"column": "name"}),
    "Table.where": (TABLE.where, lambda: {"keep": lambda row: row.name == "SGD"}),
    "Tudui.forward": (model.build_model(0).forward, lambda: {"images": torch.zeros(2, 3, 32, 32)}),
    "LiveTraining.advance": (advance, lambda: {"steps": 2}),
    "ScheduleLab.change": (
        lambda **given: a_lab().change(**given),
        lambda: {"lr": 0.1, "scheduler": "StepLR", "parameters": {"step_size": 2}, "epochs": 3, "cadence": "step"},
    ),
    "EdgeOfStability.trained": (apps.EdgeOfStability().trained, lambda: {"steps": 2}),
    "ScheduleLab.unpin": (lambda index: a_lab().unpin(index), lambda: {"index": 0}),
}  # fmt: skip


def _trainable():
    network = model.build_model(0)
    return training.Run(network, torch.optim.SGD(network.parameters(), lr=0.01))


def _run():
    run = tiny_run()
    scheduler = torch.optim.lr_scheduler.StepLR(run.optimizer, 2)
    return {"model": run.model, "optimizer": run.optimizer, "scheduler": scheduler, "cadence": "epoch", "seed": 0}


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

#: public functions that are not tried, and why
LEFT_OUT = {
    "a formula or the five lines that the course teaches: checks would hide them": {
        "sgd_update", "ema_momentum_update", "rmsprop_update", "adagrad_update", "adam_update", "adamw_update",
        "train_step",
    },
    "what the doors of all others are made of": set(arguments.__all__) - {"Array", "Check"},
    "IPython calls it": {"load_ipython_extension"},
    "takes no argument": {"gaps", "optimizers", "rules", "schedulers", "this_worker"},
}  # fmt: skip


#: public methods that are not tried, and why
METHODS_LEFT_OUT = {
    "a formula that the course teaches": {f"{cls.__name__}.formula" for cls in (
        optim.SGD, optim.RMSprop, optim.Adagrad, optim.Adam, optim.AdamW,
    )},
    "what the package itself calls": {
        "Algorithm.make", "Algorithm.options", "OptimizerEntry.cell", "ParameterEntry.cell", "Readable.passing",
        "Report.fill",
    },
    "what assigning lr, momentum and optimizer calls": {"LiveTraining.change"},
    "takes names of findings, which the tests of the doctor try": {"Report.assert_healthy", "Report.prove"},
    "a field that holds torch's function": {"Run.loss_fn"},
}  # fmt: skip


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
