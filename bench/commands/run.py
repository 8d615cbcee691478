"""``collcast run``: measure collectives, under mpirun or by starting it."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..case import BYTES_PER_ELEMENT, COLLECTIVES, OPERATIONS, PLACEMENTS, TRANSPORTS
from ..errors import CaseError, CollcastError, StoreError
from ..launcher import RANK_0_SPEAKS_S, launched_rank
from ..protocol import MODES, SYNCHRONISATIONS, Protocol
from ..units import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..case import Case

__all__ = ["HUNG", "Options", "run"]

_BATCH = 20  # operations per sample in throughput mode: the iterations that nccl-tests queues
_MOST_REPETITIONS = 20_000  # without --repetitions: 1 % at a spread of 50 %, 0.3 MB per rank
_MOST_WARMUP = 200  # without --warmup
HUNG = 3
"""Exit status of a job in which nothing moved."""


PATH = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; nothing below the command sees click."""

    collectives: tuple[str, ...]
    sizes: str
    ranks: tuple[int, ...]
    output: Path
    transports: tuple[str, ...]
    fields: dict[str, str]
    """Further fields of every `Case`."""

    protocol: Protocol
    launches: int
    topology: Path | None
    timeout_s: float
    append: bool
    force: bool
    quiet: bool

    def cases(self, ranks: int) -> tuple[Case, ...]:
        """Return the cases of a launch of `ranks` ranks."""
        from ..sweep import sweep

        return tuple(
            case
            for transport in self.transports
            for case in sweep(
                self.collectives, self.sizes, ranks, transport=transport, **self.fields
            )
        )


def _parse_ranks(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    counts = text.split(",") if text else []
    if not all(re.fullmatch("[1-9][0-9]{0,6}", count.strip()) for count in counts):
        raise click.BadParameter(f"found {text!r}, expected numbers of ranks such as 1,2,4")
    return tuple(int(count) for count in counts)


def _parse_transports(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(TRANSPORTS) or len(set(names)) < len(names):
        raise click.BadParameter(f"found {text!r}, expected some of {', '.join(TRANSPORTS)}")
    return names


def _choice(name: str, choices: Sequence[str], **more: Any) -> Callable[[_Command], _Command]:
    """Return an option with the first choice as default, unless another is given."""
    more.setdefault("default", choices[0])
    return click.option(name, type=click.Choice(choices), show_default=True, **more)


@click.command()
@click.argument("collectives", nargs=-1, required=True, metavar="COLLECTIVE...")
@click.option("-o", "--output", type=PATH, required=True, help="Campaign file.")
@click.option("--sizes", default="8:4M", show_default=True, help="FIRST:LAST[:xN] or a list.")
@click.option("--ranks", default="", callback=_parse_ranks, help="A launch each, such as 1,2,4.")
@click.option("--launches", type=click.IntRange(1), default=1, help="Launches per number of ranks.")
@_choice("--protocol", MODES)
@_choice("--sync", SYNCHRONISATIONS)
@click.option(
    "--transport", default="mpi", callback=_parse_transports, help="mpi, staged, or both: a,b."
)
@_choice("--memory", ("host", "device"))
@_choice("--dtype", tuple(BYTES_PER_ELEMENT), default="float32")
@_choice("--operation", OPERATIONS)
@_choice("--placement", PLACEMENTS)
@click.option(
    "--repetitions", type=click.IntRange(1), help="Samples per case, instead of a precision."
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Sample until the median's 95 % interval is this narrow (half-width over median).",
)
@click.option("--budget", default="500ms", show_default=True, help="Most time for that per case.")
@click.option("--warmup", type=click.IntRange(0), help="Samples to drop, instead of until steady.")
@click.option(
    "--batch", type=click.IntRange(1), help=f"Operations per throughput sample [{_BATCH}]."
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of contents and order of cases.")
@click.option("--topology", type=PATH, help="CSV: host,nvlink_domain,leaf,pod.")
@click.option(
    "--timeout", default="60s", show_default=True, help="End the job if nothing moves for so long."
)
@click.option("--append", is_flag=True, help="Add launches to an existing file.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> int:
    """Measure COLLECTIVEs (all_reduce, all_to_all, barrier) into an HDF5 campaign.

    Under mpirun this process is one rank. Otherwise mpirun is started once per number of --ranks.
    """
    options = _options(given)
    if launched_rank(os.environ) is not None:
        return _measure(options)
    from .launch import launch_all

    return launch_all(options, ctx)


def _options(given: dict[str, Any]) -> Options:
    """Values from the command line's texts and flags; refuses what cannot be measured."""
    for name in given["collectives"]:
        if name not in COLLECTIVES:
            raise CaseError(f"collective: found {name!r}, expected one of {', '.join(COLLECTIVES)}")
    if given["memory"] == "host" and given["transport"] != ("mpi",):
        raise CaseError(
            f"transport: found {','.join(given['transport'])} on host memory, expected mpi; the "
            "others need --memory device"
        )
    options = Options(
        collectives=given["collectives"],
        sizes=given["sizes"],
        ranks=given["ranks"],
        output=given["output"],
        transports=given["transport"],
        fields={name: given[name] for name in ("memory", "dtype", "operation", "placement")},
        protocol=_protocol(given),
        launches=given["launches"],
        topology=given["topology"],
        timeout_s=parse_seconds(given["timeout"]),
        append=given["append"],
        force=given["force"],
        quiet=given["quiet"],
    )
    for ranks in options.ranks or (1,):
        options.cases(ranks)  # sizes are checked before MPI starts
    return options


def _protocol(given: dict[str, Any]) -> Protocol:
    repetitions, warmup, mode = given["repetitions"], given["warmup"], given["protocol"]
    return Protocol(
        mode=mode,
        synchronisation=given["sync"],
        stopping="precision" if repetitions is None else "fixed",
        repetitions=_MOST_REPETITIONS if repetitions is None else repetitions,
        precision=given["precision"],
        budget_s=parse_seconds(given["budget"]),
        warming="steady" if warmup is None else "fixed",
        warmup=_MOST_WARMUP if warmup is None else warmup,
        batch=given["batch"] or (_BATCH if mode == "throughput" else 1),
        seed=given["seed"],
    )


def _measure(options: Options) -> int:
    """Be one rank of a launch."""
    from ..board import board_folder, remove_board
    from ..world import join_world

    world = join_world(options.ranks)
    try:
        _run_in_world(world, options)
    except CollcastError as error:
        # Other ranks may wait for this one inside MPI: the job must end, whoever noticed. Where
        # all did, rank 0 says it.
        time.sleep(RANK_0_SPEAKS_S if world.rank else 0)
        remove_board(board_folder(options.output))
        click.echo(f"collcast: {error}", err=True)
        world.Abort(error.exit_status)
    return 0


def _run_in_world(world: Any, options: Options) -> None:
    from ..board import board_folder, remove_board
    from ..campaign import run_sweep
    from ..device import Device, bind
    from ..provenance import collect
    from ..store import consolidate
    from ..topology import read_topology
    from ..watchdog import Watchdog

    launch = _prepare_output(world, options)
    places = read_topology(options.topology) if options.topology else {}
    device = bind(world) if options.fields["memory"] == "device" else Device()
    environment = collect(world, tuple(sys.argv), places, device)
    cases = options.cases(world.size)
    show = _progress(options, len(cases))
    folder = board_folder(options.output)
    board = _open_board(world, folder)
    with Watchdog(board, world.rank, options.timeout_s, lambda: _end_hang(folder, options)):
        run_sweep(world, cases, options.protocol, environment, options.output, launch, show, board)
        world.Barrier()
    board.remove()
    world.Barrier()
    if world.rank == 0:
        remove_board(folder)
        if not options.append:
            consolidate(options.output)


def _open_board(world: Any, folder: Path) -> Any:
    from ..board import Board, remove_board

    if world.rank == 0:
        remove_board(folder)
        folder.mkdir()
    world.Barrier()
    return Board(folder, world.rank)


def _end_hang(folder: Path, options: Options) -> None:
    """Say who has not arrived and end the job, whatever MPI is doing; the file is safe."""
    from ..board import read_board
    from ..watchdog import describe_board

    click.echo(
        f"collcast: nothing moved for {options.timeout_s:g} s; finished cases are kept", err=True
    )
    for line in describe_board(read_board(folder), silent_s=options.timeout_s / 2):
        click.echo(f"  {line}", err=True)
    os._exit(HUNG)


def _prepare_output(world: Any, options: Options) -> int:
    """Rank 0 looks at the file; every rank learns the launch's number or the refusal."""
    from ..store import campaign_exists, next_launch_number, remove_campaign

    found: tuple[int, str] | None = None
    if world.rank == 0:
        try:
            if not options.append:
                refuse_existing(options)
            if options.force and campaign_exists(options.output):
                remove_campaign(options.output)
            found = next_launch_number(options.output), ""
        except StoreError as error:
            found = -1, str(error)
    number, refusal = world.bcast(found)
    if refusal:
        raise StoreError(refusal)
    return int(number)


def refuse_existing(options: Options) -> None:
    """Refuse to write over a campaign unless --force or --append was given."""
    from ..store import campaign_exists

    if not options.output.parent.is_dir():
        raise StoreError(f"output: {options.output.parent} is no directory")
    if campaign_exists(options.output) and not (options.force or options.append):
        raise StoreError(
            f"output: {options.output} exists; give --force to replace it or --append to add to it"
        )


def _progress(options: Options, total: int) -> Any:
    from .progress import progress_lines, progress_silent

    return progress_silent() if options.quiet else progress_lines(total)
