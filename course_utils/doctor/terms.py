"""Which terms does a loss consist of, and does each of them reach anything that steps?"""

from collections import Counter, deque
from collections.abc import Mapping

import torch
from torch import Tensor

from course_utils.doctor.events import Summed
from course_utils.doctor.gradients import Gradients
from course_utils.doctor.graph import additions, leaves, nodes, operation, sequence, terms
from course_utils.doctor.measures import LooseTerm, Penalty
from course_utils.doctor.numbers import Ledger, Note
from course_utils.doctor.recording import TermFacts

__all__ = ["Terms"]

_MOST = 32  # sums that are remembered between two passes
_OUTPUTS = 256  # of models that are remembered

_Key = tuple[int, str, int, int]  # place, operation, terms of the sum, number of the sum


class Terms:
    """Takes the sums apart from which backward passes start."""

    def __init__(self, ledger: Ledger, gradients: Gradients) -> None:
        self._ledger, self._gradients = ledger, gradients
        self._reach: list[tuple[int, _Key, frozenset[int]]] = []
        self._sums: dict[tuple[frozenset[int], ...], int] = {}  # by what their terms reach
        self._loose: dict[int, Tensor] = {}  # numbers added since the last pass, by the addition
        self._outputs: deque[int] = deque(maxlen=_OUTPUTS)  # the running numbers of what made them

    def forward(self, output: int) -> None:
        """A model has put out what the operation of this number made; more than one backward pass may go through."""
        self._outputs.append(output)

    def added(self, event: Summed) -> None:
        """A sum was made."""
        if event.loose is not None and len(self._loose) < _MOST:
            self._loose[sequence(event.output)] = torch.as_tensor(event.loose).detach().clone()

    def backward_begins(self, loss: Tensor, values: Mapping[int, Tensor], step: int) -> None:
        """A backward pass is about to start; ``values`` are those of the mean losses behind it, by running number."""
        self._note_loose(loss, step)
        parts = terms(loss.grad_fn) if loss.grad_fn is not None and not loss.dim() else []
        if len(parts) < 2:
            return
        number = self._gradients.follow()
        data, penalties, reach = [], 0, []
        for node, scaled in parts:
            behind = list(nodes(node))
            reach.append(frozenset(self._gradients.numbers_of(leaves(behind))))
            if int(node._sequence_nr()) in values and not scaled:
                data.append(values[int(node._sequence_nr())])
            else:
                penalties += not any(int(one._sequence_nr()) in self._outputs for one in behind)
        sum_number = self._sums.setdefault(tuple(reach), len(self._sums))
        for place, ((node, _), reached) in enumerate(zip(parts, reach, strict=True)):
            self._reach.append((number, (place, operation(node).lower(), len(parts), sum_number), reached))
        if penalties and len(data) + penalties == len(parts) and data:
            known = {"total": loss.detach().clone(), "data": sum(data[1:], data[0]).clone()}
            self._ledger.add(Note(Penalty, None, step, known))

    def _note_loose(self, loss: Tensor, step: int) -> None:
        summed = set(additions(loss.grad_fn)) if loss.grad_fn is not None and not loss.dim() else set()
        found = [value for number, value in sorted(self._loose.items()) if number in summed and not value.dim()]
        for place, value in enumerate(found):
            self._ledger.add(Note(LooseTerm, place, step, {"value": value, "total": loss.detach().clone()}))
        self._loose.clear()

    def facts(self) -> tuple[TermFacts, ...]:
        """What is known of each term."""
        passes, used = Counter[_Key](), Counter[_Key]()
        for number, key, reached in self._reach:
            stepped = self._gradients.used.get(number, set())
            if stepped:  # a pass that no step has used says nothing of its terms
                passes[key] += 1
                used[key] += bool(stepped & reached)
        return tuple(TermFacts(*key, count, used[key]) for key, count in passes.items())
