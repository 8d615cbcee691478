"""Load on the network while others measure.

Of the ranks of a launch a share, the aggressors, sends in a loop while the others, the victims,
measure: every case once quiet and once loaded. The idea, and the impact factor (loaded over quiet,
at the median and at the 99th percentile), are those of GPCNeT (Chunduri et al., GPCNeT: designing
a benchmark suite for inducing and measuring contention in HPC networks, SC19); the patterns are

    incast        all but the first send to the first at once
    all_to_all    every one sends to every one
    permutation   every one sends to one other, along a cycle drawn from a fixed seed

in bursts of some milliseconds through the same C loop that measures. Between two bursts the
aggressors look, without waiting, whether all victims have come to the end of the case.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import Step, StepError, monotonic_ns, run
from .board import IDLE, LOADING
from .errors import MeasurementError
from .groups import wait_quietly
from .mpi import handle_of, load_mpi, needed_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .board import Board

__all__ = ["Load", "load_network"]

_MESSAGE_BYTES = 128 << 10  # beyond every eager limit: bandwidth, not the rate of messages
_MOST_BYTES = 16 << 20  # of one buffer: with very many aggressors, messages are shorter
_BURST_NS = 5_000_000  # long against the look between two, short against a case
_TAG = 23
_SEED = 1  # of the permutation: the same in every launch


@dataclass(frozen=True, slots=True)
class Load:
    """The load as victims see it. Every method is collective over the victims."""

    launch: Any
    """Communicator of victims, then aggressors."""

    victims: int

    def begin(self, load: str) -> None:
        """Return when every aggressor has sent as a case's `load` says."""
        self._call(load)
        self.launch.Barrier()

    def end(self) -> float:
        """Stop sending; returns what all aggressors sent, in bytes/s."""
        wait_quietly(self.launch)
        return float(self.launch.bcast(None, self.victims))

    def close(self) -> None:
        """Let the aggressors go."""
        self._call("")

    def _call(self, load: str) -> None:
        wait_quietly(self.launch)
        self.launch.bcast(load, 0)


def load_network(
    launch: Any, team: Any, board: Board, guard: Callable[[], AbstractContextManager[Any]]
) -> None:
    """Load the network whenever the victims say so, and sleep in between, until they let go.

    Collective over the aggressors, with the methods of `Load` on the victims.

    Parameters
    ----------
    launch : mpi4py.MPI.Comm of victims, then aggressors
    team : mpi4py.MPI.Comm of the aggressors
    board : where this rank says what it does
    guard : context in which a rank that does not get on is noticed

    Raises
    ------
    MeasurementError
        If a call returned an error.
    """
    for number in count(1):
        board.begin(0, IDLE)
        wait_quietly(launch)
        load = launch.bcast(None, 0)
        if not load:
            return
        board.begin(number, f"{LOADING} {load}")
        pattern = load.partition(":")[0]
        with guard():
            try:
                rate = _press(launch, team, pattern, board)
            except StepError as error:
                raise MeasurementError(
                    f"load {pattern}: rank {launch.rank}, step {error.step}: "
                    f"{load_mpi().Get_error_string(error.code)}"
                ) from error
            launch.bcast(rate if team.rank == 0 else None, launch.size - team.size)


def _press(launch: Any, team: Any, pattern: str, board: Board) -> float:
    """Send bursts until all victims are done; bytes/s of all aggressors."""
    buffers = _Buffers(team.size)
    operation, sent_bytes = _PATTERNS[pattern](team, buffers)
    steps = board.around((), operation)
    sent_bytes = team.allreduce(sent_bytes)
    first = _burst(steps, 3)
    fastest_ns = team.allreduce(int((first[1] - first[0]).min()), op=load_mpi().MAX)
    per_burst = max(_BURST_NS // max(fastest_ns, 1), 1)
    launch.Barrier()
    done = launch.Ibarrier()
    began_ns, operations, over = monotonic_ns(), 0, False
    while not over:
        _burst(steps, per_burst)
        operations += per_burst
        over = team.allreduce(done.Test(), op=load_mpi().LOR)
    elapsed_ns = monotonic_ns() - began_ns
    done.Wait()
    board.rest()
    return float(sent_bytes * operations / elapsed_ns * 1e9)


def _burst(steps: tuple[Step, ...], operations: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    stamps = np.zeros((2, operations), np.int64)
    run(steps, stamps[0], stamps[1])
    return stamps


class _Buffers:
    """Memory of one aggressor: a message to, and one from, every other."""

    def __init__(self, ranks: int) -> None:
        mpi = load_mpi()
        self.message_bytes = max(min(_MESSAGE_BYTES, _MOST_BYTES // ranks), 1)
        self.send = np.zeros(ranks * self.message_bytes, np.uint8)
        self.receive = np.zeros(ranks * self.message_bytes, np.uint8)
        self.requests = np.zeros(ranks * mpi._sizeof(mpi.Request), np.uint8)
        self.statuses = np.zeros(ranks * mpi._sizeof(mpi.Status), np.uint8)


def _all_to_all(team: Any, buffers: _Buffers) -> tuple[tuple[Step, ...], int]:
    """Steps of one operation on this rank, and the bytes that it sends to others."""
    size, byte = buffers.message_bytes, handle_of(load_mpi().BYTE)
    words = (
        buffers.send.ctypes.data, size, byte, buffers.receive.ctypes.data, size, byte,
        handle_of(team),
    )  # fmt: skip
    return (Step(needed_address("MPI_Alltoall"), words, "timed"),), size * (team.size - 1)


def _permutation(team: Any, buffers: _Buffers) -> tuple[tuple[Step, ...], int]:
    cycle = random.Random(_SEED).sample(range(team.size), team.size)
    place = cycle.index(team.rank)
    following, previous = cycle[(place + 1) % team.size], cycle[place - 1]
    size, byte = buffers.message_bytes, handle_of(load_mpi().BYTE)
    words = (
        buffers.send.ctypes.data, size, byte, following, _TAG,
        buffers.receive.ctypes.data, size, byte, previous, _TAG,
        handle_of(team), buffers.statuses.ctypes.data,
    )  # fmt: skip
    return (Step(needed_address("MPI_Sendrecv"), words, "timed"),), size


def _incast(team: Any, buffers: _Buffers) -> tuple[tuple[Step, ...], int]:
    size, byte, comm = buffers.message_bytes, handle_of(load_mpi().BYTE), handle_of(team)
    if team.rank != 0:
        words = (buffers.send.ctypes.data, size, byte, 0, _TAG, comm)
        return (Step(needed_address("MPI_Send"), words, "timed"),), size
    request_bytes = buffers.requests.nbytes // team.size
    requests = buffers.requests.ctypes.data
    receives = [
        Step(
            needed_address("MPI_Irecv"),
            (
                buffers.receive.ctypes.data + source * size, size, byte, source, _TAG, comm,
                requests + (source - 1) * request_bytes,
            ),
            "timed",
        )
        for source in range(1, team.size)
    ]  # fmt: skip
    wait = (team.size - 1, requests, buffers.statuses.ctypes.data)
    return (*receives, Step(needed_address("MPI_Waitall"), wait, "timed")), 0


_PATTERNS = {"incast": _incast, "all_to_all": _all_to_all, "permutation": _permutation}
