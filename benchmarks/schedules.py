"""Which shape of the learning rate is best? Every contestant of notebook 04 at its own lr, over paired seeds.

    python -m benchmarks.schedules

Each shape is tried with the same lrs and tuning seeds, marked on held-out images; its best lr then runs with fresh
seeds and is marked on the test images. Seeds are paired: under one seed all contestants start from the same weights
and see the same batches. The network is a small one on halved images, so that some hundred runs take minutes. The
results are written beside the notebook, which replays them.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_utils.data import Loader, load_images
from course_utils.schedules import cosine, step_decay, warmup_cosine
from course_utils.seeding import stream_seed
from course_utils.training import Run, evaluate, train

__all__ = ["AVERAGES", "RESULTS", "SCHEDULES", "Setting", "schedules", "small_network"]

RESULTS = Path(__file__).parents[1] / "notebooks" / "04_schedules.json"
POINTS = 50  # of the training loss of a run


@dataclass(frozen=True)
class Setting:
    """What all runs have in common."""

    images: int = 1_600
    batch: int = 16
    epochs: int = 4
    lrs: tuple[float, ...] = (0.006, 0.012, 0.024, 0.048)
    tuning_seeds: tuple[int, ...] = (10, 11)
    test_seeds: tuple[int, ...] = (0, 1, 2, 3)
    ema_decay: float = 0.98

    @property
    def updates(self) -> int:
        """Updates of one run."""
        return self.epochs * -(-self.images // self.batch)


def small_network(seed: int) -> nn.Module:
    """A fresh network of two convolutions on images of 16 x 16; its weights depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights"))
        return nn.Sequential(
            nn.AvgPool2d(2),
            *(nn.Conv2d(3, 16, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(512, 10)),
        )


def linear(step: int, *, total: int, start: int = 0) -> float:
    """The factor that stays 1 until ``start`` and falls along a straight line to 0 at ``total``."""
    return min(1.0, (total - step) / (total - start))


def one_cycle(optimizer: Optimizer, total: int) -> LRScheduler:
    """The one-cycle shape, with the optimizer's lr as its highest."""
    return OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], total_steps=total + 1, cycle_momentum=False)


def by_factor(factor: Callable[[int], float]) -> Callable[[Optimizer, int], LRScheduler]:
    """A scheduler of ``factor`` times the optimizer's lr, stepped once per update."""
    return lambda optimizer, total: LambdaLR(optimizer, factor)


def schedules(total: int) -> dict[str, Callable[[Optimizer, int], LRScheduler]]:
    """Every shape of a run of ``total`` updates, by its name; the scheduler is stepped once per update."""
    return {
        "constant": by_factor(lambda step: 1.0),
        "StepLR": by_factor(partial(step_decay, step_size=total // 2)),
        "cosine": by_factor(partial(cosine, total=total)),
        "warm-up + cosine": by_factor(partial(warmup_cosine, warmup=total // 10, total=total)),
        "one-cycle": one_cycle,
        "linear to 0": by_factor(partial(linear, total=total)),
        "WSD": by_factor(partial(linear, total=total, start=total * 4 // 5)),
    }


SCHEDULES = tuple(schedules(10))
AVERAGES = {"constant, EMA of weights": "ema", "constant, mean of last epoch": "swa"}  # of one and the same run


def main() -> None:
    """Tune, run, write."""
    parser = argparse.ArgumentParser(description="Run the race of notebook 04 section 4 and store its results.")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side, of one thread each")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    setting = Setting()
    with ProcessPoolExecutor(options.jobs) as pool:
        tuned = _all(pool, setting, product(SCHEDULES, setting.lrs, setting.tuning_seeds))
        best = _best_lrs(tuned, setting)
        final = _all(
            pool, setting, sorted({(_shape(name), lr, s) for name, lr in best.items() for s in setting.test_seeds})
        )
    options.out.write_text(json.dumps(_report(setting, tuned, best, final), indent=1) + "\n", encoding="utf-8")


Key = tuple[str, float, int]
Outcome = dict[str, Any]


def _all(pool: ProcessPoolExecutor, setting: Setting, keys: Any) -> dict[Key, Outcome]:
    keys = list(keys)
    outcomes = {}
    for key, outcome in zip(keys, pool.map(partial(raced, setting), keys), strict=True):
        outcomes[key] = outcome
        print(*key, outcome["held_out"], outcome["test"], flush=True)
    return outcomes


def raced(setting: Setting, key: Key) -> Outcome:
    """One run: its held-out and test losses by the weights that are asked, and its training loss on the way."""
    torch.set_num_threads(1)
    name, lr, seed = key
    train_split, held_out, test = _images(setting)
    model = small_network(seed)
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    run = Run(model, optimizer, schedules(setting.updates)[name](optimizer, setting.updates), cadence="step")
    models = {"last": model}
    if name == "constant":
        models["ema"] = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(setting.ema_decay))  # type: ignore[no-untyped-call]
        models["swa"] = AveragedModel(model)
    loader = Loader(train_split, batch_size=setting.batch, seed=seed)
    for step in train(run, loader, epochs=setting.epochs):
        if name == "constant":
            models["ema"].update_parameters(model)
            if step.epoch == setting.epochs - 1:
                models["swa"].update_parameters(model)
    return {
        "held_out": {kind: _loss(m, held_out) for kind, m in models.items()},
        "test": {kind: _loss(m, test) for kind, m in models.items()},
        "accuracy": {kind: round(evaluate(m, test).accuracy, 4) for kind, m in models.items()},
        "train": [round(loss, 4) for loss in run.losses.view(POINTS, -1).mean(dim=1).tolist()],
    }


@cache
def _images(setting: Setting) -> tuple[Any, Loader, Loader]:
    pictures = load_images("photos", split="train", limit=max(4_000, setting.images + 400))
    kept = slice(setting.images, setting.images + 400)
    held_out = replace(pictures, images=pictures.images[kept], labels=pictures.labels[kept])
    test = load_images("photos", split="test", limit=1_000)
    return (
        pictures.take(setting.images),
        Loader(held_out, batch_size=200, shuffle=False),
        Loader(test, batch_size=250, shuffle=False),
    )


def _loss(model: nn.Module, data: Loader) -> float:
    """The mean loss; 10 or worse, or no number at all, counts as 10."""
    loss = evaluate(model, data).loss
    return round(loss, 4) if loss < 10 else 10.0


def _shape(name: str) -> str:
    return "constant" if name in AVERAGES else name


def _best_lrs(tuned: dict[Key, Outcome], setting: Setting) -> dict[str, float]:
    """Of every contestant, the lr with the lowest held-out loss, the mean over the tuning seeds."""
    return {
        name: min(setting.lrs, key=lambda lr: math.fsum(_held_out(tuned, name, lr, setting.tuning_seeds)))
        for name in (*SCHEDULES, *AVERAGES)
    }


def _held_out(tuned: dict[Key, Outcome], name: str, lr: float, seeds: Sequence[int]) -> list[float]:
    return [tuned[_shape(name), lr, seed]["held_out"][AVERAGES.get(name, "last")] for seed in seeds]


def _report(setting: Setting, tuned: Any, best: dict[str, float], final: Any) -> dict[str, Any]:
    """All that the notebook replays, contestant by contestant."""
    runs = {}
    for name, lr in best.items():
        kind, found = AVERAGES.get(name, "last"), [final[_shape(name), lr, seed] for seed in setting.test_seeds]
        runs[name] = {
            "held_out": {f"{lr:g}": _held_out(tuned, name, lr, setting.tuning_seeds) for lr in setting.lrs},
            "lr": lr,
            "test": [outcome["test"][kind] for outcome in found],
            "accuracy": [outcome["accuracy"][kind] for outcome in found],
            "train": [round(math.fsum(part) / len(part), 4) for part in zip(*(o["train"] for o in found), strict=True)],
        }
    common = {
        name: getattr(setting, name) for name in ("images", "batch", "epochs", "lrs", "tuning_seeds", "test_seeds")
    }
    return {"source": "photos", **common, "runs": runs}


if __name__ == "__main__":
    main()
