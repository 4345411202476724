"""What does a diagnosis stand on? What was looked at in a block, and what it gave no ground to judge."""

from course_utils.doctor.recording import Recording

__all__ = ["judged", "not_judged"]

_FEW = 10  # updates that say little about where a loss goes


def judged(recording: Recording) -> tuple[str, ...]:
    """What was seen, and therefore judged."""
    grounds = (
        ("the order of the step", recording.updates),
        ("the loss function and its labels", recording.heads),
        ("parameters and optimizer", recording.optimizers),
        ("the schedule", recording.schedulers),
        ("losses and gradients", recording.updates),
        ("memory", recording.survivors),
        ("measuring", _measured(recording)),
        ("data", recording.sources or recording.overlap or recording.forwards),
    )
    tried = () if recording.probed is None else recording.probed.made
    return (*(name for name, ground in grounds if ground), *tried)


def not_judged(recording: Recording) -> tuple[str, ...]:
    """What could not be judged, each with its reason."""
    reasons = (
        (not _measured(recording), "measuring, for the model was not called without learning from it"),
        (not recording.heads, "the loss function, for none of torch's own was called"),
        (not recording.sources, "the loader, for no DataLoader was read"),
        (0 < len(recording.updates) < _FEW, f"whether the loss falls, for fewer than {_FEW} steps were seen"),
        (not recording.complete, "what came after the observed steps"),
    )
    skipped = () if recording.probed is None else recording.probed.skipped
    if recording.probed is not None and not recording.updates:  # no loop was watched
        return skipped
    return (*(said for holds, said in reasons if holds), *skipped)


def _measured(recording: Recording) -> bool:
    return any(f.after_first_backward and not f.learned_from for f in recording.forwards)
