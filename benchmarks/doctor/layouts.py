"""How is a program laid out? Seven habits of writing the same training, each with its own names.

A layout is source text with slots. ``$model`` and other names in it and in the parts are replaced by the layout's
own; a slot that stands alone on a line takes a block of lines at that indentation, or vanishes with its line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

__all__ = ["LAYOUTS", "Layout", "fill"]


@dataclass(frozen=True)
class Layout:
    """A frame for a program and the names it uses."""

    frame: str
    names: Mapping[str, str]
    feed: str  #: how batches come: "loader" (DataLoader), "tensors" (cut by hand) or "course" (course_utils)
    has_epochs: bool = True


_NAMED = ("model", "opt", "x", "y", "out", "loss", "X", "Y", "sched", "loss_fn", "built", "cls", "Xt", "Yt")


def fill(template: str, values: Mapping[str, str]) -> str:
    """``template`` with every slot filled, several times over, for parts may use names."""
    for _ in range(3):
        template = re.sub(r"^( *)\$(\w+)$", lambda m: _block(m, values), template, flags=re.MULTILINE)
        template = Template(template).safe_substitute(values)
    lines = [line.rstrip() for line in template.splitlines() if line.strip() != "DROP"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _names(own: str, **further: str) -> dict[str, str]:
    """A layout's own names: of model, optimizer, inputs, targets, scores, loss, data, labels, and so on."""
    return dict(zip(_NAMED, own.split(), strict=True)) | further


def _block(match: re.Match[str], values: Mapping[str, str]) -> str:
    indent, slot = match.groups()
    if slot not in values:
        return match.group()
    text = values[slot]
    return "\n".join(f"{indent}{line}" if line else "" for line in text.splitlines()) if text else "DROP"


FLAT = Layout(
    """\
$imports
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed($seed)
$data
loader = DataLoader($dataset, batch_size=$batch, shuffle=$shuffle)

$net
$criterion
$prepare
losses = []
for epoch in range($epochs):
    $epoch_start
    for $x, $y in loader:
        $step
    $epoch_end
$finish
""",
    _names("model optimizer inputs targets outputs loss X y scheduler criterion model Net X_test y_test"),
    "loader",
)

FUNCTION = Layout(
    """\
$imports
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed($seed)
$data
$criterion

def train(net, batches, epochs):
    $prepare
    history = []
    for e in range(epochs):
        $epoch_start
        for $x, $y in batches:
            $step
        $epoch_end
    return history

$net
train_loader = DataLoader($dataset, batch_size=$batch, shuffle=$shuffle)
losses = train(network, train_loader, $epochs)
$finish
""",
    _names(
        "net opt xb yb pred batch_loss features classes lr_sched loss_func network Classifier "
        "held_features held_classes",
        losses="history",
        epoch="e",
    ),
    "loader",
)

TENSORS = Layout(
    """\
$imports

torch.manual_seed($seed)
$data
$net
$criterion
$prepare

losses = []
for epoch in range($epochs):
    $epoch_start
    for idx in $order.split($batch):
        x, y = $X[idx], $Y[idx]
        $step
    $epoch_end
$finish
print(f"last loss {losses[-1]}")
""",
    _names("net optim x y logits L data labels sched objective net SmallNet test_data test_labels"),
    "tensors",
)

WHILE = Layout(
    """\
$imports

torch.manual_seed($seed)
$data
$net
$criterion
$prepare
losses, step = [], 0
while step < $steps:
    rows = torch.randint(0, len($X), ($batch,))
    $x, $y = $X[rows], $Y[rows]
    $step
    step += 1
$finish
""",
    _names("clf updater bx by yhat err Xs ys schedule cost clf Clf Xs_val ys_val"),
    "tensors",
    has_epochs=False,
)

TRAINER = Layout(
    """\
$imports
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed($seed)
$data
$criterion

class Trainer:
    def __init__(self, model):
        self.model = model
        self.losses = []
        $prepare

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            $epoch_start
            for $x, $y in loader:
                $step
            $epoch_end

$net
trainer = Trainer(m)
trainer.fit(DataLoader($dataset, $batch, shuffle=$shuffle), epochs=$epochs)
losses = trainer.losses
$finish
""",
    _names(
        "self.model self.opt samples answers scores value points kinds self.sched measure m Model "
        "other_points other_kinds",
        losses="self.losses",
    ),
    "loader",
)

CLOSURE = Layout(
    """\
$imports

torch.manual_seed($seed)
$data
$net
$criterion
losses = []

def make_epoch(f):
    $prepare
    def run(epoch):
        $epoch_start
        for pick in $order.split($batch):
            a, b = $X[pick], $Y[pick]
            $step
        $epoch_end
    return run

one_epoch = make_epoch(func)
for number in range($epochs):
    one_epoch(number)
$finish
""",
    _names("f o a b z j A B plan energy func Func A2 B2"),
    "tensors",
)

COURSE = Layout(
    """\
$imports
from course_utils.data import Loader, Split

torch.manual_seed($seed)
$data
images_loader = Loader(split, batch_size=$batch, seed=1, shuffle=$shuffle)
$net
$criterion
$prepare
losses = []
for epoch in range($epochs):
    $epoch_start
    for images, labels in images_loader:
        $step
    $epoch_end
$finish
""",
    _names(
        "net10 optimizer images labels guess loss pixels tags scheduler loss_fn net10 ImageNet10 test_pixels test_tags"
    ),
    "course",
)

LAYOUTS: Mapping[str, Layout] = {
    "flat": FLAT,
    "function": FUNCTION,
    "tensors": TENSORS,
    "while": WHILE,
    "trainer": TRAINER,
    "closure": CLOSURE,
    "course": COURSE,
}
