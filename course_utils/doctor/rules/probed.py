"""Does the model answer as it should? What experiments on copies of it have shown."""

from course_utils.doctor.measures import DroppedInEvaluation
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.words import count, names, number

_SHAPES = "02_one_epoch.ipynb, section 4"
_SCORES = "03_multi_epoch.ipynb, section 3"
_NO_PART = (
    "model.eval() switches off the layers that the model holds as its own. An nn.Dropout that is made inside forward() "
    "is new in each call, in training mode: two measurements of one image differ, and all are worse than the model is."
)
_AS_A_PART = "self.dropout = nn.Dropout(0.5)      # in __init__\nx = self.dropout(x)                 # in forward"
_DROPPED = ("dropout", "bernoulli", "alpha_dropout", "feature_dropout")


@rule(
    title="The output of a sample depends on the other samples of its batch.",
    why="Samples are strangers to each other. Where one leaks into another (a view that mixes the batch with another "
    "dimension, a softmax or an attention along the batch), the model learns from its neighbours, and a sample that "
    "comes alone gets another answer.",
    fix="x = x.flatten(1)                       # keeps the batch; x.view(-1, n) may not\n"
    "p = scores.softmax(dim=1)              # not dim=0\nnn.LSTM(n, m, batch_first=True)        # for (batch, time, n)",
    lesson=_SHAPES,
    explains=("output-ignores-input", "batch-not-learned-by-heart", "output-sees-later-positions"),
)
def output_depends_on_other_samples(recording: Recording) -> Evidence | None:
    """Other samples change, and the outputs of those that stay move with them."""
    probed = recording.probed
    if probed is None or not probed.mixed:
        return None
    return Evidence(
        f"in evaluation mode {probed.samples // 2} of {count(probed.samples, 'sample')} stayed and the others were "
        f"exchanged; the outputs of those that stayed moved by {number(probed.mixed)} of the spread of all outputs",
        severity="warning" if probed.stateless else None,
    )


@rule(
    title="The output at a position depends on later positions.",
    why="A model that is to name what comes next, and can see it, learns to copy it. Its loss is wonderful, and it "
    "cannot write a word.",
    fix="mask = nn.Transformer.generate_square_subsequent_mask(time)\n"
    "out = encoder(x, mask=mask, is_causal=True)    # or F.scaled_dot_product_attention(q, k, v, is_causal=True)",
    lesson=_SHAPES,
)
def output_sees_later_positions(recording: Recording) -> str:
    """Later inputs change, and earlier outputs move with them."""
    probed = recording.probed
    if probed is None or not probed.foresight:
        return ""
    return (
        f"the inputs from position {probed.position} on were exchanged, and the outputs before it moved by "
        f"{number(probed.foresight)} of the spread of all outputs"
    )


@rule(
    severity="warning",
    title="In evaluation mode the model still draws random numbers.",
    why="model.eval() switches off nn.Dropout, and not F.dropout(x), which drops unless it is told otherwise: two "
    "measurements of one image differ, and all of them are worse than the model is.",
    fix="x = F.dropout(x, 0.5, training=self.training)     # or nn.Dropout(0.5) as a layer",
    lesson="03_multi_epoch.ipynb, section 5",
)
def evaluation_is_random(recording: Recording) -> Evidence | None:
    """Two calls with one input, in evaluation mode, give different outputs; or a function was seen to drop there."""
    if looks := recording.measured(DroppedInEvaluation):
        by = (
            "a layer that is no part of the model"
            if looks[0].by_layer
            else "a function that was not told training=False"
        )
        return Evidence(
            f"in evaluation mode a {looks[0].of} dropped numbers with p = {number(looks[0].p)}, by {by}, "
            f"{count(len(looks), 'time')}",
            why=_NO_PART if looks[0].by_layer else None,
            fix=_AS_A_PART if looks[0].by_layer else None,
        )
    probed = recording.probed
    if probed is None or not probed.random:
        return None
    drops = any(name.startswith(_DROPPED) or "dropout" in name for name in probed.drawn)
    by = names(probed.drawn) or "no random operation of torch, so Python's or numpy's"
    seen = f"two calls with one input differed by {number(probed.random)} of the spread of all outputs; drawn: {by}"
    if drops:
        return Evidence(seen)
    return Evidence(
        seen,
        severity="note",
        title="In evaluation mode the model draws random numbers.",
        why="Two measurements of one input differ. For a model that samples, such as a VAE, that is meant so.",
        fix="z = mean + std * torch.randn_like(std) if self.training else mean     # to measure without noise",
    )


@rule(
    title="The output does not depend on the input.",
    why="Whatever the model is shown, it answers the same: a mask that hides everything, a branch that is multiplied "
    "by 0, or units that are all dead. It can learn nothing but the mean of the targets.",
    fix="mask = mask.bool()        # True hides a position in key_padding_mask; try ~mask\n"
    "print(torch.equal(model(x), model(x.flip(0))))",
    lesson=_SHAPES,
    explains=("batch-not-learned-by-heart",),
)
def output_ignores_input(recording: Recording) -> str:
    """Other inputs give the same outputs to the last digits, also with weights that were nudged."""
    probed = recording.probed
    if probed is None or probed.influence or "dependence on the input" not in probed.made:
        return ""
    return (
        f"each of {count(probed.samples, 'sample')} was given the numbers of another one, and no output moved by more "
        "than a millionth of their spread, also with weights that were nudged by 2 %"
    )


@rule(
    severity="warning",
    title="The first loss is far above that of an even guess.",
    why="A model that knows nothing should be unsure: its first loss is near ln(classes). A loss far above it is sure "
    "and wrong, from weights or inputs that are too large, and the first steps only undo that.",
    fix="nn.init.kaiming_normal_(layer.weight); nn.init.zeros_(layer.bias)    # and inputs of mean 0, deviation 1\n"
    "print(loss.item(), math.log(classes))                                # before the first step",
    lesson=_SCORES,
)
def first_loss_far_from_even_guess(recording: Recording) -> str:
    """The loss before any step is several times the loss of equal scores."""
    probed = recording.probed
    if probed is None or not probed.classes or not probed.guess > 0 or not probed.loss > 3 * probed.guess:
        return ""
    return (
        f"the loss of the batch was {number(probed.loss)}, and {number(probed.guess)} with equal scores for all "
        f"{probed.classes} classes"
    )


@rule(
    title="The model cannot learn a handful of samples by heart.",
    why="Whatever is right can learn a few samples until it knows them. What cannot has a fault between input and "
    "loss: a Softmax too much, a part without a gradient, labels that do not belong to their inputs.",
    fix="images, labels = next(iter(loader))     # one batch, again and again\nfor _ in range(200):\n    ...\n"
    "    print(loss.item())                  # must fall towards 0",
    lesson="02_one_epoch.ipynb, section 4",
)
def batch_not_learned_by_heart(recording: Recording) -> str:
    """Adam on a few samples alone does not halve their loss."""
    probed = recording.probed
    if probed is None or not probed.by_heart or not probed.learned[1] > 0.5 * probed.learned[0]:
        return ""
    start, end = probed.learned
    return (
        f"a copy was trained on {count(probed.by_heart, 'sample')} alone with Adam, at the best of lr 0.001, 0.01 "
        f"and 0.1; in {count(probed.steps, 'step')} their loss went from {number(start)} to {number(end)}"
    )
