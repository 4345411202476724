"""Which faults did people report in public that the taxonomies do not have? Each as it was, and put right."""

from benchmarks.doctor import wild_parts as parts
from benchmarks.doctor.pairs import Changes, Pair, held_out, norm
from benchmarks.doctor.recipe import MEASURE, B, F, L, R, Recipe, S, Z, lines

__all__ = ["WILD"]

_LOADERS = ("flat", "function", "trainer")
_TENSORS = ("tensors", "while")


def _step(loss: str, *, out: str = F, back: str = B) -> str:
    return lines(Z, out, loss, back, S, R)


def _padded(recipe: Recipe) -> Changes:
    return {"data": parts.PADDED, "lr": "0.5" if recipe.optimizer == "SGD" else "0.02", "epochs": 10}


def _decayed(kind: str) -> str:
    return f"$opt = torch.optim.{kind}($model.parameters(), lr=$lr, weight_decay=0.001)"


_LEAVES = "if len($losses) % 2 == 0:\n    break"
_SOFT = lines(F, parts.SOFT)
_SUM = lines("$loss = $loss_fn($out, $y)", "total = total + $loss", "total.backward(retain_graph=True)")

WILD = (
    Pair("softmax-over-batch", "ikostrikov/pytorch-meta-optimizer#10; MicrosoftDocs/pytorchfundamentals#21; "
         "discuss.pytorch.org/t/77250",
         {"tail": (("LogSoftmax", "dim=0"),)}, {"tail": (("LogSoftmax", "dim=1"),)},
         {"loss": ("NLLLoss", "nll_loss")}),
    Pair("loss-broadcast", "pytorch/pytorch#16045 and #19699",
         {"step": _step("$loss = $loss_fn($out, $y.float())")},
         {"step": _step("$loss = $loss_fn($out.squeeze(1), $y.float())")}, parts.AMOUNT),
    Pair("kl-div-on-probabilities", "microsoft/ProDA#20 and #43; sebastian-hofstaetter/matchmaker#18",
         {"step": _step("$loss = F.kl_div($out.softmax(1), soft, reduction='batchmean')", out=_SOFT)},
         {"step": _step("$loss = F.kl_div($out.log_softmax(1), soft, reduction='batchmean')", out=_SOFT)},
         {}),
    Pair("targets-out-of-reach", "ProteomicsML/ProteomicsML#203",
         {"tail": (("ReLU", ""),)}, {}, {**parts.AMOUNT, "step": _step("$loss = $loss_fn($out.squeeze(1), $y - 2.5)")}),
    Pair("targets-not-scaled", "discuss.pytorch.org/t/119029; PYSIASSIST: missing data preprocessing",
         {"step": _step("$loss = $loss_fn($out.squeeze(1), 150000.0 + 40000.0 * $y)"), "lr": "0.003"},
         {"step": _step("$loss = $loss_fn($out.squeeze(1), ($y - 1.5) / 1.1)")}, parts.AMOUNT),
    Pair("gradients-thrown-away", "bytetriper/RAE#67; ZiqiaoPeng/DualTalk#9; tatsu-lab/alpaca_farm#57",
         {"step": lines(Z, parts.MICRO)}, {"step": parts.MICRO},
         {"after": "$opt.zero_grad()", "batch": 8, "epochs": 10}),
    Pair("backward-from-running-sum", "discuss.pytorch.org/t/113790",
         {"step": lines(Z, F, _SUM, S, R)},
         {"step": lines(Z, F, L, "total = total + $loss.item()", B, S, R)},
         {"epoch_start": "total = 0.0", "net": parts.LINEAR, "lr": "0.01"}, ("flat", "tensors", "function")),
    Pair("tensor-not-registered", "discuss.pytorch.org/t/36422; PYSIASSIST",
         {"net": parts.scaled("torch.tensor([0.5], requires_grad=True)")},
         {"net": parts.scaled("nn.Parameter(torch.tensor([0.5]))")}, {}),
    Pair("optimizer-never-steps", "discuss.pytorch.org/t/60855; PYSIASSIST",
         {"step": lines(Z, "other.zero_grad()", F, L, B, S, R)},
         {"step": lines(Z, "other.zero_grad()", F, L, B, S, "other.step()", R)}, {"make": parts.TWO},
         ("flat", "tensors")),
    Pair("term-reaches-nothing", "nikhilsinghmus/image2reverb#37; wangle53/CSA-CDGAN#5",
         {"step": parts.judged("$out.detach()")}, {"step": parts.judged("$out")}, {"after": parts.JUDGE, "epochs": 10},
         ("flat", "tensors")),
    Pair("view-for-transpose", "zhouhaoyi/Informer2020#59; vitrioil/Speech-Separation#4; "
         "fawazsammani/knowing-when-to-look-adaptive-attention#6",
         {"step": _step("$loss = $loss_fn($out, $y)", out="$out = $model($x.view(len($x), 3, 8, 8))")},
         {"step": _step("$loss = $loss_fn($out, $y)", out="$out = $model($x.permute(0, 3, 1, 2))")},
         {"data": parts.COLOURED, "net": parts.COLOUR_NET}, _LOADERS),
    Pair("batch-taken-for-time", "AndersonJo/dqn-pytorch#1; salesforce/cove#10; facebookresearch/fairseq#2449",
         {"net": parts.reader("12, 24")}, {"net": parts.reader("12, 24, batch_first=True")},
         {"data": parts.SERIES, "lr": "0.05", "epochs": 10}),
    Pair("targets-equal-inputs", "huggingface/transformers#27517 and #3711",
         {"step": _step("$loss = $loss_fn($out.flatten(0, 1), $x.flatten())")},
         {"step": _step("$loss = $loss_fn($out[:, :-1].flatten(0, 1), $x[:, 1:].flatten())")},
         {"data": parts.TOKENS, "net": parts.NEXT, "lr": "0.3"}),
    Pair("tokens-without-gradient", "InseeFrLab/torchTextClassifiers#92; mlwithme/TransformerTranslation#6",
         {"net": parts.attentive("x != 0")}, {"net": parts.attentive("x == 0")},
         _padded),
    Pair("labels-change", "discuss.pytorch.org: inputs and labels shuffled apart",
         {"epoch_start": "$Y = $Y[torch.randperm(len($Y))]"},
         {"epoch_start": "$Y = $Y.clone()"}, {}, ("tensors",)),
    Pair("workers-draw-the-same", "pytorch/pytorch#5059; xingyizhou/CenterNet#233; TorchDSP/torchsig#343",
         {"more_data": parts.drawn("self.noise()")},
         {"more_data": parts.drawn("torch.randn(()).item()")},
         {"dataset": "Drawn($X, $Y), num_workers=1"}, ("flat", "function")),
    Pair("set-epoch-missing", "pytorch documentation of DistributedSampler: set_epoch",
         {}, {"epoch_start": "sampler.set_epoch(epoch)"},
         {"dataset": "TensorDataset($X, $Y), sampler=sampler", "shuffle": False, "more_data": parts.SHARE}, ("flat",)),
    Pair("dataset-changes-itself", "pytorch forum: augmentation in place",
         {"more_data": parts.augmented("image += 0.3 * torch.randn(image.shape)")},
         {"more_data": parts.augmented("image = image + 0.3 * torch.randn(image.shape)")},
         {"dataset": "Augmented($X, $Y)"}, _LOADERS),
    Pair("measured-in-another-scale", "4uiiurz1/pytorch-nested-unet#62",
         {"epoch_end": "$Xt = $Xt / $Xt.abs().max() * 100\n" + MEASURE}, {"epoch_end": MEASURE}, held_out,
         ("flat", "tensors")),
    Pair("not-finite", "pytorch/pytorch#121416 and #89543",
         {"step": parts.masked("F.mse_loss($out[:, 0], some, reduction='none')[known].mean()")},
         {"step": parts.masked("F.mse_loss($out[:, 0][known], some[known])")}, {"epochs": 8}),
    Pair("penalty-dominates", "discuss.pytorch.org/t/153565; PYSIASSIST: improper hyperparameters",
         {"step": parts.punished("0.2")}, {"step": parts.punished("0.00002")}, {"epochs": 8, "lr": "0.01"}),
    Pair("one-class-named", "discuss.pytorch.org/t/90655 and /23468; PYSIASSIST: defective dataset",
         {"more_data": "$Y = (torch.rand(len($Y)) < 0.05).long()", "lr": "0.01"}, {}, {"epochs": 4, "n": 640}),
    Pair("factor-is-the-rate", "lhoyer/MIC#60; pytorch/pytorch#78917",
         {"after": parts.PLAN + "LambdaLR($opt, lambda n: $lr * 0.97 ** n)"},
         {"after": parts.PLAN + "LambdaLR($opt, lambda n: 0.97 ** n)"}, {"epoch_end": "$sched.step()", "epochs": 8},
         ("flat", "function", "tensors")),
    Pair("scheduler-recreated", "pytorch forum: scheduler in the loop over epochs",
         {"epoch_start": parts.PLAN + "StepLR($opt, step_size=3)"}, {"after": parts.PLAN + "StepLR($opt, step_size=3)"},
         {"epoch_end": "$sched.step()", "epochs": 8}, ("flat", "function", "tensors")),
    Pair("plateau-in-wrong-mode", "pytorch forum: ReduceLROnPlateau and its mode",
         {"after": parts.PLAN + "ReduceLROnPlateau($opt, mode='max', patience=1)"},
         {"after": parts.PLAN + "ReduceLROnPlateau($opt, mode='min', patience=1)"},
         {"epoch_end": "$sched.step(sum($losses[-6:]) / 6)", "epochs": 9}, ("flat", "function", "tensors")),
    Pair("batch-norm-of-one", "discuss.pytorch.org/t/43764 and /102477; "
         "HuiZeng/Grid-Anchor-based-Image-Cropping-Pytorch#2",
         {"batch": 2, "n": 64, "epochs": 4}, {"batch": 16}, lambda recipe: {"inner": norm(recipe)}),
    Pair("frozen-norm-moves", "pytorch forum: frozen backbone and running averages",
         {"setup": parts.FREEZE}, {"setup": parts.FREEZE + "\n        m.eval()"},
         lambda recipe: {"inner": norm(recipe)}),
    Pair("backward-in-validation", "pytorch forum: loss.backward() in the validation loop",
         {"epoch_end": parts.validated(f"\n    {Z}\n    value.backward()\n    {S}", graph=True)},
         {"epoch_end": parts.validated("\n    print(value.item())", graph=False)}, held_out,
         ("flat", "function")),
    Pair("state-without-copy", "pytorch/tutorials#188; WenjieDu/PyPOTS#667; thunlp/OpenKE#131",
         {"epoch_end": parts.kept("$model.state_dict()")},
         {"epoch_end": parts.kept("copy.deepcopy($model.state_dict())")},
         {"after": "low = 1e9", "finish": "$model.load_state_dict(best)"}, ("flat", "tensors")),
    Pair("units-all-equal", "discuss.pytorch.org/t/127643; PYSIASSIST",
         {"setup": "for p in $model.parameters():\n    nn.init.constant_(p, 0.02)"},
         {"setup": "for p in $model.parameters():\n    nn.init.normal_(p, std=0.1)"}, {}),
    Pair("clipped-before-unscale", "pytorch documentation of torch.amp: working with unscaled gradients",
         {"step": parts.clipped(1.0)}, {"step": parts.clipped(1.0, "scaler.unscale_($opt)")},
         {"after": 'scaler = torch.amp.GradScaler("cpu")', "epochs": 8}, ("flat", "tensors")),
    Pair("clipping-always", "pytorch forum: choosing max_norm; PYSIASSIST: improper hyperparameters",
         {"step": parts.clipped(0.05, "scaler.unscale_($opt)")},
         {"step": parts.clipped(30.0, "scaler.unscale_($opt)")},
         {"after": 'scaler = torch.amp.GradScaler("cpu")', "epochs": 8}, ("flat", "tensors")),
    Pair("coupled-weight-decay", "Loshchilov and Hutter 2019: decoupled weight decay; fast.ai forum",
         {"make": _decayed("Adam")}, {"make": _decayed("AdamW")}, {"lr": "0.01"}),
    Pair("loss-divided-for-nothing", "pytorch forum: gradient accumulation, divided and stepped at every batch",
         {"step": lines(Z, F, "$loss = $loss_fn($out, $y)", "($loss / 4).backward()", S, R)}, {"step": parts.MICRO},
         {"after": "$opt.zero_grad()", "batch": 8, "epochs": 10}),
    Pair("batches-that-never-come", "pytorch forum: next(iter(loader)) and passes that are left early",
         {"shuffle": False}, {}, {"step": lines(Z, F, L, B, S, R, _LEAVES), "epochs": 12}, _LOADERS),
    Pair("one-model-under-two-names", "pytorch forum: target network that is the policy network",
         {"after": "target = $model"}, {"after": "target = copy.deepcopy($model)"},
         {"epoch_end": "target.load_state_dict($model.state_dict())"}, ("flat", "tensors")),
    Pair("one-layer-in-several-places", "pytorch forum: [layer] * n in a Sequential",
         {"net": parts.stacked("[nn.Linear(24, 24)] * 3")},
         {"net": parts.stacked("[nn.Linear(24, 24) for _ in range(3)]")}, {}),
    Pair("average-with-old-statistics", "pytorch forum: EMA of the weights and batch norm's running averages",
         {"step": parts.averaged()},
         {"step": parts.averaged("for a, b in zip(slow.buffers(), $model.buffers()):\n    a.copy_(b)")},
         lambda recipe: {"inner": norm(recipe), "after": "slow = copy.deepcopy($model)", "epoch_end": parts.SLOW},
         ("flat", "tensors")),
    Pair("resumed-without-its-optimizer", "pytorch tutorial on checkpoints: save the optimizer's state too; forum",
         {"epoch_end": parts.paused()}, {"epoch_end": parts.paused("\n    $opt.load_state_dict(rest)")},
         lambda recipe: {"extra": ", momentum=0.9" if recipe.optimizer == "SGD" else "", "lr": "0.01", "epochs": 8},
         ("flat", "tensors")),
    Pair("stopped-by-an-error", "discuss.pytorch.org: backward through the graph a second time",
         {"step": parts.carried("state")}, {"step": parts.carried("state.detach()")},
         {"net": parts.CELL, "data": parts.SERIES, "epoch_start": "state = torch.zeros(1, 24)"},
         raises="RuntimeError"),
)  # fmt: skip
