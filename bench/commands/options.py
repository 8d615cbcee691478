"""Options of ``collcast run`` as one value; nothing below the commands sees click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..case import COLLECTIVES
from ..errors import CaseError, StoreError
from ..protocol import Protocol
from ..units import parse_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from ..case import Case

__all__ = ["BATCH", "WITH_RESUME", "Options", "build_options", "refuse_existing"]

WITH_RESUME = ("resume", "allow_change", "quiet", "timeout")
"""Names of the options that may be given beside --resume; the file has recorded the others."""

BATCH = 20  # operations per sample in throughput mode: the iterations that nccl-tests queues
_MOST_REPETITIONS = 20_000  # without --repetitions: 1 % at a spread of 50 %, 0.3 MB per rank
_MOST_WARMUP = 200  # without --warmup


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
    rank_map: str
    topology: Path | None
    timeout_s: float
    resume: bool
    """Whether only what the file misses is measured."""

    allow_change: bool
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


def build_options(given: dict[str, Any]) -> Options:
    """Values from the command line's texts and flags; refuses what cannot be measured."""
    if not given["collectives"]:
        raise click.UsageError("Missing argument 'COLLECTIVE...'.")
    if given["output"] is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
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
        rank_map=given["rank_map"],
        topology=given["topology"],
        timeout_s=parse_seconds(given["timeout"]),
        resume=False,
        allow_change=given["allow_change"],
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
        batch=given["batch"] or (BATCH if mode == "throughput" else 1),
        seed=given["seed"],
    )


def refuse_existing(options: Options) -> None:
    """Refuse to write over a campaign unless --force or --append was given."""
    from ..store import campaign_exists  # options are parsed without HDF5

    if not options.output.parent.is_dir():
        raise StoreError(f"output: {options.output.parent} is no directory")
    if campaign_exists(options.output) and not (options.force or options.append):
        raise StoreError(
            f"output: {options.output} exists; give --force to replace it or --append to add to it"
        )
