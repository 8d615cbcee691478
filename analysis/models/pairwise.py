"""All-to-all in P - 1 rounds: in round i, n / P bytes go to rank r + i and come from rank r - i.

    T = (P-1) a + n (P-1)/P b

n is what each rank sends in all, its own part included. On tiers: of a rank's P - 1 partners,
P_t - P_{t-1} are reached through tier t, whatever the layout, P_t the ranks of one domain: of the
bytes, the share (P - P_t)/P leaves it.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19 (2005).
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, filled

__all__ = ["MODEL", "partners"]


def partners(ranks: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Return a rank's partners by tier, shape (tier,); P - 1 in all."""
    return np.diff(filled(ranks, sizes), prepend=1.0)


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout  # every rank has the same partners under any layout
    reached = partners(ranks, sizes)
    return Demand(
        steps=reached,
        bytes_per_byte=reached / ranks,
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
