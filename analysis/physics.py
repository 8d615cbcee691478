"""The physical ceiling: what no link carries is no measurement.

A rank must move at least these bytes in one direction, whatever the algorithm, the network's own
reductions included (S the message, P the ranks)::

    all_reduce, broadcast, reduce, point-to-point                    S
    all_gather, reduce_scatter, all_to_all, gather, scatter          S (P - 1) / P
    all_to_allv                                  what its busiest rank sends or receives; else 0
    barrier, copy, or one rank                                       0

A time that would need more than `CEILING_BYTES_PER_S` of one rank's link is marked
``suspect="physics"``: kept, counted, never fitted or scored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..bench.imported import Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bench.imported import ImportedTable
    from .fabrics import Fabric

__all__ = ["CEILING_BYTES_PER_S", "ceiling_of", "exceeds", "judge", "least_bytes", "suspicion"]

CEILING_BYTES_PER_S = 1.8e12
"""Default: the fastest link announced for one GPU, NVLink 6, one direction (NVIDIA, Vera Rubin
platform, 2026: 3.6 TB/s in both together); NVLink 5 carries half of it."""

_PARTS = frozenset({"all_gather", "reduce_scatter", "all_to_all", "gather", "scatter"})


def least_bytes(
    collective: str, ranks: NDArray[np.int64], message_bytes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what one rank must send or receive at least, in bytes; shape (row,)."""
    if collective in {"barrier", "copy", "all_to_allv"}:
        return np.zeros(len(ranks))
    whole = message_bytes.astype(np.float64)
    share = (ranks - 1) / ranks if collective in _PARTS else np.minimum(ranks - 1, 1)
    return np.asarray(whole * share, np.float64)


def exceeds(
    collective: str,
    ranks: NDArray[np.int64],
    message_bytes: NDArray[np.int64],
    time_s: NDArray[np.float64],
    ceiling_bytes_per_s: float = CEILING_BYTES_PER_S,
) -> NDArray[np.bool_]:
    """Tell which times no link allows; shape (row,)."""
    needed = least_bytes(collective, ranks, message_bytes)
    return np.asarray(needed > ceiling_bytes_per_s * time_s, np.bool_)


def suspicion(
    collective: str,
    ranks: int,
    message_bytes: int,
    time_s: float,
    busiest_bytes: int | None = None,
) -> str:
    """Return ``physics`` if no link allows the time of one cell, else "".

    `busiest_bytes` is what the busiest rank must move, where it is known.
    """
    if busiest_bytes is not None:
        return "physics" if busiest_bytes > CEILING_BYTES_PER_S * time_s else ""
    place = np.array([ranks]), np.array([message_bytes]), np.array([time_s])
    return "physics" if exceeds(collective, *place)[0] else ""


def ceiling_of(fabric: Fabric) -> float:
    """Return the rate of a fabric's fastest tier, at the upper end of its range, in bytes/s."""
    rates = [tier.rate for tier in fabric.tiers]
    return max(rate.value if rate.high is None else rate.high for rate in rates)


def judge(table: ImportedTable, ceiling_bytes_per_s: float = CEILING_BYTES_PER_S) -> ImportedTable:
    """Return a table whose impossible cells are marked ``physics``.

    Cells of no bytes are marked ``empty``: rounding left nothing to move. What a source marked
    itself stays marked.
    """
    names = dict.fromkeys((*table.suspect.names, "physics", "empty"))
    code_of = {name: code for code, name in enumerate(names)}
    marks = table.suspect.codes.copy()
    free = marks == code_of.get("", -1)
    for code, collective in enumerate(table.collective.names):
        own = table.collective.codes == code
        place = table.ranks[own], table.message_bytes[own], table.time_s[own]
        found = np.zeros(len(table), np.bool_)
        found[own] = exceeds(collective, *place, ceiling_bytes_per_s)
        marks[found & free] = code_of["physics"]
        if collective != "barrier":
            marks[own & free & (table.message_bytes == 0)] = code_of["empty"]
    return replace(table, suspect=Texts(marks, tuple(names)))
