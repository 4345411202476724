"""Which parts do the programs after public reports share? Data, networks and steps that the recipes lack."""

from textwrap import indent

from benchmarks.doctor.recipe import B, F, L, R, S, Z, lines

__all__ = ["CELL", "COLOURED", "COLOUR_NET", "FREEZE", "JUDGE", "LINEAR", "MICRO", "NEXT", "PADDED", "SERIES",
           "SHARE", "SLOW", "SOFT", "TOKENS", "TWO", "attentive", "augmented", "averaged", "carried", "clipped",
           "drawn", "judged", "kept", "masked", "paused", "punished", "reader", "scaled", "stacked",
           "validated"]  # fmt: skip

SOFT = "soft = 0.8 * F.one_hot($y, 4).float() + 0.05"
MICRO = lines(F, "$loss = $loss_fn($out, $y)", "($loss / 4).backward()", R,
              "if len($losses) % 4 == 0:\n    $opt.step()\n    $opt.zero_grad()")  # fmt: skip
SLOW = "slow.eval()\nwith torch.no_grad():\n    print(slow($X).argmax(dim=1))"
LINEAR = "$built = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))\n$built($X[:2].float())"
TWO = "those = list($model.parameters())\n$opt = $maker(those[2:], lr=$lr)\nother = $maker(those[:2], lr=$lr)"
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


def drawn(shift: str) -> str:
    """A dataset that shifts its images at random."""
    return f"""
import random

class Drawn(torch.utils.data.Dataset):
    def __init__(self, data, kinds):
        self.data, self.kinds, self.draw = data, kinds, random.Random(1)

    def __len__(self):
        return len(self.data)

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
    follow = "for a, b in zip(slow.parameters(), $model.parameters()):\n    a.data.lerp_(b.data, 0.1)"
    return lines(Z, F, L, B, S, R, follow, end)


def paused(end: str = "") -> str:
    """The end of an epoch after which all is made anew, once."""
    again = "$model.load_state_dict(weights)\n    $opt = $maker($model.parameters(), lr=$lr$extra)"
    kept = "weights, rest = copy.deepcopy(($model.state_dict(), $opt.state_dict()))"
    return f"if epoch == 3:\n    {kept}\n    {again}{end}"
