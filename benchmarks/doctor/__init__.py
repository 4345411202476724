"""Does the loop doctor name the cause? A corpus of small programs, faulty and healthy, and the score it gives.

    make bench-doctor                                     every program, a table by fault
    python -m benchmarks.doctor --only missing-step       the programs of one fault, or of one trap
    python -m benchmarks.doctor --show missing-step/3     the text of one program and the doctor's report
    make catalogue                                        docs/doctor: a page for each fault, with a program

The programs were written for this corpus, without a look at the doctor's code; tests try one or two of each kind. What
a healthy program is taken for stands in ``TRAPS`` or its id, what the doctor misses in ``MISSED``. The kinds of fault
follow public reports, which ``wild`` and ``reports`` name, and published taxonomies. No code was copied:

- Humbatova, Jahangirova, Bavota, Riccio, Stocco, Tonella (2020): Taxonomy of Real Faults in Deep Learning Systems,
  ICSE. Faults of model, tensors and inputs, training, GPU usage and API, found in issues and interviews.
- Schoop, Huang, Hartmann (2021): UMLAUT: Debugging Deep Learning Programs using Program Structure and Model
  Behavior, CHI. Heuristics on data, learning rate, activation and loss.
- Jiang, Zhou, Xu, Liu, Xu, Huang (2025): Training with Confidence: Catching Silent Errors in Deep Learning Training
  with Automated Proactive Checks (TrainCheck), OSDI. Invariants of a training step.
- PYSIASSIST: static checks of PyTorch programs for calls that are missing.
"""

from benchmarks.doctor.corpus import corpus, sample
from benchmarks.doctor.program import Program, perform

__all__ = ["Program", "corpus", "perform", "sample"]
