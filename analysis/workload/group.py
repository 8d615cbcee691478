"""Groups: the cost of one collective on every stride-th rank, all groups active at once.

A group of P ranks at stride s has size_t / s of its members below a domain of tier t. The other
s - 1 groups of that kind do the same at the same time; what a domain's uplinks carry then is the
share of senders that the model's demand names, so tapers bite as they would.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ..fabrics.routing import at_scale
from ..models import Costs, models_of, time_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..fabrics import Fabric

__all__ = ["exchange_s", "group_sizes", "message_s", "reduce_s"]


def group_sizes(
    sizes: tuple[int, ...], ranks: int, stride: int
) -> tuple[tuple[int, ...], list[int]]:
    """Return how many members one domain holds, tier by tier, and which tiers those are."""
    found: list[int] = []
    kept: list[int] = []
    for tier, size in enumerate(sizes):
        members = min(ceil(size / stride), ranks)
        if members > (found[-1] if found else 1):
            found.append(members)
            kept.append(tier)
    return tuple(found), kept


def _kept(costs: Costs, kept: list[int]) -> Costs:
    return replace(
        costs,
        alpha_s=costs.alpha_s[:, kept],
        beta_s_per_byte=costs.beta_s_per_byte[:, kept],
        taper=costs.taper[:, kept],
    )


def reduce_s(
    fabric: Fabric, ranks: int, stride: int, n: float, costs: Costs
) -> NDArray[np.float64]:
    """Return times of an all-reduce of n bytes by the fastest model, in seconds, shape (draw,)."""
    if ranks < 2:
        return np.zeros(len(costs.overhead_s))
    sizes, kept = group_sizes(fabric.sizes, ranks, stride)
    near, found = _kept(costs, kept), []
    for model in models_of("all_reduce", len(sizes)):
        demand = model.demand(ranks, sizes)
        met = at_scale(near, fabric, "exchange", demand.share, ranks * stride, kept)
        found.append(time_s(demand, np.array([n]), met)[:, 0])
    fastest: NDArray[np.float64] = np.min(found, axis=0)
    return fastest


def exchange_s(
    fabric: Fabric, ranks: int, stride: int, n: float, costs: Costs, outside: float = 1.0
) -> NDArray[np.float64]:
    """Return times of an all-to-all, in seconds, shape (draw,).

    n bytes per rank in all; of those for other nodes only the share `outside` goes there, the rest
    is copied on arrival.
    """
    if ranks < 2:
        return np.zeros(len(costs.overhead_s))
    sizes, kept = group_sizes(fabric.sizes, ranks, stride)
    model = next(m for m in models_of("all_to_all") if m.name == "pairwise")
    demand = model.demand(ranks, sizes)
    share = np.array([1.0 if tier == 0 else outside for tier in kept])
    demand = replace(demand, bytes_per_byte=demand.bytes_per_byte * share)
    met = at_scale(_kept(costs, kept), fabric, "all_to_all", demand.share, ranks * stride, kept)
    times: NDArray[np.float64] = time_s(demand, np.array([n]), met)[:, 0]
    return times


def message_s(fabric: Fabric, stride: int, n: float, costs: Costs) -> NDArray[np.float64]:
    """Return times of one message to the rank `stride` further on, in seconds, shape (draw,)."""
    tier = next((t for t, size in enumerate(fabric.sizes) if size > stride), len(fabric.sizes) - 1)
    tiers = list(range(tier + 1))
    met = at_scale(_kept(costs, tiers), fabric, "exchange", np.ones(len(tiers)), 2 * stride, tiers)
    wire = np.maximum(1.0, met.taper) * met.beta_s_per_byte
    times: NDArray[np.float64] = costs.alpha_s[:, tier] + n * wire.max(axis=1)
    return times
