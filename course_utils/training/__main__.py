"""How do I train without a notebook? With this command, alone or in several processes that share every batch.

    python -m course_utils.training --epochs 5 --checkpoint run.pt
    torchrun --nproc-per-node 2 -m course_utils.training --epochs 5 --checkpoint run.pt

Both make the same updates, and each goes on from the other's checkpoint.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import record
from torch.optim import SGD

from course_utils.arguments import a_number
from course_utils.data import DataError, Loader, load_images
from course_utils.data.sources import CHOICES
from course_utils.model import build_model
from course_utils.training.checkpoints import CheckpointError, load, save
from course_utils.training.distributed import Worker, in_parallel, this_worker
from course_utils.training.loop import Run, train

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says, and print a line per epoch.

    What cannot work (an option, the data, the checkpoint) ends the process before it waits for the others.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        worker = this_worker()
        run, data = _prepared(options, worker)
    except (ValueError, TypeError, DataError, CheckpointError) as error:
        parser.error(str(error))
    if worker.leads:
        place = f"{worker.world_size} x {data.device.type}"
        print(f"{data} on {place}: step {run.step:,} of {options.epochs * len(data):,}", flush=True)
    for line in _epochs(run, data, options):
        if worker.leads:
            if options.checkpoint:
                save(run, options.checkpoint)
            print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    first, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        usage="%(prog)s [options], see --help",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--source", choices=CHOICES, default="auto", help="which images (auto)")
    add("--images", type=int, default=10_000, metavar="N", help="how many of the train split (10000)")
    add("--epochs", type=int, default=5, metavar="N", help="epochs in total, those in the checkpoint included (5)")
    add("--batch-size", type=int, default=64, metavar="N", help="images per update, of all processes together (64)")
    add("--lr", type=float, default=0.01, metavar="X", help="learning rate of SGD (0.01); a checkpoint's own wins")
    add("--momentum", type=float, default=0.0, metavar="X", help="momentum of SGD (0); a checkpoint's own wins")
    add("--seed", type=int, default=0, metavar="N", help="of the first weights and the order of images (0)")
    add("--device", default="auto", help='"cpu", "cuda", or the fastest there is (auto)')
    add("--checkpoint", type=Path, metavar="PATH", help="go on from this file if it is there; save after every epoch")
    return parser


def _prepared(options: argparse.Namespace, worker: Worker) -> tuple[Run, Loader]:
    """The run, in the state of its checkpoint, and the whole batches; whatever does not fit is refused here."""
    a_number(above=0, example=0.01)("lr", options.lr)
    a_number(0, below=1, example=0.9)("momentum", options.momentum)
    device = worker.device(options.device)
    split = load_images(options.source, limit=options.images, announce=worker.leads)
    data = Loader(split, batch_size=options.batch_size, seed=options.seed, device=device)
    model = build_model(options.seed, device=device)
    run = Run(model, SGD(model.parameters(), lr=options.lr, momentum=options.momentum), seed=options.seed)
    if options.checkpoint and options.checkpoint.exists():
        load(run, options.checkpoint)
    train(run, data, epochs=options.epochs)  # looks at its arguments; no step is asked for
    if options.checkpoint and worker.leads:
        save(run, options.checkpoint)  # so that a full disk is found now, rather than after an epoch
    return run, data


def _epochs(run: Run, data: Loader, options: argparse.Namespace) -> Iterator[str]:
    """Train, and give a line about every epoch when it is done."""
    with in_parallel(run, data) as part:
        since, begun = run.step, time.perf_counter()
        for step in train(run, part, epochs=options.epochs):
            if step.ends_epoch:
                losses = run.losses[-len(data) :].tolist()  # waits for the device
                images = len(data.split) * (run.step - since) / len(data)
                rate = images / (time.perf_counter() - begun)
                if not math.isfinite(sum(losses)):
                    raise SystemExit(f"diverged in epoch {step.epoch + 1}, which was not saved; try a smaller --lr")
                yield f"epoch {step.epoch + 1}: running loss {sum(losses):.3f} | {rate:,.0f} images/s"
                since, begun = run.step, time.perf_counter()


if __name__ == "__main__":
    record(main)()  # has torchrun say which process failed first, and why
