"""What a run measured wrong, told at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..wrong import wrong_lines

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WRONG", "tell_wrong"]

WRONG = 1
"""Exit status of a run in which a result was wrong; the file is kept, its figures enter no fit."""


def tell_wrong(path: Path, first_launch: int) -> int:
    """Print a line per wrong case of the launches from `first_launch` on.

    Returns
    -------
    int
        `WRONG` if there is any, else 0.
    """
    from ..store import read_campaign  # with all its stamps: only once, when all is done

    measured = read_campaign(path).measurements
    lines = wrong_lines(found for found in measured if found.launch >= first_launch)
    for line in lines:
        click.echo(f"collcast: {line}", err=True)
    return WRONG if lines else 0
