"""What does a person say about each learning rate scheduler and its parameters?

Names and defaults are not repeated here: they come from the installed torch. `gaps()` finds what is missing or left
over. Every sample and every list of values suits a schedule of 30 calls of ``step()``; "call" below means that call.
"""

from collections.abc import Mapping

from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from course_utils.catalog.records import Note, Notes, Paper, SchedulerText

__all__ = ["SCHEDULER_NOTES", "SCHEDULER_TEXTS"]

SGDR_PAPER = Paper(
    "I. Loshchilov, F. Hutter",
    "SGDR: Stochastic Gradient Descent with Warm Restarts",
    "ICLR 2017",
    2016,
    "https://arxiv.org/abs/1608.03983",
)

# What a parameter means wherever it appears, unless a scheduler has a note of its own further down.
SCHEDULER_NOTES: Notes = {
    "optimizer": Note("The optimizer whose lr it sets. Create it first; its lr is the starting point."),
    "last_epoch": Note(
        "The number of the last call, when resuming. −1 starts afresh; to resume, load the scheduler's state_dict."
    ),
    "gamma": Note("The factor of each drop. 0.1 divides lr by ten.", (0.1, 0.3, 0.5, 0.9)),
    "total_iters": Note("After how many calls the change is over.", (5, 10, 20, 30)),
    "factor": Note("What lr is multiplied by. Below 1 it lowers lr.", (0.1, 1 / 3, 0.5)),
    "eta_min": Note("The lr at the bottom of the curve. An absolute value, not a factor.", (0.0, 1e-4, 1e-3, 1e-2)),
    "milestones": Note(
        "The calls at which something changes. Counted from the start, increasing.", ([10, 20], [15, 25], [20])
    ),
    "schedulers": Note("The schedulers to combine. Made beforehand, all for the same optimizer."),
    "cycle_momentum": Note(
        "Moves momentum against lr. Needs an optimizer with momentum or betas; high lr goes with low momentum.",
        (False, True),
    ),
    "base_momentum": Note("The momentum at the highest lr.", (0.8, 0.85, 0.9)),
    "max_momentum": Note("The momentum at the lowest lr.", (0.9, 0.95, 0.99)),
    "lr_lambda": Note(
        "Your function from the number of calls to a factor of the first lr. A list has one function a parameter group."
    ),
}

SCHEDULER_TEXTS: Mapping[str, SchedulerText] = {
    "ConstantLR": SchedulerText(
        does="A smaller lr for the first calls, then the full lr at once.",
        cadence="either",
        reason="A warm-up of a few hundred batches or of a few epochs: total_iters counts the calls you make.",
        sample=lambda optimizer: ConstantLR(optimizer, factor=0.3, total_iters=10),
    ),
    "LinearLR": SchedulerText(
        does="A straight line from one factor of lr to another: a warm-up or a cool-down.",
        cadence="either",
        reason="A warm-up is smoother per batch, a long fade does as well per epoch: total_iters counts the calls.",
        sample=lambda optimizer: LinearLR(optimizer, start_factor=0.1, end_factor=1.0, total_iters=15),
        own={
            "start_factor": Note("The factor of lr at the first call.", (0.01, 0.1, 1 / 3, 1.0)),
            "end_factor": Note("The factor of lr once the line has ended.", (0.1, 0.5, 1.0)),
        },
    ),
    "StepLR": SchedulerText(
        does="A staircase: lr drops by a factor every step_size calls.",
        cadence="epoch",
        reason="Each stair should last for epochs. Called per batch with step_size=1, lr falls below 1e-7 of itself "
        "in eight batches and the model freezes.",
        sample=lambda optimizer: StepLR(optimizer, step_size=8, gamma=0.5),
        own={
            "step_size": Note(
                "How many calls one stair lasts. 30 means 30 epochs only if you call it per epoch.", (1, 5, 10, 30)
            )
        },
    ),
    "MultiStepLR": SchedulerText(
        does="A staircase with stairs of the lengths you choose.",
        cadence="epoch",
        reason="Milestones are usually given in epochs; called per batch, all of them pass within the first.",
        sample=lambda optimizer: MultiStepLR(optimizer, milestones=[12, 22], gamma=0.3),
    ),
    "ExponentialLR": SchedulerText(
        does="lr times the same factor at every call.",
        cadence="epoch",
        reason="0.9 per epoch is a gentle slope; 0.9 per batch leaves 7e-8 of lr after 156 batches.",
        sample=lambda optimizer: ExponentialLR(optimizer, gamma=0.9),
        own={"gamma": Note("The factor at each call. The closer to 1, the slower.", (0.5, 0.8, 0.9, 0.99))},
    ),
    "PolynomialLR": SchedulerText(
        does="Falls to zero along (1 − call / total_iters)^power.",
        cadence="either",
        reason="Give total_iters in the unit of your calls; per batch the curve is smooth.",
        sample=lambda optimizer: PolynomialLR(optimizer, total_iters=30, power=2.0),
        own={"power": Note("The shape of the fall. 1 is a straight line, 2 falls fast first.", (0.5, 1.0, 2.0, 3.0))},
    ),
    "CosineAnnealingLR": SchedulerText(
        does="Half a cosine wave from lr down to eta_min: gentle at both ends.",
        cadence="either",
        reason="T_max must be the number of calls you will make: epochs, or epochs times batches. Beyond it lr rises "
        "again.",
        sample=lambda optimizer: CosineAnnealingLR(optimizer, T_max=30),
        paper=SGDR_PAPER,
        own={"T_max": Note("The call at which lr reaches eta_min. Your total number of calls.", (10, 20, 30))},
    ),
    "CosineAnnealingWarmRestarts": SchedulerText(
        does="Cosine falls that jump back to the full lr, each T_mult times as long as the last.",
        cadence="either",
        reason="T_0 counts your calls. Per batch each fall is smooth; per epoch it is a short staircase.",
        sample=lambda optimizer: CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2),
        paper=SGDR_PAPER,
        own={
            "T_0": Note("How many calls until the first jump back.", (5, 10, 15)),
            "T_mult": Note("By what each fall is longer than the last. A whole number.", (1, 2, 3)),
        },
    ),
    "CyclicLR": SchedulerText(
        does="Up and down between two learning rates, again and again.",
        cadence="step",
        reason="Its lengths count batches; the defaults go up for 2000 calls, which no run has epochs for.",
        sample=lambda optimizer: CyclicLR(
            optimizer, base_lr=0.01, max_lr=0.1, step_size_up=5, mode="triangular2", cycle_momentum=False
        ),
        paper=Paper(
            "L. N. Smith",
            "Cyclical Learning Rates for Training Neural Networks",
            "WACV 2017",
            2015,
            "https://arxiv.org/abs/1506.01186",
        ),
        own={
            "base_lr": Note("The lowest lr. Replaces the lr of the optimizer.", (1e-4, 1e-3, 1e-2)),
            "max_lr": Note("The highest lr. Take it from an lr range test.", (1e-2, 1e-1, 1.0)),
            "step_size_up": Note("How many calls a rise lasts.", (3, 5, 10, 15)),
            "step_size_down": Note("How many calls a fall lasts. None means as long as the rise.", (3, 5, 10, 15)),
            "mode": Note(
                "What becomes of the peaks. 'triangular' keeps them, 'triangular2' halves them each cycle, "
                "'exp_range' multiplies by gamma each call.",
                ("triangular", "triangular2", "exp_range"),
            ),
            "gamma": Note("By what the peaks shrink each call. Only with mode='exp_range'.", (0.9, 0.95, 0.99, 1.0)),
            "scale_fn": Note("Your own function for the height of the peaks. Replaces mode."),
            "scale_mode": Note(
                "What scale_fn is given: the number of the cycle or of the call.", ("cycle", "iterations")
            ),
        },
    ),
    "OneCycleLR": SchedulerText(
        does="One rise to max_lr and one long fall to almost nothing, momentum the other way round.",
        cadence="step",
        reason="The rise and fall are planned for every batch of the run; one call more than total_steps is an error.",
        sample=lambda optimizer: OneCycleLR(optimizer, max_lr=0.1, total_steps=31, cycle_momentum=False),
        paper=Paper(
            "L. N. Smith, N. Topin",
            "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
            "SPIE 11006, 2019",
            2017,
            "https://arxiv.org/abs/1708.07120",
        ),
        own={
            "max_lr": Note(
                "The lr at the peak. Replaces the lr of the optimizer; may be ten times higher.", (1e-2, 1e-1, 1.0)
            ),
            "total_steps": Note("How many batches the whole run has. Or give epochs and steps_per_epoch.", (31, 100)),
            "epochs": Note("How many epochs the run has. Used with steps_per_epoch, in place of total_steps."),
            "steps_per_epoch": Note("How many batches an epoch has. That is len(loader)."),
            "pct_start": Note("Which part of the run rises. 0.3 is 30 %.", (0.1, 0.3, 0.5)),
            "anneal_strategy": Note("The shape of rise and fall.", ("cos", "linear")),
            "div_factor": Note("How far below the peak it starts. First lr = max_lr / div_factor.", (5.0, 10.0, 25.0)),
            "final_div_factor": Note(
                "How far below the start it ends. Last lr = first lr / final_div_factor.", (1.0, 100.0, 1e4)
            ),
            "three_phase": Note("Falls back to the first lr before it fades out. As in the paper.", (False, True)),
        },
    ),
    "ReduceLROnPlateau": SchedulerText(
        does="Lowers lr when a measured value has stopped improving.",
        cadence="epoch",
        reason="It needs a value that is worth comparing: step(validation_loss) once an epoch. The loss of single "
        "batches is too noisy.",
        sample=lambda optimizer: ReduceLROnPlateau(optimizer, factor=0.3, patience=3),
        own={
            "mode": Note("Whether better means lower or higher. 'max' for an accuracy.", ("min", "max")),
            "factor": Note("What lr is multiplied by at each drop.", (0.1, 0.3, 0.5)),
            "patience": Note("How many calls without improvement it forgives.", (0, 2, 5, 10)),
            "threshold": Note("How much better counts as better.", (0.0, 1e-4, 1e-2)),
            "threshold_mode": Note("Whether threshold is a fraction or an amount.", ("rel", "abs")),
            "cooldown": Note("How many calls it rests after a drop.", (0, 2, 5)),
            "min_lr": Note("lr never falls below this.", (0.0, 1e-4, 1e-3)),
            "eps": Note("Drops smaller than this are left out. It then stays at the lr it has."),
        },
    ),
    "LambdaLR": SchedulerText(
        does="lr is the first lr times any function of the number of calls.",
        cadence="either",
        reason="Your function decides what its argument means: count epochs or batches, but not both.",
        sample=lambda optimizer: LambdaLR(optimizer, lr_lambda=lambda call: min(1.0, (call + 1) / 5) / (1 + call / 10)),
    ),
    "MultiplicativeLR": SchedulerText(
        does="lr is multiplied by your function at each call, so the factors pile up.",
        cadence="either",
        reason="Each call multiplies once more: choose the factor for your number of calls.",
        sample=lambda optimizer: MultiplicativeLR(optimizer, lr_lambda=lambda call: 0.97 if call < 15 else 0.8),
        own={
            "lr_lambda": Note("Your function from the number of calls to a factor of the present lr."),
        },
    ),
    "SequentialLR": SchedulerText(
        does="One scheduler after the other, for instance a warm-up and then a decay.",
        cadence="either",
        reason="All of its parts share one cadence; milestones and parts count the same calls.",
        sample=lambda optimizer: SequentialLR(
            optimizer,
            [LinearLR(optimizer, start_factor=0.1, total_iters=6), CosineAnnealingLR(optimizer, T_max=24)],
            milestones=[6],
        ),
    ),
    "ChainedScheduler": SchedulerText(
        does="Several schedulers at the same time: their factors multiply.",
        cadence="either",
        reason="One call advances all of its parts, so they share one cadence.",
        sample=lambda optimizer: ChainedScheduler(
            [ConstantLR(optimizer, factor=0.3, total_iters=6), ExponentialLR(optimizer, gamma=0.93)], optimizer
        ),
        own={"optimizer": Note("The optimizer of the parts. None takes it from the first part.")},
    ),
}
