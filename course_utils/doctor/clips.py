"""How are gradients clipped? Counts clips, and those made while a GradScaler's factor was still in the gradients."""

from torch import Tensor

from course_utils.doctor.recording import Clipping

__all__ = ["Clips"]


class Clips:
    """The clips of the steps that are looked at closely."""

    def __init__(self) -> None:
        self._cut: list[Tensor] = []
        self._multiplied = False
        self._scaled = 0

    def scaled(self, multiplied: bool) -> None:
        """A ``GradScaler`` has multiplied a loss by its factor, or has divided the gradients by it again."""
        self._multiplied = multiplied

    def clipped(self, limit: float, norm: Tensor, *, measured: bool) -> None:
        """Gradients of length ``norm`` are about to be cut to ``limit`` at most; counted where it is ``measured``."""
        if measured:
            self._cut.append(norm.detach() > limit)
            self._scaled += self._multiplied

    def facts(self) -> Clipping:
        """The counts."""
        return Clipping(len(self._cut), sum(bool(cut) for cut in self._cut), self._scaled)
