"""Does memory grow? Losses that are kept together with the graph that made them."""

from course_utils.doctor.finding import Finding
from course_utils.doctor.record import Recording, Survivors
from course_utils.doctor.words import count

__all__ = ["loss_kept_with_graph", "running_loss_is_a_tensor"]

_FEW = 4


def loss_kept_with_graph(recording: Recording) -> Finding | None:
    """Old loss tensors are alive, each with its graph."""
    growth = _growth(recording, "tensors")
    if growth is None:
        return None
    return Finding(
        name="loss-kept-with-graph",
        severity="error",
        title="Losses are kept together with their graphs, so memory grows with every step.",
        seen=_seen(growth, "tensors", "loss tensors of earlier steps were still in memory with their graph"),
        why="A loss tensor holds the graph that computed it, and the graph holds what it needs for a "
        "backward pass that "
        "never comes. After enough steps the memory is full.",
        fix="losses.append(loss.item())         # a number, or\n"
        "losses.append(loss.detach())       # a tensor without a graph",
        lesson="02_one_epoch.ipynb, section 6",
    )


def running_loss_is_a_tensor(recording: Recording) -> Finding | None:
    """The graphs of old losses are alive, chained to each other by a running sum."""
    growth = _growth(recording, "chained")
    if growth is None:
        return None
    return Finding(
        name="running-loss-is-a-tensor",
        severity="error",
        title="The running loss is a tensor with a graph, to which every step adds its own.",
        seen=_seen(
            growth,
            "chained",
            "graphs of earlier steps were still in memory, though their losses were gone: a sum holds them",
        ),
        why="running += loss records an addition, so the sum holds the graph of every step since the start. Memory "
        "grows, and a backward pass from the sum would go through all of them.",
        fix="running += loss.item()             # a number, or\n"
        "running += loss.detach()           # a tensor without a graph",
        lesson="02_one_epoch.ipynb, section 6",
    )


def _growth(recording: Recording, what: str) -> tuple[Survivors, Survivors] | None:
    """The first count with a survivor and the largest, if their number has really grown."""
    alive = [survivors for survivors in recording.survivors if getattr(survivors, what)]
    if not alive:
        return None
    first, largest = alive[0], max(alive, key=lambda survivors: getattr(survivors, what))
    grown = getattr(largest, what) >= max(_FEW, getattr(first, what) + 2)
    return (first, largest) if grown and getattr(largest, what) >= 0.2 * largest.losses else None


def _seen(growth: tuple[Survivors, Survivors], what: str, text: str) -> str:
    first, last = growth
    return (
        f"at step {last.step}, {getattr(last, what)} of {last.losses} {text} ({getattr(first, what)} at step "
        f"{first.step}), "
        f"{count(last.operations, 'recorded operation')} each"
    )
