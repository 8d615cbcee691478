"""Algorithms by name over MPI: each move of a schedule becomes a step on point-to-point functions.

    one send and one receive at the same time     MPI_Sendrecv
    one of them                                   MPI_Send, MPI_Recv
    several                                       MPI_Irecv ..., MPI_Isend ..., MPI_Waitall
    reduce                                        MPI_Reduce_local
    copy                                          memcpy

Messages of one pair of ranks keep their order, so one tag serves all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...native import Step
from ..algorithms import schedule
from ..algorithms.schedule import INPUT, RESULT, SCRATCH, Copy, Exchange, Reduce
from ..buffers import pointer_of
from ..mpi import handle_of, load_mpi, needed_address
from .memcpy import host_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..algorithms.schedule import Move, Range
    from ..buffers import Buffers
    from ..case import Case

__all__ = ["PointToPoint", "node_numbers"]

_INT_MAX = 2**31 - 1  # the classic functions' counts are C ints
_TAG = 0


class PointToPoint:
    """Named algorithms on an mpi4py communicator.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    hosts : sequence of str
        Host of every rank; empty where all share one.
    """

    def __init__(self, communicator: Any, hosts: Sequence[str]) -> None:
        mpi = load_mpi()
        self._communicator = communicator
        self._nodes = node_numbers(hosts)
        most = 2 * communicator.size  # a send to and a receive from everybody
        self._requests = np.zeros((most, mpi._sizeof(mpi.Request)), np.uint8)
        self._statuses = np.zeros((most, mpi._sizeof(mpi.Status)), np.uint8)

    def operation(
        self, case: Case, buffers: Buffers, datatype: Any, operation: int
    ) -> tuple[Step, ...]:
        """Return the steps of one operation.

        Parameters
        ----------
        case, buffers
            Of an algorithm other than native; with scratch.
        datatype : mpi4py.MPI.Datatype
            Of one element.
        operation : int
            Handle of the reduction.

        Raises
        ------
        CaseError
            If the collective has no such algorithm.
        TransportError
            If this MPI has no function for as many elements.
        """
        moves = schedule(
            case.collective,
            case.algorithm,
            rank=self._communicator.rank,
            ranks=self._communicator.size,
            elements=case.elements,
            in_place=buffers.in_place,
            nodes=self._nodes,
        )
        words = _Words(case, buffers, handle_of(datatype))
        return tuple(step for move in moves for step in self._lowered(move, words, operation))

    def _lowered(self, move: Move, words: _Words, operation: int) -> Iterator[Step]:
        if isinstance(move, Copy):
            size = move.source.count * words.element_bytes
            yield host_copy(words.address(move.target), words.address(move.source), size)
        elif isinstance(move, Reduce):
            reduced = (words.address(move.source), *words.message(move.target), operation)
            yield Step(_sized("MPI_Reduce_local", move.target), reduced, "timed")
        else:
            yield from self._exchange(move, words)

    def _exchange(self, move: Exchange, words: _Words) -> Iterator[Step]:
        comm, status = handle_of(self._communicator), self._statuses.ctypes.data
        if len(move.sends) > 1 or len(move.receives) > 1:
            yield from self._together(move, words, comm)
            return
        sent = [(*words.message(part), peer, _TAG) for peer, part in move.sends]
        received = [(*words.message(part), peer, _TAG) for peer, part in move.receives]
        if sent and received:
            function = _sized("MPI_Sendrecv", move.sends[0][1], move.receives[0][1])
            yield Step(function, (*sent[0], *received[0], comm, status), "timed")
        elif sent:
            yield Step(_sized("MPI_Send", move.sends[0][1]), (*sent[0], comm), "timed")
        else:
            function = _sized("MPI_Recv", move.receives[0][1])
            yield Step(function, (*received[0], comm, status), "timed")

    def _together(self, move: Exchange, words: _Words, comm: int) -> Iterator[Step]:
        first, each = self._requests.ctypes.data, self._requests.shape[1]
        posted = [("MPI_Irecv", *part) for part in move.receives]
        posted += [("MPI_Isend", *part) for part in move.sends]
        for number, (name, peer, part) in enumerate(posted):
            arguments = (*words.message(part), peer, _TAG, comm, first + number * each)
            yield Step(_sized(name, part), arguments, "timed")
        wait = len(posted), first, self._statuses.ctypes.data
        yield Step(needed_address("MPI_Waitall"), wait, "timed")


class _Words:
    """Addresses and arguments of one case's ranges."""

    def __init__(self, case: Case, buffers: Buffers, datatype: int) -> None:
        self.element_bytes = case.element_bytes
        self._datatype = datatype
        self._bases = {
            INPUT: pointer_of(buffers.send),
            RESULT: pointer_of(buffers.receive),
            SCRATCH: pointer_of(buffers.scratch),
        }

    def address(self, part: Range) -> int:
        return self._bases[part.region] + part.first * self.element_bytes

    def message(self, part: Range) -> tuple[int, int, int]:
        return self.address(part), part.count, self._datatype


def node_numbers(hosts: Sequence[str]) -> tuple[int, ...]:
    """Return the number of each rank's host, in order of first appearance.

    >>> node_numbers(["b", "a", "b"])
    (0, 1, 0)
    """
    numbers = {host: i for i, host in enumerate(dict.fromkeys(hosts))}
    return tuple(numbers[host] for host in hosts)


def _sized(name: str, *parts: Range) -> int:
    """The function's address, that of its large-count form where a count needs it."""
    large = any(part.count > _INT_MAX for part in parts)
    return needed_address(f"{name}_c" if large else name)
