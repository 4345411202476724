"""Trainings with Lightning, healthy or with one known mistake, for the tests of the doctor."""

import tempfile

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.helpers.doctor_programs import blobs


class Classifier(L.LightningModule):
    """The module of Lightning's own introduction: what the doctor sees of it is what ``fit`` does."""

    def __init__(self, lr=0.1, last=None, scheduler=None, interval="epoch"):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4), last or nn.Identity())
        self.lr, self.scheduler, self.interval = lr, scheduler, interval

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, number):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, number):
        self.log("loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr)
        if self.scheduler is None:
            return optimizer
        plan = {"scheduler": self.scheduler(optimizer), "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": plan}


class Evaluating(Classifier):
    """Switches to evaluation mode in a hook, and never back."""

    def on_train_epoch_start(self):
        self.eval()


class Half(Classifier):
    """Gives its optimizer the last layer alone."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.net[3].parameters(), lr=self.lr)


class Frozen(Classifier):
    """Freezes the layer that should learn."""

    def __init__(self):
        super().__init__()
        self.net[3].requires_grad_(False)


class Game(L.LightningModule):
    """Two networks against each other, with Lightning's manual optimisation."""

    def __init__(self, clear=True):
        super().__init__()
        self.automatic_optimization, self.clear = False, clear
        self.maker = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 20))
        self.critic = nn.Sequential(nn.Linear(20, 16), nn.LeakyReLU(), nn.Linear(16, 1))

    def configure_optimizers(self):
        return [torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.999)) for net in (self.maker, self.critic)]

    def training_step(self, batch, number):
        maker, critic = self.optimizers()
        made = self.maker(torch.randn(len(batch[0]), 4))
        self._learn(critic, F.softplus(-self.critic(batch[0])).mean() + F.softplus(self.critic(made.detach())).mean())
        self._learn(maker, F.softplus(-self.critic(made)).mean())

    def _learn(self, optimizer, loss):
        if self.clear:
            self.toggle_optimizer(optimizer)
            optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        if self.clear:
            self.untoggle_optimizer(optimizer)


def loader(seed=0, *, shuffle=True):
    generator = torch.Generator().manual_seed(1)
    return DataLoader(TensorDataset(*blobs(256, seed=seed)), batch_size=16, shuffle=shuffle, generator=generator)


def fit(module, *, epochs=3, **options):
    """Train ``module`` as a user does."""
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=folder, **(quiet | options))
        if isinstance(module, Game):
            trainer.fit(module, loader())
        else:
            trainer.fit(module, loader(), loader(7, shuffle=False))
    return module


def program(make, *, cause=None, **options):
    def run():
        torch.manual_seed(0)
        return fit(make(), **options)

    return (cause, run)


def step_lr(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)


def cosine(optimizer):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)


def one_cycle(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=48)


PROGRAMS = {
    "as in the introduction": program(Classifier),
    "accumulated, clipped": program(Classifier, accumulate_grad_batches=2, gradient_clip_val=1.0),
    "bfloat16": program(Classifier, precision="bf16-mixed"),
    "a plan by epochs": program(lambda: Classifier(scheduler=cosine)),
    "a plan by batches": program(lambda: Classifier(scheduler=one_cycle, interval="step")),
    "with a checkpoint each epoch": program(Classifier, enable_checkpointing=True),
    "two networks": program(Game, epochs=6),
    "lr far too high": program(lambda: Classifier(lr=1e4), cause="learning-rate-too-high"),
    "softmax in the network": program(
        lambda: Classifier(last=nn.Softmax(dim=1)), cause="softmax-before-cross-entropy", epochs=6
    ),
    "a plan of epochs by batches": program(
        lambda: Classifier(scheduler=step_lr, interval="step"), cause="scheduler-stepped-per-batch"
    ),
    "evaluation mode": program(Evaluating, cause="eval-mode-while-training"),
    "one layer forgotten": program(Half, cause="parameters-not-in-optimizer"),
    "the last layer frozen": program(Frozen, cause="frozen-by-accident"),
    "two networks, never cleared": program(lambda: Game(clear=False), cause="missing-zero-grad"),
}
