"""Bytes to disk such that a crash leaves either the old state or the new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreError

__all__ = ["append_durably", "remove_durably", "replace_durably", "writing"]

Bytes = bytes | memoryview


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one line that names the file."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise StoreError(f"{path}: found {reason!r} when writing, expected to succeed") from error


def replace_durably(path: Path, data: Bytes) -> None:
    """Put a file in the place of whatever is there, at once: both or neither survive a crash.

    Raises
    ------
    StoreError
        If the file system refuses; the old file is then still there, or the new one is.
    """
    # One fixed name: what a killed writer leaves behind is overwritten by the next, not collected.
    part = path.with_name(path.name + ".part")
    with writing(path):
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)  # may report a full disk too (NFS): before the rename
            part.replace(path)
        except BaseException:
            _forget(part)
            raise
        _sync_folder(path)


def append_durably(path: Path, data: Bytes, end: int) -> None:
    """Write `data` at byte `end` of a file, cutting off what lies beyond, and wait for the disk.

    Raises
    ------
    StoreError
        If the file system refuses; the file then ends at `end`, or in a torn record.
    """
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if os.fstat(descriptor).st_size != end:
                os.ftruncate(descriptor, end)
            try:
                os.lseek(descriptor, end, os.SEEK_SET)
                _write_all(descriptor, data)
                os.fsync(descriptor)
                if end == 0:  # the file may be new: its name must survive as well
                    _sync_folder(path)
            except BaseException:
                _cut(
                    path, descriptor, end
                )  # not reported as finished, so it must not be read as such
                raise
        finally:
            os.close(descriptor)


def remove_durably(path: Path) -> None:
    """Remove a file if it is there, and wait for the disk."""
    with writing(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync_folder(path)


def _write_all(descriptor: int, data: Bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _cut(path: Path, descriptor: int, end: int) -> None:
    try:
        os.ftruncate(descriptor, end)
        if end == 0:
            path.unlink(missing_ok=True)  # no record: no journal
    except OSError:
        return  # the first error is the one to report; a torn tail is skipped by readers


def _forget(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the first error is the one to report


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # file systems that sync names anyway
            raise
    finally:
        os.close(descriptor)
