"""One writer per campaign, also among hosts: ``PATH.lock`` names who writes.

The file is created by a hard link, which fails if the name is there, on network file systems too.
It names host, boot, process and the space of process numbers (containers have their own). A holder
of the same boot and space is alive if its process is. Of any other this host cannot know: a holder
renews the file every `_RENEW_S`, and who wants it watches for `_WATCH_S`. No clocks are compared.
A dead lock is removed under its own flock, so that of many who want it one takes it over.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..errors import StoreError
from ..host import boot_id, started_at
from .durable import writing
from .walk import located

__all__ = ["Holder", "hold_campaign", "holder_of", "is_alive", "lock_of"]

_RENEW_S = 5.0
_WATCH_S = 20.0  # four renewals: a loaded machine may miss one or two
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who writes a campaign."""

    host: str
    boot: str
    """Of the host's kernel: tells machines of one name apart."""

    space: int
    """Of process numbers, an inode; 0 unknown."""

    pid: int
    started: int
    """When the process began, in ticks since boot: numbers of processes come again."""

    since: str
    """ISO 8601, UTC."""

    token: str
    """Random."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


def lock_of(path: Path) -> Path:
    """Return the file that says who writes a campaign."""
    return path.with_name(path.name + ".lock")


def holder_of(path: Path) -> Holder | None:
    """Return who holds a campaign, alive or not; None if nobody, or nobody that can be read."""
    try:
        return msgspec.json.decode(lock_of(located(path)).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def is_alive(holder: Holder) -> bool | None:
    """Tell whether a holder's process runs; None where this host cannot know."""
    if not holder.boot or (holder.boot, holder.space) != (boot_id(), _space()):
        return None
    return started_at(holder.pid) == holder.started


@contextmanager
def hold_campaign(path: Path, tell: Callable[[str], object]) -> Iterator[None]:
    """Be the only one who writes a campaign; `tell` gets a line about a lock that is left behind.

    Raises
    ------
    StoreError
        If somebody else writes it, or the folder cannot be written.
    """
    lock, own = lock_of(located(path)), _myself()
    with writing(lock):
        _acquire(lock, own, tell)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, ended), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        if holder_of(path) == own:
            lock.unlink(missing_ok=True)


def _renew(lock: Path, ended: threading.Event) -> None:
    while not ended.wait(_RENEW_S):
        try:
            os.utime(lock)
        except OSError:
            continue  # a file system that is away may come back


def _acquire(lock: Path, own: Holder, tell: Callable[[str], object]) -> None:
    campaign = lock.with_name(lock.name.removesuffix(".lock"))
    while not _create(lock, own):
        found = _read(lock)
        if found is None:
            continue  # gone meanwhile
        holder, state = found
        alive = None if holder is None else is_alive(holder)
        if alive is None:
            tell(f"{campaign}: watching for {_WATCH_S:g} s whether {holder or 'its holder'} writes")
            alive = _is_renewed(lock, state)
        if alive:
            raise StoreError(
                f"output: {campaign} is being written by {holder or 'another run'}, expected none"
            )
        if _take_away(lock, state):
            tell(f"{campaign}: the lock of {holder or 'another run'} was left behind: taken over")


def _create(lock: Path, own: Holder) -> bool:
    """Create the lock with its content at once; False if there is one."""
    part = lock.with_name(f"{lock.name}.{own.token}")
    try:
        part.write_bytes(msgspec.json.encode(own))
        lock.hardlink_to(part)
    except FileExistsError:
        return part.stat().st_nlink == 2  # made, by a network file system that asked twice
    finally:
        part.unlink(missing_ok=True)
    return True


_State = tuple[bytes, int]
"""Content and time of the last change, as the file system tells it."""


def _read(lock: Path) -> tuple[Holder | None, _State] | None:
    """Return the holder, None if it cannot be read, and the state; None without a lock."""
    try:
        with lock.open("rb") as file:  # opening makes a network file system look again
            state = file.read(1 << 16), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(state[0], type=Holder), state
    except msgspec.MsgspecError:
        return None, state


def _is_renewed(lock: Path, before: _State) -> bool:
    """Watch a lock: whether its holder shows a sign of life."""
    deadline_s = time.monotonic() + _WATCH_S
    while time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
        found = _read(lock)
        if found is None:
            return False
        if found[1] != before:
            return True
    return False


def _take_away(lock: Path, dead: _State) -> bool:
    """Remove a lock that was left behind; False if it is another one by now.

    Only who holds the flock of the dead file itself removes it, and only while the name still leads
    to it: a lock that somebody else created meanwhile is another file, and stays.
    """
    try:
        with lock.open("r+b") as file:  # network file systems lock only what may be written
            fcntl.flock(file, fcntl.LOCK_EX)
            own, there = os.fstat(file.fileno()), lock.stat()
            if not os.path.samestat(own, there) or (file.read(), own.st_mtime_ns) != dead:
                return False
            lock.unlink()
            return True
    except FileNotFoundError:
        return False


def _myself() -> Holder:
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        boot=boot_id(),
        space=_space(),
        pid=pid,
        started=started_at(pid),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        token=secrets.token_hex(8),
    )


def _space() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
