"""Which programs are there? All of them, faulty ones first, in a fixed order."""

from functools import cache

from benchmarks.doctor.faults_data import data_faults
from benchmarks.doctor.faults_loss import loss_faults
from benchmarks.doctor.faults_measuring import measuring_faults
from benchmarks.doctor.faults_order import order_faults
from benchmarks.doctor.faults_rate import rate_faults
from benchmarks.doctor.healthy import healthy
from benchmarks.doctor.pairs import neighbours, reported
from benchmarks.doctor.program import Program
from benchmarks.doctor.reports import REPORTS
from benchmarks.doctor.wild import WILD

__all__ = ["corpus", "sample"]


@cache
def corpus() -> tuple[Program, ...]:
    """Every program, by fault; the healthy ones last."""
    faulty = (*order_faults(), *loss_faults(), *rate_faults(), *measuring_faults(), *data_faults())
    pairs = (*WILD, *REPORTS)
    return (*faulty, *reported(pairs), *healthy(), *neighbours(pairs))


def sample() -> tuple[Program, ...]:
    """The first program of each kind, and the last where there are eight or more: what the tests try."""
    kinds: dict[str, list[Program]] = {}
    for program in corpus():
        kinds.setdefault(program.id.rpartition("/")[0], []).append(program)
    return tuple(p for those in kinds.values() for p in (those[:1] if len(those) < 8 else (those[0], those[-1])))
