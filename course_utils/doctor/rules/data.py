"""Are the data what they should be? The right split, disjoint, shuffled, and of a healthy scale."""

import itertools
import math

from course_utils.doctor.measures import InputScale, Labels
from course_utils.doctor.recording import DataSource, Overlap, Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import WILD
from course_utils.doctor.words import count, number

_SPLITS_LESSON = "03_multi_epoch.ipynb, section 5"


@rule(
    title="The model is trained on the test split.",
    why="Test images tell how good the model is on images it has never seen. Once it has learned from them, "
    "they tell nothing any more, and every accuracy measured on them is too good.",
    fix='train_split = load_images(split="train")         # or torchvision: CIFAR10(root, train=True)\n'
    'test_split = load_images(split="test")           # for measuring only',
    lesson=_SPLITS_LESSON,
    explains=("same-images-in-both-splits",),
)
def trained_on_test_split(recording: Recording) -> str:
    """The model learns from images that call themselves a test split."""
    for source in _trained_sources(recording):
        if source.split == "test":
            return f"{count(recording.learned_from(source), 'batch')} that it learned from came from {source.mark}"
    return ""


@rule(
    title="The same images are trained on and measured on.",
    why="A network can know its training images by heart. On images that it has seen, the accuracy says how well it "
    "remembers, and not what it has understood.",
    fix="order = torch.randperm(len(data))\ntrain = Subset(data, order[:4000])\n"
    "test = Subset(data, order[4000:])     # disjoint",
    lesson=_SPLITS_LESSON,
)
def same_images_in_both_splits(recording: Recording) -> Evidence | None:
    """Images that are measured on were trained on, too."""
    suspects = [overlap for overlap in recording.overlap if _suspicious(recording, overlap)]
    worst = max(suspects, key=lambda overlap: overlap.known, default=None)
    if worst is None:
        return None
    folds = f"; training had left {worst.folds} of them before they were measured, as in a later fold"
    return Evidence(
        f"{worst.known} of {worst.measured} compared images that were measured on had been trained on, too"
        f"{folds if worst.folds else ''}",
        severity="error" if _separate(recording, worst) else "warning",
    )


@rule(
    title="The images come ordered by class: nothing shuffles them.",
    why="A batch of one class only pulls all weights towards this class, and the next batch towards the next one. The "
    "network learns to name the latest class and forgets the others.",
    fix="loader = DataLoader(data, batch_size=64, shuffle=True)",
    lesson="02_one_epoch.ipynb, section 2",
    explains=("learning-rate-too-high", "learning-rate-too-low", "dead-relus"),
)
def unshuffled_labels(recording: Recording) -> str:
    """The images come ordered by class."""
    if len({update.optimizer for update in recording.updates}) != 1:
        return ""
    of_classes = ("cross_entropy", "nll", "bce", "bce_with_logits")
    seen = (_ordered(series) for kind, series in recording.series(Labels).items() if kind in of_classes)
    return next(filter(None, seen), "")


@rule(
    title="The inputs are not scaled.",
    why="Weights, learning rates and initialisations are made for inputs of a size around 1. Inputs a hundred "
    "times as large make gradients a hundred times as large, and steps that overshoot.",
    fix="images = images.float() / 255            # ToTensor() does the same",
    lesson="02_one_epoch.ipynb, section 1",
    explains=(*WILD, "learning-rate-too-low"),
)
def inputs_not_scaled(recording: Recording) -> Evidence | None:
    """The first layer is given numbers far from the usual size."""
    for series in recording.series(InputScale).values():
        low, high = min(m.low for m in series), max(m.high for m in series)
        size, whole = max(m.size for m in series), min(m.whole for m in series)
        pixels = low >= 0 and 100 < high <= 255 and whole > 0.999
        large, tiny = max(-low, high) > 30 and size > 10, 0 < max(-low, high) < 0.02
        if not (pixels or large or tiny):
            continue
        what = "whole numbers, as pixels have" if pixels else "too large" if large else "too small"
        return Evidence(
            f"the first layer was given numbers from {number(low)} to {number(high)}, root mean square "
            f"{number(size)}: {what}",
            severity="error" if pixels or size > 100 else "warning",
        )
    return None


@rule(
    severity="note",
    title="The last batch of an epoch is smaller, yet its mean loss counts as much as any other.",
    why="A running loss that sums the mean loss of each batch counts the images of the small batch more, and "
    "with drop_last=True it has one term less: two such sums cannot be compared.",
    fix="running += loss.item() * len(images)     # sum over images\nmean = running / seen",
    lesson="03_multi_epoch.ipynb, section 1",
)
def last_batch_in_running_loss(recording: Recording) -> str:
    """Epochs with and without an incomplete last batch are run side by side."""
    for source in _trained_sources(recording):
        if source.last_batch is None or source.batches is None or source.batches < 2 or source.batch_size is None:
            continue
        return (
            f"{source.kind}: {source.batches - 1} batches of {source.batch_size} images and a last one of "
            f"{source.last_batch}"
        )
    return ""


def _trained_sources(recording: Recording) -> list[DataSource]:
    """The sources that the model learned from at least twice."""
    return [s for s in recording.sources if recording.learned_from(s) >= 2]


def _suspicious(recording: Recording, overlap: Overlap) -> bool:
    """Whether images are shared that should not be: measuring on the training set as well as on a test set is fine."""
    if overlap.known < max(5, 0.02 * overlap.measured) or overlap.distinct < 0.9 or overlap.batches < 3:
        return False
    if overlap.measured_by is None:  # tensors without a loader: sure only where one batch holds both kinds of images
        return overlap.repeated and (overlap.mixed > 0 or overlap.folds >= 5)
    clean = any(
        other.measured_by != overlap.measured_by and not other.known and other.last >= overlap.first
        for other in recording.overlap
    )
    return not overlap.same_source and not clean


def _separate(recording: Recording, overlap: Overlap) -> bool:
    """Whether the measured images come from a dataset of their own, or lie only partly in the training set."""
    measured = next((s.dataset for s in recording.sources if s.number == overlap.measured_by), None)
    own = measured is not None and measured not in {s.dataset for s in _trained_sources(recording)}
    return own or (overlap.repeated and (overlap.mixed > 0 or overlap.folds >= 5))


def _runs(step: list[Labels]) -> float:
    """Runs of equal labels in what a step learns from, as one game's ones and zeros are."""
    return sum(labels.changes + 1 for labels in step) / len(step) + len({labels.first for labels in step}) - 1


def _ordered(series: list[Labels]) -> str:
    """What shows that batches hold one class each, in a sequence; "" if they do not."""
    batches = [labels for labels in series if labels.count >= 4]
    if len(batches) < 4:
        return ""
    low, high = min(labels.low for labels in batches), max(labels.high for labels in batches)
    classes = high - low + 1
    steps = [list(group) for _, group in itertools.groupby(batches, key=lambda labels: labels.step)]
    per_batch = sum(_runs(step) for step in steps) / len(steps)
    turns = sum(one.first != other.first for one, other in itertools.pairwise(batches))
    if classes < 2 or per_batch >= 1 + 0.35 * (classes - 1) or (turns > 0.75 * (len(batches) - 1) and classes == 2):
        return ""
    size = sum(labels.count for labels in batches) / len(batches)
    return (
        f"a batch of {size:.0f} images held runs of equal labels, {number(per_batch)} on average, while labels go from "
        f"{number(low)} to {number(high)} ({count(len(batches), 'measured batch')})"
    )


@rule(
    severity="warning",
    title="Most batches of the loader never come.",
    why="Each pass is left after its first batches, and without shuffling the next one begins with the same: the model "
    "learns these by heart and sees nothing else.",
    fix="for images, labels in loader:          # one pass over all batches, instead of next(iter(loader))\n    ...",
    lesson="02_one_epoch.ipynb, section 2",
    explains=("learning-rate-too-low",),
)
def batches_that_never_come(recording: Recording) -> Evidence | None:
    """Every pass over a loader ends early, and begins with the batches of the pass before."""
    for source in recording.sources:
        a_pass = source.reads / max(1, source.epochs)
        enough = source.epochs >= 4 and source.looked >= 4 and recording.learned_from(source) >= 4
        few = source.batches is not None and a_pass <= 0.8 * source.batches
        if enough and few and source.different <= min(math.ceil(a_pass), 0.5 * source.looked):
            return Evidence(
                f"{count(source.epochs, 'pass')} over the {source.kind} read {number(a_pass)} of {source.batches} "
                f"batches each; of {source.looked} batches that were learned from, {source.different} differed",
                severity="error" if source.different == 1 else None,
            )
    return None
