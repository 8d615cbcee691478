"""Sampling on several pretended hosts, with late ranks, and warm-up: what one host cannot show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collcast.bench import clock as clock_module
from collcast.bench import sampling as sampling_module
from collcast.bench.case import Case
from collcast.bench.clock import CommonClock, Fix
from collcast.bench.measure import measure
from collcast.bench.transports import Transport
from collcast.native import BUILTINS, Step

SMALL = Case(collective="all_reduce", message_bytes=8)
OFFSET_NS = 5_000_000_000_000


def pretended_hosts(world: Any) -> CommonClock:
    """Every rank a host of its own, whose clock is 5000 s ahead of the one before."""
    shift = OFFSET_NS * world.rank
    return CommonClock(world, [f"h{r}" for r in range(world.size)], lambda ns: ns + shift)


def test_stored_stamps_are_those_of_the_common_clock(world: Any, session: Any) -> None:
    """Clocks 5000 s apart end within the stated bound, which is stored and is not 0.

    The loop stamps with the real clock, so the pretended shift is added before conversion.
    """
    clock = pretended_hosts(world)
    clock.synchronise()
    now_ns = np.array([world.bcast(clock_module.monotonic_ns())])
    common_ns = int(clock.to_common_ns(clock.distort(now_ns))[0])
    assert abs(common_ns - int(now_ns[0])) <= clock.error_ns(0)
    real = CommonClock(world, [f"h{r}" for r in range(world.size)])
    measurement = measure(SMALL, replace(session(repetitions=20), clock=real))
    assert len(real.fixes) >= 2
    if world.rank == 0:
        assert measurement.clock_error_ns > 0
        spread_ns = np.ptp(measurement.sample.stop_ns, axis=1)
        local_ns = measurement.sample.local_s().max() * 1e9
        assert np.median(spread_ns) <= local_ns + measurement.clock_error_ns


class _LateNowAndThen(Transport):
    """A transport on whose last rank every tenth operation takes 3 ms more."""

    name = "mpi"

    def __init__(self, real: Any, late: bool) -> None:
        self._real, self._late = real, late

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        steps = self._real.operation(case, buffers)
        table = np.where(np.arange(10) == 4, 3_000_000, 0).astype(np.int64).reshape(-1, 1)
        pause = Step(BUILTINS["delay"], (0,), "after", table)
        return (*steps, pause) if self._late else steps

    def describe(self, code: int, function: int = 0) -> str:
        return self._real.describe(code)


def test_samples_of_missed_windows_are_dropped_and_counted(world: Any, session: Any) -> None:
    """A rank that rests 3 ms after every tenth operation misses the windows in between."""
    made = session(synchronisation="window", repetitions=40, warmup=10)
    late = _LateNowAndThen(made.transports["mpi"], world.rank == world.size - 1)
    measurement = measure(SMALL, replace(made, transports={"mpi": late}))
    if world.rank == 0:
        assert measurement.missed_windows > 0
        assert measurement.stopped_by in {"fixed", "windows"}
        if measurement.suspect != "late":
            skew_ns = np.ptp(measurement.sample.start_ns, axis=1)
            assert np.all(skew_ns <= 1_100)


def test_warm_up_lasts_until_it_is_steady(world: Any, session: Any) -> None:
    """A constant duration is steady at the second chunk of ten: one first sample and two chunks."""

    class Constant(Transport):
        name = "mpi"

        def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
            return (Step(BUILTINS["delay"], (50_000,), "timed"),)

        def describe(self, code: int, function: int = 0) -> str:
            return ""

    steady = session(warming="steady", warmup=200, repetitions=5)
    measurement = measure(
        Case(collective="barrier", message_bytes=0),
        replace(steady, transports={"mpi": Constant()}),
    )
    if world.rank == 0:
        assert measurement.warmup.repetitions == 21


@pytest.mark.parametrize("part", [{"warmup": 30, "repetitions": 1}, {"repetitions": 30}])
def test_the_clock_is_looked_after_within_a_long_case(
    world: Any, session: Any, monkeypatch: pytest.MonkeyPatch, part: dict[str, int]
) -> None:
    """30 x 20 ms of warm-up or samples, where a fix may be 50 ms old and a chunk last as long."""
    monkeypatch.setattr(sampling_module, "_RESYNCHRONISE_NS", 50_000_000)
    monkeypatch.setattr(sampling_module, "_CHUNK_S", 0.05)

    class Slow(Transport):
        name = "mpi"

        def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
            return (Step(BUILTINS["delay"], (20_000_000,), "timed"),)

        def describe(self, code: int) -> str:
            return ""

    clock = CommonClock(world, [f"h{r}" for r in range(world.size)])
    made = replace(session(**part), clock=clock, transports={"mpi": Slow()})
    measurement = measure(Case(collective="barrier", message_bytes=0), made)
    assert len(clock.fixes) >= 6
    if world.rank == 0:
        measured = measurement.warmup if part["repetitions"] == 1 else measurement.sample
        assert measured.repetitions == 30


def test_a_spent_budget_ends_a_slow_case(world: Any, session: Any) -> None:
    """20 ms an operation and a budget of 100 ms: some samples, not the hundred."""

    class Slow(Transport):
        name = "mpi"

        def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
            return (Step(BUILTINS["delay"], (20_000_000,), "timed"),)

        def describe(self, code: int, function: int = 0) -> str:
            return ""

    slow = session(stopping="precision", repetitions=1000, precision=1e-9, budget_s=0.1, warmup=1)
    measurement = measure(
        Case(collective="barrier", message_bytes=0), replace(slow, transports={"mpi": Slow()})
    )
    if world.rank == 0:
        assert measurement.stopped_by == "time"
        assert 5 <= measurement.sample.repetitions <= 20


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_fixed_repetitions_are_exactly_as_many(world: Any, session: Any, mode: str) -> None:
    batch = 3 if mode == "throughput" else 1
    measurement = measure(SMALL, session(mode=mode, batch=batch, repetitions=777, warmup=13))
    if world.rank == 0:
        assert measurement.sample.repetitions == 777
        assert measurement.warmup.repetitions == 13
        assert measurement.stopped_by == "fixed"


def test_the_clock_s_error_is_that_of_the_case_and_not_of_the_time_before(
    world: Any, session: Any
) -> None:
    """The fix before this case is 100 s old; the one that the case begins with counts."""
    clock = CommonClock(world, [f"host{rank}" for rank in range(world.size)])
    clock.fixes.append(Fix(clock_module.monotonic_ns() - 100 * 10**9, 0.0, 10.0 * world.rank))
    measurement = measure(SMALL, replace(session(), clock=clock))
    bounds_ns = world.allgather(clock.error_ns(clock.fixes[1].local_ns + 1))
    if world.rank == 0:
        assert measurement.clock_error_ns == 2 * max(bounds_ns) > 0
