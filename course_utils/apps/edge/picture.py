"""How does a training at the edge look where nobody can play? One figure, drawn by matplotlib from a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_utils.apps.edge.network import Trained

if TYPE_CHECKING:
    from course_utils.plots import Figure

__all__ = ["render"]


def render(run: Trained, *, lr: float, momentum: float, limit: float) -> Figure:
    """The sharpness of a training, and the line above which its steps would grow on a quadratic."""
    from course_utils import plots

    steps = len(run.losses)
    about = f"lr {lr:g}" + (f", momentum {momentum:g}" if momentum else "")
    formula = "2 (1 + momentum) / lr" if momentum else "2 / lr"
    return plots.line_plot(
        {"sharpness": run.sharpness},
        x=run.steps,
        title=f"Sharpness in {steps:,} steps at {about}; loss {run.losses[0]:.2f} to {run.losses[-1]:.2f}",
        xlabel="step (updates)",
        ylabel="largest eigenvalue of the Hessian",
        references={f"{formula} = {limit:.3g}": limit},
    )
