"""All-reduce on trees and in switches: algorithms that are asked for by name.

    reduce_broadcast   T = 2 ceil(lg P) a + 2 ceil(lg P) n b + ceil(lg P) n c
    double_tree        T = 2 ceil(lg P) a + 2 n b + n c
    nvls               T = 2 a + n (1 + 1/P) b              inside one innermost domain
    sharp              T = 2 h a + n b,  h = ceil(log_32 P)  levels of switches with 64 ports

The first reduces along a binomial tree and broadcasts back. Two binary trees carry half of the
vector each, so that every rank sends and receives it twice; chunks are small against n, and their
time to fill the tree is left out. NVLS: the switch reads n from every rank, reduces, and writes
n / P to it, then the other way round. SHARP: n goes up once, n comes down once; a is then a
switch's latency.

They are no candidates of a fit by default: on one tier the second is Rabenseifner's in other words,
and the last two need hardware that must be known to be there.

Source: Sanders, Speck and Traff, "Two-tree algorithms for full bandwidth broadcast, reduction and
scan", Parallel Computing 35 (2009); Graham et al., "Scalable hierarchical aggregation protocol
(SHArP)", COMHPC 2016; Klenk et al., "An in-network architecture for accelerating shared-memory
multiprocessor collectives", ISCA 2020.
"""

from __future__ import annotations

import numpy as np

from .model import Demand, Model, inner_sizes, shift_tier, tiers_used

__all__ = ["MODELS"]

_DOWN = 32  # of 64 ports of a switch, half lead down


def _tree_steps(ranks: int, sizes: tuple[int, ...], layout: str) -> np.ndarray:
    steps = np.zeros(len(sizes))
    for k in range((ranks - 1).bit_length()):
        steps[shift_tier(1 << k, ranks, sizes, layout)] += 2
    return steps


def _binomial(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    steps = _tree_steps(ranks, sizes, layout)
    return Demand(
        steps=steps,
        bytes_per_byte=steps.copy(),
        share=1 / np.array(inner_sizes(sizes), dtype=float),  # one rank of a domain sends out
        reduced_per_byte=float(steps.sum() / 2),
        pipelined=False,
    )


def _double_tree(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    return _streamed(ranks, sizes, _tree_steps(ranks, sizes, layout), 2.0)


def _sharp(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout  # switches reduce whoever hangs below them
    levels, reached = 1, _DOWN
    while reached < ranks:
        levels, reached = levels + 1, reached * _DOWN
    steps = np.zeros(len(sizes))
    steps[tiers_used(ranks, sizes) - 1] = 2 * levels
    return _streamed(ranks, sizes, steps, 1.0)


def _nvls(ranks: int, sizes: tuple[int, ...], layout: str) -> Demand:
    del layout
    steps = np.zeros(len(sizes))
    steps[tiers_used(ranks, sizes) - 1] = 2
    return _streamed(ranks, sizes, steps, 1 + 1 / ranks)


def _streamed(ranks: int, sizes: tuple[int, ...], steps: np.ndarray, sent: float) -> Demand:
    """Return a demand whose bytes pass all tiers used at the same time."""
    used = np.arange(len(sizes)) < tiers_used(ranks, sizes)
    return Demand(
        steps=steps,
        bytes_per_byte=np.where(used, sent, 0.0),
        share=1 / np.array(inner_sizes(sizes), dtype=float),
        reduced_per_byte=1.0,
        pipelined=True,
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
        formula="2 ceil(lg P) a + 2n b + n c",
        source="Sanders, Speck and Traff, Parallel Computing 35 (2009)",
        count=_double_tree,
        default=False,
    ),
    Model(
        name="nvls",
        collective="all_reduce",
        pattern="exchange",
        formula="2 a + n (1 + 1/P) b",
        source="Klenk et al., ISCA 2020",
        count=_nvls,
        default=False,
    ),
    Model(
        name="sharp",
        collective="all_reduce",
        pattern="exchange",
        formula="2 ceil(log_32 P) a + n b",
        source="Graham et al., COMHPC 2016",
        count=_sharp,
        default=False,
    ),
)
