"""What does autograd's graph say? Facts read from the operations behind a tensor, without changing or keeping them."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["bounded_by", "competing", "count_operations", "dead_units", "leaves", "nodes", "operation", "reshaped",
           "sequence", "squashed_by", "squashes_batch", "terms"]  # fmt: skip

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
_SOFTMAXES = ("Softmax", "SafeSoftmax", "LogSoftmax")
_BOUNDING = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "SafeSoftmax": "softmax"}
_ADDITIONS = ("Add", "Sub")
_LIMIT = 5000
_SEVERAL = 3  # samples, for whose number another size is not taken


def sequence(tensor: Tensor) -> int:
    """The running number of the operation that made ``tensor``; later operations have larger ones; -1 without."""
    node = tensor.grad_fn
    return -1 if node is None else int(node._sequence_nr())


def latest_sequence() -> int:
    """The running number that autograd gave to the latest operation of this thread."""
    return int(torch._C._autograd._get_sequence_nr()) - 1


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
        kind = operation(node)
        if kind in _SQUASHING:
            return _SQUASHING[kind]
        if kind == "Log" and squashed_by(_only_input(node)) == "softmax":
            return "log_softmax"
        if not kind.startswith(_PASSING):
            return None
        node = _only_input(node)
    return None


def bounded_by(node: Any) -> str | None:
    """Which of relu, sigmoid, tanh or softmax made the numbers that ``node`` hands on, if one did."""
    found = _made_by(node, _BOUNDING)
    return None if found is None else _BOUNDING[operation(found)]


def squashes_batch(node: Any) -> bool:
    """Whether the numbers that ``node`` hands on are a softmax over the first of several dimensions."""
    found = _made_by(node, _SOFTMAXES)
    shape = () if found is None else found._input_metadata[0].shape
    return found is not None and len(shape) >= 2 and found._saved_dim == 0 and len(set(shape[:2])) == 2


def _made_by(node: Any, kinds: Collection[str]) -> Any:
    """The operation of one of these ``kinds`` whose numbers ``node`` hands on, or None."""
    for _ in range(12):
        if node is None or operation(node) in kinds:
            return node
        if not operation(node).startswith(_PASSING):
            return None
        node = _only_input(node)
    return None


def leaves(found: Iterable[Any]) -> list[Tensor]:
    """The tensors that a backward pass through these operations gives a gradient."""
    return [node.variable for node in found if operation(node) == "AccumulateGrad"]


def terms(root: Any, limit: int = 16) -> list[tuple[Any, bool]]:
    """The operations that made the terms of the sum at ``root``, each with whether a factor stands before it."""
    return [(node, scaled) for node, scaled, apart in _taken_apart(root, limit) if not apart]


def additions(root: Any, limit: int = 16) -> list[int]:
    """The running numbers of those that make the sum at ``root``."""
    return [
        int(node._sequence_nr())
        for node, _, apart in _taken_apart(root, limit)
        if apart and operation(node) in _ADDITIONS
    ]


def _taken_apart(root: Any, limit: int) -> Iterator[tuple[Any, bool, bool]]:
    """The operations of the sum at ``root``: each with whether a factor stands before it, and whether it goes on."""
    todo, ends = deque([(root, False)]), 0
    while todo and ends < limit:
        node, scaled = todo.popleft()
        following = [function for function, _ in node.next_functions if function is not None]
        adds = operation(node) in _ADDITIONS
        scalar = (adds or operation(node) in ("Mul", "Div", "Neg")) and not node._input_metadata[0].shape
        apart = scalar and (adds or len(following) == 1)
        if apart:
            todo += [(function, scaled or not adds) for function in following]
        ends += not apart
        yield node, scaled, apart


def competing(found: Iterable[Any], samples: int) -> Tensor:
    """1 where one of these operations is a softmax of three or more dimensions over the first, the samples; else 0."""
    shapes = [node._input_metadata[0].shape for node in found if operation(node) in _SOFTMAXES and not node._saved_dim]
    over = [len(shape) >= 3 and shape[0] == samples and samples not in shape[1:] for shape in shapes]
    return torch.tensor(float(samples >= _SEVERAL and any(over)))


def _mixes(before: tuple[int, ...], after: tuple[int, ...], samples: int) -> bool:
    """Whether rows of ``after`` hold pieces of several samples, whose place in ``before`` was the second dimension."""
    if samples < _SEVERAL or len(before) < 3 or before[1] != samples or after[0] != samples:
        return False
    return before[0] > 1 and before[0] % samples != 0


def reshaped(found: Sequence[Any], samples: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The sizes before and after a view that gives the dimensions another order, where a transpose was meant."""
    users: dict[Any, list[str]] = {}
    for node in found:
        for following, _ in node.next_functions:
            users.setdefault(following, []).append(operation(node))
    for node in found:
        if operation(node) not in ("View", "UnsafeView", "ReshapeAlias"):
            continue
        before, after = tuple(node._saved_self_sym_sizes), tuple(node._input_metadata[0].shape)
        source = _only_input(node)
        ahead = operation(source) if source is not None and operation(source) != "Clone" else "Transpose"
        turned = any(kind in ("Transpose", "Permute", "T") for kind in (*users.get(node, ()), ahead))
        other_order = len(before) >= 3 and sorted(before) == sorted(after) and before != after
        if (other_order and not turned) or _mixes(before, after, samples):
            return before, after
    return None


def dead_units(root: Any) -> list[tuple[str, Tensor]]:
    """For each ReLU behind ``root``, in forward order: its number, and the share of units that are 0 for all inputs."""
    found = []
    for node in nodes(root):
        if operation(node) == "Relu":
            result = node._saved_result
            if result.dim() >= 2 and len(result) >= 8:
                found.append((int(node._sequence_nr()), _dead_share(result)))
    found.sort(key=lambda pair: pair[0])
    return [(f"ReLU {i + 1} of {len(found)}", share) for i, (_, share) in enumerate(found)]


def _dead_share(result: Tensor) -> Tensor:
    other_dims = [dim for dim in range(result.dim()) if dim != 1]
    return 1 - (result.detach().amax(dim=other_dims) > 0).to(torch.float32).mean()


def operation(node: Any) -> str:
    """``NllLossBackward0`` -> ``NllLoss``."""
    return str(node.name()).rpartition("::")[2].partition("Backward")[0]


def _only_input(node: Any) -> Any:
    following = [function for function, _ in node.next_functions if function is not None]
    return following[0] if len(following) == 1 else None
