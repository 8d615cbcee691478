"""Plain tables: CSV, or Parquet through pyarrow, one cell per row.

Columns ``system, collective, backend, ranks, ranks_per_node, bytes, time_us, time_lo_us,
time_hi_us``, and what ``collcast export`` writes besides; of these ``collective, ranks, bytes,
time_us`` must be there. A row whose numbers cannot be read is skipped and counted.
"""

from __future__ import annotations

import csv
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ...bench.errors import ImportFormatError
from .cells import Cells, Context, is_real, size_of, us_to_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from .cells import Given

__all__ = ["COLUMNS", "collective_of", "is_table_heading", "read_csv", "read_json", "read_parquet"]

_NEEDED = ("collective", "ranks", "bytes", "time_us")
_COUNTS = ("ranks", "ranks_per_node", "repetitions", "wrong")
_TEXTS = ("dtype", "operation", "placement", "mode", "statistic", "suspect")
COLUMNS = (
    "system", "collective", "backend", "ranks", "ranks_per_node", "bytes", "time_us",
    "time_lo_us", "time_hi_us", "memory", *_TEXTS, "repetitions", "wrong",
)  # fmt: skip
"""Columns that are read, by the names that files use."""

_BACKENDS = {"ccl": ("nccl", "device"), "mpi-gpu": ("mpi", "device"), "mpi-host": ("mpi", "host")}
_COLLECTIVES = {
    "allreduce": "all_reduce",
    "allgather": "all_gather",
    "alltoall": "all_to_all",
    "alltoallv": "all_to_allv",
    "allgatherv": "all_gather_v",
    "reducescatter": "reduce_scatter",
    "reducescatterblock": "reduce_scatter",
    "bcast": "broadcast",
}
_COUNT = re.compile(r"\d{1,18}", re.ASCII)


def collective_of(name: str) -> str:
    """Return the name of a collective as a `Case` has it; others come back as they are.

    >>> collective_of("AllReduce"), collective_of("moe_dispatch")
    ('all_reduce', 'moe_dispatch')
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return _COLLECTIVES.get(plain, name)


def is_table_heading(line: str) -> bool:
    """Tell whether a first line names the columns that a table needs."""
    return set(_NEEDED) - {"ranks"} <= {cell.strip().strip('"') for cell in line.split(",")}


def read_csv(
    stream: TextIO, cells: Cells, given: Given, renamed: Mapping[str, str], where: str
) -> int:
    """Read a CSV table into `cells`; return how many rows were skipped.

    Raises
    ------
    ImportFormatError
        If a needed column is missing, or the text is no CSV.
    """
    try:
        reader = csv.DictReader(stream, strict=True)
        _expect_columns(reader.fieldnames or (), given, renamed, where)
        return _read(reader, cells, given, renamed)
    except csv.Error as error:
        raise ImportFormatError(
            f"{where}: line {reader.line_num}: found {error}, expected CSV"
        ) from error


def read_parquet(
    path: Path, cells: Cells, given: Given, renamed: Mapping[str, str], where: str
) -> int:
    """Read a Parquet table into `cells`; return how many rows were skipped.

    Raises
    ------
    ImportFormatError
        If a needed column is missing, or the file is no Parquet.
    """
    import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from pyarrow.parquet import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        ParquetFile,
    )

    try:
        with ParquetFile(path) as file:
            _expect_columns(file.schema_arrow.names, given, renamed, where)
            batches = (batch.to_pylist() for batch in file.iter_batches())
            return _read((row for batch in batches for row in batch), cells, given, renamed)
    except (pyarrow.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
        raise ImportFormatError(f"{where}: found {text!r}, expected Parquet") from error


def read_json(
    data: bytes, cells: Cells, given: Given, renamed: Mapping[str, str], where: str
) -> int:
    """Read what ``collcast export --format json`` wrote; return how many cells were skipped.

    Raises
    ------
    ImportFormatError
        If it is no object with a list of objects, ``cells``.
    """
    try:
        content = msgspec.json.decode(data, type=dict[str, list[dict[str, Any]]])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ImportFormatError(f"{where}: found {error}, expected JSON with cells") from error
    rows = content.get("cells", [])
    _expect_columns(rows[0] if rows else (), given, renamed, where)
    return _read(iter(rows), cells, given, renamed)


def _expect_columns(names: Any, given: Given, renamed: Mapping[str, str], where: str) -> None:
    for name in _NEEDED:
        if name == "ranks" and given.ranks:
            continue
        if renamed.get(name, name) not in names:
            raise ImportFormatError(
                f"{where}: found columns {', '.join(map(str, names)) or 'none'}, expected "
                f"{renamed.get(name, name)!r}; name it with --column {name}=NAME"
            )


def _read(
    rows: Iterator[Mapping[str, Any]] | csv.DictReader[str],
    cells: Cells,
    given: Given,
    renamed: Mapping[str, str],
) -> int:
    skipped = 0
    for row in rows:
        texts = {name: _text(row.get(renamed.get(name, name))) for name in COLUMNS}
        if None in row or not _add(texts, cells, given):  # None: more cells than columns
            skipped += 1
    return skipped


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # Parquet has no empty integer but in a column of floats
    return str(value).strip()


def _add(texts: Mapping[str, str], cells: Cells, given: Given) -> bool:
    """Add a row's cell; False if its numbers cannot be read."""
    counts = {name: _count(texts[name]) for name in _COUNTS}
    times = [texts[name] for name in ("time_us", "time_lo_us", "time_hi_us")]
    size = size_of(texts["bytes"]) if _COUNT.fullmatch(texts["bytes"]) else None
    if size is None or None in counts.values() or not texts["collective"]:
        return False
    if not (is_real(times[0]) and all(is_real(time) for time in times[1:] if time)):
        return False
    ranks, per_node, repetitions, wrong = (-1 if n is None else n for n in counts.values())
    ranks = given.ranks or -1 if ranks == -1 else ranks
    if ranks < 1:
        return False
    transport, memory = _BACKENDS.get(texts["backend"], (texts["backend"], texts["memory"]))
    context = Context(
        collective=collective_of(texts["collective"]),
        transport=transport,
        memory=memory,
        ranks=ranks,
        ranks_per_node=given.ranks_per_node or -1 if per_node == -1 else per_node,
        system=texts["system"] or given.system,
        repetitions=repetitions,
        **{name: texts[name] for name in _TEXTS},
    )
    low_s, high_s = (us_to_s(time) if time else math.nan for time in times[1:])
    cells.add(context, size, us_to_s(times[0]), low_s, high_s, wrong)
    return True


def _count(text: str) -> int | None:
    """Return a count; -1 where there is none, None where there is something else."""
    if not text:
        return -1
    return int(text) if _COUNT.fullmatch(text) else None
