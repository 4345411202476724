"""What goes wrong between training and measuring: modes, gradients, splits?"""

from benchmarks.doctor.nets import Op
from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import (
    EPOCH_LAYOUTS,
    HELD_OUT,
    MEASURE,
    TENSOR_LAYOUTS,
    Recipe,
    programs,
    spread,
)

__all__ = ["measuring_faults"]

_DROPOUT: Op = ("Dropout", "0.3")
_RIGHT = "({}.argmax(dim=1) == $Yt).float().mean().item()"
_MEASURED = _RIGHT.format("$model($Xt)")
_OVERLAPS = (
    "$Xt, $Yt = $X[150:], $Y[150:]\n$X, $Y = $X[:192], $Y[:192]",
    "known, fresh = torch.randperm(256)[:192], torch.randperm(256)[:64]\n"
    "$Xt, $Yt = $X[fresh], $Y[fresh]\n$X, $Y = $X[known], $Y[known]",
    "$Xt, $Yt = $X, $Y\n$X, $Y = $X[:192], $Y[:192]",
    "again = torch.randint(0, 192, (30,))\n"
    "$Xt, $Yt = torch.cat([$X[192:], $X[again]]), torch.cat([$Y[192:], $Y[again]])\n"
    "$X, $Y = $X[:192], $Y[:192]",
)
_FLAGGED = """
class Shapes(torch.utils.data.Dataset):
    def __init__(self, {argument}):
        self.{keep}
        draw = torch.Generator().manual_seed({seed})
        self.targets = torch.randint(0, 4, (192,), generator=draw)
        self.data = torch.randn(4, 20, generator=torch.Generator().manual_seed(9))[self.targets]
        self.data = self.data + 0.5 * torch.randn(192, 20, generator=draw)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return self.data[i], self.targets[i]
"""
_FLAGS = (
    ("train=True", "train = train", "7 if train else 8", "Shapes(train=False)"),
    ('split="train"', "split = split", "len(split)", 'Shapes(split="test")'),
    ("root, train", "train = train", "int(train)", 'Shapes("data", train=False)'),
)


def measuring_faults() -> list[Program]:
    """Programs that train or measure in the wrong mode, or on the wrong images."""
    return [
        *programs("eval-mode-while-training", "TrainCheck: API sequence; Humbatova: API, missing call",
                  spread(_eval_mode, layouts=EPOCH_LAYOUTS, start=2)),
        *programs("measuring-in-train-mode", "PYSIASSIST and Humbatova: API, missing call",
                  spread(_train_mode, layouts=EPOCH_LAYOUTS, start=0)),
        *programs("measuring-with-gradients", "PYSIASSIST: API, missing call",
                  spread(_with_gradients, layouts=EPOCH_LAYOUTS, start=4)),
        *_test_split(),
        *programs("same-images-in-both-splits", "UMLAUT: suspiciously good on the test images; Humbatova: data",
                  [*spread(_overlap, layouts=TENSOR_LAYOUTS, start=1),
                   *spread(_course_overlap, layouts=("course",), count=2)]),
    ]  # fmt: skip


def _with_modes(recipe: Recipe, i: int) -> Recipe:
    """A network with Dropout or BatchNorm, and held-out images."""
    norm: Op = ("BatchNorm1d", "32") if recipe.arch == "mlp" else ("BatchNorm2d", "8")
    return recipe.but(inner=(_DROPOUT if i % 2 else norm,), more_data=HELD_OUT[recipe.frame.feed])


def _eval_mode(recipe: Recipe, i: int) -> Recipe:
    basis = _with_modes(recipe, i + i // 4)
    if i % 2:
        return basis.but(setup=("$model.eval()", "$model.train(False)")[i % 4 // 2])
    return basis.but(epoch_end=f"$model.eval()\nwith torch.no_grad():\n    print({_MEASURED})")


def _train_mode(recipe: Recipe, i: int) -> Recipe:
    look = f"with torch.no_grad():\n    right = {_MEASURED}"
    whole = f"with torch.inference_mode():\n    guesses = $model($Xt)\n    right = {_RIGHT.format('guesses')}"
    return _with_modes(recipe, i + i // 4).but(epoch_end=f"{(look, whole)[i % 2]}\nprint($epoch, right)")


def _with_gradients(recipe: Recipe, i: int) -> Recipe:
    one = f"print({_MEASURED})"
    two = f"verdict = $model($Xt)\nprint($loss_fn(verdict, $Yt).item(), {_RIGHT.format('verdict')})"
    return _with_modes(recipe, i + i // 4).but(epoch_end=f"$model.eval()\n{(one, two)[i % 2]}\n$model.train()")


def _test_split() -> list[Program]:
    follows = "Humbatova: training data; UMLAUT: data leaks from the test split"
    texts = spread(_flagged, layouts=("flat", "function"), start=0, count=6) + spread(
        _course_test, layouts=("course",), count=4
    )
    return programs("trained-on-test-split", follows, texts, course="down")


def _flagged(recipe: Recipe, i: int) -> Recipe:
    argument, keep, seed, made = _FLAGS[i % 3]
    data = f"{_FLAGGED.format(argument=argument, keep=keep, seed=seed)}\n$X = {made}"
    dataset = "$X" if i % 2 else "torch.utils.data.Subset($X, range(160))"
    return recipe.but(arch="mlp", data=data, dataset=dataset, epochs=8)


def _course_test(recipe: Recipe, i: int) -> Recipe:
    if i % 2:
        data = '$Y = $X = None\nsplit = load_images("photos", "test", limit=320, announce=False)'
        data = "from course_utils.data import load_images\n" + data.partition("\n")[2]
        return recipe.but(
            data=data, classes=10, batch=64, lr="0.002" if recipe.optimizer == "Adam" else "0.05", epochs=8
        )
    data = (
        "$Y = torch.randint(0, 4, (128,))\ntint = torch.randint(0, 160, (4, 3, 1, 1))\n"
        "$X = (tint[$Y] + torch.randint(0, 96, (128, 3, 32, 32))).to(torch.uint8)\n"
        'split = Split($X, $Y, ("a", "b", "c", "d"), "cifar10", "test")'
    )
    return recipe.but(data=data)


def _overlap(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(more_data=_OVERLAPS[(i + i // 4) % 4], epoch_end=MEASURE)


def _course_overlap(recipe: Recipe, i: int) -> Recipe:
    more = 'other = Split($X[100:], $Y[100:], split.classes, "photos", "test")'
    look = (
        "$model.eval()\nwith torch.no_grad():\n    for batch, answers in Loader(other, batch_size=20, shuffle=False):\n"
        "        print(($model(batch).argmax(1) == answers).sum().item())\n$model.train()"
    )
    return recipe.but(more_data=more, epoch_end=look)
