"""Imported tables <-> a group with one dataset per column.

Texts are stored as codes (int32) beside one JSON document that lists the names of every column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import msgspec
import numpy as np

from ..errors import StoreError
from ..imported import INTEGER_COLUMNS, REAL_COLUMNS, TEXT_COLUMNS, ImportedTable, Texts
from .attribute import read_fields, write_fields
from .node import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .node import Node

__all__ = ["read_table", "write_table"]

_COLUMNS = (*TEXT_COLUMNS, *INTEGER_COLUMNS, *REAL_COLUMNS)
_CHUNK_ROWS = 1 << 17  # 1 MiB of int64: what HDF5 caches


def write_table(group: Any, table: ImportedTable) -> None:
    """Write a table's attributes and columns into an empty group."""
    write_fields(group, table, without=_COLUMNS)
    names = {name: getattr(table, name).names for name in TEXT_COLUMNS}
    try:
        document = msgspec.json.encode(names)
    except (UnicodeError, msgspec.MsgspecError) as error:
        raise StoreError(f"imported: found {error}, expected texts of Unicode") from error
    kind = h5py.string_dtype("utf-8", len(document))
    group.create_dataset(
        "names",
        data=np.array([document], dtype=kind),
        chunks=(1,),
        compression="gzip",
        fletcher32=True,
    )
    for name in TEXT_COLUMNS:
        _write_column(group, name, getattr(table, name).codes.astype("<i4"))
    for name in INTEGER_COLUMNS:
        _write_column(group, name, getattr(table, name).astype("<i8"))
    for name in REAL_COLUMNS:
        _write_column(group, name, getattr(table, name).astype("<f8"))


def read_table(node: Node) -> ImportedTable:
    """Return an imported table from its group.

    Raises
    ------
    StoreError
        If anything in it is missing, damaged, or does not fit together.
    """
    document = node.document("names")
    with reading(f"{node.where}/names"):
        names = msgspec.json.decode(document, type=dict[str, tuple[str, ...]])
    columns: dict[str, Any] = {}
    for name in TEXT_COLUMNS:
        codes = node.column(name, np.dtype(np.int32))
        with reading(f"{node.where}/{name}"):
            columns[name] = Texts(codes, names.get(name, ()))
    columns |= {name: node.column(name, np.dtype(np.int64)) for name in INTEGER_COLUMNS}
    columns |= {name: node.column(name, np.dtype(np.float64)) for name in REAL_COLUMNS}
    with reading(node.where):
        return ImportedTable(**columns, **read_fields(node, ImportedTable, without=_COLUMNS))


def _write_column(group: Any, name: str, values: NDArray[Any]) -> None:
    group.create_dataset(
        name,
        data=values,
        chunks=(min(len(values), _CHUNK_ROWS),),
        shuffle=True,
        compression="gzip",
        fletcher32=True,
    )
