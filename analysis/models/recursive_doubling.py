"""All-reduce by recursive doubling: in round k, whole vectors are exchanged with rank r xor 2^k.

    T = lg P (a + n b + n c)                   P a power of two
    T = (floor(lg P) + 2)(a + n b) + (floor(lg P) + 1) n c   else: neighbours fold before and after

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", Int. J. High Perform. Comput. Appl. 19 (2005); the fold as in MPICH's allreduce.
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, exchange_tier

__all__ = ["MODEL"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    rounds = ranks.bit_length() - 1
    folded = ranks != 1 << rounds
    # Folding leaves every second rank of the front, which doubles distances there.
    distances = [(1 + folded) << k for k in range(rounds)] + [1, 1] * folded
    steps = np.zeros(len(sizes))
    for distance in distances:
        steps[exchange_tier(distance, ranks, sizes, layout)] += 1
    return Demand(
        steps=steps,
        bytes_per_byte=steps.copy(),
        share=np.ones(len(sizes)),
        reduced_per_byte=float(rounds + folded),
        pipelined=False,
    )


MODEL = Model(
    name="recursive_doubling",
    collective="all_reduce",
    pattern="exchange",
    formula="lg P (a + n b + n c)",
    source="Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)",
    count=_count,
)
