"""Is every model, layer and state one of its own? Two names for one thing, and copies that are only half copied."""

from course_utils.doctor.measures import Overwritten
from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import rule
from course_utils.doctor.rules.effects import WILD
from course_utils.doctor.words import count, names, number

_STATE_LESSON = "05_optimizer_practice.ipynb, section 4"
_LONG = 20  # updates between the first and the last measurement


@rule(
    title="A model's state is loaded into the very model it was taken from.",
    why="Two names stand for one model. The one that should lag behind, a target or a teacher, is the one that is "
    "trained, and loading its own state into it changes nothing.",
    fix="target = copy.deepcopy(model)                        # a model of its own, once\n"
    "target.load_state_dict(model.state_dict())           # and then, now and again",
    lesson=_STATE_LESSON,
    explains=(*WILD,),
)
def one_model_under_two_names(recording: Recording) -> str:
    """``load_state_dict`` gets the model's own tensors, as they are now."""
    if recording.onto_itself < 2:
        return ""
    return (
        f"{count(recording.onto_itself, 'time')} load_state_dict was given the model's own parameters, taken since the "
        "last step: every number was copied onto itself"
    )


@rule(
    severity="warning",
    title="One and the same layer stands in several places.",
    why="[layer] * n and a loop that appends one layer make n names for one set of weights. The model has fewer "
    "parameters than it seems, and all these places must do with the same ones.",
    fix="layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(n)])     # a new layer for every place",
    lesson="01_optimizer_overview.ipynb, section 2",
)
def one_layer_in_several_places(recording: Recording) -> str:
    """A ``Sequential`` or ``ModuleList`` holds a layer with weights more than once."""
    for model in recording.models:
        if model.repeated:
            return (
                f"in {model.kind}, {names(model.repeated)} "
                f"{'is' if len(model.repeated) == 1 else 'are'} a layer that stands in an earlier place already"
            )
    return ""


@rule(
    severity="warning",
    title="The weights of an average move, and its batch statistics stand still.",
    why="BatchNorm's running mean and variance are buffers, not parameters: averaging parameters() leaves them as they "
    "were when the copy was made, and in evaluation mode they no longer fit the weights.",
    fix="for slow, fast in zip(average.buffers(), model.buffers()):\n    slow.copy_(fast)\n"
    "# or torch.optim.swa_utils.update_bn(loader, average)",
    lesson="05_optimizer_practice.ipynb, section 6",
)
def average_with_old_statistics(recording: Recording) -> str:
    """A model that is never trained changes its weights and not its running statistics, while another is trained."""
    trained = [model for model in recording.models if model.norms]
    for average in recording.untrained:
        if average.moved and average.still and trained and average.model not in {model.number for model in trained}:
            return (
                f"within {count(average.updates, 'step')} the weights of a {recording.models[average.model].kind} that "
                "is only measured have changed, and no running mean or variance of it; those of the model that is "
                "trained move at every step"
            )
    return ""


@rule(
    severity="note",
    title="What is measured is a copy of the model from before the training, and it never changes.",
    why="As a reference that may be meant. As an average it is not: an assignment such as slow = beta * slow + (1 - "
    "beta) * fast gives a name to a new tensor and leaves the copy's own alone, so that each measurement is the same.",
    fix="with torch.no_grad():\n    for slow, fast in zip(average.parameters(), model.parameters()):\n"
    "        slow.mul_(beta).add_(fast, alpha=1 - beta)      # in place",
    lesson="05_optimizer_practice.ipynb, section 6",
)
def measured_copy_never_changes(recording: Recording) -> str:
    """A model with the weights that the trained one began with is measured now and then, and stays as it is."""
    for copy in recording.untrained:
        now_and_then = 3 <= copy.times <= 0.2 * copy.updates
        if copy.copy_of is not None and now_and_then and not copy.moved and copy.updates >= _LONG:
            return (
                f"a {recording.models[copy.model].kind} with the weights that the trained model began with was called "
                f"after {count(copy.times, 'different step')}, {copy.updates} apart, and no weight of it has changed"
            )
    return ""


@rule(
    severity="warning",
    title="The run goes on with its old weights and an optimizer that has forgotten everything.",
    why="Momentum and Adam's averages are half of a checkpoint. Without them the first steps after the pause are other "
    "ones, often much too long, and the loss jumps.",
    fix='checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(),\n'
    '              "scheduler": scheduler.state_dict()}\n'
    'optimizer.load_state_dict(checkpoint["optimizer"])      # beside the weights, before going on',
    lesson=_STATE_LESSON,
    explains=("optimizer-recreated",),
)
def resumed_without_its_optimizer(recording: Recording) -> str:
    """Weights that were trained here are loaded, and a new optimizer, equal to the old one, begins with no state."""
    if len(recording.resumed) != 1:
        return ""
    taken, loaded = recording.resumed[0]
    first = {update.optimizer: step for step, update in reversed(list(enumerate(recording.updates)))}
    before = [o for o in recording.optimizers if o.stateful and first.get(o.number, loaded) < taken]
    after = [o for o in recording.optimizers if o.stateful and first.get(o.number, -1) >= loaded]
    for new in after:
        if new.began_empty and any((new.kind, new.settings) == (old.kind, old.settings) for old in before):
            return (
                f"the weights of step {taken} were loaded after step {loaded}, and a new {new.kind} with the same "
                f"settings went on for {count(new.steps, 'step')}; it began with an empty state"
            )
    return ""


@rule(
    title="The weights that were loaded are overwritten before the model is used.",
    why="load_state_dict fills the tensors that are there. Whatever sets them afterwards, such as "
    "model.apply(init_weights), wins, and the training begins from random numbers again, without a word.",
    fix="model.apply(init_weights)                            # first\n"
    "model.load_state_dict(torch.load(path))              # and last, what is to stay",
    lesson=_STATE_LESSON,
)
def loaded_weights_overwritten(recording: Recording) -> str:
    """Most weight matrices have nothing to do with what was loaded into them when the model is next called."""
    for look in recording.measured(Overwritten):
        return (
            f"{look.overwritten:.0f} of {count(int(look.loaded), 'weight tensor')} held other numbers than "
            f"load_state_dict had put there when the model was next called, before any step: correlation "
            f"{number(look.likeness)} at most"
        )
    return ""
