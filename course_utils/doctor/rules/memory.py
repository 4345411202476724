"""Does memory grow? Losses that are kept together with the graph that made them."""

from course_utils.doctor.recording import Recording, Survivors
from course_utils.doctor.rule import Evidence, rule
from course_utils.doctor.words import count

_FEW = 4
_WAVES = 3  # rounds, as epochs are, in which graphs were seen to gather
_LESSON = "02_one_epoch.ipynb, section 6"


@rule(
    title="Losses are kept together with their graphs, so memory grows with every step.",
    why="A loss tensor holds the graph that computed it, and the graph holds what it needs for a backward pass that "
    "never comes. After enough steps the memory is full.",
    fix="losses.append(loss.item())         # a number, or\n"
    "losses.append(loss.detach())       # a tensor without a graph",
    lesson=_LESSON,
)
def loss_kept_with_graph(recording: Recording) -> Evidence | str:
    """Old loss tensors, or outputs, are alive, each with its graph."""
    losses = _growth(
        [(seen.tensors, seen) for seen in recording.survivors],
        "loss tensors of earlier steps were still in memory with their graph",
    )
    if losses or any(seen.chained >= _FEW for seen in recording.survivors):
        return losses
    outputs = _growth(
        [(seen.outputs, seen) for seen in recording.survivors],
        "outputs of the model in earlier steps were still in memory with their graph",
    )
    return outputs and Evidence(
        outputs,
        title="Outputs are kept together with their graphs, so memory grows with every step.",
        fix="outputs.append(scores.detach())    # a tensor without a graph",
    )


@rule(
    title="The running loss is a tensor with a graph, to which every step adds its own.",
    why="running += loss records an addition, so the sum holds the graph of every step since the start. Memory "
    "grows, and a backward pass from the sum would go through all of them.",
    fix="running += loss.item()             # a number, or\n"
    "running += loss.detach()           # a tensor without a graph",
    lesson=_LESSON,
)
def running_loss_is_a_tensor(recording: Recording) -> Evidence | str:
    """The graphs of old losses are alive, chained to each other by a running sum."""
    grown = _growth(
        [(seen.chained, seen) for seen in recording.survivors],
        "graphs of earlier steps were still in memory, though their losses were gone: a sum holds them",
    )
    return grown or _again_and_again(recording)


def _again_and_again(recording: Recording) -> Evidence | str:
    """The graphs that backward passes have started from gather, and are let go of, several times, as in each epoch."""
    high, times, largest = False, 0, recording.survivors[:1]
    for seen in recording.survivors:
        largest = max(largest, (seen,), key=lambda one: one[0].spent)
        if seen.spent >= _FEW and not high:
            high, times = True, times + 1
        elif 2 * seen.spent < largest[0].spent:
            high = False
    if times < _WAVES:
        return ""
    last = largest[0]
    return Evidence(
        f"at step {last.step}, {last.spent} graphs of earlier steps were still in memory, though their losses were "
        f"gone and their backward passes done: a sum holds them, and begins anew; so it was seen in {times} rounds",
        severity="warning",
    )


def _growth(counts: list[tuple[int, Survivors]], text: str) -> str:
    """The first count of survivors and the largest, if their number has really grown."""
    alive = [pair for pair in counts if pair[0]]
    if not alive:
        return ""
    (few, first), (many, last) = alive[0], max(alive, key=lambda pair: pair[0])
    if many < max(_FEW, few + 2) or many < 0.2 * last.losses:
        return ""
    return (
        f"at step {last.step}, {many} of {last.losses} {text} ({few} at step {first.step}), "
        f"{count(last.operations, 'recorded operation')} each"
    )


@rule(
    severity="warning",
    title="The kept state_dict() is the model itself, not a copy.",
    why="state_dict() gives the model's own tensors. Every later step changes them, so that the best weights are "
    "always those of the last step.",
    fix="best = copy.deepcopy(model.state_dict())       # or\n"
    "best = {name: value.clone() for name, value in model.state_dict().items()}",
    lesson="03_multi_epoch.ipynb, section 5",
)
def state_without_copy(recording: Recording) -> Evidence | None:
    """A state is kept, or loaded back, in the memory of the model that goes on training."""
    kept = [state for state in recording.kept_states if state.updates >= 3]
    if not kept:
        return None
    last = next((state for state in kept if state.loaded), kept[-1])
    back = ", and was then loaded back into the same memory, which changes nothing" if last.loaded else ""
    return Evidence(
        f"the state taken after step {last.taken} was still kept {count(last.updates, 'step')} later{back}; "
        f"{last.shared} of its {count(last.tensors, 'tensor')} lay in the model's own memory",
        severity="error" if last.loaded else "warning",
    )
