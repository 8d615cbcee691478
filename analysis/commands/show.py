"""``collcast show``: what a campaign holds, as a table, CSV or JSON, or as a peer prints it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import form_option, statistic_option

if TYPE_CHECKING:
    from ...bench.sample import Campaign, Measurement
    from ..dataset import Dataset, Row, SeriesKey
    from ..reach import Reach, Reference
    from .view import Filter

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
    "counts",
    "root",
    "peer",
    "skew",
    "bound_percent",
    "bound",
    "load",
)
"""Columns of ``show --format csv``: stable; those of --percentiles follow."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@form_option("csv", "json")
@statistic_option
@click.option("--collective", default="", help="Only these, such as all_reduce,barrier.")
@click.option("--transport", default="", help="Only these, such as mpi,nccl.")
@click.option("--ranks", default="", help="Only these, such as 2,4.")
@click.option("--sizes", default="", help="Only sizes FIRST:LAST, or one size.")
@click.option("--percentiles", default="", help="Of the repetitions, such as 5,95,99.9.")
@click.option("--per-rank", is_flag=True, help="A row per rank: which of them are slow.")
@click.option(
    "--view",
    type=click.Choice(["arrivals", "stragglers", "pairs", "counters", "impact", "noise"]),
    help="Waiting and transfer; who is late or slow; the matrix of all pairs of ranks; signs of "
    "congestion and throttling; loaded over quiet; detours per rank.",
)
@click.option(
    "--bound",
    "fabric_name",
    metavar="FABRIC",
    help="Hold figures against this fabric's links, not the file's own point-to-point rates.",
)
@click.option("--raw", is_flag=True, help="Every stamp, as CSV.")
@click.option(
    "--as",
    "peer",
    type=click.Choice(["nccl-tests", "osu", "imb"]),
    help="Print what that program would have printed for these samples.",
)
def show(file: Path, **given: Any) -> None:
    """Show what FILE holds: medians with 95 % intervals, bandwidths, wrong elements."""
    from .extras import read_measured
    from .view import Filter, parse_percentiles, print_peer, print_per_rank, print_raw

    views = [name for name in ("per_rank", "raw", "peer", "view") if given[name]]
    if len(views) > 1:
        raise click.UsageError("found several of --per-rank, --raw, --as and --view, expected one")
    percentiles = parse_percentiles(given["percentiles"])
    chosen = Filter.parse(*(given[name] for name in ("collective", "transport", "ranks", "sizes")))
    whole = read_measured(file)
    campaign = chosen.campaign(whole)
    if given["form"] == "table":  # for programs, a table without rows is an answer
        chosen.expect_some(whole, file)
    if given["peer"]:
        print_peer(campaign, given["peer"])
    elif given["raw"]:
        print_raw(campaign)
    elif given["view"]:
        from .disturbance import DISTURBANCES
        from .network_view import VIEWS

        (VIEWS | DISTURBANCES)[given["view"]](campaign, given["form"])
    elif given["per_rank"]:
        print_per_rank(campaign, given["form"])
    else:
        _print_rows(
            whole, chosen, given["form"], given["statistic"], percentiles, given["fabric_name"]
        )


def _print_rows(
    campaign: Campaign,
    chosen: Filter,
    form: str,
    statistic: str | None,
    percentiles: tuple[float, ...],
    fabric_name: str | None,
) -> None:
    from ...bench.wrong import wrong_lines
    from ..dataset import Dataset, dataset_of
    from ..fabrics import load_fabric
    from ..reach import reach_of, references_of
    from .output import print_csv, print_json
    from .view import percentile_values, percentiles_of

    fabric = load_fabric(fabric_name) if fabric_name else None
    every = dataset_of(campaign, statistic)
    references = references_of(every)  # of the whole file, whatever is chosen
    rows = Dataset(tuple(row for row in every if chosen.takes(row)))
    reached = {id(row): reach_of(row, references, fabric) for row in rows}
    series = sorted(rows.series().items(), key=lambda item: str(item[0]))
    found = percentiles_of(campaign, statistic, percentiles)
    if form == "table":
        for key, members in series:
            _print_series(key, members, percentiles, found, reached)
        _print_references(rows, references, fabric_name)
        for line in wrong_lines(chosen.campaign(campaign).measurements):
            click.echo(line)
        for failed in campaign.failed:
            click.echo(f"failed: {_case_text(failed)}: {failed.failure}")
        return
    columns = (*CSV_COLUMNS, *(f"p{percentile:g}_us" for percentile in percentiles))
    values = [
        row_values(row, reached[id(row)]) | percentile_values(row, percentiles, found)
        for _, members in series
        for row in members
    ]
    if form == "csv":
        print_csv(columns, values)
    else:
        failures = [{"case": _case_text(one), "failure": one.failure} for one in campaign.failed]
        print_json({"rows": values} | ({"failed": failures} if failures else {}))


def _case_text(found: Measurement) -> str:
    """Name a case that has no row."""
    from ...bench.units import format_bytes

    case = found.case
    size = format_bytes(case.message_bytes)
    return f"{case.collective} {case.transport} {case.dtype} {size} on {found.ranks} ranks"


def row_values(row: Row, reach: Reach | None = None) -> dict[str, Any]:
    """Return a row by column name, in the units of `CSV_COLUMNS`, with labels and hosts besides."""
    from ..summary import algbw_bytes_per_s
    from .output import plain

    algbw = algbw_bytes_per_s(row.message_bytes, row.median_s) * 1e-9
    values = {
        name: getattr(row.key, name)
        for name in (*_KEY_COLUMNS, "dtype", "placement", "memory", "skew")
    }
    values |= {
        "algorithm": row.key.choice,
        "ranks": row.ranks,
        "message_bytes": row.message_bytes,
        "repetitions": row.repetitions if row.repetitions >= 0 else None,
        "launches": row.launches,
        "median_us": row.median_s * 1e6,
        "low_us": row.low_s * 1e6,
        "high_us": row.high_s * 1e6,
        "algbw_gb_per_s": algbw,
        "busbw_gb_per_s": row.bus_bytes / row.median_s * 1e-9 if row.median_s > 0 else math.nan,
        "wrong": row.wrong if row.wrong >= 0 else None,
        "suspect": row.suspect,
        "counts": row.key.counts if row.key.collective == "all_to_allv" else "",
        "root": row.key.root,
        "peer": row.key.peer if row.key.peer >= 0 else None,
        "bound_percent": reach.percent if reach else None,
        "bound": reach.bound if reach else "",
        "load": row.key.load,
        "labels": row.labels,
        "hosts": row.hosts if row.hosts > 0 else None,
        "system": row.key.system,
    }
    return {name: plain(values[name]) for name in (*CSV_COLUMNS, "labels", "hosts", "system")}


_NUMBERS = ("median_us", "low_us", "high_us", "algbw_gb_per_s", "busbw_gb_per_s")


def _print_series(
    key: SeriesKey,
    series: Dataset,
    percentiles: tuple[float, ...],
    found: dict[Any, Any],
    reached: dict[int, Reach | None],
) -> None:
    from ...bench.units import format_bytes
    from .output import print_table
    from .view import percentile_values

    names = (*_NUMBERS, *(f"p{percentile:g}_us" for percentile in percentiles))
    heading = ("ranks", "bytes", "median us", "low us", "high us", "algbw GB/s", "busbw GB/s")
    more = tuple(f"p{percentile:g} us" for percentile in percentiles)
    lines = []
    for row in series:
        reach = reached[id(row)]
        values = row_values(row) | percentile_values(row, percentiles, found)
        lines.append(
            [
                str(row.ranks),
                format_bytes(row.message_bytes),
                *("" if values[name] is None else _digits(values[name]) for name in names),
                _reached(reach),
                "" if values["wrong"] is None else str(values["wrong"]),
                ", ".join(_notes(row)),
            ]
        )
    title = " ".join(f"{key} ({key.statistic})".split()).replace(" ()", "")
    print_table(title, (*heading, *more, "% of bound", "wrong", "notes"), lines)


def _print_references(
    rows: Dataset, references: dict[Any, Reference], fabric_name: str | None
) -> None:
    """Say how much the bounds are that the tables name."""
    from ...bench.units import format_bytes

    if not len(rows):
        return
    if fabric_name:
        click.echo(f"bounds of several ranks: what {fabric_name} allows at best")
    for (system, transport, memory, labels, where), found in references.items():
        if fabric_name and found.name != "copy":
            continue
        whose = " ".join(filter(None, (system, transport, memory, *(set(labels) - {"copy"}))))
        rate = _digits(found.bytes_per_s * 1e-9)
        size = format_bytes(found.message_bytes)
        click.echo(f"bound {found.name}, {whose} {where}: {rate} GB/s, measured at {size}")


def _reached(reach: Reach | None) -> str:
    """A percentage with three digits at most, and of what."""
    if reach is None:
        return ""
    digits = f"{reach.percent:.0f}" if reach.percent >= 100 else f"{reach.percent:.3g}"
    return f"{digits} {reach.bound}"


def _notes(row: Row) -> list[str]:
    """What must be known with a time."""
    notes = [*row.labels, *([row.suspect] if row.suspect else [])]
    if row.clock_matters:
        notes.append(f"clock +-{row.clock_error_s * 1e6:.2f} us")
    return notes


def _digits(value: float) -> str:
    """Write a number with four significant digits and no exponent below a million."""
    return f"{value:.0f}" if value >= 1000 else f"{value:#.4g}"
