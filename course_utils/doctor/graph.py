"""What does autograd's graph say? Facts read from the operations behind a tensor, without changing or keeping them."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["count_operations", "dead_units", "nodes", "sequence", "squashed_by"]

# Operations that hand on the numbers of their input, or nearly so.
_PASSING = (
    "View", "UnsafeView", "Reshape", "Squeeze", "Unsqueeze", "ToCopy", "Clone", "Transpose", "T", "Permute", "Slice",
    "Select", "Index", "Clamp", "Add", "Alias", "Expand", "Contiguous", "Unbind", "Split", "Movedim", "Copy", "Flatten",
)  # fmt: skip
_SQUASHING = {
    "Softmax": "softmax",
    "SafeSoftmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log_sigmoid",
}
_LIMIT = 5000


def sequence(tensor: Tensor) -> int:
    """The running number of the operation that made ``tensor``; later operations have larger ones; -1 without."""
    node = tensor.grad_fn
    return -1 if node is None else int(node._sequence_nr())


def nodes(root: Any, limit: int = _LIMIT) -> Iterator[Any]:
    """The operations behind ``root``, breadth first, each once, at most ``limit`` of them."""
    queue, seen = deque([root]), {root}
    while queue and limit:
        node = queue.popleft()
        limit -= 1
        yield node
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                queue.append(following)


def count_operations(root: Any) -> int:
    """How many recorded operations stand behind ``root`` (counted up to a limit)."""
    return sum(1 for _ in nodes(root))


def squashed_by(node: Any) -> str | None:
    """Which of softmax, log_softmax or sigmoid made the numbers that ``node`` hands on, if one did."""
    for _ in range(12):
        if node is None:
            return None
        kind = _operation(node)
        if kind in _SQUASHING:
            return _SQUASHING[kind]
        if kind == "Log" and squashed_by(_only_input(node)) == "softmax":
            return "log_softmax"
        if not kind.startswith(_PASSING):
            return None
        node = _only_input(node)
    return None


def dead_units(root: Any) -> list[tuple[str, Tensor]]:
    """For each ReLU behind ``root``, in forward order: its number, and the share of units that are 0 for all inputs."""
    found = []
    for node in nodes(root):
        if _operation(node) == "Relu":
            result = node._saved_result
            if result.dim() >= 2 and len(result) >= 8:
                found.append((int(node._sequence_nr()), _dead_share(result)))
    found.sort(key=lambda pair: pair[0])
    return [(f"ReLU {i + 1} of {len(found)}", share) for i, (_, share) in enumerate(found)]


def _dead_share(result: Tensor) -> Tensor:
    other_dims = [dim for dim in range(result.dim()) if dim != 1]
    return 1 - (result.detach().amax(dim=other_dims) > 0).to(torch.float32).mean()


def _operation(node: Any) -> str:
    """``NllLossBackward0`` -> ``NllLoss``."""
    return str(node.name()).rpartition("::")[2].partition("Backward")[0]


def _only_input(node: Any) -> Any:
    following = [function for function, _ in node.next_functions if function is not None]
    return following[0] if len(following) == 1 else None
