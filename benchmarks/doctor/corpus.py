"""Which programs are there? All of them, faulty ones first, in a fixed order."""

from functools import cache

from benchmarks.doctor.faults_data import data_faults
from benchmarks.doctor.faults_loss import loss_faults
from benchmarks.doctor.faults_measuring import measuring_faults
from benchmarks.doctor.faults_order import order_faults
from benchmarks.doctor.faults_rate import rate_faults
from benchmarks.doctor.healthy import healthy
from benchmarks.doctor.program import Program
from benchmarks.doctor.wild import wild_faults

__all__ = ["corpus"]


@cache
def corpus() -> tuple[Program, ...]:
    """Every program, by fault; the healthy ones last."""
    faulty = (*order_faults(), *loss_faults(), *rate_faults(), *measuring_faults(), *data_faults(), *wild_faults())
    return (*faulty, *healthy())
