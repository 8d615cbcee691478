"""Broadcast of n bytes, and a send to the neighbour on a ring while receiving from the other.

    binomial            T = ceil(lg P) (a + n b)
    scatter_all_gather  T = 2 ceil(lg P) a + 2 n (P-1)/P b
    chain               T = (P-1) a + (P-2) min(S, n) b + n b
    send_recv           T = a + n b

A binomial tree doubles the ranks that have the vector; halves are scattered along the same tree and
gathered by doubling. NCCL passes pieces of S = 512 KiB along its ring: a pipelined chain of k of
them, (P-2 + k) (a + n b / k), whose latencies overlap once all ranks are busy. On a ring of
neighbours the slowest edge counts, the one that leaves the most domains.

Source: van de Geijn, "On global combine operations", J. Parallel Distrib. Comput. 22 (1994);
Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005); for the chain Sanders, Speck and Traff, Parallel
Computing 35 (2009), and NCCL 2.30, src/device/broadcast.h.
"""

from __future__ import annotations

import numpy as np

from . import ring
from .model import Chunks, Demand, Model, inner_sizes, shift_tier, shifted, tiers_used
from .tree import PIECE_BYTES

__all__ = ["MODELS"]


def _binomial(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps = np.zeros(len(sizes))
    for k in range((ranks - 1).bit_length()):
        steps[shift_tier(1 << k, ranks, sizes, layout)] += 1
    return Demand(
        steps=steps,
        bytes_per_byte=steps.copy(),
        share=1 / np.array(inner_sizes(sizes), dtype=float),  # one rank of a domain sends out
        reduced_per_byte=0.0,
        pipelined=False,
    )


def _scatter_all_gather(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps, parts = np.zeros(len(sizes)), []
    scattered = np.zeros(len(sizes))
    for k in range((ranks - 1).bit_length()):
        tier = shift_tier(1 << k, ranks, sizes, layout)
        part = min(1 << k, ranks - (1 << k)) / ranks
        steps[tier] += 2
        scattered[tier] += part
        parts.append((1 << k, part))
    gathered, share = shifted(parts, ranks, sizes, layout)
    return Demand(
        steps=steps,
        bytes_per_byte=scattered + gathered,
        share=share,
        reduced_per_byte=0.0,
        pipelined=False,
    )


def _chain(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    edges = ring.MODEL.demand(ranks, sizes, layout)
    fill = edges.steps / 2
    fill[np.flatnonzero(fill)[0]] -= 1
    return Demand(
        steps=edges.steps / 2,
        bytes_per_byte=np.where(np.arange(len(sizes)) < tiers_used(ranks, sizes), 1.0, 0.0),
        share=edges.share,
        reduced_per_byte=0.0,
        pipelined=True,
        chunks=Chunks(size=PIECE_BYTES, stream=1.0, fill=fill, steps=np.zeros(len(sizes))),
    )


def _send_recv(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    last = np.zeros(len(sizes))
    last[tiers_used(ranks, sizes) - 1] = 1.0
    alone = 1 / np.array(inner_sizes(sizes), dtype=float)  # one edge of the ring leaves a domain
    return Demand(
        steps=last,
        bytes_per_byte=last.copy(),
        share=np.ones(len(sizes)) if layout == "random" else alone,
        reduced_per_byte=0.0,
        pipelined=False,
    )


MODELS = (
    Model(
        name="binomial",
        collective="broadcast",
        pattern="exchange",
        formula="ceil(lg P) (a + n b)",
        source="Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)",
        count=_binomial,
    ),
    Model(
        name="scatter_all_gather",
        collective="broadcast",
        pattern="exchange",
        formula="2 ceil(lg P) a + 2n(P-1)/P b",
        source="van de Geijn, JPDC 22 (1994)",
        count=_scatter_all_gather,
    ),
    Model(
        name="chain",
        collective="broadcast",
        pattern="exchange",
        formula="(P-1) a + (P-2) min(512 KiB, n) b + n b",
        source="Sanders, Speck and Traff, Parallel Computing 35 (2009)",
        count=_chain,
        default=False,
    ),
    Model(
        name="neighbour",
        collective="send_recv",
        pattern="exchange",
        formula="a + n b",
        source="Hockney, Parallel Computing 20 (1994)",
        count=_send_recv,
    ),
)
