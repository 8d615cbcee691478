"""Cells as a plain table, in the columns that ``collcast import --format table`` reads.

Measured cases become their medians with the 95 % interval; labels that keep them out of fits stand
with the suspicions. Imported cells come back as they were read. Times are written as decimals of
microseconds, digit by digit, so that a table comes back to the same numbers.
"""

from __future__ import annotations

import csv
import io
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

from .dataset import dataset_of
from .importers.table import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bench.imported import ImportedTable
    from ..bench.sample import Campaign
    from .dataset import Row

__all__ = ["FORMATS", "cells_of", "write_csv", "write_json", "write_parquet"]

FORMATS = ("csv", "parquet", "json")

_TIMES = ("time_us", "time_lo_us", "time_hi_us")
_WHOLE = ("ranks", "ranks_per_node", "bytes", "repetitions", "wrong")


def cells_of(campaign: Campaign, statistic: str | None = None) -> Iterator[dict[str, str]]:
    """Yield every cell as texts by the names of `COLUMNS`; "" where nothing is known."""
    measured = type(campaign)(launches=campaign.launches, measurements=campaign.measurements)
    for row in dataset_of(measured, statistic):
        yield _measured(row)
    for table in campaign.imported:
        for index in range(len(table)):
            yield _imported(table, index)


def _measured(row: Row) -> dict[str, str]:
    key = row.key
    return {
        "system": key.system,
        "collective": key.collective,
        "backend": key.transport if key.choice == "native" else f"{key.transport} {key.choice}",
        "ranks": str(row.ranks),
        "ranks_per_node": _per_node(row),
        "bytes": str(row.message_bytes),
        "time_us": _us(row.median_s),
        "time_lo_us": _us(row.low_s),
        "time_hi_us": _us(row.high_s),
        "memory": key.memory,
        "dtype": key.dtype,
        "operation": key.operation,
        "placement": key.placement,
        "mode": key.protocol,
        "statistic": key.statistic,
        "suspect": "+".join([*row.labels, *([row.suspect] if row.suspect else [])]),
        "repetitions": _count(row.repetitions),
        "wrong": _count(row.wrong),
    }


def _imported(table: ImportedTable, index: int) -> dict[str, str]:
    cell = table.row(index)
    texts = {name: cell[name] for name in COLUMNS if isinstance(cell.get(name), str)}
    return {
        **dict.fromkeys(COLUMNS, ""),
        **texts,
        "backend": cell["transport"],
        "ranks": str(cell["ranks"]),
        "ranks_per_node": _count(cell["ranks_per_node"]),
        "bytes": str(cell["message_bytes"]),
        "time_us": _us(cell["time_s"]),
        "time_lo_us": _us(cell["low_s"]),
        "time_hi_us": _us(cell["high_s"]),
        "repetitions": _count(cell["repetitions"]),
        "wrong": _count(cell["wrong"]),
    }


def _per_node(row: Row) -> str:
    whole = row.hosts > 0 and row.ranks % row.hosts == 0
    return str(row.ranks // row.hosts) if whole else ""


def _count(value: int) -> str:
    return str(value) if value >= 0 else ""


def _us(seconds: float) -> str:
    """Return microseconds in decimals that mean exactly the float of the seconds."""
    return "" if math.isnan(seconds) else f"{Decimal(repr(seconds)).scaleb(6):f}"


def write_csv(stream: BinaryIO, cells: Iterator[dict[str, str]]) -> None:
    """Write a CSV table."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    text.flush()
    text.detach()


def write_json(stream: BinaryIO, cells: Iterator[dict[str, str]]) -> None:
    """Write an object with the list ``cells``; what is not known is null."""
    content = {"cells": [_typed(cell) for cell in cells]}
    stream.write(json.dumps(content, indent=1, allow_nan=False).encode())


def write_parquet(stream: BinaryIO, cells: Iterator[dict[str, str]]) -> None:
    """Write a Parquet table; needs pyarrow."""
    import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from pyarrow import parquet

    kinds = dict.fromkeys(_TIMES, pa.float64()) | dict.fromkeys(_WHOLE, pa.int64())
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    parquet.write_table(pa.Table.from_pylist([_typed(cell) for cell in cells], schema), stream)


def _typed(cell: dict[str, str]) -> dict[str, Any]:
    typed: dict[str, Any] = dict(cell)
    for name in _TIMES:
        typed[name] = float(cell[name]) if cell[name] else None
    for name in _WHOLE:
        typed[name] = int(cell[name]) if cell[name] else None
    return typed
