"""Does the loss function get what it expects? Scores or probabilities, labels in range and of the right type."""

from collections.abc import Callable
from statistics import mean

from course_utils.doctor.measures import HeadScale, Labels, OverBatch, ScoreRows
from course_utils.doctor.recording import LossHead, Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import FLAT, NOTHING_LEARNS, WILD
from course_utils.doctor.words import count, number

_SOFTMAX_LESSON = "03_multi_epoch.ipynb, section 3"
_LABELS_LESSON = "02_one_epoch.ipynb, section 1"


@rule(
    title="Softmax is applied twice: in the model and again in the cross-entropy.",
    why="Cross-entropy applies log_softmax to its input. Probabilities lie between 0 and 1, so a second softmax "
    "makes them nearly equal: the loss cannot fall below a floor (1.46 for ten classes) and gradients fade.",
    fix="scores = model(images)            # no Softmax layer, no F.softmax\n"
    "loss = F.cross_entropy(scores, labels)\nprobabilities = scores.softmax(dim=1)   # only to report",
    lesson=_SOFTMAX_LESSON,
    explains=(*FLAT, "learning-rate-too-high"),
)
def softmax_before_cross_entropy(recording: Recording) -> str:
    """CrossEntropyLoss, which applies a softmax, is given the output of a softmax."""
    return _by_graph(recording, "cross_entropy", "softmax") or _by_rows(recording, "cross_entropy")


@rule(
    severity="note",
    title="log_softmax before the cross-entropy does nothing.",
    why="log_softmax of a log_softmax is the same numbers again: harmless, only computed twice.",
    fix="loss = F.cross_entropy(scores, labels)          # or F.nll_loss(scores.log_softmax(dim=1), labels)",
    lesson=_SOFTMAX_LESSON,
)
def log_softmax_before_cross_entropy(recording: Recording) -> str:
    """CrossEntropyLoss is given the output of a log_softmax, which changes nothing."""
    return _by_graph(recording, "cross_entropy", "log_softmax")


@rule(
    title="Sigmoid is applied twice: in the model and again in the loss.",
    why="BCEWithLogitsLoss applies a sigmoid itself. A second one only sees 0 to 1, so the probability stays "
    "between 0.5 and 0.73: no example can ever be called negative.",
    fix="loss = F.binary_cross_entropy_with_logits(scores, targets)   # scores without sigmoid",
    lesson=_SOFTMAX_LESSON,
    explains=(*FLAT, "learning-rate-too-high"),
)
def sigmoid_before_bce_with_logits(recording: Recording) -> str:
    """BCEWithLogitsLoss, which applies a sigmoid, is given the output of a sigmoid."""
    return _by_graph(recording, "bce_with_logits", "sigmoid") or _by_graph(recording, "bce_with_logits", "softmax")


@rule(
    title="NLLLoss is given numbers that are no log-probabilities.",
    why="NLLLoss only picks the entry of the right class and changes its sign: without the logarithm it is no "
    "likelihood, it has no reason to be positive, and its gradient does not grow with the mistake.",
    fix="loss = F.nll_loss(scores.log_softmax(dim=1), labels)      # or simply\nloss = F.cross_entropy(scores, labels)",
    lesson=_SOFTMAX_LESSON,
    explains=(*FLAT, *WILD),
)
def nll_loss_on_probabilities(recording: Recording) -> str:
    """NLLLoss, which expects log-probabilities, is given probabilities or raw scores."""
    return _by_graph(recording, "nll", "softmax") or _by_rows(recording, "nll") or _not_log(recording)


@rule(
    title="Some labels are outside the range that the loss function knows.",
    why="Classes are counted from 0 to classes - 1, binary targets lie between 0 and 1. Any other label either "
    "stops the training or pulls the scores without a limit.",
    fix="assert 0 <= labels.min() and labels.max() < scores.shape[1]\n"
    "labels = labels - 1               # if they are counted from 1",
    lesson=_LABELS_LESSON,
    explains=(
        *WILD,
        "measuring-with-gradients",
        "measuring-in-train-mode",
        "not-finite",
        "softmax-before-cross-entropy",
        "unshuffled-labels",
    ),
)
def labels_out_of_range(recording: Recording) -> Evidence | str:
    """A label names a class for which the model has no score, or a binary target lies outside 0 to 1."""
    return _refused_range(recording) or _binary_range(recording) or _swapped(recording)


@rule(
    title="The labels have the wrong type for this loss function.",
    why="The type says what a label means: an integer is the number of a class, a float is an amount.",
    fix="labels = labels.long()            # for cross_entropy and nll_loss\n"
    "targets = targets.float()         # for binary cross-entropy and MSE",
    lesson=_LABELS_LESSON,
    explains=(*NOTHING_LEARNS, "labels-out-of-range", "loss-without-gradient", "missing-step"),
)
def labels_wrong_dtype(recording: Recording) -> str:
    """The loss function refused the labels for their type or shape."""
    for refused in recording.refused:
        if _out_of_range(refused.kind, refused.low, refused.high, refused.classes) and refused.dtype == "int64":
            continue
        if not any(word in refused.message.lower() for word in ("dtype", "type", "float", "long", "multi-target")):
            continue
        of_classes = refused.kind in ("cross_entropy", "nll")
        wanted = "int64 class numbers of shape (batch,)" if of_classes else "float targets"
        return (
            f"labels of {refused.dtype} were given to {refused.kind}, which expects {wanted}; torch said: "
            f"{refused.message}"
        )
    return ""


def _by_graph(recording: Recording, kind: str, squashed: str) -> str:
    heads = [head for head in recording.heads if head.kind == kind and head.with_gradients]
    hits = sum(head.count for head in heads if head.squashed == squashed)
    total = sum(head.count for head in heads)
    return f"the input of {kind} was the output of {squashed} in {hits} of {count(total, 'call')}" if hits else ""


def _by_rows(recording: Recording, kind: str) -> str:
    """Rows that are nowhere negative and sum to 1 over several batches are probabilities, whoever made them."""
    rows = recording.series(ScoreRows).get(kind, [])
    if len(rows) < 3 or not all(map(_probabilities, rows)):
        return ""
    lowest, highest = min(row.least_sum for row in rows), max(row.largest_sum for row in rows)
    return (
        f"the input of {kind} was never negative in {count(len(rows), 'measured batch')}, and each row summed to 1 "
        f"({lowest:.4f} to {highest:.4f}): probabilities"
    )


def _probabilities(rows: ScoreRows) -> bool:
    return rows.low >= 0 and abs(rows.least_sum - 1) < 1e-3 and abs(rows.largest_sum - 1) < 1e-3


def _not_log(recording: Recording) -> str:
    rows = recording.series(ScoreRows).get("nll", [])
    made_otherwise = all(head.squashed != "log_softmax" for head in recording.heads if head.kind == "nll")
    if len(rows) < 3 or not made_otherwise or not all(row.off_log_softmax > 0.1 for row in rows):
        return ""
    return (
        f"in {count(len(rows), 'measured batch')} the exponentials of a row did not sum to 1: their logarithm was up "
        f"to {number(max(row.off_log_softmax for row in rows))} away from 0"
    )


def _refused_range(recording: Recording) -> str:
    for refused in recording.refused:
        if _out_of_range(refused.kind, refused.low, refused.high, refused.classes) and refused.dtype.startswith("int"):
            return (
                f"labels from {refused.low:.0f} to {refused.high:.0f} were given to {refused.kind} with "
                f"{count(refused.classes, 'score')} per image, so 0 to {refused.classes - 1} are allowed; torch said: "
                f"{refused.message}"
            )
    return ""


def _out_of_range(kind: str, low: float, high: float, classes: int) -> bool:
    return kind in ("cross_entropy", "nll") and (low < 0 or high >= classes)


def _binary_range(recording: Recording) -> str:
    for kind in ("bce_with_logits", "bce"):
        labels = recording.series(Labels).get(kind, [])
        low, high = min((m.low for m in labels), default=0.0), max((m.high for m in labels), default=1.0)
        if low < 0 or high > 1:
            return f"targets from {number(low)} to {number(high)} were given to {kind}; 0 to 1 are allowed"
    return ""


def _swapped(recording: Recording) -> Evidence | str:
    """Scores are given as the target of a cross-entropy, and numbers without a graph as its input."""
    said = "had no graph, and its target had one"
    seen = _calls_with(recording, lambda head: head.kind == "cross_entropy" and head.swapped, said)
    labels = recording.series(Labels).get("cross_entropy", [])
    low, high = min((m.low for m in labels), default=0.0), max((m.high for m in labels), default=1.0)
    if not seen or 0 <= low <= high <= 1:
        return ""
    return Evidence(
        f"{seen}; the numbers given as its target went from {number(low)} to {number(high)}",
        title="The loss function is given the targets first, and the scores second.",
        why="torch's loss functions take the scores first. The other way round, the labels are taken for scores, and "
        "the loss falls without a limit along the scores themselves.",
        fix="loss = F.cross_entropy(scores, labels)",
    )


@rule(
    title="Softmax is taken over the batch, not over the classes.",
    why="dim=0 is the batch. The numbers of each class then sum to 1 over the images, so that the images compete with "
    "each other, and a single image always gets the probability 1.",
    fix="F.log_softmax(scores, dim=1)       # dim=-1 for scores of any shape",
    lesson=_SOFTMAX_LESSON,
    explains=(
        *FLAT,
        *WILD,
        "nll-loss-on-probabilities",
        "softmax-before-cross-entropy",
        "output-depends-on-other-samples",
    ),
)
def softmax_over_batch(recording: Recording) -> str:
    """The input of a loss function, or scores inside the model, were normalised over the first dimension."""
    looks = recording.measured(OverBatch)
    if len(looks) >= 5 and all(look.seen for look in looks):
        return (
            "inside the model a softmax was taken over the first of its dimensions, whose size was the number of "
            f"labels, in {count(len(looks), 'measured pass')}"
        )
    return _calls_with(recording, lambda head: head.over_batch, "was a softmax over the first dimension")


@rule(
    title="Outputs and targets have different shapes, and are stretched against each other.",
    why="(N, 1) against (N,) becomes (N, N): every output is compared with every target, and the best that the model "
    "can do is to name their mean for each input.",
    fix="loss = F.mse_loss(model(x).squeeze(1), y)      # both (N,), or\nloss = F.mse_loss(model(x), y.unsqueeze(1)) "
    "   # both (N, 1)",
    lesson=_LABELS_LESSON,
    explains=(*FLAT, *WILD),
)
def loss_broadcast(recording: Recording) -> str:
    """A loss of amounts compares every output with every target."""
    by_hand = [head for head in recording.heads if head.kind == "difference" and head.broadcast and head.learned_from]
    if (times := sum(head.count for head in by_hand)) >= 2:
        return (
            f"in {count(times, 'difference')} that a loss was made of, {by_hand[0].broadcast} was stretched to (N, N)"
        )
    shapes = next((head.broadcast for head in recording.heads if head.broadcast and head.learned_from), "")
    return _calls_with(recording, lambda head: bool(head.broadcast), f"and its target had the shapes {shapes}")


@rule(
    title="kl_div is given probabilities where it expects their logarithms.",
    why="F.kl_div(input, target) expects log-probabilities as input and probabilities as target. Otherwise it is no "
    "distance: it can be negative, and its smallest value is not where the two agree.",
    fix='loss = F.kl_div(student.log_softmax(dim=1), teacher.softmax(dim=1), reduction="batchmean")',
    lesson=_SOFTMAX_LESSON,
    explains=(*FLAT, *WILD),
)
def kl_div_on_probabilities(recording: Recording) -> str:
    """The input of kl_div is a softmax, or its rows sum to 1, or what learns is the target."""
    swapped = _calls_with(recording, lambda h: h.kind == "kl_div" and h.swapped, "had no graph, and its target had one")
    return swapped or _by_graph(recording, "kl_div", "softmax") or _by_rows(recording, "kl_div")


_REACH = {"relu": "0 and above", "sigmoid": "0 to 1", "softmax": "0 to 1", "tanh": "-1 to 1"}


@rule(
    title="The last activation cannot give what the targets ask for.",
    why="A ReLU gives nothing below 0, a sigmoid nothing outside 0 to 1. For all other targets the best it can do is "
    "to stand at its limit, where its gradient is 0.",
    fix="return self.last(x)              # no activation behind the last layer of a regression",
    lesson=_SOFTMAX_LESSON,
    explains=(*FLAT, *WILD, "targets-not-scaled"),
)
def targets_out_of_reach(recording: Recording) -> str:
    """The outputs are bounded by their last activation, and many targets lie beyond."""
    for head in recording.heads:
        looks = recording.series(HeadScale).get(head.kind, [])
        if head.bounded is None or not head.learned_from or len(looks) < 2 or _mixed(recording, head.kind):
            continue
        below, above = mean(look.below for look in looks), mean(look.above for look in looks)
        beyond = {"relu": below, "tanh": mean(look.beyond for look in looks)}.get(head.bounded, below + above)
        if beyond > 0.1:
            low, high = min(look.target_low for look in looks), max(look.target_high for look in looks)
            return (
                f"the outputs given to {head.kind} came from {head.bounded}, which gives {_REACH[head.bounded]}; "
                f"{beyond:.0%} of the targets lay outside, from {number(low)} to {number(high)}"
            )
    return ""


@rule(
    title="The targets are not scaled.",
    why="A network starts with outputs of a size around 1. To reach targets a thousand times as large its weights "
    "have to grow a thousandfold, in steps made for weights of a size around 1.",
    fix="mean, std = targets.mean(), targets.std()          # of the training set\n"
    "loss = F.mse_loss(model(x), (targets - mean) / std)\nprediction = model(x) * std + mean",
    lesson=_LABELS_LESSON,
    explains=(*WILD, "learning-rate-too-low"),
)
def targets_not_scaled(recording: Recording) -> Evidence | None:
    """The targets are far larger than what the model gives, at the start and after many steps."""
    for kind, looks in recording.series(HeadScale).items():
        first, last = looks[0], looks[-1]
        ratio = first.target_size / max(first.size, 1.0)
        if len(looks) < 5 or not ratio >= 100 or last.size > 0.5 * last.target_size:
            continue
        return Evidence(
            f"the targets of {kind} had a size of {number(first.target_size)}, the outputs {number(first.size)} at "
            f"first and {number(last.size)} at step {last.step}",
            severity="error" if ratio > 1000 else "warning",
        )
    return None


def _calls_with(recording: Recording, seen: Callable[[LossHead], bool], said: str) -> str:
    """How many calls of a loss function that were learned from show it."""
    learned = [head for head in recording.heads if head.learned_from]
    hits = [head for head in learned if seen(head)]
    if not hits:
        return ""
    same = [head for head in learned if head.kind == hits[0].kind]
    total, those = sum(head.count for head in same), sum(head.count for head in hits)
    return f"the input of {hits[0].kind} {said} in {those} of {count(total, 'call')}" if those >= 2 else ""


def _mixed(recording: Recording, kind: str) -> bool:
    """Whether some calls of this kind were given other outputs than others."""
    return len({head.bounded for head in recording.heads if head.kind == kind and head.learned_from}) > 1
