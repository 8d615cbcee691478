"""All-reduce on a ring: reduce-scatter, then all-gather, chunks of n / P passed to the next rank.

    ring        T = 2 (P-1) a + 2 n (P-1)/P b + n (P-1)/P c
    rail_ring   T = 2 (P-1) a + 2 n (P-1)/P max(b_0, b/G) + n (P-1)/P c

On tiers: a chunk passes every edge of the ring twice, all but one; a contiguous ring leaves a
domain of D ranks over one edge, so 2 P/D steps are of the tier above. Every edge carries all bytes
at the same time, so the slowest tier counts; one rank in D loads a domain's uplinks. The second is
G rings, each of which leaves a domain of G ranks over another one's link with a G-th of the vector,
as NCCL lays them over the NICs of a node.

Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
J. Parallel Distrib. Comput. 69 (2009); NCCL 2.30, src/graph/connect.cc, for the rings over NICs.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from .model import Demand, Model, inner_sizes, tiers_used

__all__ = ["MODEL", "RAILED"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    used = tiers_used(ranks, sizes)
    inner = inner_sizes(sizes)[:used]
    if layout == "random":
        out_of = [(ranks - size) * ranks / (ranks - 1) for size in inner]
        share = [(ranks - size) / (ranks - 1) for size in inner]
    else:
        out_of = [ceil(ranks / size) for size in inner]
        share = [1 / size for size in inner]
    edges = np.array(out_of, dtype=float) - np.array([*out_of[1:], 0.0])
    # The worst path of P - 1 edges leaves out one of the cheapest.
    edges[np.flatnonzero(edges >= 1)[0]] -= 1
    padding = np.zeros(len(sizes) - used)
    each = 2 * (ranks - 1) / ranks
    return Demand(
        steps=np.concatenate([2 * edges, padding]),
        bytes_per_byte=np.concatenate([np.full(used, each), padding]),
        share=np.concatenate([share, padding]),
        reduced_per_byte=(ranks - 1) / ranks,
        pipelined=True,
    )


MODEL = Model(
    name="ring",
    collective="all_reduce",
    pattern="exchange",
    formula="2(P-1)a + 2n(P-1)/P b + n(P-1)/P c",
    source="Patarasuk and Yuan, JPDC 69 (2009)",
    count=_count,
)


def _railed(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    one = _count(ranks, sizes, layout)
    if tiers_used(ranks, sizes) == 1 or layout == "random":
        return one  # no domain that its ranks could share
    sent = one.bytes_per_byte.copy()
    sent[1:] /= sizes[0]
    return replace(one, bytes_per_byte=sent, share=np.minimum(1.0, sizes[0] * one.share))


RAILED = Model(
    name="rail_ring",
    collective="all_reduce",
    pattern="exchange",
    formula="2(P-1)a + 2n(P-1)/P max(b0, b/G) + n(P-1)/P c",
    source="NCCL 2.30, src/graph/connect.cc",
    count=_railed,
    least_tiers=2,
    fitted=False,
)
