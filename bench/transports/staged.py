"""Host-staged MPI: device to pinned host memory, the collective there, and back; all in the time.

The copies are the CUDA driver's synchronous ones, ``cuMemcpyDtoH_v2(host, device, bytes)`` and
``cuMemcpyHtoD_v2(device, host, bytes)``: when they return, the data is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...native import Step
from ..buffers import Buffers, pointer_of
from ..driver import Driver, open_driver
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
    driver : Driver, optional
        The CUDA driver; tests give a stub's.
    hosts : sequence of str
        As `MpiTransport` takes them.
    """

    name = "staged"

    def __init__(
        self, communicator: Any, driver: Driver | None = None, hosts: Sequence[str] = ()
    ) -> None:
        self._mpi = MpiTransport(communicator, hosts)
        self._driver = driver or open_driver()
        self._host: dict[str, Any] = {}
        self._to_host = self._driver.address("cuMemcpyDtoH_v2")
        self._to_device = self._driver.address("cuMemcpyHtoD_v2")

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

    def describe(self, code: int, function: int = 0) -> str:
        """Return a text for an error code of MPI or the driver."""
        ours = function in {self._to_host, self._to_device}
        return self._driver.describe(code) if ours else self._mpi.describe(code)

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
            held = self._host[name] = self._driver.pinned(size_bytes)
        return held
