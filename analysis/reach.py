"""Percent of bound: how near a figure comes to what the same file, or a fabric, says can be had.

    percent = 100 (bytes / rate) / time

One rank out of place: the message, at the highest message / time of a ``copy`` in the file that is
at least as large (or of the largest there is), on the same transport, memory and labels; memory is
faster where less of it is touched. In place nothing need be moved. Several: the highest message /
time of a point-to-point operation in the file on the same transport, memory and labels, and on as
many hosts (one, or several), for

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

_Place = tuple[str, str, str, tuple[str, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The best rates that a file holds for one way of communicating."""

    name: str
    """``copy``, or the point-to-point operation."""

    rates: Mapping[int, float]
    """Message in bytes -> message / time, in bytes/s."""

    @property
    def message_bytes(self) -> int:
        """Where the highest was reached."""
        return max(self.rates, key=self.rates.__getitem__)

    @property
    def bytes_per_s(self) -> float:
        """The highest."""
        return self.rates[self.message_bytes]

    def rate_for(self, message_bytes: int) -> float:
        """Return what bounds a message: see the head of this file."""
        if self.name != "copy":
            return self.bytes_per_s
        least = min(message_bytes, max(self.rates))
        return max(rate for size, rate in self.rates.items() if size >= least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How near a row comes to its bound."""

    percent: float
    bound: str
    """What bounds it, such as ``send_recv``, ``ring at send_recv`` or ``llama3-24k bandwidth``."""


def references_of(rows: Iterable[Row]) -> dict[_Place, Reference]:
    """Return the best rates of rows that can be trusted, by where they hold."""
    found: dict[_Place, dict[str, dict[int, float]]] = {}
    for row in rows:
        if row.suspect or row.wrong > 0 or not (row.median_s > 0 and row.message_bytes > 0):
            continue
        name = row.key.collective
        if name == "copy" or (row.ranks > 1 and name in _POINT_TO_POINT):
            rates = found.setdefault(_place(row), {}).setdefault(name, {})
            rate = row.message_bytes / row.median_s
            rates[row.message_bytes] = max(rate, rates.get(row.message_bytes, 0.0))
    every = {
        place: [Reference(name=name, rates=rates) for name, rates in named.items()]
        for place, named in found.items()
    }
    return {place: max(some, key=lambda one: one.bytes_per_s) for place, some in every.items()}


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
    local = row.ranks == 1 or row.key.collective == "copy"
    if local and row.key.placement == "in_place":
        return None
    if fabric is not None and not local:
        return _by_fabric(row, fabric)
    reference = references.get(_place(row))
    if reference is None:
        return None
    name, needed = reference.name, float(row.message_bytes)
    if not local:
        needed = row.bus_bytes
        if _IN_NETWORK.search(row.key.algorithm):
            name = f"switch at {name}"
            needed = _least(row)
        elif row.key.collective == "all_reduce":
            name = f"ring at {name}"
    percent = 100 * needed / reference.rate_for(row.message_bytes) / row.median_s
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
    """Where a rate holds: system, transport, memory, labels, and on how many ranks or hosts."""
    key = row.key
    if row.ranks == 1:
        where = "on one rank"
    elif key.collective == "copy":
        where = f"on {row.ranks} ranks at once"
    else:
        where = {-1: "on several ranks", 1: "on one host"}.get(row.hosts, "across hosts")
    return key.system, key.transport, key.memory, row.labels, where
