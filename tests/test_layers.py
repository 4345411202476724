"""The house: imports point down only, names are declared, starting up is cheap."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "course_utils"
FLOORS = {
    "arguments": 0, "algorithms": 0, "optim": 0, "schedules": 0, "surfaces": 0, "seeding": 0, "devices": 0,
    "reading": 0,
    "data": 1, "model": 1, "descent": 1, "curvature": 1, "catalog": 1, "plots": 1,
    "training": 2,
    "watch": 3, "doctor": 3,
    "apps": 4, "checks": 4,
}  # fmt: skip
DOOR = "arguments"  # every room has it, also those of its own floor; itself it needs none of them


def files():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def room(path):
    """The module or package directly below course_utils that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "course_utils":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("course_utils."))


def test_every_module_has_a_floor():
    assert {room(path) for path in files()} == set(FLOORS)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down_only(path):
    here = room(path)
    upward = [name for name in imported_rooms(path) if name not in (here, DOOR) and FLOORS[name] >= FLOORS[here]]
    assert upward == [], f"{here} is on floor {FLOORS[here]}"


def test_the_test_of_floors_sees_an_upward_import(tmp_path):
    wrong = tmp_path / "model.py"
    wrong.write_text("def f():\n    from course_utils import watch\n    import course_utils.checks\n", encoding="utf-8")
    assert [FLOORS[name] for name in imported_rooms(wrong)] == [3, 4]


def test_the_door_of_all_rooms_needs_neither_them_nor_torch():
    assert list(imported_rooms(PACKAGE / f"{DOOR}.py")) == []
    code = f"import sys, course_utils.{DOOR}; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_every_module_declares_its_public_names_and_explains_them(name):
    module = importlib.import_module(f"course_utils.{name}")
    assert module.__doc__
    assert "?" in module.__doc__.partition("\n")[0], "the first line says which question the module answers"
    assert module.__all__
    undocumented = [
        public for public in module.__all__
        if (inspect.isroutine(getattr(module, public)) or inspect.isclass(getattr(module, public)))
        and not inspect.getdoc(getattr(module, public))
    ]  # fmt: skip
    assert undocumented == []


def test_the_package_imports_no_heavy_library_that_is_not_asked_for():
    heavy = ("torchvision", "matplotlib", "IPython", "ipywidgets", "anywidget")
    code = f"import sys, course_utils; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_loop_and_the_data_need_neither_torchvision_nor_matplotlib():
    code = (
        "import sys, course_utils.data, course_utils.training, course_utils.model;"
        "print([m for m in ('torchvision', 'matplotlib', 'ipywidgets') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def lines_of(function):
    """The lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def test_no_file_has_over_400_lines_and_no_function_over_30():
    root = PACKAGE.parent
    ours = [path for place in ("course_utils", "tests", "benchmarks", "images") for path in (root / place).rglob("*.py")
            if "node_modules" not in path.parts]  # fmt: skip
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in [root / "start.py", *ours]}
    long = [name for name, text in texts.items() if len(text.splitlines()) > 400]
    functions = [(name, node) for name, text in texts.items() for node in ast.walk(ast.parse(text))
                 if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]  # fmt: skip
    assert len(functions) > 4000
    assert long + [f"{name}: {node.name}" for name, node in functions if lines_of(node) > 30] == []
