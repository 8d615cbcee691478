"""All-gather and reduce-scatter with parallel aggregated trees (PAT), n the total over all ranks.

    T = (M + n (P-1)/P / S) a + 3/2 P a_0 + n (P-1)/P b             [+ n (P-1)/P c]
    M = min(P - 1, ceil(lg P) + 49)

As many trees as ranks run at once; a message packs the parts of several until a buffer of S bytes
is full. So small parts need few messages, M, and parts that fill a buffer one for every S bytes.
Where an ideal tree needs lg P, NCCL's generator makes 55, 59 and 61 at P = 64, 1,024 and 4,096.
Every rank handles 3/2 P parts, whatever their size, inside its domain: what is "still a linear
part" in NCCL.

Source: Jeaugey, "PAT: a new algorithm for all-gather and reduce-scatter operations at scale",
arXiv:2506.20252; 3/2 P and S = 512 KiB (4 MiB in 8 steps) from NCCL 2.30's own generator.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .model import Chunks, Demand, Model, shift_tier, shifted, tiers_used

__all__ = ["MODELS"]

_BUFFER_BYTES = 512 * 1024.0
_HANDLED = 1.5
_MORE_MESSAGES = 49


def _count(ranks: int, sizes: tuple[int, ...], layout: str, *, reduces: bool) -> Demand:
    steps, parts = np.zeros(len(sizes)), []
    rounds = (ranks - 1).bit_length()
    for k in range(rounds):
        steps[shift_tier(1 << k, ranks, sizes, layout)] += 1
        parts.append((1 << k, min(1 << k, ranks - (1 << k)) / ranks))
    sent, share = shifted(parts, ranks, sizes, layout)
    outermost = np.arange(len(sizes)) == tiers_used(ranks, sizes) - 1
    steps[outermost] += min(ranks - 1 - rounds, _MORE_MESSAGES)
    steps[0] += _HANDLED * ranks
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=share,
        reduced_per_byte=(ranks - 1) / ranks if reduces else 0.0,
        pipelined=False,
        chunks=Chunks(
            size=_BUFFER_BYTES,
            stream=(ranks - 1) / ranks,
            fill=np.zeros(len(sizes)),
            steps=outermost.astype(float),
        ),
    )


MODELS = tuple(
    Model(
        name=name,
        collective=collective,
        pattern="exchange",
        formula="(min(P-1, lg P + 49) + n(P-1)/P / 512 KiB) a + 3/2 P a0 + n(P-1)/P b"
        + (" + n(P-1)/P c" if reduces else ""),
        source="Jeaugey, arXiv:2506.20252",
        count=partial(_count, reduces=reduces),
        default=False,
    )
    for collective, name, reduces in (
        ("all_gather", "pat_gather", False),
        ("reduce_scatter", "pat_scatter", True),
    )
)
