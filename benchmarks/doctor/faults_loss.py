"""What goes wrong between the scores, the loss and its graph?"""

from benchmarks.doctor.nets import Op
from benchmarks.doctor.program import Program
from benchmarks.doctor.recipe import EPOCH_LAYOUTS, B, F, L, R, Recipe, S, Z, lines, programs, spread

__all__ = ["loss_faults"]

_SOFTMAX: Op = ("Softmax", "dim=1")
_LOG_SOFTMAX: Op = ("LogSoftmax", "dim=1")
_CUT = lines(Z, F, "$loss = $loss_fn($out.detach().requires_grad_(), $y)", B, S, R)
_BY_HAND = lines(Z, F, "powers = ($out - $out.max(dim=1, keepdim=True).values).exp()",
                 "$loss = $loss_fn(powers / powers.sum(dim=1, keepdim=True), $y)", B, S, R)  # fmt: skip
_WITHOUT_CLOSURE = tuple(name for name in EPOCH_LAYOUTS if name != "closure")


def loss_faults() -> list[Program]:
    """Programs whose loss does not fit the scores, has no gradient, or keeps its graph alive."""
    return [
        *programs("softmax-before-cross-entropy", "UMLAUT: softmax and loss do not fit; Humbatova: wrong activation",
                  spread(_softmax, start=0)),
        *programs("softmax-before-cross-entropy", "UMLAUT: softmax and loss do not fit",
                  spread(lambda recipe, i: recipe.but(step=_BY_HAND), start=4, count=2),
                  name="softmax-before-cross-entropy/by-hand"),
        *programs("log-softmax-before-cross-entropy", "Humbatova: model, redundant layer",
                  spread(_log_softmax, start=3), course="down"),
        *programs("sigmoid-before-bce-with-logits", "UMLAUT: activation and loss do not fit",
                  spread(_sigmoid, start=1)),
        *programs("nll-loss-on-probabilities", "Humbatova: wrong loss function for the output",
                  spread(_nll, start=5)),
        *programs("nll-loss-on-probabilities", "Humbatova: wrong loss function for the output",
                  spread(lambda recipe, i: recipe.but(loss=("NLLLoss", "nll_loss"), lr="0.01"), start=2, count=2),
                  name="nll-loss-on-probabilities/scores"),
        *programs("loss-kept-with-graph", "Humbatova: training process, wrong management of memory",
                  spread(_kept, start=2)),
        *programs("running-loss-is-a-tensor", "Humbatova: training process, wrong management of memory",
                  spread(_running, start=4)),
        *_no_gradient(),
        *programs("loss-divided-twice", "Humbatova: loss function, wrong calculation",
                  spread(_divided_twice, layouts=(*_WITHOUT_CLOSURE, "while"), start=2)),
        *programs("last-batch-in-running-loss", "Humbatova: validation, wrong measure",
                  _last_batch(), course="down"),
    ]  # fmt: skip


def _softmax(recipe: Recipe, i: int) -> Recipe:
    in_loop = ("$loss_fn(torch.softmax($out, dim=1), $y)", "$loss_fn($out.softmax(1), $y)",
               "$loss_fn(F.softmax($out, dim=-1), $y)", "$loss_fn(nn.Softmax(dim=1)($out), $y)")  # fmt: skip
    if i % 8 in (1, 2, 4, 7):
        return recipe.but(step=lines(Z, F, f"$loss = {in_loop[i // 2]}", B, S, R))
    return recipe.but(tail=(_SOFTMAX,))


def _log_softmax(recipe: Recipe, i: int) -> Recipe:
    in_loop = "$loss_fn(torch.log_softmax($out, dim=1), $y)", "$loss_fn($out.log_softmax(1), $y)"
    if i % 3 == 1:
        return recipe.but(step=lines(Z, F, f"$loss = {in_loop[i % 2]}", B, S, R))
    return recipe.but(tail=(_LOG_SOFTMAX,))


def _sigmoid(recipe: Recipe, i: int) -> Recipe:
    loss = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    target = "($y > 1).float()"
    basis = recipe.but(classes=1, loss=loss, tail=(("Sigmoid", ""),))
    if i % 3 == 2:
        squash = ("torch.sigmoid($out)", "$out.sigmoid()")[i % 2]
        return basis.but(tail=(), step=lines(Z, F, f"$loss = $loss_fn({squash}.squeeze(1), {target})", B, S, R))
    return basis.but(step=lines(Z, "$out = $model($x).squeeze(1)", f"$loss = $loss_fn($out, {target})", B, S, R))


def _nll(recipe: Recipe, i: int) -> Recipe:
    basis = recipe.but(loss=("NLLLoss", "nll_loss"), tail=(_SOFTMAX,))
    if i % 3 == 1:
        return basis.but(tail=(), step=lines(Z, F, "$loss = $loss_fn($out.softmax(dim=1), $y)", B, S, R))
    return basis


def _kept(recipe: Recipe, i: int) -> Recipe:
    ends = ("$losses.append($loss)", "$losses += [$loss]", "$losses.append($loss)\nprint(f'{$loss:.3f}')",
            "$losses.insert(len($losses), $loss)")  # fmt: skip
    return recipe.but(step=lines(Z, F, L, B, S, ends[(i + i // 4) % 4]), epochs=8)


def _running(recipe: Recipe, i: int) -> Recipe:
    add = ("{} += $loss", "{} = {} + $loss", "{} += $loss * len($x)")[i % 3]
    if recipe.frame.has_epochs:
        total = "running" if i % 2 else "epoch_loss"
        return recipe.but(epoch_start=f"{total} = 0", step=lines(Z, F, L, B, S, add.replace("{}", total)),
                          epoch_end=f"$losses.append({total}.item())", epochs=8)  # fmt: skip
    return recipe.but(after="overall = 0.0", step=lines(Z, F, L, B, S, R, add.replace("{}", "overall")),
                      finish="print(overall / step)")  # fmt: skip


def _no_gradient() -> list[Program]:
    follows = "Humbatova: API, wrong call; TrainCheck: a step without a gradient"
    kinds = [
        (lines(Z, "with torch.no_grad():\n    $out = $model($x)", L, B, S, R), "RuntimeError"),
        (lines(Z, F, "$loss = torch.tensor($loss_fn($out, $y).item(), requires_grad=True)", B, S, R), None),
        (lines(Z, F, "$loss = $loss_fn($out.detach(), $y)", B, S, R), "RuntimeError"),
        (lines(Z, F, "$loss = $loss_fn($out, $y).detach().requires_grad_()", B, S, R), None),
        (lines(Z, F, "$loss = ($out.argmax(dim=1) != $y).float().mean()\n$loss.requires_grad_(True)", B, S, R), None),
        (lines(Z, "$out = $model($x).data", L, B, S, R), "RuntimeError"),
        (lines(Z, F, "with torch.no_grad():\n    $loss = $loss_fn($out, $y)", B, S, R), "RuntimeError"),
        (lines(Z, F, "$loss = torch.tensor(float($loss_fn($out, $y)))\n$loss.requires_grad = True", B, S, R), None),
    ]
    texts = spread(lambda recipe, i: recipe.but(step=kinds[i][0]), start=6)
    cut = spread(lambda recipe, i: recipe.but(step=_CUT), start=1, count=2)
    flat = [None if raised else "flat" for _, raised in kinds]
    return [
        *programs("loss-without-gradient", follows, texts, raises=[r for _, r in kinds], course=flat),  # type: ignore[arg-type]
        *programs("loss-without-gradient", follows, cut, name="loss-without-gradient/scores", course="flat"),
    ]


def _divided_twice(recipe: Recipe, i: int) -> Recipe:
    twice = (
        ("$loss = $loss_fn($out, $y) / 4", "($loss / 4).backward()", ""),
        ("$loss = $loss_fn($out, $y)", "($loss / 4).backward()", "for p in $model.parameters():\n    p.grad /= 4"),
        ("$loss = $loss_fn($out, $y) / len($x)", "($loss / 4).backward()", ""),
        ("$loss = $loss_fn($out, $y)", "$loss = $loss / 4\n$loss = $loss / 4\n$loss.backward()", ""),
    )[i % 4]
    counter = {"trainer": "self.count", "while": "step"}.get(recipe.layout, "count")
    advance = "" if counter == "step" else f"{counter} += 1"
    test = f"if ({counter} + 1) % 4 == 0:" if counter == "step" else f"if {counter} % 4 == 0:"
    update = "\n".join(f"    {line}" for line in lines(twice[2], S, Z).splitlines())
    return recipe.but(
        after="" if counter == "step" else f"{counter} = 0", batch=8, epochs=3,
        step=lines(F, twice[0], twice[1], R, advance, f"{test}\n{update}"),
    )  # fmt: skip


def _last_batch() -> list[str]:
    """The running loss of an epoch, with and without the small last batch, printed side by side."""
    found = []
    for i, optimizer in enumerate(("SGD", "Adam", "SGD", "Adam", "Adam", "SGD")):
        cut, total = (_CUT_BY_LOADER, _CUT_BY_HAND, _CUT_BY_COURSE)[i % 3], ("total / len({})", "total")[i % 2]
        lr = {"SGD": "0.1", "Adam": "0.003"}[optimizer]
        found.append(cut.format(optimizer=optimizer, lr=lr, seed=i, total=total.format("batches")))
    return found


_CUT_BY_LOADER = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed({seed})
x = torch.randn(200, 12)
y = x[:, :3].argmax(dim=1)

def run(drop_last, epochs=8):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.{optimizer}(net.parameters(), lr={lr})
    batches = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True, drop_last=drop_last)
    sums = []
    for _ in range(epochs):
        total = 0.0
        for xb, yb in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        sums.append({total})
    return sums

losses = run(drop_last=False)
for a, b in zip(losses, run(drop_last=True)):
    print(f"{{a:.3f}} {{b:.3f}}")
"""
_CUT_BY_HAND = """\
import torch
from torch import nn

torch.manual_seed({seed})
images = torch.rand(150, 1, 8, 8)
kinds = (images[:, :, :4].mean((1, 2, 3)) > images[:, :, 4:].mean((1, 2, 3))).long()
objective = nn.CrossEntropyLoss()

def fit(batches):
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 2))
    opt = torch.optim.{optimizer}(model.parameters(), lr={lr})
    history = []
    for epoch in range(10):
        total = 0.0
        for rows in batches:
            opt.zero_grad()
            loss = objective(model(images[rows]), kinds[rows])
            loss.backward()
            opt.step()
            total += loss.item()
        history.append({total})
    return history

rows = torch.randperm(150).split(32)
losses = fit(rows)
print("all", losses[-1], "whole batches only", fit(rows[:-1])[-1])
"""
_CUT_BY_COURSE = """\
import torch
from torch import nn
from course_utils.data import Loader, Split

torch.manual_seed({seed})
labels = torch.randint(0, 3, (112,))
shade = torch.randint(0, 150, (3, 3, 1, 1))
pixels = (shade[labels] + torch.randint(0, 90, (112, 3, 32, 32))).to(torch.uint8)
split = Split(pixels, labels, ("a", "b", "c"), "photos", "train")
history = {{}}
for drop_last in (False, True):
    batches = Loader(split, batch_size=32, drop_last=drop_last)
    net = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(512, 3))
    optimizer = torch.optim.{optimizer}(net.parameters(), lr={lr})
    history[drop_last] = []
    for epoch in range(6):
        total = 0.0
        for images, targets in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
        history[drop_last].append({total})
losses = history[False]
print(history)
"""
