"""How does a program come about? A recipe says optimizer, form, network and layout; a fault changes parts of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from benchmarks.doctor.layouts import LAYOUTS, Layout, fill
from benchmarks.doctor.nets import Op, cnn, mlp, write_net
from benchmarks.doctor.program import Course, Program

__all__ = ["EPOCH_LAYOUTS", "HELD_OUT", "MEASURE", "TENSOR_LAYOUTS", "B", "F", "L", "R", "Recipe", "S",
           "Z", "assemble", "lines", "programs", "spread"]  # fmt: skip

# The lines of a training step, named as in the doctor's timeline: Zero, Forward, Loss, Backward, Step; and Record.
Z, F, L, B, S, R = (
    "$opt.zero_grad()",
    "$out = $model($x)",
    "$loss = $loss_fn($out, $y)",
    "$loss.backward()",
    "$opt.step()",
    "$losses.append($loss.item())",
)
EPOCH_LAYOUTS = tuple(name for name, layout in LAYOUTS.items() if layout.has_epochs)
TENSOR_LAYOUTS = tuple(name for name, layout in LAYOUTS.items() if layout.feed != "course" and layout.has_epochs)

_LR, _LOW_LR = {"SGD": "0.1", "Adam": "0.01"}, {"SGD": "0.02", "Adam": "0.002"}
_DATA = {
    "mlp": "$X = torch.randn($n, 20)\n$Y = $X[:, :4].argmax(dim=1)",
    "mlp2": "centres = torch.randn(4, 20)\n$Y = torch.randint(0, 4, ($n,))\n"
    "$X = 0.7 * centres[$Y] + torch.randn($n, 20)",
    "cnn": "patterns = torch.rand(4, 1, 8, 8)\n$Y = torch.randint(0, 4, ($n,))\n"
    "$X = 0.7 * patterns[$Y] + 0.3 * torch.rand($n, 1, 8, 8)",
    "course": "$Y = torch.randint(0, 4, (160,))\ntint = torch.randint(0, 160, (4, 3, 1, 1))\n"
    "$X = (tint[$Y] + torch.randint(0, 96, (160, 3, 32, 32))).to(torch.uint8)\n"
    'split = Split($X[:128], $Y[:128], ("red", "green", "blue", "grey"), "photos", "train")',
}
HELD_OUT = {
    "loader": "$Xt, $Yt = $X[192:], $Y[192:]\n$X, $Y = $X[:192], $Y[:192]",
    "tensors": "$X, $Xt = $X[:192], $X[192:]\n$Y, $Yt = $Y[:192], $Y[192:]",
    "course": "$Xt, $Yt = $X[128:].float() / 255, $Y[128:]",
}
MEASURE = (
    "$model.eval()\nwith torch.no_grad():\n    right = ($model($Xt).argmax(dim=1) == $Yt).float().mean().item()\n"
    "print(right)\n$model.train()"
)


def lines(*parts: str) -> str:
    """The parts one below the other, empty ones left out."""
    return "\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Recipe:
    """The parts of one program; the defaults make a healthy classifier."""

    optimizer: str
    form: str
    arch: str
    layout: str
    seed: int = 0
    lr: str = ""
    extra: str = ""  #: further arguments of the optimizer
    inner: tuple[Op, ...] = ()
    tail: tuple[Op, ...] = ()
    classes: int = 4
    data: str = ""
    dataset: str = "TensorDataset($X, $Y)"
    more_data: str = ""
    net: str = ""
    loss: tuple[str, str] = ("CrossEntropyLoss", "cross_entropy")
    setup: str = ""
    make: str = "$opt = $maker($model.parameters(), lr=$lr$extra)"
    after: str = ""
    step: str = lines(Z, F, L, B, S, R)
    epoch_start: str = ""
    epoch_end: str = ""
    finish: str = ""
    epochs: int = 6
    batch: int = 32
    shuffle: bool = True
    n: int = 256

    @property
    def frame(self) -> Layout:
        """The layout itself."""
        return LAYOUTS[self.layout]

    @property
    def last(self) -> str:
        """How a program names the last linear layer of its network."""
        if self.form == "layer":
            return "$model[-1]"
        return "$model.fc2" if self.arch == "mlp" else "$model.fc1"

    @property
    def width(self) -> int:
        """Inputs of the last linear layer."""
        return 32 if self.arch == "mlp" else 128

    def but(self, **changes: object) -> "Recipe":
        """The same recipe with some parts changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def assemble(recipe: Recipe) -> str:
    """The program's text."""
    layout = recipe.frame
    values = {"losses": "losses", "epoch": "epoch", **layout.names}
    if recipe.form == "functional":
        values["loss_fn"] = f"F.{recipe.loss[1]}"
    values |= {
        "seed": str(recipe.seed),
        "n": str(recipe.n),
        "batch": str(recipe.batch),
        "epochs": str(recipe.epochs),
        "lr": _lr(recipe),
        "maker": f"torch.optim.{recipe.optimizer}",
        "extra": recipe.extra,
        "steps": str(recipe.epochs * recipe.n // recipe.batch),
        "shuffle": str(recipe.shuffle),
        "order": "torch.randperm(len($X))" if recipe.shuffle else "torch.arange(len($X))",
        "data": lines(recipe.data or _data(recipe), recipe.more_data),
        "dataset": recipe.dataset,
        "net": _net(recipe, values),
        "criterion": f"$loss_fn = nn.{recipe.loss[0]}()" if recipe.form == "layer" else "",
        "prepare": lines(recipe.setup, recipe.make, recipe.after),
        "step": recipe.step,
        "epoch_start": recipe.epoch_start,
        "epoch_end": recipe.epoch_end,
        "finish": recipe.finish,
    }
    text = fill(layout.frame, values | {"imports": "$imports"})
    return text.replace("$imports", _imports(text))


def spread(
    make: Callable[[Recipe, int], Recipe],
    *,
    layouts: Sequence[str] = tuple(LAYOUTS),
    start: int = 0,
    count: int = 8,
) -> list[str]:
    """Texts of ``count`` recipes: {SGD, Adam} x {layer, functional} x {mlp, cnn}, the layouts in turn."""
    combinations = list(product(("SGD", "Adam"), ("layer", "functional"), ("mlp", "cnn")))
    found = []
    for i in range(count):
        optimizer, form, arch = combinations[(i * 3) % 8] if count < 8 else combinations[i % 8]
        basis = Recipe(optimizer, form, arch, layouts[(i + start) % len(layouts)], seed=start * 11 + i)
        found.append(assemble(make(basis, i)))
    return found


def programs(
    fault: str | None,
    follows: str,
    texts: Sequence[str],
    *,
    name: str = "",
    raises: str | Sequence[str | None] | None = None,
    course: Course | Sequence[Course | None] | None = None,
) -> list[Program]:
    """Programs with the ids ``name/1``, ``name/2`` ...; ``raises`` and ``course`` hold for all or for one each."""

    def nth(value: str | Sequence[str | None] | None, i: int) -> str | None:
        return value if isinstance(value, str) or value is None else value[i]

    return [
        Program(f"{name or fault}/{i + 1}", fault, follows, text, nth(raises, i), nth(course, i))  # type: ignore[arg-type]
        for i, text in enumerate(texts)
    ]


def _lr(recipe: Recipe) -> str:
    """The 3,072 inputs of a linear layer on 32x32 images stand no more than a small rate: its ReLUs would die."""
    rates = _LOW_LR if recipe.layout == "course" and recipe.arch == "mlp" else _LR
    return recipe.lr or rates[recipe.optimizer]


def _data(recipe: Recipe) -> str:
    if recipe.frame.feed == "course":
        return _DATA["course"]
    return _DATA["mlp2" if recipe.arch == "mlp" and recipe.seed % 2 else recipe.arch]


def _net(recipe: Recipe, values: dict[str, str]) -> str:
    if recipe.net:
        return recipe.net
    course = recipe.frame.feed == "course"
    make, inputs = (mlp, 3072 if course else 20) if recipe.arch == "mlp" else (cnn, 3 if course else 1)
    ops = make(inputs, classes=recipe.classes, inner=recipe.inner, tail=recipe.tail)
    return write_net(ops, recipe.form, values["built"], values["cls"])


def _imports(text: str) -> str:
    wanted = ["import torch"]
    if "copy." in text:
        wanted.insert(0, "import copy")
    if "F." in text:
        wanted.append("import torch.nn.functional as F")
    wanted.append("from torch import nn")
    return "\n".join(wanted)
