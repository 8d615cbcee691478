"""Read the series of a file, be it a campaign or a plain table.

A plain table is CSV with columns system, collective, backend, ranks, bytes, time_us, and maybe
ranks_per_node, time_lo_us, time_hi_us: 5 and 95 % of the iterations, of which the first says how
far they spread. The same place twice is two launches: their median counts.

A time that no link allows makes a row suspect, so that it is never fitted or scored.
"""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..bench.errors import CaseError
from ..bench.store import read_campaign
from .dataset import Dataset, Row, SeriesKey, dataset_of, spread_of
from .physics import suspicion
from .summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["read_many", "read_rows"]

_NAMES = {
    "allreduce": "all_reduce",
    "alltoall": "all_to_all",
    "allgather": "all_gather",
    "reducescatter": "reduce_scatter",
    "bcast": "broadcast",
    "sendrecv": "send_recv",
}
_COLUMNS = ("system", "collective", "backend", "ranks", "bytes", "time_us")


def read_many(paths: Sequence[Path]) -> Dataset:
    """Return the rows of several files, one after the other."""
    return Dataset(tuple(row for path in paths for row in read_rows(path)))


def read_rows(path: Path) -> Dataset:
    """Return the rows of a campaign or a plain table (by its ending .csv).

    Raises
    ------
    StoreError, CaseError
        If the file cannot be read, or a column is missing.
    """
    if path.suffix.lower() != ".csv":
        return dataset_of(read_campaign(path), "local_max")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise CaseError(f"{path}: found no column {missing[0]}, expected {_COLUMNS}")
            rows = [_row(line, f"{path} line {reader.line_num}") for line in reader]
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from error
    return Dataset(tuple(_merged(rows)))


def _row(line: dict[str, str], where: str) -> Row:
    key = SeriesKey(
        system=line["system"],
        collective=_NAMES.get(line["collective"], line["collective"]),
        transport=line["backend"],
        algorithm="",
        protocol="",
        sync="",
        dtype="",
        placement="",
        memory="",
    )
    ranks, size = (_whole(line[name], f"{where}: {name}") for name in ("ranks", "bytes"))
    if ranks < 1:
        raise CaseError(f"{where}: ranks: found {ranks}, expected at least 1")
    per_node = _whole(line.get("ranks_per_node") or "0", f"{where}: ranks_per_node")
    time_s = 1e-6 * _number(line["time_us"])
    low_s = 1e-6 * _number(line.get("time_lo_us"))
    return Row(
        key=key,
        ranks=ranks,
        message_bytes=size,
        repetitions=-1,
        launches=1,
        median_s=time_s,
        low_s=math.nan,  # the columns hold percentiles of iterations, not an interval of the median
        high_s=math.nan,
        spread=spread_of(time_s, low_s),
        suspect=_suspicion(key.collective, ranks, size, time_s),
        hosts=math.ceil(ranks / per_node) if per_node else -1,
    )


def _whole(text: str | None, where: str) -> int:
    number = _number(text)
    if not number >= 0 or number != int(number):
        raise CaseError(f"{where}: found {text!r}, expected a whole number")
    return int(number)


def _number(text: str | None) -> float:
    try:
        number = float(text or "nan")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _suspicion(collective: str, ranks: int, size: int, time_s: float) -> str:
    """Return why a time cannot be believed; what has no size, rounding left nothing to move."""
    if size == 0 and collective != "barrier":
        return "empty"
    return suspicion(collective, ranks, size, time_s) if time_s > 0 else ""


def _merged(rows: list[Row]) -> list[Row]:
    places: dict[tuple[SeriesKey, int, int], list[Row]] = {}
    for row in rows:
        places.setdefault((row.key, row.ranks, row.message_bytes), []).append(row)
    return [same[0] if len(same) == 1 else _launches(same) for same in places.values()]


def _launches(same: list[Row]) -> Row:
    times = [np.array([row.median_s]) for row in same if row.median_s > 0 and not row.suspect]
    if not times:
        return same[0]
    found = summarise(times)
    return replace(
        same[0],
        median_s=found.median_s,
        low_s=found.low_s,
        high_s=found.high_s,
        launches=len(times),
        suspect="",
    )
