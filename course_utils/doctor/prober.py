"""When is a model tried out in a loop? At its first loss: with the batch of the call before it, on copies."""

from typing import Any

import torch
from torch import Tensor, nn

from course_utils.doctor import events
from course_utils.doctor.copies import Unable, aside, copied, random_state, restore_random, tensors_in
from course_utils.doctor.experiments import Batch, probe
from course_utils.doctor.models import has_parameters
from course_utils.doctor.recording import Probed
from course_utils.doctor.values import first_line, readable

__all__ = ["Prober"]


class Prober:
    """A listener that tries out the first model from whose output a loss is computed, and then hears no more."""

    def __init__(self) -> None:
        self.open = True
        self.probed = Probed(skipped=("experiments on copies, for no loss of torch's own was computed",))
        self._random: list[Tensor] = []
        self._call: tuple[nn.Module, tuple[Any, ...], Tensor] | None = None

    def hear(self, event: events.Event) -> None:
        """Follow the calls until the first loss."""
        if isinstance(event, events.ForwardBegins):
            if event.outermost and has_parameters(event.module):
                self._random = random_state()
        elif isinstance(event, events.ForwardEnded):
            self._forward_ended(event)
        elif isinstance(event, events.LossComputed) and event.output.requires_grad and self._call is not None:
            self.open = False
            self._probe(*self._call, event.target)
            self._call = None

    def looks_inside(self, _: nn.Module) -> bool:
        """It does not."""
        return False

    def stumbled(self, error: Exception) -> None:
        """An error in the experiments themselves."""
        self.open, self._call = False, None
        said = f"{type(error).__name__}: {first_line(error)}"
        self.probed = Probed(skipped=(f"experiments on copies, for they failed ({said})",))

    def _forward_ended(self, event: events.ForwardEnded) -> None:
        if not event.outermost or not has_parameters(event.module):
            return
        outputs = tensors_in(event.output)
        if outputs and outputs[0].requires_grad:
            self._call = event.module, event.args, outputs[0].detach()

    def _probe(self, model: nn.Module, args: tuple[Any, ...], output: Tensor, target: Tensor) -> None:
        inputs = args[0].detach() if args and isinstance(args[0], Tensor) and readable(args[0]) else torch.empty(0)
        try:
            if len(args) != 1 or not inputs.numel():
                raise Unable("the model is not called with one tensor alone")
            self._require_same_answer(model, inputs, output)
        except Unable as reason:
            self.probed = Probed(skipped=(f"experiments on copies, for {reason}",))
        else:
            self.probed = probe(model, Batch(inputs, _as_inputs(target.detach(), inputs)))

    def _require_same_answer(self, model: nn.Module, inputs: Tensor, output: Tensor) -> None:
        """The copy must answer as the model did, or something else than ``inputs`` went into it."""
        with aside(), torch.no_grad():
            restore_random(self._random)
            again = tensors_in(copied(model)(inputs.clone()))[0]
        if again.shape != output.shape or not torch.allclose(again, output, rtol=1e-3, atol=1e-4, equal_nan=True):
            raise Unable("a copy answers otherwise: something else than its one input goes into the model")


def _as_inputs(target: Tensor, inputs: Tensor) -> Tensor:
    """Targets that a loop has flattened, in the shape of their samples and positions again."""
    places = inputs.shape[:2]
    flat = target.dim() == 1 and inputs.dim() >= 2 and len(target) != len(inputs)
    return target.reshape(places) if flat and target.numel() == places.numel() else target
