"""The journal: records that are appended and never changed.

A record is a header of 52 bytes, little-endian, and a payload (one HDF5 image)::

     0  magic          8 bytes
     8  identity      16 bytes, that of the campaign
    24  number         u64, of the launch or case inside
    32  length         u64, bytes of the payload
    40  kind           u32, 1 launch, 2 case, 3 imported table
    44  payload CRC    u32, CRC-32 of zlib
    48  header CRC     u32, of the 48 bytes before

A crash can tear the last record only: it is not counted, and the next append cuts it off.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import StoreError
from .node import expect_dense

__all__ = [
    "CASE",
    "IMPORTED",
    "LAUNCH",
    "MAGIC",
    "Journal",
    "Record",
    "open_journal",
    "pack_record",
    "read_payload",
    "scan",
]

MAGIC = b"\x89CCJ\r\n\x1a\n"
"""Like PNG's: not text, and damaged visibly by whatever translates line ends."""

LAUNCH = 1
CASE = 2
IMPORTED = 3

_FIELDS = struct.Struct("<8s16sQQII")
_HEADER_BYTES = _FIELDS.size + 4
_BLOCK_BYTES = 1 << 20  # read at a time when searching and summing: memory stays bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Header of one record whose header is whole."""

    offset: int
    """Of the header, in bytes from the start of the journal."""

    identity: bytes
    number: int
    kind: int
    length: int
    payload_crc: int

    @property
    def end(self) -> int:
        """First byte behind the record."""
        return self.offset + _HEADER_BYTES + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What a journal holds."""

    records: tuple[Record, ...]
    damaged: tuple[tuple[int, int], ...]
    """(first byte, length) of stretches between records that are no record."""

    end: int
    """First byte behind the last whole record."""

    size: int

    @property
    def torn_bytes(self) -> int:
        """Bytes behind the last whole record."""
        return self.size - self.end


def pack_record(identity: bytes, number: int, kind: int, payload: bytes | memoryview) -> bytes:
    """Return the bytes of one record."""
    fields = _FIELDS.pack(MAGIC, identity, number, len(payload), kind, zlib.crc32(payload))
    return b"".join((fields, zlib.crc32(fields).to_bytes(4, "little"), payload))


@contextmanager
def open_journal(path: Path) -> Iterator[BinaryIO]:
    """Open a journal; a missing one is empty.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise StoreError(f"{path}: found no regular file, expected a journal")
    try:
        file: BinaryIO = path.open("rb")
    except FileNotFoundError:
        file = io.BytesIO()
    except OSError as error:
        raise StoreError(f"{path}: found {error.strerror!r}, expected a journal") from error
    with file:
        if not isinstance(file, io.BytesIO):
            expect_dense(path, os.fstat(file.fileno()))
        try:
            yield file
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"{path}: found {error.strerror!r}, expected a journal") from error


def scan(file: BinaryIO, path: Path) -> Journal:
    """Find the records of an open journal; `path` names it in messages.

    Only the headers are read, and the payload of the last record, which a crash may have torn.

    Raises
    ------
    StoreError
        If the file is no journal.
    """
    size = file.seek(0, os.SEEK_END)
    records: list[Record] = []
    damaged: list[tuple[int, int]] = []
    offset = 0
    while offset < size:
        found = _header(file, offset, size) or _search(file, offset + 1, size)
        if found is None:
            break
        if found.offset > offset:
            damaged.append((offset, found.offset - offset))
        records.append(found)
        offset = found.end
    if records and not _is_whole(file, records[-1]):
        offset = records.pop().offset
    if not records and not damaged:
        _expect_journal(file, path)
    return Journal(records=tuple(records), damaged=tuple(damaged), end=offset, size=size)


def read_payload(file: BinaryIO, record: Record) -> bytes | None:
    """Return the payload of a record, None if its CRC does not fit."""
    file.seek(record.offset + _HEADER_BYTES)
    payload = file.read(record.length)
    return payload if zlib.crc32(payload) == record.payload_crc else None


def _header(file: BinaryIO, offset: int, size: int) -> Record | None:
    """Return the record at an offset, None if none with a whole header and all its bytes is."""
    file.seek(offset)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(MAGIC):
        return None
    fields = header[: _FIELDS.size]
    if zlib.crc32(fields) != int.from_bytes(header[_FIELDS.size :], "little"):
        return None
    _, identity, number, length, kind, payload_crc = _FIELDS.unpack(fields)
    record = Record(
        offset=offset,
        identity=identity,
        number=number,
        kind=kind,
        length=length,
        payload_crc=payload_crc,
    )
    return record if record.end <= size else None


def _search(file: BinaryIO, offset: int, size: int) -> Record | None:
    """Return the first record at or behind an offset: damage must not hide what follows it."""
    while offset < size:
        file.seek(offset)
        block = file.read(_BLOCK_BYTES + len(MAGIC) - 1)
        place = block.find(MAGIC)
        while place >= 0:
            record = _header(file, offset + place, size)
            if record is not None:
                return record
            place = block.find(MAGIC, place + 1)
        offset += _BLOCK_BYTES
    return None


def _is_whole(file: BinaryIO, record: Record) -> bool:
    crc, left = 0, record.length
    file.seek(record.offset + _HEADER_BYTES)
    while left:
        block = file.read(min(left, _BLOCK_BYTES))
        if not block:
            return False
        crc, left = zlib.crc32(block, crc), left - len(block)
    return crc == record.payload_crc


def _expect_journal(file: BinaryIO, path: Path) -> None:
    """Refuse a foreign file: the next append would cut it off."""
    file.seek(0)
    start = file.read(len(MAGIC))
    # A crash of the machine may leave a first record of zeros: extended, never filled.
    if start != MAGIC[: len(start)] and start.strip(b"\0"):
        raise StoreError(f"{path}: found a file that starts with {start!r}, expected a journal")
