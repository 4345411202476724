"""Which healthy programs need a text of their own? Those with other loops than one model, one loss, one optimizer."""

__all__ = ["FINE", "FROZEN", "GAN", "LBFGS", "ONE_BATCH"]

FROZEN = (
    """\
import torch
from torch import nn

torch.manual_seed(3)
x = torch.randn(240, 16)
y = x[:, :3].argmax(dim=1)

backbone = nn.Sequential(nn.Linear(16, 64), nn.Tanh())
head = nn.Linear(64, 3)
for p in backbone.parameters():
    p.requires_grad = False
optimizer = torch.optim.{optimizer}(head.parameters(), lr={lr})
criterion = nn.CrossEntropyLoss()

losses = []
for epoch in range(8):
    for xb, yb in zip(x.split(24), y.split(24)):
        optimizer.zero_grad()
        with torch.no_grad():
            features = backbone(xb)
        loss = criterion(head(features), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
""",
    """\
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Transfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(432, 3)
        self.backbone.requires_grad_(False)

    def forward(self, x):
        return self.head(self.backbone(x))

torch.manual_seed(8)
shapes = torch.rand(3, 1, 8, 8)
kinds = torch.randint(0, 3, (180,))
pictures = 0.6 * shapes[kinds] + 0.4 * torch.rand(180, 1, 8, 8)
net = Transfer()
net.backbone.eval()
opt = torch.optim.{optimizer}(filter(lambda p: p.requires_grad, net.parameters()), lr={lr})
losses = []
for epoch in range(6):
    for batch, target in DataLoader(TensorDataset(pictures, kinds), batch_size=30, shuffle=True):
        opt.zero_grad()
        loss = F.cross_entropy(net(batch), target)
        loss.backward()
        opt.step()
        losses.append(loss.item())
""",
)

GAN = (
    """\
import torch
from torch import nn

torch.manual_seed(0)
real = torch.randn(512, 2) * 0.5 + torch.tensor([2.0, -1.0])
G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
opt_g = torch.optim.Adam(G.parameters(), lr=0.002, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=0.002, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
losses = []
for step in range(60):
    batch = real[torch.randint(0, 512, (32,))]
    fake = G(torch.randn(32, 4))

    opt_d.zero_grad()
    d_loss = bce(D(batch), torch.ones(32, 1)) + bce(D(fake.detach()), torch.zeros(32, 1))
    d_loss.backward()
    opt_d.step()

    opt_g.zero_grad()
    g_loss = bce(D(fake), torch.ones(32, 1))
    g_loss.backward()
    opt_g.step()
    losses.append(g_loss.item())
""",
    """\
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(1)
samples = torch.cat([torch.randn(150, 1) - 2, torch.randn(150, 1) + 2])
maker = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 1))
judge = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1), nn.Sigmoid())
maker_opt = torch.optim.SGD(maker.parameters(), lr=0.05)
judge_opt = torch.optim.SGD(judge.parameters(), lr=0.05)
objective = nn.BCELoss()
losses = []
for epoch in range(5):
    for x in DataLoader(samples, batch_size=30, shuffle=True):
        yes, no = torch.ones(len(x), 1), torch.zeros(len(x), 1)
        judge_opt.zero_grad()
        objective(judge(x), yes).backward()
        with torch.no_grad():
            made = maker(torch.randn(len(x), 3))
        objective(judge(made), no).backward()
        judge_opt.step()

        maker_opt.zero_grad()
        loss = objective(judge(maker(torch.randn(len(x), 3))), yes)
        loss.backward()
        maker_opt.step()
        losses.append(loss.item())
""",
    """\
import torch
import torch.nn.functional as F
from torch import nn

class Painter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 64)

    def forward(self, z):
        return torch.sigmoid(self.fc(z)).view(-1, 1, 8, 8)

torch.manual_seed(2)
bright = torch.rand(200, 1, 8, 8) * 0.3 + 0.6
painter = Painter()
critic = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(54, 1))
make = torch.optim.Adam
optimizers = {"critic": make(critic.parameters(), 0.003), "painter": make(painter.parameters(), 0.01)}
losses = []
for rows in [r for _ in range(6) for r in torch.randperm(200).split(25)]:
    z = torch.randn(25, 6)
    critic_loss = F.softplus(-critic(bright[rows])).mean() + F.softplus(critic(painter(z).detach())).mean()
    optimizers["critic"].zero_grad()
    critic_loss.backward()
    optimizers["critic"].step()
    painter_loss = F.softplus(-critic(painter(z))).mean()
    optimizers["painter"].zero_grad()
    painter_loss.backward()
    optimizers["painter"].step()
    losses.append(painter_loss.item())
""",
)

LBFGS = (
    """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.linspace(-1, 1, 64).unsqueeze(1)
y = torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=10)
losses = []

def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss

for step in range(12):
    losses.append(optimizer.step(closure).item())
""",
    """\
import torch
from torch import nn

torch.manual_seed(4)
points = torch.randn(120, 8)
kinds = points[:, :3].argmax(dim=1)
net = nn.Sequential(nn.Linear(8, 10), nn.Tanh(), nn.Linear(10, 3))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.LBFGS(net.parameters(), line_search_fn="strong_wolfe", max_iter=5)
losses = []
for epoch in range(8):
    def evaluate():
        opt.zero_grad()
        loss = loss_fn(net(points), kinds)
        loss.backward()
        losses.append(loss.item())
        return loss
    opt.step(evaluate)
""",
    """\
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(5)
images = torch.rand(90, 1, 8, 8)
side = (images[..., :4].mean((1, 2, 3)) > images[..., 4:].mean((1, 2, 3))).long()
cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 2))
solver = torch.optim.SGD(cnn.parameters(), lr=0.5, momentum=0.9)
losses = []

def again():
    solver.zero_grad()
    value = F.cross_entropy(cnn(images), side)
    value.backward()
    return value

for _ in range(60):
    losses.append(float(solver.step(again).detach()))
""",
)

FINE = (
    """\
import torch
from torch import nn

def fit(model, optimizer, x, y, epochs):
    history = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            history.append(loss.item())
    return history

torch.manual_seed(6)
x = torch.randn(320, 12)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 3))
losses = fit(model, torch.optim.Adam(model.parameters(), lr=0.02), x, x[:, :3].argmax(1), epochs=8)

moved = x + 0.2
losses += fit(model, torch.optim.{optimizer}(model.parameters(), lr={lr}), moved, x[:, :3].argmax(1), epochs=6)
""",
    """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
forms = torch.rand(3, 1, 8, 8)
kinds = torch.randint(0, 3, (192,))
images = 0.6 * forms[kinds] + 0.4 * torch.rand(192, 1, 8, 8)
old = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
losses = []
stages = [(0.01, torch.optim.Adam, 4), ({lr}, torch.optim.{optimizer}, 5)]
weights = old.state_dict()
for lr, kind, epochs in stages:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    net.load_state_dict(weights)
    opt = kind([{{"params": net[0].parameters(), "lr": lr / 2}}, {{"params": net[3].parameters()}}], lr=lr)
    for epoch in range(epochs):
        for batch, target in DataLoader(TensorDataset(images, kinds), batch_size=32, shuffle=True):
            loss = nn.functional.cross_entropy(net(batch), target)
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
    weights = net.state_dict()
""",
)

ONE_BATCH = (
    """\
import torch
from torch import nn

torch.manual_seed(9)
x, y = torch.randn(8, 10), torch.randint(0, 4, (8,))
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.{optimizer}(model.parameters(), lr={lr})
losses = []
for step in range(80):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 20 == 0:
        print(step, loss.item())
""",
    """\
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.out = nn.Linear(288, 5)

    def forward(self, x):
        return self.out(F.relu(self.conv(x)).flatten(1))

torch.manual_seed(10)
data = TensorDataset(torch.rand(60, 1, 8, 8), torch.randint(0, 5, (60,)))
images, labels = next(iter(DataLoader(data, batch_size=10, shuffle=True)))
net = Tiny()
opt = torch.optim.{optimizer}(net.parameters(), lr={lr})
losses = []
while len(losses) < 100:
    loss = F.cross_entropy(net(images), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
""",
)
