"""Which exception has ended the training, and what does it mean?"""

import re

from course_utils.doctor.recording import Recording
from course_utils.doctor.rule import Evidence, rule

# What torch says, what that means, and the cure.
_SAID = (
    (
        r"backward through the graph a second time",
        "A graph is gone through twice: something computed in an earlier step is used again.",
        "hidden = hidden.detach()          # what is carried from step to step: its numbers, without its graph\n"
        "loss = loss_fn(model(x), y)       # computed anew for every backward pass",
    ),
    (
        r"modified by an inplace operation",
        "A tensor that the backward pass needs was changed in place after it was used.",
        "x = x + 1                # not x += 1 and not x[:, 0] = 1 between forward and backward\n"
        "loss.backward()          # all backward passes before the optimizer's step",
    ),
    (
        r"on the same device|device type|is on (cpu|cuda)",
        "Tensors of two devices meet.",
        "model.to(device)                              # before the optimizer is made\n"
        "x, y = x.to(device), y.to(device)             # in every step",
    ),
    (
        r"same dtype|expected scalar type|must have the same dtype|Found dtype",
        "Tensors of two types meet.",
        "x = x.float()            # float32, as the weights; torch.from_numpy gives float64",
    ),
    (
        r"shapes cannot be multiplied|size of tensor|must match|expected input|Expected \\d|invalid for input of size|"
        r"batch_size|Sizes of tensors",
        "Shapes do not fit.",
        "print(x.shape)                       # in forward, before the layer that refuses it\n"
        "x = x.flatten(1)                     # (batch, channels, height, width) to (batch, features)",
    ),
    (
        r"out of memory",
        "The memory is full.",
        "loader = DataLoader(data, batch_size=16)      # smaller batches; and no tensor kept with its graph",
    ),
)


@rule(
    title="An exception has ended the training.",
    why="Nothing after it was run, and what was trained until then is all there is.",
    fix="",
    lesson="02_one_epoch.ipynb, section 6",
)
def stopped_by_an_error(recording: Recording) -> Evidence | None:
    """The block, or its last backward pass, ended with an error of torch whose meaning is known."""
    stop = recording.stop
    failure = recording.backwards[-1].failure if recording.backwards else ""
    message = stop.message if stop is not None and stop.kind in ("RuntimeError", "OutOfMemoryError") else failure
    for pattern, title, fix in _SAID:
        if message and re.search(pattern, message):
            strip = f"; order of calls: {recording.strip}" if recording.strip else ""
            return Evidence(f"torch said: {message}{strip}", title=title, fix=fix)
    return None
