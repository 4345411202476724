"""What in torch is hooked or replaced? Everything is registered on one ExitStack, which undoes it all."""

from contextlib import ExitStack
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from course_utils.doctor import events
from course_utils.doctor.probes.replacements import Tell, Wanted, replaced

__all__ = ["install", "watched_attributes"]


def install(stack: ExitStack, tell: Tell, wanted: Wanted) -> None:
    """Observe torch until ``stack`` is closed; ``tell`` hears of each event.

    ``wanted`` says of a model that is called from outside whether what happens inside that call is to be told, too.
    """
    for handle in _hooks(tell):
        stack.callback(handle.remove)
    for owner, name, make in replaced(wanted):
        _replace(stack, owner, name, make(getattr(owner, name), tell))


def watched_attributes() -> dict[str, Any]:
    """Everything that ``install`` replaces, by name, as it is now: to prove that it is restored."""
    return {f"{owner.__name__}.{name}": vars(owner).get(name) for owner, name, _ in replaced(lambda _: False)}


def _hooks(tell: Tell) -> list[Any]:
    return [
        register_optimizer_step_pre_hook(lambda optimizer, *_: tell(events.StepBegins(optimizer))),
        register_optimizer_step_post_hook(lambda optimizer, *_: tell(events.StepEnded(optimizer))),
    ]


def _replace(stack: ExitStack, owner: Any, name: str, wrapper: Any) -> None:
    inherited, original = name not in vars(owner), getattr(owner, name)
    setattr(owner, name, wrapper)

    def restore() -> None:
        # Whoever replaced our wrapper meanwhile keeps his own; ours does nothing without observers.
        if vars(owner).get(name) is not wrapper:
            return
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)

    stack.callback(restore)
