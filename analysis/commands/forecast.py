"""``collcast forecast``: seal predictions before the truth is known, score them when it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["forecast"]


@click.group()
def forecast() -> None:
    """Seal forecasts, and score them against later measurements."""


@forecast.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ranks", required=True, help="Numbers of ranks, such as 512,4096.")
@click.option("--sizes", help="Message sizes, such as 8:4M; by default those measured.")
@click.option("--fabric", "fabric_name", help="Fabric for tiers that were not measured.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A name ending in .json."
)
@click.option("--force", is_flag=True, help="Replace the output.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all draws.")
def seal(
    file: Path,
    ranks: str,
    sizes: str | None,
    fabric_name: str | None,
    output: Path,
    force: bool,
    seed: int,
) -> None:
    """Write forecasts from FILE at RANKS ranks, and print their SHA-256 to publish."""
    import hashlib
    import json

    from ...bench.units import parse_sizes
    from ..fabrics import load_fabric
    from ..forecast import digest_of
    from ..forecast import seal as seal_rows
    from ..series import read_rows
    from .extras import check_output, parse_ranks, require, write_output

    require("scipy")
    check_output(output, (".json",), force=force)
    rows = read_rows(file)
    sealed = seal_rows(
        rows,
        {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        parse_ranks(ranks),
        parse_sizes(sizes) if sizes else None,
        load_fabric(fabric_name) if fabric_name else None,
        seed,
    )
    text = json.dumps(sealed, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_output(output, lambda stream: stream.write(text.encode()))
    click.echo(sealed["statement"])
    click.echo(f"sha256 of the canonical form: {digest_of(sealed)}")


@forecast.command()
@click.argument("sealed_file", metavar="FORECAST", type=click.Path(path_type=Path))
@click.argument("later", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def score(sealed_file: Path, later: Path, form: str) -> None:
    """Score FORECAST against the measurements of LATER."""
    from ...bench.errors import CaseError
    from ..forecast import digest_of, score_forecast, series_of, unseal
    from ..series import read_rows
    from .extras import require
    from .output import plain, print_json

    require("scipy")
    try:
        text = sealed_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{sealed_file}: cannot be read: {error}") from error
    sealed = unseal(text, str(sealed_file))
    rows = read_rows(later)
    found = score_forecast(sealed, rows)
    if not found.matched:
        raise CaseError(
            f"{later}: found none of the places of {sealed_file} (series "
            f"{_first(map(str, rows.series()))}), expected some of {_first(series_of(sealed))}"
        )
    values = {name: plain(value) for name, value in found.score.values().items()}
    if form == "json":
        print_json(
            {
                "sha256": digest_of(sealed),
                "matched": found.matched,
                "missing": found.missing,
                "statuses": found.statuses,
                "summary": values,
            }
        )
        return
    click.echo(f"sha256 of the canonical form: {digest_of(sealed)}")
    click.echo(f"{found.matched} forecasts measured later, {found.missing} not")
    for name, value in values.items():
        shown = "" if value is None else f"{value:.4g}"
        click.echo(f"  {name:18s} {shown}")


def _first(names: Iterable[str]) -> str:
    """Write up to two different names, and how many more there are."""
    found = [" ".join(name.split()) for name in dict.fromkeys(names)]
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return (", ".join(found[:2]) or "none") + more
