"""Messages between two ranks as steps: ping-pong, and windows of messages one way or both.

The communicator has two ranks: 0 begins, 1 is its peer.

    ping_pong       0 sends and receives, 1 receives and sends: a round trip
    unidirectional  0 starts k sends, 1 as many receives; both wait for all, then 1 acknowledges
    bidirectional   both start k receives and k sends and wait for all

k is the protocol's batch: the window of osu_bw and osu_bibw. As there, all messages of a window
share one buffer on each side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...native import Step
from ..buffers import pointer_of
from ..errors import TransportError
from ..mpi import handle_of, load_mpi, needed_address
from .mpi import MpiTransport

if TYPE_CHECKING:
    from ..buffers import Buffers
    from ..case import Case

__all__ = ["PairTransport", "open_pair"]

_DATA, _ACKNOWLEDGEMENT = 0, 1  # tags


def open_pair(name: str, communicator: Any, batch: int) -> PairTransport:
    """Return the transport of a communicator of two ranks.

    Raises
    ------
    TransportError
        If messages between two ranks do not go this way.
    """
    if name != "mpi":
        raise TransportError(f"transport: found {name} between two ranks, expected mpi")
    return PairTransport(communicator, batch)


class PairTransport(MpiTransport):
    """Point-to-point operations on a communicator of two ranks."""

    def __init__(self, communicator: Any, batch: int) -> None:
        super().__init__(communicator)
        mpi = load_mpi()
        self._batch = batch
        null = np.array([handle_of(mpi.REQUEST_NULL)], np.int64)
        width = mpi._sizeof(mpi.Request)  # a pointer in Open MPI, an int in MPICH; little-endian
        one = null.view(np.uint8)[:width]
        self._requests = np.tile(one, 2 * batch).reshape(2 * batch, width)
        self._statuses = np.zeros(2 * batch * mpi._sizeof(mpi.Status), np.uint8)
        self._signal = np.zeros(1, np.uint8)

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps of one operation on this rank."""
        if case.collective == "ping_pong":
            send, receive = (
                self._blocking("Send", case, buffers),
                self._blocking("Recv", case, buffers),
            )
            return (send, receive) if self._first else (receive, send)
        if case.collective == "bidirectional":
            return (
                self._window("Irecv", case, buffers, 0),
                self._window("Isend", case, buffers, self._batch),
                self._wait(2 * self._batch),
            )
        started = self._window("Isend" if self._first else "Irecv", case, buffers, 0)
        return (started, self._wait(self._batch), self._acknowledge())

    @property
    def _first(self) -> bool:
        return int(self._communicator.rank) == 0

    @property
    def _other(self) -> int:
        return 1 - int(self._communicator.rank)

    def _message(self, name: str, case: Case, buffers: Buffers) -> tuple[int, tuple[int, ...]]:
        """A function and its arguments up to the communicator."""
        function, count, datatype = self._counted(f"MPI_{name}", case)
        array = buffers.send if name.endswith("end") else buffers.receive
        words = (pointer_of(array), count, handle_of(datatype), self._other, _DATA)
        return function, (*words, handle_of(self._communicator))

    def _blocking(self, name: str, case: Case, buffers: Buffers) -> Step:
        function, words = self._message(name, case, buffers)
        status = (self._status.ctypes.data,) if name == "Recv" else ()
        return Step(function, (*words, *status), "timed")

    def _window(self, name: str, case: Case, buffers: Buffers, first: int) -> Step:
        """Start one message of a batch; each has a request of its own."""
        function, words = self._message(name, case, buffers)
        requests = self._requests[first : first + self._batch]
        rows = [(*words, request.ctypes.data) for request in requests]
        table = np.array(rows, np.uint64).view(np.int64)  # MPICH's handles fill 64 unsigned bits
        return Step(function, tuple(int(word) for word in table[0]), "timed", table=table)

    def _wait(self, requests: int) -> Step:
        words = (requests, self._requests.ctypes.data, self._statuses.ctypes.data)
        return Step(needed_address("MPI_Waitall"), words, "complete")

    def _acknowledge(self) -> Step:
        """One byte back: the first rank's clock stops when the last message has arrived."""
        byte = handle_of(load_mpi().UINT8_T)
        comm = handle_of(self._communicator)
        words = (self._signal.ctypes.data, 1, byte, self._other, _ACKNOWLEDGEMENT, comm)
        if self._first:
            status = self._status.ctypes.data
            return Step(needed_address("MPI_Recv"), (*words, status), "complete")
        return Step(needed_address("MPI_Send"), words, "complete")
