"""``collcast report``: one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["report"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Page to write: .html."
)
@click.option(
    "--fabric",
    "fabric_name",
    default="colossus-2",
    show_default=True,
    help="Fabric of the forecast: a name, a .toml file, or none.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def report(file: Path, output: Path, fabric_name: str, force: bool) -> None:
    """Write a page about FILE: picture, tables, fits, forecast, provenance."""
    from .extras import check_output, fit_all, read_measured, require, write_output

    require("scipy", "matplotlib", "jinja2")
    from ..fabrics import load_fabric
    from ..report import render

    check_output(output, (".html", ".htm"), force=force)
    fabric = None if fabric_name == "none" else load_fabric(fabric_name)
    campaign = read_measured(file)
    page = render(campaign, fit_all(campaign), fabric, f"Collectives in {file.name}")
    write_output(output, lambda stream: stream.write(page.encode()))
