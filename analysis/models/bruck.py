"""All-to-all after Bruck, radix 2: in round k, every block whose index has bit k goes 2^k ranks on.

    T = ceil(lg P) a + (n/2) lg P b        blocks counted exactly where P is no power of two

The local rotations before and after (2 n bytes copied) are left out: on one tier they cannot be
told from a share of b.

Source: Bruck, Ho, Kipnis, Upfal and Weathersby, "Efficient algorithms for all-to-all communications
in multiport message-passing systems", IEEE TPDS 8 (1997).
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, shift_tier, shifted

__all__ = ["MODEL"]


def _count(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps, parts = np.zeros(len(sizes)), []
    for k in range((ranks - 1).bit_length()):
        steps[shift_tier(1 << k, ranks, sizes, layout)] += 1
        parts.append((1 << k, _with_bit(k, ranks) / ranks))
    sent, share = shifted(parts, ranks, sizes, layout)
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=share,
        reduced_per_byte=0.0,
        pipelined=False,
    )


def _with_bit(k: int, count: int) -> int:
    """Count the numbers 0 .. count-1 that have bit k."""
    period = 1 << (k + 1)
    return count // period * (period // 2) + max(0, count % period - period // 2)


MODEL = Model(
    name="bruck",
    collective="all_to_all",
    pattern="all_to_all",
    formula="ceil(lg P) a + (n/2) lg P b",
    source="Bruck et al., IEEE TPDS 8 (1997)",
    count=_count,
)
