"""``collcast export``: a campaign as a plain table for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from .options import statistic_option

__all__ = ["export"]

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Table to write.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "json"]), required=True)
@statistic_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export(file: Path, output: Path, form: str, statistic: str | None, force: bool) -> None:
    """Export FILE: one row per cell, in the columns that import reads."""
    from .. import export as exporting
    from .extras import check_output, read_measured, require_parquet, write_output

    check_output(output, (f".{form}",), force=force)
    if form == "parquet":
        require_parquet()
    cells = list(exporting.cells_of(read_measured(file), statistic))
    write = {
        "csv": exporting.write_csv,
        "json": exporting.write_json,
        "parquet": exporting.write_parquet,
    }[form]
    write_output(output, lambda stream: write(stream, iter(cells)))
    click.echo(f"{output}: {len(cells)} cells")
