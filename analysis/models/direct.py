"""All-to-all with every message under way at once: latencies and tiers overlap, receivers queue.

    T = o + (P-1)/W a + n (P-1)/P b + (P-1) min(n/P, M) b

W messages of a rank are in flight together; those to its own domain and to others flow at the same
time. What goes further passes the links of the tiers below: tier t carries the (P - P_{t-1})/P that
leave its inner domain, and the slowest counts. The last term is incast, affine in n: until the
receivers of everybody are in step, about one message per peer meets another at a receiver and waits
for it, but for no more than M bytes: what is longer waits at its sender for the receiver's word
(rendezvous). On one tier, beyond n = P M, it is a further delay M b per peer; below, b twice.

Source: Steffenel, "Modeling network contention effects on all-to-all operations", CLUSTER 2006, for
the affine form (delta per peer above a limit M, b times a factor below); W: NCCL 2.30,
src/enqueue.cc, 8 point-to-point operations of a channel at once; M: NCCL's chunk over the network,
128 KiB.
"""

from __future__ import annotations

import numpy as np

from .model import Chunks, Demand, Model
from .pairwise import partners

__all__ = ["MODEL"]

_AT_ONCE = 8
_INCAST_BYTES = 128 * 1024.0


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout  # every rank has the same partners under any layout
    reached = partners(ranks, sizes)
    return Demand(
        steps=reached / _AT_ONCE,
        bytes_per_byte=np.cumsum(reached[::-1])[::-1] / ranks,
        share=np.ones(len(sizes)),
        reduced_per_byte=0.0,
        pipelined=True,
        chunks=Chunks(
            size=_INCAST_BYTES, stream=1 / ranks, fill=reached, steps=np.zeros(len(sizes))
        ),
    )


MODEL = Model(
    name="direct",
    collective="all_to_all",
    pattern="all_to_all",
    formula="(P-1)/8 a + n(P-1)/P b + (P-1) min(n/P, 128 KiB) b",
    source="Steffenel, CLUSTER 2006",
    count=_count,
    fitted=False,
)
