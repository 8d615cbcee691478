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
from .unused import check_used

if TYPE_CHECKING:
    from ..case import Case

__all__ = [
    "BATCH",
    "BUDGET",
    "NOISE_BUDGET",
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
_NOISE_WARMUP = 500  # quanta of 20 us: the core leaves its idle state
_BY_BUDGET = 10**9  # repetitions of noise that its length decides; --repetitions takes fewer
_SHARE = 0.5
_LEAST_SIDE = 2  # ranks that load, ranks that measure: one alone communicates with nobody
BUDGET = "500ms"
NOISE_BUDGET = "5s"  # a hundred detours of a task that runs every 50 ms


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
    concurrent: bool
    """Whether as many groups measure at once as there are ranks for."""

    aggressor: str
    """Pattern of the ranks that load the network; "" without."""

    share: float
    """Of the ranks that take part, those that load the network."""

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
        """Return the protocol of a launch on which `ranks` measure: rank 0 holds all stamps."""
        if self.noise and self.protocol.repetitions == _BY_BUDGET:
            quanta = round(self.protocol.budget_s * 1e9 / self._quantum_ns(ranks))
            return replace(self.protocol, repetitions=max(quanta, 1))
        most = max(_MOST_STAMPS // ranks, self.protocol.least_repetitions)
        if self.protocol.stopping == "fixed" or self.protocol.repetitions <= most:
            return self.protocol
        return replace(self.protocol, repetitions=most)

    @property
    def noise(self) -> bool:
        """Whether noise is measured, which nothing else is beside."""
        return self.collectives == ("noise",)

    def loading(self, ranks: int) -> int:
        """Return how many of the `ranks` that take part load the network.

        Raises
        ------
        CaseError
            If they, or those that are left to measure, are fewer than two.
        """
        if not self.aggressor:
            return 0
        loading = round(self.share * ranks)
        if loading < _LEAST_SIDE or ranks - loading < _LEAST_SIDE:
            raise CaseError(
                f"share: found {self.share:g} of {ranks} ranks for --aggressor, expected at least "
                f"{_LEAST_SIDE} ranks that load and {_LEAST_SIDE} that measure; give --ranks"
            )
        return loading

    def cases(self, ranks: int, others: int = 0) -> tuple[Case, ...]:
        """Return the cases of a launch in which `ranks` take part, loading ones included.

        Parameters
        ----------
        others : ranks in further groups that measure at once
        """
        loading = self.loading(ranks)
        loads = ("", f"{self.aggressor}:{loading}") if loading else ("",)
        if others:
            loads = (f"concurrent:{others}",)
        return tuple(
            replace(case, load=load) for case in self.quiet_cases(ranks - loading) for load in loads
        )

    def measurable(self, counts: tuple[int, ...]) -> tuple[int, ...]:
        """Return those of these numbers of ranks that have any case: one rank has no pair.

        Raises
        ------
        CaseError
            If there are some, but none has.
        """
        found = tuple(ranks for ranks in counts if self.cases(ranks))
        if counts and not found:
            raise CaseError(
                f"ranks: found {counts[0]} for {self.collectives[0]}, expected at least 2"
            )
        return found

    def _quantum_ns(self, ranks: int) -> int:
        from ..noise import quantum_ns

        return quantum_ns(ranks, self.protocol.budget_s, _MOST_STAMPS)

    def quiet_cases(self, ranks: int) -> tuple[Case, ...]:
        """Return the cases that `ranks` ranks measure, without load."""
        from ..noise import noise_case
        from ..sweep import sweep

        if self.noise:
            return (noise_case(self._quantum_ns(ranks)),)
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
    check_used(given)
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
        collectives=tuple(dict.fromkeys(given["collectives"])),
        sizes=given["sizes"],
        ranks=tuple(dict.fromkeys(given["ranks"])) or _ranks_by_gpus(given),
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
        concurrent=given["concurrent"],
        aggressor=given["aggressor"] or "",
        share=given["share"] or _SHARE,
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
    _check_together(options)
    started = launched_rank(os.environ) is not None  # then the launch's size is not known yet
    known = options.measurable(options.ranks or (() if started else default_ranks()))
    cases = [case for ranks in known for case in options.cases(ranks)]
    probe = replace(options, fields={**options.fields, "counts": UNIFORM})  # a matrix fits its own
    for case in cases or probe.quiet_cases(1):
        if refused := refusal(case):
            raise CaseError(refused)
    for ranks in known if options.protocol.skew else ():
        parse_skew(options.protocol.skew).check(ranks - options.loading(ranks))


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


def _check_together(options: Options) -> None:
    """Refuse what cannot be measured side by side."""
    if "noise" in options.collectives and not options.noise:
        others = ", ".join(name for name in options.collectives if name != "noise")
        raise CaseError(f"collective: found {others} beside noise, expected noise alone")
    if options.concurrent and options.aggressor:
        raise CaseError(
            f"concurrent: found --aggressor {options.aggressor} beside it, expected one of the two"
        )
    if options.concurrent and launched_rank(os.environ) is None:
        raise CaseError(
            "concurrent: found no mpirun, expected 'mpirun -n P collcast run ...': P says how many "
            "ranks measure at once"
        )
    if options.append and options.force:
        raise CaseError("force: found --append beside it, expected one of the two")
    beside = "concurrent" if options.concurrent else "aggressor" if options.aggressor else ""
    for name in options.collectives if beside else ():
        if name in {"noise", ALL_PAIRS, *PAIRS}:
            raise CaseError(f"{beside}: found {name}, expected operations of all ranks")


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
    if set(given["collectives"]) == {"noise"}:
        return Protocol(
            synchronisation="none",
            repetitions=repetitions or _BY_BUDGET,
            budget_s=parse_seconds(given["budget"] or NOISE_BUDGET),
            warmup=_NOISE_WARMUP if warmup is None else warmup,
            seed=given["seed"],
        )
    return Protocol(
        mode=mode,
        metric=metric,
        registration=given["registration"],
        staging_chunk_bytes=parse_bytes(given["staging_chunk"]),
        synchronisation=given["sync"],
        stopping="precision" if repetitions is None else "fixed",
        repetitions=_MOST_REPETITIONS if repetitions is None else repetitions,
        precision=given["precision"],
        budget_s=parse_seconds(given["budget"] or BUDGET),
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
    from ..board import board_folder, ranks_here

    for status in ranks_here(board_folder(options.output)):
        raise StoreError(
            f"output: {options.output} is being written by process {status.pid} on "
            f"{status.host}, expected none"
        )
