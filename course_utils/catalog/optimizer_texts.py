"""What does a person say about each optimizer and its parameters?

Names and defaults are not repeated here: they come from the installed torch. `gaps()` finds what is missing or left
over. In the formulas w is a weight, g its gradient, v the momentum buffer.
"""

from collections.abc import Mapping

from course_utils.algorithms import ALGORITHMS
from course_utils.catalog.records import Note, Notes, OptimizerText, Paper

__all__ = ["OPTIMIZER_NOTES", "OPTIMIZER_TEXTS"]

ADAM_PAPER = Paper(
    "D. P. Kingma, J. Ba",
    "Adam: A Method for Stochastic Optimization",
    "ICLR 2015",
    2014,
    "https://arxiv.org/abs/1412.6980",
)

# What a parameter means wherever it appears, unless an optimizer has a note of its own further down.
OPTIMIZER_NOTES: Notes = {
    "params": Note(
        "The tensors it may change. Usually model.parameters(); a list of dicts gives each group its own lr and so on."
    ),
    "lr": Note(
        "How far one step goes. The first thing to tune: too small learns slowly, too large diverges.",
        (1e-4, 1e-3, 1e-2, 1e-1),
    ),
    "momentum": Note(
        "How much of the previous step is kept. v ← momentum·v + g, then w ← w − lr·v: with 0.9 a steady gradient "
        "ends in steps 1/(1 − 0.9) = 10 times as long, so lower lr when you raise it.",
        (0.0, 0.5, 0.9, 0.99),
    ),
    "nesterov": Note(
        "Looks ahead along the momentum. Steps along g + momentum·v, which brakes earlier before a rise; needs "
        "momentum > 0 and dampening = 0.",
        (False, True),
    ),
    "weight_decay": Note(
        "Pulls every weight towards zero. Adds weight_decay·w to the gradient (an L2 penalty), so whatever the "
        "optimizer does to gradients, such as rescaling, it does to the pull as well.",
        (0.0, 1e-4, 1e-3, 1e-2),
    ),
    "decoupled_weight_decay": Note(
        "Decays weights as AdamW does. Shrinks them by lr·weight_decay directly and leaves the gradient alone.",
        (False, True),
    ),
    "betas": Note(
        "How long the two averages remember. The first, of gradients, spans about 1/(1 − 0.9) = 10 steps; the second, "
        "of squared gradients, 1/(1 − 0.999) = 1000. A second of 0.95 follows changes faster.",
        ((0.0, 0.999), (0.9, 0.95), (0.9, 0.999)),
    ),
    "eps": Note(
        "Keeps a division away from zero. Added to the square root below the fraction; a large one turns the "
        "rescaling off where gradients are small.",
        (1e-10, 1e-8, 1e-4, 1e-1),
    ),
    "amsgrad": Note(
        "Divides by the largest average so far. The scale of a weight then never grows back, a repair of Adam's "
        "proof (Reddi, Kale, Kumar: On the Convergence of Adam and Beyond. ICLR 2018).",
        (False, True),
    ),
    "maximize": Note("Climbs instead of descending. Follows +g: for rewards and likelihoods.", (False, True)),
    "foreach": Note(
        "Updates all tensors in one call. Faster on a GPU for some more memory, same result; None lets torch choose."
    ),
    "fused": Note("Does the whole update in one kernel. The fastest way where the device has it; None leaves it off."),
    "capturable": Note("Lets a CUDA graph record the step. Keeps step counters on the device; leave it off otherwise."),
    "differentiable": Note("Lets autograd run through the step. For meta-learning, which learns through updates."),
}

_DECOUPLED = Note(
    "Pulls every weight towards zero. Shrinks it by lr·weight_decay before the step, apart from the gradient, so no "
    "rescaling weakens the pull (decoupled).",
    (0.0, 1e-3, 1e-2, 1e-1),
)

OPTIMIZER_TEXTS: Mapping[str, OptimizerText] = {
    "SGD": OptimizerText(
        adds=ALGORITHMS["SGD"].words,
        when_to_use="The first baseline. With momentum=0.9 and an lr schedule it is still hard to beat on image "
        "classifiers; with it SGD keeps one number a weight, without it none.",
        paper=Paper(
            "H. Robbins, S. Monro",
            "A Stochastic Approximation Method",
            "Annals of Mathematical Statistics 22(3), 1951",
            1951,
            "https://doi.org/10.1214/aoms/1177729586",
        ),
        own={
            "lr": Note(
                "How far one step goes. The step is lr·g, so the right lr depends on the size of the gradients: try "
                "powers of ten. Too small learns slowly, too large diverges.",
                (1e-3, 1e-2, 1e-1, 1.0),
            ),
            "dampening": Note(
                "How much of the new gradient is left out. v ← momentum·v + (1 − dampening)·g from the second step "
                "on; dampening = momentum makes v an average of gradients.",
                (0.0, 0.5, 0.9),
            ),
        },
    ),
    "LBFGS": OptimizerText(
        adds="curvature, estimated from the last steps (quasi-Newton)",
        when_to_use="Small smooth problems with all data in one batch: curve fitting, physics-informed networks. Its "
        "step() needs a closure that recomputes the loss; noise between batches misleads it.",
        paper=Paper(
            "J. Nocedal",
            "Updating Quasi-Newton Matrices with Limited Storage",
            "Mathematics of Computation 35(151), 1980",
            1980,
            "https://doi.org/10.1090/S0025-5718-1980-0572855-7",
        ),
        own={
            "lr": Note("How much of each Newton step is taken. Keep 1 with a line search.", (0.1, 0.5, 1.0)),
            "max_iter": Note("Most inner iterations per step(). One call is many updates.", (1, 5, 20, 100)),
            "max_eval": Note("Most loss evaluations per step(). None means 1.25·max_iter."),
            "tolerance_grad": Note("Stops once the largest gradient is below this. Ends the call, not the training."),
            "tolerance_change": Note("Stops once loss or weights change less than this. Ends the call."),
            "history_size": Note(
                "How many past steps shape the curvature. Each costs two copies of the weights.", (5, 10, 100)
            ),
            "line_search_fn": Note(
                "Searches for a good step length. 'strong_wolfe' makes it far more robust; None always uses lr.",
                (None, "strong_wolfe"),
            ),
        },
    ),
    "ASGD": OptimizerText(
        adds="the average of the weights along the way",
        when_to_use="Convex problems with noisy gradients. The average waits in optimizer.state[p]['ax'] and starts "
        "only at step t0; the model keeps the last weights. For networks see torch.optim.swa_utils.",
        paper=Paper(
            "B. T. Polyak, A. B. Juditsky",
            "Acceleration of Stochastic Approximation by Averaging",
            "SIAM Journal on Control and Optimization 30(4), 1992",
            1992,
            "https://doi.org/10.1137/0330046",
        ),
        builds_on=("SGD",),
        own={
            "lambd": Note(
                "Decay of the weights and of lr. Each step multiplies w by 1 − lambd·eta, and "
                "eta = lr / (1 + lambd·lr·step)^alpha.",
                (0.0, 1e-4, 1e-2),
            ),
            "alpha": Note("How fast lr falls. The power in eta, see lambd.", (0.5, 0.75, 1.0)),
            "t0": Note(
                "The step at which averaging begins. The default is a million steps: lower it or nothing is averaged.",
                (0.0, 1e2, 1e4, 1e6),
            ),
        },
    ),
    "Rprop": OptimizerText(
        adds="one step size per weight, from the sign of the gradient alone",
        when_to_use="Training on all data at once. With batches the sign flips by chance and the step sizes collapse: "
        "use RMSprop.",
        paper=Paper(
            "M. Riedmiller, H. Braun",
            "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
            "IEEE International Conference on Neural Networks, 1993",
            1993,
            "https://doi.org/10.1109/ICNN.1993.298623",
        ),
        own={
            "lr": Note("The first step size of every weight. The rule adapts it from there.", (1e-3, 1e-2, 1e-1)),
            "etas": Note(
                "Factors by which a step size shrinks or grows. The first after the sign of the gradient flipped, "
                "the second while it stays.",
                ((0.5, 1.1), (0.5, 1.2), (0.8, 1.2)),
            ),
            "step_sizes": Note("The smallest and the largest step allowed.", ((1e-6, 1.0), (1e-6, 50.0))),
        },
    ),
    "Adagrad": OptimizerText(
        adds=ALGORITHMS["Adagrad"].words,
        when_to_use="Sparse features such as word counts, where rare weights need large steps. The sum below the "
        "fraction only grows, so on long runs the steps die out.",
        paper=Paper(
            "J. Duchi, E. Hazan, Y. Singer",
            "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
            "Journal of Machine Learning Research 12, 2011",
            2011,
            "https://jmlr.org/papers/v12/duchi11a.html",
        ),
        builds_on=("SGD",),
        own={
            "lr_decay": Note(
                "Lets lr itself fall as well. The step uses lr / (1 + (step − 1)·lr_decay).", (0.0, 1e-4, 1e-2)
            ),
            "initial_accumulator_value": Note(
                "Where the sum of squared gradients starts. Above zero it softens the large first steps.",
                (0.0, 0.1, 1.0),
            ),
        },
    ),
    "Adadelta": OptimizerText(
        adds="forgetting, and steps sized by past steps",
        when_to_use="When you would rather not choose an lr. Mostly of historical interest; Adam took its place.",
        paper=Paper(
            "M. D. Zeiler",
            "ADADELTA: An Adaptive Learning Rate Method",
            "arXiv:1212.5701, 2012",
            2012,
            "https://arxiv.org/abs/1212.5701",
        ),
        builds_on=("Adagrad",),
        own={
            "lr": Note(
                "Scales a step that already has the right size. The paper has none, that is 1.", (0.1, 1.0, 10.0)
            ),
            "rho": Note(
                "How long past gradients and steps are remembered. The averages span about 1/(1 − rho) steps.",
                (0.5, 0.9, 0.99),
            ),
            "eps": Note(
                "Sets the size of the very first steps. It stands in both square roots, and the upper average starts "
                "at zero.",
                (1e-8, 1e-6, 1e-4),
            ),
        },
    ),
    "RMSprop": OptimizerText(
        adds=ALGORITHMS["RMSprop"].words,
        when_to_use="Recurrent networks and reinforcement learning, where the size of gradients keeps changing.",
        paper=Paper(
            "T. Tieleman, G. Hinton",
            "Lecture 6.5-rmsprop: Divide the gradient by a running average of its recent magnitude",
            "COURSERA: Neural Networks for Machine Learning, 2012",
            2012,
            "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
        ),
        builds_on=("Rprop", "Adagrad"),
        own={
            "momentum": Note(
                "How much of the previous step is kept. As in SGD, but of rescaled gradients.", (0.0, 0.5, 0.9)
            ),
            "alpha": Note(
                "How long squared gradients are remembered. The average spans about 1/(1 − 0.99) = 100 steps.",
                (0.9, 0.99, 0.999),
            ),
            "centered": Note(
                "Divides by the spread instead of the size. Subtracts the squared mean gradient below the root "
                "(Graves: Generating Sequences With Recurrent Neural Networks. arXiv:1308.0850, 2013).",
                (False, True),
            ),
        },
    ),
    "Adam": OptimizerText(
        adds=ALGORITHMS["Adam"].words,
        when_to_use="The first try on almost any network: it works with little tuning of lr. With weight decay take "
        "AdamW.",
        paper=ADAM_PAPER,
        builds_on=("SGD", "RMSprop"),
    ),
    "Adamax": OptimizerText(
        adds="Adam scaled by the largest recent gradient",
        when_to_use="Seldom needed. After a rare huge gradient its steps are not longer, but shorter for a long time.",
        paper=ADAM_PAPER,
        builds_on=("Adam",),
        own={
            "betas": Note(
                "How long the average and the maximum remember. The second fades the largest gradient seen, by 0.1 % "
                "a step at 0.999.",
                ((0.9, 0.95), (0.9, 0.999)),
            ),
            "eps": Note("Keeps a division away from zero. Added to |g| before the maximum is taken.", (1e-8, 1e-4)),
        },
    ),
    "SparseAdam": OptimizerText(
        adds="Adam that touches only the rows that have a gradient",
        when_to_use="nn.Embedding(sparse=True) with a huge vocabulary; accepts sparse gradients only. The paper is "
        "Adam's: the shortcut is PyTorch's own.",
        paper=ADAM_PAPER,
        builds_on=("Adam",),
    ),
    "NAdam": OptimizerText(
        adds="Adam that looks ahead as Nesterov does",
        when_to_use="In place of Adam; often a little faster at the start, seldom decisive.",
        paper=Paper(
            "T. Dozat",
            "Incorporating Nesterov Momentum into Adam",
            "ICLR 2016 Workshop",
            2016,
            "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
        ),
        builds_on=("Adam", "SGD"),
        own={
            "momentum_decay": Note(
                "How fast its momentum warms up. At step t it is betas[0]·(1 − 0.96^(t·momentum_decay) / 2): half of "
                "betas[0] at first.",
                (1e-3, 4e-3, 1e-1),
            ),
        },
    ),
    "AdamW": OptimizerText(
        adds=ALGORITHMS["AdamW"].words,
        when_to_use="The usual choice for transformers and for most new networks; whenever Adam would get a weight "
        "decay.",
        paper=Paper(
            "I. Loshchilov, F. Hutter",
            "Decoupled Weight Decay Regularization",
            "ICLR 2019",
            2017,
            "https://arxiv.org/abs/1711.05101",
        ),
        builds_on=("Adam",),
        own={"weight_decay": _DECOUPLED},
    ),
    "Adafactor": OptimizerText(
        adds="squared gradients kept as row and column averages only",
        when_to_use="Models so large that Adam's two buffers per weight do not fit into memory.",
        paper=Paper(
            "N. Shazeer, M. Stern",
            "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost",
            "ICML 2018",
            2018,
            "https://arxiv.org/abs/1804.04235",
        ),
        builds_on=("Adam",),
        own={
            "lr": Note(
                "The largest step relative to the size of the weights. Falls as 1/√step once that is smaller.",
                (1e-3, 1e-2, 1e-1),
            ),
            "beta2_decay": Note(
                "How the memory of squared gradients grows. At step t the average keeps 1 − t^beta2_decay of itself.",
                (-1.0, -0.8, -0.5),
            ),
            "eps": Note(
                "Two floors. The first below the fraction (None: the precision of the dtype), the second for the "
                "size of the weights, so that zero weights can move.",
                ((None, 1e-3), (None, 1e-2)),
            ),
            "d": Note("Clips a step whose root mean square exceeds this. Larger clips less.", (1.0, 2.0, 10.0)),
            "weight_decay": _DECOUPLED,
            "foreach": Note("Updates all tensors in one call. Off unless True: it costs the memory you came to save."),
        },
    ),
    "RAdam": OptimizerText(
        adds="small first steps until Adam's average can be trusted",
        when_to_use="When Adam diverges at the start and you want no warm-up schedule.",
        paper=Paper(
            "L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao, J. Han",
            "On the Variance of the Adaptive Learning Rate and Beyond",
            "ICLR 2020",
            2019,
            "https://arxiv.org/abs/1908.03265",
        ),
        builds_on=("Adam",),
    ),
    "Muon": OptimizerText(
        adds="momentum made orthogonal: every direction counts alike",
        when_to_use="Weight matrices of hidden layers (2-D only), beside an AdamW for biases, embeddings, "
        "convolutions and the last layer.",
        paper=Paper(
            "K. Jordan, Y. Jin, V. Boza, J. You, F. Cesista, L. Newhouse, J. Bernstein",
            "Muon: An optimizer for hidden layers in neural networks",
            "Blog post, 2024",
            2024,
            "https://kellerjordan.github.io/posts/muon/",
        ),
        builds_on=("SGD",),
        own={
            "lr": Note(
                "How far one step goes. Every step has the same size whatever the gradient; see adjust_lr_fn.",
                (1e-3, 1e-2, 1e-1),
            ),
            "weight_decay": _DECOUPLED,
            "momentum": Note(
                "How much of the previous direction is kept. An average here: v ← momentum·v + (1 − momentum)·g; its "
                "scale does not matter, because the step is orthogonalized.",
                (0.0, 0.9, 0.95, 0.99),
            ),
            "nesterov": Note(
                "Looks ahead along the momentum. Mixes the newest gradient into v once more.", (False, True)
            ),
            "ns_coefficients": Note("The polynomial that orthogonalizes. Tuned by the authors for few iterations."),
            "eps": Note("Keeps a division away from zero. Used when the matrix is scaled to norm 1.", (1e-8, 1e-7)),
            "ns_steps": Note("How many times the polynomial is applied. More is closer to orthogonal.", (1, 3, 5, 10)),
            "adjust_lr_fn": Note(
                "Adapts lr to the shape of a matrix. 'match_rms_adamw' lets you reuse the lr of an AdamW; None means "
                "'original'.",
                ("original", "match_rms_adamw", "spectral_unclamped"),
            ),
        },
    ),
}
