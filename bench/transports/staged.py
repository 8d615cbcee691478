"""Host-staged MPI: device to pinned host memory, the collective there, and back; all in the time.

The copies are the CUDA driver's synchronous ones, ``cuMemcpyDtoH_v2(host, device, bytes)`` and
``cuMemcpyHtoD_v2(device, host, bytes)``: when they return, the data is there. ``copy`` is the two
of them with nothing in between.

In chunks the three overlap: all copies down are queued on one stream; as soon as a chunk has
arrived MPI works on it, and its copy up is queued on another stream while the next one is reduced
or sent. A chunk of a message that consists of a block per rank is the same part of every block,
which one two-dimensional copy gathers, and another one spreads:

    device, pitch = block      | a0 a1 a2 | b0 b1 b2 |        host, chunk 1        | a1 | b1 |

all_to_allv, whose blocks differ in length, is copied whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...native import Step
from ..algorithms import NATIVE
from ..buffers import Buffers, lay_out, pointer_of
from ..collectives import TABLE, region_bytes
from ..driver import Driver, open_driver
from ..errors import TransportError
from .mpi import MpiTransport
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..case import Case

__all__ = ["StagedTransport"]

_COPIES = (
    "cuMemcpyDtoH_v2",
    "cuMemcpyHtoD_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpy2DAsync_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuStreamSynchronize",
)
_HOST, _DEVICE = 1, 2  # CU_MEMORYTYPE_*
_MOST_PITCH = 2**31 - 1  # CU_DEVICE_ATTRIBUTE_MAX_PITCH of every GPU so far


@dataclass(frozen=True, slots=True)
class _Piece:
    """The same part of every block of a buffer on the device, and where it lies on the host."""

    device: int
    host: int
    width_bytes: int
    pitch_bytes: int
    rows: int


class StagedTransport(Transport):
    """MPI on host copies of device buffers.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    driver : Driver, optional
        The CUDA driver; tests give a stub's.
    hosts : sequence of str
        As `MpiTransport` takes them.
    chunk_bytes : int
        Size of a chunk, part of the message; 0 copies whole messages.
    """

    name = "staged"

    def __init__(
        self,
        communicator: Any,
        driver: Driver | None = None,
        hosts: Sequence[str] = (),
        chunk_bytes: int = 0,
    ) -> None:
        self._rank, self._ranks = communicator.rank, communicator.size
        self._mpi = MpiTransport(communicator, hosts)
        self._driver = driver or open_driver()
        self._host: dict[str, Any] = {}
        self._chunk_bytes = chunk_bytes
        self._down = self._up = 0
        if chunk_bytes:
            self._down, self._up = self._driver.create_stream(), self._driver.create_stream()
        self._events: list[int] = []
        self._described: list[Any] = []  # two-dimensional copies; they must outlive their plans

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return copy down, collective, copy up; all ``timed``.

        Raises
        ------
        TransportError
            If MPI has no such operation, or a chunk's copies would skip too much at once.
        """
        if case.collective == "barrier":
            return self._mpi.operation(case, buffers)
        if 0 < self._chunk_bytes < case.message_bytes and case.collective != "all_to_allv":
            return self._pipeline(case, buffers)
        host = self._staging(case)
        down = (pointer_of(host.send), pointer_of(buffers.send), buffers.send.nbytes)
        up = (pointer_of(buffers.receive), pointer_of(host.receive), buffers.receive.nbytes)
        return (
            self._step("cuMemcpyDtoH_v2", down),
            *self._between(case, host),
            self._step("cuMemcpyHtoD_v2", up),
        )

    def describe(self, code: int, function: int = 0) -> str:
        """Return a text for an error code of MPI or the driver."""
        ours = {self._driver.address(name) for name in _COPIES}
        known = function in ours
        return self._driver.describe(code, function) if known else self._mpi.describe(code)

    def close(self) -> None:
        """Free the streams and events of chunks."""
        for stream in filter(None, (self._down, self._up)):
            self._driver.destroy_stream(stream)
        for event in self._events:
            self._driver.destroy_event(event)
        self._down = self._up = 0
        self._events = []

    def _pipeline(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """The steps of one operation in chunks."""
        collective, size = TABLE[case.collective], case.element_bytes
        blocks = self._ranks if collective.blocks else 1
        block = case.elements // blocks
        width = max(self._chunk_bytes // (blocks * size), 1)
        firsts = range(0, block, width)
        while len(self._events) < len(firsts):
            self._events.append(self._driver.create_event())
        down, work = [], []
        for first, event in zip(firsts, self._events, strict=False):
            count = min(width, block - first)
            part = replace(case, message_bytes=blocks * count * size)
            near = self._staging(part, case, blocks * first * size)
            shape = count * size, block * size
            sent = _Piece(
                pointer_of(buffers.send) + first * size, pointer_of(near.send), *shape,
                rows=1 if collective.sends_block else blocks,
            )  # fmt: skip
            received = _Piece(
                pointer_of(buffers.receive) + first * size, pointer_of(near.receive), *shape,
                rows=1 if collective.receives_block else blocks,
            )  # fmt: skip
            down += [self._fetch(sent), self._step("cuEventRecord", (event, self._down))]
            work += [
                self._step("cuEventSynchronize", (event,)),
                *self._between(part, near),
                self._put(received),
            ]
        return (*down, *work, self._step("cuStreamSynchronize", (self._up,)))

    def _between(self, case: Case, host: Buffers) -> tuple[Step, ...]:
        """What is done on the host."""
        return () if case.collective == "copy" else self._mpi.operation(case, host)

    def _fetch(self, piece: _Piece) -> Step:
        """The step that queues a copy to the host."""
        if piece.rows > 1:
            source, target = (_DEVICE, 0, piece.device, piece.pitch_bytes), (_HOST, piece.host, 0)
            return self._spread(piece, source, (*target, piece.width_bytes), self._down)
        words = piece.host, piece.device, piece.width_bytes, self._down
        return self._step("cuMemcpyDtoHAsync_v2", words)

    def _put(self, piece: _Piece) -> Step:
        """The step that queues a copy to the device."""
        if piece.rows > 1:
            source, target = (_HOST, piece.host, 0), (_DEVICE, 0, piece.device, piece.pitch_bytes)
            return self._spread(piece, (*source, piece.width_bytes), target, self._up)
        words = piece.device, piece.host, piece.width_bytes, self._up
        return self._step("cuMemcpyHtoDAsync_v2", words)

    def _spread(
        self, piece: _Piece, source: tuple[int, ...], target: tuple[int, ...], stream: int
    ) -> Step:
        """A copy of several rows: each side is a memory type, host, device address, and pitch."""
        if piece.pitch_bytes > _MOST_PITCH:
            raise TransportError(
                f"staging-chunk: found blocks of {piece.pitch_bytes} B, expected at most "
                f"{_MOST_PITCH}, the farthest that one copy skips; use smaller --sizes or no chunks"
            )
        words: list[int] = []  # CUDA_MEMCPY2D_v2: both sides, then width and height
        for kind, host, device, pitch in (source, target):
            words += [0, 0, kind, host, device, 0, pitch]
        described = np.array([*words, piece.width_bytes, piece.rows], np.uint64)
        self._described.append(described)
        return self._step("cuMemcpy2DAsync_v2", (described.ctypes.data, stream))

    def _step(self, function: str, words: tuple[int, ...]) -> Step:
        return Step(self._driver.address(function), words, "timed")

    def _staging(self, part: Case, case: Case | None = None, offset_bytes: int = 0) -> Buffers:
        """Host arrays of a part of a case, that lie to each other as the device's do."""
        size = region_bytes(case or part, self._ranks)
        first, second = (self._region(name, size)[offset_bytes:] for name in ("send", "receive"))
        if part.collective == "copy":
            second = first
        scratch = None
        if part.algorithm != NATIVE:
            scratch = self._region("scratch", size)[offset_bytes:]
        return lay_out(part, self._rank, self._ranks, (first, second), scratch)

    def _region(self, name: str, size_bytes: int) -> Any:
        held = self._host.get(name)
        if held is None or held.nbytes < size_bytes:
            held = self._host[name] = self._driver.pinned(size_bytes)
        return held
