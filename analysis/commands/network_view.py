"""Views of ``collcast show`` on who waits for whom: arrivals, stragglers, pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ...bench.errors import CaseError
from ...bench.units import format_bytes, format_seconds
from ..arrival import meet, split
from ..pair import find_slow, matrices_of, nothing_slow
from ..straggler import rosters_of
from .counter_view import print_counters
from .output import plain, print_csv, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...bench.sample import Campaign, Measurement

__all__ = ["VIEWS"]

ARRIVAL_COLUMNS = (
    "collective", "transport", "ranks", "message_bytes", "launch", "skew", "rank", "host",
    "waiting_us", "transfer_us", "whole_us",
)  # fmt: skip
"""Columns of ``show --view arrivals``: medians; whole is until all ranks are done."""

STRAGGLER_COLUMNS = (
    "collective", "transport", "ranks", "launch", "skew", "rank", "host", "last_to_arrive",
    "last_to_leave", "arrival_lag_us", "leaving_lag_us", "duration_us", "straggles",
)  # fmt: skip
"""Columns of ``show --view stragglers``; lags are behind the median of the other ranks."""

PAIR_COLUMNS = (
    "collective", "transport", "message_bytes", "rank", "peer", "time_us", "rate_gb_per_s", "slow",
)  # fmt: skip
"""Columns of ``show --view pairs``; slow is ``pair``, ``rank R`` or empty."""


def print_arrivals(campaign: Campaign, form: str) -> None:
    """Print waiting and transfer of every rank, case by case."""
    rows = [row for found in campaign.measurements for row in _arrivals(campaign, found)]
    if not rows:
        raise CaseError("--view arrivals: found no case of two ranks or more, expected at least 1")
    if _printed(ARRIVAL_COLUMNS, rows, form):
        return
    for title, members in _grouped(rows, _arrival_title).items():
        lines = [
            [str(row["rank"]), row["host"]]
            + [f"{row[name]:#.4g}" for name in ("waiting_us", "transfer_us", "whole_us")]
            for row in members
        ]
        print_table(title, ("rank", "host", "waiting us", "transfer us", "all done us"), lines)


def _arrivals(campaign: Campaign, found: Measurement) -> Iterator[dict[str, Any]]:
    if not meet(found):
        return
    launch = campaign.launch_of(found)
    hosts = launch.environment.location.host
    parts = split(found.sample)
    for rank in range(found.ranks):
        yield {
            "collective": found.case.collective,
            "transport": found.case.transport,
            "ranks": found.ranks,
            "message_bytes": found.case.message_bytes,
            "launch": found.launch,
            "skew": launch.protocol.skew,
            "rank": rank,
            "host": hosts[rank] if rank < len(hosts) else "",
            "waiting_us": float(np.median(parts.waiting_s[:, rank])) * 1e6,
            "transfer_us": float(np.median(parts.transfer_s[:, rank])) * 1e6,
            "whole_us": float(np.median(parts.whole_s)) * 1e6,
        }


def _arrival_title(row: dict[str, Any]) -> str:
    return (
        f"{row['collective']} {row['transport']} {format_bytes(row['message_bytes'])}, "
        f"{row['ranks']} ranks, launch {row['launch']}{_skew(row)}"
    )


def _skew(row: dict[str, Any]) -> str:
    return f", skew {row['skew']}" if row["skew"] else ""


def print_stragglers(campaign: Campaign, form: str) -> None:
    """Print who arrives and leaves last, and name who does so by itself."""
    rosters = rosters_of(campaign)
    if not rosters:
        raise CaseError(
            "--view stragglers: found no case of two ranks or more, expected at least 1"
        )
    rows = [
        {
            "collective": roster.collective,
            "transport": roster.transport,
            "ranks": len(roster.records),
            "launch": roster.launch,
            "skew": roster.skew,
            "rank": record.rank,
            "host": record.host,
            "last_to_arrive": record.last_to_arrive,
            "last_to_leave": record.last_to_leave,
            "arrival_lag_us": record.arrival_s * 1e6,
            "leaving_lag_us": record.leaving_s * 1e6,
            "duration_us": record.duration_s * 1e6,
            "straggles": record.straggles,
        }
        for roster in rosters
        for record in roster.records
    ]
    if _printed(STRAGGLER_COLUMNS, rows, form):
        return
    heading = (
        "rank", "host", "last to arrive %", "last to leave %", "arrival lag us", "leaving lag us",
        "duration us", "notes",
    )  # fmt: skip
    for title, members in _grouped(rows, _straggler_title).items():
        lines = [
            [str(row["rank"]), row["host"]]
            + [f"{100 * row[name]:.0f}" for name in ("last_to_arrive", "last_to_leave")]
            + [f"{row[n]:#.4g}" for n in ("arrival_lag_us", "leaving_lag_us", "duration_us")]
            + [row["straggles"]]
            for row in members
        ]
        print_table(title, heading, lines)
    for roster in rosters:
        names = [f"rank {r.rank} ({r.straggles})" for r in roster.stragglers]
        found, blocks = ", ".join(names) or "no straggler", str(roster.blocks)
        if roster.blocks < roster.least_blocks:
            found = "too few samples to name a straggler"
            blocks += f" of {roster.least_blocks}"
        click.echo(
            f"{roster.collective} {roster.transport}, launch {roster.launch}: "
            f"{found} ({blocks} blocks)"
        )


def _straggler_title(row: dict[str, Any]) -> str:
    return (
        f"{row['collective']} {row['transport']}, {row['ranks']} ranks, launch {row['launch']}"
        f"{_skew(row)}"
    )


def print_pairs(campaign: Campaign, form: str) -> None:
    """Print the matrix of every size, and name slow ranks and pairs."""
    matrices = matrices_of(campaign)
    if not matrices:
        raise CaseError("--view pairs: found no pair of ranks, expected at least 1 (run pairs)")
    slow = find_slow(campaign)
    marks = {found.ranks: found for found in slow}
    rows = []
    for matrix in matrices:
        for rank, peer in zip(*np.nonzero(np.isfinite(matrix.time_s)), strict=True):
            if rank < peer or not np.isfinite(matrix.time_s[peer, rank]):
                time_s = float(matrix.time_s[rank, peer])
                rows.append({
                    "collective": matrix.collective,
                    "transport": matrix.transport,
                    "message_bytes": matrix.message_bytes,
                    "rank": int(rank),
                    "peer": int(peer),
                    "time_us": time_s * 1e6,
                    "rate_gb_per_s": matrix.message_bytes / time_s * 1e-9 if time_s > 0 else None,
                    "slow": _mark(marks, int(rank), int(peer)),
                })  # fmt: skip
    if _printed(PAIR_COLUMNS, rows, form):
        return
    for matrix in matrices:
        size = format_bytes(matrix.message_bytes)
        ranks = range(len(matrix.time_s))
        lines = [
            [str(rank), *("" if np.isnan(t) else f"{t * 1e6:#.4g}" for t in matrix.time_s[rank])]
            for rank in ranks
        ]
        title = f"{matrix.collective} {matrix.transport} {size}: us per message"
        print_table(title, ("rank", *map(str, ranks)), lines)
    for found in slow:
        kind = "rank" if len(found.ranks) == 1 else "pair"
        sizes = ", ".join(map(format_bytes, found.sizes))
        click.echo(
            f"slow {kind} {'-'.join(map(str, found.ranks))}: {found.ratio:.3g} times, "
            f"{format_seconds(found.excess_s)} more than usual, at {sizes}"
        )
    if not slow:
        click.echo(nothing_slow(campaign))


def _mark(marks: dict[tuple[int, ...], Any], rank: int, peer: int) -> str:
    if tuple(sorted((rank, peer))) in marks:
        return "pair"
    ranks = [str(one) for one in (rank, peer) if (one,) in marks]
    return f"rank {' and '.join(ranks)}" if ranks else ""


def _printed(columns: tuple[str, ...], rows: list[dict[str, Any]], form: str) -> bool:
    """Print rows for programs; False if a table for people is wanted."""
    if form == "csv":
        print_csv(columns, rows)
    elif form == "json":
        print_json({"rows": [{name: plain(row[name]) for name in columns} for row in rows]})
    return form in {"csv", "json"}


def _grouped(rows: list[dict[str, Any]], title_of: Any) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(title_of(row), []).append(row)
    return groups


VIEWS = {
    "arrivals": print_arrivals,
    "stragglers": print_stragglers,
    "pairs": print_pairs,
    "counters": print_counters,
}
"""What ``show --view`` prints, by name."""
