"""Apple's GPUs have no float64 and lack operations: numbers go to the CPU first, and one function widens them."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from course_utils import doctor
from course_utils.doctor.values import near, wide
from course_utils.doctor.vitals import fingerprints

FILES = sorted(Path(doctor.__file__).parent.rglob("*.py"))


def widened(source):
    """The lines in which ``.double()`` is called."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "double"]


def on_apple(tensor):
    """As a tensor on such a GPU: it can be moved, and not widened."""
    return SimpleNamespace(device=torch.device("mps"), cpu=lambda: tensor, is_complex=lambda: False)


def test_one_function_widens_numbers():
    found = {path.name: len(widened(path.read_text(encoding="utf-8"))) for path in FILES}
    assert {name: count for name, count in found.items() if count} == {"values.py": 1}


def test_numbers_of_an_apple_gpu_are_moved_first():
    tensor = torch.tensor([1.5])
    assert near(tensor) is tensor
    assert near(on_apple(tensor)) is tensor
    assert (wide(on_apple(tensor)).dtype, wide(tensor).dtype) == (torch.float64, torch.float64)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_fingerprint_is_the_same_in_whichever_batch_an_image_stands(sign):
    images = sign * torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole, parts = fingerprints(images), [fingerprints(images[i : i + 3]) for i in range(0, 64, 3)]
    assert torch.equal(whole, torch.cat(parts))
    assert len(set(whole[::2].tolist())) == 64


def test_fingerprints_tell_inputs_apart_that_differ_in_the_seventh_digit():
    one = torch.full((1, 20), 10_000.0, dtype=torch.float64)
    other = one.clone()
    other[0, 3] += 0.002
    assert not torch.equal(fingerprints(one), fingerprints(other))
    assert torch.equal(fingerprints(one), fingerprints(one * (1 + 2**-50)))


def test_fingerprints_tell_rows_of_few_different_numbers_apart():
    generator = torch.Generator().manual_seed(0)
    letters = torch.randint(0, 2, (2000, 26), generator=generator)
    pictures = torch.randint(0, 2, (500, 1, 16, 16), generator=generator).float()
    turned = torch.eye(16).reshape(16, 1, 4, 4)
    for inputs in (letters, pictures, turned):
        pairs = {tuple(pair) for pair in fingerprints(inputs).view(-1, 2).tolist()}
        assert len(pairs) == len(inputs.unique(dim=0))
