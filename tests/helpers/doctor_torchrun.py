"""What torchrun starts for the tests of the doctor: data-parallel training, of which one process is watched."""

import contextlib
import io
import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from course_utils import doctor
from tests.helpers.doctor_programs import blobs, mlp
from tests.helpers.pages import block


def train(lr):
    data = TensorDataset(*blobs())
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=16, sampler=sampler)
    model = DistributedDataParallel(mlp(torch.nn.Dropout(0.1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            model(blobs(64, seed=7)[0])
    return [parameter.tolist() for parameter in model.parameters()]


def main(folder):
    dist.init_process_group("gloo")
    seen = {"plain": train(0.1)}
    for name, lr in {"healthy": 0.1, "wild": 1e4}.items():
        names = {
            "doctor": doctor,
            "dist": dist,
            "contextlib": contextlib,
            "train": lambda lr=lr: seen.update(now=train(lr)),
        }
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(block("DOCTOR.md", "torchrun"), names)
        report = names["report"]
        found = None if report is None else [finding.name for finding in report.findings]
        seen[name] = {"weights": seen.pop("now"), "found": found, "printed": printed.getvalue()}
    (Path(folder) / f"{dist.get_rank()}.json").write_text(json.dumps(seen), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
