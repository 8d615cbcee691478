"""nccl-tests' JSON (``-J FILE``, version 3)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ...bench.errors import ImportFormatError
from .cells import DTYPES, Context
from .nccl import CPU_TIME, MEAN, per_node_of
from .table import collective_of

if TYPE_CHECKING:
    from .cells import Cells, Given

__all__ = ["read_nccl_json"]

_PROGRAM = re.compile(r"(?:.*/)?(\w+?)_perf(?:_mpi)?", re.ASCII)
_MOST_BYTES = 1 << 62


class _Device(msgspec.Struct):
    rank: int
    hostname: str = ""
    group: int = 0


class _Config(msgspec.Struct):
    nthreads: int = 1
    ngpus: int = 1
    iterations: int = -1
    aggregated_iterations: int = 1
    devices: list[_Device] = []


class _Side(msgspec.Struct):
    time: float | None = None
    cpu_time: float | None = None
    nwrong: Any = None


class _Spread(msgspec.Struct):
    min_us: float | None = None
    max_us: float | None = None


class _Result(msgspec.Struct):
    size: int
    type: str = ""
    redop: str = ""
    out_of_place: _Side | None = None
    in_place: _Side | None = None
    out_of_place_per_iter: _Spread | None = None
    in_place_per_iter: _Spread | None = None


class _Document(msgspec.Struct):
    results: list[Any]
    args: list[str] = []
    config: _Config = msgspec.field(default_factory=_Config)


def read_nccl_json(data: bytes, cells: Cells, given: Given, where: str) -> int:
    """Read a whole document into `cells`; return how many results were skipped.

    Raises
    ------
    ImportFormatError
        If it is no such JSON, is cut, or does not say what a cell needs.
    """
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ImportFormatError(f"{where}: found {error}, expected nccl-tests JSON") from error
    shared = _shared(document, given, where)
    skipped = 0
    for raw in document.results:
        try:
            result = msgspec.convert(raw, _Result)
        except (msgspec.MsgspecError, RecursionError):
            skipped += 1
            continue
        skipped += not _add(result, shared, cells)
    return skipped


def _shared(document: _Document, given: Given, where: str) -> Context:
    program = _PROGRAM.fullmatch(document.args[0]) if document.args else None
    collective = collective_of(program[1]) if program else given.collective
    if not collective:
        raise ImportFormatError(f"{where}: args: found no name of a test, expected --collective")
    config = document.config
    hosts = _hosts(config)
    ranks = len(hosts) or given.ranks
    if not ranks:
        raise ImportFormatError(
            f"{where}: config.devices: found no list of every rank, expected --ranks"
        )
    return Context(
        collective=collective,
        transport="nccl",
        memory="device",
        mode="throughput",
        statistic=MEAN,
        system=given.system,
        ranks=ranks,
        ranks_per_node=per_node_of(hosts) if hosts else given.ranks_per_node or -1,
        repetitions=_iterations(config),
    )


def _hosts(config: _Config) -> list[str]:
    """Return the host of every rank of one communicator; none unless all are listed.

    Some versions list only the first device of a process that has several.
    """
    devices, per_process = config.devices, config.nthreads * config.ngpus
    groups = {device.group for device in devices}
    listed = {device.rank for device in devices} == set(range(len(devices)))
    if not devices or not listed or per_process < 1:
        return []
    if len(devices) % per_process or len(devices) % len(groups):
        return []
    hosts = [device.hostname for device in devices if device.group == min(groups)]
    return hosts if len(hosts) * len(groups) == len(devices) else []


def _iterations(config: _Config) -> int:
    product = config.iterations * config.aggregated_iterations
    return product if 0 < product < 1 << 62 else -1


def _add(result: _Result, shared: Context, cells: Cells) -> bool:
    if not 0 <= result.size <= _MOST_BYTES:
        return False
    found = False
    for placement in ("out_of_place", "in_place"):
        side: _Side | None = getattr(result, placement)
        time_us = None if side is None else side.cpu_time if side.time is None else side.time
        if side is None or time_us is None or not _is_time(time_us):
            continue
        spread = getattr(result, f"{placement}_per_iter") or _Spread()
        low_s, high_s = (
            us * 1e-6 if us is not None and _is_time(us) else math.nan
            for us in (spread.min_us, spread.max_us)
        )
        context = shared._replace(
            dtype=DTYPES.get(result.type, result.type),
            operation="" if result.redop == "none" else result.redop,
            placement=placement,
            statistic=MEAN if side.time is not None else CPU_TIME,
        )
        cells.add(context, result.size, time_us * 1e-6, low_s, high_s, _wrong(side.nwrong))
        found = True
    return found


def _is_time(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _wrong(value: Any) -> int:
    """Return a number of wrong elements; -1 for whatever is none."""
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if whole and 0 <= value < 1 << 62 and value == int(value) else -1
