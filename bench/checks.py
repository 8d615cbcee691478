"""What a machine can measure: one small check each, as values."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from .device import device_count
from .errors import TransportError
from .launcher import find_launcher
from .timer import measure_clock

__all__ = ["Check", "check_clock", "run_checks"]

_PROBE = (
    "from collcast.bench.mpi import first_line, load_mpi\n"
    "m = load_mpi()\n"
    "print(m.COMM_WORLD.size, first_line(m.Get_library_version()), sep='|')\n"
)
_ENOUGH_LOCKED_BYTES = 64 << 20  # pinned buffers and registered memory of one rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    fine: bool
    found: str
    remedy: str = ""
    """What to do, where something is wrong."""

    needed: bool = True
    """Whether nothing can be measured without it."""


def run_checks() -> list[Check]:
    """Return every check of this machine, most basic first."""
    return [check_clock(), _check_cores(), *_check_mpi(), _check_gpu(), _check_locked_memory()]


def check_clock() -> Check:
    """Return the clock with its resolution and the cost and jitter of a stamp."""
    clock = measure_clock()
    found = (
        f"{clock.name}, resolution {clock.resolution_ns:.0f} ns, stamp {clock.stamp_ns:.0f} ns, "
        f"jitter {clock.jitter_ns:.0f} ns (99 % - median)"
    )
    slow = clock.stamp_ns > 500  # the kernel answers instead of the vDSO: a system call per stamp
    remedy = (
        "slow: the clock source is not tsc; see /sys/devices/system/clocksource" if slow else ""
    )
    return Check(name="clock", fine=not slow, found=found, remedy=remedy, needed=False)


def _check_cores() -> Check:
    cores = len(os.sched_getaffinity(0))
    return Check(name="cores", fine=True, found=f"{cores}; more ranks are labelled oversubscribed")


def _check_mpi() -> list[Check]:
    """A launcher, and whether two processes that it starts see each other."""
    try:
        launcher = find_launcher()
    except TransportError as error:
        return [Check(name="mpiexec", fine=False, found="none", remedy=str(error))]
    found = Check(name="mpiexec", fine=True, found=f"{launcher.path} ({launcher.flavour})")
    environment = {**os.environ, **launcher.environment(2, len(os.sched_getaffinity(0)))}
    try:
        done = subprocess.run(
            [str(launcher.path), "-n", "2", sys.executable, "-c", _PROBE],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        hung = "two processes did not start within 60 s"
        return [found, Check(name="mpi", fine=False, found=hung, remedy="check host name and shm")]
    worlds = [line.partition("|") for line in done.stdout.splitlines() if "|" in line]
    if done.returncode != 0 or not worlds:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return [
            found,
            Check(name="mpi", fine=False, found=said, remedy="see mpiexec's own message"),
        ]
    size, _, library = worlds[0]
    if size != "2":
        return [found, Check(
            name="mpi", fine=False, found=f"2 processes are {len(worlds)} worlds of {size} rank",
            remedy=f"mpiexec is not that of {library}; name its library in MPI4PY_LIBMPI",
        )]  # fmt: skip
    return [found, Check(name="mpi", fine=True, found=f"{library}; 2 ranks see each other")]


def _check_gpu() -> Check:
    count = device_count()
    if count:
        return Check(name="gpu", fine=True, found=f"{count} CUDA devices", needed=False)
    if find_spec("cupy") is None:
        remedy = 'for a GPU: pip install "collcast[cuda12]" or "collcast[cuda13]"'
        return Check(name="gpu", fine=False, found="no CuPy", remedy=remedy, needed=False)
    remedy = "nvidia-smi says whether the driver sees one"
    return Check(name="gpu", fine=False, found="CuPy finds no device", remedy=remedy, needed=False)


def _check_locked_memory() -> Check:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_LOCKED_BYTES:
        text = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit >> 20} MiB"
        return Check(name="locked", fine=True, found=f"memory may be locked: {text}", needed=False)
    remedy = "pinned and registered buffers may fail: raise 'ulimit -l'"
    return Check(
        name="locked", fine=False, found=f"{limit >> 10} KiB of locked memory", remedy=remedy,
        needed=False,
    )  # fmt: skip
