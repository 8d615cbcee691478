"""Cost: what a demand takes on tiers of given latency and rate.

    T = o + sum_t steps_t(n) a_t + n C + F + n reduced c
    w_t = max(1, taper_t share_t) b_t          s/byte of a message out of a domain into tier t
    path_t = max_{s <= t} w_s                  a message passes the tiers below its own on its way
    C = max_t bytes_t path_t                   where the algorithm pipelines over tiers
    C = sum_t bytes_t path_t                   where it does not
    F = sum_t filled_t(n) path_t               bytes that fill the pipe first; affine in n

o seconds once per call, a seconds per step, b seconds per byte (1 / (efficiency x rate)), c
seconds per byte reduced, taper the oversubscription. Latency and bandwidth as in Hockney, "The
communication challenge for MPP", Parallel Computing 20 (1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import Demand

__all__ = ["Costs", "time_s"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Costs:
    """Costs of the tiers, in as many draws as wanted."""

    overhead_s: NDArray[np.float64]
    """Shape (draw,)."""

    alpha_s: NDArray[np.float64]
    """Shape (draw, tier)."""

    beta_s_per_byte: NDArray[np.float64]
    """Shape (draw, tier)."""

    taper: NDArray[np.float64]
    """Oversubscription, shape (draw, tier)."""

    gamma_s_per_byte: NDArray[np.float64]
    """Shape (draw,)."""


def time_s(demand: Demand, message_bytes: NDArray[np.float64], costs: Costs) -> NDArray[np.float64]:
    """Return times in seconds, shape (draw, size), for sizes of shape (size,) in bytes."""
    wire = np.maximum(1.0, costs.taper * demand.share) * costs.beta_s_per_byte
    path = np.maximum.accumulate(wire, axis=1)
    carried = demand.bytes_per_byte * path
    per_byte = carried.max(axis=1) if demand.pipelined else carried.sum(axis=1)
    per_byte = per_byte + demand.reduced_per_byte * costs.gamma_s_per_byte
    waited = costs.alpha_s @ demand.steps_at(message_bytes).T
    if demand.chunks is not None:
        waited = waited + path @ demand.filled_at(message_bytes).T
    times: NDArray[np.float64] = (
        costs.overhead_s[:, None] + waited + per_byte[:, None] * message_bytes
    )
    return times
