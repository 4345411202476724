"""Small training programs, each with one known mistake or with none, for the tests of the doctor."""

import copy
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader, Subset, TensorDataset

FAULTY: dict = {}
HEALTHY: dict = {}


def faulty(cause):
    def register(program):
        FAULTY[f"{cause}: {program.__name__}"] = (cause, program)
        return program

    return register


def healthy(program):
    HEALTHY[program.__name__] = program
    return program


def blobs(n=256, seed=0, classes=4, features=20):
    """Points around one centre for each class: easy to learn."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, features, generator=torch.Generator().manual_seed(99)) * 1.5
    y = torch.randint(classes, (n,), generator=g)
    return centres[y] + torch.randn(n, features, generator=g), y


def mlp(*extra, features=20, classes=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes), *extra)


def setup(*, model=None, optimizer="sgd", lr=0.1, batch_size=16, n=256, loader_options=None, data=None):
    model = model or mlp()
    x, y = data or blobs(n)
    options = {"batch_size": batch_size, "shuffle": True, "generator": torch.Generator().manual_seed(1)}
    loader = DataLoader(TensorDataset(x, y), **(options | (loader_options or {})))
    kinds = {
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=lr),
        "momentum": lambda: torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9),
        "adam": lambda: torch.optim.Adam(model.parameters(), lr=lr / 10),
    }
    return SimpleNamespace(model=model, x=x, y=y, loader=loader, opt=kinds[optimizer]())


def step(s, x, y, loss_fn=F.cross_entropy):
    s.opt.zero_grad()
    loss = loss_fn(s.model(x), y)
    loss.backward()
    s.opt.step()
    return loss.item()


def learn(s, epochs=2, each=lambda: None, after=lambda: None, loss_fn=F.cross_entropy):
    for _ in range(epochs):
        for x, y in s.loader:
            step(s, x, y, loss_fn)
            each()
        after()


# -- order of the step ------------------------------------------------------------------------------------------


@faulty("missing-zero-grad")
def no_zero_grad_sgd(optimizer="sgd"):
    s = setup(optimizer=optimizer)
    for x, y in s.loader:
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()


@faulty("missing-zero-grad")
def no_zero_grad_adam_on_tensors():
    s = setup(optimizer="adam")
    for i in range(0, 256, 16):
        nn.CrossEntropyLoss()(s.model(s.x[i : i + 16]), s.y[i : i + 16]).backward()
        s.opt.step()


@faulty("missing-zero-grad")
def zero_grad_once_an_epoch():
    s = setup(optimizer="momentum", lr=0.01)
    for _ in range(3):
        s.opt.zero_grad()
        for x, y in s.loader:
            F.cross_entropy(s.model(x), y).backward()
            s.opt.step()


@faulty("zero-grad-before-step")
def zero_between():
    s = setup()
    for x, y in s.loader:
        F.cross_entropy(s.model(x), y).backward()
        s.opt.zero_grad()
        s.opt.step()


@faulty("zero-grad-before-step")
def zero_between_with_zeros():
    s = setup(optimizer="adam")
    for x, y in s.loader:
        F.cross_entropy(s.model(x), y).backward()
        s.model.zero_grad(set_to_none=False)
        s.opt.step()


@faulty("zero-grad-before-step")
def none_by_hand_between():
    s = setup()
    for x, y in s.loader:
        F.cross_entropy(s.model(x), y).backward()
        for p in s.model.parameters():
            p.grad = None
        s.opt.step()


@faulty("step-before-backward")
def step_first():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(x), y)
        s.opt.step()
        loss.backward()


@faulty("step-before-backward")
def step_first_zero_last():
    s = setup(optimizer="adam")
    for x, y in s.loader:
        loss = ((s.model(x) - F.one_hot(y, 4)) ** 2).mean()
        s.opt.step()
        loss.backward()
        s.opt.zero_grad()


@faulty("missing-step")
def no_step():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad()
        F.cross_entropy(s.model(x), y).backward()


@faulty("missing-backward")
def no_backward():
    s = setup(optimizer="adam")
    for x, y in s.loader:
        s.opt.zero_grad()
        F.cross_entropy(s.model(x), y)
        s.opt.step()


@faulty("loss-divided-twice")
def divided_twice():
    s = setup()
    for _ in range(2):
        for i, (x, y) in enumerate(s.loader):
            loss = F.cross_entropy(s.model(x), y) / 4
            (loss / 4).backward()
            if i % 4 == 3:
                s.opt.step()
                s.opt.zero_grad()


@faulty("loss-divided-twice")
def gradients_divided_again():
    s = setup(optimizer="adam")
    for _ in range(2):
        for i, (x, y) in enumerate(s.loader):
            (F.cross_entropy(s.model(x), y) / 4).backward()
            if i % 4 == 3:
                for p in s.model.parameters():
                    p.grad /= 4
                s.opt.step()
                s.opt.zero_grad()


# -- the head ---------------------------------------------------------------------------------------------------


@faulty("softmax-before-cross-entropy")
def softmax_layer():
    learn(setup(model=mlp(nn.Softmax(dim=1))))


@faulty("softmax-before-cross-entropy")
def softmax_function():
    learn(setup(optimizer="adam"), loss_fn=lambda out, y: nn.CrossEntropyLoss()(out.softmax(-1), y))


@faulty("softmax-before-cross-entropy")
def softmax_by_hand():
    def by_hand(out, y):
        e = (out - out.max(1, keepdim=True).values).exp()
        return F.cross_entropy(e / e.sum(1, keepdim=True), y)

    learn(setup(), loss_fn=by_hand)


@faulty("log-softmax-before-cross-entropy")
def log_softmax_layer():
    learn(setup(model=mlp(nn.LogSoftmax(dim=1))))


@faulty("sigmoid-before-bce-with-logits")
def sigmoid_layer():
    s = setup(model=mlp(nn.Sigmoid(), classes=1))
    learn(s, loss_fn=lambda out, y: nn.BCEWithLogitsLoss()(out.squeeze(1), (y > 1).float()))


@faulty("nll-loss-on-probabilities")
def nll_on_softmax():
    learn(setup(), loss_fn=lambda out, y: F.nll_loss(F.softmax(out, dim=1), y))


@faulty("nll-loss-on-probabilities")
def nll_on_scores():
    learn(setup(lr=0.01), loss_fn=F.nll_loss)


@faulty("labels-out-of-range")
def labels_from_one():
    learn(setup(), loss_fn=lambda out, y: F.cross_entropy(out, y + 1))


@faulty("labels-out-of-range")
def binary_targets_of_two():
    s = setup(model=mlp(classes=1))
    learn(s, loss_fn=lambda out, y: F.binary_cross_entropy_with_logits(out[:, 0], (y > 1).float() + 1))


@faulty("labels-wrong-dtype")
def float_labels():
    learn(setup(), loss_fn=lambda out, y: F.cross_entropy(out, y.float()))


@faulty("labels-wrong-dtype")
def integer_targets():
    s = setup(model=mlp(classes=1))
    learn(s, loss_fn=lambda out, y: F.binary_cross_entropy_with_logits(out[:, 0], (y > 1).long()))


# -- parameters -------------------------------------------------------------------------------------------------


@faulty("parameters-not-in-optimizer")
def only_the_head():
    s = setup()
    s.opt = torch.optim.SGD(s.model[2].parameters(), lr=0.1)
    for x, y in s.loader:
        s.model.zero_grad()
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()


@faulty("parameters-not-in-optimizer")
def layer_added_later():
    s = setup(optimizer="adam")
    s.model.append(nn.Linear(4, 4))
    learn(s)


@faulty("other-models-parameters")
def copied_model():
    s = setup()
    s.model = copy.deepcopy(s.model)
    learn(s)


@faulty("frozen-by-accident")
def all_frozen():
    s = setup()
    s.model.requires_grad_(False)
    learn(s)


@faulty("frozen-by-accident")
def one_layer_frozen():
    s = setup()
    s.model[2].requires_grad_(False)
    learn(s)


@faulty("optimizer-recreated")
def new_adam_each_epoch():
    s = setup()
    for _ in range(4):
        s.opt = torch.optim.Adam(s.model.parameters(), lr=0.01)
        learn(s, epochs=1)


@faulty("optimizer-recreated")
def new_momentum_each_epoch():
    s = setup()
    for _ in range(3):
        s.opt = torch.optim.SGD(s.model.parameters(), lr=0.01, momentum=0.9)
        learn(s, epochs=1)


# -- learning rate ----------------------------------------------------------------------------------------------


@faulty("scheduler-stepped-per-batch")
def step_lr_per_batch():
    s = setup()
    learn(s, 3, each=StepLR(s.opt, step_size=2, gamma=0.1).step)


@faulty("scheduler-stepped-per-batch")
def cosine_per_batch():
    s = setup(optimizer="adam")
    learn(s, 4, each=CosineAnnealingLR(s.opt, T_max=4).step)


@faulty("scheduler-stepped-per-batch")
def exponential_per_batch():
    s = setup()
    learn(s, 3, each=ExponentialLR(s.opt, gamma=0.9).step)


@faulty("scheduler-stepped-per-batch")
def one_cycle_of_epochs_per_batch():
    s = setup()
    learn(s, 3, each=OneCycleLR(s.opt, max_lr=0.1, total_steps=3).step)


@faulty("scheduler-stepped-per-batch")
def step_lr_per_batch_on_tensors():
    s = setup()
    scheduler = StepLR(s.opt, step_size=3, gamma=0.1)
    for _ in range(3):
        for i in range(0, 256, 16):
            step(s, s.x[i : i + 16], s.y[i : i + 16])
            scheduler.step()


@faulty("scheduler-never-stepped")
def never_stepped():
    s = setup()
    scheduler = StepLR(s.opt, step_size=1)
    learn(s)
    del scheduler


@faulty("scheduler-never-stepped")
def plateau_never_stepped():
    s = setup()
    scheduler = ReduceLROnPlateau(s.opt)
    learn(s)
    HELD.append(scheduler)


HELD: list = []


@faulty("scheduler-before-optimizer")
def scheduler_at_the_start_of_an_epoch():
    s = setup()
    scheduler = StepLR(s.opt, step_size=1, gamma=0.5)
    for _ in range(3):
        scheduler.step()
        learn(s, 1)


@faulty("scheduler-before-optimizer")
def scheduler_between():
    s = setup()
    scheduler = LambdaLR(s.opt, lambda i: min(1, (i + 1) / 10))
    for _ in range(2):
        for x, y in s.loader:
            s.opt.zero_grad()
            F.cross_entropy(s.model(x), y).backward()
            scheduler.step()
            s.opt.step()


@faulty("learning-rate-vanished")
def lr_zero():
    learn(setup(lr=1e-12))


@faulty("learning-rate-vanished")
def gamma_too_small():
    s = setup()
    learn(s, 4, after=StepLR(s.opt, step_size=1, gamma=1e-4).step)


@faulty("learning-rate-too-high")
def lr_a_thousand():
    learn(setup(lr=1000.0))


@faulty("learning-rate-too-high")
def lr_too_high_for_regression():
    s = setup(lr=2.0, model=mlp(classes=1))
    learn(s, loss_fn=lambda out, y: F.mse_loss(out[:, 0], y.float()))


@faulty("learning-rate-too-high")
def adam_too_high():
    learn(setup(lr=30.0, optimizer="adam"))


@faulty("learning-rate-too-low")
def lr_tiny():
    learn(setup(lr=1e-6))


@faulty("dead-relus")
def biases_far_below_zero():
    s = setup()
    with torch.no_grad():
        s.model[0].bias.fill_(-100.0)
    learn(s)


@faulty("vanishing-gradients")
def deep_sigmoid():
    torch.manual_seed(0)
    hidden = [layer for _ in range(8) for layer in (nn.Linear(20, 20), nn.Sigmoid())]
    learn(setup(model=nn.Sequential(*hidden, nn.Linear(20, 4))))


@faulty("exploding-gradients")
def deep_and_large():
    torch.manual_seed(0)
    hidden = [layer for _ in range(8) for layer in (nn.Linear(20, 20), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(20, 4))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=2.0)
    learn(setup(model=model, lr=0.01))


# -- memory -----------------------------------------------------------------------------------------------------


@faulty("loss-kept-with-graph")
def losses_in_a_list():
    s, losses = setup(), []
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(x), y)
        loss.backward()
        s.opt.step()
        losses.append(loss)


@faulty("running-loss-is-a-tensor")
def running_sum():
    s, running = setup(optimizer="adam"), 0.0
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(x), y)
        loss.backward()
        s.opt.step()
        running += loss


# -- measuring --------------------------------------------------------------------------------------------------


@faulty("loss-without-gradient")
def under_no_grad():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad()
        with torch.no_grad():
            loss = F.cross_entropy(s.model(x), y)
        loss.backward()
        s.opt.step()


@faulty("loss-without-gradient")
def rebuilt_from_item():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = torch.tensor(F.cross_entropy(s.model(x), y).item(), requires_grad=True)
        loss.backward()
        s.opt.step()


@faulty("loss-without-gradient")
def detached_scores():
    s = setup(optimizer="adam")
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(x).detach().requires_grad_(), y)
        loss.backward()
        s.opt.step()


def with_dropout():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))


@faulty("eval-mode-while-training")
def never_back_to_train():
    s = setup(model=with_dropout())

    def measure():
        s.model.eval()
        with torch.no_grad():
            s.model(blobs(64, 5)[0])

    learn(s, 3, after=measure)


@faulty("measuring-in-train-mode")
def no_eval():
    s = setup(model=with_dropout())

    def measure():
        with torch.no_grad():
            s.model(blobs(64, 5)[0])

    learn(s, 3, after=measure)


@faulty("measuring-with-gradients")
def no_no_grad():
    s = setup(model=with_dropout())

    def measure():
        s.model.eval()
        (s.model(blobs(64, 5)[0]).argmax(1) == 0).sum().item()
        s.model.train()

    learn(s, 3, after=measure)


# -- data -------------------------------------------------------------------------------------------------------


class Marked(TensorDataset):
    """As torchvision's datasets do it."""

    def __init__(self, *tensors, train):
        super().__init__(*tensors)
        self.train = train


@faulty("trained-on-test-split")
def on_torchvisions_test_split():
    s = setup()
    s.loader = DataLoader(Marked(s.x, s.y, train=False), batch_size=16, shuffle=True)
    learn(s)


@faulty("trained-on-test-split")
def on_a_part_of_the_test_split():
    s = setup()
    s.loader = DataLoader(Subset(Marked(s.x, s.y, train=False), range(100)), batch_size=16, shuffle=True)
    learn(s)


def measured_on(s, x, y):
    loader = DataLoader(TensorDataset(x, y), batch_size=50)

    def measure():
        s.model.eval()
        with torch.no_grad():
            for a, b in loader:
                F.cross_entropy(s.model(a), b)
        s.model.train()

    return measure


@faulty("same-images-in-both-splits")
def overlapping_splits():
    x, y = blobs(400)
    s = setup(data=(x[:300], y[:300]))
    learn(s, 3, after=measured_on(s, x[200:], y[200:]))


@faulty("unshuffled-labels")
def sorted_by_class():
    x, y = blobs(256)
    order = y.argsort()
    learn(setup(data=(x[order], y[order]), loader_options={"shuffle": False}, optimizer="adam"))


@faulty("inputs-not-scaled")
def raw_pixels():
    x, y = blobs(256)
    x = ((x - x.min()) / (x.max() - x.min()) * 255).round()
    learn(setup(data=(x, y), lr=1e-4))


@faulty("last-batch-in-running-loss")
def incomplete_last_batch():
    learn(setup(n=250))


# -- nothing wrong ----------------------------------------------------------------------------------------------


@healthy
def plain_sgd():
    learn(setup(), 3)


@healthy
def plain_adam():
    learn(setup(optimizer="adam"), 3)


@healthy
def zero_grad_after_step():
    s = setup()
    for x, y in s.loader:
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()
        s.opt.zero_grad()


@healthy
def zeros_instead_of_none():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad(set_to_none=False)
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()


@healthy
def model_zero_grad():
    s = setup(optimizer="momentum", lr=0.01)
    for x, y in s.loader:
        s.model.zero_grad()
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()


@healthy
def cleared_by_hand():
    s = setup()
    for x, y in s.loader:
        for p in s.model.parameters():
            p.grad = None
        F.cross_entropy(s.model(x), y).backward()
        s.opt.step()


@healthy
def zeroed_in_place_by_hand():
    s = setup()
    for x, y in s.loader:
        for p in s.model.parameters():
            if p.grad is not None:
                p.grad.zero_()
        F.cross_entropy(s.model(x), y).backward()
        torch.nn.utils.clip_grad_norm_(s.model.parameters(), 1.0)
        s.opt.step()


@healthy
def accumulation():
    s = setup()
    for _ in range(3):
        for i, (x, y) in enumerate(s.loader):
            (F.cross_entropy(s.model(x), y) / 4).backward()
            if i % 4 == 3:
                s.opt.step()
                s.opt.zero_grad()


@healthy
def accumulation_with_a_rest():
    s = setup(optimizer="adam")
    scheduler = StepLR(s.opt, 10)
    for _ in range(3):
        for i, (x, y) in enumerate(s.loader):
            (F.cross_entropy(s.model(x), y) / 3).backward()
            if i % 3 == 2:
                s.opt.step()
                s.opt.zero_grad()
        scheduler.step()


@healthy
def sum_of_losses_of_several_batches():
    s, total = setup(), 0.0
    for i, (x, y) in enumerate(s.loader):
        total = total + F.cross_entropy(s.model(x), y) / 4
        if i % 4 == 3:
            s.opt.zero_grad()
            total.backward()
            s.opt.step()
            total = 0.0


@healthy
def one_cycle_per_batch():
    s = setup()
    learn(s, 3, each=OneCycleLR(s.opt, max_lr=0.1, total_steps=48).step)


@healthy
def warm_up_then_cosine_per_batch():
    s = setup()
    plan = [LinearLR(s.opt, start_factor=0.1, total_iters=8), CosineAnnealingLR(s.opt, T_max=40)]
    learn(s, 3, each=SequentialLR(s.opt, plan, milestones=[8]).step)


@healthy
def cosine_over_all_batches():
    s = setup()
    learn(s, 3, each=CosineAnnealingLR(s.opt, T_max=48).step)


@healthy
def step_lr_per_epoch():
    s = setup()
    learn(s, 4, after=StepLR(s.opt, step_size=2, gamma=0.1).step)


@healthy
def one_full_batch_an_epoch():
    s = setup()
    scheduler = StepLR(s.opt, step_size=10, gamma=0.5)
    for _ in range(30):
        step(s, s.x, s.y)
        scheduler.step()


@healthy
def plateau_per_epoch():
    s = setup()
    scheduler = ReduceLROnPlateau(s.opt, patience=1)
    learn(s, 3, after=lambda: scheduler.step(1.0))


@healthy
def log_softmax_and_nll():
    learn(setup(model=mlp(nn.LogSoftmax(dim=1))), loss_fn=nn.NLLLoss())


@healthy
def log_of_softmax_and_nll():
    learn(setup(), loss_fn=lambda out, y: F.nll_loss(out.softmax(1).log(), y))


@healthy
def softmax_only_to_report():
    s, confident = setup(), 0.0
    for x, y in s.loader:
        s.opt.zero_grad()
        out = s.model(x)
        loss = F.cross_entropy(out, y)
        confident += out.softmax(1).max().item()
        loss.backward()
        s.opt.step()


@healthy
def binary_with_logits():
    learn(
        setup(model=mlp(classes=1)),
        loss_fn=lambda out, y: F.binary_cross_entropy_with_logits(out[:, 0], (y > 1).float()),
    )


@healthy
def backbone_frozen_on_purpose():
    s = setup()
    s.model[0].requires_grad_(False)
    s.opt = torch.optim.SGD(s.model[2].parameters(), lr=0.1)
    learn(s, 3)


@healthy
def gan():
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 20))
    judge = nn.Sequential(nn.Linear(20, 16), nn.LeakyReLU(), nn.Linear(16, 1))
    maker_opt = torch.optim.Adam(maker.parameters(), lr=1e-3)
    judge_opt = torch.optim.Adam(judge.parameters(), lr=1e-3)
    bce = nn.BCEWithLogitsLoss()
    for _ in range(3):
        for x, _y in setup().loader:
            ones, zeros = torch.ones(len(x), 1), torch.zeros(len(x), 1)
            fake = maker(torch.randn(len(x), 4))
            judge_opt.zero_grad()
            (bce(judge(x), ones) + bce(judge(fake.detach()), zeros)).backward()
            judge_opt.step()
            maker_opt.zero_grad()
            bce(judge(fake), ones).backward()
            maker_opt.step()


@healthy
def gan_with_two_backwards():
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 20))
    judge = nn.Sequential(nn.Linear(20, 16), nn.LeakyReLU(), nn.Linear(16, 1), nn.Sigmoid())
    maker_opt = torch.optim.Adam(maker.parameters(), lr=1e-3)
    judge_opt = torch.optim.Adam(judge.parameters(), lr=1e-3)
    for x, _y in setup().loader:
        ones, zeros = torch.ones(len(x), 1), torch.zeros(len(x), 1)
        judge.zero_grad()
        F.binary_cross_entropy(judge(x), ones).backward()
        fake = maker(torch.randn(len(x), 4))
        F.binary_cross_entropy(judge(fake.detach()), zeros).backward()
        judge_opt.step()
        maker.zero_grad()
        F.binary_cross_entropy(judge(fake), ones).backward()
        maker_opt.step()


@healthy
def lbfgs():
    s = setup()
    s.opt = torch.optim.LBFGS(s.model.parameters(), lr=0.5, max_iter=5)

    def closure():
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(s.x), s.y)
        loss.backward()
        return loss

    for _ in range(8):
        s.opt.step(closure)


@healthy
def fine_tuning_with_a_small_lr():
    s = setup(optimizer="adam")
    learn(s, 3)
    s.opt = torch.optim.Adam(s.model.parameters(), lr=1e-5)
    learn(s, 2)


@healthy
def overfit_one_batch():
    s = setup()
    x, y = next(iter(s.loader))
    for _ in range(60):
        step(s, x, y)
    s.model.eval()
    with torch.no_grad():
        s.model(x)


@healthy
def measured_properly():
    s = setup(model=with_dropout())
    learn(s, 3, after=measured_on(s, *blobs(100, 7)))


@healthy
def batch_norm():
    torch.manual_seed(0)
    s = setup(
        model=nn.Sequential(nn.BatchNorm1d(20), nn.Linear(20, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    )
    learn(s, 3, after=measured_on(s, *blobs(100, 7)))


@healthy
def losses_kept_without_graph():
    s, losses, running = setup(), [], 0.0
    for x, y in s.loader:
        s.opt.zero_grad()
        loss = F.cross_entropy(s.model(x), y)
        loss.backward()
        s.opt.step()
        losses.append(loss.detach())
        running += loss.item()


@healthy
def autocast_and_scaler():
    s = setup()
    scaler = torch.amp.GradScaler("cpu")
    for x, y in s.loader:
        s.opt.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(s.model(x), y)
        scaler.scale(loss).backward()
        scaler.step(s.opt)
        scaler.update()


@healthy
def teacher_and_student():
    teacher, s = mlp(), setup(optimizer="adam")
    teacher.eval()
    for x, _ in s.loader:
        with torch.no_grad():
            target = teacher(x).softmax(1)
        s.opt.zero_grad()
        F.cross_entropy(s.model(x), target).backward()
        s.opt.step()


@healthy
def two_views_of_one_image():
    s = setup()
    for x, y in s.loader:
        s.opt.zero_grad()
        a, b = s.model(x), s.model(x + 0.1)
        (F.cross_entropy(a, y) + F.mse_loss(a, b)).backward()
        s.opt.step()


@healthy
def weight_tying():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 4))
    model[2].weight = model[0].weight
    learn(setup(model=model), 2)


@healthy
def regression():
    s = setup(model=mlp(classes=1), lr=0.01)
    learn(s, 3, loss_fn=lambda out, y: F.mse_loss(out[:, 0], y.float()))


@healthy
def update_by_hand():
    s = setup()
    for x, y in s.loader:
        s.model.zero_grad()
        F.cross_entropy(s.model(x), y).backward()
        with torch.no_grad():
            for p in s.model.parameters():
                p -= 0.1 * p.grad


@healthy
def ordered_data_that_is_not_sorted():
    learn(setup(loader_options={"shuffle": False}), 2)
