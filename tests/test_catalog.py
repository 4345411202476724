"""The tables agree with the installed torch, say so when they do not, and the figures agree with the tables."""

import dataclasses
import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from course_utils.catalog import Table, gaps, optimizers, parameters, schedulers
from course_utils.catalog.optimizer_texts import OPTIMIZER_NOTES
from course_utils.catalog.records import as_code
from course_utils.catalog.scheduler_texts import SCHEDULER_NOTES
from course_utils.catalog.table import Record
from course_utils.plots import COLORS

ROOT = Path(__file__).parent.parent
OPTIMIZER_NAMES = [entry.name for entry in optimizers()]
SCHEDULER_NAMES = [entry.name for entry in schedulers()]
PARAMETERS_OF_OPTIMIZERS = [(entry.name, each) for entry in optimizers() for each in entry.parameters]
PARAMETERS_OF_SCHEDULERS = [(entry.name, each) for entry in schedulers() for each in entry.parameters]
TRIED_WITH_OPTIMIZERS = [(name, each) for name, each in PARAMETERS_OF_OPTIMIZERS if each.worth_trying]
TRIED_WITH_SCHEDULERS = [(name, each) for name, each in PARAMETERS_OF_SCHEDULERS if each.worth_trying]


def weight(value=1.0):
    return torch.full((2, 2), value, dtype=torch.float64, requires_grad=True)


def an_optimizer():
    return torch.optim.SGD([weight()], lr=0.1, momentum=0.9)


def ids(pairs):
    return [f"{name}-{each.name}" for name, each in pairs]


# --- What torch has is explained, and nothing else -------------------------------------------------------------------


def test_everything_that_torch_has_is_explained_and_nothing_more():
    assert gaps() == ()


def test_the_optimizers_are_those_that_torch_declares():
    declared = {
        name
        for name in torch.optim.__all__
        if isinstance(getattr(torch.optim, name), type) and name != "Optimizer"
    }  # fmt: skip
    assert set(OPTIMIZER_NAMES) == declared


def test_the_schedulers_are_those_that_torch_declares():
    assert set(SCHEDULER_NAMES) == set(lr_scheduler.__all__) - {"LRScheduler"}


class Fast(torch.optim.SGD):
    """An optimizer that a later torch might have."""

    def __init__(self, params, lr=0.5, warp=9):
        super().__init__(params, lr=lr)


class Steep(lr_scheduler.StepLR):
    """A scheduler that a later torch might have."""

    def __init__(self, optimizer, slope=3):
        super().__init__(optimizer, slope)


def test_a_new_optimizer_of_torch_is_reported(monkeypatch):
    monkeypatch.setattr(torch.optim, "Fast", Fast, raising=False)
    assert gaps() == ("Fast is not explained", "Fast(warp=...) is not explained")


def test_a_new_optimizer_of_torch_is_in_the_table_all_the_same(monkeypatch):
    monkeypatch.setattr(torch.optim, "Fast", Fast, raising=False)
    assert (optimizers()["Fast"].default_lr, parameters("Fast")["warp"].default) == (0.5, 9)


def test_a_new_scheduler_of_torch_is_reported(monkeypatch):
    monkeypatch.setattr(lr_scheduler, "Steep", Steep, raising=False)
    assert gaps() == ("Steep is not explained", "Steep(slope=...) is not explained")


def test_a_new_scheduler_of_torch_is_in_the_table_all_the_same(monkeypatch):
    monkeypatch.setattr(lr_scheduler, "Steep", Steep, raising=False)
    assert "not explained" in schedulers()["Steep"].does


def test_a_new_parameter_of_an_optimizer_is_reported(monkeypatch):
    class Adagrad(torch.optim.Adagrad):
        def __init__(self, params, lr=0.01, lr_decay=0, initial_accumulator_value=0, twist=1):
            super().__init__(params)

    monkeypatch.setattr(torch.optim, "Adagrad", Adagrad)
    assert gaps() == ("Adagrad(twist=...) is not explained",)


def test_an_optimizer_that_torch_has_no_longer_is_reported(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    assert gaps() == ("Muon is explained, but torch has it no longer",)


def test_a_scheduler_that_torch_has_no_longer_is_reported(monkeypatch):
    monkeypatch.delattr(lr_scheduler, "CyclicLR")
    assert gaps() == ("CyclicLR is explained, but torch has it no longer",)


def test_a_parameter_that_an_optimizer_has_no_longer_is_reported(monkeypatch):
    class Adadelta(torch.optim.Adadelta):
        def __init__(self, params, lr=1.0, eps=1e-6):
            super().__init__(params)

    monkeypatch.setattr(torch.optim, "Adadelta", Adadelta)
    assert gaps() == ("Adadelta(rho=...) is explained, but torch has it no longer",)


@pytest.mark.parametrize("notes", [OPTIMIZER_NOTES, SCHEDULER_NOTES])
def test_a_shared_note_that_nothing_uses_is_reported(monkeypatch, notes):
    monkeypatch.setitem(notes, "zeal", "how eager it is")
    assert gaps() == ("zeal=... is explained, but nothing uses that note",)


def test_private_names_and_base_classes_are_no_optimizers_or_schedulers():
    assert not {"Optimizer", "LRScheduler", "_LRScheduler"} & {*OPTIMIZER_NAMES, *SCHEDULER_NAMES}


# --- The numbers are those of torch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_the_defaults_are_those_of_an_optimizer_made_without_options(name):
    made = getattr(torch.optim, name)([weight()]).defaults
    stated = {each.name: each.default for each in parameters(name) if not each.required and each.default is not None}
    assert stated == {key: made[key] for key in stated}


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_the_default_lr_is_that_of_an_optimizer_made_without_options(name):
    assert optimizers()[name].default_lr == getattr(torch.optim, name)([weight()]).defaults["lr"]


@pytest.mark.parametrize(("name", "each"), TRIED_WITH_OPTIMIZERS, ids=ids(TRIED_WITH_OPTIMIZERS))
def test_torch_accepts_every_value_called_worth_trying_for_an_optimizer(name, each):
    for value in each.worth_trying:
        options = {"momentum": 0.9} if each.name == "nesterov" else {}
        made = getattr(torch.optim, name)([weight()], **options, **{each.name: value})
        assert made.defaults[each.name] == value


@pytest.mark.parametrize(("name", "each"), TRIED_WITH_SCHEDULERS, ids=ids(TRIED_WITH_SCHEDULERS))
def test_torch_accepts_every_value_called_worth_trying_for_a_scheduler(name, each):
    needed = {other.name: other.worth_trying[0] for other in parameters(name) if other.required and other.worth_trying}
    if name == "OneCycleLR":
        needed["total_steps"] = 31
    if name == "SequentialLR":
        needed["milestones"], needed["schedulers"] = [20], []
    for value in each.worth_trying:
        optimizer = an_optimizer()
        options = needed | {each.name: value}
        if name == "SequentialLR":
            parts = [lr_scheduler.StepLR(optimizer, 5) for _ in range(len(options["milestones"]) + 1)]
            options["schedulers"] = parts
        assert getattr(lr_scheduler, name)(optimizer, **options)


@pytest.mark.parametrize("entry", [*optimizers(), *schedulers()], ids=lambda entry: entry.name)
def test_a_numeric_default_lies_within_the_values_worth_trying(entry):
    for each in entry.parameters:
        numbers = [value for value in each.worth_trying if isinstance(value, (int, float))]
        if numbers and isinstance(each.default, (int, float)) and each.name != "step_size_up":  # 2000 needs no sample
            assert min(numbers) <= each.default <= max(numbers), each.name


@pytest.mark.parametrize("pairs", [PARAMETERS_OF_OPTIMIZERS, PARAMETERS_OF_SCHEDULERS])
def test_the_values_worth_trying_are_sorted(pairs):
    unsorted = [
        f"{owner}.{each.name}"
        for owner, each in pairs
        if all(isinstance(value, (int, float)) for value in each.worth_trying)
        and list(each.worth_trying) != sorted(each.worth_trying)
    ]
    assert unsorted == []


# --- The sentences are true ------------------------------------------------------------------------------------------


def explained(word, name):
    """The optimizers whose explanation of the parameter ``name`` contains ``word``."""
    return [owner for owner, each in PARAMETERS_OF_OPTIMIZERS if each.name == name and word in each.explanation]


def left_of_a_weight_of_one(name):
    """After one step without a gradient, with lr 0.1 and weight_decay 0.5."""
    w = weight()
    w.grad = torch.zeros_like(w)
    getattr(torch.optim, name)([w], lr=0.1, weight_decay=0.5).step()
    return w[0, 0].item()


def test_weight_decay_called_decoupled_shrinks_by_lr_times_weight_decay():
    left = {name: left_of_a_weight_of_one(name) for name in explained("(decoupled)", "weight_decay")}
    assert left == pytest.approx({"AdamW": 0.95, "Adafactor": 0.95, "Muon": 0.95})


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "RMSprop", "Adam", "Adamax", "NAdam"])
def test_weight_decay_called_an_l2_penalty_is_rescaled_with_the_gradient(name):
    assert name in explained("L2 penalty", "weight_decay")
    assert left_of_a_weight_of_one(name) != pytest.approx(0.95, abs=1e-3)


def test_momentum_of_0_9_ends_in_steps_ten_times_as_long():
    w = weight(0.0)
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9)
    for _ in range(300):
        before = w.detach().clone()
        w.grad = torch.ones_like(w)
        optimizer.step()
    assert (before - w)[0, 0].item() == pytest.approx(10)


def test_dampening_equal_to_momentum_makes_an_average_of_gradients():
    w = weight()
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9, dampening=0.9)
    for gradient in (1.0, 2.0):
        w.grad = torch.full_like(w, gradient)
        optimizer.step()
    assert optimizer.state[w]["momentum_buffer"][0, 0].item() == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_the_momentum_of_nadam_begins_at_half_of_beta():
    w = weight()
    w.grad = torch.ones_like(w)
    optimizer = torch.optim.NAdam([w])
    optimizer.step()
    assert optimizer.state[w]["mu_product"].item() == pytest.approx(0.9 * (1 - 0.96**0.004 / 2))


def test_asgd_keeps_its_average_in_the_state_that_is_named():
    w = weight()
    optimizer = torch.optim.ASGD([w], t0=0.0)
    for _ in range(5):
        w.grad = torch.ones_like(w)
        optimizer.step()
    assert "optimizer.state[p]['ax']" in optimizers()["ASGD"].when_to_use
    assert optimizer.state[w]["ax"][0, 0] > w[0, 0]  # behind the last weights, which are still falling


def test_max_eval_of_lbfgs_is_what_none_is_said_to_mean():
    assert torch.optim.LBFGS([weight()], max_iter=20).defaults["max_eval"] == 1.25 * 20


@pytest.mark.parametrize("name", ["LBFGS", "SGD"])
def test_only_lbfgs_needs_a_closure(name):
    said = "needs a closure" in optimizers()[name].when_to_use
    optimizer = getattr(torch.optim, name)([weight()])
    if said:
        with pytest.raises(TypeError, match="closure"):
            optimizer.step()
    else:
        assert optimizer.step() is None


def test_sparse_adam_accepts_sparse_gradients_only():
    w = weight()
    w.grad = torch.ones_like(w)
    with pytest.raises(RuntimeError, match="does not support dense gradients"):
        torch.optim.SparseAdam([w]).step()


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match="2D"):
        torch.optim.Muon([torch.zeros(3, requires_grad=True)])


def learning_rates(make, calls):
    """The lr at the start and after each of ``calls`` calls of ``step()``."""
    optimizer = an_optimizer()
    scheduler = make(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(calls):
        optimizer.step()
        scheduler.step(*([1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_sample_is_a_scheduler_of_that_name(name):
    assert type(schedulers()[name].sample(an_optimizer())) is getattr(lr_scheduler, name)


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_sample_shows_its_shape_within_30_calls(name):
    rates = learning_rates(schedulers()[name].sample, 30)
    assert max(rates) >= 1.9 * min(rates)


@pytest.mark.parametrize("name", SCHEDULER_NAMES)
def test_a_cadence_is_one_of_three(name):
    assert schedulers()[name].cadence in ("epoch", "step", "either")


def test_steplr_called_per_batch_freezes_as_its_reason_says():
    rates = learning_rates(lambda optimizer: lr_scheduler.StepLR(optimizer, 1), 8)
    assert "below 1e-7 of itself in eight batches" in schedulers()["StepLR"].reason
    assert rates[8] < 1e-7 * rates[0] < rates[6]


def test_exponentiallr_leaves_what_its_reason_says():
    rates = learning_rates(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9), 156)
    assert "leaves 7e-8 of lr after 156 batches" in schedulers()["ExponentialLR"].reason
    assert rates[-1] / rates[0] == pytest.approx(7e-8, rel=0.1)


def test_a_cosine_rises_again_beyond_its_end():
    rates = learning_rates(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=10), 15)
    assert rates[15] > rates[10] + 0.01


def test_one_cycle_refuses_a_call_beyond_its_end():
    with pytest.raises(ValueError, match="Tried to step 6 times"):
        learning_rates(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5), 6)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_the_schedulers_said_to_replace_the_lr_of_the_optimizer_do(name):
    first = learning_rates(schedulers()[name].sample, 0)[0]
    assert any("Replaces the lr" in each.explanation for each in parameters(name))
    assert first != 0.1


@pytest.mark.parametrize("entry", list(optimizers()), ids=lambda entry: entry.name)
def test_an_optimizer_builds_on_older_ones_that_exist(entry):
    older = [optimizers()[name].year for name in entry.builds_on]
    assert all(year <= entry.year for year in older)


def test_a_paper_does_not_appear_before_its_first_version():
    papers = [entry.paper for entry in [*optimizers(), *schedulers()] if entry.paper]
    printed = {paper: int(re.search(r"(19|20)\d\d(?!.*(19|20)\d\d)", paper.venue)[0]) for paper in papers}
    assert [paper for paper in papers if not paper.year <= printed[paper] <= paper.year + 2] == []


@pytest.mark.parametrize("pairs", [PARAMETERS_OF_OPTIMIZERS, PARAMETERS_OF_SCHEDULERS])
def test_the_first_sentence_of_an_explanation_is_short(pairs):
    assert [each.summary for _, each in pairs if not 10 <= len(each.summary) <= 70] == []


# --- A table is read like a list and shown like a table --------------------------------------------------------------


def test_a_table_is_iterated_and_filtered_like_a_list():
    assert [row.name for row in optimizers() if row.year > 2018] == ["RAdam", "Muon"]


def test_a_table_has_positions():
    assert optimizers()[len(optimizers()) - 1] == optimizers()[-1] == optimizers()["Muon"]


def test_a_row_is_found_by_name():
    assert optimizers()["Adam"].default_lr == 0.001


def test_a_slice_is_a_smaller_table():
    assert optimizers()[:2] == optimizers().only("SGD", "LBFGS")


def test_only_keeps_the_order_that_was_asked_for():
    assert [row.name for row in optimizers().only("Adam", "SGD")] == ["Adam", "SGD"]


def test_where_keeps_the_rows_that_fit():
    assert [row.name for row in schedulers().where(lambda row: row.cadence == "step")] == ["CyclicLR", "OneCycleLR"]


def test_pick_chooses_the_columns():
    assert optimizers().pick("year", "name").columns == ("year", "name")


def test_the_oldest_optimizer_comes_first():
    years = [row.year for row in optimizers()]
    assert years == sorted(years)


def test_a_table_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizers().rows = ()


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizers()["SGD"].adds = "magic"


def test_parameters_come_in_the_order_of_the_signature():
    assert [each.name for each in parameters("SGD")][:4] == ["params", "lr", "momentum", "dampening"]


def test_parameters_of_a_scheduler_are_found_too():
    assert [each.name for each in parameters("StepLR") if each.required] == ["optimizer", "step_size"]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: parameters("adam"), "there is no optimizer or scheduler called 'adam'; try 'Adam' or"),
        (lambda: parameters("StepLr"), "try 'StepLR'"),
        (lambda: parameters(""), "try one of SGD, LBFGS"),
        (lambda: optimizers()["RMSProp"], "there is no row 'RMSProp'; try 'RMSprop'"),
        (lambda: optimizers().only("SGD", "Admw"), "there is no row 'Admw'; try 'AdamW'"),
        (lambda: optimizers().pick("when"), "there is no column 'when'; try"),
        (lambda: optimizers().pick(), "pick needs a column, got none; try one of name, adds"),
    ],
)
def test_an_unknown_name_is_refused_with_close_ones(ask, answer):
    with pytest.raises(ValueError, match=re.escape(answer)):
        ask()


@pytest.mark.parametrize("name", [None, 3, math.nan, ["SGD"]])
def test_a_name_that_is_no_string_is_refused_in_words(name):
    with pytest.raises(TypeError, match=re.escape(f"got {name!r}; try parameters('SGD')")):
        parameters(name)


def test_a_class_in_place_of_its_name_is_refused_with_its_name():
    with pytest.raises(TypeError, match=re.escape("try parameters('Adam')")):
        parameters(torch.optim.Adam)


# --- How it looks ----------------------------------------------------------------------------------------------------

TABLES = {
    "optimizers": optimizers(),
    "schedulers": schedulers(),
    **{name: parameters(name) for name in OPTIMIZER_NAMES + SCHEDULER_NAMES},
}
every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


@every_table
def test_the_text_fits_in_110_columns(table):
    assert max(map(len, repr(table).splitlines())) <= 110


@every_table
def test_the_html_leaves_colours_to_the_theme(table):
    assert not re.search(r"color|background|#[0-9a-f]{3}", table._repr_html_(), re.IGNORECASE)


@every_table
def test_all_cells_are_aligned_left(table):
    page = table._repr_html_()
    assert page.count("text-align: left") == len(table.columns) * (len(table) + 1)


@every_table
def test_no_noise_of_introspection_is_shown(table):
    assert not re.search(r"<required|inspect|object at|e-0|<class", repr(table) + table._repr_html_())


def test_a_false_default_is_shown_as_false():
    # the wrapping of tabulate itself turns the word into True
    assert re.search(r"nesterov +│ False", repr(parameters("SGD")))


def test_a_default_that_does_not_exist_is_said_so():
    assert parameters("StepLR")["step_size"].cell("default") == "must be given"


def test_a_paper_is_a_link_in_html():
    assert '<a href="https://arxiv.org/abs/1412.6980"' in optimizers().only("Adam")._repr_html_()


def test_html_signs_in_a_cell_are_escaped():
    page = Table((Record("<script>&"),), ("name",))._repr_html_()
    assert re.findall(r"\S{4}script\S{4}", page) == ["&lt;script&gt;"]


def test_an_empty_table_still_shows_its_columns():
    assert "when to use" in repr(optimizers()[:0])


@dataclasses.dataclass(frozen=True)
class Words(Record):
    """A row of anything."""

    words: str


tricky = st.sampled_from(["True", "False", "None", "nan", "1e5", "007", "-1", "--", "1,000", "a" * 130, "β²", "_x_"])
cells = st.lists(tricky, max_size=30).map(" ".join)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(cells, min_size=1, max_size=4))
def test_no_word_of_a_cell_is_lost_or_changed(texts):
    shown = repr(Table(tuple(Words("row", text) for text in texts), ("name", "words")))
    lines = [line.split("│")[2] for line in shown.splitlines() if line.startswith("│")]
    assert " ".join(lines).split() == " ".join(["words", *texts]).split()


@settings(derandomize=True, deadline=None)
@given(st.floats(-1e300, 1e300))
def test_a_number_is_written_so_that_python_reads_it_back(number):
    assert float(as_code(number)) == pytest.approx(number, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "written"),
    [(1e-8, "1e-8"), (1e6, "1e6"), (1 / 3, "0.33333"), (0.0, "0"), (True, "True"), ("cos", "'cos'"), (None, "None"),
     ((0.9, 0.999), "(0.9, 0.999)"), ((None, 1e-3), "(None, 0.001)")],
)  # fmt: skip
def test_a_value_is_written_as_one_would_type_it(value, written):
    assert as_code(value) == written


# --- The figures -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def draw():
    spec = importlib.util.spec_from_file_location("images_draw", ROOT / "images" / "draw.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


FIGURES = ["01_common_optimizers", "01_common_parameters"]
NUMBER = re.compile(r"-?\d+\.\d+")


def same_picture(first, second):
    """Whether two SVGs differ at most by a fiftieth of a point, so that another processor may round otherwise."""
    numbers = [[float(found) for found in NUMBER.findall(page)] for page in (first, second)]
    return NUMBER.sub("", first) == NUMBER.sub("", second) and numbers[0] == pytest.approx(numbers[1], abs=0.02)


def committed(name):
    return (ROOT / "images" / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIGURES)
def test_a_committed_figure_is_what_the_script_draws_now(draw, name):
    assert same_picture(committed(name), draw.svg(name).decode()), "run `python images/draw.py` and commit the result"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_follows_the_catalog(draw, name, monkeypatch):
    new_words = tuple(dataclasses.replace(each, explanation="Something else.") for each in parameters("SGD"))
    sgd = dataclasses.replace(optimizers()["SGD"], adds="something else", parameters=new_words)
    table = dataclasses.replace(optimizers(), rows=(sgd, *optimizers()[1:]))
    monkeypatch.setattr(draw, "optimizers", lambda: table)
    assert not same_picture(committed(name), draw.svg(name).decode())


def test_a_picture_shifted_by_a_point_is_not_the_same():
    assert not same_picture('<path d="M 1.5 2.0"/>', '<path d="M 2.5 2.0"/>')


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_smaller_than_300_kilobytes(name):
    assert len(committed(name)) < 300_000


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_letters_as_outlines_and_no_date(name):
    assert not re.search(r"<text|dc:date", committed(name))


def test_every_figure_has_its_alternative_text(draw):
    assert set(draw.ALT) == set(draw.FIGURES) == set(FIGURES)


def test_every_card_is_that_of_an_algorithm_of_the_course(draw):
    assert {card.name for card in draw.CARDS} <= set(COLORS)
    assert len(draw.CARDS) >= 7


def test_every_parameter_that_two_optimizers_share_has_its_row(draw):
    rows = {name for names in draw.GROUPS.values() for name in names}
    names = [each.name for _, each in PARAMETERS_OF_OPTIMIZERS]
    assert {name for name in names if names.count(name) > 1} <= rows


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "RMSprop", "Adam"])
def test_the_paths_said_to_arrive_come_near_the_lowest_point(draw, name):
    (card,) = (card for card in draw.CARDS if card.name == name)
    assert abs(draw.path(card.make)[-1]).max() < 0.7


def test_the_steps_of_adagrad_die_out_before_it_arrives(draw):
    (card,) = (card for card in draw.CARDS if card.name == "Adagrad")
    assert draw.path(card.make)[-1][0] < -0.5


def test_running_the_script_writes_the_figures_and_says_their_texts(draw, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(draw, "HERE", tmp_path)
    draw.main()
    assert [path.stem for path in sorted(tmp_path.iterdir())] == FIGURES
    assert all(text in capsys.readouterr().out for text in [draw.ALT[FIGURES[0]]])


@pytest.mark.parametrize("table", ["optimizers", "schedulers"])
def test_a_table_is_printed_on_a_terminal_that_knows_only_ascii(table):
    command = [sys.executable, "-c", f"from course_utils import catalog; print(catalog.{table}())"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    printed = done.stdout.decode("ascii")
    assert "+====" in printed
    assert "Adam" in printed or "StepLR" in printed
