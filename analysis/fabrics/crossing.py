"""A machine one tier further than it was measured: its domain from a campaign, pairs across it.

    inner   rate         R, the fastest bus rate of any collective inside the domain
            efficiency   fastest bus rate / R of all-reduce and of all-to-all, at most ranks
            latency      least all-reduce time of at most 1 KiB over ceil(lg P); else assumed
    outer   rate         bytes / time of pairs across, largest message
            latency      time of pairs across, smallest message
            efficiency   assumed: pairs alone say nothing of what all of them get at once

What everybody gets at once lies between flows hashed to links, one or 64 to each on average, and
packets sprayed over all, which leave to everybody what a pair gets alone. A bus rate is n f / T, f
of `summary.busbw_factor`; ranges of measured figures are those of their medians.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from ...bench.errors import CaseError
from ..efficiency import efficiency
from .check import check_fabric
from .fabric import Figure
from .load import load_fabric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..dataset import Row
    from .fabric import Fabric, Pattern, Status

__all__ = ["PAIRED", "crossing_fabric"]

PAIRED = frozenset({"send_recv", "ping_pong", "unidirectional", "bidirectional"})
"""Collectives between two ranks."""

_SMALL_BYTES = 1024  # beyond, a message's own bytes show beside its latency
_HIDDEN_BYTES_PER_S = 1e14  # the most that a fabric may say: reduced while chunks pass
_DATE = "2026"
_PATTERN: dict[str, Pattern] = {"all_reduce": "exchange", "all_to_all": "all_to_all"}

_LINKS = 64
"""Uplinks of a domain over which flows are hashed, where nothing is known: half of the ports of a
switch of 51.2 Tbit/s."""

_EXCHANGE = (0.9, 0.6, 1.0)
"""Value, low and high where everybody has one partner at a time, in rates of a pair alone: low is
what vendors state for standard Ethernet; value judged."""


def crossing_fabric(
    name: str, rows: Iterable[Row], pairs: Iterable[Row], domain: int, endpoints: int, source: str
) -> Fabric:
    """Return a fabric of two tiers: the domain as measured, and what pairs found beyond.

    Parameters
    ----------
    rows
        Collectives; those on more than `domain` ranks are not looked at.
    pairs
        Messages between two ranks of different domains.
    domain, endpoints
        Ranks of one domain, and of all.
    source
        Where the rows come from, for the fabric's figures.

    Raises
    ------
    CaseError
        If no collective was measured inside, no pair across, or the domain holds everybody.
    """
    if not 1 < domain < endpoints:
        raise CaseError(
            f"--domain, --endpoints: found {domain} of {endpoints} ranks, expected fewer than all"
        )
    inside = [
        row for row in rows
        if row.fit_for_fitting and 1 < row.ranks <= domain and row.key.collective not in PAIRED
    ]  # fmt: skip
    across = [
        row for row in pairs
        if row.fit_for_fitting and row.ranks == 2 and row.key.collective in PAIRED
        and row.message_bytes > 0
    ]  # fmt: skip
    # All pairs of a launch were measured, maybe: those count that lie furthest apart.
    furthest = max(map(_apart, across), default=(0, 0))
    across = [row for row in across if _apart(row) == furthest]
    base = load_fabric("this-machine")
    host = base.tiers[0]
    inner = _inner(inside, source)
    outer = _outer(across, -(-endpoints // domain), source)
    tiers = tuple(
        msgspec.structs.replace(
            host,
            name=tier,
            size=_given(float(size), "ranks", f"{tier}: asked for"),
            efficiency={**host.efficiency, **shares},
            **figures,
        )
        for tier, size, (figures, shares) in (
            ("domain", domain, inner), ("network", endpoints, outer),
        )
    )  # fmt: skip
    fabric = msgspec.structs.replace(
        base,
        name=name,
        title=f"{name}: a domain of {domain} as {source} measured it, pairs beyond",
        description=(
            f"Filled from {source}. What ranks of several domains get all at once is assumed."
        ),
        endpoints=tiers[-1].size,
        reduction_rate=_given(_HIDDEN_BYTES_PER_S, "bytes/s", "in the domain's bus rate"),
        tiers=tiers,
    )
    check_fabric(fabric)
    return fabric


def _inner(rows: list[Row], source: str) -> tuple[dict[str, Figure], dict[Pattern, Figure]]:
    rates = [rate for row in rows if isfinite(rate := _bus_rate(row)) and rate > 0]
    if not rates:
        raise CaseError(f"{source}: found no collective inside the domain, expected at least 1")
    most = max(rates)
    text = f"{source}: fastest bus rate inside the domain"
    figures = {"rate": _figure(most, most, most, "bytes/s", text, "measured")}
    small = [
        row for row in rows
        if row.key.collective == "all_reduce" and row.message_bytes <= _SMALL_BYTES
    ]  # fmt: skip
    if small:
        row = min(small, key=lambda one: one.median_s / (one.ranks - 1).bit_length())
        figures["latency"] = _time_of(row, 1 / (row.ranks - 1).bit_length(), source)
    shares: dict[Pattern, Figure] = {}
    for collective, pattern in _PATTERN.items():
        own = [row for row in rows if row.key.collective == collective and _bus_rate(row) > 0]
        if own:
            row = max(own, key=lambda one: (one.ranks, _bus_rate(one)))
            share = _bus_rate(row) / most
            text = f"{source}: {collective} on {row.ranks} ranks, {row.message_bytes} B"
            shares[pattern] = _figure(share, share, share, "1", text, "measured")
    return figures, shares


def _outer(
    rows: list[Row], domains: int, source: str
) -> tuple[dict[str, Figure], dict[Pattern, Figure]]:
    if not rows:
        raise CaseError(
            f"{source}: found no pair of ranks across domains, expected at least 1: send_recv, "
            "ping_pong, unidirectional or bidirectional on 2 ranks"
        )
    last = max(rows, key=lambda row: row.message_bytes)
    first = min(rows, key=lambda row: row.message_bytes)
    text = f"{source}: {last.key.collective} across domains, {last.message_bytes} B"
    n = last.message_bytes
    figures = {
        "rate": _figure(
            n / last.median_s, n / last.high_s if last.high_s > 0 else 0.0,
            n / last.low_s if last.low_s > 0 else 0.0, "bytes/s", text, "measured",
        )
    }  # fmt: skip
    if first.message_bytes <= _SMALL_BYTES:
        figures["latency"] = _time_of(first, 1.0, source)
    few, many = (efficiency("hash", _LINKS, domains, flows) for flows in (1, 64))
    together: dict[Pattern, Figure] = {
        "exchange": _figure(*_EXCHANGE, "1", "standard Ethernet to spraying", "assumed"),
        "all_to_all": _figure(
            many, few, 1.0, "1", f"{_LINKS} links per domain: 64 flows on each; low: 1; high: "
            "packets sprayed over all", "assumed",
        ),
    }  # fmt: skip
    return figures, together


def _apart(row: Row) -> tuple[int, int]:
    """Return how many domains and hosts a row spans, -1 where that is not known."""
    return row.nvlink_domains, row.hosts


def _bus_rate(row: Row) -> float:
    return row.bus_bytes / row.median_s


def _time_of(row: Row, share: float, source: str) -> Figure:
    text = f"{source}: {row.key.collective} on {row.ranks} ranks, {row.message_bytes} B"
    value, low, high = (share * end for end in (row.median_s, row.low_s, row.high_s))
    return _figure(value, low, high, "s", text, "measured")


def _given(value: float, unit: str, source: str) -> Figure:
    return Figure(value=value, unit=unit, source=source, status="assumed", date=_DATE)


def _figure(
    value: float, low: float, high: float, unit: str, source: str, status: Status
) -> Figure:
    """Return a figure; ends that are not known, or on the wrong side, are its value."""
    known = isfinite(low) and isfinite(high) and 0 < low < high
    return Figure(
        value=value,
        low=min(low, value) if known else None,
        high=max(high, value) if known else None,
        unit=unit,
        source=source,
        status=status,
        date=_DATE,
    )
