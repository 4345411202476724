"""How is a measured number reported? In a line of its own, with the goal beside it and whether it is met."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """One measured number with its goal."""

    what: str
    value: float
    unit: str
    goal: float
    at_least: bool = False  #: the goal is a lower bound, not an upper one

    def __str__(self) -> str:
        met = self.value >= self.goal if self.at_least else self.value <= self.goal
        bound = "at least" if self.at_least else "at most"
        number = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"{self.what:62} {number:>8} {self.unit:3} goal {bound} {self.goal:g}  {'met' if met else 'MISSED'}"
