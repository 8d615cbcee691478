"""One clock for all hosts: offsets and drifts, measured again and again, interpolated between.

Ranks of one host read one clock: their offset is 0 and nothing is estimated. One leader per host
learns its offset to the clock of rank 0's host along a binomial tree, root first, so that a rank
that serves is synchronised already: O(log hosts) rounds. This is the scheme of HCA3 (Hunold and
Carpen-Amarie, Hierarchical clock synchronization in MPI, IEEE CLUSTER 2018). Between two
synchronisations an offset is interpolated, after the last one extrapolated, both linearly in time.

One exchange: the client sends at a, the server receives and replies at s, the client receives at b.
Of many exchanges the fastest counts (SKaMPI's choice):

    offset = s - (a + b) / 2        |error| <= (b - a) / 2

What interpolation over an interval T misses is bounded from how far offsets lay from what had been
predicted. Where the frequency does a random walk of variance q per second, a prediction over T has
the variance 2/3 q T^3, and the middle of the chord q T^3 / 48, so 1/sqrt(32) of its standard
deviation. Three standard deviations are stated:

    error = max(errors of the fixes) + 3/sqrt(32) w T^1.5        w^2 = 2/3 q, estimated
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import Step, monotonic_ns, run
from .mpi import handle_of, load_mpi, needed_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["CommonClock", "Fix"]

_EXCHANGES = 50  # enough to meet an undisturbed one; 50 x 1 us within a host, 50 x 5 us between
_TAG = 17
_BASELINE_NS = 1_000_000_000  # an error of 1 us at each end then gives 2 ppm of drift, not more
_USUAL_WANDER = 25.0  # ns / s^1.5: a frequency that wanders by 3e-8 per root second, a poor crystal


def _as_read(reading_ns: Any) -> Any:
    return reading_ns


@dataclass(frozen=True, slots=True)
class Fix:
    """What one synchronisation found on one host."""

    local_ns: int
    """When, on the host's own clock."""

    offset_ns: float
    """Common clock minus own clock at that time."""

    error_ns: float
    """Bound on the error of the offset, all hops of the tree added."""

    wander: float | None = None
    """|offset - prediction| / T^1.5, in ns and s, less what errors of the fixes contribute;
    None without a prediction over at least `_BASELINE_NS`."""


@dataclass(slots=True)
class CommonClock:
    """The common clock as this rank sees it.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    hosts : host of every rank; ranks of one host share a clock
    distort : maps true readings to those of a pretended clock, in tests
    """

    communicator: Any
    hosts: Sequence[str]
    distort: Callable[[Any], Any] = _as_read
    fixes: list[Fix] = field(default_factory=list)
    wanders: list[float] = field(default_factory=lambda: [_USUAL_WANDER] * 4)
    """What is known of w: begins with the usual, several times over, so that no bound is ever 0 and
    one lucky prediction is not believed."""

    @property
    def shared(self) -> bool:
        """Whether all ranks are on one host, so that there is nothing to do."""
        return len(set(self.hosts)) == 1

    def synchronise(self) -> None:
        """Take one more fix; collective."""
        if self.shared:
            return
        leader_of: dict[str, int] = {}
        for rank, host in enumerate(self.hosts):
            leader_of.setdefault(host, rank)
        leaders, rank = list(leader_of.values()), self.communicator.rank
        own_leader = leader_of[self.hosts[rank]]
        found = self._fix_leader(leaders) if rank == own_leader else None
        self._learn_fix(self.communicator.allgather(found)[own_leader])

    def _learn_fix(self, fix: Fix) -> None:
        self.fixes.append(fix)
        if fix.wander is not None:
            self.wanders.append(fix.wander)

    def learn_drift(self) -> None:
        """Take two fixes far enough apart to predict offsets, as windows need; collective."""
        if self.shared:
            return
        self.synchronise()
        time.sleep(1.05 * _BASELINE_NS * 1e-9)
        self.synchronise()

    def _fix_leader(self, leaders: list[int]) -> Fix:
        """Serve the leaders below this one after having learnt from the one above."""
        number = leaders.index(self.communicator.rank)
        offset_ns, error_ns, local_ns = 0.0, 0.0, int(self.distort(monotonic_ns()))
        stride = 1 << max(len(leaders) - 1, 0).bit_length() >> 1
        while stride:
            if number % (2 * stride) == 0 and number + stride < len(leaders):
                self._serve(leaders[number + stride], offset_ns, error_ns)
            elif number % (2 * stride) == stride:
                offset_ns, error_ns, local_ns = self._learn(leaders[number - stride])
            stride >>= 1
        return self._fix(local_ns, offset_ns, error_ns)

    def _fix(self, local_ns: int, offset_ns: float, error_ns: float) -> Fix:
        return Fix(local_ns, offset_ns, error_ns, self._wander(local_ns, offset_ns, error_ns))

    def _wander(self, local_ns: int, offset_ns: float, error_ns: float) -> float | None:
        """Return w as this offset tells it; errors of the fixes count as uniform within bounds.

        The prediction is o + (o - p) T/B from fixes o and p, B apart, so that errors e contribute
        the variance (e_new^2 + e_o^2 (1 + T/B)^2 + e_p^2 (T/B)^2) / 3.
        """
        earlier = self._baseline()
        if earlier is None or local_ns - self.fixes[-1].local_ns < _BASELINE_NS:
            return None
        last = self.fixes[-1]
        predicted_ns = float(self._offset_ns(np.array([local_ns]))[0])
        ratio = (local_ns - last.local_ns) / (last.local_ns - earlier.local_ns)
        explained = error_ns**2 + (last.error_ns * (1 + ratio)) ** 2
        explained += (earlier.error_ns * ratio) ** 2
        unexplained = max((offset_ns - predicted_ns) ** 2 - explained / 3, 0.0)
        return float((unexplained / ((local_ns - last.local_ns) * 1e-9) ** 3) ** 0.5)

    def _serve(self, client: int, offset_ns: float, error_ns: float) -> None:
        start, _ = self._exchange(client, serving=True)
        common = self.distort(start) + offset_ns
        self.communicator.send((common, error_ns), dest=client, tag=_TAG)

    def _learn(self, server: int) -> tuple[float, float, int]:
        start, stop = (self.distort(stamps) for stamps in self._exchange(server, serving=False))
        served, error_ns = self.communicator.recv(source=server, tag=_TAG)
        fastest = int(np.argmin(stop - start))
        middle = start[fastest] + (stop[fastest] - start[fastest]) / 2
        half = float(stop[fastest] - start[fastest]) / 2
        return float(served[fastest] - middle), error_ns + half, int(middle)

    def _exchange(self, peer: int, *, serving: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Stamps of ping-pongs of one byte, taken by the C loop; a server stamps between."""
        mpi = load_mpi()
        byte = np.zeros(1, np.uint8)
        status = np.zeros(mpi._sizeof(mpi.Status), np.uint8)
        message = (
            byte.ctypes.data, 1, handle_of(mpi.BYTE), peer, _TAG, handle_of(self.communicator)
        )  # fmt: skip
        in_group, out_group = ("before", "after") if serving else ("timed", "timed")
        receive = Step(needed_address("MPI_Recv"), (*message, status.ctypes.data), in_group)
        send = Step(needed_address("MPI_Send"), message, out_group)
        stamps = np.zeros((2, _EXCHANGES), np.int64)
        run((receive, send) if serving else (send, receive), stamps[0], stamps[1])
        return stamps[0], stamps[1]

    def _offset_ns(self, local_ns: NDArray[Any]) -> NDArray[np.float64]:
        """Offsets at local times: linear between fixes, on with the known drift after the last."""
        times = np.array([fix.local_ns for fix in self.fixes])
        offsets = np.array([fix.offset_ns for fix in self.fixes])
        later_ns = np.maximum(local_ns - times[-1], 0)
        between = np.interp(local_ns - times[0], times - times[0], offsets)
        return np.asarray(between + later_ns * (self._drift() or 0.0))

    def _drift(self) -> float | None:
        """Change of the offset per time over the last second or more; None before that."""
        earlier = self._baseline()
        if earlier is None:
            return None
        last = self.fixes[-1]
        return (last.offset_ns - earlier.offset_ns) / (last.local_ns - earlier.local_ns)

    def _baseline(self) -> Fix | None:
        """Return the latest fix at least `_BASELINE_NS` before the last one, if there is one."""
        for fix in reversed(self.fixes):
            if self.fixes[-1].local_ns - fix.local_ns >= _BASELINE_NS:
                return fix
        return None

    def to_common_ns(self, local_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return stamps of this rank's clock as those of the common clock."""
        if self.shared:
            return local_ns
        return local_ns + np.rint(self._offset_ns(local_ns)).astype(np.int64)

    def to_local_ns(self, common_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return times of the common clock as this rank's clock will show them."""
        if self.shared:
            return common_ns
        # The drift is below 1e-4: one step of the fixed-point iteration leaves 1e-8 of the offset.
        guess = common_ns - np.rint(self._offset_ns(common_ns)).astype(np.int64)
        return common_ns - np.rint(self._offset_ns(guess)).astype(np.int64)

    def error_ns(self, since_ns: int) -> float:
        """Bound on the error of this rank's common time from a local time to the last fix."""
        if self.shared or not any(fix.error_ns for fix in self.fixes):
            return 0.0  # one clock, or that of rank 0's host, which all others follow
        count = sum(fix.local_ns >= since_ns for fix in self.fixes)
        used = self.fixes[-max(count + 1, 2) :]  # the one before that time, and all since
        gaps_s = np.diff([fix.local_ns for fix in used]) * 1e-9
        wander = float(np.sqrt(np.mean(np.square(self.wanders))))
        missed_ns = 3 / 32**0.5 * wander * gaps_s.max(initial=0.0) ** 1.5
        return float(max(fix.error_ns for fix in used) + missed_ns)

    def forget(self) -> None:
        """Drop fixes that no later stamp needs; those of the last seconds keep the drift known."""
        newest_ns = self.fixes[-1].local_ns if self.fixes else 0
        old = [fix for fix in self.fixes if newest_ns - fix.local_ns > 2 * _BASELINE_NS]
        self.fixes = old[-1:] + self.fixes[len(old) :]
