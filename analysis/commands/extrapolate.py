"""``collcast extrapolate``: times at other ranks and sizes, with intervals and their kind."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..prediction import Prediction

__all__ = ["extrapolate"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ranks", required=True, help="Numbers of ranks, such as 1000000 or 64,1000000.")
@click.option("--sizes", help="Message sizes, such as 8:4M or 1M,1G; by default those measured.")
@click.option(
    "--fabric", "fabric_name", help="Fabric for tiers not measured: a name or a .toml file."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all draws."
)
def extrapolate(
    file: Path, ranks: str, sizes: str | None, fabric_name: str | None, form: str, seed: int
) -> None:
    """Predict times at RANKS ranks from the measurements of FILE.

    Each prediction says whether it is measured, extrapolated, conditional on a fabric, or
    unsupported.
    """
    from ...bench.case import BYTES_PER_ELEMENT
    from ...bench.units import parse_sizes
    from ..extrapolate import Extrapolator
    from ..fabrics import load_fabric
    from ..prediction import notes, statement
    from .extras import fit_all, parse_ranks, read_measured, require

    require("scipy")
    counts = parse_ranks(ranks)
    wanted = parse_sizes(sizes) if sizes else None
    fabric = load_fabric(fabric_name) if fabric_name else None
    predictions: list[Prediction] = []
    lines: list[str] = []
    for fitted in fit_all(read_measured(file), seed):
        key = fitted.key
        measured = sorted({row.message_bytes for row in fitted.rows})
        extrapolator = Extrapolator(fit=fitted, fabric=fabric, seed=seed)
        found = extrapolator.predict(counts, wanted or measured)
        predictions += found
        lines += notes(found, BYTES_PER_ELEMENT.get(key.dtype, 1))
        if not fitted.curve and any(p.status == "unsupported" for p in found):
            lines.append(f"{key}: {fitted.reason}")
    _print(form, statement(predictions, fabric), lines, predictions)


def _print(form: str, first: str, lines: Sequence[str], predictions: Sequence[Prediction]) -> None:
    from ..prediction import COLUMNS
    from .output import plain, print_csv, print_json

    if form == "table":
        click.echo(first)
        _print_tables(predictions)
        for line in lines:
            click.echo(line)
        return
    values: list[dict[str, Any]] = [
        {name: plain(value) for name, value in asdict(p).items()} for p in predictions
    ]
    if form == "json":
        print_json({"statement": first, "notes": list(lines), "predictions": values})
        return
    # Standard output holds nothing but CSV; the statement must not be lost for it.
    for line in (first, *lines):
        click.echo(line, err=True)
    print_csv(COLUMNS, values)


def _print_tables(predictions: Sequence[Prediction]) -> None:
    from ...bench.units import format_bytes, format_seconds
    from .output import print_table

    def time(value_us: float | None) -> str:
        return "" if value_us is None else format_seconds(value_us * 1e-6)

    def span(low_us: float | None, high_us: float | None) -> str:
        return "" if low_us is None else f"{time(low_us)} to {time(high_us)}"

    groups: dict[str, list[list[str]]] = {}
    for p in predictions:
        title = f"{p.collective} {p.transport} {p.algorithm} {p.protocol} {p.sync} {p.dtype}"
        groups.setdefault(f"{title} {p.placement} {p.memory}", []).append(
            [
                f"{p.ranks:,}",
                format_bytes(p.message_bytes),
                time(p.time_us),
                span(p.low50_us, p.high50_us),
                span(p.low90_us, p.high90_us),
                p.status,
                ", ".join(p.assumed_tiers),
            ]
        )
    heading = (
        "ranks",
        "bytes",
        "time",
        "50 % interval",
        "90 % interval",
        "status",
        "assumed tiers",
    )
    for title, lines in groups.items():
        print_table(title, heading, lines)
