"""What nccl-tests, OSU and IMB would have printed for the same samples.

All three average over iterations on each rank first, t_r = mean_i (e_ir - s_ir); then

    nccl-tests   mean over ranks of t_r; size as in a `Case`; bandwidths from that mean
    OSU (-f)     mean, least and largest t_r; all-to-all's size is per peer
    IMB          least, largest and mean t_r; all-to-all's size is per peer

The lines have the widths of their printf formats (nccl-tests 2.19, OSU 7.4, IMB 2021), so what
reads those programs' output reads this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .importers.cells import PER_PEER
from .summary import bus_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Launch, Measurement

__all__ = ["PEERS", "print_as"]


class _Name(NamedTuple):
    """A collective by the names of the three."""

    nccl: str
    osu: str
    imb: str


_NAMES = {
    "all_reduce": _Name("all_reduce", "Allreduce Latency", "Allreduce"),
    "all_to_all": _Name("alltoall", "All-to-All Personalized Exchange Latency", "Alltoall"),
    "barrier": _Name("", "Barrier Latency", "Barrier"),
}
_NCCL_TYPES = {
    "float16": "half", "float32": "float", "float64": "double",
    "float8_e4m3": "f8e4m3", "float8_e5m2": "f8e5m2",
}  # fmt: skip
_MPI_TYPES = {
    "int8": "MPI_CHAR", "uint8": "MPI_BYTE", "int32": "MPI_INT", "int64": "MPI_LONG",
    "float32": "MPI_FLOAT", "float64": "MPI_DOUBLE",
}  # fmt: skip
_SIDE_NAMES = "     time   algbw   busbw  #wrong"
_SIDE_UNITS = "     (us)  (GB/s)  (GB/s)        "
_NCCL_HEADING = (
    f"#{'out-of-place':>74}{'in-place':>31}          ",
    f"#       size         count      type   redop    root{_SIDE_NAMES}{_SIDE_NAMES} ",
    f"#        (B)    (elements)                          {_SIDE_UNITS}{_SIDE_UNITS} ",
)
_RULE = "#" + "-" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """What one run of a peer would have covered: one launch, one collective, all sizes."""

    launch: Launch
    measurements: tuple[Measurement, ...]
    """Ascending in size."""

    @property
    def first(self) -> Measurement:
        return self.measurements[0]


def print_as(campaign: Campaign, peer: str) -> tuple[list[str], list[str]]:
    """Return the lines that a peer would have printed, and notes on what it could not have.

    Parameters
    ----------
    campaign
        What was measured; imported tables have no samples and are left out.
    peer
        One of `PEERS`.
    """
    lines: list[str] = []
    notes: list[str] = []
    for table in _tables(campaign):
        case = table.first.case
        reason = _unknown_to(peer, table)
        if reason:
            notes.append(f"left out: {case.collective} {case.transport} ({reason})")
            continue
        lines += PEERS[peer](table)
        mode = table.launch.protocol.mode
        if (mode == "throughput") != (peer == "nccl-tests"):
            notes.append(
                f"{case.collective} {case.transport}: measured in {mode} mode, while {peer} "
                + ("queues operations back to back" if mode == "latency" else "times each alone")
            )
    return lines, list(dict.fromkeys(notes))


def _unknown_to(peer: str, table: _Table) -> str:
    """Return why a peer has no such test; "" if it has."""
    case = table.first.case
    if case.collective not in _NAMES or (peer == "nccl-tests" and case.collective == "barrier"):
        return f"{peer} has no such test"
    if table.launch.protocol.skew:
        return f"{peer} delays no rank"
    if case.load:
        return f"{peer} runs alone, this ran beside {case.load}"
    if case.transport == "staged":
        return f"{peer} stages nothing through the host"
    if peer == "imb" and case.transport != "mpi":
        return "IMB measures MPI alone"
    return ""


def _tables(campaign: Campaign) -> Iterable[_Table]:
    """Yield tables in order of collective, transport, ranks and launch."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for found in campaign.measurements:
        case = found.case
        # nccl-tests prints both placements in one row.
        key: tuple[str, ...] = (case.collective, case.transport)
        key += f"{found.ranks:9d}", f"{found.launch:9d}"
        kind = (case.algorithm, case.dtype, case.operation, case.memory, str(case.root), case.load)
        groups.setdefault(key + kind, []).append(found)
    for key in sorted(groups):
        members = sorted(groups[key], key=lambda found: found.case.message_bytes)
        yield _Table(launch=campaign.launch_of(members[0]), measurements=tuple(members))


def _rank_means_us(found: Measurement) -> NDArray[np.float64]:
    """Return the mean over iterations of each rank, in microseconds; shape (rank,)."""
    return np.asarray(found.sample.local_s().mean(axis=0) * 1e6)


def _iterations(found: Measurement) -> int:
    return found.sample.repetitions * found.sample.batch


def _nccl_tests(table: _Table) -> list[str]:
    case = table.first.case
    name = f"{_NAMES[case.collective].nccl}_perf"
    rows, bandwidths, wrong = _nccl_rows(table)
    return [
        f"# Collective test starting: {name}",
        _nccl_settings(table),
        "#",
        "# Using devices",
        *_nccl_devices(table),
        "#",
        *_NCCL_HEADING,
        *rows,
        f"# Out of bounds values : {wrong} {'FAILED' if wrong else 'OK'}",
        f"# Avg bus bandwidth    : {np.mean(bandwidths):g} ",
        "#",
        f"# Collective test concluded: {name}",
        "#",
    ]


def _nccl_settings(table: _Table) -> str:
    sizes = [found.case.message_bytes for found in table.measurements]
    checked = all(found.wrong is not None for found in table.measurements)
    iterations = min(_iterations(found) for found in table.measurements)
    return (
        f"# nThread 1 nGpus 1 minBytes {sizes[0]} maxBytes {sizes[-1]} step: 2(factor) "
        f"warmup iters: {table.first.warmup.repetitions} iters: {iterations} agg iters: 1 "
        f"validation: {int(checked)} graph: 0 unalign: 0"
    )


def _nccl_devices(table: _Table) -> list[str]:
    location = table.launch.environment.location.of(range(table.first.ranks))
    unknown = ("",) * table.first.ranks
    hosts, gpus = location.host or unknown, location.gpu or unknown
    local = location.local_rank or (0,) * table.first.ranks
    model = table.launch.environment.gpu or table.launch.environment.cpu
    return [
        f"#  Rank {rank:2d} Group  0 Pid {0:6d} on {host or 'unknown':>11} device {own:2d} "
        f"[{gpu or 'unknown'}] {model}"
        for rank, (host, own, gpu) in enumerate(zip(hosts, local, gpus, strict=True))
    ]


def _nccl_rows(table: _Table) -> tuple[list[str], list[float], int]:
    """Return rows, the bus bandwidths in them in GB/s, and how many elements were wrong."""
    pairs: dict[int, dict[str, Measurement]] = {}
    for found in table.measurements:
        pairs.setdefault(found.case.message_bytes, {})[found.case.placement] = found
    case, ranks = table.first.case, table.first.ranks
    parts = ranks if case.collective in PER_PEER else 1
    dtype = _NCCL_TYPES.get(case.dtype, case.dtype)
    operation = case.operation if case.collective == "all_reduce" else "none"
    rows, bandwidths = [], []
    for size, places in pairs.items():
        count = size // case.element_bytes // parts
        text = f"{size:12d}  {count:12d}  {dtype:>8}  {operation:>6}  {-1:>6}"
        for placement in ("out_of_place", "in_place"):
            side, bandwidth = _nccl_side(places.get(placement))
            text += side
            bandwidths += bandwidth
        rows.append(text)
    return rows, bandwidths, sum(found.wrong or 0 for found in table.measurements)


def _nccl_side(found: Measurement | None) -> tuple[str, list[float]]:
    if found is None:
        return f"  {'N/A':>7}  {'N/A':>6}  {'N/A':>6}  {'N/A':>6}", []
    time_us = float(_rank_means_us(found).mean())
    size_bytes = found.case.message_bytes
    algbw = size_bytes / time_us * 1e-3 if time_us > 0 else 0.0
    moved = bus_bytes(found.case.collective, found.ranks, size_bytes, found.busiest_bytes)
    busbw = moved / time_us * 1e-3 if time_us > 0 else 0.0
    wrong = "N/A" if found.wrong is None else f"{found.wrong:g}"
    figures = f"{_fit(time_us, 7):>7}  {_fit(algbw, 6):>6}  {_fit(busbw, 6):>6}"
    return f"  {figures}  {wrong:>6}", [busbw]


def _fit(value: float, width: int) -> str:
    """Write a number with as many of two decimals as its width leaves room for."""
    for decimals in (2, 1, 0):
        text = f"{value:.{decimals}f}"
        if len(text) <= width:
            break
    return text


def _osu(table: _Table) -> list[str]:
    case = table.first.case
    library = "MPI" if case.transport == "mpi" else "NCCL"
    device = "-CUDA" if case.memory == "device" and library == "MPI" else ""
    sized = case.collective != "barrier"
    heading = f"{'# Size':<10}" if sized else f"{'# ':<10}"
    for name in ("Avg Latency(us)", "Min Latency(us)", "Max Latency(us)"):
        heading += f"{name:>20}"
    lines = [
        "",
        f"# OSU {library}{device} {_NAMES[case.collective].osu} Test v7.4",
        *([f"# Datatype: {_MPI_TYPES.get(case.dtype, case.dtype)}."] if sized else []),
        f"{heading}{'Iterations':>12}",
    ]
    for found in table.measurements:
        means = _rank_means_us(found)
        size = f"{_peer_size(found):<10d}" if sized else " " * 10
        times = "".join(f"{value:20.2f}" for value in (means.mean(), means.min(), means.max()))
        lines.append(f"{size}{times}{_iterations(found):12d}")
    return lines


def _imb(table: _Table) -> list[str]:
    case = table.first.case
    sized = case.collective != "barrier"
    columns = (*(("#bytes",) if sized else ()), "#repetitions")
    heading = "".join(
        f"{name:>13}" for name in (*columns, "t_min[usec]", "t_max[usec]", "t_avg[usec]")
    )
    lines = [
        "",
        _RULE,
        f"# Benchmarking {_NAMES[case.collective].imb} ",
        f"# #processes = {table.first.ranks} ",
        _RULE,
        heading,
    ]
    for found in table.measurements:
        means = _rank_means_us(found)
        size = f"{_peer_size(found):13d}" if sized else ""
        times = "".join(f"{value:13.2f}" for value in (means.min(), means.max(), means.mean()))
        lines.append(f"{size}{_iterations(found):13d}{times}")
    return lines


def _peer_size(found: Measurement) -> int:
    """Return the size as OSU and IMB count it, in bytes."""
    per_peer = found.case.collective in PER_PEER
    return found.case.message_bytes // (found.ranks if per_peer else 1)


PEERS: dict[str, Callable[[_Table], list[str]]] = {
    "nccl-tests": _nccl_tests,
    "osu": _osu,
    "imb": _imb,
}
"""What can be printed, by name."""
