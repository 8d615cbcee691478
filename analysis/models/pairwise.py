"""All-to-all in P - 1 rounds: in round i, n / P bytes go to rank r + i and come from rank r - i.

    T = (P-1) a + n (P-1)/P b

n is what each rank sends in all, its own part included. On tiers: of a rank's P - 1 partners,
D_t - inner_t are reached through tier t, whatever the layout.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19 (2005).
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, inner_sizes

__all__ = ["MODEL"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout  # every rank has the same partners under any layout
    reached = np.minimum(np.array(sizes, dtype=float), ranks)
    partners = reached - np.minimum(np.array(inner_sizes(sizes), dtype=float), ranks)
    return Demand(
        steps=partners,
        bytes_per_byte=partners / ranks,
        share=np.ones(len(sizes)),
        reduced_per_byte=0.0,
        pipelined=False,
    )


MODEL = Model(
    name="pairwise",
    collective="all_to_all",
    pattern="all_to_all",
    formula="(P-1)a + n(P-1)/P b",
    source="Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)",
    count=_count,
)
