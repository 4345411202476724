"""Which arguments are good? Those of every public function and method, made anew for each call, and who is left out."""

from contextlib import suppress

import torch

from course_utils import (
    apps,
    arguments,
    catalog,
    curvature,
    data,
    descent,
    devices,
    doctor,
    model,
    optim,
    plots,
    schedules,
    seeding,
    surfaces,
    training,
    watch,
)
from tests.helpers.tiny_runs import TinyData, tiny_run

__all__ = ["GOOD", "LEFT_OUT", "METHODS", "METHODS_LEFT_OUT"]


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
