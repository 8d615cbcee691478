"""All-reduce in switches: they read, add and write, so that a rank sends its vector once.

    nvls        T = 2 a + n (1 + 1/P) / e b                inside one innermost domain
    nvls_tree   T = 2 a_0 + 2 ceil(lg N) a + max(n (1 + 1/G) / e b_0, 2 n/G b)
    sharp       T = 2 a_0 + 2 h a + max(2 n (G-1)/G b_0, n/G b),    h = ceil(log_32 N)

NVLS: the domain's switch reads n from every rank, adds, and writes n / P to it, then the other way
round; e is the share of the rate that its multicast gets. NVLSTree does so in every domain of G
ranks and joins the N = P / G domains by two trees, a G-th of the vector over every rank's own link.
SHARP: a G-th goes up once from every rank and comes down once; h levels of switches of 64 ports, a
then a latency and a cable of the tier that holds the level; inside the domain the vector is
scattered to all at once and gathered (CollNetDirect). On one tier G = 1: 2 h a + n b.

They need hardware that must be known to be there: none is a candidate by default.

Source: Klenk et al., "An in-network architecture for accelerating shared-memory multiprocessor
collectives", ISCA 2020; Graham et al., "Scalable hierarchical aggregation protocol (SHArP)", COMHPC
2016; e: NCCL 2.30, src/graph/tuning.cc, 0.74 on Blackwell, 0.85 on Hopper.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .model import Demand, Model, tiers_used
from .tree import sent_by_busiest, tree_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODELS", "lacking"]

_DOWN = 32  # of 64 ports of a switch, half lead down
_EFFICIENCY = 0.74
"""e: the newer of NCCL's two. Besides a tier's own efficiency: of 900 GB/s with 0.82 it leaves 487
GB/s of an all-reduce on 8 ranks; measured on 8 B200 were 480 to 482."""


def lacking(name: str, reduction: Sequence[str]) -> str:
    """Return what a model needs of the tiers that are used and does not find; "" if nothing.

    Parameters
    ----------
    reduction
        What the switches of each tier used reduce by, innermost first: none, nvls or sharp.
    """
    inner, outer = reduction[0], reduction[1:] or reduction[:1]
    if name.startswith("nvls") and inner != "nvls":
        return "NVLS in the innermost tier"
    if name == "nvls" and len(reduction) > 1:
        return "all ranks inside the innermost tier"
    if name == "sharp" and set(outer) != {"sharp"}:
        return "SHARP in every tier beyond the innermost"
    return ""


def _nvls(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout
    steps = np.zeros(len(sizes))
    steps[tiers_used(ranks, sizes) - 1] = 2
    return _streamed(ranks, sizes, steps, np.full(len(sizes), (1 + 1 / ranks) / _EFFICIENCY))


def _nvls_tree(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    group = min(ranks, sizes[0])
    steps = tree_steps(ranks, sizes, layout, group)
    steps[0] += 2
    sent = np.full(len(sizes), sent_by_busiest(ceil(ranks / group)) / group)
    sent[0] = (1 + 1 / group) / _EFFICIENCY
    return _streamed(ranks, sizes, steps, sent)


def _sharp(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout  # switches reduce whoever hangs below them
    used = tiers_used(ranks, sizes)
    group = sizes[0] if used > 1 else 1
    steps, reached = np.zeros(len(sizes)), group
    steps[0] = 2.0 * (group > 1)
    while reached < ranks or not steps[used - 1]:
        reached *= _DOWN  # a level of the tree crosses no more than the tier that holds it
        steps[next(tier for tier in range(used) if sizes[tier] >= min(reached, ranks))] += 2
    sent = np.full(len(sizes), 1 / group)
    if group > 1:
        sent[0] = 2 * (group - 1) / group
    return _streamed(ranks, sizes, steps, sent)


def _streamed(ranks: int, sizes: tuple[int, ...], steps: np.ndarray, sent: np.ndarray) -> Demand:
    """Return a demand whose bytes pass all tiers used at the same time."""
    used = np.arange(len(sizes)) < tiers_used(ranks, sizes)
    return Demand(
        steps=steps,
        bytes_per_byte=np.where(used, sent, 0.0),
        share=np.ones(len(sizes)),
        reduced_per_byte=1.0,
        pipelined=True,
    )


MODELS = (
    Model(
        name="nvls",
        collective="all_reduce",
        pattern="exchange",
        formula="2 a + n (1 + 1/P) / 0.74 b + n c",
        source="Klenk et al., ISCA 2020",
        count=_nvls,
        default=False,
    ),
    Model(
        name="nvls_tree",
        collective="all_reduce",
        pattern="exchange",
        formula="2 a0 + 2 ceil(lg P/G) a + max(n (1 + 1/G) / 0.74 b0, 2n/G b) + n c",
        source="NCCL 2.30, src/graph/tuning.cc",
        count=_nvls_tree,
        least_tiers=2,
        default=False,
    ),
    Model(
        name="sharp",
        collective="all_reduce",
        pattern="exchange",
        formula="2 ceil(log_32 P) a + n b + n c",
        source="Graham et al., COMHPC 2016",
        count=_sharp,
        default=False,
    ),
)
