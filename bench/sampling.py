"""Take samples of one operation until enough is known: warm up, sample in chunks, decide jointly.

Everything here happens between runs of the timed loop, never inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import monotonic_ns, run
from .mpi import load_mpi
from .sample import default_statistic
from .skew import Skew, parse_skew
from .stopping import next_target, stop_reason
from .sync import LATE_NS, agree_on_windows, delay_steps, spin_step
from .transports.mpi import barrier_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..native import Step
    from .arrangement import Arrangement
    from .board import Board
    from .checker import Checker
    from .clock import CommonClock
    from .protocol import Protocol

    # (2, samples): starts and stops on this rank; a third row holds the device's times, if any
    Stamps = NDArray[np.int64]

__all__ = ["Sampler", "Taken", "around"]

_STEADY_CHUNK = 10  # samples whose median is compared with that of the ones before
_STEADY_GAIN = 0.95  # warm-up goes on while a chunk's median is below this share of the best so far
_STEADY_S = 0.2  # and no longer than this
_CHUNK_S = 2.0  # a run of the loop ends after about this long: the clock is looked after between
_RESYNCHRONISE_NS = 5_000_000_000
_WINDOW_FACTOR = 2.0  # window over the slowest typical operation: a late rank finds the next one
_WINDOW_EXTRA_NS = 5_000
_WIDEST_NS = 1e9  # wider windows do not help a rank that is still late
_MOST_ATTEMPTS = 4  # times the samples wanted so far, before a case that misses windows is ended
_LEAST_SAMPLES = 5  # however long each takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one rank's loop stamped for one case, on the rank's own clock."""

    warmup: Stamps
    stamps: Stamps
    stopped_by: str
    missed_windows: int
    suspect: str
    since_ns: int
    """When the warm-up began."""

    verified: Stamps
    """Of the operations between the others whose results were checked."""


@dataclass(slots=True)
class Sampler:
    """Samples of one operation, the same number on every rank. All methods are collective."""

    communicator: Any
    clock: CommonClock
    protocol: Protocol
    resolution_s: float
    arrangement: Arrangement
    """What one sample runs."""

    board: Board | None = None
    """Where this rank says what it does."""

    checker: Checker | None = None
    """Verifies operations between the timed ones."""

    _verified: list[Stamps] = field(default_factory=list, init=False)
    _missed: int = field(default=0, init=False)
    _attempts: int = field(default=0, init=False)
    _pace_ns: float = field(default=0.0, init=False)
    _skew: Skew | None = field(default=None, init=False)
    _draws: np.random.Generator = field(init=False)
    _late: Stamps = field(default_factory=lambda: np.zeros((2, 0), np.int64), init=False)

    def __post_init__(self) -> None:
        self._skew = parse_skew(self.protocol.skew) if self.protocol.skew else None
        self._draws = np.random.default_rng((self.protocol.seed, self.communicator.rank))

    def take(self) -> Taken:
        """Warm up and sample until `stopping.stop_reason` says why to stop."""
        self.clock.forget()
        self.clock.synchronise()
        since_ns = monotonic_ns()
        warmup = self._warm_up()
        self._pace_ns = self._typical_ns(warmup)
        chunks: list[Stamps] = []
        times: list[NDArray[np.float64]] = []
        began_ns, done, reason = monotonic_ns(), 0, ""
        checking_ns = 0
        while not reason:
            count = min(next_target(done, self.protocol) - done, self._affordable())
            chunks.append(self._chunk(count))
            times.append(self._times_s(chunks[-1]))
            done += chunks[-1].shape[1]
            checking_ns += self._verify_some(done)
            self._look_after_clock()
            elapsed_s = (monotonic_ns() - began_ns - checking_ns) * 1e-9
            reason = self._decide(np.concatenate(times), elapsed_s)
        if done == 0:  # better late samples, marked as such, than none
            chunks.append(self._late)
        self._rest()
        self.clock.synchronise()
        return Taken(
            warmup=warmup,
            stamps=np.concatenate(chunks, axis=1),
            stopped_by=reason,
            missed_windows=self._missed,
            suspect="" if done else "late",
            since_ns=since_ns,
            verified=np.concatenate([np.zeros((2, 0), np.int64), *self._verified], axis=1),
        )

    def _verify_some(self, done: int) -> int:
        """Run and verify operations until they are the protocol's share of the samples done.

        Returns
        -------
        int
            How long that took, in nanoseconds.
        """
        wanted = math.ceil(self.protocol.verify_share * done) - len(self._verified)
        if self.checker is None or wanted <= 0:
            return 0
        began_ns = monotonic_ns()
        steps = self._around(self._barrier())
        self._rest()
        for _ in range(wanted):
            self.checker.prepare()
            self._verified.append(self._stamp(steps, 1)[:2])
            self._rest()
            self.checker.check()
        self.checker.prepare()  # what an operation that writes nothing leaves must stay wrong
        self._stamp(steps, 1)  # and the next sample finds caches as the others do
        return monotonic_ns() - began_ns

    def _affordable(self) -> int:
        """Samples of one run of the loop; it ends before the clock must be looked after."""
        limit_s = _CHUNK_S
        if self.protocol.stopping == "precision":
            limit_s = min(limit_s, self.protocol.budget_s)
        least = min(max(int(_RESYNCHRONISE_NS / self._pace_ns), 1), _LEAST_SAMPLES)
        return max(int(limit_s * 1e9 / self._pace_ns), least)

    def _decide(self, times_s: NDArray[np.float64], elapsed_s: float) -> str:
        """Why to stop, "" to go on; rank 0 decides."""
        reason = None
        if self.communicator.rank == 0:
            wanted = next_target(max(len(times_s) - 1, 0), self.protocol)
            if self._attempts > _MOST_ATTEMPTS * wanted + _LEAST_SAMPLES:
                reason = "windows"
            elif len(times_s) >= min(_LEAST_SAMPLES, self.protocol.repetitions):
                reason = stop_reason(times_s, elapsed_s, self.resolution_s, self.protocol)
            else:
                reason = ""
        decided: str = self.communicator.bcast(reason)
        return decided

    def _warm_up(self) -> Stamps:
        """Run until steady, or the fixed number; a barrier starts each, whatever comes later."""
        protocol = self.protocol
        if protocol.warmup == 0 and protocol.warming == "fixed":
            return self._after_barrier(0)
        chunks, done, began_ns = [self._after_barrier(1)], 1, monotonic_ns()
        best_s, steady = np.inf, False
        while not steady and done < protocol.warmup:
            self._pace_ns = self._typical_ns(chunks[-1])
            self._look_after_clock()
            count = min(self._affordable(), protocol.warmup - done)
            if protocol.warming == "steady":
                count = min(count, _STEADY_CHUNK)
            chunks.append(self._after_barrier(count))
            done += count
            if protocol.warming == "steady":
                median_s = float(np.median(self._durations_ns(chunks[-1]))) * 1e-9
                elapsed_s = (monotonic_ns() - began_ns) * 1e-9
                steady = self.communicator.bcast(
                    median_s > _STEADY_GAIN * best_s or elapsed_s > _STEADY_S
                )
                best_s = min(best_s, median_s)
        return np.concatenate(chunks, axis=1)

    def _rest(self) -> None:
        """Say that no step counts what comes now, as looking at buffers."""
        if self.board is not None:
            self.board.rest()

    def _around(self, start: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return the steps of one sample."""
        return around(self.board, start, self.arrangement.steps)

    def _barrier(self) -> tuple[Step, ...]:
        if self.protocol.synchronisation == "none":
            return ()
        return (barrier_step(self.communicator),)

    def _after_barrier(self, count: int) -> Stamps:
        """Run the loop once, every sample after a barrier unless the protocol wants none."""
        start = (*self._barrier(), *delay_steps(self._delays_ns(count)))
        return self._stamp(self._around(start), count)

    def _delays_ns(self, count: int) -> NDArray[np.int64]:
        """How late this rank arrives at each of the next samples."""
        if self._skew is None:
            return np.zeros(count, np.int64)
        place = self.communicator.rank, self.communicator.size
        return self._skew.draw_ns(*place, count, self._draws)

    def _typical_ns(self, warmup: Stamps) -> float:
        """Time to allow per sample, from the warm-up; the same on every rank."""
        if warmup.shape[1] == 0:
            warmup = self._after_barrier(1)
        slowest_ns = float(np.percentile(self._durations_ns(warmup), 90))
        late_ns = self._skew.largest_ns if self._skew else 0
        return _WINDOW_FACTOR * slowest_ns + _WINDOW_EXTRA_NS + late_ns

    def _chunk(self, count: int) -> Stamps:
        """Run the loop once; with windows, only the samples for which no rank came too late."""
        if self.protocol.synchronisation != "window":
            return self._after_barrier(count)
        opens_ns = agree_on_windows(self.communicator, self.clock, count, int(self._pace_ns))
        opens_ns += self._delays_ns(count)
        stamps = self._stamp(self._around((spin_step(opens_ns),)), count)
        late = (stamps[0] - opens_ns > LATE_NS).astype(np.int64)
        self.communicator.Allreduce(load_mpi().IN_PLACE, late, op=load_mpi().MAX)
        self._attempts += count
        self._missed += int(late.sum())
        if late.mean() > 0.5:
            self._pace_ns = min(_WINDOW_FACTOR * self._pace_ns, max(self._pace_ns, _WIDEST_NS))
        self._late = stamps[:, late == 1]
        return stamps[:, late == 0]

    def _times_s(self, stamps: Stamps) -> NDArray[np.float64]:
        """The default statistic of each sample, in seconds, the same on every rank."""
        statistic = default_statistic(self.protocol)
        if statistic == "device":
            longest_ns = stamps[2].copy()
            self.communicator.Allreduce(load_mpi().IN_PLACE, longest_ns, op=load_mpi().MAX)
            return np.asarray(longest_ns * (1e-9 / self.protocol.batch))
        if statistic == "local_max":
            return np.asarray(self._durations_ns(stamps) * (1e-9 / self.protocol.batch))
        mpi = load_mpi()
        common = self.clock.to_common_ns(stamps[:2])
        first, last = np.empty_like(common[0]), np.empty_like(common[1])
        which = mpi.MIN if statistic == "makespan" else mpi.MAX
        self.communicator.Allreduce(np.ascontiguousarray(common[0]), first, op=which)
        self.communicator.Allreduce(np.ascontiguousarray(common[1]), last, op=mpi.MAX)
        return np.asarray((last - first) * (1e-9 / self.protocol.batch))

    def _durations_ns(self, stamps: Stamps) -> NDArray[np.int64]:
        """Longest duration over the ranks, per sample."""
        longest: NDArray[np.int64] = stamps[1] - stamps[0]
        self.communicator.Allreduce(load_mpi().IN_PLACE, longest, op=load_mpi().MAX)
        return longest

    def _look_after_clock(self) -> None:
        if self.clock.shared:
            return
        old = monotonic_ns() - self.clock.fixes[-1].local_ns > _RESYNCHRONISE_NS
        if self.communicator.bcast(old):
            self.clock.synchronise()

    def _stamp(self, steps: tuple[Step, ...], samples: int) -> Stamps:
        """Run the loop; as often as the device's timer has room for, where there is one."""
        timer, loops = self.arrangement.timer, self.arrangement.loops
        stamps = np.zeros((3 if timer else 2, samples), np.int64)
        room = timer.rows if timer else max(samples, 1)
        for first in range(0, samples, room):
            part = stamps[:, first : first + room]
            run(steps, part[0], part[1], offset=first, batch=loops)
            if timer:
                part[2] = timer.read(part.shape[1])
        return stamps


def around(
    board: Board | None, start: tuple[Step, ...], operation: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Return the steps of one sample: what prepares it comes before the common start.

    Parameters
    ----------
    board : where this rank says what it does
    start : what makes the ranks start together, group ``before``
    operation : the transport's steps; those of ``before`` queue what the start then releases
    """
    prepare = tuple(step for step in operation if step.group == "before")
    rest = tuple(step for step in operation if step.group != "before")
    return (*prepare, *start, *rest) if board is None else board.around((*prepare, *start), rest)
