"""A fixed quantum of work, timed again and again: what the machine takes from it is noise.

The method is FWQ, the fixed work quantum benchmark of Lawrence Livermore's Sequoia procurement
(see also Hoefler, Schneider and Lumsdaine, Characterizing the influence of system noise on
large-scale applications by simulation, SC10, whose Netgauge measures detours the same way). A rank
repeats a chain of dependent multiplications that nothing but a detour can lengthen; the stamps of
every quantum are stored like those of any operation, and the detours are derived from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..native import BUILTINS, Step, run
from .case import Case
from .mpi import load_mpi
from .units import parse_seconds

__all__ = ["noise_case", "quantum_ns", "quantum_steps"]

_LEAST_QUANTUM_NS = 20_000  # its jitter, some percent, is small against detours of 10 us and more
_MARK = "fwq:"
_ROUNDS = 10_000  # of one look at the core's speed: some 10 us
_LOOKS = 200


def quantum_ns(ranks: int, length_s: float, most_stamps: int) -> int:
    """Return the work of one sample, in ns: as little as leaves at most so many stamps in all.

    >>> quantum_ns(2, 5.0, 2_000_000), quantum_ns(1024, 5.0, 2_000_000)
    (20000, 2560000)
    """
    quantum = _LEAST_QUANTUM_NS
    while ranks * length_s * 1e9 / quantum > most_stamps:
        quantum *= 2
    return quantum


def noise_case(quantum: int) -> Case:
    """Return the case of a quantum in nanoseconds; whole microseconds."""
    return Case(collective="noise", message_bytes=0, algorithm=f"{_MARK}{quantum // 1000}us")


def quantum_steps(communicator: Any, case: Case) -> tuple[Step, ...]:
    """Return the work, calibrated to the fastest core of all ranks; collective.

    Every rank does the same work: one on a slower core takes longer for each quantum.
    """
    stamps = np.zeros((2, _LOOKS), np.int64)
    run((Step(BUILTINS["work"], (_ROUNDS,), "timed"),), *stamps)
    fastest_ns = int((stamps[1] - stamps[0]).min())
    fastest_ns = communicator.allreduce(fastest_ns, op=load_mpi().MIN)
    wanted_ns = parse_seconds(case.algorithm.removeprefix(_MARK)) * 1e9
    rounds = max(round(_ROUNDS * wanted_ns / fastest_ns), 1)
    return (Step(BUILTINS["work"], (rounds,), "timed"),)
