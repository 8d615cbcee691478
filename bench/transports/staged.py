"""Host-staged MPI: device to pinned host memory, the collective there, and back; all in the time.

The copies are the CUDA driver's synchronous ones, ``cuMemcpyDtoH_v2(host, device, bytes)`` and
``cuMemcpyHtoD_v2(device, host, bytes)``: when they return, the data is there.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from ...native import Step
from ..buffers import Buffers, pointer_of
from ..errors import TransportError
from .mpi import MpiTransport

if TYPE_CHECKING:
    from ..case import Case

__all__ = ["StagedTransport"]


class StagedTransport:
    """MPI on host copies of device buffers.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    driver : str
        Path of the CUDA driver; tests give a stub.
    allocate : callable, optional
        bytes -> pinned host array of uint8; CuPy's pinned memory by default.
    """

    name = "staged"

    def __init__(
        self, communicator: Any, driver: str = "libcuda.so.1", allocate: Any = None
    ) -> None:
        self._mpi = MpiTransport(communicator)
        self._allocate = allocate or _pinned
        self._host: dict[str, Any] = {}
        try:
            library = ctypes.CDLL(driver)
        except OSError as error:
            raise TransportError(
                f"staged: found no CUDA driver ({error}), expected {driver}; use --memory host"
            ) from error
        self._to_host = _address(library.cuMemcpyDtoH_v2)
        self._to_device = _address(library.cuMemcpyHtoD_v2)

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return copy down, collective, copy up; all ``timed``."""
        if case.collective == "barrier":
            return self._mpi.operation(case, buffers)
        size = case.message_bytes
        receive = self._staging("receive", case)
        in_place = buffers.send is buffers.receive
        send = receive if in_place else self._staging("send", case)
        down = Step(self._to_host, (pointer_of(send), pointer_of(buffers.send), size), "timed")
        up = Step(
            self._to_device, (pointer_of(buffers.receive), pointer_of(receive), size), "timed"
        )
        return (down, *self._mpi.operation(case, Buffers(send, receive)), up)

    def describe(self, code: int) -> str:
        """Return a text for an error code of MPI or the driver."""
        return f"CUDA driver or MPI error {code}"

    def _staging(self, name: str, case: Case) -> Any:
        held = self._host.get(name)
        if held is None or held.nbytes < case.message_bytes:
            held = self._host[name] = self._allocate(case.message_bytes)
        return held[: case.message_bytes].view(case.dtype)


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _pinned(size_bytes: int) -> Any:
    import cupyx

    return cupyx.empty_pinned(size_bytes, "u1")
