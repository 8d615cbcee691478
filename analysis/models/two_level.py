"""All-reduce in two levels: inside innermost domains of G ranks, and between the N = P / G domains.

    T = 2 (G-1) a_0 + 2 n (G-1)/G b_0 + T_R(N, n/G; a, b of the tiers above) + n (G-1)/G c

Reduce-scatter on a ring inside the domain, all-reduce of a G-th of the vector between ranks of
equal place (T_R after Rabenseifner, distances G times as long), all-gather on the ring. Where N is
no power of two, only that G-th is folded. On one tier it would be a ring.

Source: Jia et al., "Highly scalable deep learning training system with mixed-precision: training
ImageNet in four minutes", arXiv:1807.11205 (hierarchical all-reduce).
"""

from __future__ import annotations

from math import ceil

import numpy as np

from . import rabenseifner
from .model import Demand, Model, exchange_tier

__all__ = ["MODEL"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    group = min(ranks, sizes[0])
    domains = ceil(ranks / group)
    inside = layout != "random"  # ranks anywhere have no domain of their own
    tier = 0 if inside else exchange_tier(1, ranks, sizes, layout)
    steps, sent = np.zeros(len(sizes)), np.zeros(len(sizes))
    steps[tier] += 2 * (group - 1)
    sent[tier] += 2 * (group - 1) / group
    for distance, part in rabenseifner.messages(domains):
        tier = exchange_tier(distance * group, ranks, sizes, layout)
        steps[tier] += 1
        sent[tier] += part / group
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=np.ones(len(sizes)),
        reduced_per_byte=(group - 1) / group + rabenseifner.reduced(domains) / group,
        pipelined=False,
    )


MODEL = Model(
    name="two_level",
    collective="all_reduce",
    pattern="exchange",
    formula="2(G-1)a0 + 2n(G-1)/G b0 + rabenseifner(P/G, n/G)",
    source="Jia et al., arXiv:1807.11205",
    count=_count,
    least_tiers=2,
)
