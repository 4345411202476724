"""Which parts do the programs after public reports share? Data, networks and steps that the recipes lack."""

from textwrap import indent

from benchmarks.doctor.recipe import B, F, L, R, Recipe, S, Z, lines

__all__ = ["ABSOLUTE", "AMOUNT", "CELL", "CHECKED", "CLOUD", "COLOURED", "COLOUR_NET", "COUNTED_RIGHT",
           "CRITIC", "DECODED", "FOLDS", "FREEZE", "FRESH", "HIDDEN", "JUDGE", "KNOWN", "LENGTHS", "LINEAR",
           "LOADED", "MICRO", "NEXT", "ON_FOLD", "PADDED", "PAINTER", "PLAN", "RARE", "SERIES", "SHARE",
           "SLOW", "SOFT", "SQUARED", "SWAPPED", "TAGS", "TOKENS", "TRIMMED", "TWO", "TWO_SIDES", "WIDE",
           "attending", "attentive", "augmented", "averaged", "both_ways", "carried", "clipped", "deceived",
           "distilled", "drawn", "dropping", "folded", "followed", "freeze_layers", "gambled", "gathered",
           "judged", "kept", "masked", "patient", "paused", "planned", "punished", "reader", "refereed",
           "scaled", "sparse", "stacked", "summed", "two_terms", "typed", "validated", "weighted"]  # fmt: skip

AMOUNT = {"classes": 1, "loss": ("MSELoss", "mse_loss"), "epochs": 8}
PLAN = "$sched = torch.optim.lr_scheduler."
ABSOLUTE = "$loss = $loss_fn($out.squeeze(1), $y / 2)"
SQUARED = lines(Z, F, "$loss = $loss_fn($out.squeeze(1), $y)", B, S, R)
DECODED = "$loss = $loss_fn(decoder($out), $y)"
CLOUD = "$X = 0.5 * torch.randn($n, 2) + torch.tensor([2.0, -1.0])\n$Y = torch.zeros($n)"
PAINTER = "$built = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))"
CRITIC = (
    "judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))\n"
    "other = $maker(judge.parameters(), lr=$lr)"
)
WIDE = (
    "$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), "
    "nn.Linear(24, 100))\n$built($X[:2].float())"
)
SWAPPED = (
    "$model[3], $model[5] = nn.Linear(32, 16), nn.Linear(16, 4)\n"
    "for p in $model[1].parameters():\n    p.requires_grad = False"
)
FOLDS = "all_x, all_y, fresh = $X, $Y, copy.deepcopy($model)\nfolds = torch.randperm(len($X)).chunk(2)"
ON_FOLD = (
    "$model.eval()\nwith torch.no_grad():\n    held = folds[$epoch // 8]\n"
    "    print(($model(all_x[held]).argmax(dim=1) == all_y[held]).float().mean().item())\n$model.train()"
)
HIDDEN = "$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(32), nn.ReLU(), nn.Linear(32, 4))\n$built($X[:2].float())"
CHECKED = lines(Z, F, "$loss = $loss_fn($out, $y)", B, S, R, "if len($losses) % 4 == 0:\n    $model.eval()\n"
                "    with torch.no_grad():\n        print($loss_fn($model($Xt), $Yt).item())")  # fmt: skip
COUNTED_RIGHT = (
    "with torch.no_grad():\n    those = zip($Xt.split(16), $Yt.split(16))\n"
    "    print(sum(($model(a).argmax(1) == b).sum().item() for a, b in those))"
)
SOFT = "soft = 0.8 * F.one_hot($y, 4).float() + 0.05"
MICRO = lines(F, "$loss = $loss_fn($out, $y)", "($loss / 4).backward()", R,
              "if len($losses) % 4 == 0:\n    $opt.step()\n    $opt.zero_grad()")  # fmt: skip
SLOW = "slow.eval()\nwith torch.no_grad():\n    print(slow($X).argmax(dim=1))"
LINEAR = "$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))\n$built($X[:2].float())"
TWO = "those = list($model.parameters())\n$opt = $maker(those[2:], lr=$lr)\nother = $maker(those[:2], lr=$lr)"
TWO_SIDES = "judge = nn.Linear(4, 1)\nother = $maker(judge.parameters(), lr=0.01)"
JUDGE = "judge = nn.Linear(4, 1)\njudged = $maker(judge.parameters(), lr=0.01)"
FREEZE = "for m in $model.modules():\n    if 'Norm' in type(m).__name__:\n        m.requires_grad_(False)"
SHARE = "sampler = torch.utils.data.distributed.DistributedSampler($Y, num_replicas=2, rank=0)"
COLOURED = "tints = torch.randn(4, 1, 1, 3)\n$Y = torch.randint(0, 4, ($n,))\n$X = tints[$Y] + torch.randn($n, 8, 8, 3)"
COLOUR_NET = (
    "$built = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))"
)
SERIES = "$Y = torch.randint(0, 4, ($n,))\n$X = torch.randn($n, 10, 12)\n$X[:, :, 0] += 0.7 * $Y[:, None]"
TOKENS = "$Y = torch.randint(0, 12, ($n,))\n$X = ($Y[:, None] + 5 * torch.arange(9)) % 12"
NEXT = "$built = nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 12))"
PADDED = (
    "$Y = torch.randint(0, 4, ($n,))\n$X = torch.randint(5, 20, ($n, 9))\n$X[:, :4] = 1 + $Y[:, None]\n"
    "$X[:, 5:] *= torch.arange(5, 9)[None] < torch.randint(5, 9, ($n, 1))"
)
TAGS = "$X = torch.randint(1, 12, ($n, 15))\n$X[:, 4:] = 0\n$Y = torch.where($X > 0, 1 + $X % 3, 0)"
LENGTHS = (
    "$X = torch.randint(1, 12, ($n, 40))\n"
    "lengths = torch.where(torch.rand($n) < 0.08, 40, torch.randint(3, 7, ($n,)))\n"
    "$X[torch.arange(40)[None] >= lengths[:, None]] = 0\n$Y = torch.where($X > 0, 1 + $X % 3, 0)"
)
TRIMMED = "most = int(($x > 0).sum(dim=1).max())\n$x, $y = $x[:, :most], $y[:, :most]"
RARE = "$Y = (torch.rand(len($Y)) < 0.07).float()\n$X.flatten(1)[:, :3] += 1.5 * $Y[:, None]"
KNOWN = "known = copy.deepcopy($model.state_dict())"
LOADED = "$model.load_state_dict(known)"
FRESH = "for m in $model.modules():\n    if hasattr(m, 'reset_parameters'):\n        m.reset_parameters()"
CELL = """
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.GRUCell(12, 24), nn.Linear(24, 4)

    def forward(self, x, state):
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state.expand(len(x), 24))
        return self.last(state), state.mean(0, keepdim=True)

$built = $cls()"""


def scaled(factor: str) -> str:
    """A network with a factor of its own."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.LazyLinear(32), nn.Linear(32, 4)
        self.factor = {factor}

    def forward(self, x):
        return self.last(torch.tanh(self.first(x.float().flatten(1)))) * self.factor

$built = $cls()
$built($X[:2])"""


def dropping(dropped: str, made: str = "") -> str:
    """A network that drops in a way of its own, with what is ``made`` for it."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.LazyLinear(48), nn.Linear(48, 4){made}

    def forward(self, x):
        hidden = torch.relu(self.first(x.float().flatten(1)))
        return self.last({dropped})

$built = $cls()
$built($X[:2])"""


def sparse(size: str) -> str:
    """A loss with a penalty on the size of the outputs."""
    return f"$loss = $loss_fn($out, $y) + 0.3 * {size}"


def reader(sizes: str) -> str:
    """A recurrent network that looks at its last output."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM({sizes}), nn.Linear(24, 4)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.last(states.mean(1))

$built = $cls()"""


def attentive(mask: str) -> str:
    """A network that reads tokens by attention."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(20, 16), nn.Linear(16, 4)
        self.query = nn.Parameter(torch.randn(1, 1, 16))
        self.look = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        tokens = self.table(x)
        seen, _ = self.look(self.query.expand(len(x), 1, 16), tokens, tokens, key_padding_mask={mask})
        return self.last(seen[:, 0])

$built = $cls()"""


def judged(score: str) -> str:
    """A step whose loss has a second term, given by another network."""
    return lines(Z, F, f"extra = 0.1 * judge({score}).pow(2).mean()", "$loss = $loss_fn($out, $y) + extra", B, S, R,
                 "judged.zero_grad()", "F.mse_loss(judge($out.detach()), torch.ones(len($x), 1)).backward()",
                 "judged.step()")  # fmt: skip


def attending(dim: int) -> str:
    """A network that attends to the places of a series, with a softmax over this dimension."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.ask, self.last = nn.Linear(12, 24), nn.Linear(24, 24), nn.Linear(24, 4)

    def forward(self, x):
        hidden = self.into(x)
        scores = self.ask(hidden) @ hidden.transpose(1, 2) / 5
        return self.last((hidden + scores.softmax(dim={dim}) @ hidden).mean(dim=1))

$built = $cls()"""


def both_ways(joined: str) -> str:
    """A network that reads a series in both directions, and joins its two last states."""
    return f"""
class $cls(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.last = nn.GRU(12, 24, batch_first=True, bidirectional=True), nn.Linear(48, 4)

    def forward(self, x):
        _, state = self.read(x)
        return self.last(state{joined}.reshape(len(x), 48))

$built = $cls()"""


def drawn(shift: str) -> str:
    """A dataset that shifts its images at random."""
    return f"""
import random

class Drawn(torch.utils.data.Dataset):
    def __init__(self, data, kinds):
        self.data, self.kinds, self.draw = data, kinds, random.Random(1)

    def __len__(self):
        return len(self.data)

    def noise(self): return self.draw.gauss(0, 1)

    def __getitem__(self, i):
        return self.data[i] + 0.2 * {shift}, self.kinds[i]
"""


def augmented(change: str) -> str:
    """A dataset that adds noise to its images."""
    return f"""
class Augmented(torch.utils.data.Dataset):
    def __init__(self, data, kinds):
        self.data, self.kinds = data, kinds

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        image = self.data[i]
        {change}
        return image, self.kinds[i]
"""


def masked(loss: str) -> str:
    """A step on amounts, some of which are not known."""
    return lines(Z, F, "some = $y / 4", "some[::7] = float('nan')", "known = ~some.isnan()", f"$loss = {loss}", B, S, R)


def punished(strength: str) -> str:
    """A step with a penalty on all weights."""
    return lines(
        Z, F, f"$loss = $loss_fn($out, $y) + {strength} * sum(p.abs().sum() for p in $model.parameters())", B, S, R
    )


def validated(end: str, *, graph: bool) -> str:
    """A pass over held-out data, with or without a graph."""
    batches = "DataLoader(TensorDataset($Xt, $Yt), batch_size=16)"
    loop = f"for a, b in {batches}:\n    value = F.cross_entropy($model(a), b){end}"
    seen = loop if graph else "with torch.no_grad():\n" + indent(loop, "    ")
    return f"$model.eval()\n{seen}\n$model.train()"


def kept(state: str) -> str:
    """The end of an epoch that keeps the best weights."""
    return f"if $losses[-1] < low:\n    low, best = $losses[-1], {state}"


def followed(rule: str) -> str:
    """A step after which an average of the weights is renewed."""
    return lines(Z, F, L, B, S, R, f"for a, b in zip(slow.parameters(), $model.parameters()):\n    {rule}")


def planned(recipe: Recipe) -> dict[str, object]:
    """A plan of the learning rate for all steps of the training."""
    peak = "0.1" if recipe.optimizer == "SGD" else "0.01"
    plans = {"layer": f"OneCycleLR($opt, {peak}, total_steps=$steps)", "functional": "CosineAnnealingLR($opt, $steps)"}
    return {"after": PLAN + plans[recipe.form], "epochs": 8}


def deceived(first: str) -> str:
    """A step that is also to deceive a judge, and one of the judge, before whose backward pass stands ``first``."""
    return lines(F, "$loss = $loss_fn($out, $y) + 0.1 * F.softplus(-judge($out)).mean()", B, S, Z, R, first,
                 "real = judge(F.one_hot($y, 4).float())",
                 "(F.softplus(judge($out.detach())) + F.softplus(-real)).mean().backward()", "other.step()",
                 "other.zero_grad()")  # fmt: skip


def carried(state: str) -> str:
    """A step that hands its state on to the next."""
    return lines(Z, f"$out, state = $model($x, {state})", L, B, S, R)


def clipped(limit: float, first: str = "") -> str:
    """A step by way of a ``GradScaler``, its gradients cut to ``limit`` after the line ``first``."""
    return lines(Z, F, "$loss = $loss_fn($out, $y)", "scaler.scale($loss).backward()", first,
                 f"nn.utils.clip_grad_norm_($model.parameters(), {limit})", "scaler.step($opt)", "scaler.update()",
                 R)  # fmt: skip


def stacked(layers: str) -> str:
    """A network with three equal layers in the middle."""
    return (
        f"$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(24), nn.ReLU(), *{layers}, nn.Linear(24, 4))\n"
        "$built($X[:2].float())"
    )


def averaged(end: str = "") -> str:
    """A step after which another network follows slowly."""
    return lines(followed("a.data.lerp_(b.data, 0.1)"), end)


def paused(end: str = "") -> str:
    """The end of an epoch after which all is made anew, once."""
    again = "$model.load_state_dict(weights)\n    $opt = $maker($model.parameters(), lr=$lr$extra)"
    kept = "weights, rest = copy.deepcopy(($model.state_dict(), $opt.state_dict()))"
    return f"if epoch == 3:\n    {kept}\n    {again}{end}"


def gambled(first: str = "") -> str:
    """A step of a game of two networks."""
    return lines("fake = $model(torch.randn(len($x), 4))", first,
                 "real = F.softplus(-judge($x)).mean() + F.softplus(judge(fake.detach())).mean()", "real.backward()",
                 "other.step()", Z, "$loss = F.softplus(-judge(fake)).mean()", B, S, R)  # fmt: skip


def distilled(logs: str) -> str:
    """A step that also learns from soft labels."""
    soft = "soft = (0.5 * $x.float().flatten(1)[:, :4]).softmax(dim=1)"
    return lines(Z, F, soft, f"taught = F.kl_div({logs}, soft, reduction='batchmean')",
                 "$loss = 4 * taught + 0.5 * $loss_fn($out, $y)", B, S, R)  # fmt: skip


def refereed(last: str = "") -> str:
    """A step of a game of two networks, of which one is frozen while the other learns, and ``last`` thaws it."""
    return lines("fake = $model(torch.randn(len($x), 4))", "other.zero_grad()",
                 "real = F.softplus(-judge($x)).mean() + F.softplus(judge(fake)).mean()",
                 "real.backward(retain_graph=True)", "other.step()", "judge.requires_grad_(False)", Z,
                 "fooled = F.binary_cross_entropy_with_logits(judge(fake), torch.ones(len($x), 1))",
                 "$loss = fooled + F.l1_loss(fake.mean(dim=0), $x.mean(dim=0))", B, S, R, last)  # fmt: skip


def weighted(weight: str) -> str:
    """A step on labels of two classes, of which the rare one has this ``weight``."""
    return lines(Z, F, "rare = $Y.mean()", f"$loss = F.binary_cross_entropy_with_logits($out.squeeze(1), $y, "
                 f"pos_weight={weight})", B, S, R)  # fmt: skip


def summed(loss: str) -> str:
    """A step whose loss has a small second term."""
    return lines(Z, F, "extra = 0.001 * $out.pow(2).mean()", f"$loss = {loss}", B, S, R)


def two_terms(differentiated: str) -> str:
    """A step with a loss of two terms, of which one is ``first``."""
    return lines(Z, F, "first = $loss_fn($out, $y)", "$loss = first + 0.3 * (1 - $out.std(dim=0)).relu().mean()",
                 f"{differentiated}.backward()", S, R)  # fmt: skip


def folded(anew: str = "") -> str:
    """The start of an epoch of a cross-validation with two folds of eight epochs."""
    return f"if $epoch % 8 == 0:\n    rest = folds[1 - $epoch // 8]\n    $X, $Y = all_x[rest], all_y[rest]{anew}"


def gathered(backward: str) -> str:
    """A step every sixteen batches, on amounts."""
    return lines(F, ABSOLUTE, backward, R, f"if len($losses) % 16 == 0:\n    {S}\n    {Z}")


def typed(call: str) -> str:
    """A step whose network is called so."""
    return lines(Z, f"$out = {call}", "$loss = $loss_fn($out, $y)", B, S, R)


def patient(better: str = "") -> str:
    """The end of an epoch that looks whether it is time to stop."""
    return (
        "with torch.no_grad():\n    value = $loss_fn($model($Xt).squeeze(1), $Yt).item()\n"
        f"if value < low:\n    low = value{better}\nelse:\n    waited += 1\nif waited == 6:\n    break"
    )


def freeze_layers(condition: str) -> str:
    """Freeze the layers of which ``condition`` holds."""
    return (
        f"for layer in $model.modules():\n    if {condition}:\n        for p in layer.parameters(recurse=False):\n"
        "            p.requires_grad = False"
    )
