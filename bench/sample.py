"""Sample, Measurement and Campaign: what came out.

Raw stamps of all ranks are kept; every summary is derived from them. Three statistics of one
repetition are told apart (s = start, e = stop, r runs over the ranks):

    local_max           max_r (e_r - s_r)           needs no common clock
    makespan            max_r e_r - min_r s_r       needs a common clock
    after_last_arrival  max_r e_r - max_r s_r       needs a common clock

and a fourth by the devices' own timers (d = time between two events on the stream of a rank):

    device              max_r d_r
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import CaseError
from .protocol import STATISTICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .case import Case
    from .environment import Environment, Location
    from .imported import ImportedTable
    from .observation import Observation
    from .protocol import Protocol

__all__ = [
    "DEFAULT_STATISTIC",
    "LABELS",
    "STATISTICS",
    "Campaign",
    "Launch",
    "Measurement",
    "Sample",
    "default_statistic",
]


DEFAULT_STATISTIC = {"barrier": "local_max", "window": "makespan", "none": "local_max"}
"""Statistic by start synchronisation: a barrier's exit skew is not the operation's."""


def default_statistic(protocol: Protocol) -> str:
    """Return the statistic of a protocol: waiting for ranks that are late on purpose is none."""
    if protocol.skew:
        return "after_last_arrival"
    if protocol.metric == "device":
        return "device"
    return DEFAULT_STATISTIC[protocol.synchronisation]


LABELS = {
    "copy": "a copy inside one memory, no communication: one rank, or the operation of that name",
    "loaded": "other ranks of the launch loaded the network meanwhile",
    "oversubscribed": "more ranks than cores, sleeping ones included",
    "ranks_per_gpu": "several ranks on one GPU",
    "skew": "ranks late on purpose",
    "pair_rounds": "other pairs of ranks at the same time",
    "stub": "a stub in place of the GPU and its libraries: no figure of NCCL or CUDA",
}
"""Conditions under which a measurement enters no fit by default, with their meaning."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Stamps of one case on all ranks, in nanoseconds of the recorded clock."""

    start_ns: NDArray[np.int64]
    """Shape (repetition, rank): just before the operation was called."""

    stop_ns: NDArray[np.int64]
    """Shape (repetition, rank): when it was complete on that rank."""

    batch: int = 1
    """Operations between the two stamps; messages, two a round trip, for ping_pong."""

    device_ns: NDArray[np.int64] | None = None
    """Shape (repetition, rank): time between two events on the device's stream that enclose the
    operations; None where there is no such stream."""

    def __post_init__(self) -> None:
        arrays = {"start_ns": self.start_ns, "stop_ns": self.stop_ns}
        if self.device_ns is not None:
            arrays["device_ns"] = self.device_ns
        for name, array in arrays.items():
            if array.ndim != 2 or array.dtype != np.int64:
                raise CaseError(
                    f"sample.{name}: found {array.dtype} {array.shape}, "
                    "expected int64 (repetition, rank)"
                )
            if array.shape != self.start_ns.shape:
                raise CaseError(
                    f"sample.{name}: found shape {array.shape}, expected {self.start_ns.shape}"
                )
        if self.batch < 1:
            raise CaseError(f"sample.batch: found {self.batch}, expected at least 1")

    @property
    def repetitions(self) -> int:
        """Number of repetitions."""
        return int(self.start_ns.shape[0])

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return int(self.start_ns.shape[1])

    def of_ranks(self, ranks: slice) -> Sample:
        """Return the stamps of some of the ranks; the arrays are shared."""
        return Sample(
            start_ns=self.start_ns[:, ranks],
            stop_ns=self.stop_ns[:, ranks],
            batch=self.batch,
            device_ns=None if self.device_ns is None else self.device_ns[:, ranks],
        )

    def local_s(self) -> NDArray[np.float64]:
        """Duration of one operation on each rank, in seconds; shape (repetition, rank)."""
        return np.asarray((self.stop_ns - self.start_ns) * (1e-9 / self.batch), np.float64)

    def seconds(self, statistic: str) -> NDArray[np.float64]:
        """Time of one operation by a named statistic, in seconds; shape (repetition,).

        Raises
        ------
        CaseError
            If the statistic is not one of `STATISTICS`, or the device's times were not taken.
        """
        if statistic == "device" and self.device_ns is None:
            raise CaseError("statistic: found device, expected another: no device took these times")
        if statistic == "device" and self.device_ns is not None:
            longest_ns = self.device_ns.max(axis=1)
        elif statistic == "local_max":
            longest_ns = (self.stop_ns - self.start_ns).max(axis=1)
        elif statistic == "makespan":
            longest_ns = self.stop_ns.max(axis=1) - self.start_ns.min(axis=1)
        elif statistic == "after_last_arrival":
            longest_ns = self.stop_ns.max(axis=1) - self.start_ns.max(axis=1)
        else:
            raise CaseError(
                f"statistic: found {statistic!r}, expected one of {', '.join(STATISTICS)}"
            )
        return np.asarray(longest_ns * (1e-9 / self.batch), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """One case, measured by one launch on one number of ranks."""

    case: Case
    sample: Sample
    warmup: Sample
    """The samples before, same ranks; may have 0 repetitions."""

    verified: Sample | None = None
    """Operations between the timed ones whose results were checked: they and the samples are apart,
    because the check disturbs caches; None where none was."""

    observed: Observation | None = None
    """What nodes and devices said before and after; None where nothing could be asked."""

    launch: int
    """Number of the launch within the campaign."""

    wrong: int | None
    """Wrong elements over all ranks and checks; None where nothing was checked."""

    first_wrong: int | None = None
    """Index of the first wrong element in the receive buffer of `first_wrong_rank`; None: none."""

    first_wrong_rank: int | None = None
    """The lowest rank, of the launch, that found a wrong element."""

    largest_ulps: float | None = None
    """Largest error of any element, in units of the last place; plain difference of integers;
    None: every bit was right."""

    busiest_bytes: int | None = None
    """The most bytes that any rank sent to, or received from, the others; None where that follows
    from collective and ranks."""

    labels: tuple[str, ...] = ()
    """Keys of `LABELS` that hold."""

    suspect: str = ""
    """Why the figure cannot be believed: ``physics``, faster than any link; ``late``, every sample
    began after its window; empty if it can."""

    failure: str = ""
    """Why the case could not be measured; its samples are empty then."""

    stopped_by: str = "fixed"
    """Why sampling ended, within this launch: ``fixed``, ``precision``, ``time``, ``samples``, or
    ``windows`` where too many came too late."""

    missed_windows: int = 0
    """Samples dropped because a rank came too late for their window."""

    clock_error_ns: float = 0.0
    """Bound on the difference of two ranks' stamps of one instant; 0 for ranks of one host."""

    group: int = 0
    """Number of its group among those that measured at once: of the ranks of the launch, its own
    begin with group x ranks."""

    load_bytes_per_s: float = 0.0
    """What all ranks that loaded the network sent meanwhile; 0 where none did."""

    def __post_init__(self) -> None:
        if self.case.peer >= 0 and self.ranks != 2:
            raise CaseError(
                f"measurement.sample: found {self.ranks} ranks in {self.case.collective}, "
                "expected 2"
            )

    @property
    def ranks(self) -> int:
        """Number of ranks that took part."""
        return self.sample.ranks

    @property
    def members(self) -> tuple[int, ...]:
        """Which ranks of the launch took part, in the order of the sample's columns."""
        pair = (self.case.root, self.case.peer)
        first = self.group * self.ranks
        return pair if self.case.peer >= 0 else tuple(range(first, first + self.ranks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of the program on a set of ranks."""

    number: int
    protocol: Protocol
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign:
    """Everything one file holds."""

    launches: tuple[Launch, ...]
    measurements: tuple[Measurement, ...]
    failed: tuple[Measurement, ...] = ()
    """Cases that could not be measured, each with its `failure`."""

    imported: tuple[ImportedTable, ...] = ()
    """Figures of other programs, one table per log."""

    def launch_of(self, measurement: Measurement) -> Launch:
        """Return the launch that a measurement belongs to."""
        for launch in self.launches:
            if launch.number == measurement.launch:
                return launch
        raise CaseError(
            f"measurement.launch: found {measurement.launch}, expected one of "
            f"{', '.join(str(launch.number) for launch in self.launches)}"
        )

    def location_of(self, measurement: Measurement) -> Location:
        """Return where the ranks of a measurement were, one entry per rank."""
        return self.launch_of(measurement).environment.location.of(measurement.members)
