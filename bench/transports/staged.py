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
    from collections.abc import Sequence

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
    hosts : sequence of str
        As `MpiTransport` takes them.
    """

    name = "staged"

    def __init__(
        self,
        communicator: Any,
        driver: str = "libcuda.so.1",
        allocate: Any = None,
        hosts: Sequence[str] = (),
    ) -> None:
        self._mpi = MpiTransport(communicator, hosts)
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
        host = self._staging(case, buffers)
        down = (pointer_of(host.send), pointer_of(buffers.send), buffers.send.nbytes)
        up = (pointer_of(buffers.receive), pointer_of(host.receive), buffers.receive.nbytes)
        return (
            Step(self._to_host, down, "timed"),
            *self._mpi.operation(case, host),
            Step(self._to_device, up, "timed"),
        )

    def describe(self, code: int) -> str:
        """Return a text for an error code of MPI or the driver."""
        return f"CUDA driver or MPI error {code}"

    def _staging(self, case: Case, buffers: Buffers) -> Buffers:
        """Host arrays that lie to each other as the device's do."""
        sent, received = len(buffers.send), len(buffers.receive)
        size = max(sent, received) * case.element_bytes
        held = [self._region(name, size) for name in ("send", "receive")]
        first, second = (region[:size].view(case.storage_dtype) for region in held)
        scratch = None
        if buffers.scratch is not None:
            scratch = self._region("scratch", case.message_bytes)
        if not buffers.in_place:
            return Buffers(first[:sent], second[:received], scratch=scratch)
        offset = (pointer_of(buffers.send) - pointer_of(buffers.receive)) // case.element_bytes
        return Buffers(second[offset : offset + sent], second[:received], True, scratch)

    def _region(self, name: str, size_bytes: int) -> Any:
        held = self._host.get(name)
        if held is None or held.nbytes < size_bytes:
            held = self._host[name] = self._allocate(size_bytes)
        return held


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _pinned(size_bytes: int) -> Any:
    import cupyx

    return cupyx.empty_pinned(size_bytes, "u1")
