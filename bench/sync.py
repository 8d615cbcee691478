"""How ranks start a sample: the group ``before`` of a plan.

``barrier`` is an MPI_Barrier, whose exit skew would be charged to the operation unless local_max is
used; ``window`` spins until an agreed time of the common clock; ``none`` does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import BUILTINS, Step, monotonic_ns
from .errors import TransportError
from .transports.mpi import barrier_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .protocol import Protocol

__all__ = ["start_steps", "window_ns"]

_MARGIN_NS = 2_000_000  # for the agreement to reach every rank before the first window opens
_WIDTH_FACTOR = 2.0  # of the slowest typical operation: a late rank still finds the next window
_WIDTH_EXTRA_NS = 5_000


def start_steps(
    protocol: Protocol, communicator: Any, samples: int, width_ns: int
) -> tuple[Step, ...]:
    """Return the steps that start each of `samples` samples. Collective over the communicator."""
    if protocol.synchronisation == "barrier":
        return (barrier_step(communicator),)
    if protocol.synchronisation == "window":
        first_ns = communicator.bcast(monotonic_ns() + _MARGIN_NS)
        table = first_ns + width_ns * np.arange(samples, dtype=np.int64).reshape(-1, 1)
        return (Step(BUILTINS["spin_until"], (0,), "before", table=table),)
    return ()


def window_ns(durations_ns: NDArray[np.int64], communicator: Any, hosts: int) -> int:
    """Return the window's width from the warm-up's durations on all ranks, in nanoseconds.

    Raises
    ------
    TransportError
        If the ranks share no clock.
    """
    if hosts > 1:
        raise TransportError(
            f"sync: found {hosts} hosts for --sync window, expected 1 (ranks of one host share a "
            "clock); use --sync barrier"
        )
    slowest = max(communicator.allgather(float(np.percentile(durations_ns, 90))))
    return int(_WIDTH_FACTOR * slowest) + _WIDTH_EXTRA_NS
