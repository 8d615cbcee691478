"""Limits of this process that libraries run into: locked memory, shared memory, open files."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from ..units import format_bytes
from .check import Check

__all__ = ["check_limits"]

_ENOUGH_LOCKED_BYTES = 64 << 20  # pinned buffers and registered memory of one rank
_ENOUGH_SHARED_BYTES = 1 << 30  # containers give 64 MiB; NCCL's guide asks for 1 GiB
_ENOUGH_FILES = 1024  # pipes of each rank in mpiexec, sockets of each peer in a rank


def check_limits() -> list[Check]:
    """Return the limits, each with the place where it is raised."""
    return [
        _check_locked_memory(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]),
        check_shared_memory(Path("/dev/shm")),
        _check_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
    ]


def _check_locked_memory(limit: int) -> Check:
    name = "locked memory"
    if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_LOCKED_BYTES:
        detail = "unlimited" if limit == resource.RLIM_INFINITY else f"up to {format_bytes(limit)}"
        return Check(name=name, state="ok", detail=detail)
    return Check(
        name=name,
        state="warning",
        detail=f"up to {limit >> 10} KiB: pinned and registered buffers may fail",
        fix="raise 'ulimit -l' (memlock in /etc/security/limits.conf, LimitMEMLOCK= of the daemon)",
    )


def check_shared_memory(folder: Path) -> Check:
    """Return how much shared memory there is; `folder` is where it is mounted."""
    name = "shared memory"
    try:
        status = os.statvfs(folder)
    except OSError as error:
        fix = f"mount a tmpfs on {folder}"
        return Check(name=name, state="failure", detail=f"{folder}: {error.strerror}", fix=fix)
    size, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    detail = f"{folder}: {free >> 20} of {size >> 20} MiB free"
    if free >= _ENOUGH_SHARED_BYTES:
        return Check(name=name, state="ok", detail=detail)
    if size >= _ENOUGH_SHARED_BYTES:
        fix = f"look into {folder} for what jobs that were killed left behind"
    else:
        fix = "start the container with --shm-size=1g or --ipc=host, or remount with size=1g"
    return Check(name=name, state="warning", detail=detail, fix=fix)


def _check_open_files(soft: int, hard: int) -> Check:
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH_FILES:
        detail = "unlimited" if soft == resource.RLIM_INFINITY else f"up to {soft}"
        return Check(name="open files", state="ok", detail=detail)
    fix = f"ulimit -n {hard if hard > 0 else 65536}"
    return Check(name="open files", state="warning", detail=f"up to {soft}", fix=fix)
