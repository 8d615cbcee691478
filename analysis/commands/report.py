"""``collcast report``: one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import page_options

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["report"]


@click.command()
@page_options("Page to write: .html.")
def report(file: Path, output: Path, fabric_name: str, force: bool) -> None:
    """Write a page about FILE: picture, tables, fits, forecast, provenance."""
    from .extras import check_output, fit_all, read_measured, require, write_output

    require("scipy", "matplotlib", "jinja2")
    from ...bench.host import as_text
    from ..fabrics import load_fabric
    from ..report import render

    check_output(output, (".html", ".htm"), force=force)
    fabric = None if fabric_name == "none" else load_fabric(fabric_name)
    campaign = read_measured(file)
    page = render(campaign, fit_all(campaign), fabric, f"Collectives in {as_text(file.name)}")
    write_output(output, lambda stream: stream.write(page.encode()))
