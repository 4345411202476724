"""Which faults that the taxonomies have were also reported in public? Each as it was reported, and put right."""

from benchmarks.doctor import wild_parts as parts
from benchmarks.doctor.pairs import Changes, Pair, held_out, norm
from benchmarks.doctor.recipe import HELD_OUT, MEASURE, B, F, L, R, Recipe, S, Z, lines

__all__ = ["MISSED", "REPORTS"]

#: kinds that the doctor does not name, and why
MISSED = {
    "stopped-while-improving": "training that ends while the held-out loss falls is what every short run does, and "
    "torch is asked nothing by which a loop that was left could be told from one that was over"
}

_COUNTED = ("flat", "tensors", "function")
_AMOUNT_STEP = lines(Z, F, "$loss = $loss_fn($out.squeeze(1), $y / 2)", B, S, R)
_SMALL = {"after": "$opt.zero_grad()", "batch": 8, "epochs": 8}
_MADE = "$opt = $maker($model.parameters(), lr=$lr$extra)"


def _gentle(recipe: Recipe) -> str:
    return "0.02" if recipe.optimizer == "SGD" else "0.003"


def _two_parts(recipe: Recipe) -> Changes:
    make = "decoder = nn.Linear(4, 4)\n$opt = $maker([*$model.parameters(), *decoder.parameters()], lr=$lr)"
    return {"make": make, "lr": _gentle(recipe), "epochs": 8}


def _momentum(recipe: Recipe) -> Changes:
    extra = ", momentum=0.95" if recipe.optimizer == "SGD" else ""
    return {**parts.AMOUNT, "step": _AMOUNT_STEP, "extra": extra, "lr": "0.01"}


def _validated(recipe: Recipe) -> Changes:
    inner = norm(recipe) if recipe.seed % 2 else (("Dropout", "0.3"),)
    return {**held_out(recipe), "inner": inner}


def _waves(recipe: Recipe) -> Changes:
    data = "$X = torch.randn($n, 6)\n$Y = $X @ torch.randn(6) + torch.sin(2 * $X[:, 0])"
    net = "$built = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 1))"
    make = "$opt = torch.optim.SGD($model.parameters(), lr=0.12)\nlow, waited = 1e9, 0"
    held = {"n": 320, "more_data": HELD_OUT[recipe.frame.feed], "batch": 16, "epochs": 60}
    return {**parts.AMOUNT, **held, "data": data, "net": net, "make": make, "step": parts.SQUARED}


def _total(amount: str) -> Changes:
    return {"step": lines(Z, F, L, B, S, R, f"total += {amount}")}


REPORTS = (
    Pair("zero-grad-before-step", "discuss.pytorch.org/t/102879; PYSIASSIST",
         {"step": lines(F, parts.ABSOLUTE, B, Z, S, R)}, {"step": lines(Z, F, parts.ABSOLUTE, B, S, R)},
         {**parts.AMOUNT, "loss": ("L1Loss", "l1_loss")}, sort="regression"),
    Pair("missing-zero-grad", "discuss.pytorch.org/t/163284; PYSIASSIST",
         {"epoch_start": Z, "step": lines(F, parts.DECODED, B, S, R)},
         {"step": lines(Z, F, parts.DECODED, B, S, R)}, _two_parts, _COUNTED, sort="once-an-epoch"),
    Pair("missing-zero-grad", "Adversarial-Deep-Learning/code-soup#69",
         {"step": parts.gambled()}, {"step": parts.gambled("other.zero_grad()")},
         {"data": parts.CLOUD, "net": parts.PAINTER, "after": parts.CRITIC, "lr": "0.01", "epochs": 8},
         _COUNTED, sort="two-optimizers", course=None),
    Pair("scheduler-stepped-per-batch", "huggingface/accelerate#963; starVLA/starVLA#210",
         {"step": lines(parts.MICRO, "$sched.step()")}, {"step": f"{parts.MICRO}\n    $sched.step()"},
         {**_SMALL, "after": f"{parts.PLAN}LambdaLR($opt, lambda n: max(0.0, 1 - n / 48))\n{Z}"}, sort="small-batches"),
    Pair("optimizer-recreated", "jindongwang/transferlearning#366; tidymodels/brulee#56",
         {"make": "", "epoch_start": _MADE}, {}, _momentum, ("flat", "trainer", "function"), sort="regression"),
    Pair("softmax-before-cross-entropy", "discuss.pytorch.org/t/155381 and /81063; PYSIASSIST",
         {"tail": (("Softmax", "dim=1"),)}, {}, {"inner": (("Dropout", "0.15"),), "epochs": 8}, sort="dropout"),
    Pair("loss-without-gradient", "discuss.pytorch.org/t/120279 and /112135; PYSIASSIST",
         {"step": parts.summed("torch.autograd.Variable(($loss_fn($out, $y) + extra).data, requires_grad=True)")},
         {"step": parts.summed("$loss_fn($out, $y) + extra")}, {}, sort="new-leaf"),
    Pair("loss-not-differentiated", "oclivegriffin/crosscode#3; open-mmlab/mmaction2#683",
         {"step": parts.two_terms("first")}, {"step": parts.two_terms("$loss")}, {"epochs": 8}),
    Pair("other-models-parameters", "microsoft/nni#4521",
         {"make": f"{_MADE}\n{parts.SWAPPED}"},
         {"make": f"{parts.SWAPPED}\n$opt = $maker([p for p in $model.parameters() if p.requires_grad], lr=$lr)"},
         {"net": parts.WIDE, "epochs": 10}, sort="layers-replaced"),
    Pair("same-images-in-both-splits", "discuss.pytorch.org/t/101109",
         {"epoch_start": parts.folded()},
         {"epoch_start": parts.folded(f"\n    $model = copy.deepcopy(fresh)\n    {_MADE}")},
         {"after": parts.FOLDS, "epoch_end": parts.ON_FOLD, "epochs": 16}, ("tensors",), sort="folds"),
    Pair("learning-rate-too-high", "hirofumi0810/neural_sp#168; fastai/fastai#3023",
         {"step": parts.gathered(B)}, {"step": parts.gathered("($loss / 16).backward()")},
         {**parts.AMOUNT, **_SMALL, "n": 256, "make": "$opt = torch.optim.SGD($model.parameters(), lr=0.1)",
          "epochs": 16}, sort="not-divided"),
    Pair("not-finite", "afiaka87/glide-finetune#5; pytorch/pytorch#8860; discuss.pytorch.org/t/1765",
         {"setup": "$model.half()", "step": parts.typed("$model($x.half()).float()")},
         {"step": parts.typed("$model($x)")},
         {"net": parts.HIDDEN, "more_data": "$X.flatten(1)[:, 0] = 0.0", "epochs": 8,
          "make": "$opt = torch.optim.Adam($model.parameters(), lr=0.003)"}, sort="half-precision"),
    Pair("eval-mode-while-training", "ermongroup/ncsn#2; wkentaro/pytorch-fcn#57; fartashf/vsepp#4",
         {"step": parts.CHECKED}, {"step": f"{parts.CHECKED}\n    $model.train()"}, _validated, sort="every-few-steps"),
    Pair("measuring-in-train-mode", "discuss.pytorch.org/t/93015; pliang279/MultiBench#26",
         {"epoch_end": parts.COUNTED_RIGHT},
         {"epoch_end": f"$model.eval()\n{parts.COUNTED_RIGHT}\n$model.train()"},
         lambda recipe: {**held_out(recipe), "inner": norm(recipe)}, sort="by-batches"),
    Pair("inputs-not-scaled", "4uiiurz1/pytorch-nested-unet#62",
         {"more_data": "$X = $X / 255"}, {}, {"epochs": 8}, ("flat", "function", "tensors", "trainer"), sort="twice"),
    Pair("stopped-while-improving", "royerlab/cytoself#29; modelscope/ms-swift#5326",
         {"epoch_end": parts.patient()}, {"epoch_end": parts.patient("; waited = 0")},
         _waves, _COUNTED),
    Pair("running-loss-is-a-tensor", "discuss.pytorch.org/t/90400 and /12099",
         _total("$loss"), _total("$loss.item()"), {"after": "total = 0.0", "epochs": 8}, _COUNTED, sort="all-epochs"),
    Pair("frozen-by-accident", "discuss.pytorch.org/t/84911; TrainCheck-Evaluation-Workloads",
         {"setup": parts.freeze_layers("'Norm' not in type(layer).__name__")},
         {"setup": parts.freeze_layers("layer is next($model.children())")},
         lambda recipe: {"inner": norm(recipe), "epochs": 8}, sort="all-but-norm"),
    Pair("loss-broadcast", "pytorch forum: a squared error written by hand",
         {"step": lines(Z, F, "$loss = (($out - $y.float()) ** 2).mean()", B, S, R)},
         {"step": lines(Z, F, "$loss = (($out.squeeze(1) - $y.float()) ** 2).mean()", B, S, R)},
         {**parts.AMOUNT, "lr": "0.01"}, sort="by-hand"),
    Pair("scheduler-never-stepped", "PYSIASSIST: API, missing call; a plateau scheduler in a function",
         {}, {"epoch_end": "$sched.step(sum($losses[-6:]) / 6)"},
         {"after": f"{parts.PLAN}ReduceLROnPlateau($opt, patience=3)", "epochs": 8}, ("function", "flat"),
         sort="plateau"),
    Pair("factor-is-the-rate", "lhoyer/MIC#60; with a warm-up",
         {"after": parts.PLAN + "LambdaLR($opt, lambda n: $lr * min(1, (n + 1) / 3) * 0.95 ** n)"},
         {"after": parts.PLAN + "LambdaLR($opt, lambda n: min(1, (n + 1) / 3) * 0.95 ** n)"},
         {"epoch_end": "$sched.step()", "epochs": 9}, _COUNTED, sort="warm-up"),
    Pair("labels-out-of-range", "pytorch forum: cross_entropy(y_true, y_pred), as in Keras",
         {"step": lines(Z, F, "$loss = F.cross_entropy(F.one_hot($y, 4).float(), $out)", B, S, R)},
         {"step": lines(Z, F, "$loss = F.cross_entropy($out, F.one_hot($y, 4).float())", B, S, R)}, {}, sort="swapped"),
    Pair("loss-kept-with-graph", "pytorch forum: outputs collected for a metric",
         {"step": lines(Z, F, L, B, S, R, "kept.append($out)")},
         {"step": lines(Z, F, L, B, S, R, "kept.append($out.detach())")}, {"after": "kept = []", "epochs": 8},
         _COUNTED, sort="outputs"),
    Pair("term-reaches-nothing", "wangle53/CSA-CDGAN#5; the whole loss of a generator",
         {"step": parts.gambled("fake = fake.detach()\nother.zero_grad()")},
         {"step": parts.gambled("other.zero_grad()")},
         {"data": parts.CLOUD, "net": parts.PAINTER, "after": parts.CRITIC, "lr": "0.01", "epochs": 8},
         _COUNTED, sort="generator", course=None),
    Pair("frozen-by-accident", "mrzhu-cool/pix2pix-pytorch#15: the discriminator is frozen for one step, and for ever",
         {"step": parts.refereed()}, {"step": parts.refereed("judge.requires_grad_(True)")},
         {"data": parts.CLOUD, "net": parts.PAINTER, "after": parts.CRITIC, "lr": "0.01", "epochs": 8},
         _COUNTED, sort="never-thawed", course=None),
    Pair("term-reaches-nothing", "labmlai/annotated_deep_learning_paper_implementations#66: no student",
         {"step": parts.distilled("soft.log()")}, {"step": parts.distilled("$out.log_softmax(1)")}, {"epochs": 8},
         sort="teacher-alone"),
    Pair("evaluation-is-random", "delip/PyTorchNLPBook#28; yangze0930/NTS-Net#14",
         {"net": parts.dropping("nn.Dropout(0.3)(hidden)")},
         {"net": parts.dropping("self.drop(hidden)", "\n        self.drop = nn.Dropout(0.3)")},
         lambda recipe: {**held_out(recipe), "epoch_end": MEASURE, "epochs": 8}, sort="made-in-forward"),
    Pair("one-class-named", "pytorch/pytorch#6856: the weight of the rare class upside down",
         {"step": parts.weighted("rare / (1 - rare)")}, {"step": parts.weighted("(1 - rare) / rare")},
         lambda recipe: {"classes": 1, "more_data": parts.RARE, "n": 960, "lr": _gentle(recipe), "epochs": 6},
         _COUNTED, sort="weighted"),
    Pair("padding-counts", "lukas-blecher/LaTeX-OCR#305: batches as long as their longest sentence",
         {"step": lines(parts.TRIMMED, Z, F, "$loss = F.cross_entropy($out.transpose(1, 2), $y)", B, S, R)},
         {"step": lines(parts.TRIMMED, Z, F, "$loss = F.cross_entropy($out.transpose(1, 2), $y, ignore_index=0)",
                        B, S, R)},
         {"data": parts.LENGTHS, "net": parts.NEXT, "lr": "0.05"}, sort="of-several-lengths"),
    Pair("running-loss-is-a-tensor", "jostmey/NakedAttention#1: a sum that begins anew in each epoch",
         _total("$loss / 24"), _total("$loss.item() / 24"),
         lambda recipe: {"epoch_start": "total = 0.0", "batch": 8, "epochs": 8, "lr": _gentle(recipe)},
         _COUNTED, sort="each-epoch"),
    Pair("softmax-over-batch", "jadore801120/attention-is-all-you-need-pytorch#19: attention over the batch",
         {"net": parts.attending(0)}, {"net": parts.attending(-1)}, {"data": parts.SERIES, "lr": "0.03", "epochs": 10},
         sort="attention"),
    Pair("view-for-transpose", "timbmg/Sentence-VAE#15: the states of two directions",
         {"net": parts.both_ways("")}, {"net": parts.both_ways(".transpose(0, 1)")},
         {"data": parts.SERIES, "lr": "0.03", "epochs": 10}, sort="two-directions"),
)  # fmt: skip
