"""A proof by cure touches nothing of the training, and is told in a sentence, a picture and JSON."""

import json
import math
import random
import re

import pytest
import torch

from course_utils import doctor
from tests.helpers.doctor_programs import learn, setup, with_dropout
from tests.helpers.doctor_proofs import proof_of, trained, with_two_models

# -- nothing of the training is touched -------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_numbers_are_the_same_to_the_last_bit(optimizer):
    def program():
        torch.manual_seed(3)
        s = setup(model=with_dropout(), optimizer=optimizer)
        learn(s, 2)
        return [*s.model.parameters(), torch.rand(3)]

    bare = program()
    with doctor.watch(prove=True, probe=True) as report:
        seen = program()
    assert report.recording.stumble == ""
    assert all(torch.equal(a, b) for a, b in zip(bare, seen, strict=True))


def test_a_proof_changes_neither_weights_nor_gradients_nor_modes_nor_random_streams():
    with doctor.watch(prove=True) as report:
        s = trained(lr=100.0, model=with_dropout())
    s.model.eval()
    before = [t.clone() for p in s.model.parameters() for t in (p, p.grad)]
    streams = torch.get_rng_state(), random.getstate()
    with torch.no_grad():
        assert report.prove().holds
        assert not torch.is_grad_enabled()
    after = [t for p in s.model.parameters() for t in (p, p.grad)]
    assert all(torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) for a, b in zip(before, after, strict=True))
    assert torch.equal(streams[0], torch.get_rng_state())
    assert streams[1] == random.getstate()
    assert not s.model.training


def test_another_watch_does_not_hear_the_replay():
    with doctor.watch(prove=True) as report:
        trained(lr=100.0)
    with doctor.watch() as other:
        report.prove()
    assert other.recording.updates == ()


def test_equal_runs_give_equal_proofs():
    one, other = (proof_of(lambda: trained(lr=100.0))[0] for _ in range(2))
    assert repr((one.without, one.cured, str(one))) == repr((other.without, other.cured, str(other)))  # NaN, too


# -- how it is shown --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proven():
    return proof_of(lambda: trained(lr=1e30))


def test_the_sentence_has_the_numbers_and_the_change(proven):
    assert re.search(
        r"The cure helps \(learning-rate-too-high\): with lr .+ in place of 1e\+30 the loss", str(proven[0])
    )


def test_the_picture_has_two_curves_and_says_in_words_what_it_shows(proven):
    html = proven[0]._repr_html_()
    assert html.count("<polyline") == 2
    assert 'role="img"' in html
    assert 'aria-label="The cure helps' in html
    assert "✕" in html, "a loss that is no number ends its curve with a cross"
    assert not any("nan" in points.lower() for points in re.findall(r'points="([^"]*)"', html))


def test_a_proof_without_a_replay_has_no_picture():
    proof, _ = proof_of(with_two_models)
    assert "<svg" not in proof._repr_html_()
    assert "No proof of" in proof._repr_html_()


def test_the_report_holds_its_proofs(proven):
    proof, report = proven
    assert report.proofs == (proof,)
    assert str(proof) in str(report)
    assert "<svg" in report._repr_html_()


def test_a_second_proof_takes_the_place_of_the_first():
    _, report = proof_of(lambda: trained(lr=100.0))
    again = report.prove(passes=20)
    assert report.proofs == (again,)
    assert len(again.cured) == 20


def test_a_proof_goes_through_json_also_where_a_loss_is_no_number(proven):
    report = proven[1].as_dict()
    (proof,) = report["proofs"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert proof["finding"] == "learning-rate-too-high"
    assert any(isinstance(loss, str) for loss in proof["without"])
    assert all(math.isfinite(loss) for loss in proof["cured"])
