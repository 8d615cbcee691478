"""``collcast run``: measure collectives, under mpirun or by starting it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ..algorithms import ALGORITHMS, NATIVE
from ..case import BYTES_PER_ELEMENT, LOADS, OPERATIONS, PLACEMENTS, TRANSPORTS, UNIFORM
from ..errors import CaseError
from ..launcher import launched_rank
from ..protocol import MODES, SYNCHRONISATIONS
from .choices import parse_algorithms, read_design
from .gpu_options import gpu_options
from .options import BATCH, BUDGET, NOISE_BUDGET, WITH_RESUME, Options, build_options
from .unused import PRECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["run"]

_PATH = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")


def _parse_ranks(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    counts = text.split(",") if text else []
    if not all(re.fullmatch("[1-9][0-9]{0,6}", count.strip()) for count in counts):
        raise click.BadParameter(f"found {text!r}, expected numbers of ranks such as 1,2,4")
    return tuple(int(count) for count in counts)


def _parse_transports(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ()
    if not set(names) <= set(TRANSPORTS) or len(set(names)) < len(names):
        raise click.BadParameter(f"found {text!r}, expected some of {', '.join(TRANSPORTS)}")
    return names


def _parse_pair(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,7},[0-9]{1,7}", text):
        raise click.BadParameter(f"found {text!r}, expected two ranks such as 0,3")
    root, peer = map(int, text.split(","))
    return root, peer


def _choice(name: str, choices: Sequence[str], **more: Any) -> Callable[[_Command], _Command]:
    """Return an option with the first choice as default, unless another is given."""
    more.setdefault("default", choices[0])
    return click.option(name, type=click.Choice(choices), show_default=True, **more)


def _names() -> str:
    return "; ".join(f"{name} {', '.join(named)}" for name, named in ALGORITHMS.items())


@click.command()
@click.argument("collectives", nargs=-1, metavar="COLLECTIVE...")
@click.option("-o", "--output", type=_PATH, help="Campaign file.")
@click.option("--sizes", default="8:4M", show_default=True, help="FIRST:LAST[:xN] or a list.")
@click.option("--ranks", default="", callback=_parse_ranks, help="Numbers of ranks, as 1,2,4.")
@_choice("--rank-map", ("block", "round-robin"), help="Under mpirun: how --ranks are drawn.")
@click.option(
    "--concurrent", is_flag=True, help="Under mpirun: as many groups of --ranks at once as fit."
)
@click.option(
    "--aggressor",
    type=click.Choice(LOADS[1:]),
    help="Measure every case quiet and while a share of the ranks loads the network so.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of the ranks, those that load the network; every host gives as much [0.5].",
)
@click.option("--launches", type=click.IntRange(1), default=1, help="Launches per number of ranks.")
@_choice("--protocol", MODES)
@_choice("--sync", SYNCHRONISATIONS)
@click.option(
    "--transport",
    default="",
    callback=_parse_transports,
    help="mpi (host), staged or nccl (device); several are interleaved.",
)
@click.option(
    "--algorithm",
    default=NATIVE,
    show_default=True,
    callback=parse_algorithms,
    help="The library's own choice (native), or by name: " + _names() + ".",
)
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=A,B",
    help="One launch per value of an environment variable, as NCCL_ALGO=Ring,Tree; repeatable.",
)
@gpu_options
@_choice("--memory", ("host", "device"))
@click.option(
    "--ranks-per-gpu",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Ranks that share a GPU; more than 1 are labelled and enter no fit.",
)
@_choice("--dtype", tuple(BYTES_PER_ELEMENT), default="float32")
@_choice("--operation", OPERATIONS)
@_choice("--placement", PLACEMENTS)
@click.option(
    "--counts",
    default=UNIFORM,
    show_default=True,
    help="What all_to_allv sends where: uniform, zipf:EXPONENT, or a FILE with a line per rank.",
)
@click.option(
    "--repetitions", type=click.IntRange(1, 10**8), help="Samples per case, instead of a precision."
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True),
    default=PRECISION,
    show_default=True,
    help="Sample until the median's 95 % interval is this narrow (half-width over median).",
)
@click.option(
    "--budget", help=f"Most time for that per case [{BUDGET}; noise: all of {NOISE_BUDGET}]."
)
@click.option(
    "--warmup", type=click.IntRange(0, 10**8), help="Samples to drop, instead of until steady."
)
@click.option(
    "--batch",
    type=click.IntRange(1, 10**8),
    help=f"Operations per sample of throughput or graph [{BATCH}].",
)
@click.option(
    "--verify",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Operations to verify between the timed ones, per timed one; in latency only.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31), default=0, help="Of contents and order of cases."
)
@click.option(
    "--skew", default="", help="Late ranks: uniform:50us, linear:50us, one-late:rank=3,200us, FILE."
)
@click.option("--pair", callback=_parse_pair, help="Ranks I,J that ping_pong and the like take.")
@click.option("--pair-rounds", is_flag=True, help="pairs: disjoint pairs at the same time.")
@click.option("--topology", type=_PATH, help="CSV: host,nvlink_domain,leaf,pod.")
@click.option(
    "--timeout", default="60s", show_default=True, help="End the job if nothing moves for so long."
)
@click.option("--design", type=_PATH, help="Measure what 'collcast design' wrote.")
@click.option("--resume", type=_PATH, help="Measure what this file misses, as its command says.")
@click.option("--allow-change", is_flag=True, help="Resume on another machine or software.")
@click.option("--append", is_flag=True, help="Add launches to an existing file.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> int:
    """Measure COLLECTIVEs into an HDF5 campaign.

    COLLECTIVE is all_reduce, all_to_all, all_to_allv, all_gather, reduce_scatter, broadcast,
    send_recv (around the ring) or barrier; between two ranks ping_pong (half the round trip),
    unidirectional or bidirectional (--batch messages at once); or pairs, a ping_pong between every
    two ranks; or copy, from every rank's send to its receive buffer: the bound of one rank; or
    noise, alone: a fixed quantum of work that shows what the machine takes from it.

    Under mpirun this process is one rank, and of --ranks every number is measured in turn while the
    other ranks sleep. Otherwise mpirun is started once per number of --ranks.
    """
    if given["design"]:
        given |= _take_design(ctx)
    options = _resumed(ctx) if given["resume"] else build_options(given)
    if launched_rank(os.environ) is not None:
        from .rank import measure_as_rank

        return measure_as_rank(options)
    from .launch import launch_all

    return launch_all(options, ctx)


def _take_design(ctx: click.Context) -> dict[str, Any]:
    """Put what a design file says in the place of the options that it stands for."""
    values = read_design(ctx.params["design"])
    for name in values:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and ctx.params[name]:
            raise CaseError(f"design: found {name} beside --design, expected what the file says")
    values["design"] = None
    ctx.params.update(values)
    return values


def _resumed(ctx: click.Context) -> Options:
    """The options with which a file began, measuring only what it misses."""
    from ..resume import recorded_command, recorded_ranks
    from ..store import read_campaign

    for name in ctx.params:
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in WITH_RESUME and ctx.params[name]:
            raise CaseError(
                f"resume: found {name} beside --resume, expected what the file recorded"
            )
    path = ctx.params["resume"]
    campaign = read_campaign(path)
    command = recorded_command(campaign, path)
    beginning = run.make_context("run", list(command))
    if beginning.params["design"]:
        _take_design(beginning)
    began = beginning.params
    own = {name: ctx.params[name] for name in WITH_RESUME}
    ranks = began["ranks"] or recorded_ranks(campaign)
    changed = {"output": path, "append": False, "force": False, "ranks": ranks}
    return replace(build_options({**began, **own, **changed}), resume=True)
