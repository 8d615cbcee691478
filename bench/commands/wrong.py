"""What a run measured wrong, told at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..units import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from ..sample import Measurement

__all__ = ["WRONG", "tell_wrong"]

WRONG = 1
"""Exit status of a run in which a result was wrong; the file is kept, its figures enter no fit."""

_MOST_LINES = 5


def tell_wrong(path: Path, first_launch: int) -> int:
    """Print a line per wrong case of the launches from `first_launch` on.

    Returns
    -------
    int
        `WRONG` if there is any, else 0.
    """
    from ..store import read_campaign  # with all its stamps: only once, when all is done

    wrong = [
        found
        for found in read_campaign(path).measurements
        if found.launch >= first_launch and found.wrong
    ]
    for found in wrong[:_MOST_LINES]:
        click.echo(f"collcast: WRONG: {_line(found)}", err=True)
    if len(wrong) > _MOST_LINES:
        click.echo(f"collcast: WRONG: {len(wrong) - _MOST_LINES} cases more", err=True)
    return WRONG if wrong else 0


def _line(found: Measurement) -> str:
    case = found.case
    return (
        f"{case.collective} {format_bytes(case.message_bytes)} {case.dtype} {case.operation} "
        f"{case.transport} on {found.ranks} ranks: {found.wrong} wrong elements, the first "
        f"{found.first_wrong} on rank {found.first_wrong_rank}, up to {found.largest_ulps or 0:g} "
        "ulp off"
    )
