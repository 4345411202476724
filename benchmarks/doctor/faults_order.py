"""What goes wrong among the five lines of a step, and in what the optimizer holds?"""

from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import EPOCH_LAYOUTS, B, F, L, R, Recipe, S, Z, lines, programs, spread

__all__ = ["order_faults"]

_ZERO_MODEL = "$model.zero_grad()"
_RAISES_NO_GRAPH = "RuntimeError"


def order_faults() -> list[Program]:
    """Programs whose steps are incomplete or in another order, or whose optimizer holds the wrong parameters."""
    return [
        *_steps("missing-zero-grad", "TrainCheck: API sequence, gradients of earlier steps remain", _no_zero, 0, None),
        *_steps("zero-grad-before-step", "Humbatova: API, wrong call position", _zero_late, 1, "flat"),
        *programs("zero-grad-before-step", "Humbatova: API, wrong call position",
                  spread(_cleared_by_hand, start=5, count=2), name="zero-grad-before-step/by-hand", course="flat"),
        *_steps("step-before-backward", "Humbatova: API, wrong call position", _step_early, 2, None),
        *_steps("missing-step", "PYSIASSIST and Humbatova: API, missing call", _no_step, 3, "flat"),
        *_steps("missing-backward", "PYSIASSIST and Humbatova: API, missing call", _no_backward, 4, "flat"),
        *_parameters(),
        *programs("other-models-parameters", "TrainCheck: a step that changes no parameter of the model",
                  spread(_other_model, start=6), course="flat"),
        *_frozen(),
        *programs("optimizer-recreated", "Humbatova: training process; the optimizer's state is lost",
                  spread(_recreated, layouts=EPOCH_LAYOUTS, start=1)),
    ]  # fmt: skip


def _steps(fault: str, follows: str, make: object, start: int, course: str | None) -> list[Program]:
    return programs(fault, follows, spread(make, start=start), course=course)  # type: ignore[arg-type]


def _no_zero(recipe: Recipe, i: int) -> Recipe:
    lr = "0.02" if recipe.optimizer == "SGD" else "0.003"
    if i % 4 == 3 and recipe.frame.has_epochs:
        return recipe.but(step=lines(F, L, B, S, R), epoch_start=Z, lr=lr)
    return recipe.but(step=lines(F, L, B, S, R), lr=lr)


def _zero_late(recipe: Recipe, i: int) -> Recipe:
    zero = (Z, _ZERO_MODEL)[i % 2]
    orders = (F, L, B, zero, S, R), (zero, F, L, B, zero, S, R), (F, L, R, B, zero, S)
    return recipe.but(step=lines(*orders[i % 3]))


def _cleared_by_hand(recipe: Recipe, i: int) -> Recipe:
    cleared = ("for p in $model.parameters():\n    p.grad = None", "$model.zero_grad(set_to_none=False)")[i]
    return recipe.but(step=lines(F, L, B, cleared, S, R))


def _step_early(recipe: Recipe, i: int) -> Recipe:
    zero = (_ZERO_MODEL, Z)[i % 2]
    orders = (zero, F, L, S, B, R), (F, L, S, B, zero, R), (zero, F, L, R, S, B)
    return recipe.but(step=lines(*orders[i % 3]))


def _no_step(recipe: Recipe, i: int) -> Recipe:
    orders = (Z, F, L, B, R), (Z, F, L, B, "$opt.step", R), (F, L, Z, B, R)
    return recipe.but(step=lines(*orders[i % 3]))


def _no_backward(recipe: Recipe, i: int) -> Recipe:
    orders = (Z, F, L, S, R), (Z, F, L, "$loss.backward", S, R), (F, L, Z, S, R)
    return recipe.but(step=lines(*orders[i % 3]))


def _parameters() -> list[Program]:
    follows = "TrainCheck: parameters that no step changes; Humbatova: wrong reference"
    in_list = spread(_unregistered, start=2, count=2)
    return [*programs("parameters-not-in-optimizer", follows, spread(_not_held, start=5)),
            *programs("tensor-not-registered", follows, in_list, name="tensor-not-registered/layers")]  # fmt: skip


def _not_held(recipe: Recipe, i: int) -> Recipe:
    replaced = f"{recipe.last} = nn.Linear({recipe.width}, 4)"
    makes = (
        f"$opt = $maker({recipe.last}.parameters(), lr=$lr)",
        f"$opt = $maker($model.parameters(), lr=$lr)\n{replaced}",
        "weights = [p for p in $model.parameters() if p.dim() > 1]\n$opt = $maker(weights, lr=$lr)",
        "$opt = $maker(list($model.parameters())[:2], lr=$lr)",
    )
    return recipe.but(make=makes[1 if i < 2 and recipe.layout != "course" else (i * 3) % 4 if i % 4 != 1 else 2])


def _unregistered(recipe: Recipe, i: int) -> Recipe:
    """Layers in a plain list: they take part, but ``parameters()`` does not see them."""
    size = "20" if recipe.arch == "mlp" else "64"
    net = f"""
class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear({size}, 32), nn.Linear(32, 32)]
        self.top = nn.Linear(32, 4)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.top(x)

$built = Tower()"""
    return recipe.but(net=net, layout=("tensors", "trainer")[i])


def _other_model(recipe: Recipe, i: int) -> Recipe:
    makes = (
        "twin = copy.deepcopy($model)\n$opt = $maker(twin.parameters(), lr=$lr)",
        "$opt = $maker($model.parameters(), lr=$lr)\n$model = copy.deepcopy($model)",
        "teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))\n"
        "$opt = $maker(teacher.parameters(), lr=$lr)",
    )
    return recipe.but(make=makes[i % 3])


def _frozen() -> list[Program]:
    follows = "Humbatova: API, missing or wrong call; TrainCheck: parameters that stop changing"
    raising = spread(_all_frozen, start=3, count=8)
    partly = spread(_nearly_all_frozen, start=4, count=4)
    errors = [_RAISES_NO_GRAPH] * len(raising) + [None] * len(partly)
    head = spread(lambda recipe, i: recipe.but(after=f"{recipe.last}.requires_grad_(False)"), start=5, count=2)
    return [*programs("frozen-by-accident", follows, raising + partly, raises=errors,
                      course=[None] * len(raising) + ["flat"] * len(partly)),
            *programs("frozen-by-accident", follows, head, name="frozen-by-accident/last-layer")]  # fmt: skip


def _all_frozen(recipe: Recipe, i: int) -> Recipe:
    freeze = (
        "for p in $model.parameters():\n    p.requires_grad = False",
        'for name, p in $model.named_parameters():\n    p.requires_grad = "classifier" in name',
        "$model.requires_grad_(False)",
    )[i % 3]
    if i % 4 == 2 and recipe.frame.has_epochs and recipe.frame.feed != "course":
        look = "$model.requires_grad_(False)\nprint($model($X[:32]).argmax(dim=1).bincount())"
        return recipe.but(epoch_end=look)
    return recipe.but(after=freeze) if i % 2 else recipe.but(setup=freeze)


def _nearly_all_frozen(recipe: Recipe, i: int) -> Recipe:
    return recipe.but(setup="for p in list($model.parameters())[:-1]:\n    p.requires_grad = False", lr="0.01")


def _recreated(recipe: Recipe, i: int) -> Recipe:
    extra = ", momentum=0.9" if recipe.optimizer == "SGD" else ""
    lr = "0.02" if recipe.optimizer == "SGD" else "0.003"
    make = f"$opt = $maker($model.parameters(), lr=$lr{extra})"
    if i % 3 == 2:
        make = f"rate = $lr * 0.9 ** $epoch\n$opt = $maker($model.parameters(), lr=rate{extra})"
    return recipe.but(make="", epoch_start=make, lr=lr, epochs=8)
