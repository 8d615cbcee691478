"""All-to-all in two levels: what goes to one domain of G ranks is gathered first. N = P / G.

    aggregated     T = (G-1) a_0 + n (G-1)/G b_0 + (N-1) a + n (N-1)/N b
    rail_aligned   T = (G-1) a_0 + (N-1) a + max(n (G-1)/G b_0, n (N-1)/N b)

A rank hands every part to the rank of its domain that has the target's place there, then sends one
message of n / N to the rank of equal place in every other domain: n / N bytes a message instead of
n / P, N - 1 of them instead of P - 1. The second passes chunks on while others come in (PXN: over
NVLink to the GPU on the target's rail, then that rail's own leaf). Messages between ranks of equal
place cross the tier that holds both; where rails have leaves of their own, a fabric's tier of that
size says so. On one tier both are an exchange in one domain.

Source: Kumar, Mamidala and Panda, "Scaling alltoall collective on multi-core systems", IPDPS 2008
(the two phases); NVIDIA, "Doubling all2all performance with NVIDIA Collective Communication Library
2.12" (2022), for PXN.
"""

from __future__ import annotations

from functools import partial
from math import ceil

import numpy as np

from .model import Demand, Model, tiers_used
from .pairwise import partners

__all__ = ["MODELS"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str, *, chunked: bool) -> Demand:
    domains = ceil(ranks / sizes[0])
    group = ranks / domains
    steps = partners(ranks, sizes) / group  # domains instead of ranks, by the tier between them
    sent = steps / domains
    steps[0], sent[0] = 0.0, 0.0
    # Ranks anywhere have no domain of their own: the first phase crosses everything, too.
    inside = 0 if layout != "random" else tiers_used(ranks, sizes) - 1
    steps[inside] += group - 1
    if chunked:  # at the same time: what goes further passes the links below it, too
        sent[1:] = np.cumsum(sent[:0:-1])[::-1]
    sent[inside] += (group - 1) / group
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=np.ones(len(sizes)),
        reduced_per_byte=0.0,
        pipelined=chunked,
    )


MODELS = (
    Model(
        name="aggregated",
        collective="all_to_all",
        pattern="all_to_all",
        formula="(G-1)a0 + n(G-1)/G b0 + (P/G-1)a + n(1-G/P) b",
        source="Kumar, Mamidala and Panda, IPDPS 2008",
        count=partial(_count, chunked=False),
        least_tiers=2,
        default=False,
    ),
    Model(
        name="rail_aligned",
        collective="all_to_all",
        pattern="all_to_all",
        formula="(G-1)a0 + (P/G-1)a + max(n(G-1)/G b0, n(1-G/P) b)",
        source="NVIDIA, NCCL 2.12 (2022)",
        count=partial(_count, chunked=True),
        least_tiers=2,
        default=False,
    ),
)
