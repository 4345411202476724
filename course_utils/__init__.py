"""What the course on PyTorch optimizers is built from: the model, the data, the loop, and what makes them visible.

A module answers one question and imports only modules of lower floors:

    floor 4  checks, apps                      is my answer right, and what can I play with?
    floor 3  watch, doctor                     how is the run doing, and why does it not learn?
    floor 2  training                          the loop
    floor 1  data, model, descent, curvature   which images, which network, which path, how curved?
             catalog, plots                    what is in torch.optim, and how do numbers look?
    floor 0  algorithms, optim, schedules, surfaces, seeding, devices, reading
             arguments                         is this argument one? The door of every room, on all floors

Nothing is imported here, so that `import course_utils` costs nothing; say `from course_utils.training import train`.
"""
