"""One source of dependencies: pyproject.toml; the lock and environment.yml agree with it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
EXTRAS = PROJECT["optional-dependencies"]
LOCKED_EXTRAS = ("test", "dev", "live")


def wanted():
    lines = PROJECT["dependencies"] + [line for extra in LOCKED_EXTRAS for line in EXTRAS[extra]]
    return [Requirement(line) for line in lines]


def locked():
    """Name -> locked versions (several where the Python version decides)."""
    versions = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("requirement", wanted(), ids=lambda r: r.name)
def test_the_lock_holds_every_dependency_at_an_allowed_version(requirement):
    versions = locked().get(canonicalize_name(requirement.name), [])
    assert versions, f"{requirement.name} is not in requirements.lock; run `make lock`"
    assert all(requirement.specifier.contains(version) for version in versions), "run `make lock`"


def test_the_lock_pins_every_package_with_its_checksums():
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.M)[1:]
    assert [e.split()[0] for e in entries if "==" not in e.splitlines()[0] or "--hash=sha256:" not in e] == []


def test_conda_takes_its_packages_from_pyproject():
    (pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pip == ['-e ".[test]"']
    assert "test" in EXTRAS


def test_conda_installs_nothing_that_pyproject_does_not_name():
    names = [re.split(r"[=<>]", entry)[0] for entry in CONDA["dependencies"] if isinstance(entry, str)]
    assert names == ["python", "pip"]


def test_the_python_of_conda_is_one_that_the_project_supports():
    (python,) = [entry for entry in CONDA["dependencies"] if isinstance(entry, str) and entry.startswith("python=")]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text()
    lines = [line for line in text.splitlines() if re.match(r'\s+"[A-Za-z].*[<>=!~].*",|\s+"types-', line)]
    assert len(lines) >= len(PROJECT["dependencies"]) + len(EXTRAS["test"]) - 2
    assert [line for line in lines if "#" not in line and "pytest>=" not in line] == []


def test_the_packages_that_the_course_was_asked_for_are_there():
    names = {requirement.name for requirement in wanted()}
    assert {"torch", "torchvision", "jupyterlab", "matplotlib", "ipywidgets", "nbval"} <= names


def test_no_file_names_a_package_registry():
    host = re.compile("(?:py" + "pi|python" + "hosted|npm" + r"js)\.(?:org|com)")
    for name in ("pyproject.toml", "requirements.lock", "environment.yml", "Makefile", "README.md", ".ci/run"):
        assert not host.search((ROOT / name).read_text()), name
