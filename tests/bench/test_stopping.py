"""The stop rule keeps its promise where consecutive samples depend on each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from collcast.bench.protocol import Protocol
from collcast.bench.stopping import correlation_time, median_interval, next_target, stop_reason

PRECISION = Protocol(stopping="precision", repetitions=20_000, precision=0.01, budget_s=1.0)


def autoregressive(rng: Any, rho: float, count: int, spread: float) -> Any:
    """AR(1) around 100 with the given standard deviation, 500 samples into the process."""
    noise = rng.standard_normal(count + 500)
    return 100 + spread * np.sqrt(1 - rho**2) * lfilter([1], [1, -rho], noise)[500:]


def stopped(samples: Any) -> Any:
    """The interval at which the rule stops on a series."""
    done = 0
    while True:
        done = next_target(done, PRECISION)
        if stop_reason(samples[:done], 0.0, 0.0, PRECISION):
            return median_interval(samples[:done])


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_the_stated_interval_covers_the_median(rho: float, spread: float) -> None:
    """Stated 95 %; at least 92 % of 300 runs that stopped by themselves must cover."""
    rng = np.random.default_rng(20)
    runs = [stopped(autoregressive(rng, rho, 20_000, spread)) for _ in range(300)]
    assert np.mean([run.low <= 100 <= run.high for run in runs]) >= 0.92
    assert all(run.relative_half_width <= 0.01 for run in runs)


def test_ignoring_the_dependence_would_break_the_promise() -> None:
    """The same rule with tau = 1 covers far less: the test above can fail."""
    rng = np.random.default_rng(21)
    covered = 0
    for _ in range(300):
        samples = np.sort(autoregressive(rng, 0.9, 2000, 5.0))
        half = 1.96 * np.sqrt(2000) / 2
        covered += samples[int(1000 - half)] <= 100 <= samples[int(1000 + half)]
    assert covered / 300 < 0.6


@pytest.mark.parametrize(("rho", "tau"), [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)])
def test_the_correlation_time_is_that_of_the_process(rho: float, tau: float) -> None:
    """AR(1): tau = (1 + rho) / (1 - rho)."""
    series = autoregressive(np.random.default_rng(3), rho, 200_000, 1.0)
    assert correlation_time(series) == pytest.approx(tau, rel=0.1)


def test_independent_samples_give_le_boudec_s_ranks() -> None:
    """n = 1001 alternating ranks: tau = 1, ranks n/2 -+ 1.96 sqrt(n)/2."""
    order = np.random.default_rng(0).permutation(1001) + 1.0
    interval = median_interval(order)
    assert interval.median == 501
    assert interval.effective > 700
    half = 1.96 * np.sqrt(1001) / 2
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.25)


def test_constant_samples_have_no_width_and_few_samples_no_interval() -> None:
    assert median_interval(np.full(100, 7.0)).relative_half_width == 0
    few = median_interval(np.array([1.0, 2.0, 3.0]))
    assert few.median == 2
    assert (few.low, few.high) == (-np.inf, np.inf)


def test_reasons() -> None:
    """Each budget ends the case, and precision comes first."""
    rng = np.random.default_rng(5)
    wide, narrow = autoregressive(rng, 0, 20_000, 80), autoregressive(rng, 0, 200, 0.1)
    assert stop_reason(narrow, 9.0, 0.0, PRECISION) == "precision"
    assert stop_reason(narrow[:99], 0.5, 0.0, PRECISION) == ""
    assert stop_reason(wide[:200], 0.5, 0.0, PRECISION) == ""
    assert stop_reason(wide[:200], 1.0, 0.0, PRECISION) == "time"
    assert stop_reason(wide[:20_000] * 1e3, 0.1, 0.0, PRECISION) in {"samples", "precision"}
    assert stop_reason(wide[:200], 0.1, 50.0, PRECISION) == "precision"  # the clock sees no finer
    fixed = Protocol(repetitions=10)
    assert stop_reason(wide[:9], 99.0, 0.0, fixed) == ""
    assert stop_reason(wide[:10], 0.0, 0.0, fixed) == "fixed"


def test_targets_grow_and_end_at_the_most() -> None:
    protocol = Protocol(stopping="precision", repetitions=300)
    targets = [0]
    while targets[-1] < 300:
        targets.append(next_target(targets[-1], protocol))
    assert targets == [0, 100, 150, 225, 300]
    assert next_target(0, Protocol(repetitions=7)) == 7
