"""``collcast plot``: measured points, fits and the forecast on a fabric, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import page_options

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["plot"]


@click.command()
@page_options("Picture to write: .png, .svg or .pdf.")
def plot(file: Path, output: Path, fabric_name: str, force: bool) -> None:
    """Draw FILE: what was measured and its fit, and beside it the forecast on a fabric."""
    from .extras import check_output, fit_all, read_measured, require

    require("scipy", "matplotlib")
    from ..fabrics import load_fabric
    from ..plot import SUFFIXES, draw, save
    from ..provenance import machine_line
    from .extras import write_output

    check_output(output, SUFFIXES, force=force)
    fabric = None if fabric_name == "none" else load_fabric(fabric_name)
    campaign = read_measured(file)
    figure = draw(fit_all(campaign), fabric, machine_line(campaign))
    write_output(output, lambda stream: save(figure, stream, output.suffix.lower()))
