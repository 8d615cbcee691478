"""``collcast doctor``: what is there, what is not, and what to do about it."""

from __future__ import annotations

import click


@click.command()
@click.option("--timer", is_flag=True, help="Only the clock: name, resolution, cost of a stamp.")
def doctor(*, timer: bool) -> int:
    """Say what this machine can measure, and what is missing for the rest.

    Exit status 0 if measuring works, 1 if not.
    """
    from ..checks import check_clock, run_checks

    checks = [check_clock()] if timer else run_checks()
    for check in checks:
        click.echo(f"{'ok' if check.fine else '--':<3} {check.name:<12} {check.found}")
        if check.remedy:
            click.echo(f"{'':<16} {check.remedy}")
    return 0 if all(check.fine or not check.needed for check in checks) else 1
