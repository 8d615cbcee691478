"""``collcast import``: logs and tables of other programs, into a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..log_format import FORMATS

if TYPE_CHECKING:
    from ...bench.imported import ImportedTable

__all__ = ["import_"]

PATH = click.Path(path_type=Path)


@click.command("import")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Campaign file.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--ranks", type=click.IntRange(1), help="Where a log does not say.")
@click.option("--ranks-per-node", type=click.IntRange(1), help="Where a log does not say.")
@click.option("--collective", default="", help="Where a log does not say, such as all_reduce.")
@click.option("--system", default="", help="Name of the machine.")
@click.option("--column", multiple=True, metavar="NAME=FOUND", help="A table's name for a column.")
@click.option("--fabric", help="Fabric file or name, whose fastest link is the physical ceiling.")
@click.option("--append", is_flag=True, help="Add to an existing file.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def import_(
    logs: tuple[Path, ...],
    output: Path,
    form: str,
    ranks: int | None,
    ranks_per_node: int | None,
    collective: str,
    system: str,
    column: tuple[str, ...],
    fabric: str | None,
    append: bool,
    force: bool,
) -> None:
    """Import LOGs of nccl-tests, OSU, IMB, OMB-Py, PARAM, or plain tables, into a campaign.

    All logs are read before anything is written. What no link can carry is kept and marked.
    """
    from ..importers import read_log
    from ..importers.cells import Given
    from ..importers.table import collective_of
    from ..physics import CEILING_BYTES_PER_S, ceiling_of
    from .extras import require_parquet

    _expect_output(output, append=append, force=force)
    if any(path.suffix.lower() == ".parquet" for path in logs):
        require_parquet()
    ceiling = CEILING_BYTES_PER_S
    if fabric is not None:
        from ..fabrics import load_fabric

        ceiling = ceiling_of(load_fabric(fabric))
    given = Given(ranks, ranks_per_node, collective_of(collective), system)
    renamed = _renamed(column)
    tables = [read_log(path, form, given, renamed, ceiling) for path in logs]
    _write(output, tables, force=force)
    for path, table in zip(logs, tables, strict=True):
        click.echo(f"{path}: {_summary(table)}")


def _expect_output(output: Path, *, append: bool, force: bool) -> None:
    from ...bench.errors import StoreError
    from ...bench.store import campaign_exists

    if append and force:
        raise click.UsageError("--append and --force: found both, expected one")
    if not output.parent.is_dir():
        raise StoreError(f"output: {output.parent} is no directory")
    if campaign_exists(output) and not (append or force):
        raise StoreError(
            f"output: {output} exists; give --force to replace it or --append to add to it"
        )


def _renamed(columns: tuple[str, ...]) -> dict[str, str]:
    from ..importers.table import COLUMNS

    renamed = {}
    for text in columns:
        name, _, found = text.partition("=")
        if name not in COLUMNS or not found:
            raise click.BadParameter(
                f"found {text!r}, expected NAME=FOUND with NAME one of {', '.join(COLUMNS)}",
                param_hint="--column",
            )
        renamed[name] = found
    return renamed


def _write(output: Path, tables: list[ImportedTable], *, force: bool) -> None:
    from ...bench.sample import Campaign
    from ...bench.store import (
        append_imported,
        campaign_exists,
        consolidate,
        hold_campaign,
        write_campaign,
    )

    with hold_campaign(output, lambda line: click.echo(f"collcast: {line}", err=True)):
        if force or not campaign_exists(output):
            write_campaign(output, Campaign(launches=(), measurements=(), imported=tuple(tables)))
            return
        for table in tables:
            append_imported(output, table)
        consolidate(output)


def _summary(table: ImportedTable) -> str:
    """Say what was found in one file: format, cells, what was skipped, what is suspect."""
    import numpy as np

    parts = [f"{table.format}, {len(table)} cells"]
    counts = np.bincount(table.suspect.codes, minlength=len(table.suspect.names))
    reasons = {
        "physics": "faster than any link (suspect: physics)",
        "empty": "of no bytes (suspect: empty)",
    }
    for name, count in zip(table.suspect.names, counts, strict=True):
        if name and count:
            parts.append(f"{count} {reasons.get(name, f'suspect: {name}')}")
    parts.append(f"{table.skipped} other lines skipped")
    return ", ".join(parts)
