"""Bound: the least time that physics allows a collective, whatever the algorithm.

    latency    one message through the outermost tier used: low latency + low cable x signal time
    bandwidth  max over tiers t used of  sent_t max(1, low taper_t) / (inner_t high rate_t)

A domain of inner_t ranks must send sent_t bytes into tier t (n the message, N = P / inner_t):

    all_reduce                                2 n (N-1)/N;  half where t or beyond reduces
    all_to_all                                inner_t n (P - inner_t)/P
    all_gather, reduce_scatter, gather, ...   n (N-1)/N
    broadcast, reduce, point-to-point         n
    barrier, copy                             0

`low` and `high` are the most favourable ends of a fabric's figures. Of all-to-all, the share
(P - inner_t)/P of every rank's bytes crosses tier t. Without a fabric: light over 3 m, and
`physics.least_bytes` at the fastest link announced.

Source: Patarasuk and Yuan, J. Parallel Distrib. Comput. 69 (2009), for 2 n (N-1)/N; the bisection
argument for all-to-all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .models.model import inner_sizes, tiers_used
from .physics import CEILING_BYTES_PER_S, least_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .fabrics import Fabric, Figure

__all__ = ["Bound", "bound_of", "least_out"]

_LIGHT_S = 1e-8  # 3 m: no smaller machine is asked about, and cores of one die take longer
_WHOLE = frozenset(
    {"broadcast", "reduce", "send_recv", "ping_pong", "unidirectional", "bidirectional", "pairs"}
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bound:
    """Least times of some sizes."""

    latency_s: float
    bandwidth_s: NDArray[np.float64]
    """Shape (size,)."""

    @property
    def time_s(self) -> NDArray[np.float64]:
        """The larger of both, shape (size,)."""
        return np.maximum(self.latency_s, self.bandwidth_s)

    @property
    def names(self) -> list[str]:
        """Which of both it is, per size."""
        return ["bandwidth" if b > self.latency_s else "latency" for b in self.bandwidth_s]


def bound_of(
    collective: str, ranks: int, sizes: Sequence[float], fabric: Fabric | None = None
) -> Bound:
    """Return the least times of a collective on so many ranks, for sizes in bytes."""
    n = np.array(sizes, dtype=float)
    if ranks < 2:
        return Bound(latency_s=0.0, bandwidth_s=np.zeros(len(n)))
    if fabric is None:
        needed = least_bytes(collective, np.full(len(n), ranks), n.astype(np.int64))
        return Bound(latency_s=_LIGHT_S, bandwidth_s=needed / CEILING_BYTES_PER_S)
    used = fabric.tiers[: tiers_used(ranks, fabric.sizes)]
    reducing = [
        any(tier.in_network_reduction.value != "none" for tier in used[k:])
        for k in range(len(used))
    ]
    outer = used[-1]
    latency = _low(outer.latency) + _low(outer.cable) * _low(fabric.propagation)
    rates = [
        least_out(collective, ranks, inner, reducing=reducing[k])
        * max(1.0, _low(tier.oversubscription)) / (inner * _high(tier.rate))
        for k, (tier, inner) in enumerate(zip(used, inner_sizes(fabric.sizes), strict=False))
    ]  # fmt: skip
    return Bound(latency_s=latency, bandwidth_s=n * max(rates))


def least_out(collective: str, ranks: int, inner: int, *, reducing: bool = False) -> float:
    """Return what a domain of `inner` ranks must send out, over the message.

    `reducing` says that switches may add what passes them.
    """
    domains = ceil(ranks / inner)
    if collective in {"barrier", "copy"}:
        return 0.0
    if collective in _WHOLE:
        return 1.0
    if collective == "all_to_all":
        return inner * (ranks - inner) / ranks
    part = (domains - 1) / domains
    return part * (2 if collective == "all_reduce" and not reducing else 1)


def _low(figure: Figure) -> float:
    return figure.value if figure.low is None else figure.low


def _high(figure: Figure) -> float:
    return figure.value if figure.high is None else figure.high
