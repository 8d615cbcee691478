"""View of ``collcast show`` on what the network and the GPUs counted around the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...bench.units import format_bytes
from ..counter import KINDS, signs_of
from .output import print_csv, print_json, print_table

if TYPE_CHECKING:
    from ...bench.sample import Campaign

__all__ = ["COUNTER_COLUMNS", "print_counters"]

COUNTER_COLUMNS = (
    "collective", "transport", "ranks", "message_bytes", "launch", "place", "kind", "counter",
    "count",
)  # fmt: skip
"""Columns of ``show --view counters``; place is a host or a GPU, kind is empty for no trouble."""


def print_counters(campaign: Campaign, form: str) -> None:
    """Print what rose around every case; as a table, only what speaks of trouble."""
    rows = [
        {
            "collective": found.case.collective,
            "transport": found.case.transport,
            "ranks": found.ranks,
            "message_bytes": found.case.message_bytes,
            "launch": found.launch,
            "place": sign.place,
            "kind": sign.kind,
            "counter": sign.name,
            "count": sign.times,
        }
        for found in campaign.measurements
        if found.observed is not None
        for sign in signs_of(found.observed)
    ]
    if form == "csv":
        print_csv(COUNTER_COLUMNS, rows)
    elif form == "json":
        print_json({"rows": rows})
    else:
        _print_signs(campaign, [row for row in rows if row["kind"]])


def _print_signs(campaign: Campaign, rows: list[dict[str, Any]]) -> None:
    seen = sum(found.observed is not None for found in campaign.measurements)
    total = len(campaign.measurements)
    if not rows:
        kinds = ", ".join(f"{kind}s" if kind != "order" else "disorder" for kind in KINDS)
        click.echo(f"no {kinds} or throttling; counters rose around {seen} of {total} cases")
        return
    lines = [
        [
            f"{row['collective']} {row['transport']}",
            str(row["ranks"]),
            format_bytes(row["message_bytes"]),
            str(row["launch"]),
            row["place"],
            row["kind"],
            row["counter"],
            str(row["count"]),
        ]
        for row in rows
    ]
    heading = ("case", "ranks", "bytes", "launch", "place", "kind", "counter", "count")
    print_table(f"signs of trouble; counters rose around {seen} of {total} cases", heading, lines)
