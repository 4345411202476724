"""What in torch is hooked or replaced? Everything is registered on one ExitStack, which undoes it all."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from course_utils.doctor.probes import replacements

__all__ = ["install", "watched_attributes"]

Tell = Callable[..., None]


def install(stack: ExitStack, tell: Tell) -> None:
    """Observe torch until ``stack`` is closed; ``tell(event, *facts)`` is called for each event."""
    for handle in _hooks(tell):
        stack.callback(handle.remove)
    for owner, name, make in replacements.replaced():
        _replace(stack, owner, name, make(getattr(owner, name), tell))


def watched_attributes() -> dict[str, Any]:
    """Everything that ``install`` replaces, by name, as it is now: to prove that it is restored."""
    return {f"{owner.__name__}.{name}": vars(owner).get(name) for owner, name, _ in replacements.replaced()}


def _hooks(tell: Tell) -> list[Any]:
    def forward_begins(module: Any, args: Any) -> None:
        tell("forward_begins", module, args)

    def forward_ended(module: Any, args: Any, output: Any) -> None:
        tell("forward_ended", module, args, output)

    def step_begins(optimizer: Any, args: Any, kwargs: Any) -> None:
        tell("step_begins", optimizer)

    def step_ended(optimizer: Any, args: Any, kwargs: Any) -> None:
        tell("step_ended", optimizer)

    return [
        register_module_forward_pre_hook(forward_begins),
        register_module_forward_hook(forward_ended, always_call=True),
        register_optimizer_step_pre_hook(step_begins),
        register_optimizer_step_post_hook(step_ended),
    ]


def _replace(stack: ExitStack, owner: Any, name: str, wrapper: Any) -> None:
    original = vars(owner)[name]
    setattr(owner, name, wrapper)

    def restore() -> None:
        # Whoever replaced our wrapper meanwhile keeps his own; ours does nothing without observers.
        if vars(owner).get(name) is wrapper:
            setattr(owner, name, original)

    stack.callback(restore)
