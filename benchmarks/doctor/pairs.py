"""What is one pair? A fault that somebody reported, and what stands in its place in a program without it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.doctor.layouts import LAYOUTS
from benchmarks.doctor.program import Course, Program
from benchmarks.doctor.recipe import HELD_OUT, Recipe, programs, spread

__all__ = ["Changes", "Pair", "held_out", "neighbours", "norm", "reported"]

Changes = Mapping[str, object]
_LAYOUTS = tuple(name for name in LAYOUTS if name not in ("course", "closure", "while"))


@dataclass(frozen=True)
class Pair:
    """A fault, and what stands in its place in a healthy program."""

    fault: str
    source: str  #: where it was reported
    faulty: Changes
    healthy: Changes
    both: Changes | Callable[[Recipe], Changes]
    layouts: tuple[str, ...] = _LAYOUTS
    raises: str | None = None
    sort: str = ""  #: tells it from other programs of the same fault
    course: Course | None = "down"  #: what the losses do without the fault

    @property
    def name(self) -> str:
        """The beginning of its programs' ids."""
        return f"{self.fault}/{self.sort}" if self.sort else self.fault


def reported(pairs: Sequence[Pair]) -> list[Program]:
    """The programs with their faults: four of each, three where the fault has others."""
    return [
        program
        for pair, texts in _texts(pairs, lambda pair: pair.faulty)
        for program in programs(pair.fault, pair.source, texts, name=pair.name, raises=pair.raises)
    ]


def neighbours(pairs: Sequence[Pair]) -> list[Program]:
    """The same programs without their faults."""
    return [
        program
        for pair, texts in _texts(pairs, lambda pair: pair.healthy)
        for program in programs(None, f"trap: neighbour of {pair.fault}", texts,
                                name=f"healthy/neighbours/{pair.name}", course=pair.course)
    ]  # fmt: skip


def norm(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """Batch normalisation for inside the network."""
    return (("BatchNorm1d", "32") if recipe.arch == "mlp" else ("BatchNorm2d", "8"),)


def held_out(recipe: Recipe) -> Changes:
    """Images that are not trained on."""
    return {"more_data": HELD_OUT[recipe.frame.feed], "n": 256}


def _texts(pairs: Sequence[Pair], half: Callable[[Pair], Changes]) -> Iterator[tuple[Pair, list[str]]]:
    for start, pair in enumerate(pairs):

        def make(recipe: Recipe, i: int, pair: Pair = pair) -> Recipe:
            both = pair.both(recipe) if callable(pair.both) else pair.both
            return recipe.but(**{"n": 192, **both, **half(pair)})

        yield pair, spread(make, layouts=pair.layouts, start=start, count=3 if pair.sort else 4)
