"""Host-staged MPI: device to pinned host memory, the collective there, and back; all in the time.

The copies are the CUDA driver's synchronous ones, ``cuMemcpyDtoH_v2(host, device, bytes)`` and
``cuMemcpyHtoD_v2(device, host, bytes)``: when they return, the data is there.

In chunks, where results depend on their own elements only (all_reduce, broadcast, send_recv), the
three overlap: all copies down are queued on one stream; as soon as a chunk has arrived MPI works on
it, and its copy up is queued on another stream while the next one is reduced or sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...native import Step
from ..algorithms import NATIVE
from ..buffers import Buffers, pointer_of
from ..driver import Driver, open_driver
from .mpi import MpiTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..case import Case

__all__ = ["StagedTransport"]

_BY_ELEMENT = {"all_reduce", "broadcast", "send_recv"}  # a chunk's result is that of its elements
_COPIES = (
    "cuMemcpyDtoH_v2",
    "cuMemcpyHtoD_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuStreamSynchronize",
)


class StagedTransport:
    """MPI on host copies of device buffers.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    driver : Driver, optional
        The CUDA driver; tests give a stub's.
    hosts : sequence of str
        As `MpiTransport` takes them.
    chunk_bytes : int
        Size of a chunk; 0 copies whole messages.
    """

    name = "staged"

    def __init__(
        self,
        communicator: Any,
        driver: Driver | None = None,
        hosts: Sequence[str] = (),
        chunk_bytes: int = 0,
    ) -> None:
        self._mpi = MpiTransport(communicator, hosts)
        self._driver = driver or open_driver()
        self._host: dict[str, Any] = {}
        self._chunk_bytes = chunk_bytes
        self._down = self._up = 0
        if chunk_bytes:
            self._down, self._up = self._driver.create_stream(), self._driver.create_stream()
        self._events: list[int] = []

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return copy down, collective, copy up; all ``timed``."""
        if case.collective == "barrier":
            return self._mpi.operation(case, buffers)
        host = self._staging(case, buffers)
        ordinary = case.algorithm == NATIVE and case.collective in _BY_ELEMENT
        if 0 < self._chunk_bytes < case.message_bytes and ordinary:
            return self._pipeline(case, buffers, host)
        down = (pointer_of(host.send), pointer_of(buffers.send), buffers.send.nbytes)
        up = (pointer_of(buffers.receive), pointer_of(host.receive), buffers.receive.nbytes)
        return (
            self._step("cuMemcpyDtoH_v2", down),
            *self._mpi.operation(case, host),
            self._step("cuMemcpyHtoD_v2", up),
        )

    def describe(self, code: int, function: int = 0) -> str:
        """Return a text for an error code of MPI or the driver."""
        ours = {self._driver.address(name) for name in _COPIES}
        return self._driver.describe(code) if function in ours else self._mpi.describe(code)

    def close(self) -> None:
        """Free the streams and events of chunks."""
        for stream in filter(None, (self._down, self._up)):
            self._driver.destroy_stream(stream)
        for event in self._events:
            self._driver.destroy_event(event)
        self._down = self._up = 0
        self._events = []

    def _pipeline(self, case: Case, buffers: Buffers, host: Buffers) -> tuple[Step, ...]:
        """The steps of one operation in chunks."""
        size = max(self._chunk_bytes // case.element_bytes, 1)
        pieces = [slice(first, first + size) for first in range(0, case.elements, size)]
        while len(self._events) < len(pieces):
            self._events.append(self._driver.create_event())
        down, work = [], []
        for piece, event in zip(pieces, self._events, strict=False):
            near = Buffers(host.send[piece], host.receive[piece], host.in_place)
            far = Buffers(buffers.send[piece], buffers.receive[piece], buffers.in_place)
            part = replace(case, message_bytes=near.send.nbytes)
            words = pointer_of(near.send), pointer_of(far.send), near.send.nbytes, self._down
            down += [
                self._step("cuMemcpyDtoHAsync_v2", words),
                self._step("cuEventRecord", (event, self._down)),
            ]
            words = pointer_of(far.receive), pointer_of(near.receive), near.receive.nbytes, self._up
            work += [
                self._step("cuEventSynchronize", (event,)),
                *self._mpi.operation(part, near),
                self._step("cuMemcpyHtoDAsync_v2", words),
            ]
        return (*down, *work, self._step("cuStreamSynchronize", (self._up,)))

    def _step(self, function: str, words: tuple[int, ...]) -> Step:
        return Step(self._driver.address(function), words, "timed")

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
