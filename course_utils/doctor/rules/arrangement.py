"""Do the numbers stand where the model looks for them? Dimensions, labels, tokens, and batches that come again."""

from course_utils.doctor.measures import Copied, InputScale, MeasuredInputs, Padding, TokensReached
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import FLAT, WILD
from course_utils.doctor.words import count, names, number

_BATCHES = 4  # of a pass, below which the same ones come by chance
_INPUTS_LESSON = "02_one_epoch.ipynb, section 1"
_LOADER_LESSON = "02_one_epoch.ipynb, section 2"


@rule(
    title="Dimensions are exchanged with view() or reshape(), which moves no number.",
    why="view() and reshape() cut the same row of numbers into other pieces. Images (N, H, W, C) viewed as (N, C, H, "
    "W) are scrambled: each channel holds pieces of all three.",
    fix="images = images.permute(0, 3, 1, 2)      # moves the channels, (N, H, W, C) to (N, C, H, W)",
    lesson=_INPUTS_LESSON,
    explains=(*FLAT, "output-depends-on-other-samples"),
)
def view_for_transpose(recording: Recording) -> str:
    """Sizes come in another order, and the numbers have not moved."""
    found = recording.reshaped
    if found is None or found.count < 3:
        return ""
    where = "inside the model a view made" if found.inside else "the loader gave, and the model got as"
    return (
        f"{where} {found.before} {'into' if found.inside else 'now'} {found.after}, the numbers in the same order, in "
        f"{count(found.count, 'measured pass')}"
    )


@rule(
    title="A layer that reads along time reads along the batch.",
    why="Without batch_first=True a recurrent layer takes (time, batch, features). Given (batch, time, features) it "
    "runs from image to image: the output for one depends on the others in its batch.",
    fix="self.lstm = nn.LSTM(features, hidden, batch_first=True)    # or x.transpose(0, 1)",
    lesson=_INPUTS_LESSON,
    explains=(*FLAT, "output-depends-on-other-samples"),
)
def batch_taken_for_time(recording: Recording) -> str:
    """The first dimension of a layer's input, which it takes for time, is the batch."""
    for layer in recording.sequences:
        if layer.along_batch >= 3 and layer.along_batch >= 0.7 * layer.calls:
            return (
                f"{layer.kind} with batch_first=False was given {layer.shape}, and the first number was the batch's "
                f"size in {layer.along_batch} of {count(layer.calls, 'measured call')}: one sample's output depends on "
                "the others"
            )
    return ""


@rule(
    severity="warning",
    title="The targets are the inputs themselves, place by place.",
    why="A model that is to name the next token is asked for the one it is looking at. It learns to copy, and the loss "
    "falls to zero without anything being understood.",
    fix="loss = F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())   # the next one",
    lesson=_INPUTS_LESSON,
)
def targets_equal_inputs(recording: Recording) -> str:
    """The whole-numbered targets are the model's input."""
    looks = recording.measured(Copied)
    if len(looks) < 3 or any(look.share < 0.999 for look in looks):
        return ""
    return f"in {count(len(looks), 'measured batch')} every target was equal to the input in the same place"


@rule(
    severity="warning",
    title="The loss counts the padding, which is most of the targets.",
    why="The mean of the loss is over all places. Where nine of ten are padding, the loss is small and the accuracy "
    "high as soon as padding is named, and what the words ask for is a tenth of the gradient.",
    fix="loss_fn = nn.CrossEntropyLoss(ignore_index=pad)      # the places of this label do not count",
    lesson=_INPUTS_LESSON,
    explains=("one-class-named",),
)
def padding_counts(recording: Recording) -> str:
    """In most places the input is one and the same token, all these have one label, and the loss takes it in."""
    measured = recording.measured(Padding)
    looks = [look for look in measured if look.share >= 0.6]  # a batch without a long sentence has little padding
    if len(looks) < max(3, 0.7 * len(measured)) or any(look.alike < 1 or not look.counted for look in looks):
        return ""
    share = sum(look.share for look in looks) / len(looks)
    return (
        f"{number(100 * share)} % of the inputs of {looks[0].of} were one token, all of them with the same label, and "
        f"this label is not ignored, in {count(len(looks), 'measured batch')}"
    )


@rule(
    title="The tokens that the model is given have no influence on its output.",
    why="The gradient of an embedding says which tokens the output depends on. Where only the padding gets one, "
    "attention looks at the padding: the mask is upside down.",
    fix="key_padding_mask = tokens == pad      # True where attention must not look",
    lesson=_INPUTS_LESSON,
    explains=(*FLAT, "output-ignores-input"),
)
def tokens_without_gradient(recording: Recording) -> str:
    """Of many different tokens hardly any gets a gradient."""
    looks = [look for look in recording.measured(TokensReached) if look.used >= 5]
    if len(looks) < 3 or any(look.reached > max(1, 0.1 * look.used) for look in looks):
        return ""
    return (
        f"of {looks[0].used:.0f} different tokens in a batch {looks[0].reached:.0f} got a gradient, and in "
        f"{count(len(looks), 'measured batch')} never more than {max(look.reached for look in looks):.0f}"
    )


@rule(
    title="The same inputs come with other labels later.",
    why="If inputs and labels are shuffled apart, or drawn by two loaders, a label says nothing of its input, and "
    "there is nothing to learn.",
    fix="order = torch.randperm(len(x))\nx, y = x[order], y[order]           # one order for both",
    lesson=_LOADER_LESSON,
    explains=(*FLAT,),
)
def labels_change(recording: Recording) -> str:
    """Inputs that were recognised had another label than before."""
    again, other = recording.relabelled
    if again < 20 or other < 0.1 * again:
        return ""
    return f"of {again:,} inputs that came again, {other:,} had another label than the first time"


@rule(
    severity="warning",
    title="Random numbers in the dataset are the same in all workers and in every epoch.",
    why="Each worker process gets a copy of the dataset, with its generator as it stands. All of them draw the same "
    "numbers, and the next epoch starts from the same copy again.",
    fix="shift = torch.randn(())            # torch's own generator is seeded anew for each worker and epoch",
    lesson=_LOADER_LESSON,
)
def workers_draw_the_same(recording: Recording) -> str:
    """A dataset that uses a generator of its own is read by worker processes."""
    for source in recording.sources:
        if source.workers and source.random and not source.reseeded and recording.learned_from(source) >= 2:
            return (
                f"{names(source.random)} was copied into {count(source.workers, 'worker')} in each of "
                f"{count(source.epochs, 'pass')}, and no worker_init_fn seeds it"
            )
    return ""


@rule(
    severity="warning",
    title="The sampler shuffles in the same order in every epoch.",
    why="A DistributedSampler shuffles by its seed and its epoch. Without set_epoch the epoch stays 0, and so does the "
    "order.",
    fix="for epoch in range(epochs):\n    sampler.set_epoch(epoch)\n    for images, labels in loader:\n        ...",
    lesson=_LOADER_LESSON,
)
def set_epoch_missing(recording: Recording) -> Evidence | str:
    """A sampler with set_epoch was at the same epoch in all passes, or one that draws orders drew one only."""
    for source in recording.sources:
        if len(source.epochs_set) >= 2 and len(set(source.epochs_set)) == 1 and recording.learned_from(source) >= 2:
            return (
                f"its epoch was {source.epochs_set[0]} at the start of each of {count(len(source.epochs_set), 'pass')}"
            )
        batches = source.batches or 0
        passes = source.looked // max(1, batches)
        if source.shuffles and passes >= 3 and source.different == batches >= _BATCHES:
            return Evidence(
                f"in each of {count(passes, 'pass')} the same {count(batches, 'batch')} came, though the order "
                "was drawn anew each time: the generator stood at the same place",
                why="A seed that is set at the start of every epoch gives every epoch the same order, the same noise "
                "and the same dropout.",
                fix="torch.manual_seed(0)                  # once, before the first epoch\n"
                "for epoch in range(epochs):\n    ...",
            )
    return ""


@rule(
    title="The dataset changes its own data.",
    why="An augmentation in place, such as image += noise, writes into the stored image. Each epoch starts from what "
    "the last one left, and the data drift away.",
    fix="image = self.images[i].clone()      # a copy, or image = image + noise",
    lesson=_LOADER_LESSON,
    explains=(*FLAT, *WILD, "inputs-not-scaled", "measured-in-another-scale"),
)
def dataset_changes_itself(recording: Recording) -> str:
    """The tensors of a dataset are changed in place in every pass."""
    for source in recording.sources:
        images = (source.batches or 0) * (source.batch_size or 1)
        changed = [changes for changes in source.changes if changes >= 0.5 * images > 0]
        if len(changed) >= 2 and recording.learned_from(source) >= 2:
            return (
                f"the tensors of the dataset were changed in place {changed[0]:,} times within one pass over about "
                f"{images:,} images, and so in {count(len(changed), 'pass')}"
            )
    return ""


@rule(
    title="The model is measured on inputs of another scale than it was trained on.",
    why="A model knows inputs as it has seen them. If only the training data are divided by 255, or normalised, the "
    "measured ones are as strange to it as noise.",
    fix="test = (test - mean) / std           # mean and std of the training set, for both",
    lesson=_INPUTS_LESSON,
)
def measured_in_another_scale(recording: Recording) -> str:
    """Inputs that were measured on are many times as large, or small, as those that were trained on."""
    for model, measured in recording.series(MeasuredInputs).items():
        trained = [look.size for look in recording.series(InputScale).get(model, [])]
        sizes = [look.size for look in measured]
        if len(trained) < 3 or not sizes or min(*trained, *sizes) <= 0:
            continue
        factor = min(sizes) / max(trained), max(sizes) / min(trained)
        if factor[0] > 8 or factor[1] < 1 / 8:
            return (
                f"root mean square {number(max(trained))} at most in training and {number(min(sizes))} to "
                f"{number(max(sizes))} when measured ({count(len(sizes), 'measured batch')})"
            )
    return ""
