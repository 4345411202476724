"""Does the course work where people are? One row an environment, started as its user starts it.

    python -m tests.tools.environments [word ...]    (`make environments`; a word chooses the rows that contain it)

Each row runs on a fresh copy of what git tracks, with a fresh home. It costs minutes and several GB of disk, so it is
no part of `make test`. What cannot be run on the machine at hand is listed as such, with the command that would.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ELSEWHERE", "ROWS", "Row", "main"]

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = "import torch, course_utils.apps, course_utils.training; print('works', torch.__version__)"


@dataclass(frozen=True)
class Row:
    """An environment: what is done there, and what its last output must contain."""

    name: str
    command: str
    says: str
    folder: str = "course"  #: the name of the course's folder
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Path], None] | None = None  #: what happened to the folder before


def stopped_in_the_middle(course: Path) -> None:
    """Ctrl-C while packages are unpacked."""
    made = subprocess.Popen(["make", "environment"], cwd=course, env=_home(course), start_new_session=True)
    torch = next(iter(_versions("lib/python3*/site-packages/torch", course / ".venv", made)), None)
    os.killpg(made.pid, signal.SIGINT)
    made.wait(60)
    print(f"  stopped while {torch or 'nothing of torch'} was there")


def _versions(pattern: str, venv: Path, process: "subprocess.Popen[bytes]") -> Iterator[Path]:
    while process.poll() is None:
        if found := list(venv.glob(pattern)):
            yield found[0]
            return
        time.sleep(0.05)


def an_environment_of_uv(course: Path) -> None:
    """A folder .venv that has a Python and no pip."""
    subprocess.run([sys.executable, "-m", "uv", "venv", "--quiet", ".venv"], cwd=course, check=True)


def read_only(course: Path) -> None:
    """A folder that was set up and may not be written to any more."""
    subprocess.run(["make", "environment"], cwd=course, env=_home(course), check=True)
    subprocess.run(["chmod", "-R", "a-w", "."], cwd=course, check=True)


_UV = f"{sys.executable} -m uv"
_INTO_OTHER = f"{_UV} pip install --quiet --python other"  # by name: else uv takes the environment it runs in


def _with_packages(python: str, *packages: str) -> str:
    """The command that makes an environment of its own with ``packages`` in it, and imports the course there."""
    wanted = " ".join(f"'{package}'" for package in packages)
    return f'{_UV} venv --quiet --python {python} other && {_INTO_OTHER} {wanted} && other/bin/python -c "{IMPORTS}"'


_MADE = f'make environment && .venv/bin/python -c "{IMPORTS}"'
_PLAYED = "from course_utils.apps import OptimizerRace, ScheduleLab; OptimizerRace(), ScheduleLab(); print('played')"
_COLAB = ("torch==2.11.*", "torchvision", "matplotlib", "tqdm", "tabulate", "filelock", "ipywidgets==7.7.1",
          "traitlets==5.7.1", "ipykernel==6.17.1", "ipython==7.34.0")  # fmt: skip

ROWS = [
    Row("README, make", _MADE, "works"),
    Row("README, python start.py", f'python3 start.py environment && .venv/bin/python -c "{IMPORTS}"', "works"),
    Row("a space in the path", _MADE, "works", folder="my course"),
    Row("Chinese in the path", _MADE, "works", folder="优化器 课程"),
    Row("interrupted while packages were unpacked", _MADE, "works", before=stopped_in_the_middle),
    Row("a .venv made by uv", _MADE, "works", before=an_environment_of_uv),
    Row("two at once", f'make environment & make environment && wait && .venv/bin/python -c "{IMPORTS}"', "works"),
    Row("a read-only folder", f'make environment && .venv/bin/python -B -c "{IMPORTS}"', "works", before=read_only),
    Row("LC_ALL=C", f'{_MADE} && .venv/bin/python -c "from course_utils import catalog; print(catalog.optimizers())"',
        "SparseAdam", environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}),
    Row("no network: images", f"{sys.executable} -m course_utils.training --epochs 1 --images 640", "not on disk",
        environment={"https_proxy": "http://127.0.0.1:9", "COURSE_DATA": "auto"}),
    Row("slow network, disk full: images",
        f"{sys.executable} -m pytest -q -n0 tests/test_data_cifar10*.py -k 'slow or long or byte or full or room'",
        "passed"),
    Row("Colab's packages", _with_packages("3.13", *_COLAB)
        + f" && {_INTO_OTHER} --no-deps -e . anywidget psygnal"
        f' && other/bin/python -c "{_PLAYED}"', "played"),
    Row("lowest torch", _with_packages("3.11", "torch==2.9.*", "torchvision==0.24.*", "-e", "."), "works 2.9"),
    Row("newest torch", _with_packages("3.11", "torch", "torchvision", "-e", "."), "works"),
    Row("trainers", _with_packages("3.11", "-e", ".[test,integrations]")
        + " && PYTHONPATH=. other/bin/python -m pytest -q -o addopts= tests/test_doctor_integrations.py", "passed"),
    *(Row(f"Python {version}", _with_packages(version, "-e", "."), "works") for version in ("3.12", "3.13", "3.14")),
    Row("six processor settings", f"{sys.executable} -m tests.tools.processors", ""),
]  # fmt: skip

ELSEWHERE = [
    ("Windows x64, macOS 14", ".github/workflows/test.yml: python start.py test"),
    ("conda", "conda env create -f environment.yml, then jupyter lab --config=jupyter_lab_config.py"),
    ("Colab itself", "the cell of the README"),
    ("Binder, a hub with containers", "docker build -t optimizer-course ."),
]


@contextmanager
def a_copy(name: str) -> Iterator[Path]:
    """What git tracks, as it is now, in a new folder of this name."""
    with tempfile.TemporaryDirectory(prefix="environment-") as base:
        course = Path(base) / name
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        for file in tracked.decode().split("\0")[:-1]:
            (course / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, course / file)
        try:
            yield course
        finally:
            subprocess.run(["chmod", "-R", "u+w", base], check=False)


def _home(course: Path) -> dict[str, str]:
    """The variables of a user who has just logged in, but for where packages come from."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PIP_", "UV_", "SSL_"))}
    home = course.parent / "home"
    home.mkdir(exist_ok=True)
    cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
    return {**kept, "HOME": str(home), "UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never"}


def _works(row: Row) -> bool:
    with a_copy(row.folder) as course:
        if row.before:
            row.before(course)
        done = subprocess.run(
            ["bash", "-c", row.command], cwd=course, env={**_home(course), **row.environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    said = done.stdout.decode(errors="replace")
    if "No interpreter found" in said:
        print(f"not here {row.name}: this machine has no such Python")
        return True
    good = done.returncode == 0 and row.says in said
    if not good:
        print(said[-2000:])
    return good


def main(words: list[str]) -> int:
    """Run the rows that the words choose; 1 if one of them failed."""
    failed = 0
    for row in ROWS:
        if all(word not in row.name for word in words) and words:
            continue
        if shutil.disk_usage(tempfile.gettempdir()).free < 15e9:
            print(f"not run  {row.name}: the disk has less than 15 GB free")
            continue
        start = time.monotonic()
        good = _works(row)
        failed += not good
        print(
            f"{'works' if good else 'FAILS':8} {row.name} ({time.monotonic() - start:.0f} s): {row.command}", flush=True
        )
    for name, command in ELSEWHERE:
        print(f"not here {name}: {command}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
