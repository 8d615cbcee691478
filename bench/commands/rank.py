"""Be one rank of a launch: measure, watch, and say what went wrong."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..aggressor import Load, load_network
from ..board import IDLE, Board, board_folder, read_board, remove_board
from ..campaign import run_sweep
from ..canary import expect_device_pointers
from ..device import Device, bind
from ..errors import CaseError, CollcastError, MeasurementError, StoreError, TransportError
from ..groups import check_counts, rank_order, take_part, wait_quietly
from ..nvml import open_monitor
from ..observer import open_observer
from ..provenance import collect, cores_of, host_name
from ..resume import check_same_machine, command_line, missing_cases
from ..skew import parse_skew
from ..store import (
    campaign_exists,
    consolidate,
    hold_campaign,
    next_launch_number,
    read_campaign,
)
from ..topology import expect_hosts, read_topology
from ..tunable import check_tunables
from ..watchdog import Watchdog, describe_board
from ..world import join_world
from .options import refuse_existing, refuse_running
from .progress import PARENT_VARIABLE, progress_lines, progress_silent, tell
from .wrong import tell_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..case import Case
    from ..environment import Environment
    from ..groups import Part
    from ..protocol import Protocol
    from ..topology import Place
    from .options import Options

__all__ = ["COMMAND_VARIABLE", "HUNG", "measure_as_rank"]

COMMAND_VARIABLE = "COLLCAST_COMMAND"
"""Tells a rank the command line of the parent that started mpirun, as JSON."""

HUNG = 3
"""Exit status of a job in which nothing moved."""

_TOGETHER_S = 3.0  # ranks that see the same mistake see it within that, also on a loaded machine


def measure_as_rank(options: Options) -> int:
    """Be one rank of a launch; returns the exit status."""
    if options.launches > 1 and PARENT_VARIABLE not in os.environ and not options.resume:
        raise CaseError(
            f"launches: found {options.launches} under mpirun, expected 1 (this is one launch); "
            "leave mpirun out, or start it again with --append"
        )
    world = join_world()
    errors = world.Dup()
    try:
        return _run_in_world(world, options)
    except CollcastError as error:
        return _end_together(errors, str(error), error.exit_status, options)
    except Exception as error:  # the others wait inside MPI: the job must end
        return _end_together(errors, f"{type(error).__name__}: {error}", 1, options)


def _end_together(errors: Any, message: str, status: int, options: Options) -> int:
    """End with one line from rank 0 if all ranks failed, else with this rank's and an abort."""
    request, deadline_s = errors.Ibarrier(), time.monotonic() + _TOGETHER_S
    together = False
    while not together and time.monotonic() < deadline_s:
        together = request.Test()
        time.sleep(0.01)
    if together and errors.size > 1 and status == MeasurementError.exit_status:
        message += f"; all {errors.size} ranks failed"
    if errors.rank == 0 or not together:
        click.echo(f"collcast: {' '.join(message.split())}", err=True)
        remove_board(board_folder(options.output))
    if not together:
        errors.Abort(status)
    time.sleep(0 if errors.rank == 0 else _TOGETHER_S)  # mpirun ends the job with the first
    return status


def _run_in_world(world: Any, options: Options) -> int:
    """Measure on every number of ranks in turn; ranks that a group leaves out sleep.

    Returns the exit status.
    """
    with ExitStack() as held:
        return _measure_all(world, options, held)


def _measure_all(world: Any, options: Options, held: ExitStack) -> int:
    counts = _counts(world, options)
    check_tunables(options.chosen)
    if options.device_pointers and PARENT_VARIABLE not in os.environ:
        _expect_device_pointers(world)
    hosts = world.allgather(host_name(world))
    places = read_topology(options.topology) if options.topology else {}
    if options.topology:
        expect_hosts(places, {host.partition("#")[0] for host in hosts}, options.topology)
    launch = _prepare_output(world, options, held)
    folder = board_folder(options.output)
    cores = cores_of(hosts, world.allgather(sorted(os.sched_getaffinity(0))))
    host = hosts[world.rank]
    crowded = hosts.count(host) > cores[host]  # whoever takes part
    board = _open_board(world, folder, far=len(set(hosts)) > 1)
    order = rank_order(hosts, options.rank_map)
    show = progress_silent()
    if world.rank == 0 and not options.quiet:
        show = progress_lines(sum(len(options.cases(ranks)) for ranks in counts))
    for number, ranks in enumerate(counts, start=launch):
        part = take_part(
            world, hosts, order, ranks,
            loading=options.loading(ranks), concurrent=options.concurrent,
        )  # fmt: skip
        if part is not None:
            _measure_on(part, number, options, board, show, places, host, crowded=crowded)
            part.free()
        board.begin(0, IDLE)
        wait_quietly(world)
    board.remove()
    world.Barrier()
    status = 0
    if world.rank == 0:
        remove_board(folder)
        if campaign_exists(options.output) and PARENT_VARIABLE not in os.environ:
            consolidate(options.output)
            status = tell_wrong(options.output, launch)  # else the parent does both
    return int(world.bcast(status))


def _expect_device_pointers(world: Any) -> None:
    """Refuse an MPI that is not GPU-aware; rank 0 finds out, all learn."""
    refusal = ""
    if world.rank == 0:
        try:
            expect_device_pointers()
        except TransportError as error:
            refusal = str(error)
    if refusal := world.bcast(refusal):
        raise TransportError(refusal)


def _counts(world: Any, options: Options) -> tuple[int, ...]:
    """The numbers of ranks to measure; a resumed launch takes those of the file that it has."""
    counts = options.ranks or (world.size,)
    if options.resume:
        own = {world.size} if PARENT_VARIABLE in os.environ else set(range(world.size + 1))
        counts = tuple(ranks for ranks in counts if ranks in own) or counts
    check_counts(counts, world.size)
    for ranks in counts if options.protocol.skew else ():
        parse_skew(options.protocol.skew).check(ranks - options.loading(ranks))
    return options.measurable(counts)


def _measure_on(
    part: Part,
    launch: int,
    options: Options,
    board: Board,
    show: Callable[[int, Case], None],
    places: Mapping[str, Place],
    host: str,
    *,
    crowded: bool,
) -> None:
    """Measure, or load the network, as one rank of a launch, on a `host` that may be crowded."""
    device = Device()
    if options.fields["memory"] == "device":
        device = bind(part.launch, options.ranks_per_gpu)
    monitor = open_monitor(device.uuid)
    gpu = monitor.facts() if monitor else None
    environment = collect(part.launch, user_command(), places, device, gpu, host)
    environment = replace(environment, varied=options.chosen)
    ranks = part.launch.size
    others = ranks - part.group.size if options.concurrent else 0
    measuring = ranks - options.loading(ranks)
    protocol = options.protocol_on(measuring)
    cases = options.cases(ranks - others, others)
    if options.resume:
        cases = _missing(part.launch, cases, measuring - others, protocol, environment, options)
    if not cases:
        return
    if part.launch.rank == 0:
        for warning in environment.warnings:
            click.echo(f"collcast: warning: {warning}", err=True)
    folder = board_folder(options.output)

    def guard() -> Watchdog:
        return Watchdog(
            board, part.launch.rank, options.timeout_s, partial(_end_hang, folder, options),
            partial(_end_failed, board),
        )  # fmt: skip

    if part.measuring is None:
        load_network(part.launch, part.group, board, guard)
        return
    observer = open_observer(part.measuring, environment.location, monitor)
    with guard() as watchdog:
        failed = run_sweep(
            part.measuring, cases, protocol, environment, options.output, launch, show, board,
            observer=observer, fresh=options.force and launch == 0, group=part.group,
            load=Load(part.launch, measuring) if measuring < ranks else None,
            heed=watchdog.heed, crowded=any(part.measuring.allgather(crowded)),
        )  # fmt: skip
        part.measuring.Barrier()
    if failed and part.launch.rank == 0:
        reason = next(iter(failed.values()))
        click.echo(f"collcast: {len(failed)} of {len(cases)} cases failed: {reason}", err=True)


def user_command() -> tuple[str, ...]:
    """The command line as the user gave it: the parent's, where one started this rank."""
    given = os.environ.get(COMMAND_VARIABLE)
    return tuple(json.loads(given)) if given else command_line()


def _missing(
    launch: Any,
    cases: tuple[Case, ...],
    ranks: int,
    protocol: Protocol,
    environment: Environment,
    options: Options,
) -> tuple[Case, ...]:
    """Those that the file misses on so many ranks; rank 0 of the launch reads, all learn."""
    found: tuple[Case, ...] | CollcastError | None = None
    if launch.rank == 0:
        try:
            campaign = read_campaign(options.output)
            if not options.allow_change:
                check_same_machine(campaign, environment)
            found = missing_cases(
                campaign, cases, ranks, options.launches, protocol, environment.varied
            )
            if not found:
                click.echo(f"{options.output}: nothing is missing at {ranks} ranks", err=True)
        except CollcastError as error:
            found = error
    found = launch.bcast(found)
    if isinstance(found, CollcastError):
        raise found
    return found or ()


def _open_board(world: Any, folder: Path, *, far: bool) -> Board:
    """The file of this rank in a new folder; collective."""
    made = None
    if world.rank == 0:
        try:
            remove_board(folder)
            folder.mkdir()
        except OSError as error:
            made = str(error)
    made = world.bcast(made)
    if made:
        raise StoreError(f"output: {made}, expected a folder that can be written")
    try:
        return Board(folder, world.rank, far=far)
    except OSError as error:
        raise StoreError(
            f"output: {folder}: {error.strerror} on rank {world.rank}, expected a folder that all "
            "ranks can write"
        ) from error


def _end_hang(folder: Path, options: Options, seconds: float) -> None:
    """Say who has not arrived and end the job, whatever MPI is doing; the file is safe."""
    click.echo(f"collcast: nothing moved for {seconds:g} s; finished cases are kept", err=True)
    for line in describe_board(read_board(folder), silent_s=options.timeout_s / 2):
        click.echo(f"  {line}", err=True)
    os._exit(HUNG)


def _end_failed(board: Board, reason: str, abort: Callable[[], None]) -> None:
    """Say what a library told of an operation that never ends, and end the job; the file is safe.

    Every rank that was told says so. Aborting may wait for ranks that are gone: not for long.
    """
    click.echo(f"collcast: {board.doing()}: {reason}; finished cases are kept", err=True)
    aborting = threading.Thread(target=abort, daemon=True)
    aborting.start()
    aborting.join(_TOGETHER_S)
    os._exit(MeasurementError.exit_status)


def _prepare_output(world: Any, options: Options, held: ExitStack) -> int:
    """Rank 0 looks at the file and holds it; every rank learns the launch's number or a refusal."""
    found: tuple[int, str] | None = None
    if world.rank == 0:
        try:
            if not (options.append or options.resume):
                refuse_existing(options)
            if PARENT_VARIABLE not in os.environ:
                held.enter_context(hold_campaign(options.output, tell))
                refuse_running(options)
            found = 0 if options.force else next_launch_number(options.output), ""
        except StoreError as error:
            found = -1, str(error)
    number, refusal = world.bcast(found)
    if refusal:
        raise StoreError(refusal)
    return int(number)
