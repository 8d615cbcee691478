"""The stated bound of the common clock where nothing could be looked after for long."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.bench.clock import CommonClock

SECOND_NS = 1_000_000_000
STEP_S = 0.01


class Truth:
    """Offset of a host whose frequency begins at 30 ppm and does a random walk."""

    def __init__(self, seed: int, wander: float, length_s: float) -> None:
        rng = np.random.default_rng(seed)
        steps = int(length_s / STEP_S) + 1
        frequency = rng.normal(0, 30e-6) + np.cumsum(rng.normal(0, wander * STEP_S**0.5, steps))
        self.times_ns = np.arange(steps + 1) * int(STEP_S * SECOND_NS)
        self.offsets_ns = np.concatenate([[0.0], np.cumsum(frequency * STEP_S * SECOND_NS)])

    def __call__(self, local_ns: np.ndarray) -> np.ndarray:
        return np.interp(local_ns, self.times_ns, self.offsets_ns)


def share_within(seed: int, wander: float, fixes_s: list[float]) -> float:
    """Share of the times between the last two fixes at which the stated bound holds."""
    truth = Truth(seed, wander, fixes_s[-1] + 1)
    clock = CommonClock(None, ["a", "b"])
    for at_s in fixes_s:
        local_ns = int(at_s * SECOND_NS)
        clock._learn_fix(clock._fix(local_ns, float(truth(local_ns)), 100.0))
    since_ns, until_ns = (int(at_s * SECOND_NS) for at_s in fixes_s[-2:])
    local_ns = np.linspace(since_ns, until_ns, 200).astype(np.int64)
    missed_ns = np.abs(clock.to_common_ns(local_ns) - local_ns - truth(local_ns))
    return float(np.mean(missed_ns <= clock.error_ns(since_ns)))


@pytest.mark.parametrize("gap_s", [2.0, 15.0, 60.0])
def test_a_sample_of_a_minute_lies_within_its_bound(gap_s: float) -> None:
    """A poor crystal (3e-8 per root second), nothing known of it, one sample as long as the gap."""
    shares = [share_within(seed, 3e-8, [0.0, 1.1, 1.1 + gap_s]) for seed in range(100)]
    assert np.mean(shares) >= 0.99


def test_a_clock_that_wanders_more_is_believed_less() -> None:
    """Three times as much wander: fixes before the long sample have told it."""
    before = [5.0 * k for k in range(13)]
    shares = [share_within(seed, 1e-7, [*before, before[-1] + 40]) for seed in range(100)]
    assert np.mean(shares) >= 0.99


def test_the_bound_grows_with_the_gap_to_the_next_fix() -> None:
    bounds = []
    for gap_s in (1, 10, 100):
        clock = CommonClock(None, ["a", "b"])
        for at_s in (0, gap_s):
            clock._learn_fix(clock._fix(at_s * SECOND_NS, 0.0, 100.0))
        bounds.append(clock.error_ns(0) - 100)
    assert bounds[1] == pytest.approx(bounds[0] * 10**1.5)
    assert bounds[2] == pytest.approx(bounds[0] * 100**1.5)
