"""Start one mpirun per launch and unite what they measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..board import board_folder, ranks_here, read_board, remove_board
from ..host import boot_id
from ..launcher import Launcher, find_launcher
from ..resume import command_line
from ..store import (
    campaign_exists,
    consolidate,
    hold_campaign,
    next_launch_number,
    read_campaign,
)
from ..watchdog import describe_board
from .choices import combinations, variables_of
from .options import WITH_RESUME, default_ranks, refuse_existing, refuse_running
from .progress import PARENT_VARIABLE, parse_line, show_bar, tell
from .rank import COMMAND_VARIABLE, HUNG
from .wrong import tell_wrong

if TYPE_CHECKING:
    from pathlib import Path

    from .options import Options

__all__ = ["launch_all"]


_PATIENCE_S = 10.0  # for mpiexec to end its ranks, and for them to end after it
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class _Planned:
    """Launches to come."""

    launches: list[tuple[int, dict[str, str]]]
    """Number of ranks, and the environment variables chosen."""

    cases: int


def launch_all(options: Options, ctx: click.Context) -> int:
    """Run every launch in turn; what is finished is kept whatever happens to the next.

    Returns
    -------
    int
        The exit status: 0, that of the first launch that failed, or `wrong.WRONG`.
    """
    if not options.resume:
        refuse_existing(options)
    launcher = find_launcher()
    if options.fields["memory"] == "device":
        from ..device import expect_device

        expect_device()
    if options.device_pointers:
        from ..canary import expect_device_pointers

        expect_device_pointers()
    planned = _plan_missing(options) if options.resume else _plan(options)
    with hold_campaign(options.output, tell):
        refuse_running(options)
        first = 0 if options.force else next_launch_number(options.output)
        status = _run_launches(planned, options, launcher, ctx)
    if not options.quiet and status == 0:
        launches = len(planned.launches)
        click.echo(f"{options.output}: {planned.cases} cases in {launches} launches", err=True)
    return status or tell_wrong(options.output, first)


def _run_launches(
    planned: _Planned, options: Options, launcher: Launcher, ctx: click.Context
) -> int:
    bar = None if options.quiet else show_bar(planned.cases)
    folder, status, well = board_folder(options.output), 0, False
    command = _command(ctx, planned)
    signal.signal(signal.SIGTERM, _end)
    try:
        for number, (ranks, chosen) in enumerate(planned.launches):
            arguments = _arguments(ctx, options, first=number == 0)
            status = _launch(launcher, ranks, chosen, arguments, command, bar)
            if status:
                break
        well = status == 0
    finally:
        if bar:
            bar.stop()
        if status not in {0, HUNG}:  # ranks that hung have said it themselves
            _tell_where(folder, status)
        if well or _end_ranks(folder):
            remove_board(folder)
            if campaign_exists(options.output):
                consolidate(options.output)
    return status


def _end_ranks(folder: Path) -> bool:
    """Wait for ranks that outlive their mpiexec, and end them; whether none writes any more.

    Rank 0 appends to the journal that consolidation removes: together they lose cases. Of a rank 0
    on another host nobody knows here; the journal then stays, and readers take both.
    """
    if any(status.rank == 0 and status.boot != boot_id() for status in read_board(folder)):
        return False
    for lost in (False, True):
        for status in ranks_here(folder) if lost else []:
            with suppress(ProcessLookupError):
                os.kill(status.pid, signal.SIGKILL)
        deadline_s = time.monotonic() + _PATIENCE_S
        while ranks_here(folder) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
    return not ranks_here(folder)


def _plan(options: Options) -> _Planned:
    chosen = combinations(options.varied)
    counts = options.measurable(options.ranks or default_ranks())
    launches = [(count, one) for count in counts for one in chosen] * options.launches
    return _Planned(launches, sum(len(options.cases(count)) for count, _ in launches))


def _plan_missing(options: Options) -> _Planned:
    """As many launches per number of ranks as the case needs that was measured least."""
    from ..resume import missing_cases

    campaign = read_campaign(options.output)
    found: list[tuple[int, dict[str, str]]] = []
    cases = 0
    for count in options.ranks or default_ranks():
        measuring = count - options.loading(count)
        wanted, protocol = options.cases(count), options.protocol_on(measuring)
        for chosen in combinations(options.varied):
            for launches in range(1, options.launches + 1):
                missing = missing_cases(campaign, wanted, measuring, launches, protocol, chosen)
                found += [(count, chosen)] if missing else []
                cases += len(missing)
    return _Planned(found, cases)


def _launch(
    launcher: Launcher,
    ranks: int,
    chosen: dict[str, str],
    arguments: list[str],
    command: tuple[str, ...],
    bar: Any,
) -> int:
    extra = {PARENT_VARIABLE: "1", COMMAND_VARIABLE: json.dumps(command), **variables_of(chosen)}
    process = launcher.start(ranks, arguments, extra)
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
        try:
            process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _command(ctx: click.Context, planned: _Planned) -> tuple[str, ...]:
    """The command line with the numbers of ranks: what was left out follows from this machine."""
    words = command_line()
    if ctx.params["ranks"] or ctx.params["resume"]:
        return words
    counts = ",".join(map(str, dict.fromkeys(count for count, _ in planned.launches)))
    at = words.index("run") + 1
    return (*words[:at], "--ranks", counts, *words[at:])


def _arguments(ctx: click.Context, options: Options, *, first: bool) -> list[str]:
    """The command line again, for one rank of one launch; the first may replace the file."""
    skip = {"ranks", "launches", "force", "append", "collectives"}
    words = ["run", *(() if options.resume else options.collectives)]
    if not options.resume:
        words.append("--force" if first and options.force else "--append")
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.name in skip or value is None or value is False:
            continue
        if options.resume and parameter.name not in WITH_RESUME:
            continue
        if parameter.multiple:
            words += [word for one in value for word in (parameter.opts[-1], one)]
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
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
