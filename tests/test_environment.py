"""One source of dependencies: pyproject.toml; the lock and environment.yml agree with it."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import start

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["optional-dependencies"]
LOCKED_EXTRAS = ("course", "test", "dev")


def wanted():
    lines = PROJECT["dependencies"] + [line for extra in LOCKED_EXTRAS for line in EXTRAS[extra]]
    return [Requirement(line) for line in lines]


def locked():
    """Name -> locked versions (several where the Python version decides)."""
    versions = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M
    ):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("requirement", wanted(), ids=lambda r: r.name)
def test_the_lock_holds_every_dependency_at_an_allowed_version(requirement):
    versions = locked().get(canonicalize_name(requirement.name), [])
    assert versions, f"{requirement.name} is not in requirements.lock; run `make lock`"
    assert all(requirement.specifier.contains(version) for version in versions), "run `make lock`"


def test_the_lock_pins_every_package_with_its_checksums():
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert [e.split()[0] for e in entries if "==" not in e.splitlines()[0] or "--hash=sha256:" not in e] == []


def test_conda_takes_its_packages_from_pyproject():
    (pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pip == ['-e ".[course,test]"']
    assert {"course", "test"} <= EXTRAS.keys()


def test_conda_installs_nothing_that_pyproject_does_not_name():
    names = [re.split(r"[=<>]", entry)[0] for entry in CONDA["dependencies"] if isinstance(entry, str)]
    assert names == ["python", "pip"]


def test_the_python_of_conda_is_one_that_the_project_supports():
    (python,) = [entry for entry in CONDA["dependencies"] if isinstance(entry, str) and entry.startswith("python=")]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r'\s+"[A-Za-z].*[<>=!~].*",|\s+"types-', line)]
    assert len(lines) >= len(PROJECT["dependencies"]) + len(EXTRAS["test"]) - 2
    assert [line for line in lines if "#" not in line and "pytest>=" not in line] == []


def test_the_packages_that_the_course_was_asked_for_are_there():
    names = {requirement.name for requirement in wanted()}
    assert {"torch", "torchvision", "jupyterlab", "matplotlib", "ipywidgets", "nbval"} <= names


def test_no_dependency_of_the_package_has_an_upper_bound():
    """A new torch must not wait for us; exact versions are the lock's affair."""
    bounds = [(line, spec.operator) for line in PROJECT["dependencies"] for spec in Requirement(line).specifier]
    assert [line for line, operator in bounds if operator not in (">=",)] == []


def test_the_package_declares_what_it_imports_and_no_more():
    imported = set()
    for path in (ROOT / "course_utils").rglob("*.py"):
        if path.name == "make_photos.py" or "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []
            imported |= {name.partition(".")[0] for name in names}
    distributions = {"PIL": "pillow", "IPython": "ipython"}
    offered = {"pytest"}  # to those who have it, by a module of the doctor that nothing else imports
    foreign = {
        distributions.get(name, name) for name in imported - sys.stdlib_module_names - {"course_utils"} - offered
    }
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == foreign


def test_the_doctor_imports_torch_and_the_standard_library_alone():
    """It is meant for any loop, anywhere; only what torch itself imports may come with it."""
    code = "import sys, torch; had = set(sys.modules); from course_utils import doctor; print(set(sys.modules) - had)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    roots = {name.partition(".")[0] for name in ast.literal_eval(done.stdout)}
    assert roots - sys.stdlib_module_names - {"torch"} == {"course_utils"}


def test_no_slides_are_pressed_on_a_student():
    assert not [name for name in locked() if "slideshow" in name or "jupyterlab-fonts" in name]


def test_colab_gets_nothing_that_it_has():
    """The line of the README asks for what Colab lacks, without dependencies: its torch and its kernel stay."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ +%pip install (.+)$", readme, re.M)
    assert "--no-deps" in line
    lacking = {"anywidget", "psygnal"}
    assert set(line.split()) == {"-q", "--no-deps", "-e", "."} | lacking


def test_the_pythons_are_named_alike_everywhere():
    low, high = start.PYTHONS
    assert PROJECT["requires-python"] == f">=3.{low},<3.{high + 1}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python 3.{low} to 3.{high}" in readme
    flow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    pythons = flow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert pythons == [f"3.{low}", f"3.{high}"]


def test_every_text_is_read_and_written_with_its_encoding():
    """Windows would take another one. `open` of bytes needs none."""
    bare = re.compile(r"\b(?:read_text|write_text)\((?:[^()]|\([^()]*\))*\)")
    found = []
    for folder in ("course_utils", "tests", "benchmarks", "images"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                text = path.read_text(encoding="utf-8")
                found += [f"{path.name}: {call}" for call in bare.findall(text) if "encoding" not in call]
    assert found == []


def test_no_file_names_a_package_registry():
    host = re.compile("(?:py" + "pi|python" + "hosted|npm" + r"js)\.(?:org|com)")
    for name in ("pyproject.toml", "requirements.lock", "environment.yml", "Makefile", "README.md", ".ci/run"):
        assert not host.search((ROOT / name).read_text(encoding="utf-8")), name
