"""A group of an HDF5 file that may be damaged or hostile: nothing is believed, all is named.

Types and shapes are checked before anything is allocated, links that could leave the file are
refused, and whatever HDF5 complains about becomes a `StoreError` that names file and object.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import CaseError, StoreError

__all__ = ["Allowance", "Node", "expect_dense", "open_file", "open_image", "reading"]

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DEFLATE_RATIO = 1032  # the most that deflate can expand: zlib's technical details
_TEXT_BYTES = 1 << 16  # longest attribute; HDF5's own limit in compact storage
_FREE_BYTES = 1 << 28  # 256 MiB may be decoded from however small a file ...
_RATIO = 64  # ... and 64 times its size from a larger one; real stamps expand 3 to 8 times


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn whatever a reader raises into one line that names where it was reading."""
    try:
        yield
    except StoreError:
        raise
    except CaseError as error:
        raise StoreError(f"{where}: {error}") from error
    except (
        Exception
    ) as error:  # h5py raises OSError, RuntimeError, KeyError, ValueError, TypeError ...
        text = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"{where}: found damage ({text}), expected a readable object") from error


class Allowance:
    """Bytes that may still be decoded from one file: hostile files repeat and inflate."""

    def __init__(self, file_bytes: int) -> None:
        self.file_bytes = file_bytes
        self.left_bytes = max(_FREE_BYTES, _RATIO * file_bytes)

    def spend(self, decoded_bytes: int, where: str) -> None:
        """Take from what is left.

        Raises
        ------
        StoreError
            If there is not enough.
        """
        if decoded_bytes > self.left_bytes:
            raise StoreError(
                f"{where}: found {decoded_bytes} bytes in a file of {self.file_bytes} bytes, "
                f"expected at most {self.left_bytes} more"
            )
        self.left_bytes -= decoded_bytes


@dataclass(frozen=True, slots=True)
class Node:
    """A group, the text that names it, and what may still be decoded from its file."""

    handle: Any
    where: str
    allowance: Allowance

    def names(self) -> list[str]:
        """Return the names of the children, whatever they lead to."""
        with reading(self.where):
            return list(self.handle.keys())

    def group(self, name: str) -> Node:
        """Return a child that must be a group."""
        return Node(self._child(name, h5py.Group), f"{self.where}/{name}", self.allowance)

    def has_entry(self, collection: str, name: str) -> bool:
        """Tell whether a collection is there and has a child of that name."""
        with reading(self.where):
            return collection in self.handle and name in self.group(collection).handle

    def has_attribute(self, name: str) -> bool:
        """Tell whether an attribute is there."""
        with reading(f"{self.where}.{name}"):
            return name in self.handle.attrs

    def expect_inside(self, name: str, expected: str) -> None:
        """Refuse a child that is missing, or a link that could lead elsewhere."""
        where = f"{self.where}/{name}"
        with reading(where):
            link = self.handle.get(name, getlink=True)
            if link is None:
                raise StoreError(f"{where}: found nothing, expected {expected}")
            if not isinstance(link, h5py.HardLink):
                raise StoreError(
                    f"{where}: found a {type(link).__name__}, expected {expected} inside the file"
                )

    def expect_countable(self) -> None:
        """Refuse data anywhere below whose chunks nobody could count: HDF5, copying, looks at each.

        Unknown data, too: what a later minor version added is copied unread.
        """

        def look(name: bytes, found: Any) -> str | None:
            if found.type != h5py.h5o.TYPE_DATASET:
                return None
            chunks = _most_chunks(h5py.h5o.open(self.handle.id, name))
            if chunks <= self.allowance.file_bytes:
                return None
            where = f"{self.where}/{name.decode(errors='replace')}"
            return f"{where}: found {chunks} chunks, expected no more than the file has bytes"

        with reading(self.where):
            refused = h5py.h5o.visit(self.handle.id, look, info=True)
            if refused is not None:
                raise StoreError(refused)

    def integer(self, name: str) -> int:
        """Return an integer attribute."""
        return int(self._attribute(name, "iu", "an integer"))

    def real(self, name: str) -> float:
        """Return a floating-point attribute."""
        return float(self._attribute(name, "f", "a floating-point number"))

    def text(self, name: str) -> str:
        """Return a text attribute (fixed length, UTF-8)."""
        with reading(f"{self.where}.{name}"):
            return bytes(self._attribute(name, "S", "a text of fixed length")).decode("utf-8")

    def integers(self, name: str) -> NDArray[np.int64]:
        """Return a dataset of int64 with two axes."""
        where = f"{self.where}/{name}"
        dataset = self._child(name, h5py.Dataset)
        with reading(where):
            if dataset.dtype.kind != "i" or dataset.dtype.itemsize != 8 or len(dataset.shape) != 2:
                raise StoreError(
                    f"{where}: found {dataset.dtype} {dataset.shape}, "
                    "expected int64 (repetition, rank)"
                )
            self._expect_stored(dataset, where)
            return np.asarray(dataset[()], dtype=np.int64)

    def column(self, name: str, kind: np.dtype[Any]) -> NDArray[Any]:
        """Return a dataset of one axis and of that type."""
        where = f"{self.where}/{name}"
        dataset = self._child(name, h5py.Dataset)
        with reading(where):
            found = dataset.dtype
            if (found.kind, found.itemsize) != (kind.kind, kind.itemsize) or len(
                dataset.shape
            ) != 1:
                raise StoreError(f"{where}: found {found} {dataset.shape}, expected {kind} (row,)")
            self._expect_stored(dataset, where)
            return np.asarray(dataset[()], dtype=kind)

    def document(self, name: str) -> bytes:
        """Return the only element of a text dataset of shape (1,)."""
        where = f"{self.where}/{name}"
        dataset = self._child(name, h5py.Dataset)
        with reading(where):
            if dataset.dtype.kind != "S" or dataset.shape != (1,):
                raise StoreError(
                    f"{where}: found {dataset.dtype} {dataset.shape}, "
                    "expected text of fixed length, shape (1,)"
                )
            self._expect_stored(dataset, where)
            return bytes(dataset[0])

    def _attribute(self, name: str, kinds: str, expected: str) -> Any:
        where = f"{self.where}.{name}"
        with reading(where):
            if name not in self.handle.attrs:
                raise StoreError(f"{where}: found no such attribute, expected {expected}")
            attribute = self.handle.attrs.get_id(name)
            if attribute.shape != () or attribute.dtype.kind not in kinds:
                raise StoreError(
                    f"{where}: found {attribute.dtype} {attribute.shape}, expected {expected}"
                )
            size = attribute.dtype.itemsize
            if size > _TEXT_BYTES:
                raise StoreError(f"{where}: found {size} bytes, expected at most {_TEXT_BYTES}")
            return self.handle.attrs[name]

    def _child(self, name: str, kind: type) -> Any:
        where = f"{self.where}/{name}"
        expected = "a group" if kind is h5py.Group else "a dataset"
        self.expect_inside(name, expected)
        with reading(where):
            child = self.handle[name]
            if not isinstance(child, kind):
                raise StoreError(f"{where}: found a {type(child).__name__}, expected {expected}")
            return child

    def _expect_stored(self, dataset: Any, where: str) -> None:
        """Refuse data that is not in this file, not all there, or more than its bytes can hold."""
        creation = dataset.id.get_create_plist()
        layout = creation.get_layout()
        filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
        if creation.get_external_count() or layout == h5py.h5d.VIRTUAL:
            raise StoreError(f"{where}: found data that lies in another file, expected it here")
        if not filters <= _FILTERS:
            raise StoreError(f"{where}: found filters {sorted(filters)}, expected shuffle, deflate")
        if (chunks := _most_chunks(dataset.id)) > self.allowance.file_bytes:  # each takes a byte
            raise StoreError(
                f"{where}: found shape {dataset.shape} of {chunks} chunks in a file of "
                f"{self.allowance.file_bytes} bytes, expected all of them stored"
            )
        stored, decoded = (
            dataset.id.get_storage_size(),
            math.prod(dataset.shape) * dataset.dtype.itemsize,
        )
        least = decoded / _DEFLATE_RATIO if layout == h5py.h5d.CHUNKED else decoded
        if not least <= stored <= self.allowance.file_bytes:
            raise StoreError(
                f"{where}: found shape {dataset.shape} with {stored} bytes stored in a file of "
                f"{self.allowance.file_bytes}, expected all of its {decoded} bytes"
            )
        if layout == h5py.h5d.CHUNKED:
            self._expect_chunks(dataset, where)
        self.allowance.spend(decoded, where)

    @staticmethod
    def _expect_chunks(dataset: Any, where: str) -> None:
        """Refuse chunks larger than the data, and chunks missing: they would read as zeros."""
        axes = list(zip(dataset.shape, dataset.chunks, strict=True))
        expected, found = _most_chunks(dataset.id), dataset.id.get_num_chunks()
        if found != expected or any(chunk > length for length, chunk in axes):
            raise StoreError(
                f"{where}: found {found} chunks of {dataset.chunks} for shape {dataset.shape}, "
                f"expected {expected} chunks no larger than the data"
            )


def _most_chunks(dataset: Any) -> int:
    """Return how many chunks a dataset's shape has room for; 0 where it is not chunked.

    Asked of HDF5, the number of those that are stored can take for ever.
    """
    creation = dataset.get_create_plist()
    if creation.get_layout() != h5py.h5d.CHUNKED:
        return 0
    axes = zip(dataset.shape, creation.get_chunk(), strict=True)
    return math.prod(-(-length // chunk) for length, chunk in axes)


def expect_dense(path: Path, status: os.stat_result) -> None:
    """Refuse a large file of holes: terabytes cost its author nothing, and the reader memory.

    File systems that compress, or count blocks late, report fewer than there are bytes, too, but
    not so few of deflated data, and not for so large a file.
    """
    if status.st_size > _FREE_BYTES and 512 * status.st_blocks * _RATIO < status.st_size:
        raise StoreError(
            f"{path}: found {status.st_size} bytes of which {512 * status.st_blocks} are stored, "
            "expected a file without holes"
        )


def _expect_checksums(start: bytes, where: str) -> None:
    """Refuse versions of the superblock before 2: nothing protects HDF5 from their damage."""
    if start.startswith(_SIGNATURE) and b"" < start[8:] < b"\x02":
        raise StoreError(
            f"{where}: found an HDF5 file of version {start[8:].hex()}, which has no checksums, "
            "expected a campaign"
        )


@contextmanager
def open_file(path: Path) -> Iterator[Node]:
    """Open the root group of an HDF5 file.

    Raises
    ------
    StoreError
        If there is no such file, or it is no whole HDF5 file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"{path}: found {error.strerror!r}, expected a campaign") from error
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: found no regular file, expected a campaign")
    expect_dense(path, status)
    if not os.access(path, os.R_OK):
        raise StoreError(f"{path}: found a file without read permission, expected a campaign")
    if not h5py.is_hdf5(path):
        raise StoreError(f"{path}: found no HDF5 file, expected a campaign")
    with reading(str(path)), path.open("rb") as stream:
        _expect_checksums(stream.read(9), str(path))
    try:
        # No locks: files are replaced, never changed, so a reader has nothing to wait for.
        file = h5py.File(path, "r", locking=False)
    except Exception as error:
        found = "a truncated" if "truncated" in str(error) else "a damaged"
        raise StoreError(f"{path}: found {found} HDF5 file, expected a whole campaign") from error
    with file:
        yield Node(file, str(path), Allowance(status.st_size))


@contextmanager
def open_image(image: bytes, where: str) -> Iterator[Node]:
    """Open the root group of an HDF5 image in memory.

    Raises
    ------
    StoreError
        If it is none.
    """
    _expect_checksums(image[:9], where)
    with reading(where):
        file = h5py.File(h5py.h5f.open_file_image(image), "r")
    with file:
        yield Node(file, where, Allowance(len(image)))
