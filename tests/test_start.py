"""start.py: an environment that is half made is made anew, one that fits is kept, and what cannot work is said first.

Nothing is installed here; `make environments` does that. The environments of these tests have a Python and no packages.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent


def loaded(folder):
    """The module start.py of a course that lies in ``folder``."""
    spec = importlib.util.spec_from_file_location("start_of_a_course", folder / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_venv(folder):
    """An environment with a Python that runs, made in no time."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)


@pytest.fixture(params=["course", "a course", "课程 ü"])
def start(tmp_path, monkeypatch, request):
    """start.py in a folder of its own, in which filling an environment is noted in place of done."""
    folder = tmp_path / request.param
    folder.mkdir()
    for name in ("start.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    module = loaded(folder)
    module.filled = []

    def run(command, **options):
        if command[1:3] == ["-m", "venv"]:
            a_venv(Path(command[3]))
            return SimpleNamespace(returncode=0)
        return original(command, **options)

    original = subprocess.run
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(**{**vars(subprocess), "run": run}))
    monkeypatch.setattr(module, "fill", lambda: module.filled.append(1))
    monkeypatch.setattr(module, "check_room", lambda: None)
    return module


def test_a_complete_environment_is_made_once(start):
    start.environment()
    start.environment()
    assert len(start.filled) == 1
    assert not start.misfit()


def test_a_new_lock_brings_the_same_environment_up_to_date(start):
    start.environment()
    (start.VENV / "kept").touch()
    start.LOCK.write_text(start.LOCK.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    start.environment()
    assert len(start.filled) == 2
    assert (start.VENV / "kept").exists()


def stop(start):
    raise KeyboardInterrupt


def never_completed(start):
    a_venv(start.VENV)  # Ctrl-C during pip, or `uv venv`


def without_python(start):
    start.VENV.mkdir()  # Ctrl-C during venv


def stopped_while_updating(start):
    start.environment()
    start.LOCK.write_text(start.LOCK.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    start.fill, fill = (lambda: stop(start)), start.fill
    with pytest.raises(KeyboardInterrupt):
        start.environment()
    start.fill = fill
    start.filled.clear()


def python_is_gone(start):
    start.environment()
    start.python_of(start.VENV).unlink()
    start.python_of(start.VENV).symlink_to("/gone/python")
    start.filled.clear()


def of_another_python(start):
    start.environment()
    start.STAMP.write_text(json.dumps(start.expected() | {"python": "3.9"}), encoding="utf-8")
    start.filled.clear()


def moved(start):
    start.environment()
    start.STAMP.write_text(json.dumps(start.expected() | {"place": "/elsewhere/.venv"}), encoding="utf-8")
    start.filled.clear()


def a_stamp_of_no_use(start):
    a_venv(start.VENV)
    start.STAMP.write_text("ready", encoding="utf-8")


TRAPS = [
    never_completed,
    without_python,
    stopped_while_updating,
    python_is_gone,
    of_another_python,
    moved,
    a_stamp_of_no_use,
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_whatever_is_half_made_or_does_not_fit_is_made_from_nothing(start, trap, capsys):
    trap(start)
    (start.VENV / "half").touch()
    start.environment()
    assert len(start.filled) == 1
    assert not (start.VENV / "half").exists()
    assert ".venv is made anew: it" in capsys.readouterr().out
    assert not start.misfit()


def test_what_fails_is_told_with_the_cure_and_leaves_no_stamp(start, monkeypatch):
    def fill():
        raise subprocess.CalledProcessError(1, "uv")

    monkeypatch.setattr(start, "fill", fill)
    with pytest.raises(start.CannotStartError, match="make clean"):
        start.environment()
    assert not start.STAMP.exists()


def test_of_two_at_once_one_waits_and_finds_it_made(start):
    script = textwrap.dedent(
        f"""
        import importlib.util, pathlib, sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from tests.test_start import a_venv, loaded
        start = loaded(pathlib.Path({str(start.ROOT)!r}))
        start.check_room = lambda: None
        start.from_nothing = lambda why: a_venv(start.VENV)
        start.fill = lambda: (print("filled", flush=True), time.sleep(1))
        start.environment()
        """
    )
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=120)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert "".join(said).count("filled") == 1


def test_a_full_disk_is_told_before_anything_is_made(tmp_path, monkeypatch):
    for name in ("start.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    start = loaded(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2e9))
    with pytest.raises(start.CannotStartError, match=r"nearly full: 2.0 GB are free, 8 are needed"):
        start.environment()
    assert not start.VENV.exists()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "mac", "fault"),
    [
        ("Linux", "x86_64", ("glibc", "2.28"), "", ""),
        ("Linux", "aarch64", ("glibc", "2.36"), "", ""),
        ("Linux", "x86_64", ("glibc", "2.17"), "", "Linux with glibc 2.17"),
        ("Linux", "x86_64", ("", ""), "", "such as musl"),
        ("Linux", "i686", ("glibc", "2.36"), "", "i686"),
        ("Darwin", "arm64", ("", ""), "14.5", ""),
        ("Darwin", "arm64", ("", ""), "13.6", "macOS 13.6"),
        ("Darwin", "x86_64", ("", ""), "14.5", "Intel"),
        ("Windows", "AMD64", ("", ""), "", ""),
        ("Windows", "ARM64", ("", ""), "", "ARM64"),
        ("FreeBSD", "amd64", ("", ""), "", "FreeBSD"),
    ],
)
def test_a_machine_without_a_wheel_is_known(system, machine, libc, mac, fault, monkeypatch):
    start = loaded(ROOT)
    monkeypatch.setattr(start.platform, "libc_ver", lambda: libc)
    monkeypatch.setattr(start.platform, "mac_ver", lambda: (mac, ("", "", ""), ""))
    told = start.fault_of_platform(system, machine)
    assert fault in told
    assert bool(told) == bool(fault)


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_another_python_is_refused_in_words(version, monkeypatch):
    start = loaded(ROOT)
    monkeypatch.setattr(start.sys, "version_info", version)
    with pytest.raises(start.CannotStartError, match=r"Python 3.11 to 3.14 is needed.*make PYTHON=python3.12"):
        start.check_machine()


def test_uv_is_installed_by_its_checksum():
    start = loaded(ROOT)
    block = start.block_of("uv", start.LOCK.read_text(encoding="utf-8"))
    assert block.startswith("uv==")
    assert block.count("==") == 1
    assert block.count("--hash=sha256:") > 1
    assert "--require-hashes" in (ROOT / "start.py").read_text(encoding="utf-8")


def test_a_folder_that_may_not_be_written_to_is_told(start, monkeypatch):
    monkeypatch.setattr(start, "TURN", start.ROOT / "gone" / ".venv.turn")
    with pytest.raises(start.CannotStartError, match=r"may not be written to.*copy the course"):
        start.environment()
