"""Arrivals: how long ranks wait for the last one, and how long the operation takes then.

With start s and stop e of rank r in one repetition, and a = max_r s_r the last arrival:

    waiting_r  = a - s_r
    transfer_r = e_r - a        negative for a rank that could leave before the last one came
    whole      = max_r e_r - a  the statistic after_last_arrival

so that waiting and transfer add up to what the rank itself timed. In throughput mode a sample is a
batch: transfer is divided by its operations, waiting happens once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..bench.case import PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bench.sample import Measurement, Sample

__all__ = ["Arrival", "meet", "split"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival:
    """The two parts of every sample, in seconds."""

    waiting_s: NDArray[np.float64]
    """Shape (repetition, rank), at least 0: until the last rank came."""

    transfer_s: NDArray[np.float64]
    """Shape (repetition, rank): from then until this rank was done, per operation."""

    whole_s: NDArray[np.float64]
    """Shape (repetition,): from then until all ranks were done, per operation."""


def meet(found: Measurement) -> bool:
    """Whether the ranks of a measurement work together, so that one may keep others waiting."""
    apart = found.case.collective in PAIRS or found.case.collective == "noise"
    return found.ranks > 1 and found.sample.repetitions > 0 and not apart


def split(sample: Sample) -> Arrival:
    """Return waiting and transfer of a sample; needs a common clock."""
    last_ns = sample.start_ns.max(axis=1, keepdims=True)
    transfer_ns = sample.stop_ns - last_ns
    return Arrival(
        waiting_s=np.asarray((last_ns - sample.start_ns) * 1e-9, np.float64),
        transfer_s=np.asarray(transfer_ns * (1e-9 / sample.batch), np.float64),
        whole_s=sample.seconds("after_last_arrival"),
    )
