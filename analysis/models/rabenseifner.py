"""All-reduce after Rabenseifner: reduce-scatter by halving, all-gather by doubling.

    T = 2 lg P a + 2 n (P-1)/P b + n (P-1)/P c                       P a power of two
    T = (2 floor(lg P) + 2) a + (2 (Q-1)/Q + 2) n b + (1 + (Q-1)/Q) n c    else, Q = 2^floor(lg P)

Round k exchanges n / 2^(k+1) with rank r xor 2^k, so that the largest parts travel the shortest
way, as in MPICH.

Source: Rabenseifner, "Optimization of collective reduction operations", ICCS 2004; Thakur,
Rabenseifner and Gropp, IJHPCA 19 (2005).
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, exchange_tier

__all__ = ["MODEL", "messages", "reduced"]


def messages(ranks: int) -> list[tuple[int, float]]:
    """Return distance and part of the vector of every message on the critical path."""
    rounds = ranks.bit_length() - 1
    folded = ranks != 1 << rounds
    # Folding leaves every second rank of the front, which doubles distances there.
    halving = [((1 + folded) << k, 0.5 ** (k + 1)) for k in range(rounds)]
    return halving * 2 + [(1, 1.0), (1, 1.0)] * folded


def reduced(ranks: int) -> float:
    """Return the bytes that a rank reduces, per byte of the vector."""
    rounds = ranks.bit_length() - 1
    return 1 - 0.5**rounds + (ranks != 1 << rounds)


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps, sent = np.zeros(len(sizes)), np.zeros(len(sizes))
    for distance, part in messages(ranks):
        tier = exchange_tier(distance, ranks, sizes, layout)
        steps[tier] += 1
        sent[tier] += part
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=np.ones(len(sizes)),
        reduced_per_byte=reduced(ranks),
        pipelined=False,
    )


MODEL = Model(
    name="rabenseifner",
    collective="all_reduce",
    pattern="exchange",
    formula="2 lg P a + 2n(P-1)/P b + n(P-1)/P c",
    source="Rabenseifner, ICCS 2004",
    count=_count,
)
