"""Cells: where times were measured, in the coordinates that forecasts live in.

    x = lg P             scale
    c = lg n             size; all-to-all: lg n/P, the bytes for one peer, at least 0
    tier                 0 inside one host, 1 beyond; 0 everywhere where that cannot be told

Rows of hosts that hold another number of ranks than most are another layout and another curve:
`same_layout` leaves them out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .dataset import Dataset, Row

__all__ = ["PER_PEER", "Cells", "cells_of", "edge_of", "same_layout"]

PER_PEER = frozenset({"all_to_all"})
"""Collectives whose messages are n / P: protocols switch on that, not on n."""

_LEAST_OUTER_SCALES = 3  # beyond one host, to stand on their own; with 2 nothing checks a slope


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Places, every array of shape (cell,)."""

    ranks: NDArray[np.float64]
    message_bytes: NDArray[np.float64]
    edge: float
    """Ranks beyond which a place lies in the outer tier; infinite for one tier."""

    per_peer: bool

    @property
    def x(self) -> NDArray[np.float64]:
        """Scale: doublings of ranks."""
        return np.asarray(np.log2(self.ranks))

    @property
    def c(self) -> NDArray[np.float64]:
        """Size: doublings of bytes."""
        size = self.message_bytes / (self.ranks if self.per_peer else 1.0)
        return np.asarray(np.log2(np.maximum(size, 1.0)))

    @property
    def tier(self) -> NDArray[np.int64]:
        """0 inside one host, 1 beyond."""
        return (self.ranks > self.edge).astype(np.int64)

    def at(self, ranks: int, sizes: Sequence[float]) -> Cells:
        """Return other places of the same series: one number of ranks, several sizes in bytes."""
        n = np.array(sizes, dtype=float)
        return Cells(
            ranks=np.full(len(n), float(ranks)),
            message_bytes=n,
            edge=self.edge,
            per_peer=self.per_peer,
        )

    def where(self, chosen: NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        return Cells(
            ranks=self.ranks[chosen],
            message_bytes=self.message_bytes[chosen],
            edge=self.edge,
            per_peer=self.per_peer,
        )


def cells_of(rows: Dataset, edge: float) -> Cells:
    """Return the cells of a series."""
    return Cells(
        ranks=rows.column("ranks").astype(float),
        message_bytes=rows.column("message_bytes").astype(float),
        edge=edge,
        per_peer=rows.rows[0].key.collective in PER_PEER,
    )


def edge_of(rows: Dataset, sizes: tuple[int, ...]) -> float:
    """Return the ranks of one host, if enough scales lie beyond it; else infinity."""
    if len(sizes) == 1:
        return math.inf
    beyond = {row.ranks for row in rows if row.ranks > sizes[0]}
    return float(sizes[0]) if len(beyond) >= _LEAST_OUTER_SCALES else math.inf


def same_layout(rows: Sequence[Row]) -> list[Row]:
    """Return the rows on one host, and those of several with the most common ranks per host."""
    shared = Counter(-(-row.ranks // row.hosts) for row in rows if row.hosts > 1)
    if not shared:
        return list(rows)
    usual = max(shared, key=lambda count: (shared[count], count))
    return [row for row in rows if row.hosts <= 1 or -(-row.ranks // row.hosts) == usual]
