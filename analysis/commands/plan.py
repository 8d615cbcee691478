"""``collcast plan``: what to measure next, for the interval at a target."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import form_option, seed_option

if TYPE_CHECKING:
    from ..plan import Advice

__all__ = ["parse_budget", "plan"]

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, help="Number of ranks, such as 1000000.")
@click.option(
    "--budget", required=True, help="Ranks x time, such as 2000gpu-min; also gpu-s, gpu-h, rank-h."
)
@click.option("--fabric", "fabric_name", help="Fabric for tiers not measured.")
@click.option(
    "--most-ranks", type=click.IntRange(2),
    help="Most ranks of a launch; 4 times the largest measured unless said.",
)  # fmt: skip
@form_option("json")
@seed_option
def plan(
    file: Path,
    target: str,
    budget: str,
    fabric_name: str | None,
    most_ranks: int | None,
    form: str,
    seed: int,
) -> None:
    """Say which cells to measure to narrow the interval at TARGET ranks most per GPU-second.

    A cell is a number of ranks, a size, and maybe a forced algorithm. What the fabric and the next
    launch add to the interval no measurement removes; it is said how much that is.
    """
    from ...bench.errors import CaseError
    from ..fabrics import load_fabric
    from ..plan import REPETITIONS, advise
    from .extras import fit_all, parse_ranks, read_measured, require
    from .output import plain, print_json

    require("scipy")
    counts = parse_ranks(target, "--target")
    if len(counts) != 1:
        raise CaseError(f"--target: found {target!r}, expected one number of ranks")
    budget_s = parse_budget(budget)
    fabric = load_fabric(fabric_name) if fabric_name else None
    found = [
        advise(fitted, counts[0], budget_s, fabric, most_ranks or 0, seed)
        for fitted in fit_all(read_measured(file), seed)
    ]
    if form == "table":
        for advice in found:
            _print(advice)
        return
    values = []
    for advice in found:
        row = {name: plain(value) for name, value in asdict(advice).items()}
        values.append(row | {"spent_s": advice.spent_s, "repetitions": REPETITIONS})
    print_json({"target": counts[0], "budget_s": budget_s, "plans": values})


def parse_budget(text: str) -> float:
    """Return ranks x seconds from ``2000gpu-min``, ``5gpu-h`` or ``3600rank-s``.

    >>> parse_budget("2000gpu-min")
    120000.0

    Raises
    ------
    CaseError
        If the text has another form.
    """
    from ...bench.errors import CaseError

    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:gpu|rank|core)-(s|min|h)", text.strip())
    if match is None or not float(match[1]) > 0:
        raise CaseError(f"--budget: found {text!r}, expected such as 2000gpu-min")
    return float(match[1]) * _SECONDS[match[2]]


def _print(advice: Advice) -> None:
    from ...bench.units import format_bytes
    from .output import print_table

    lines = [
        [
            f"{cell.ranks:,}",
            format_bytes(cell.message_bytes),
            cell.algorithm or "native",
            f"{cell.cost_s / 60:.3g}",
            f"x{cell.width_90:.3f}",
        ]
        for cell in advice.cells
    ]
    if lines:
        heading = ("ranks", "bytes", "algorithm", "GPU minutes", "90 % interval then")
        print_table(advice.series, heading, lines)
    else:
        click.echo(f"{advice.series}\n  nothing to measure: {advice.reason}")
    if advice.width_90:
        shares = ", ".join(
            f"{name} {100 * share:.0f} %" for name, share in advice.shares.items() if share
        )
        click.echo(
            f"  90 % interval at {advice.target:,} ranks: x{advice.width_90:.3f} from end to end; "
            f"its variance: {shares}"
        )
        click.echo(f"  measuring could remove {100 * advice.reducible:.0f} % of the variance")
    if lines:
        click.echo(
            f"  {advice.spent_s / 60:.3g} of {advice.budget_s / 60:.3g} GPU minutes; by launch:"
        )
    for command in advice.commands:
        click.echo(f"  {command}")
    click.echo()
