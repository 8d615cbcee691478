"""How an operation on a stream is timed: as it is called, behind a gate, or captured in a graph.

Calls return when the operation is queued; it is complete when the stream is. In every arrangement
two events enclose the operation on the stream, and their distance is stored beside the host's
stamps: never instead of them.

    host     record first | calls | record last, wait for the stream
             the first event is complete before the call, so the two differ by little
    device   gate, record first, calls, record last | open the gate | wait for the stream
             everything is queued behind a gate: the distance of the events holds no launch
    graph    record first | launch a graph of k operations | record last, wait for the stream

The bars are the starts of the groups ``timed`` and ``complete``. The gate is shut again before the
next sample, whose stream is idle by then. Single operations, for verification, have no gate: the
first of its kind connects ranks and loads kernels, which may wait for all streams of the device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..native import Step, run
from .gate import Gate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .driver import Driver
    from .protocol import Protocol

__all__ = ["Arrangement", "DeviceTimer", "Queue", "plain"]

_READINGS = 200  # pairs of events; back to back they differ by a few steps of the device's timer
_ROWS = 1 << 14  # samples of one run of the loop whose times the timer holds


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The steps of one sample, and what reads the device's times."""

    steps: tuple[Step, ...]
    once: tuple[Step, ...]
    """The same with one operation, for verification."""

    loops: int
    """How often a sample runs the group ``timed``."""

    timer: DeviceTimer | None = None


def plain(operation: tuple[Step, ...], protocol: Protocol) -> Arrangement:
    """Return the arrangement of calls that return when they are done."""
    return Arrangement(operation, operation, protocol.batch)


class DeviceTimer:
    """Two events around an operation; a row of times, in milliseconds, as the driver gives them."""

    rows = _ROWS

    def __init__(self, driver: Driver) -> None:
        self.first, self.last = driver.create_event(), driver.create_event()
        self._milliseconds = np.zeros(_ROWS, np.float32)
        address = self._milliseconds.ctypes.data
        table = np.empty((_ROWS, 3), np.int64)
        table[:] = 0, self.first, self.last
        table[:, 0] = address + 4 * np.arange(_ROWS)
        function = driver.address("cuEventElapsedTime_v2", "cuEventElapsedTime")
        self.step = Step(function, (0, self.first, self.last), "after", table)
        """Writes the time of the sample that ended."""

    def read(self, samples: int) -> NDArray[np.int64]:
        """Return the times of the last run's samples, at most `rows`, in nanoseconds."""
        return np.rint(self._milliseconds[:samples].astype(np.float64) * 1e6).astype(np.int64)


class Queue:
    """A stream of this rank with its timer and gate.

    Parameters
    ----------
    driver : Driver
        Its context must be current.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.stream = driver.create_stream()
        self._timer = DeviceTimer(driver)
        self._gate = Gate(driver, self.stream)
        self._graphs: list[int] = []

    def arrange(self, operation: tuple[Step, ...], protocol: Protocol) -> Arrangement:
        """Return how an operation is timed by a protocol.

        Parameters
        ----------
        operation : steps
            Group ``timed``; they queue work on the stream and return.
        """
        if protocol.mode == "graph":
            run(operation, *np.zeros((2, 1), np.int64))  # connects ranks, which no graph can hold
            self.driver.synchronise(self.stream)
            return replace(
                self._enclosed(self._launch(operation, protocol.batch), 1),
                once=self._enclosed(self._launch(operation, 1), 1).steps,
            )
        if protocol.metric == "device":
            return self._gated(operation)
        return self._enclosed(operation, protocol.batch)

    def resolution_ns(self) -> float:
        """Return the smallest step between different times of events that follow each other."""
        events = [self.driver.create_event() for _ in range(2)]
        times_ns = set()
        for _ in range(_READINGS):
            for event in events:
                self.driver.record(event, self.stream)
            self.driver.synchronise(self.stream)
            times_ns.add(round(self.driver.elapsed_ms(*events) * 1e6))
        for event in events:
            self.driver.destroy_event(event)
        steps = np.diff(sorted(times_ns | {0}))
        return float(steps.min()) if len(steps) else 0.0

    def release(self) -> None:
        """Open the gate for good, so that nothing waits behind it any more."""
        self._gate.release()

    def forget_graphs(self) -> None:
        """Free the graphs of the case that ended."""
        while self._graphs:
            self.driver.destroy_graph(self._graphs.pop())

    def close(self) -> None:
        """Free stream, events and graphs; what is queued is done before."""
        self.release()
        self.forget_graphs()
        self.driver.destroy_stream(self.stream)
        for event in (self._timer.first, self._timer.last):
            self.driver.destroy_event(event)

    def _enclosed(self, operation: tuple[Step, ...], loops: int) -> Arrangement:
        steps = (
            self._record(self._timer.first, "before"),
            *operation,
            self._record(self._timer.last, "complete"),
            self._wait(),
            self._timer.step,
        )
        return Arrangement(steps, steps, loops, self._timer)

    def _gated(self, operation: tuple[Step, ...]) -> Arrangement:
        steps = (
            self._gate.shut(),
            self._gate.hold(),
            self._record(self._timer.first, "before"),
            *(replace(step, group="before") for step in operation),
            self._record(self._timer.last, "before"),
            self._gate.open(),
            self._wait(),
            self._timer.step,
        )
        return Arrangement(steps, self._enclosed(operation, 1).steps, 1, self._timer)

    def _launch(self, operation: tuple[Step, ...], count: int) -> tuple[Step, ...]:
        """The launch of a graph of `count` operations."""
        stamps = np.zeros((2, 1), np.int64)
        graph = self.driver.capture(self.stream, lambda: run(operation, *stamps, batch=count))
        self._graphs.append(graph)
        return (Step(self.driver.address("cuGraphLaunch"), (graph, self.stream), "timed"),)

    def _record(self, event: int, group: str) -> Step:
        return Step(self.driver.address("cuEventRecord"), (event, self.stream), group)

    def _wait(self) -> Step:
        return Step(self.driver.address("cuStreamSynchronize"), (self.stream,), "complete")
