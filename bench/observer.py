"""Observer: looks at nodes and devices before and after each case, never in between.

One rank per node reads the counters of its network, the first rank on a GPU the GPU. Ranks that
have nothing to read do nothing but take part in one gather per case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .counters import Counters, rises
from .observation import Observation, Reading

if TYPE_CHECKING:
    from .environment import Location
    from .nvml import Monitor

__all__ = ["Observer", "open_observer"]


def open_observer(communicator: Any, location: Location, monitor: Monitor | None) -> Observer:
    """Return what this rank looks at, so that every node and every GPU has one that does."""
    rank = communicator.rank
    uuid = location.gpu[rank]
    return Observer(
        communicator,
        location.host[rank],
        Counters() if location.local_rank[rank] == 0 else None,
        monitor if location.gpu.index(uuid) == rank else None,
        uuid,
    )


class Observer:
    """What one rank looks at.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    host : name of this rank's node
    counters : of the node, on one rank of it; None on the others
    monitor : of the GPU, on one rank that uses it; None on the others
    uuid : of that GPU
    """

    def __init__(
        self,
        communicator: Any,
        host: str,
        counters: Counters | None,
        monitor: Monitor | None,
        uuid: str = "",
    ) -> None:
        self._communicator, self._host, self._uuid = communicator, host, uuid
        self._counters, self._monitor = counters, monitor
        self._before: dict[str, int] = {}
        self._reading: Reading | None = None

    def begin(self) -> None:
        """Look before a case."""
        if self._counters is not None:
            self._before = self._counters.read()
        if self._monitor is not None:
            self._reading = self._monitor.reading()

    def end(self) -> Observation | None:
        """Look after a case; collective. None on other ranks than 0, or if there was nothing."""
        rose: dict[str, int] = {}
        pair: tuple[Reading, Reading] | None = None
        if self._counters is not None:
            rose = rises(self._before, self._counters.read())
        if self._monitor is not None and self._reading is not None:
            pair = self._reading, self._monitor.reading()
        gathered: list[Any] | None = self._communicator.gather((self._host, rose, self._uuid, pair))
        if gathered is None:
            return None
        counters = {host: found for host, found, _, _ in gathered if found}
        devices = {uuid: found for _, _, uuid, found in gathered if found is not None}
        if not counters and not devices:
            return None
        return Observation(counters=counters, devices=devices)
