"""``collcast doctor``: what is there, what is not, and what to do about it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..doctor import Check

__all__ = ["doctor"]


@click.command()
@click.option("--timer", is_flag=True, help="Only the clock: name, resolution, cost of a stamp.")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder that campaigns go to.  [default: this one]",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def doctor(*, timer: bool, folder: Path, form: str) -> int:
    """Say what this machine can measure, what is missing for the rest, and how to mend it.

    Under mpirun, whether its processes see each other, too.

    Exit status: 0 if measuring works, though warnings may stand above, 1 if something failed.
    """
    from ..doctor import check_clock, check_launch, run_checks
    from ..launcher import launched_rank

    launch = [] if timer else check_launch()
    if launched_rank(os.environ) not in {None, 0}:
        return 0  # rank 0 speaks
    checks = [check_clock()] if timer else [*launch, *run_checks(folder)]
    status = int(any(check.state == "failure" for check in checks))
    if form == "json":
        click.echo(json.dumps({"status": status, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        _print(checks)
    return status


def _print(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        click.echo(f"{check.state:<8} {check.name:<{width}}  {check.detail}")
        if check.fix:
            click.echo(f"{'':<8} {'':<{width}}  -> {check.fix}")
