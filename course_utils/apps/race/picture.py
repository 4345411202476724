"""How does a race look where nobody can play? One figure, drawn by matplotlib from the state alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_utils.apps.race.state import RaceState, paths_of, surface_of

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["render"]


def render(state: RaceState) -> Figure:
    """The surface, and the path of every optimizer that races; the legend tells how each of them ended."""
    from course_utils import plots

    named = {f"{name}, lr {state.lr[name]:.3g}": path for name, path in paths_of(state).items()}
    count = len(named)
    title = f"A race of {count} optimizer{'s' * (count != 1)}, {state.steps} step{'s' * (state.steps != 1)}"
    return plots.surface_paths(surface_of(state.surface, state.condition_number), named, title=title)
