"""The folder that a campaign goes to, and whether what is written there survives a crash."""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .check import Check

__all__ = ["check_files", "file_system_of"]

_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "gpfs", "lustre", "nfs", "nfs4", "panfs",
    "smb3", "virtiofs", "wekafs",
})  # fmt: skip
"""File systems that other hosts see too."""

_SLOW_SYNC_S = 0.5  # after every case the writer waits for the disk
_ENOUGH_BYTES = 1 << 30  # a campaign of 10,000 ranks x 30 cases x 100 repetitions takes 0.2 GB
_PAGE = mmap.PAGESIZE


def check_files(folder: Path) -> list[Check]:
    """Return the kind of file system, space, durable writes, shared maps and locks."""
    found = [_check_kind(folder)]
    with _scratch(folder) as path:
        if isinstance(path, OSError):
            detail = f"{folder}: {path.strerror}"
            fix = "name a folder that can be written with --output"
            return [*found, Check(name="write", state="failure", detail=detail, fix=fix)]
        found += [
            _check_space(folder),
            _try("durable write", _sync, path),
            _try("rename", _rename, path),
            _try("shared map", _map, path),
            _try("locks", _lock, path),
        ]
    return found


def file_system_of(folder: Path, table: str) -> tuple[str, str]:
    """Return mount point and type of the file system that holds a folder.

    Parameters
    ----------
    folder : absolute
    table : the text of /proc/self/mountinfo

    >>> line = "27 1 254:0 / / rw - ext4 /dev/vda rw"
    >>> file_system_of(Path("/home"), line + chr(10) + "30 27 0:5 / /home rw - nfs4 h:/x rw")
    ('/home', 'nfs4')
    """
    best = ("", "")
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or not kind:
            continue
        point = fields[4].replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind[0])
    return best


def _check_kind(folder: Path) -> Check:
    name = "file system"
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        point, kind = file_system_of(folder.resolve(), table)
    except OSError:
        point = kind = ""
    if not kind:
        return Check(name=name, state="missing", detail=f"{folder}: the kernel does not say")
    if kind in _NETWORK:
        return Check(name=name, state="ok", detail=f"{kind} on {point}: seen by other hosts, too")
    if kind == "tmpfs":
        fix = "copy campaigns elsewhere before the machine restarts"
        return Check(name=name, state="warning", detail=f"tmpfs on {point}: memory", fix=fix)
    detail = f"{kind} on {point}: of this host; ranks on several hosts need a shared one"
    return Check(name=name, state="ok", detail=detail)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path | OSError]:
    """Yield a new file in a folder, or why there is none; it is gone afterwards."""
    path = folder / f".collcast-doctor-{secrets.token_hex(4)}"
    try:
        path.write_bytes(bytes(_PAGE))
    except OSError as error:
        yield error
        return
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _check_space(folder: Path) -> Check:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    detail = f"{free / 1e9:.1f} GB free"
    if free >= _ENOUGH_BYTES:
        return Check(name="space", state="ok", detail=detail)
    fix = "free some: a full disk ends a run; what was finished is kept"
    return Check(name="space", state="warning", detail=detail, fix=fix)


def _try(name: str, attempt: Callable[[Path], Check], path: Path) -> Check:
    try:
        return attempt(path)
    except OSError as error:
        fix = "name a folder on another file system with --output"
        return Check(name=name, state="failure", detail=error.strerror or str(error), fix=fix)


def _sync(path: Path) -> Check:
    """As the store does after every case: write, wait for the disk, wait for the folder."""
    took_s = []
    for _ in range(5):
        began_s = time.perf_counter()
        for target, flags in ((path, os.O_WRONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
            descriptor = os.open(target, flags)
            try:
                if target is path:
                    os.write(descriptor, bytes(_PAGE))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        took_s.append(time.perf_counter() - began_s)
    typical_s = sorted(took_s)[len(took_s) // 2]
    detail = f"{typical_s * 1e3:.1f} ms to write {_PAGE} bytes and wait for the disk (median of 5)"
    if typical_s < _SLOW_SYNC_S:
        return Check(name="durable write", state="ok", detail=detail)
    fix = "every case waits so long between measurements: use a faster file system, copy later"
    return Check(name="durable write", state="warning", detail=detail, fix=fix)


def _rename(path: Path) -> Check:
    other = path.with_name(path.name + ".part")
    try:
        other.write_bytes(b"new")
        other.replace(path)
        if path.read_bytes() != b"new":
            raise OSError(0, "a file that replaces another is not seen at once")
    finally:
        other.unlink(missing_ok=True)
    return Check(name="rename", state="ok", detail="a file replaces another at once")


def _map(path: Path) -> Check:
    """As the board of a rank: space allocated, stored through a map, read as a file."""
    with path.open("w+b") as file:
        os.posix_fallocate(file.fileno(), 0, _PAGE)
        with mmap.mmap(file.fileno(), _PAGE) as shared:
            shared[:4] = b"here"
            shared.flush()
    if path.read_bytes()[:4] != b"here":
        raise OSError(0, "what is stored through a map is not in the file")
    return Check(name="shared map", state="ok", detail="what a rank stores is seen in the file")


def _lock(path: Path) -> Check:
    """Only HDF5 tools other than this one lock; a lease needs a link that fails if there is one."""
    other = path.with_name(path.name + ".link")
    try:
        other.hardlink_to(path)
        try:
            other.hardlink_to(path)
            raise OSError(0, "two hosts can create one name")
        except FileExistsError:
            pass
    finally:
        other.unlink(missing_ok=True)
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        fix = "other programs that open campaigns may need HDF5_USE_FILE_LOCKING=FALSE"
        detail = f"names are exclusive; POSIX locks: {error.strerror}"
        return Check(name="locks", state="warning", detail=detail, fix=fix)
    return Check(name="locks", state="ok", detail="names are exclusive, POSIX locks work")
