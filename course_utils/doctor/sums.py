"""Which sums hold the loss that is differentiated, and more beside it that no backward pass goes through?"""

from collections import Counter, deque
from collections.abc import Set
from typing import Any, NamedTuple

from torch import Tensor

from course_utils.doctor.gradients import Gradients
from course_utils.doctor.graph import leaves, nodes, operation, terms
from course_utils.doctor.recording import SumFacts
from course_utils.doctor.rhythm import closely

__all__ = ["Sums"]

_MOST = 16  # terms of a sum that is looked at
_SUMS = 32  # that are looked at between two passes
_PATIENCE = 2  # updates within which a term may still be differentiated by itself


class _Term(NamedTuple):
    number: int  #: the running number of the operation that made it
    kind: str
    behind: frozenset[int]  #: numbers of the known parameters behind it; empty where no operation of a model's is


class _Sort(NamedTuple):
    kinds: tuple[str, ...]  #: of the terms of a loss
    parameter: int  #: number of the known one that stands nearest behind it; -1 without


class _Pass(NamedTuple):
    step: int
    numbers: frozenset[int]  #: of the terms of its loss
    sort: _Sort


class Sums:
    """Compares sums of scalars, as they are made, with the losses from which backward passes start."""

    def __init__(self, gradients: Gradients) -> None:
        self._gradients = gradients
        self._made: list[tuple[int, tuple[_Term, ...]]] = []  # each with the updates done before it
        self._passes: list[_Pass] = []
        self._through: deque[tuple[int, Set[int]]] = deque(maxlen=64)  # what passes went through
        self._roots: deque[int] = deque(maxlen=512)  # terms of losses
        self._left = _SUMS
        self._output = -1  # the running number of the latest operation inside a model
        self._looked: dict[int, frozenset[int]] = {}  # what is known of the terms of this step
        self._of_sort: Counter[_Sort] = Counter()
        self._partial: Counter[tuple[_Sort, tuple[tuple[int, str], ...], frozenset[int]]] = Counter()

    def forward(self, output: int) -> None:
        """A model has put out what the operation of this number made."""
        self._output = max(self._output, output)

    def made(self, output: Tensor, step: int) -> None:
        """A sum of scalars was made."""
        if not self._left or not (closely(step) or closely(step - 1)):  # a sum may come late
            return
        self._left -= 1
        parts = terms(output.grad_fn, _MOST)
        if 2 <= len(parts) < _MOST:
            found = tuple(_Term(_number(node), operation(node).lower(), self._behind(node)) for node, _ in parts)
            self._made.append((step, found))

    def backward_begins(self, loss: Tensor, through: Set[int], step: int, *, closely: bool) -> None:
        """A backward pass, or ``torch.autograd.grad``, starts from ``loss`` and goes ``through`` these operations."""
        self._judge(step - _PATIENCE)
        self._left = _SUMS
        if loss.grad_fn is None or loss.dim():
            return
        parts = [node for node, _ in terms(loss.grad_fn, _MOST)]
        numbers = [_number(node) for node in parts]
        self._roots += numbers
        if closely:
            self._through.append((step, through))
            sort = _Sort(tuple(operation(node).lower() for node in parts), self._nearest(loss.grad_fn))
            self._passes.append(_Pass(step, frozenset(numbers), sort))

    def facts(self) -> tuple[SumFacts, ...]:
        """What is known of each kind of sum that held more than the loss."""
        self._judge(None)
        return tuple(
            SumFacts(terms=len(sort.kinds) + len(extra), left_out=tuple(kind for _, kind in extra),
                     passes=self._of_sort[sort], partial=count, behind=behind)
            for (sort, extra, behind), count in self._partial.items()
        )  # fmt: skip

    def _behind(self, node: Any) -> frozenset[int]:
        number = _number(node)
        if number in self._roots:
            return frozenset()
        if number not in self._looked:
            self._looked[number] = self._by_model(node)
        return self._looked[number]

    def _by_model(self, node: Any) -> frozenset[int]:
        """What is made of weights alone does not count: ``weight_decay`` may stand for it."""
        behind = list(nodes(node))
        made = [one for one in behind if operation(one) != "AccumulateGrad"]
        if self._output >= 0 and not any(_number(one) <= self._output for one in made):
            return frozenset()
        return frozenset(self._gradients.numbers_of([leaf for leaf in leaves(behind) if self._gradients.knows(leaf)]))

    def _nearest(self, root: Any) -> int:
        leaves = (one.variable for one in nodes(root) if operation(one) == "AccumulateGrad")
        return next((self._gradients.numbers_of([leaf])[0] for leaf in leaves if self._gradients.knows(leaf)), -1)

    def _judge(self, before: int | None) -> None:
        """Decide on the passes before this step, for whose sums no further pass can come."""
        due = [one for one in self._passes if before is None or one.step < before]
        if not due:
            return
        done = set(self._roots).union(*(numbers for _, numbers in self._through))
        for one in due:
            self._of_sort[one.sort] += 1
            found = [extra for _, made in self._made if (extra := _beside(made, one.numbers, done))]
            if found:
                kinds = tuple((place, term.kind) for place, term in min(found, key=len))
                behind = frozenset().union(*(term.behind for extra in found for _, term in extra))
                self._partial[one.sort, kinds, behind] += 1
        self._passes = self._passes[len(due) :]
        self._made = [] if before is None else [one for one in self._made if one[0] >= before]
        self._looked.clear()


def _beside(made: tuple[_Term, ...], loss: frozenset[int], done: set[int]) -> list[tuple[int, _Term]]:
    """Those terms that stand beside all of ``loss``, and that no pass has gone through, each with its place."""
    if not loss < {term.number for term in made}:
        return []
    return [(place, term) for place, term in enumerate(made) if term.behind and term.number not in loss | done]


def _number(node: Any) -> int:
    return int(node._sequence_nr())
