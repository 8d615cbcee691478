"""Start one mpirun per number of ranks and unite what they measured."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from ..board import board_folder, read_board, remove_board
from ..launcher import Launcher, find_launcher
from ..store import campaign_exists, consolidate, remove_campaign
from ..watchdog import describe_board
from .progress import PARENT_VARIABLE, parse_line, show_bar
from .run import HUNG, refuse_existing

if TYPE_CHECKING:
    from pathlib import Path

    from .run import Options

__all__ = ["launch_all"]


def launch_all(options: Options, ctx: click.Context) -> int:
    """Run every launch in turn; what is finished is kept whatever happens to the next.

    Returns
    -------
    int
        The exit status: 0, or that of the first launch that failed.
    """
    refuse_existing(options)
    launcher = find_launcher()
    if options.force and campaign_exists(options.output):
        remove_campaign(options.output)
    counts = options.ranks or default_ranks()
    counts *= options.launches
    total = sum(len(options.cases(ranks)) for ranks in counts)
    bar = None if options.quiet else show_bar(total)
    folder, status = board_folder(options.output), 0
    signal.signal(signal.SIGTERM, _end)
    try:
        statuses = (_launch(launcher, ranks, ctx, bar) for ranks in counts)
        status = next((status for status in statuses if status), 0)
    finally:
        if bar:
            bar.stop()
        if status not in {0, HUNG}:  # ranks that hung have said it themselves
            _tell_where(folder, status)
        remove_board(folder)
        if campaign_exists(options.output):
            consolidate(options.output)
    if not options.quiet and status == 0:
        click.echo(f"{options.output}: {total} cases in {len(counts)} launches", err=True)
    return status


def _end(number: int, _frame: object) -> None:
    """Leave by an exception, so that the launch is ended and the file written."""
    raise SystemExit(128 + number)


def _tell_where(folder: Path, status: int) -> None:
    """Say what the ranks of a failed launch did last, where they could not say it themselves."""
    statuses = read_board(folder)
    if statuses:
        click.echo(f"collcast: mpiexec ended with status {status}; ranks when it did:", err=True)
        for line in describe_board(statuses):
            click.echo(f"  {line}", err=True)


def default_ranks() -> tuple[int, ...]:
    """Return 1, 2, 4 and further powers of two up to the number of cores."""
    cores = len(os.sched_getaffinity(0))
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return tuple(sorted({1, 2, 4, *powers}))


def _launch(launcher: Launcher, ranks: int, ctx: click.Context, bar: Any) -> int:
    process = launcher.start(ranks, _arguments(ctx), {PARENT_VARIABLE: "1"})
    assert process.stdout is not None
    try:
        for line in process.stdout:
            label = parse_line(line)
            if label is None:
                sys.stdout.write(line)
            elif bar:
                bar.update(bar.task_ids[0], advance=1, description=f"{ranks} ranks {label}")
        return process.wait()
    except BaseException:
        process.terminate()  # mpiexec passes it on to the ranks
        process.wait(timeout=30)
        raise


def _arguments(ctx: click.Context) -> list[str]:
    """The command line again, for one rank of one launch."""
    skip = {"ranks", "launches", "force", "append", "collectives"}
    words = ["run", *ctx.params["collectives"], "--append"]
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.name in skip or value is None or value is False:
            continue
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        words += [parameter.opts[-1]] if value is True else [parameter.opts[-1], text]
    return words
