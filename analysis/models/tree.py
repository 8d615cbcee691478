"""All-reduce on trees: up to a root and back.

    reduce_broadcast   T = 2 ceil(lg P) a + 2 ceil(lg P) n b + ceil(lg P) n c
    double_tree        T = 2 ceil(lg P) (a + min(S, n/2) b) + 2 n b + n c
    chain_tree         T = 2 (G-1) (a_0 + min(S, n) b_0) + 2 ceil(lg N) (a + min(S, n/2) b)
                           + max(2 n (G-1)/G b_0, 2 n/G b) + n c

The first reduces whole vectors along a binomial tree and broadcasts them back. Two binary trees,
leaves of one inside the other, carry half of the vector each, so that a rank sends 2 n in all (n at
P = 2, 3 n/2 at P = 3); it goes in pieces of S bytes, and one piece must have been up and down
before all ranks are busy: 2 ceil(lg P) times. With n/2 in k pieces: 2 lg P (a + n b / 2k) + 2 n b.
NCCL's tree runs as a chain inside domains of G ranks and as two trees between the N = P / G of
them, in as many ways as there are links: a G-th of the vector leaves over every rank's own.

They are no candidates of a fit by default: on one tier the second is Rabenseifner's in other words.

Source: Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005); Sanders, Speck and Traff, "Two-tree
algorithms for full bandwidth broadcast, reduction and scan", Parallel Computing 35 (2009); S and
the chain: NCCL 2.30, src/enqueue.cc (a step of the buffer, 4 MiB / 8; halved where fewer than 8
pieces per level would be under way) and src/graph/tuning.cc.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from .model import Chunks, Demand, Model, inner_sizes, shift_tier, tiers_used

__all__ = ["MODELS", "PIECE_BYTES", "sent_by_busiest", "tree_steps"]

PIECE_BYTES = 512 * 1024.0
"""S."""

_FEW = {1: 0.0, 2: 1.0, 3: 1.5}  # ranks -> n sent: roots have no parent, one child at P = 2


def sent_by_busiest(ranks: int) -> float:
    """Return what the busiest rank of two trees sends, per byte of the vector."""
    return _FEW.get(ranks, 2.0)


def tree_steps(ranks: int, sizes: tuple[int, ...], layout: str, stride: int = 1) -> np.ndarray:
    """Return hops up and down a tree of every stride-th rank, by tier."""
    steps = np.zeros(len(sizes))
    for k in range((ceil(ranks / stride) - 1).bit_length()):
        steps[shift_tier(stride << k, ranks, sizes, layout)] += 2
    return steps


def _binomial(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps = tree_steps(ranks, sizes, layout)
    return Demand(
        steps=steps,
        bytes_per_byte=steps.copy(),
        share=1 / np.array(inner_sizes(sizes), dtype=float),  # one rank of a domain sends out
        reduced_per_byte=float(steps.sum() / 2),
        pipelined=False,
    )


def _double_tree(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps = tree_steps(ranks, sizes, layout)
    used = np.arange(len(sizes)) < tiers_used(ranks, sizes)
    return Demand(
        steps=steps,
        bytes_per_byte=np.where(used, sent_by_busiest(ranks), 0.0),
        share=1 / np.array(inner_sizes(sizes), dtype=float),
        reduced_per_byte=1.0,
        pipelined=True,
        chunks=Chunks(size=PIECE_BYTES, stream=0.5, fill=steps, steps=np.zeros(len(sizes))),
    )


def _chain_tree(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    group = min(ranks, sizes[0])
    domains = ceil(ranks / group)
    steps = tree_steps(ranks, sizes, layout, group)
    used = np.arange(len(sizes)) < tiers_used(ranks, sizes)
    inside = 0 if layout != "random" else tiers_used(ranks, sizes) - 1
    sent = np.where(used, sent_by_busiest(domains) / group, 0.0)
    sent[0] = 0.0
    sent[inside] += 2 * (group - 1) / group  # every rank heads a G-th, and ends another
    fill = steps / 2  # half the vector: a piece of the whole counts twice
    steps[inside] += 2 * (group - 1)
    fill[inside] += 2 * (group - 1)
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=np.ones(len(sizes)),
        reduced_per_byte=1.0,
        pipelined=True,
        chunks=Chunks(size=PIECE_BYTES, stream=1.0, fill=fill, steps=np.zeros(len(sizes))),
    )


MODELS = (
    Model(
        name="reduce_broadcast",
        collective="all_reduce",
        pattern="exchange",
        formula="2 ceil(lg P) (a + n b) + ceil(lg P) n c",
        source="Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)",
        count=_binomial,
        default=False,
    ),
    Model(
        name="double_tree",
        collective="all_reduce",
        pattern="exchange",
        formula="2 ceil(lg P) (a + min(512 KiB, n/2) b) + 2n b + n c",
        source="Sanders, Speck and Traff, Parallel Computing 35 (2009)",
        count=_double_tree,
        default=False,
    ),
    Model(
        name="chain_tree",
        collective="all_reduce",
        pattern="exchange",
        formula="2(G-1)a0 + 2 ceil(lg P/G) a + max(2n(G-1)/G b0, 2n/G b) + n c",
        source="NCCL 2.30, src/graph/tuning.cc",
        count=_chain_tree,
        least_tiers=2,
        default=False,
    ),
)
