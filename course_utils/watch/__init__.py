"""How is the run doing? Observers of a training, each a filter over its records.

An observer takes the records of ``train`` and yields the same records, unchanged and in order; on the way it draws,
listens or keeps. Observers nest, and the outermost sees a record last:

    for step in interruptible(live_plot(progress(train(run, loader, epochs=5)))):
        ...

``views`` show the run, ``interrupts`` end it between two steps, ``keeping`` sees that nothing of it is lost.
"""

from course_utils.watch.interrupts import interruptible
from course_utils.watch.keeping import DivergedError, checkpointed, stop_when_diverged
from course_utils.watch.views import live_plot, progress

__all__ = ["DivergedError", "checkpointed", "interruptible", "live_plot", "progress", "stop_when_diverged"]
