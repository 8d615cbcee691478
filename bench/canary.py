"""Whether this MPI can read and write device memory, found out where a crash does no harm.

An MPI's own word is not enough: one that was compiled with CUDA says yes also where it has none,
and one that was not dereferences the pointer. So two ranks of a child exchange and reduce device
buffers, from the smallest messages to those that take another path; whatever becomes of them is the
answer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import run
from .buffers import BufferPool
from .case import Case
from .checker import Checker
from .device import bind, expect_device
from .errors import TransportError
from .launcher import find_launcher
from .mpi import load_mpi
from .transports.mpi import MpiTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Canary", "expect_device_pointers", "try_device_pointers"]

_SIZES = (8, 1 << 16, 1 << 22)  # eager, rendezvous, pipelined: each is another path in an MPI
_SECONDS = 60.0
_RANKS = 2
_LAUNCHERS_OWN = ("OMPI_COMM_", "OMPI_MCA_ess", "PMIX_", "PMI_", "PMI2_", "HYDRA_", "PRTE_MCA_ess")
_RIGHT = "canary: right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What became of the child."""

    fine: bool
    reason: str


def expect_device_pointers() -> None:
    """Refuse to go on unless this MPI can read and write device memory.

    Raises
    ------
    TransportError
        If it cannot, or there is no device.
    """
    expect_device()
    found = try_device_pointers()
    if not found.fine:
        raise TransportError(
            f"transport: found an MPI that does not work on device memory ({found.reason}), "
            "expected one that is GPU-aware; --transport staged copies through the host"
        )


def try_device_pointers(command: Sequence[str] = (), seconds: float = _SECONDS) -> Canary:
    """Let a child use device memory through this MPI.

    Parameters
    ----------
    command : what to run instead of two ranks of this module; for tests
    seconds : after which it is said to hang
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_LAUNCHERS_OWN)
    }
    if not command:
        launcher = find_launcher()
        environment |= launcher.environment(_RANKS, len(os.sched_getaffinity(0)))
        ranks = [sys.executable, "-m", "collcast.bench.canary"]
        command = [str(launcher.path), "-n", str(_RANKS), *ranks]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Canary(fine=False, reason=f"it hung for {seconds:g} s")
    except OSError as error:
        return Canary(fine=False, reason=f"it did not start: {error.strerror}")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    said = [line for line in lines if line.startswith("canary:")]
    if done.returncode == 0 and _RIGHT in said:
        return Canary(fine=True, reason=f"exchanged and reduced up to {_SIZES[-1] >> 20} MiB")
    number = -done.returncode if done.returncode < 0 else done.returncode - 128
    if number in {*map(int, signal.Signals)}:
        return Canary(fine=False, reason=f"it crashed: {signal.Signals(number).name}")
    reason = said[0].removeprefix("canary: ") if said else f"exit status {done.returncode}"
    return Canary(fine=False, reason=reason)


def _be_canary() -> str:
    """Be one rank of the child; return what was found."""
    world = load_mpi().COMM_WORLD
    bind(world, world.size)
    transport, pool = MpiTransport(world), BufferPool(_SIZES[-1], "device")
    for collective in ("all_reduce", "send_recv"):
        for size in _SIZES:
            case = Case(collective=collective, message_bytes=size, memory="device")
            wrong = _wrong(case, world, transport, pool)
            if wrong:
                return f"canary: {wrong} elements of {collective} of {size} B were wrong"
    return _RIGHT


def _wrong(case: Case, world: Any, transport: MpiTransport, pool: BufferPool) -> int:
    buffers = pool.buffers(case, world.rank, world.size)
    checker = Checker(case=case, buffers=buffers, rank=world.rank, ranks=world.size, seed=0)
    checker.prepare()
    run(transport.operation(case, buffers), *np.zeros((2, 1), np.int64))
    checker.check()
    return int(world.allreduce(checker.verdict.wrong))


if __name__ == "__main__":
    try:
        FOUND = _be_canary()
    except Exception as error:  # whatever it is, it is the answer
        FOUND = f"canary: {type(error).__name__}: {' '.join(str(error).split())}"
    sys.stdout.write(FOUND + "\n")
    sys.stdout.flush()
    sys.exit(0 if _RIGHT == FOUND else 1)
