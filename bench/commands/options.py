"""Options of ``collcast run`` as one value; nothing below the commands sees click."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..algorithms import algorithms_of
from ..case import COLLECTIVES, PAIRS, UNIFORM
from ..errors import CaseError, StoreError
from ..launcher import launched_rank
from ..protocol import Protocol
from ..skew import parse_skew, read_skew
from ..support import refusal
from ..sweep import ALL_PAIRS
from ..units import parse_bytes, parse_seconds
from .choices import check_algorithms, chosen_here, parse_varied
from .gpu_options import check_queued, metric_of
from .progress import PARENT_VARIABLE

if TYPE_CHECKING:
    from ..case import Case

__all__ = [
    "BATCH",
    "WITH_RESUME",
    "Options",
    "build_options",
    "default_ranks",
    "refuse_existing",
    "refuse_running",
]

WITH_RESUME = ("resume", "allow_change", "quiet", "timeout")
"""Names of the options that may be given beside --resume; the file has recorded the others."""

BATCH = 20  # operations per sample in throughput mode: the iterations that nccl-tests queues
_MOST_REPETITIONS = 20_000  # without --repetitions: 1 % at a spread of 50 %, 0.3 MB per rank
_LEAST_TIMEOUT_S, _MOST_TIMEOUT_S = 0.5, 1_000_000  # loaded machines stall for tenths
_MOST_STAMPS = 2_000_000  # samples x ranks of a case without --repetitions: 32 MB on rank 0
_MOST_WARMUP = 200  # without --warmup


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; nothing below the command sees click."""

    collectives: tuple[str, ...]
    sizes: str
    ranks: tuple[int, ...]
    output: Path
    transports: tuple[str, ...]
    algorithms: tuple[str, ...]
    varied: dict[str, tuple[str, ...]]
    """Environment variable -> values, one launch per combination."""

    chosen: dict[str, str]
    """Which combination this rank's launch has; empty where nothing varies, and in the parent."""

    fields: dict[str, str]
    """Further fields of every `Case`."""

    pair: tuple[int, int] | None
    """The ranks of an operation of two; None for the first and the last."""

    protocol: Protocol
    ranks_per_gpu: int
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

    @property
    def device_pointers(self) -> bool:
        """Whether MPI itself gets pointers to device memory."""
        return "mpi" in self.transports and self.fields["memory"] == "device"

    def protocol_on(self, ranks: int) -> Protocol:
        """Return the protocol of a launch of `ranks` ranks: rank 0 holds the stamps of all."""
        most = max(_MOST_STAMPS // ranks, self.protocol.least_repetitions)
        if self.protocol.stopping == "fixed" or self.protocol.repetitions <= most:
            return self.protocol
        return replace(self.protocol, repetitions=most)

    def cases(self, ranks: int) -> tuple[Case, ...]:
        """Return the cases of a launch of `ranks` ranks."""
        from ..sweep import sweep

        return tuple(
            case
            for transport in self.transports
            for algorithm in self.algorithms
            for case in sweep(
                self._having(algorithm, transport),
                self.sizes,
                ranks,
                self.pair,
                transport=transport,
                algorithm=algorithm,
                **self.fields,
            )
        )

    def _having(self, algorithm: str, transport: str) -> tuple[str, ...]:
        return tuple(
            name for name in self.collectives if algorithm in algorithms_of(name, transport)
        )


def build_options(given: dict[str, Any]) -> Options:
    """Values from the command line's texts and flags; refuses what cannot be measured."""
    if not given["collectives"]:
        raise click.UsageError("Missing argument 'COLLECTIVE...'.")
    if given["output"] is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    for name in given["collectives"]:
        if name not in {*COLLECTIVES, ALL_PAIRS}:
            names = ", ".join([*COLLECTIVES, ALL_PAIRS])
            raise CaseError(f"collective: found {name!r}, expected one of {names}")
    pairs = [name for name in given["collectives"] if name in {*PAIRS, ALL_PAIRS}]
    if given["skew"] and pairs:
        raise CaseError(f"skew: found {pairs[0]}, expected operations of all ranks")
    _expect_ranks_per_gpu(given)
    transports = given["transport"] or (("mpi",) if given["memory"] == "host" else ("staged",))
    if given["memory"] == "host" and transports != ("mpi",):
        raise CaseError(
            f"transport: found {','.join(transports)} on host memory, expected mpi; the others "
            "need --memory device"
        )
    from ..counts import parse_counts  # NumPy, which help does not need

    counts = parse_counts(given["counts"], given["seed"])
    if counts != UNIFORM and "all_to_allv" not in given["collectives"]:
        raise CaseError(f"counts: found {given['counts']} without all_to_allv, expected both")
    check_queued(given, transports)
    check_algorithms(given["algorithm"], given["collectives"], transports)
    varied = parse_varied(given["vary"])
    started = launched_rank(os.environ) is not None  # then the launch's size is not known yet
    alone = PARENT_VARIABLE not in os.environ and not given["resume"]
    options = Options(
        collectives=given["collectives"],
        sizes=given["sizes"],
        ranks=given["ranks"] or _ranks_by_gpus(given),
        output=given["output"],
        transports=transports,
        algorithms=given["algorithm"],
        varied=varied,
        chosen=chosen_here(varied, os.environ, alone=alone) if started else {},
        fields={
            **{name: given[name] for name in ("memory", "dtype", "operation", "placement")},
            "counts": counts,
        },
        pair=given["pair"],
        protocol=_protocol(given, metric_of(given, transports)),
        ranks_per_gpu=given["ranks_per_gpu"],
        launches=given["launches"],
        rank_map=given["rank_map"],
        topology=given["topology"],
        timeout_s=_timeout_s(given["timeout"]),
        resume=False,
        allow_change=given["allow_change"],
        append=given["append"],
        force=given["force"],
        quiet=given["quiet"],
    )
    _refuse_impossible(options)
    return options


def _refuse_impossible(options: Options) -> None:
    """Refuse what cannot be before MPI starts."""
    started = launched_rank(os.environ) is not None  # then the launch's size is not known yet
    planned = options.ranks or ((1,) if started else default_ranks())
    known = not started or bool(options.ranks)
    cases = {ranks: options.cases(ranks) for ranks in planned}
    if known and not any(cases.values()):
        name = options.collectives[0]
        raise CaseError(f"ranks: found {planned[0]} for {name}, expected at least 2")
    for ranks in planned:
        for case in cases[ranks]:
            if refused := refusal(case):
                raise CaseError(refused)
        if known and options.protocol.skew:
            parse_skew(options.protocol.skew).check(ranks)


def _expect_ranks_per_gpu(given: dict[str, Any]) -> None:
    if given["ranks_per_gpu"] > 1 and given["memory"] == "host":
        raise CaseError(
            f"ranks_per_gpu: found {given['ranks_per_gpu']} on host memory, expected --memory "
            "device"
        )


def _ranks_by_gpus(given: dict[str, Any]) -> tuple[int, ...]:
    """Powers of two up to what this machine's GPUs take; none where that says nothing."""
    from ..device import device_count

    if given["memory"] == "host" or launched_rank(os.environ) is not None:
        return ()
    most = device_count() * given["ranks_per_gpu"]
    return tuple(2**k for k in range(most.bit_length()) if 2**k <= most)


def default_ranks() -> tuple[int, ...]:
    """Return 1, 2, 4 and further powers of two up to the number of cores."""
    cores = len(os.sched_getaffinity(0))
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return tuple(sorted({1, 2, 4, *powers}))


def _timeout_s(text: str) -> float:
    seconds = parse_seconds(text)
    if not _LEAST_TIMEOUT_S <= seconds <= _MOST_TIMEOUT_S:
        raise CaseError(
            f"timeout: found {text}, expected {_LEAST_TIMEOUT_S} s to {_MOST_TIMEOUT_S} s"
        )
    return seconds


def _protocol(given: dict[str, Any], metric: str) -> Protocol:
    repetitions, warmup, mode = given["repetitions"], given["warmup"], given["protocol"]
    return Protocol(
        mode=mode,
        metric=metric,
        registration=given["registration"],
        staging_chunk_bytes=parse_bytes(given["staging_chunk"]),
        synchronisation=given["sync"],
        stopping="precision" if repetitions is None else "fixed",
        repetitions=_MOST_REPETITIONS if repetitions is None else repetitions,
        precision=given["precision"],
        budget_s=parse_seconds(given["budget"]),
        warming="steady" if warmup is None else "fixed",
        warmup=_MOST_WARMUP if warmup is None else warmup,
        batch=given["batch"] or (1 if mode == "latency" else BATCH),
        seed=given["seed"],
        verify_share=given["verify"],
        pair_rounds=given["pair_rounds"],
        skew=read_skew(given["skew"]),
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


def refuse_running(options: Options) -> None:
    """Refuse a file that ranks on this host are writing, though who started them is gone."""
    from ..board import board_folder, read_board
    from ..host import boot_id

    boot = boot_id()
    for status in read_board(board_folder(options.output)):
        if status.boot == boot and Path(f"/proc/{status.pid}").exists():
            raise StoreError(
                f"output: {options.output} is being written by process {status.pid} on "
                f"{status.host}, expected none"
            )
