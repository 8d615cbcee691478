"""``collcast show``: what a campaign holds, as a table, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..dataset import Dataset, Row, SeriesKey

__all__ = ["CSV_COLUMNS", "row_values", "show"]

_KEY_COLUMNS = ("collective", "transport", "algorithm", "protocol", "sync", "statistic")
CSV_COLUMNS = (
    *_KEY_COLUMNS,
    "ranks",
    "message_bytes",
    "dtype",
    "placement",
    "memory",
    "repetitions",
    "launches",
    "median_us",
    "low_us",
    "high_us",
    "algbw_gb_per_s",
    "busbw_gb_per_s",
    "wrong",
    "suspect",
)
"""Columns of ``show --format csv``: stable."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.option(
    "--statistic",
    type=click.Choice(["local_max", "makespan", "after_last_arrival"]),
    help="Statistic of a repetition; by default the one that fits the start synchronisation.",
)
def show(file: Path, form: str, statistic: str | None) -> None:
    """Show what FILE holds: medians with 95 % intervals, bandwidths, wrong elements."""
    from ..dataset import dataset_of
    from .extras import read_measured
    from .output import print_csv, print_json

    rows = dataset_of(read_measured(file), statistic)
    if form == "table":
        for key, series in rows.series().items():
            _print_series(key, series)
        return
    values = [row_values(row) for series in rows.series().values() for row in series]
    if form == "csv":
        print_csv(CSV_COLUMNS, values)
    else:
        print_json({"rows": values})


def row_values(row: Row) -> dict[str, Any]:
    """Return a row by column name, in the units of `CSV_COLUMNS`, with labels and hosts besides."""
    from ..summary import algbw_bytes_per_s, busbw_factor
    from .output import plain

    algbw = algbw_bytes_per_s(row.message_bytes, row.median_s) * 1e-9
    values = {
        name: getattr(row.key, name) for name in (*_KEY_COLUMNS, "dtype", "placement", "memory")
    }
    values |= {
        "ranks": row.ranks,
        "message_bytes": row.message_bytes,
        "repetitions": row.repetitions,
        "launches": row.launches,
        "median_us": row.median_s * 1e6,
        "low_us": row.low_s * 1e6,
        "high_us": row.high_s * 1e6,
        "algbw_gb_per_s": algbw,
        "busbw_gb_per_s": algbw * busbw_factor(row.key.collective, row.ranks),
        "wrong": row.wrong if row.wrong >= 0 else None,
        "suspect": row.suspect,
        "labels": row.labels,
        "hosts": row.hosts if row.hosts > 0 else None,
    }
    return {name: plain(values[name]) for name in (*CSV_COLUMNS, "labels", "hosts")}


def _print_series(key: SeriesKey, series: Dataset) -> None:
    from ...bench.units import format_bytes
    from .output import print_table

    heading = (
        "ranks",
        "bytes",
        "median us",
        "low us",
        "high us",
        "algbw GB/s",
        "busbw GB/s",
        "wrong",
    )
    lines = []
    for row in series:
        values = row_values(row)
        numbers = ("median_us", "low_us", "high_us", "algbw_gb_per_s", "busbw_gb_per_s")
        lines.append(
            [
                str(row.ranks),
                format_bytes(row.message_bytes),
                *("" if values[name] is None else _digits(values[name]) for name in numbers),
                "" if values["wrong"] is None else str(values["wrong"]),
                ", ".join([*row.labels, *([row.suspect] if row.suspect else [])]),
            ]
        )
    print_table(f"{key} ({key.statistic})", (*heading, "notes"), lines)


def _digits(value: float) -> str:
    """Write a number with four significant digits and no exponent below a million."""
    return f"{value:.0f}" if value >= 1000 else f"{value:#.4g}"
