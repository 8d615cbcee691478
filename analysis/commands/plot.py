"""``collcast plot``: measured points, fits and the forecast on a fabric, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...bench.errors import CaseError
from .options import page_options

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from ...bench.sample import Campaign

__all__ = ["plot"]


@click.command()
@page_options("Picture to write: .png, .svg or .pdf.")
@click.option("--pairs", is_flag=True, help="Draw messages between pairs of ranks as heat map.")
@click.option(
    "--holdout", type=click.IntRange(2),
    help="Draw how far forecasts of the scales above the largest over this lie off, by factor.",
)  # fmt: skip
def plot(
    file: Path, output: Path, fabric_name: str, pairs: bool, holdout: int | None, force: bool
) -> None:
    """Draw FILE: what was measured and its fit, and beside it the forecast on a fabric.

    A file that holds only pairs of ranks is drawn as their heat map. With --holdout, FILE may be a
    table as `validate` takes it; for several files see its --picture.
    """
    from .extras import check_output, fit_all, read_measured, require

    require("scipy", "matplotlib")
    from ...bench.case import PAIRS
    from ..fabrics import load_fabric
    from ..plot import SUFFIXES, draw, save
    from ..provenance import machine_line
    from .extras import write_output

    check_output(output, SUFFIXES, force=force)
    if holdout is not None:
        errors = _errors(file, holdout)
        write_output(output, lambda stream: save(errors, stream, output.suffix.lower()))
        return
    fabric = None if fabric_name == "none" else load_fabric(fabric_name)
    campaign = read_measured(file)
    alone = all(found.case.collective in PAIRS for found in campaign.measurements)
    if pairs or (alone and not campaign.imported):
        figure = _heat_map(campaign)
    else:
        figure = draw(fit_all(campaign), fabric, machine_line(campaign))
    write_output(output, lambda stream: save(figure, stream, output.suffix.lower()))


def _errors(file: Path, holdout: int) -> Figure:
    from ..drawing.error import draw_errors
    from ..series import read_rows
    from ..validate import validate

    found = validate(read_rows(file), holdout)
    if not found.held:
        reasons = "; ".join(f"{count} have {reason}" for reason, count in found.skipped.items())
        raise CaseError(f"{file}: found no series with enough scales ({reasons or 'no rows'})")
    return draw_errors([found])


def _heat_map(campaign: Campaign) -> Figure:
    from ..drawing.pair import draw_pairs
    from ..pair import find_slow, matrices_of, nothing_slow
    from ..provenance import machine_line

    matrices = matrices_of(campaign)
    if not matrices:
        raise CaseError("--pairs: found no pair of ranks, expected at least 1 (run pairs)")
    slow = find_slow(campaign)
    return draw_pairs(matrices, slow, machine_line(campaign), nothing_slow(campaign))
