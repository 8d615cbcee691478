"""Views of ``collcast show`` below the level of medians: filters, percentiles, ranks, stamps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ...bench.errors import CaseError
from ...bench.units import format_bytes, parse_bytes
from .extras import parse_ranks
from .output import plain, print_csv, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...bench.sample import Campaign, Measurement
    from ..dataset import Row

__all__ = [
    "Filter",
    "parse_percentiles",
    "percentile_values",
    "percentiles_of",
    "print_peer",
    "print_per_rank",
    "print_raw",
]

RANK_COLUMNS = (
    "collective", "transport", "algorithm", "ranks", "message_bytes", "launch", "rank", "host",
    "median_us", "mean_us", "largest_us", "last_share",
)  # fmt: skip
"""Columns of ``show --per-rank``; last_share: in how many repetitions the rank took longest."""

RAW_COLUMNS = (
    "collective", "transport", "algorithm", "ranks", "message_bytes", "launch", "repetition",
    "rank", "start_ns", "stop_ns", "batch",
)  # fmt: skip
"""Columns of ``show --raw``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which cases to show; an empty field takes all."""

    collectives: frozenset[str]
    transports: frozenset[str]
    ranks: frozenset[int]
    first_bytes: int
    last_bytes: int

    @classmethod
    def parse(cls, collective: str, transport: str, ranks: str, sizes: str) -> Filter:
        """Return a filter from the command line's texts.

        Raises
        ------
        CaseError, UnitError
            If ranks or sizes cannot be read.
        """
        first, _, last = sizes.partition(":")
        return cls(
            collectives=frozenset(filter(None, collective.split(","))),
            transports=frozenset(filter(None, transport.split(","))),
            ranks=frozenset(parse_ranks(ranks) if ranks else ()),
            first_bytes=parse_bytes(first) if sizes else 0,
            last_bytes=parse_bytes(last or first) if sizes else 1 << 62,
        )

    def campaign(self, campaign: Campaign) -> Campaign:
        """Return a campaign with the measurements that pass, in order; imported tables stay."""
        kept = [found for found in campaign.measurements if self._passes(*_place(found))]
        kept.sort(key=_order)
        return replace(campaign, measurements=tuple(kept))

    def expect_some(self, campaign: Campaign, path: Path) -> None:
        """Refuse a filter that nothing passes.

        Raises
        ------
        CaseError
            If no measurement and no imported cell passes.
        """
        cells = (table.row(at) for table in campaign.imported for at in range(len(table)))
        places = chain(
            map(_place, (*campaign.measurements, *campaign.failed)),
            (tuple(cell[name] for name in _PLACE) for cell in cells),
        )
        held: set[str] = set()
        for place in places:
            if self._passes(*place):
                return
            held.add(place[0])
        raise CaseError(
            f"{path}: found no case that --collective, --transport, --ranks and --sizes let "
            f"through, expected at least 1; it has {', '.join(sorted(held))}"
        )

    def takes(self, row: Row) -> bool:
        """Tell whether a row passes."""
        return self._passes(row.key.collective, row.key.transport, row.ranks, row.message_bytes)

    def _passes(self, collective: str, transport: str, ranks: int, size: int) -> bool:
        return (
            (not self.collectives or collective in self.collectives)
            and (not self.transports or transport in self.transports)
            and (not self.ranks or ranks in self.ranks)
            and self.first_bytes <= size <= self.last_bytes
        )


_PLACE = ("collective", "transport", "ranks", "message_bytes")


def _place(found: Measurement) -> tuple[str, str, int, int]:
    case = found.case
    return case.collective, case.transport, found.ranks, case.message_bytes


def _order(found: Measurement) -> tuple[str, str, int, int, int]:
    case = found.case
    return case.collective, case.transport, found.ranks, case.message_bytes, found.launch


def parse_percentiles(text: str) -> tuple[float, ...]:
    """Return percentiles from a text such as ``5,95,99.9``.

    Raises
    ------
    CaseError
        If a part is no number from 0 to 100.
    """
    found = []
    for part in filter(None, text.split(",")):
        try:
            value = float(part)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 100:
            raise CaseError(f"--percentiles: found {part!r}, expected numbers from 0 to 100")
        found.append(value)
    return tuple(dict.fromkeys(found))


def percentiles_of(
    campaign: Campaign, statistic: str | None, percentiles: tuple[float, ...]
) -> dict[Any, list[float]]:
    """Return percentiles over the repetitions of all launches, in seconds, by key, ranks, size."""
    from ..dataset import key_of

    groups: dict[Any, list[Any]] = {}
    for found in campaign.measurements if percentiles else ():
        key = key_of(found, campaign.launch_of(found), statistic)
        place = key, found.ranks, found.case.message_bytes, found.labels
        groups.setdefault(place, []).append(found.sample.seconds(key.statistic))
    return {
        place: np.percentile(np.concatenate(parts), percentiles).tolist()
        for place, parts in groups.items()
    }


def percentile_values(
    row: Row, percentiles: tuple[float, ...], found: dict[Any, list[float]]
) -> dict[str, float | None]:
    """Return a row's percentiles in microseconds by column name; None for imported rows."""
    values = found.get((row.key, row.ranks, row.message_bytes, row.labels))
    return {
        f"p{percentile:g}_us": None if values is None else values[at] * 1e6
        for at, percentile in enumerate(percentiles)
    }


def print_peer(campaign: Campaign, peer: str) -> None:
    """Print what a peer would have printed; what it could not have goes to standard error."""
    from ..peers import print_as

    lines, notes = print_as(campaign, peer)
    for note in notes:
        click.echo(f"collcast: {note}", err=True)
    if not lines:
        raise CaseError(f"--as: found no measurement that {peer} could print, expected at least 1")
    for line in lines:
        click.echo(line)


def print_per_rank(campaign: Campaign, form: str) -> None:
    """Print a row per case and rank."""
    values = [
        {name: plain(row[name]) for name in RANK_COLUMNS}
        for found in campaign.measurements
        for row in _ranks(found, campaign.location_of(found).host)
    ]
    if form == "csv":
        print_csv(RANK_COLUMNS, values)
    elif form == "json":
        print_json({"rows": values})
    else:
        _print_rank_tables(values)


def _ranks(found: Measurement, hosts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    local_us = found.sample.local_s() * 1e6
    last = np.bincount(local_us.argmax(axis=1), minlength=found.ranks) / max(len(local_us), 1)
    for rank, number in enumerate(found.members):
        own = local_us[:, rank]
        yield {
            **_names(found),
            "rank": number,
            "host": hosts[number] if number < len(hosts) else "",
            "median_us": float(np.median(own)),
            "mean_us": float(own.mean()),
            "largest_us": float(own.max()),
            "last_share": float(last[rank]),
        }


def _names(found: Measurement) -> dict[str, Any]:
    return {
        "collective": found.case.collective,
        "transport": found.case.transport,
        "algorithm": found.case.algorithm,
        "ranks": found.ranks,
        "message_bytes": found.case.message_bytes,
        "launch": found.launch,
    }


def _print_rank_tables(values: list[dict[str, Any]]) -> None:
    groups: dict[str, list[list[str]]] = {}
    for row in values:
        title = (
            f"{row['collective']} {row['transport']} {row['algorithm']} "
            f"{format_bytes(row['message_bytes'])}, {row['ranks']} ranks, launch {row['launch']}"
        )
        numbers = (f"{row[name]:#.4g}" for name in ("median_us", "mean_us", "largest_us"))
        cells = [str(row["rank"]), row["host"], *numbers, f"{100 * row['last_share']:.0f}"]
        groups.setdefault(title, []).append(cells)
    heading = ("rank", "host", "median us", "mean us", "largest us", "slowest in %")
    for title, lines in groups.items():
        print_table(title, heading, lines)


def print_raw(campaign: Campaign) -> None:
    """Print every stamp as CSV, one line per repetition and rank."""
    click.echo(",".join(RAW_COLUMNS))
    for found in campaign.measurements:
        names = ",".join(str(value) for value in _names(found).values())
        sample = found.sample
        for repetition in range(sample.repetitions):
            stamps = zip(
                sample.start_ns[repetition].tolist(),
                sample.stop_ns[repetition].tolist(),
                strict=True,
            )
            lines = (
                f"{names},{repetition},{rank},{start},{stop},{sample.batch}"
                for rank, (start, stop) in zip(found.members, stamps, strict=True)
            )
            click.echo("\n".join(lines))
