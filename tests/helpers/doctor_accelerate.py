"""Loops with accelerate, healthy or with one known mistake, for the tests of the doctor."""

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from tests.helpers.doctor_programs import blobs


def loader(seed=0, *, shuffle=True):
    generator = torch.Generator().manual_seed(1)
    return DataLoader(TensorDataset(*blobs(256, seed=seed)), batch_size=16, shuffle=shuffle, generator=generator)


def prepared(*, lr=0.1, last=None, plan=None, held=None, **options):
    """An accelerator, and what its ``prepare`` makes of a model, its optimizer, its plan and its loader."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    accelerator = Accelerator(cpu=True, **options)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4), last or nn.Identity())
    optimizer = torch.optim.SGD((held(model) if held else model).parameters(), lr=lr)
    scheduler = (plan or (lambda o: StepLR(o, 100)))(optimizer)
    made = accelerator.prepare(model, optimizer, scheduler, loader())
    return accelerator, dict(zip(("model", "optimizer", "scheduler", "loader"), made, strict=True))


def train(*, per_batch=False, mode=True, clear=True, clip=0.0, **options):
    """The loop of accelerate's own introduction, with a measurement after each epoch."""
    accelerator, parts = prepared(**options)
    net, optimizer, scheduler, images = parts.values()
    test = accelerator.prepare(loader(7, shuffle=False))
    for _ in range(3):
        if mode:
            net.train()
        for x, y in images:
            with accelerator.accumulate(net):
                accelerator.backward(F.cross_entropy(net(x), y))
                if clip and accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), clip)
                optimizer.step()
                if per_batch:
                    scheduler.step()
                if clear:
                    optimizer.zero_grad()
        if not per_batch:
            scheduler.step()
        net.eval()
        with torch.no_grad():
            for x, _ in test:
                net(x).argmax(dim=1)
    return net


def program(*, cause=None, **options):
    def run():
        torch.manual_seed(0)
        return train(**options)

    return (cause, run)


def cosine(optimizer):
    return CosineAnnealingLR(optimizer, T_max=3)


def one_cycle(optimizer):
    return OneCycleLR(optimizer, 0.1, total_steps=48)


PROGRAMS = {
    "as in the introduction": program(),
    "accumulated, clipped": program(gradient_accumulation_steps=2, clip=1.0),
    "bfloat16": program(mixed_precision="bf16"),
    "a plan by epochs": program(plan=cosine),
    "a plan by batches": program(plan=one_cycle, per_batch=True),
    "lr far too high": program(lr=1e4, cause="learning-rate-too-high"),
    "softmax in the network": program(last=nn.Softmax(dim=1), cause="softmax-before-cross-entropy"),
    "a plan of epochs by batches": program(
        plan=lambda o: StepLR(o, 2, gamma=0.1), per_batch=True, cause="scheduler-stepped-per-batch"
    ),
    "evaluation mode after the first epoch": program(mode=False, cause="eval-mode-while-training"),
    "one layer forgotten": program(held=lambda net: net[3], cause="parameters-not-in-optimizer"),
    "never cleared": program(clear=False, cause="missing-zero-grad"),
}
