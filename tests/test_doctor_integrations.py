"""Lightning, transformers and accelerate under the doctor: as they are, without a callback, and without harm."""

import contextlib
import io
import logging

import pytest

pytest.importorskip("lightning", reason='needs: pip install -e ".[integrations]"')
pytest.importorskip("accelerate", reason='needs: pip install -e ".[integrations]"')
pytest.importorskip("transformers", reason='needs: pip install -e ".[integrations]"')

import torch

from course_utils import doctor
from tests.helpers import doctor_accelerate, doctor_lightning, doctor_transformers
from tests.helpers.pages import block

KINDS = {"lightning": doctor_lightning, "transformers": doctor_transformers, "accelerate": doctor_accelerate}
ALL = {f"{kind}: {name}": made for kind, module in KINDS.items() for name, made in module.PROGRAMS.items()}
HEALTHY = [name for name, (cause, _) in ALL.items() if cause is None]
FAULTY = [name for name, (cause, _) in ALL.items() if cause is not None]
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about loaders, loggers and devices


@pytest.fixture(autouse=True)
def _quiet(capsys):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def watched(name):
    with doctor.watch() as report:
        model = ALL[name][1]()
    assert (report.recording.stumble, report.failures) == ("", ())
    return report, model.state_dict()


@pytest.mark.parametrize("name", HEALTHY)
def test_a_sound_training_is_told_no_fault_and_ends_with_the_same_weights(name):
    report, weights = watched(name)
    assert [finding.name for finding in report.findings] == []
    assert len(report.recording.updates) >= 18
    plain = ALL[name][1]().state_dict()
    assert {key for key in plain if not torch.equal(plain[key], weights[key])} == set()


@pytest.mark.parametrize("name", FAULTY)
def test_a_known_fault_is_named_first(name):
    report, _ = watched(name)
    assert [finding.name for finding in report.findings][:1] == [ALL[name][0]]


def in_page(title, **names):
    """What the block of the page prints, with these names around it."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block("DOCTOR.md", title), {"doctor": doctor, **names})
    return printed.getvalue()


def test_the_recipe_for_lightning_prints_a_report():
    trainer = doctor_lightning.L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    said = in_page("Lightning", trainer=trainer, module=doctor_lightning.Game(), loader=doctor_lightning.loader())
    assert "Doctor: healthy. 64 steps observed" in said


def test_the_recipe_for_transformers_prints_a_report(tmp_path):
    arguments = doctor_transformers.TrainingArguments(
        output_dir=tmp_path, use_cpu=True, report_to="none", disable_tqdm=True, num_train_epochs=1, learning_rate=5e-3
    )
    trainer = doctor_transformers.Trainer(
        doctor_transformers.gpt(), arguments, train_dataset=doctor_transformers.Text()
    )
    said = in_page("transformers", trainer=trainer)
    assert "24 steps observed" in said
    assert "NOTE clipping-always" in said  # the limit of 1 that a Trainer has by itself cuts each of these gradients
    assert "ERROR" not in said
    assert "WARNING" not in said


def test_the_recipe_for_accelerate_prints_a_report():
    accelerator, parts = doctor_accelerate.prepared()
    said = in_page("accelerate", accelerator=accelerator, loss_fn=torch.nn.CrossEntropyLoss(), **parts)
    assert "Doctor: healthy. 16 steps observed" in said
