"""Model and Demand: what an algorithm asks of every tier.

Tiers are given by their sizes, inner first: ``(72, 256, 65536)`` puts 72 ranks in a domain of the
innermost tier, 256 below one leaf, 65,536 in a pod; the last holds everybody. A message uses the
innermost tier that holds both its ends. inner_t is the size of the next smaller domain (1 where
t = 0): a message of tier t leaves a domain of inner_t ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...bench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "LAYOUTS",
    "Chunks",
    "Demand",
    "Model",
    "exchange_tier",
    "filled",
    "inner_sizes",
    "shift_tier",
    "shifted",
    "tiers_used",
]

LAYOUTS = ("contiguous", "random")
"""How ranks lie on a fabric: domain after domain, or anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunks:
    """A message that is passed on in pieces: of n bytes, k = n stream / size of them."""

    size: float
    """Bytes of a piece; a shorter message is one."""

    stream: float
    """Bytes that are cut, per byte of the collective's message."""

    fill: NDArray[np.float64]
    """Pieces that pass one after the other before all ranks are busy, by tier: min(size, n stream)
    bytes each."""

    steps: NDArray[np.float64]
    """Messages on the critical path for every piece, by tier."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What one collective asks of the tiers; every array has shape (tier,)."""

    steps: NDArray[np.float64]
    """Messages on the critical path, by their tier."""

    bytes_per_byte: NDArray[np.float64]
    """Bytes that a rank on the critical path sends in messages of that tier, per byte of the
    collective's message."""

    share: NDArray[np.float64]
    """Share of a domain's ranks that send out of it, into that tier, at once: loads its uplinks."""

    reduced_per_byte: float
    """Bytes reduced by a rank, per byte of message."""

    pipelined: bool
    """Whether the tiers carry their bytes at the same time (the slowest counts) or one by one."""

    chunks: Chunks | None = None
    """How a message is cut; None where its parts are passed on whole."""

    def steps_at(self, message_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return messages on the critical path, shape (size, tier), for sizes in bytes."""
        steps = np.broadcast_to(self.steps, (len(message_bytes), len(self.steps)))
        if self.chunks is None:
            return steps
        pieces = message_bytes * self.chunks.stream / self.chunks.size
        return steps + pieces[:, None] * self.chunks.steps

    def filled_at(self, message_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the bytes that fill the pipe, shape (size, tier), for sizes in bytes."""
        if self.chunks is None:
            return np.zeros((len(message_bytes), len(self.steps)))
        piece = np.minimum(self.chunks.size, message_bytes * self.chunks.stream)
        return np.asarray(piece[:, None] * self.chunks.fill)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One algorithm of one collective."""

    name: str
    collective: str
    pattern: Literal["exchange", "all_to_all"]
    """Key of a tier's efficiencies: one partner at a time, or everybody."""

    formula: str
    """Closed form on one tier: n bytes, P ranks, a seconds per step, b and c per byte."""

    source: str
    count: Callable[[int, tuple[int, ...], str], Demand]
    least_tiers: int = 1
    """Tiers below which the algorithm is another one."""

    default: bool = True
    """Whether a library may be thought to use it when nothing is said; others go by name."""

    fitted: bool = True
    """Whether a fit may try it: not where one tier's bytes or another's may be the slowest, which
    is not linear in their costs. A fabric, whose costs are known, may."""

    def demand(self, ranks: int, sizes: Sequence[int] = (), layout: str = "contiguous") -> Demand:
        """Return the demand of `ranks` ranks on tiers of these sizes; none means one tier.

        Raises
        ------
        CaseError
            If the ranks do not fit, or the layout is not one of `LAYOUTS`.
        """
        if ranks < 1:
            raise CaseError(f"ranks: found {ranks}, expected at least 1")
        if layout not in LAYOUTS:
            raise CaseError(f"layout: found {layout!r}, expected one of {', '.join(LAYOUTS)}")
        checked = tuple(sizes) or (ranks,)
        if ranks > checked[-1]:
            raise CaseError(
                f"ranks: found {ranks}, expected at most {checked[-1]}, the largest tier"
            )
        if ranks == 1:
            zeros = np.zeros(len(checked))
            return Demand(
                steps=zeros,
                bytes_per_byte=zeros,
                share=zeros,
                reduced_per_byte=0.0,
                pipelined=False,
            )
        return self.count(ranks, checked, layout)


def inner_sizes(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return inner_t of every tier."""
    return (1, *sizes[:-1])


def filled(ranks: int, sizes: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the ranks in one domain of every tier, shape (tier,): P / ceil(P / size).

    Where the last domain would not be full, ranks are spread evenly, as schedulers do: 128 on
    racks of 72 are twice 64.
    """
    return ranks / np.ceil(ranks / np.array(sizes, dtype=float))


def tiers_used(ranks: int, sizes: tuple[int, ...]) -> int:
    """Return how many tiers the ranks use, the innermost counted first."""
    return sum(inner < ranks for inner in inner_sizes(sizes))


def exchange_tier(distance: int, ranks: int, sizes: tuple[int, ...], layout: str) -> int:
    """Return the highest tier that any pair (r, r xor distance) uses.

    Blocks of 2 x distance ranks stay inside a domain only where they divide it; the slowest pair
    counts, since every rank waits for it a round later.
    """
    used = tiers_used(ranks, sizes)
    if layout == "random":
        return used - 1
    inner = inner_sizes(sizes)
    return max(tier for tier in range(used) if tier == 0 or inner[tier] % (2 * distance))


def shift_tier(distance: int, ranks: int, sizes: tuple[int, ...], layout: str) -> int:
    """Return the tier on which a round r -> r + distance lies on the critical path.

    Most ranks reach their partner in the innermost domain larger than the distance; the few that
    sit before a boundary do so in no two short rounds running. That is for latencies: for bytes see
    `shifted`.
    """
    used = tiers_used(ranks, sizes)
    if layout == "random":
        return used - 1
    return next(tier for tier in range(used) if sizes[tier] > distance or tier == used - 1)


def shifted(
    parts: Sequence[tuple[int, float]], ranks: int, sizes: tuple[int, ...], layout: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bytes and share of rounds r -> r + distance, given as (distance, part of a message).

    The last rank of a domain sends out of it in every round: its link into the outermost tier
    carries all bytes, and everybody waits for it. Of a domain's ranks, min(distance, size) do so;
    the share is their mean, weighted by bytes.
    """
    sent, inner = np.zeros(len(sizes)), np.array(inner_sizes(sizes), dtype=float)
    part = np.array([size for _, size in parts])
    sent[tiers_used(ranks, sizes) - 1] = part.sum()
    if layout == "random":
        return sent, np.ones(len(sizes))
    distance = np.array([float(step) for step, _ in parts])
    out = np.minimum(1.0, distance / inner[:, None])
    return sent, np.asarray(out @ part / part.sum())
