"""Percent of bound: how near a figure comes to what the same file, or a fabric, says can be had.

    percent = 100 (bytes / rate) / time

One rank: the message, at the highest message / time of one rank in the file, a ``copy``. Several:
the highest message / time of a point-to-point operation in the file on the same transport, memory
and labels, and on as many hosts (one, or several), for

    point-to-point algorithms   the bytes of the bus bandwidth: 2 n (P-1)/P for all-reduce, ...
    in-network reduction        what a rank must send or receive at least (`physics.least_bytes`);
                                its all-reduce may pass the bound of a ring up to 2 (P-1)/P times

An algorithm that the library chose itself (``native``) is held to the first, and may therefore
pass 100 where switches reduce. Or, with a fabric, the least time that `bound.bound_of` states,
which knows whether its switches reduce. all_to_allv has no fabric's bound: which bytes cross which
tier, is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .bound import bound_of
from .physics import least_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .dataset import Row
    from .fabrics import Fabric

__all__ = ["Reach", "Reference", "reach_of", "references_of"]

_POINT_TO_POINT = frozenset({"send_recv", "ping_pong", "unidirectional", "pingpong"})
_IN_NETWORK = re.compile("nvls|collnet|sharp", re.IGNORECASE | re.ASCII)

_Place = tuple[str, str, str, tuple[str, ...], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The best rate that a file holds for one way of communicating."""

    name: str
    """``copy``, or the point-to-point operation."""

    bytes_per_s: float
    message_bytes: int
    """Where it was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How near a row comes to its bound."""

    percent: float
    bound: str
    """What bounds it, such as ``send_recv``, ``ring at send_recv`` or ``llama3-24k bandwidth``."""


def references_of(rows: Iterable[Row]) -> dict[_Place, Reference]:
    """Return the best rates of rows that can be trusted, by where they hold."""
    found: dict[_Place, Reference] = {}
    for row in rows:
        single = row.ranks == 1
        if row.suspect or row.wrong > 0 or not (row.median_s > 0 and row.message_bytes > 0):
            continue
        if not single and row.key.collective not in _POINT_TO_POINT:
            continue
        rate = row.message_bytes / row.median_s
        best = found.get(_place(row))
        if best is None or rate > best.bytes_per_s:
            name = "copy" if single else row.key.collective
            found[_place(row)] = Reference(
                name=name, bytes_per_s=rate, message_bytes=row.message_bytes
            )
    return found


def reach_of(
    row: Row, references: Mapping[_Place, Reference], fabric: Fabric | None = None
) -> Reach | None:
    """Return how near a row comes to its bound; None where there is none, as for a barrier.

    Parameters
    ----------
    row
    references : what `references_of` returned
    fabric : bounds rows of several ranks instead of the file's own rates
    """
    if not (row.median_s > 0 and row.message_bytes > 0):
        return None
    if fabric is not None and row.ranks > 1:
        return _by_fabric(row, fabric)
    reference = references.get(_place(row))
    if reference is None:
        return None
    name, needed = reference.name, float(row.message_bytes)
    if row.ranks > 1:
        needed = row.bus_bytes
        if _IN_NETWORK.search(row.key.algorithm):
            name = f"switch at {name}"
            needed = _least(row)
        elif row.key.collective == "all_reduce":
            name = f"ring at {name}"
    percent = 100 * needed / reference.bytes_per_s / row.median_s
    return Reach(percent=percent, bound=name) if np.isfinite(percent) else None


def _by_fabric(row: Row, fabric: Fabric) -> Reach | None:
    if row.key.collective == "all_to_allv":
        return None
    bound = bound_of(row.key.collective, row.ranks, [row.message_bytes], fabric)
    percent = 100 * float(bound.time_s[0]) / row.median_s
    return Reach(percent=percent, bound=f"{fabric.name} {bound.names[0]}")


def _least(row: Row) -> float:
    place = np.array([row.ranks]), np.array([row.message_bytes])
    return float(least_bytes(row.key.collective, *place)[0])


def _place(row: Row) -> _Place:
    """Where a rate holds: hosts count as one, several (2), or not known (-1)."""
    key = row.key
    spread = 0 if row.ranks == 1 else min(row.hosts, 2)
    return key.system, key.transport, key.memory, row.labels, spread
