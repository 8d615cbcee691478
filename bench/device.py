"""Which GPU a rank uses."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from .errors import CaseError, TransportError
from .host import boot_id
from .nccl import SHARING
from .stub import STUB, stub_path

__all__ = ["Device", "bind", "device_count", "expect_device"]


_SHARING = {  # what NCCL >= 2.30 needs for several ranks on one GPU; read when it starts
    SHARING: "1",
    "NCCL_NVLS_ENABLE": "0",
    "NCCL_MAX_CTAS": "4",  # channels of all ranks must be resident at once, or they hang
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Facts of one CUDA device; all empty for a rank that uses none."""

    uuid: str = ""
    name: str = ""
    driver: str = ""
    """CUDA version that the driver supports, such as 13.0."""


def device_count() -> int:
    """Return how many CUDA devices CuPy can use; 0 without CuPy, driver or device."""
    if stub_path():
        return 1
    try:
        import cupy

        return int(cupy.cuda.runtime.getDeviceCount())
    except Exception:  # no CuPy, no driver, no device: all mean none
        return 0


def expect_device() -> int:
    """Return how many devices there are.

    Raises
    ------
    TransportError
        If there is none that CuPy can use.
    """
    if count := device_count():
        return count
    raise TransportError(
        "memory: found no CUDA device that CuPy can use, expected one for --memory device"
    )


def bind(communicator: Any, ranks_per_gpu: int = 1) -> Device:
    """Make this rank use the device of its node-local number over `ranks_per_gpu`; collective.

    Raises
    ------
    TransportError
        If there is no device that CuPy can use.
    CaseError
        If more ranks than that share one: their figures would be those of a shared device.
    """
    if ranks_per_gpu > 1:
        for name, value in _SHARING.items():
            os.environ.setdefault(name, value)
    if stub_path():
        return Device(uuid=f"{STUB}-{communicator.rank}", name=STUB, driver=STUB)
    count = expect_device()
    import cupy

    # Not MPI's own groups of ranks that share memory: settings and containers make those smaller.
    machines = communicator.allgather((socket.gethostname(), boot_id()))
    local_rank = machines[: communicator.rank].count(machines[communicator.rank])
    number = local_rank // ranks_per_gpu % count
    cupy.cuda.Device(number).use()
    cupy.cuda.runtime.free(0)  # makes the context, which before CUDA 12 only a call like this does
    properties = cupy.cuda.runtime.getDeviceProperties(number)
    version = cupy.cuda.runtime.driverGetVersion()
    device = Device(
        uuid=bytes(properties["uuid"]).hex(),
        name=properties["name"].decode(),
        driver=f"{version // 1000}.{version % 1000 // 10}",
    )
    _expect_apart(communicator.allgather(device.uuid), ranks_per_gpu, device.name)
    return device


def _expect_apart(uuids: list[str], most: int, name: str) -> None:
    """Refuse more ranks on a device than asked for, on every rank alike.

    By UUID, because a launcher may show each rank another device under the same number.
    """
    shared = max(uuids.count(uuid) for uuid in set(uuids))
    if shared > most:
        raise CaseError(
            f"ranks: found {shared} on one {name}, expected at most {most}; --ranks-per-gpu "
            f"{shared} allows them (labelled, and left out of fits)"
        )
