"""Which healthy steps and loops look odd? Those of accumulation, schedules, losses and several networks, as recipes."""

from collections.abc import Callable

from benchmarks.doctor import wild_parts as parts
from benchmarks.doctor.pairs import Changes
from benchmarks.doctor.recipe import EPOCH_LAYOUTS, MEASURE, TENSOR_LAYOUTS, B, F, L, R, Recipe, S, Z, lines

__all__ = ["ODD"]

_SCHEDULER = "$sched = torch.optim.lr_scheduler."
_LOOPS = ("flat", "tensors", "function")
_COUNTED = ("flat", "function", "tensors")  #: layouts whose own names may be made before the loop
_EVERY = "if len($losses) % {} == 0:\n    "
_NLL = ("NLLLoss", "nll_loss")


def _binary(recipe: Recipe) -> Changes:
    loss = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    return {"classes": 1, "loss": loss, "epochs": 8,
            "step": lines(Z, F, "$loss = $loss_fn($out.squeeze(1), ($y > 1).float())", B, S, R)}  # fmt: skip


def _one_batch(recipe: Recipe) -> Changes:
    return {"n": 32, "epochs": 60, "more_data": "$Xt, $Yt = $X, $Y", "finish": MEASURE}


def _warmed(recipe: Recipe) -> Changes:
    cosine = "torch.optim.lr_scheduler.CosineAnnealingLR($opt, T_max=56)"
    both = f"warm = torch.optim.lr_scheduler.LinearLR($opt, start_factor=0.1, total_iters=8)\nthen = {cosine}\n"
    return {"after": f"{both}{_SCHEDULER}SequentialLR($opt, [warm, then], milestones=[8])",
            "step": lines(Z, F, L, B, S, "$sched.step()", R), "epochs": 8}  # fmt: skip


def _by_hand(recipe: Recipe) -> Changes:
    rate = "0.1" if recipe.arch == "cnn" or recipe.layout != "course" else "0.02"
    moved = f"with torch.no_grad():\n    for p in $model.parameters():\n        p -= {rate} * p.grad"
    return {"make": "", "step": lines("$model.zero_grad()", F, L, B, moved, R)}


_ZEROED = "for p in $model.parameters():\n    if p.grad is not None:\n        p.grad.zero_()"
_CLIPPED = "nn.utils.clip_grad_norm_($model.parameters(), 5.0)"
_TEACHER = "$built = {0}\nteacher = {0}\n$built($X[:2]), teacher($X[:2])"
_RESET = (
    "\n    for layer in $model.modules():\n        if hasattr(layer, 'reset_parameters'):"
    "\n            layer.reset_parameters()"
)
_TALL = "nn.Sequential(nn.Flatten(), nn.LazyLinear(24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))"
_TAUGHT = "with torch.no_grad():\n    soft = (40 * teacher($x)).softmax(dim=1)"

_ROWS = ("$Y = torch.randint(0, 4, ($n,))\n$X = (torch.rand($n, {0}) < torch.rand(4, {0})[$Y]).float()",
         "$built = nn.Sequential(nn.Linear({0}, 32), nn.ReLU(), nn.Linear(32, 4))")  # fmt: skip
_TABLE = ("raw = torch.randint(0, 4, ($n, 8))\n$X = F.one_hot(raw, 4).flatten(1).float()\n"
          "$Y = 2 * (raw[:, 0] > 1) + (raw[:, 1] > 1)",
          "$built = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))")  # fmt: skip
_PICTURES = ("shapes = torch.rand(4, 1, 16, 16)\n$Y = torch.randint(0, 4, ($n,))\n"
             "$X = (torch.rand($n, 1, 16, 16) < shapes[$Y]).float()",
             "$built = nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 4))")  # fmt: skip
_WORDS = ("$X = torch.randint(0, 12, ($n, 7))\n$Y = $X.sum(dim=1) % 4 * ($X[:, 0] > 5)",
          "$built = nn.Sequential(nn.Embedding(12, 24), nn.Flatten(), nn.Linear(168, 96), nn.ReLU(), "
          "nn.Linear(96, 4))")  # fmt: skip


def _discrete(data: str, net: str) -> Changes:
    return {"data": data, "net": net, "epochs": 10}


#: name of the trap: the faults it is taken for, its layouts, and what its recipe changes
ODD: dict[str, tuple[tuple[str, ...], tuple[str, ...], Changes | Callable[[Recipe], Changes]]] = {
    "gradients-zeroed-in-place": (("missing-zero-grad",), EPOCH_LAYOUTS,
        {"step": lines(_ZEROED, F, L, B, _CLIPPED, S, R), "epochs": 8}),
    "accumulation-with-a-rest": (("missing-zero-grad", "scheduler-stepped-per-batch"), _COUNTED,
        {"step": lines(F, L, "($loss / 3).backward()", R, f"{_EVERY.format(3)}{S}\n    {Z}"), "batch": 16,
         "after": _SCHEDULER + "StepLR($opt, 10)", "epoch_end": "$sched.step()", "epochs": 10}),
    "sum-of-batches": (("backward-from-running-sum", "running-loss-is-a-tensor"), _COUNTED,
        {"after": "total = 0.0", "batch": 8, "epochs": 8,
         "step": lines(F, "$loss = $loss_fn($out, $y)", "total = total + $loss / 4", R,
                       f"{_EVERY.format(4)}{Z}\n    total.backward()\n    {S}\n    total = 0.0")}),
    "warm-up-then-cosine": (("scheduler-stepped-per-batch",), ("flat", "function", "tensors"), _warmed),
    "one-batch-an-epoch": (("scheduler-stepped-per-batch",), ("flat", "tensors", "trainer"),
        {"batch": 256, "epochs": 80, "after": _SCHEDULER + "StepLR($opt, step_size=50, gamma=0.5)",
         "epoch_end": "$sched.step()"}),
    "log-of-softmax": (("nll-loss-on-probabilities", "softmax-before-cross-entropy"), EPOCH_LAYOUTS,
        {"loss": _NLL, "step": lines(Z, F, "$loss = $loss_fn($out.softmax(dim=1).log(), $y)", B, S, R)}),
    "binary-with-logits": (("sigmoid-before-bce-with-logits", "labels-out-of-range", "labels-wrong-dtype"),
        EPOCH_LAYOUTS, _binary),
    "measured-on-one-batch": (("same-images-in-both-splits",), ("flat", "tensors", "while"), _one_batch),
    "losses-detached": (("loss-kept-with-graph", "running-loss-is-a-tensor"), EPOCH_LAYOUTS,
        {"step": lines(Z, F, L, B, S, "$losses.append($loss.detach())")}),
    "autocast": (("clipped-before-unscale", "missing-step"), _COUNTED,
        {"after": 'scaler = torch.amp.GradScaler("cpu")',
         "step": lines(Z, 'with torch.autocast("cpu", dtype=torch.bfloat16):\n    $out = $model($x)\n'
                       "    $loss = $loss_fn($out, $y)", "scaler.scale($loss).backward()", "scaler.step($opt)",
                       "scaler.update()", R)}),
    "teacher-and-student": (("other-models-parameters", "parameters-not-in-optimizer"), _COUNTED,
        {"net": _TEACHER.format(_TALL), "epochs": 12,
         "step": lines(Z, _TAUGHT, F, "$loss = $loss_fn($out, soft)", B, S, R)}),
    "two-views": (("measuring-with-gradients", "missing-zero-grad"), EPOCH_LAYOUTS,
        {"step": lines(Z, F, "other = $model($x + 0.1)", "$loss = $loss_fn($out, $y) + (other - $out).pow(2).mean()",
                       B, S, R)}),
    "compared-in-pairs": (("loss-broadcast",), _COUNTED,
        {"step": lines(Z, F, "pairs = $out[:, 0, None] - $out[:, 0].detach()",
                       "$loss = $loss_fn($out, $y) + 0.01 * pairs.pow(2).mean()", B, S, R)}),
    "tied-weights": (("one-layer-in-several-places", "parameters-not-in-optimizer"), ("flat", "tensors", "function"),
        {"net": "$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(24), nn.ReLU(), nn.Linear(24, 24), nn.Tanh(), "
                "nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))\n$built($X[:2])\n"
                "$built[5].weight = $built[3].weight", "epochs": 12}),
    "updated-by-hand": (("missing-step",), ("flat", "tensors", "function"), _by_hand),
    "terms-one-by-one": (("loss-not-differentiated", "missing-zero-grad"), _COUNTED,
        {"step": lines(Z, F, "first = $loss_fn($out, $y)", "second = 0.1 * $out.pow(2).mean()",
                       "$loss = first + second", "first.backward(retain_graph=True)", "second.backward()", S, R)}),
    "penalty-only-reported": (("loss-not-differentiated", "term-reaches-nothing"), _COUNTED,
        {"step": lines(Z, F, L, B, "penalty = sum(p.pow(2).sum() for p in $model.parameters())", S,
                       "$losses.append(($loss + 0.0005 * penalty).item())"), "extra": ", weight_decay=0.001",
         "make": "$opt = torch.optim.SGD($model.parameters(), lr=0.1$extra)"}),
    "begins-anew-in-each-fold": (("same-images-in-both-splits", "optimizer-recreated"), ("tensors",),
        {"after": parts.FOLDS, "epoch_end": parts.ON_FOLD, "epochs": 16, "n": 192,
         "epoch_start": parts.folded(_RESET + "\n    $opt = $maker($model.parameters(), lr=$lr)")}),
    "ordered-not-sorted": (("unshuffled-labels",), TENSOR_LAYOUTS, {"shuffle": False}),
    "rows-of-zeros-and-ones": (("labels-change",), _LOOPS, _discrete(*(part.format(24) for part in _ROWS))),
    "equal-rows-of-several-classes": (("labels-change",), _LOOPS, _discrete(*(part.format(5) for part in _ROWS))),
    "one-hot-table": (("labels-change",), _LOOPS, _discrete(*_TABLE)),
    "binary-pictures": (("labels-change",), _LOOPS, _discrete(*_PICTURES)),
    "short-sentences": (("labels-change",), _LOOPS, _discrete(*_WORDS)),
}  # fmt: skip
