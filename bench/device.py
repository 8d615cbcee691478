"""Which GPU a rank uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import TransportError
from .mpi import load_mpi

__all__ = ["Device", "bind", "device_count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Facts of one CUDA device; all empty for a rank that uses none."""

    uuid: str = ""
    name: str = ""
    driver: str = ""
    """CUDA version that the driver supports, such as 13.0."""


def device_count() -> int:
    """Return how many CUDA devices CuPy can use; 0 without CuPy, driver or device."""
    try:
        import cupy

        return int(cupy.cuda.runtime.getDeviceCount())
    except Exception:  # no CuPy, no driver, no device: all mean none
        return 0


def bind(communicator: Any) -> Device:
    """Make this rank use the device of its node-local number, round robin; collective.

    Raises
    ------
    TransportError
        If there is no device that CuPy can use.
    """
    count = device_count()
    if count == 0:
        raise TransportError(
            "memory: found no CUDA device that CuPy can use, expected one for --memory device"
        )
    import cupy

    local = communicator.Split_type(load_mpi().COMM_TYPE_SHARED)
    number = local.rank % count
    local.Free()
    cupy.cuda.Device(number).use()
    properties = cupy.cuda.runtime.getDeviceProperties(number)
    version = cupy.cuda.runtime.driverGetVersion()
    return Device(
        uuid=bytes(properties["uuid"]).hex(),
        name=properties["name"].decode(),
        driver=f"{version // 1000}.{version % 1000 // 10}",
    )
