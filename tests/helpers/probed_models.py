"""Which models are probed? Small ones of every kind, healthy or with one known fault, and a batch for each."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.helpers.doctor_programs import mlp

__all__ = [
    "FAULTY",
    "HEALTHY",
    "IMAGES",
    "LABELS",
    "NEXT",
    "SERIES",
    "VECTORS",
    "Net",
    "cnn",
    "recurrent",
    "transformer",
]


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def classes(n=16, k=10):
    return torch.randint(k, (n,), generator=torch.Generator().manual_seed(1))


TOKENS = torch.randint(30, (12, 10), generator=torch.Generator().manual_seed(2))
IMAGES, VECTORS, SERIES, LABELS = rand(16, 3, 8, 8), rand(16, 20), rand(16, 7, 5), classes()
NEXT = TOKENS[:, :-1], TOKENS[:, 1:]


def per_token(scores, tokens):
    return F.cross_entropy(scores.flatten(0, 1), tokens.flatten())


class Net(nn.Module):
    """Layers by name, and a forward pass that is given."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.way = forward

    def forward(self, x):
        return self.way(self, self.layers, x)


def dense(forward, features=20, k=10, hidden=32):
    return Net(forward, a=nn.Linear(features, hidden), b=nn.Linear(hidden, k))


def cnn(*extra):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), *extra, nn.Linear(288, 10)
    )  # fmt: skip


def transformer(*, causal=True, inverted=False):
    def forward(net, layers, x):
        time = x.shape[1]
        mask = torch.full((time, time), float("-inf")).triu(1) if causal else None
        mask = mask.t() if inverted else mask
        return layers["head"](layers["body"](layers["tokens"](x), mask=mask))

    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return Net(forward, tokens=nn.Embedding(30, 16), body=nn.TransformerEncoder(layer, 1), head=nn.Linear(16, 30))


def recurrent(kind=nn.LSTM, *, features=None, k=30, last=False, **options):
    first = nn.Embedding(30, 16) if features is None else nn.Linear(features, 16)
    wide = 32 if options.get("bidirectional") else 16

    def forward(net, layers, x):
        out = layers["body"](layers["first"](x))[0]
        return layers["head"](out[:, -1] if last else out)

    return Net(forward, first=first, body=kind(16, 16, **options), head=nn.Linear(wide, k))


def convolved(padding):
    def forward(net, layers, x):
        x = layers["tokens"](x).transpose(1, 2)
        return layers["head"](layers["conv"](F.pad(x, padding)).transpose(1, 2))

    return Net(forward, tokens=nn.Embedding(30, 16), conv=nn.Conv1d(16, 16, 3), head=nn.Linear(16, 30))


def zero_head():
    net = mlp(classes=10)
    nn.init.zeros_(net[2].weight)
    return net


def large(std, *, layer=2):
    net = mlp(classes=10)
    nn.init.normal_(net[layer].weight, std=std)
    return net


def dead():
    net = mlp(classes=10)
    nn.init.constant_(net[0].bias, -1e4)
    return net


#: a model without a fault, its batch, and its loss function
HEALTHY = {
    "network": lambda: (mlp(classes=10), (VECTORS, LABELS), F.cross_entropy),
    "network whose last layer starts at 0": lambda: (zero_head(), (VECTORS, LABELS), F.cross_entropy),
    "CNN with BatchNorm and Dropout": lambda: (cnn(nn.Dropout(0.3)), (IMAGES, LABELS), F.cross_entropy),
    "F.dropout that is told the mode": lambda: (
        dense(lambda net, at, x: at["b"](F.dropout(at["a"](x).relu(), 0.3, net.training))), (VECTORS, LABELS),
        F.cross_entropy),
    "log-probabilities": lambda: (mlp(nn.LogSoftmax(dim=1), classes=10), (VECTORS, LABELS), F.nll_loss),
    "regression": lambda: (mlp(classes=1), (VECTORS, VECTORS[:, :1] * 2), F.mse_loss),
    "transformer with a causal mask": lambda: (transformer(), NEXT, per_token),
    "LSTM that names the next token": lambda: (recurrent(batch_first=True), NEXT, per_token),
    "GRU that names the next token": lambda: (recurrent(nn.GRU, batch_first=True), NEXT, per_token),
    "convolution padded on the left": lambda: (convolved((2, 0)), NEXT, per_token),
    "transformer that may look at all": lambda: (transformer(causal=False), (NEXT[0], NEXT[0] % 5), per_token),
    "tagger in both directions": lambda: (
        recurrent(bidirectional=True, batch_first=True), (NEXT[0], NEXT[0] % 5), per_token),
    "LSTM over a series": lambda: (
        recurrent(features=5, k=10, last=True, batch_first=True), (SERIES, LABELS), F.cross_entropy),
}  # fmt: skip

#: the same with one fault, and its name
FAULTY = {
    "view that mixes": lambda: ("output-depends-on-other-samples", Net(
        lambda net, at, x: at["b"](at["a"](x).relu().transpose(0, 1).reshape(len(x), -1)),
        a=nn.Conv2d(3, 4, 3, padding=1), b=nn.Linear(256, 10)), (IMAGES, LABELS), F.cross_entropy),
    "softmax over the batch": lambda: (
        "output-depends-on-other-samples", mlp(nn.Softmax(dim=0), classes=10), (VECTORS, LABELS), F.cross_entropy),
    "LSTM along the batch": lambda: (
        "output-depends-on-other-samples", recurrent(features=5, k=10, last=True), (SERIES, LABELS), F.cross_entropy),
    "attention along the batch": lambda: ("output-depends-on-other-samples", Net(
        lambda net, at, x: at["b"](at["a"](x, x, x, need_weights=False)[0].mean(1)),
        a=nn.MultiheadAttention(5, 1), b=nn.Linear(5, 10)), (SERIES, LABELS), F.cross_entropy),
    "less the mean of the batch": lambda: (
        "output-depends-on-other-samples", dense(lambda net, at, x: at["b"]((at["a"](x) - at["a"](x).mean(0)).relu())),
        (VECTORS, LABELS), F.cross_entropy),
    "no mask": lambda: ("output-sees-later-positions", transformer(causal=False), NEXT, per_token),
    "mask upside down": lambda: ("output-sees-later-positions", transformer(inverted=True), NEXT, per_token),
    "LSTM in both directions": lambda: (
        "output-sees-later-positions", recurrent(bidirectional=True, batch_first=True), NEXT, per_token),
    "convolution padded on both sides": lambda: ("output-sees-later-positions", convolved((1, 1)), NEXT, per_token),
    "F.dropout": lambda: (
        "evaluation-is-random", dense(lambda net, at, x: at["b"](F.dropout(at["a"](x).relu(), 0.3))), (VECTORS, LABELS),
        F.cross_entropy),
    "F.dropout of the input": lambda: (
        "evaluation-is-random", dense(lambda net, at, x: at["b"](at["a"](F.dropout(x, 0.2)).relu())), (VECTORS, LABELS),
        F.cross_entropy),
    "F.dropout2d": lambda: ("evaluation-is-random", Net(
        lambda net, at, x: at["b"](F.dropout2d(at["a"](x), 0.3).relu().flatten(1)),
        a=nn.Conv2d(3, 4, 3, padding=1), b=nn.Linear(256, 10)), (IMAGES, LABELS), F.cross_entropy),
    "dropout by hand": lambda: (
        "evaluation-is-random",
        dense(lambda net, at, x: at["b"](at["a"](x).relu() * torch.full((32,), 0.8).bernoulli())),
        (VECTORS, LABELS), F.cross_entropy),
    "all is masked": lambda: (
        "output-ignores-input", dense(lambda net, at, x: at["b"](at["a"](x.masked_fill(x == x, 0)).relu())),
        (VECTORS, LABELS), F.cross_entropy),
    "all units are dead": lambda: ("output-ignores-input", dead(), (VECTORS, LABELS), F.cross_entropy),
    "a branch times 0": lambda: (
        "output-ignores-input", dense(lambda net, at, x: at["b"](at["a"](x) * 0.0 + 1.0)), (VECTORS, LABELS),
        F.cross_entropy),
    "the mean of one number": lambda: (
        "output-ignores-input", dense(lambda net, at, x: at["b"](at["a"](x - x).relu())), (VECTORS, LABELS),
        F.cross_entropy),
    "last weights too large": lambda: (
        "first-loss-far-from-even-guess", large(20.0), (VECTORS, LABELS), F.cross_entropy),
    "first weights too large": lambda: (
        "first-loss-far-from-even-guess", large(30.0, layer=0), (VECTORS, LABELS), F.cross_entropy),
    "raw pixels": lambda: (
        "first-loss-far-from-even-guess", mlp(classes=10), (VECTORS * 255, LABELS), F.cross_entropy),
    "tokens too large": lambda: ("first-loss-far-from-even-guess", Net(
        lambda net, at, x: F.linear(at["tokens"](x), at["tokens"].weight), tokens=nn.Embedding(30, 64)), NEXT,
        lambda scores, tokens: F.cross_entropy(scores.transpose(1, 2), tokens)),
    "Softmax twice": lambda: (
        "batch-not-learned-by-heart", mlp(nn.Softmax(dim=1), classes=10), (VECTORS, LABELS), F.cross_entropy),
    "Sigmoid before the loss": lambda: (
        "batch-not-learned-by-heart", mlp(nn.Sigmoid(), classes=10), (VECTORS, LABELS), F.cross_entropy),
    "tanh before large targets": lambda: (
        "batch-not-learned-by-heart", mlp(nn.Tanh(), classes=1), (VECTORS, VECTORS[:, :1] * 20), F.mse_loss),
    "a body that is detached and narrow": lambda: ("batch-not-learned-by-heart", Net(
        lambda net, at, x: at["b"](at["a"](x).tanh().detach() * 0.01), a=nn.Linear(20, 1), b=nn.Linear(1, 10)),
        (VECTORS, LABELS), F.cross_entropy),
}  # fmt: skip
