"""Is the model in the right mode, and is there a gradient where one is needed and none where it is not?"""

from course_utils.doctor.recording import Forwards, ModelFacts, Recording, calls
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.rules.effects import NOTHING_LEARNS
from course_utils.doctor.rules.parameters import left_aside
from course_utils.doctor.words import count, names

_MODES_LESSON = "02_one_epoch.ipynb, section 8"


@rule(
    title="The loss has lost its connection to the model.",
    why="no_grad, .detach(), .item(), .data and numpy cut the graph. From a loss behind such a cut no gradient finds "
    "its way to the parameters.",
    fix="scores = model(images)               # not under torch.no_grad(), no .detach()\n"
    "loss = F.cross_entropy(scores, labels)\nloss.backward()\n"
    "losses.append(loss.item())           # the cut comes last",
    lesson="02_one_epoch.ipynb, section 6",
    explains=(*NOTHING_LEARNS, "missing-backward", "missing-step"),
)
def loss_without_gradient(recording: Recording) -> Evidence | str | None:
    """The loss that backward starts from is not connected with the model's parameters."""
    cut = [b for b in recording.backwards if not b.failure and b.watched and not b.reached]
    failed = [b for b in recording.backwards if "does not require grad" in b.failure]
    if not failed and len(cut) < max(2, 0.5 * len(recording.backwards)):
        return _partly_detached(recording)
    seen = (
        f"backward() failed at step {failed[0].step}: {failed[0].failure}"
        if failed
        else f"{len(cut)} of {count(len(recording.backwards), 'backward pass')} reached none of "
        f"{count(cut[-1].watched, 'parameter tensor')}"
    )
    blind = calls(f for f in recording.forwards if not f.with_gradients)
    return f"{seen}; the model was called {count(blind, 'time')} without recording a graph"


@rule(
    title="The model is trained in evaluation mode.",
    why="In evaluation mode Dropout lets everything through and BatchNorm neither uses nor updates the batch's "
    "statistics: what regularises the training is switched off.",
    fix="for epoch in range(epochs):\n    model.train()          # at the start of every epoch\n    ...\n"
    "    model.eval()           # only to measure",
    lesson=_MODES_LESSON,
)
def eval_mode_while_training(recording: Recording) -> str:
    """The model learns while it is in evaluation mode."""
    for model in recording.models:
        taught = [f for f in recording.forwards if f.model == model.number and f.learned_from]
        in_eval = calls(f for f in taught if not f.training_mode)
        if model.sensitive and in_eval >= 2 and recording.updates and _is_optimized(recording, model):
            return (
                f"{model.kind} was in evaluation mode in {in_eval} of {count(calls(taught), 'forward pass')} that it "
                f"learned from; it has {' and '.join(model.sensitive)}"
            )
    return ""


@rule(
    severity="warning",
    title="The model is measured in training mode.",
    why="In training mode Dropout removes units at random and BatchNorm uses (and updates!) the statistics of "
    "the test batch: the measured accuracy is noisy and too low, and measuring changes the model.",
    fix="model.eval()\nwith torch.no_grad():\n    ...\nmodel.train()",
    lesson=_MODES_LESSON,
)
def measuring_in_train_mode(recording: Recording) -> str:
    """The model is measured in training mode, and has layers for which that matters."""
    for model in _measured_models(recording):
        measured = _measured(recording, model)
        wrong = calls(f for f in measured if f.training_mode)
        if model.sensitive and wrong:
            return (
                f"{model.kind} was in training mode in {wrong} of {count(calls(measured), 'forward pass')} "
                f"that it did not learn from; it has {' and '.join(model.sensitive)}"
            )
    return ""


@rule(
    severity="warning",
    title="Gradients are recorded while measuring.",
    why="The graph keeps the activations of all layers for a backward pass that never comes: measuring needs "
    "several times the memory and more time.",
    fix="model.eval()\nwith torch.no_grad():\n    scores = model(images)",
    lesson=_MODES_LESSON,
)
def measuring_with_gradients(recording: Recording) -> str:
    """The model is measured while autograd records a graph that nobody uses."""
    for model in _measured_models(recording):
        measured = _measured(recording, model)
        wrong = calls(f for f in measured if f.with_gradients)
        if wrong:
            return (
                f"{wrong} of {count(calls(measured), 'forward pass')} that {model.kind} did not learn from "
                "recorded a graph"
            )
    return ""


def _partly_detached(recording: Recording) -> Evidence | None:
    """Some parameters never get a gradient although their model is trained and nothing is frozen."""
    explained = frozenset().union(*(found.behind for found in left_aside(recording)))  # by a term that was left out
    tensors = [tensor for place, tensor in enumerate(recording.tensors) if place not in explained]
    left_out = [t for t in tensors if t.model is not None and t.trainable and t.optimizers and not t.reached]
    taught = {t.model for t in recording.tensors if t.reached >= 2}
    left_out = [t for t in left_out if t.model in taught]
    if not left_out:
        return None
    return Evidence(
        f"{count(len(left_out), 'parameter tensor')} ({left_out[0].name} first) never got a gradient in "
        f"{count(len(recording.backwards), 'backward pass')}, while others of the same model did",
        severity="warning",
        title="A part of the model gets no gradient.",
        why="Either a .detach(), .data or no_grad inside the model cuts the graph above them, or they are never used.",
        fix="features = self.features(images)      # no .detach() between the parts\nscores = self.head(features)",
    )


def _is_optimized(recording: Recording, model: ModelFacts) -> bool:
    return any(t.model == model.number and t.reached and t.optimizers for t in recording.tensors)


def _measured_models(recording: Recording) -> list[ModelFacts]:
    """The models that are trained here; with several players an unused forward pass is part of their game."""
    trained = [model for model in recording.models if _is_optimized(recording, model)]
    return trained if len(trained) == 1 and recording.updates else []


def _measured(recording: Recording, model: ModelFacts) -> list[Forwards]:
    """The calls of ``model`` that it did not learn from, since the training began."""
    of_model = [f for f in recording.forwards if f.model == model.number]
    return [f for f in of_model if f.after_first_backward and not f.learned_from]


@rule(
    severity="warning",
    title="Batch normalisation is trained on batches of one or two.",
    why="It normalises each image by the mean and the spread of its batch. A batch of one is normalised by itself; in "
    "evaluation mode running averages take over, and the model sees numbers that it has never learned from.",
    fix="loader = DataLoader(data, batch_size=16, shuffle=True)    # or\nnn.GroupNorm(8, channels)          # needs "
    "no batch",
    lesson=_MODES_LESSON,
    explains=("learning-rate-too-low",),
)
def batch_norm_of_one(recording: Recording) -> str:
    """Batch normalisations in training mode get one or two samples in nearly every call."""
    for model in recording.models:
        if model.norms >= 6 and model.tiny >= 0.9 * model.norms and _is_optimized(recording, model):
            return (
                f"in {model.tiny} of {count(model.norms, 'measured call')} in training mode the batch normalisations "
                f"of {model.kind} got one or two samples, {model.smallest} at least"
            )
    return ""


@rule(
    severity="warning",
    title="Frozen batch normalisations still move.",
    why="requires_grad=False stops the weights. The running mean and variance are no weights: in training mode every "
    "forward pass changes them.",
    fix="for layer in backbone.modules():\n    if isinstance(layer, nn.BatchNorm2d):\n"
    "        layer.eval()           # after model.train(), in every epoch",
    lesson=_MODES_LESSON,
)
def frozen_norm_moves(recording: Recording) -> str:
    """Batch normalisations whose weights never learn are in training mode."""
    for model in recording.models:
        names_of = {t.name for t in recording.tensors if t.model == model.number and (t.reached or t.trainable)}
        still = [name for name in model.moving if f"{name}.weight" not in names_of]
        if still and _is_optimized(recording, model):
            return (
                f"layer {names(still)} of {model.kind} had requires_grad=False and was in training mode: "
                "its running averages changed with every batch"
            )
    return ""


@rule(
    title="The model learns from the data that it is measured on.",
    why="A backward pass and a step in the loop that validates train on the validation data. What is measured there "
    "says nothing about new images any more.",
    fix="model.eval()\nwith torch.no_grad():\n    for images, labels in val_loader:\n"
    "        loss = loss_fn(model(images), labels)     # no backward, no step",
    lesson="03_multi_epoch.ipynb, section 5",
    explains=("eval-mode-while-training", "same-images-in-both-splits"),
)
def backward_in_validation(recording: Recording) -> str:
    """One source is learned from in training mode, another one in evaluation mode, and none is measured without."""
    for model in recording.models:
        learned = _learned_in_validation(recording, model)
        if learned >= 2 and recording.updates and _is_optimized(recording, model):
            return (
                f"{model.kind} was in evaluation mode for another loader in {count(learned, 'forward pass')}, "
                "and learned from each of them"
            )
    return ""


def learned_in_validation(recording: Recording) -> int:
    """How many batches were learned from in evaluation mode, from a loader that is not trained on."""
    return sum(_learned_in_validation(recording, model) for model in recording.models)


def _learned_in_validation(recording: Recording, model: ModelFacts) -> int:
    own = [f for f in recording.forwards if f.model == model.number]
    if any(not f.training_mode and not f.with_gradients for f in own):
        return 0  # that is where it is measured; what learns in evaluation mode is the training
    learned = [f for f in own if f.learned_from and f.source is not None]
    trained = {f.source for f in learned if f.training_mode}
    return calls(f for f in learned if not f.training_mode and f.source not in trained) if trained else 0
