"""Fields of a value <-> attributes of a group, by the type that the dataclass declares.

A field added later with a default is additive: files without it read as the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple

import h5py
import msgspec
import numpy as np

from ..errors import StoreError
from .node import Node, reading

__all__ = ["read_fields", "write_fields", "write_text"]

_TEXT_BYTES = 1 << 15  # attributes beyond 64 KiB need another storage; no name is that long


class _Codec(NamedTuple):
    write: Callable[[Any, str, Any], None]
    read: Callable[[Node, str], Any]


def write_fields(group: Any, value: Any, *, without: tuple[str, ...] = ()) -> None:
    """Write the fields of a dataclass as attributes; None is written as no attribute.

    Raises
    ------
    StoreError
        If a field's value cannot be stored exactly.
    """
    for field in fields(value):
        if field.name not in without:
            content = getattr(value, field.name)
            name = f"{type(value).__name__.lower()}.{field.name}"
            try:
                if content is not None:
                    _codec(field).write(group, field.name, content)
            except (ValueError, TypeError, OverflowError) as error:
                raise StoreError(
                    f"{name}: found {content!r} ({error}), expected {field.type}"
                ) from error


def read_fields(node: Node, kind: type, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of a dataclass from attributes, as keyword arguments.

    Raises
    ------
    StoreError
        If an attribute is missing that has no default, or has the wrong type.
    """
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in without:
            continue
        if node.has_attribute(field.name):
            found[field.name] = _codec(field).read(node, field.name)
        elif "None" in str(field.type):
            found[field.name] = None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise StoreError(
                f"{node.where}.{field.name}: found no such attribute, expected {field.type}"
            )
    return found


def write_text(group: Any, name: str, text: str) -> None:
    """Write a text attribute: fixed length, UTF-8, so that HDF5's checksums cover it.

    Raises
    ------
    ValueError
        If the text is too long, holds a NUL, or is no valid Unicode.
    """
    data = text.encode("utf-8")
    if b"\0" in data or len(data) > _TEXT_BYTES:
        raise ValueError(f"text of {len(data)} bytes; stored are up to {_TEXT_BYTES} without NUL")
    kind = h5py.string_dtype("utf-8", max(len(data), 1))  # HDF5 has no type of length 0
    group.attrs.create(name, np.array(data, dtype=kind))


def _write_integer(group: Any, name: str, value: int) -> None:
    group.attrs.create(name, np.int64(value))


def _write_real(group: Any, name: str, value: float) -> None:
    group.attrs.create(name, np.float64(value))


def _write_texts(group: Any, name: str, value: tuple[str, ...]) -> None:
    write_text(group, name, msgspec.json.encode(value).decode())


def _read_texts(node: Node, name: str) -> tuple[str, ...]:
    with reading(f"{node.where}.{name}"):
        return msgspec.json.decode(node.text(name), type=tuple[str, ...])


def _read_flag(node: Node, name: str) -> bool:
    return node.integer(name) != 0


_CODECS = {
    "str": _Codec(write_text, Node.text),
    "int": _Codec(_write_integer, Node.integer),
    "float": _Codec(_write_real, Node.real),
    "bool": _Codec(_write_integer, _read_flag),
    "tuple[str, ...]": _Codec(_write_texts, _read_texts),
}


def _codec(field: Field[Any]) -> _Codec:
    """Return how a field is stored; the vocabulary's annotations are texts."""
    return _CODECS[str(field.type).removesuffix(" | None")]
