"""The doctor outside a notebook: what a report stands on, its JSON, its names, and the command line."""

import json
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import doctor
from course_utils.doctor.__main__ import main
from course_utils.doctor.recording import Backward, Recording, Stop, Update
from course_utils.doctor.report import Report

SCRIPT = """\
import sys
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(8, 4)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    {zero}
    nn.functional.mse_loss(model(x), x[:, :1]).backward()
    optimizer.step()
print("said", sys.argv[1:])
{end}
"""


def filled(recording):
    report = Report()
    report.fill(recording)
    return report


def steps(count, *, clear=True):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with doctor.watch() as report:
        for _ in range(count):
            if clear:
                optimizer.zero_grad()
            F.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
            optimizer.step()
    return report


@pytest.fixture
def script(tmp_path):
    def write(*, zero="optimizer.zero_grad()", end=""):
        path = tmp_path / "train.py"
        path.write_text(SCRIPT.format(zero=zero, end=end), encoding="utf-8")
        return str(path)

    return write


def test_a_healthy_report_says_what_it_could_not_judge():
    said = str(steps(12))
    assert "Checked: the order of the step" in said
    assert "Not judged: measuring, for the model was not called without learning from it; the loader" in said


def test_after_an_exception_the_report_is_never_healthy():
    report = filled(Recording(updates=(Update(),), stop=Stop("KeyError", "'x'"), complete=False))
    assert "healthy" not in str(report)
    assert "KeyError" in report.headline


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Trying to backward through the graph a second time", "twice"),
        ("one of the variables needed for gradient computation has been modified by an inplace operation", "in place"),
        ("mat1 and mat2 shapes cannot be multiplied (8x4 and 5x1)", "Shapes"),
        ("mat1 and mat2 must have the same dtype, but got Double and Float", "types"),
        ("Expected all tensors to be on the same device, but found at least two devices", "devices"),
    ],
)
def test_an_error_of_torch_is_explained(message, title):
    (finding,) = filled(Recording(stop=Stop("RuntimeError", message), complete=False)).findings
    assert finding.name == "stopped-by-an-error"
    assert title in finding.title


def test_a_caught_error_of_a_backward_pass_is_explained_too():
    failed = Backward(failure="Trying to backward through the graph a second time")
    assert [f.name for f in filled(Recording(backwards=(failed,))).findings] == ["stopped-by-an-error"]


def test_the_report_as_a_dict_goes_through_json_unchanged():
    report = steps(6, clear=False).as_dict()
    assert json.loads(json.dumps(report)) == report
    assert report["version"] == 1
    assert report["severity"] == "error"
    assert report["steps"] == 6
    assert report["findings"][0]["name"] == "missing-zero-grad"


def test_an_open_report_has_no_dict():
    with pytest.raises(RuntimeError, match="has not ended"):
        Report().as_dict()


def test_an_allowed_finding_passes():
    report = steps(6, clear=False)
    with pytest.raises(AssertionError, match="missing-zero-grad"):
        report.assert_healthy()
    report.assert_healthy(allow={"missing-zero-grad"})


def test_allowing_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"got \['missing-zero'\]"):
        steps(6).assert_healthy(allow=["missing-zero"])


@pytest.mark.parametrize("recording", [Recording(), Recording(updates=(Update(),), stumble="KeyError: 3")])
def test_where_nothing_was_judged_nothing_is_healthy(recording):
    with pytest.raises(AssertionError, match=r"nothing to judge|no judgement"):
        filled(recording).assert_healthy()


def test_every_known_fault_is_listed_with_its_cure():
    names = [rule.name for rule in doctor.rules()]
    assert len(set(names)) == len(names) > 60
    assert all(rule.title and rule.why and rule.lesson for rule in doctor.rules())


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 0), ({"zero": "pass"}, 2), ({"end": "raise KeyError(3)"}, 3), ({"end": "sys.exit(4)"}, 4)],
)
def test_the_exit_status_tells_the_severity(script, changes, status):
    assert main([script(**changes)]) == status


def test_the_script_gets_its_arguments_and_the_report_comes_last(script, capsys):
    main([script(), "--epochs", "3"])
    said = capsys.readouterr().out
    assert said.startswith("said ['--epochs', '3']")
    assert "Doctor: healthy. 6 steps observed" in said


def test_with_json_nothing_else_is_on_stdout(script, capsys):
    main(["--json", script()])
    assert json.loads(capsys.readouterr().out)["steps"] == 6


def test_a_script_may_be_probed_and_its_finding_proved(script, capsys):
    main(["--json", "--probe", "--prove", script(zero="pass")])
    report = json.loads(capsys.readouterr().out)
    assert [proof["finding"] for proof in report["proofs"]] == ["missing-zero-grad"]
    assert "determinism" in " ".join(report["judged"])


def test_a_missing_script_is_refused_with_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["nowhere.py"])
    assert "try python -m course_utils.doctor train.py" in capsys.readouterr().err


def test_the_doctor_needs_torch_and_the_standard_library_only():
    code = (
        "import sys, torch; before = set(sys.modules); import course_utils.doctor\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "print(sorted(new - {'torch', 'course_utils'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
