"""All-gather and reduce-scatter, n the total over all ranks: half an all-reduce each.

    ring       T = (P-1) a + n (P-1)/P b          [+ n (P-1)/P c in the reduce-scatter]
    doubling   T = ceil(lg P) a + n (P-1)/P b     [+ n (P-1)/P c]

In round k of the second, min(2^k, P - 2^k) parts of n / P go 2^k ranks on (Bruck's all-gather, for
any P); a reduce-scatter is the same backwards.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19 (2005).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import ring
from .model import Demand, Model, shift_tier, shifted

__all__ = ["MODELS"]


def _ring(ranks: int, sizes: tuple[int, ...], layout: str, *, reduces: bool) -> Demand:
    both = ring.MODEL.demand(ranks, sizes, layout)
    return replace(
        both,
        steps=both.steps / 2,
        bytes_per_byte=both.bytes_per_byte / 2,
        reduced_per_byte=both.reduced_per_byte if reduces else 0.0,
    )


def _doubling(ranks: int, sizes: tuple[int, ...], layout: str, *, reduces: bool) -> Demand:
    steps, parts = np.zeros(len(sizes)), []
    for k in range((ranks - 1).bit_length()):
        steps[shift_tier(1 << k, ranks, sizes, layout)] += 1
        parts.append((1 << k, min(1 << k, ranks - (1 << k)) / ranks))
    sent, share = shifted(parts, ranks, sizes, layout)
    return Demand(
        steps=steps,
        bytes_per_byte=sent,
        share=share,
        reduced_per_byte=(ranks - 1) / ranks if reduces else 0.0,
        pipelined=False,
    )


def _models(collective: str, *, reduces: bool) -> tuple[Model, Model]:
    reduced = " + n(P-1)/P c" if reduces else ""
    source = "Thakur, Rabenseifner and Gropp, IJHPCA 19 (2005)"
    return (
        Model(
            name="halving" if reduces else "doubling",
            collective=collective,
            pattern="exchange",
            formula="ceil(lg P) a + n(P-1)/P b" + reduced,
            source=source,
            count=lambda ranks, sizes, layout: _doubling(ranks, sizes, layout, reduces=reduces),
        ),
        Model(
            name="ring_scatter" if reduces else "ring_gather",
            collective=collective,
            pattern="exchange",
            formula="(P-1)a + n(P-1)/P b" + reduced,
            source=source,
            count=lambda ranks, sizes, layout: _ring(ranks, sizes, layout, reduces=reduces),
        ),
    )


MODELS = (
    *_models("all_gather", reduces=False),
    *_models("reduce_scatter", reduces=True),
)
