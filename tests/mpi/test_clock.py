"""The common clock against a truth that only the test knows."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from collcast.bench import clock as clock_module
from collcast.bench.clock import CommonClock, Fix
from collcast.native import monotonic_ns

STEP_NS = 10_000_000  # of the random walk of the frequency


class Distortion:
    """A pretended clock: offset, drift, and a frequency that wanders."""

    def __init__(self, origin_ns: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        frequency = rng.normal(0, 30e-6) + np.cumsum(rng.normal(0, 1e-8, 3000))
        self._phase = np.concatenate([[0], np.cumsum(frequency * STEP_NS)])
        self._phase += rng.integers(-(10**12), 10**12)
        self._times = origin_ns + STEP_NS * np.arange(len(self._phase), dtype=np.int64)

    def __call__(self, true_ns: Any) -> Any:
        true_ns = np.asarray(true_ns, np.int64)
        shift = np.interp(true_ns - self._times[0], self._times - self._times[0], self._phase)
        return true_ns + np.rint(shift).astype(np.int64)


def test_pretended_hosts_agree_within_the_stated_bound(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rank is a host of its own; 99 % of the stamps lie within the bound."""
    monkeypatch.setattr(clock_module, "_BASELINE_NS", 100_000_000)
    origin_ns = world.bcast(monotonic_ns())
    distortions = [Distortion(origin_ns, seed=rank) for rank in range(world.size)]
    own = distortions[world.rank]
    clock = CommonClock(world, [f"host{rank}" for rank in range(world.size)], own)
    clock.synchronise()
    errors_ns, bounds_ns = [], []
    for _ in range(6):
        since_ns = int(own(monotonic_ns()))
        true_ns = []
        for _ in range(10):
            time.sleep(0.005)
            true_ns.append(monotonic_ns())
        clock.synchronise()
        errors_ns += list(clock.to_common_ns(own(true_ns)) - distortions[0](true_ns))
        bounds_ns += [clock.error_ns(since_ns)] * len(true_ns)
    within = np.abs(errors_ns) <= bounds_ns
    assert np.mean(world.allgather(np.mean(within))) >= 0.99
    assert np.max(np.abs(errors_ns)) < 50_000_000  # of clocks that are 1000 s apart; busy cores
    if world.rank == 0:
        assert errors_ns == [0] * 60


def test_ranks_of_one_host_share_a_clock(world: Any) -> None:
    """Offset exactly 0, and nothing is sent."""
    clock = CommonClock(world, ["host"] * world.size)
    clock.synchronise()
    stamps = np.arange(5)
    assert clock.fixes == []
    assert clock.to_common_ns(stamps) is stamps
    assert clock.to_local_ns(stamps) is stamps
    assert clock.error_ns(0) == 0


def test_ranks_of_a_host_use_their_leader_s_fix(world: Any) -> None:
    hosts = ["a"] + ["b"] * (world.size - 1)
    clock = CommonClock(world, hosts)
    clock.synchronise()
    fixes = world.allgather(clock.fixes[0])
    assert len({fix.offset_ns for fix in fixes[1:]}) == 1
    assert abs(fixes[-1].offset_ns) <= fixes[-1].error_ns  # the truth is 0: it is one machine
    assert fixes[0].error_ns == 0


def clock_with(fixes: list[Fix]) -> CommonClock:
    return CommonClock(None, ["a", "b"], fixes=fixes)


def test_offsets_are_interpolated_and_the_drift_continues() -> None:
    """Offsets 0 at 0 s, 1000 ns at 1 s, 3000 ns at 2 s: by hand."""
    second = 1_000_000_000
    fixes = [Fix(k * second, offset, 10.0) for k, offset in enumerate([0, 1000, 3000])]
    clock = clock_with(fixes)
    local = np.array([second // 2, second, 3 * second // 2, 3 * second])
    expected = local + np.array([500, 1000, 2000, 5000])
    assert clock.to_common_ns(local).tolist() == expected.tolist()
    assert np.all(np.abs(clock.to_local_ns(expected) - local) <= 1)


def test_the_bound_is_that_of_the_fixes_and_of_the_interpolation() -> None:
    """Fixes at 0, 4, 5 s with errors 100, 300, 5 ns; w = 16: 3/sqrt(32) x 16 x 4^1.5 = 68 ns."""
    second = 1_000_000_000
    clock = clock_with([Fix(0, 0.0, 100.0), Fix(4 * second, 0.0, 300.0), Fix(5 * second, 0.0, 5.0)])
    clock.wanders[:] = [16.0, 16.0]
    assert clock.error_ns(3 * second) == pytest.approx(300 + 48 * 2**0.5)
    assert clock.error_ns(4 * second + 1) == pytest.approx(300 + 6 * 2**0.5)


def test_an_unpredicted_offset_widens_the_bound() -> None:
    """100 us off after 4 s, of which errors explain sqrt((50^2 + (10 x 5)^2 + (10 x 4)^2) / 3)."""
    second = 1_000_000_000
    clock = clock_with([Fix(0, 0.0, 10.0), Fix(second, 0.0, 10.0)])
    expected = (100_000.0**2 - 6600 / 3) ** 0.5 / 8
    assert clock._wander(5 * second, 100_000.0, 50.0) == pytest.approx(expected)
    assert clock._wander(5 * second, 45.0, 50.0) == 0
    assert clock._wander(second + 1, 100_000.0, 50.0) is None


def test_old_fixes_are_forgotten_but_one() -> None:
    second = 1_000_000_000
    clock = clock_with([Fix(k * second, 0.0, 1.0) for k in range(10)])
    clock.forget()
    assert [fix.local_ns // second for fix in clock.fixes] == [6, 7, 8, 9]
