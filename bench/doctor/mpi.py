"""MPI: a launcher, whether its processes see each other, which library, how they are bound."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

from ..errors import TransportError
from ..launcher import Launcher, find_launcher, launched_size
from ..mpi import first_line, load_mpi
from .check import Check

__all__ = ["Seen", "check_launch", "check_mpi", "judge"]

_MARK = "collcast-doctor:"
_TIMEOUT_S = 60
_RANKS = 2
_OTHER_MPI = (
    "put the mpiexec of that library first on the PATH, or name the library of this mpiexec in "
    "MPI4PY_LIBMPI"
)
_PROBE = f"""
import json, os
from collcast.bench.mpi import describe_library, load_mpi
m = load_mpi()
seen = dict(describe_library(), rank=m.COMM_WORLD.rank, size=m.COMM_WORLD.size,
            cores=sorted(os.sched_getaffinity(0)))
print({_MARK!r} + json.dumps(seen), flush=True)
"""


class Seen(msgspec.Struct, kw_only=True, frozen=True):
    """What one process of a probe saw."""

    rank: int
    size: int
    """Of its world."""

    library: str
    """First line of the library's own version text."""

    path: str
    """The library that is mapped; "" where the kernel does not say."""

    build: str
    """Which build of mpi4py was taken, by the name of its file: an ABI."""

    thread_level: str
    """What MPI provides."""

    cores: list[int]
    """That the process may run on."""


def check_mpi() -> list[Check]:
    """Return launcher, world, library, thread level and binding, as far as one leads on."""
    try:
        launcher = find_launcher()
    except TransportError as error:
        return [Check(name="mpiexec", state="failure", detail="none", fix=str(error))]
    found = Check(name="mpiexec", state="ok", detail=f"{launcher.path} ({launcher.flavour})")
    seen = _probe(launcher)
    return [found, *([seen] if isinstance(seen, Check) else judge(seen, launcher.flavour))]


def check_launch() -> list[Check]:
    """Return whether the processes that an mpirun started this one with see each other.

    Called by all of them. None where there are no others.
    """
    started = launched_size(os.environ)
    if started is None or started == 1:
        return []
    try:
        mpi = load_mpi()
    except TransportError as error:
        return [Check(name="launch", state="failure", detail=str(error), fix=_OTHER_MPI)]
    size, library = mpi.COMM_WORLD.size, first_line(mpi.Get_library_version())
    if size == started:
        return [Check(name="launch", state="ok", detail=f"the {size} ranks of this mpirun are one")]
    detail = (
        f"{started} processes of this mpirun are worlds of {size} rank each: it does not belong to "
        f"{library}"
    )
    return [Check(name="launch", state="failure", detail=detail, fix=_OTHER_MPI)]


def _probe(launcher: Launcher) -> list[Seen] | Check:
    """Start two processes; what each saw, or what went wrong."""
    environment = {**os.environ, **launcher.environment(_RANKS, len(os.sched_getaffinity(0)))}
    command = [str(launcher.path), "-n", str(_RANKS), sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        hung = isinstance(error, subprocess.TimeoutExpired)
        detail = f"2 processes did not start within {_TIMEOUT_S} s" if hung else str(error)
        fix = "see whether the host's own name resolves (getent hosts $(hostname)), and /dev/shm"
        return Check(name="mpi world", state="failure", detail=detail, fix=fix)
    seen = []
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            try:
                seen.append(msgspec.json.decode(line.removeprefix(_MARK), type=Seen))
            except msgspec.MsgspecError:
                continue  # two processes' lines, interleaved
    if done.returncode == 0 and seen:
        return seen
    said = [line.strip() for line in done.stderr.splitlines() if line.strip(" -*=")]
    detail = said[-1] if said else f"exit status {done.returncode} without a word"
    fix = f"run it: {' '.join(command[:4])} -c 'from mpi4py import MPI'"
    return Check(name="mpi world", state="failure", detail=detail, fix=fix)


def judge(seen: list[Seen], flavour: str) -> list[Check]:
    """Return the checks of what the processes of a probe saw; `flavour` is the launcher's."""
    first = min(seen, key=lambda one: one.rank)
    if any(one.size != _RANKS for one in seen):
        return [Check(
            name="mpi world", state="failure",
            detail=f"{_RANKS} processes are {len(seen)} worlds of {first.size} rank: mpiexec "
            f"({flavour}) does not belong to {first.library}",
            fix=_OTHER_MPI,
        )]  # fmt: skip
    library = f"{first.library}; {first.path or 'path unknown'}; mpi4py built for {first.build}"
    found = [
        Check(name="mpi world", state="ok", detail=f"{_RANKS} ranks see each other"),
        Check(name="mpi library", state="ok", detail=library),
        _thread_level(first.thread_level),
    ]
    return [*found, _binding([set(one.cores) for one in seen], flavour)]


def _thread_level(level: str) -> Check:
    name = "thread level"
    if level == "serialized":
        return Check(name=name, state="ok", detail=level)
    if level == "multiple":
        fix = "unset MPI4PY_RC_THREAD_LEVEL unless several threads are to be measured"
        detail = "multiple: small messages take up to 1.7 times as long"
    else:
        fix = "the watchdog's thread does not call MPI; still, a library with threads is safer"
        detail = f"{level}: MPI may be called from one thread only"
    return Check(name=name, state="warning", detail=detail, fix=fix)


def _binding(cores: list[set[int]], flavour: str) -> Check:
    """Whether ranks have cores of their own: others interrupt each other, and wander."""
    name, options = "binding", {"openmpi": "--bind-to core", "mpich": "-bind-to core"}
    option = options.get(flavour, "its option that binds ranks to cores")
    usable = len(os.sched_getaffinity(0))
    shown = ", ".join(f"{len(own)}" for own in cores)
    if usable < len(cores):
        fix = "measure on a machine with a core per rank"
        detail = f"{usable} core for {len(cores)} ranks"
        return Check(name=name, state="warning", detail=detail, fix=fix)
    if not cores[0].isdisjoint(*cores[1:]):
        own = set.union(*cores)
        if len(own) < len(cores):
            fix = f"give mpiexec {option}, and check what binds processes before it"
            detail = f"{len(cores)} ranks are bound to {len(own)} core"
            return Check(name=name, state="failure", detail=detail, fix=fix)
        fix = f"start under mpiexec with {option}; collcast records what it finds"
        detail = f"ranks are not bound: each may run on the same {len(own)} cores"
        return Check(name=name, state="warning", detail=detail, fix=fix)
    return Check(name=name, state="ok", detail=f"every rank has cores of its own ({shown})")
