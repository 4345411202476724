"""One figure of every kind and of every odd case, for the tests that hold of all of them."""

import numpy as np

from course_utils.plots import (
    bar_plot,
    heat_map,
    histograms,
    image_grid,
    line_panels,
    line_plot,
    loss_curves,
    lr_curves,
    lr_range,
    surface_paths,
)

__all__ = ["CLASSES", "FIGURES", "INF", "LABELS", "NAN", "Bowl", "noise", "pixels", "stability_map"]

NAN, INF = float("nan"), float("inf")
LABELS = {"title": "What is seen", "xlabel": "step (updates)", "ylabel": "loss (nats)"}
CLASSES = ["airplane", "automobile", "bird", "cat"]


class Bowl:
    """A landscape that needs no other module of the course."""

    name = "Bowl"
    formula = "x^2 + y^2"
    minima = ((0.0, 0.0),)
    levels = (0.5, 1.0, 2.0, 4.0)

    def __init__(self, width=4.0, height=2.0):
        self.width, self.height = width, height

    def grid(self):
        x, y = np.linspace(-self.width, self.width, 41), np.linspace(-self.height, self.height, 41)
        return x, y, x[None, :] ** 2 + y[:, None] ** 2

    def __call__(self, x, y):
        return x * x + y * y


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def pixels(count):
    return np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)


def stability_map(**options):
    values = np.geomspace(1e-6, 1.0, 12).reshape(3, 4)
    labels = {"title": "What is seen", "xlabel": "learning rate", "ylabel": "momentum", "value_label": "loss (nats)"}
    return heat_map(values, **{"x": [0.01, 0.1, 1.0, 10.0], "y": [0.0, 0.5, 0.9], "log_x": True, **labels, **options})


FIGURES = {
    "lines": lambda: line_plot(
        {"SGD": 2.3 + noise(300), "Adam": 1.7 + noise(300)}, beta=0.9, source="photos", **LABELS
    ),
    "marked": lambda: line_plot(
        {"SGD": [1, 2, 3]}, references={"guessing": 2.5}, marks={"early": 0.1, "late": 1.9}, **LABELS
    ),
    "crowd": lambda: line_plot({f"line number {k}": [0.0, 1.0 + k / 1e3] for k in range(12)}, **LABELS),
    "diverged": lambda: line_plot({"SGD": [1, 2, NAN, NAN], "Adam": [1, 1e30, INF, 0]}, ylim=(0, 3), **LABELS),
    "nothing finite": lambda: line_plot({"SGD": [NAN, INF, -INF]}, **LABELS),
    "one point": lambda: line_plot({"SGD": [2.0]}, **LABELS),
    "huge": lambda: line_plot({"SGD": [-1e308, 1e308, 1e99, 0.0]}, **LABELS),
    "log": lambda: line_plot({"SGD": [1, 1e-5, 0, 1e-320, -1]}, log_y=True, **LABELS),
    "nothing positive": lambda: line_plot({"SGD": [0, -1]}, log_y=True, **LABELS),
    "loss": lambda: loss_curves({"SGD": [2.3, 1.9], "AdamW": [2.3]}, title="What is seen", source="CIFAR-10"),
    "lr": lambda: lr_curves({"StepLR": [0.1] * 5 + [0.01] * 5}, title="What is seen", steps_per_epoch=5),
    "lr range": lambda: lr_range(
        np.geomspace(1e-5, 1, 50), {"SGD": np.r_[np.linspace(2.3, 1.5, 40), np.geomspace(2, 1e9, 10)]}, title="Seen"
    ),
    "panels": lambda: line_panels(
        {"loss (nats)": {"train": [2, 1, 0.5], "test": [2, 1.5, 1.6]}, "accuracy (%)": {"train": [10, 50, 90]}},
        title="What is seen",
        xlabel="epoch",
        x=[1, 2, 3],
        source="photos",
    ),
    "many panels": lambda: line_panels(
        {f"Scheduler{k}": {"per epoch": [1, 2], "per batch": [2, 1]} for k in range(7)},
        title="What is seen",
        xlabel="step",
        ylabel="learning rate",
        columns=3,
        stairs=True,
    ),
    "bars": lambda: bar_plot(
        {"SGD": 19.9, "a cure with a rather long name": 61.2, "Adam": NAN, "loss": -4.0},
        title="What is seen",
        xlabel="accuracy (%)",
        errors={"SGD": 1.5},
        references={"guessing": 10},
        source="photos",
    ),
    "histograms": lambda: histograms(
        {"with": np.r_[np.exp(noise(900)), np.zeros(100)], "without": np.exp(3 + noise(900))},
        title="What is seen",
        xlabel="magnitude",
    ),
    "equal histogram": lambda: histograms({"a": [2.0, 2.0]}, title="What is seen", xlabel="size", log=False),
    "map": lambda: stability_map(lost=np.eye(3, 4), lines={"theory": ([0.1, 1.0], [0.0, 0.9])}),
    "lost map": lambda: stability_map(lost=np.ones((3, 4))),
    "paths": lambda: surface_paths(Bowl(), {"SGD": [[3, 1], [1, 0.5]], "Adam": [[3, 1], [9, 3]]}, title="What is seen"),
    "tall paths": lambda: surface_paths(Bowl(2, 2), {"SGD": [[1, 1], [0.5, 0.5]]}, title="What is seen"),
    "off the map": lambda: surface_paths(Bowl(), {"SGD": [[99, 1], [1e300, INF]]}, title="What is seen"),
    "no paths": lambda: surface_paths(Bowl(), {}, title="What is seen"),
    "images": lambda: image_grid(
        pixels(8), title="What is seen", source="photos", labels=[0, 1, 2, 3] * 2, classes=CLASSES
    ),
    "judged images": lambda: image_grid(
        pixels(4), title="What is seen", labels=[0, 1, 2, 3], predictions=[0, 1, 3, 1], classes=CLASSES
    ),
    "one image": lambda: image_grid(pixels(1), title="What is seen"),
}
