"""What this machine gives: its identity, and names that may be no text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_text", "boot_id", "distinct_names", "mapped_library", "started_at"]


def as_text(name: str) -> str:
    r"""Return a name from the system as text: bytes that are no UTF-8 become escapes.

    >>> as_text("run-" + chr(0xDCFF) + ".h5")
    'run-\\xff.h5'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def boot_id() -> str:
    """Return what tells this running kernel from all others; "" where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def distinct_names(machines: Sequence[tuple[str, str]]) -> list[str]:
    """Return host names from (name, boot id), numbered where several machines have the same.

    >>> distinct_names([("n", "a"), ("n", "b"), ("m", "c"), ("n", "a")])
    ['n~1', 'n~2', 'm', 'n~1']
    """
    boots: dict[str, list[str]] = {}
    for name, boot in machines:
        known = boots.setdefault(name, [])
        if boot not in known:
            known.append(boot)
    return [
        name if len(boots[name]) == 1 else f"{name}~{boots[name].index(boot) + 1}"
        for name, boot in machines
    ]


def started_at(pid: int) -> int:
    """Return when a process began, in ticks since boot; -1 if there is none, or only its corpse."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return -1
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return -1 if fields[0] == "Z" else int(fields[19])


def mapped_library(name: str) -> str:
    """Return the path of the library whose file's name begins so in this process; "" without."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")  # any file's name
    for line in maps.splitlines():
        path = line.rpartition(" ")[2]
        if Path(path).name.startswith(name):
            return path
    return ""
