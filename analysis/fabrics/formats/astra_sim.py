"""ASTRA-sim's analytical network: one dimension per tier.

    npus_count_t = ceil(size_t / size_{t-1})     bandwidth_t = rate efficiency / taper, GB/s
    latency_t = latency + cable propagation, ns

The product of the counts may exceed the endpoints: dimensions are whole numbers.
"""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..fabric import Fabric

__all__ = ["to_astra_sim"]


def to_astra_sim(fabric: Fabric) -> str:
    """Return the text of a network yml."""
    inner = (1, *fabric.sizes[:-1])
    counts = [ceil(size / below) for size, below in zip(fabric.sizes, inner, strict=True)]
    rates, latencies = [], []
    for tier in fabric.tiers:
        share = tier.efficiency["exchange"].value / tier.oversubscription.value
        rates.append(tier.rate.value * share / 1e9)
        cable_s = tier.cable.value * fabric.propagation.value
        latencies.append((tier.latency.value + cable_s) * 1e9)
    lines = [
        f"# {fabric.name}: {fabric.endpoints.value:,.0f} endpoints, {prod(counts):,} NPUs here",
        f"topology: [ {', '.join(['Switch'] * len(counts))} ]",
        f"npus_count: [ {', '.join(map(str, counts))} ]",
        f"bandwidth: [ {', '.join(f'{rate:.6g}' for rate in rates)} ]  # GB/s",
        f"latency: [ {', '.join(f'{latency:.6g}' for latency in latencies)} ]  # ns",
    ]
    return "\n".join(lines) + "\n"
