"""What goes wrong in the inputs, the labels and the sizes of the gradients?"""

from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import TENSOR_LAYOUTS, B, L, R, Recipe, S, Z, lines, programs, spread

__all__ = ["data_faults"]

_ALL = (*TENSOR_LAYOUTS, "while")
_MONEY = (
    "age = torch.randint(18, 80, ($n, 1)).float()\nincome = torch.randint(20_000, 90_000, ($n, 1)).float()\n"
    "$X = torch.cat([age, income, torch.randn($n, 18)], dim=1)\n$Y = (income[:, 0] // 20_000).long().clamp(max=3)"
)
_BYTES = (
    "$Y = torch.randint(0, 4, ($n,))\nstrokes = torch.randint(0, 120, (4, 1, 8, 8))\n"
    "$X = (strokes[$Y] + torch.randint(0, 136, ($n, 1, 8, 8))).float()"
)


def data_faults() -> list[Program]:
    """Programs with unfit inputs or labels, or in whose layers the gradients die, vanish or explode."""
    return [
        *programs("unshuffled-labels", "Humbatova: training data, order; UMLAUT: data handling",
                  spread(_sorted, layouts=TENSOR_LAYOUTS, start=3)),
        *programs("inputs-not-scaled", "UMLAUT: input data exceeds typical limits; Humbatova: preprocessing",
                  spread(_unscaled, layouts=_ALL, start=2)),
        *_out_of_range(),
        *_wrong_dtype(),
        *programs("dead-relus", "Humbatova: weights initialisation", spread(_dead, layouts=_ALL, start=1),
                  course="flat"),
        *programs("vanishing-gradients", "Humbatova: wrong activation function, too many layers",
                  spread(_vanishing, layouts=_ALL, start=5), course="flat"),
        *programs("exploding-gradients", "Humbatova: weights initialisation; UMLAUT: NaN in the loss",
                  spread(_exploding, layouts=_ALL, start=0)),
    ]  # fmt: skip


def _sorted(recipe: Recipe, i: int) -> Recipe:
    one = "ordered = $Y.argsort()\n$X, $Y = $X[ordered], $Y[ordered]"
    two = "$X = torch.cat([$X[$Y == k] for k in range(4)])\n$Y = $Y.sort().values"
    return recipe.but(more_data=(one, two)[i % 2], shuffle=False, batch=16)


def _unscaled(recipe: Recipe, i: int) -> Recipe:
    lr = "0.001"
    if recipe.arch == "cnn":
        return recipe.but(data=_BYTES, lr=lr)
    if i % 4 == 0:
        return recipe.but(data=_MONEY, lr=lr)
    flat = _BYTES.replace("(4, 1, 8, 8)", "(4, 20)").replace("($n, 1, 8, 8)", "($n, 20)")
    return recipe.but(data=flat, lr=lr)


def _out_of_range() -> list[Program]:
    follows = "Humbatova: tensors and inputs, wrong range of the labels"
    index = programs("labels-out-of-range", follows, spread(_index, layouts=_ALL, start=4), raises="IndexError")
    signs = programs("labels-out-of-range", follows, spread(_signs, layouts=_ALL, start=2, count=4),
                     name="labels-out-of-range/signs")  # fmt: skip
    return index + signs


def _index(recipe: Recipe, i: int) -> Recipe:
    shift = ("$Y = $Y + 1", "$Y[::9] = -1", "$Y[$Y == 3] = 9", "$Y = $Y + 1")[i % 4]
    if i == 5:
        return recipe.but(classes=3)
    return recipe.but(more_data=shift)


def _signs(recipe: Recipe, i: int) -> Recipe:
    """Labels -1 and 1, or 1 and 2, where the loss wants 0 and 1: it falls below zero without an error."""
    signs = ("$Y = 2 * ($Y > 1).float() - 1", "$Y = 1 + ($Y > 1).float()")[i % 2]
    loss = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    return recipe.but(classes=1, loss=loss, more_data=signs, step=lines(Z, "$out = $model($x).squeeze(1)", L, B, S, R))


def _wrong_dtype() -> list[Program]:
    follows = "Humbatova: tensors and inputs, wrong type"
    return programs("labels-wrong-dtype", follows, spread(_dtype, layouts=_ALL, start=6), raises="RuntimeError")


def _dtype(recipe: Recipe, i: int) -> Recipe:
    if i % 3 == 2:
        loss = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
        return recipe.but(classes=1, loss=loss, more_data="$Y = ($Y > 1).long()",
                          step=lines(Z, "$out = $model($x).squeeze(1)", L, B, S, R))  # fmt: skip
    return recipe.but(
        more_data=("$Y = $Y.float()", "$Y = $Y.to(torch.int32)", "$Y = $Y.short()", "$Y = $Y.double()")[i % 4]
    )


def _dead(recipe: Recipe, i: int) -> Recipe:
    bias = ("-20.0", "-30.0")[i % 2]
    first = "$model[0]" if recipe.form == "layer" else ("$model.fc1" if recipe.arch == "mlp" else "$model.conv1")
    one = f"nn.init.constant_({first}.bias, {bias})"
    two = f"with torch.no_grad():\n    {first}.bias.fill_({bias})"
    return recipe.but(setup=(one, two)[i % 3 == 1], lr="0.02" if recipe.optimizer == "SGD" else "0.002")


_SIZES = {"mlp": "20", "cnn": "64"}


def _vanishing(recipe: Recipe, i: int) -> Recipe:
    depth = 8 + i % 3
    inputs = _SIZES[recipe.arch]
    lr = "0.1" if recipe.optimizer == "SGD" else "0.0003"
    if recipe.form == "layer":
        net = (
            f"layers = [nn.Flatten(), nn.Linear({inputs}, 24), nn.Sigmoid()]\nfor _ in range({depth}):\n"
            "    layers += [nn.Linear(24, 24), nn.Sigmoid()]\n$built = nn.Sequential(*layers, nn.Linear(24, 4))"
        )
        return recipe.but(net=net, lr=lr)
    return recipe.but(net=_deep_class(inputs, "24", str(depth), "torch.sigmoid(layer(x))"), lr=lr)


def _exploding(recipe: Recipe, i: int) -> Recipe:
    inputs = _SIZES[recipe.arch]
    lr = "1e-4" if recipe.optimizer == "SGD" else "0.001"
    if recipe.form == "layer":
        net = (
            f"blocks = [nn.Flatten(), nn.Linear({inputs}, 48), nn.ReLU()]\nfor _ in range(6):\n"
            "    blocks += [nn.Linear(48, 48), nn.ReLU()]\n$built = nn.Sequential(*blocks, nn.Linear(48, 4))"
        )
    else:
        net = _deep_class(inputs, "48", "6", "F.relu(layer(x))")
    widen = "for p in $model.parameters():\n    nn.init.normal_(p, std=1.0)"
    return recipe.but(net=net, setup=widen, lr=lr)


def _deep_class(inputs: str, width: str, depth: str, call: str) -> str:
    return f"""
class Tall(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Linear({inputs}, {width})
        self.middle = nn.ModuleList(nn.Linear({width}, {width}) for _ in range({depth}))
        self.leave = nn.Linear({width}, 4)

    def forward(self, x):
        x = self.enter(x.flatten(1))
        for layer in self.middle:
            x = {call}
        return self.leave(x)

$built = Tall()"""
