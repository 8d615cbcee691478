"""Summaries: a location with its interval, and the two bandwidths.

    median of one launch      95 % interval [x_(j), x_(n+1-j)], j the largest with
                              P(Binomial(n, 1/2) <= j - 1) <= 0.025; none below n = 6
    several launches          the launches' medians are the sample: order statistics from 6 on,
                              below that exp(mean +- t_{0.975, L-1} sd / sqrt(L)) of their
                              logarithms
    algbw = S / t,  busbw = algbw x factor(collective, ranks)

Sources: Le Boudec, "Performance Evaluation of Computer and Communication Systems", section 2.2;
Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems", SC15; nccl-tests,
doc/PERFORMANCE.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..bench.case import SIZELESS
from ..bench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Summary",
    "algbw_bytes_per_s",
    "bus_bytes",
    "busbw_factor",
    "launch_sd",
    "median_interval",
    "summarise",
]

_TAIL = 0.025  # each side of a 95 % interval
_EXACT_UP_TO = 1000  # samples; above, the normal approximation of the binomial differs by < 1 rank
_STUDENT_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
"""97.5 % quantile by degrees of freedom, from the usual table; more launches need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Location and interval of one row."""

    median_s: float
    low_s: float
    """Lower end of the 95 % interval of the median, in seconds; NaN where none can be given."""

    high_s: float


def summarise(launches: Sequence[NDArray[np.float64]]) -> Summary:
    """Summarise the samples of one or several launches, each of shape (repetition,), in seconds.

    Raises
    ------
    CaseError
        If a launch has no sample.
    """
    if not launches or any(len(sample) == 0 for sample in launches):
        raise CaseError("sample: found no repetition, expected at least 1")
    if len(launches) == 1:
        low_s, high_s = median_interval(launches[0])
        return Summary(median_s=float(np.median(launches[0])), low_s=low_s, high_s=high_s)
    medians = np.array([np.median(sample) for sample in launches])
    if len(medians) - 1 in _STUDENT_T and (medians > 0).all():
        logs = np.log(medians)
        half = _STUDENT_T[len(logs) - 1] * logs.std(ddof=1) / math.sqrt(len(logs))
        median_s = float(np.median(medians))
        low_s = min(median_s, float(np.exp(logs.mean() - half)))
        high_s = max(median_s, float(np.exp(logs.mean() + half)))
    else:
        median_s = float(np.median(medians))
        low_s, high_s = median_interval(medians)
    return Summary(median_s=median_s, low_s=low_s, high_s=high_s)


def launch_sd(low_s: float, high_s: float, launches: int) -> float:
    """Return the standard deviation of the logarithm of launches' medians behind an interval.

    What `summarise` did for 2 to 5 launches, undone; NaN for other numbers.
    """
    if launches - 1 not in _STUDENT_T or not 0 < low_s < high_s:
        return math.nan
    half = 0.5 * math.log(high_s / low_s)
    return half * math.sqrt(launches) / _STUDENT_T[launches - 1]


def median_interval(sample: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the median of independent samples; NaN, NaN below 6 of them."""
    rank = _lower_rank(len(sample))
    if rank == 0:
        return math.nan, math.nan
    ordered = np.sort(sample)
    return float(ordered[rank - 1]), float(ordered[len(sample) - rank])


@lru_cache(maxsize=1024)
def _lower_rank(n: int) -> int:
    """Return j of the module's formula, counted from 1; 0 where no interval reaches 95 %."""
    if n > _EXACT_UP_TO:
        return math.floor(0.5 * n - 0.98 * math.sqrt(n))
    allowed = _TAIL * 2.0**n if n < 1000 else math.ldexp(_TAIL, n)
    below = rank = 0
    while True:
        below += math.comb(n, rank)
        if below > allowed:
            return rank
        rank += 1


def busbw_factor(collective: str, ranks: int) -> float:
    """Return busbw / algbw: the bytes a rank must send on a ring per byte of message.

    all_reduce 2(P-1)/P; all_gather, reduce_scatter, all_to_all (P-1)/P; one-to-all and
    point-to-point 1; what has no message NaN, and all_to_allv too: it depends on the counts.
    """
    if collective == "all_reduce":
        return 2 * (ranks - 1) / ranks
    if collective in {"all_gather", "reduce_scatter", "all_to_all", "gather", "scatter"}:
        return (ranks - 1) / ranks
    return math.nan if collective in {*SIZELESS, "all_to_allv"} else 1.0


def bus_bytes(
    collective: str, ranks: int, message_bytes: int, busiest_bytes: int | None = None
) -> float:
    """Return the bytes whose quotient by the time is the bus bandwidth.

    The message times `busbw_factor`; or, where it is known (all_to_allv), what the busiest rank
    sends to the others or receives from them, whichever is more.
    """
    if busiest_bytes is not None:
        return float(busiest_bytes)
    return message_bytes * busbw_factor(collective, ranks)


def algbw_bytes_per_s(message_bytes: int, time_s: float) -> float:
    """Return message size over time; NaN for an empty message or a time that is not positive."""
    return message_bytes / time_s if message_bytes and time_s > 0 else math.nan
