"""Start one mpirun per launch and unite what they measured."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..board import board_folder, read_board, remove_board
from ..launcher import Launcher, find_launcher
from ..store import campaign_exists, consolidate, read_campaign, remove_campaign
from ..watchdog import describe_board
from .options import WITH_RESUME, refuse_existing
from .progress import PARENT_VARIABLE, parse_line, show_bar
from .rank import COMMAND_VARIABLE, HUNG

if TYPE_CHECKING:
    from pathlib import Path

    from .options import Options

__all__ = ["default_ranks", "launch_all"]


@dataclass(frozen=True, slots=True)
class _Planned:
    """Launches to come."""

    ranks: list[int]
    cases: int


def launch_all(options: Options, ctx: click.Context) -> int:
    """Run every launch in turn; what is finished is kept whatever happens to the next.

    Returns
    -------
    int
        The exit status: 0, or that of the first launch that failed.
    """
    if not options.resume:
        refuse_existing(options)
    launcher = find_launcher()
    if options.force and campaign_exists(options.output):
        remove_campaign(options.output)
    planned = _plan_missing(options) if options.resume else _plan(options)
    status = _run_launches(planned, options, launcher, _arguments(ctx, options))
    if not options.quiet and status == 0:
        launches = len(planned.ranks)
        click.echo(f"{options.output}: {planned.cases} cases in {launches} launches", err=True)
    return status


def _run_launches(
    planned: _Planned, options: Options, launcher: Launcher, arguments: list[str]
) -> int:
    bar = None if options.quiet else show_bar(planned.cases)
    folder, status = board_folder(options.output), 0
    signal.signal(signal.SIGTERM, _end)
    try:
        statuses = (_launch(launcher, ranks, arguments, bar) for ranks in planned.ranks)
        status = next((status for status in statuses if status), 0)
    finally:
        if bar:
            bar.stop()
        if status not in {0, HUNG}:  # ranks that hung have said it themselves
            _tell_where(folder, status)
        remove_board(folder)
        if campaign_exists(options.output):
            consolidate(options.output)
    return status


def _plan(options: Options) -> _Planned:
    ranks = list(options.ranks or default_ranks()) * options.launches
    return _Planned(ranks, sum(len(options.cases(count)) for count in ranks))


def _plan_missing(options: Options) -> _Planned:
    """As many launches per number of ranks as the case needs that was measured least."""
    from ..resume import missing_cases

    campaign = read_campaign(options.output)
    ranks, cases = [], 0
    for count in options.ranks or default_ranks():
        wanted = options.cases(count)
        for launches in range(1, options.launches + 1):
            missing = missing_cases(campaign, wanted, count, launches, options.protocol)
            ranks += [count] if missing else []
            cases += len(missing)
    return _Planned(ranks, cases)


def default_ranks() -> tuple[int, ...]:
    """Return 1, 2, 4 and further powers of two up to the number of cores."""
    cores = len(os.sched_getaffinity(0))
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return tuple(sorted({1, 2, 4, *powers}))


def _launch(launcher: Launcher, ranks: int, arguments: list[str], bar: Any) -> int:
    command = json.dumps(["collcast", *sys.argv[1:]])
    process = launcher.start(ranks, arguments, {PARENT_VARIABLE: "1", COMMAND_VARIABLE: command})
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


def _arguments(ctx: click.Context, options: Options) -> list[str]:
    """The command line again, for one rank of one launch."""
    skip = {"ranks", "launches", "force", "append", "collectives"}
    words = ["run"] if options.resume else ["run", *options.collectives, "--append"]
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.name in skip or value is None or value is False:
            continue
        if options.resume and parameter.name not in WITH_RESUME:
            continue
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        words += [parameter.opts[-1]] if value is True else [parameter.opts[-1], text]
    return words


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
