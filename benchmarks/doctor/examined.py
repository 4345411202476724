"""Which models show their fault only when they are tried out on copies? One with each, and the same without."""

from benchmarks.doctor.program import Program

__all__ = ["examined"]

_FRAME = """\
import torch
import torch.nn.functional as F
from torch import nn
from course_utils import doctor

torch.manual_seed(0)
{data}
{net}
report = doctor.examine(model, (X, Y), {loss})
"""
_POINTS = "X = torch.randn(16, 20)\nY = torch.randint(0, 4, (16,))"
_WORDS = "words = torch.randint(0, 30, (12, 10))\nX, Y = words[:, :-1], words[:, 1:]"
_SCORES = "nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4)"
_CLASS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = {layers}

    def forward(self, x):
        {forward}

model = Net()"""
_DENSE = "nn.Linear(20, 32), nn.Linear(32, 4)"
_SPEAKER = """
class Speaker(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(30, 16), nn.Linear(32, 30)
        self.reader = nn.GRU(16, {}, batch_first=True)

    def forward(self, x):
        return self.last(self.reader(self.table(x))[0])

model = Speaker()"""

# fault, data, network, what stands in it, what stands there without the fault, loss function
_PAIRS = (
    ("output-depends-on-other-samples", _POINTS, f"model = nn.Sequential({_SCORES}, nn.LogSoftmax(dim={{}}))",
     "0", "1", "F.nll_loss"),
    ("output-sees-later-positions", _WORDS, _SPEAKER, "16, bidirectional=True", "32",
     "lambda scores, words: F.cross_entropy(scores.flatten(0, 1), words.flatten())"),
    ("evaluation-is-random", _POINTS,
     _CLASS.format(layers=_DENSE, forward="return self.last(F.dropout(self.first(x).relu(), {}))"),
     "0.3", "0.3, self.training", "F.cross_entropy"),
    ("output-ignores-input", _POINTS,
     _CLASS.format(layers=_DENSE, forward="return self.last(self.first(x.masked_fill(x.abs() > {}, 0)).relu())"),
     "0", "3", "F.cross_entropy"),
    ("first-loss-far-from-even-guess", _POINTS + "\nX = {} * X", f"model = nn.Sequential({_SCORES})",
     "255", "1", "F.cross_entropy"),
    ("batch-not-learned-by-heart", _POINTS, f"model = nn.Sequential({_SCORES}{{}})",
     ", nn.Sigmoid()", "", "F.cross_entropy"),
)  # fmt: skip


def examined() -> list[Program]:
    """The models with a fault, then the same without; each text leaves the doctor's report in ``report``."""
    return [
        Program(f"healthy/neighbours/{fault}/1" if twin else f"{fault}/1", None if twin else fault,
                "the doctor's experiments on copies",
                _FRAME.format(data=data.replace("{}", part), net=net.replace("{}", part), loss=loss))
        for twin in (False, True)
        for fault, data, net, *parts, loss in _PAIRS
        for part in parts[twin : twin + 1]
    ]  # fmt: skip
