"""Detours and their period, on durations whose truth the test made."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.noise import noise_of, period_of
from collcast.bench.sample import Sample

QUANTUM_NS = 20_000


def stamps(detours_ns: np.ndarray, seed: int = 0, slow: slice | None = None) -> Sample:
    """One rank's quanta with 0.3 % of jitter and these additions, 60 ns apart."""
    rng = np.random.default_rng(seed)
    duration = rng.normal(QUANTUM_NS, 60, len(detours_ns))
    if slow is not None:
        duration[slow] *= 1.3
    duration = (duration + detours_ns).astype(np.int64)
    stop = 10**15 + np.cumsum(duration + 60)
    return Sample(start_ns=(stop - duration).reshape(-1, 1), stop_ns=stop.reshape(-1, 1))


def periodic(every: int, length_ns: float, quanta: int = 250_000) -> np.ndarray:
    added = np.zeros(quanta)
    added[7::every] = length_ns
    return added


def test_a_detour_of_1_ms_every_50_ms_is_found_in_length_and_frequency() -> None:
    """Every 2444th quantum, which with the gaps is every 50 ms of 49 ms of work and 1 ms more."""
    sample = stamps(periodic(2444, 1e6))
    (noise,) = noise_of(sample)
    truth_s = float(np.median(np.diff(sample.start_ns[7::2444, 0]))) * 1e-9
    assert truth_s == pytest.approx(0.050, rel=0.01)
    assert noise.per_second == pytest.approx(1 / truth_s, rel=0.05)
    assert noise.median_s == pytest.approx(1e-3, rel=0.01)
    assert noise.largest_s == pytest.approx(1e-3, rel=0.01)
    assert noise.lost == pytest.approx(1e-3 / truth_s, rel=0.05)
    assert noise.period is not None
    assert noise.period.period_s == pytest.approx(truth_s, rel=0.01)
    assert noise.period.length_s == pytest.approx(1e-3, rel=0.01)


def test_a_period_is_found_among_detours_at_random() -> None:
    """40 a second of 5 us to 8 ms besides, in 20 draws: interval and length within 5 %."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        at_s = np.concatenate([0.02 + 0.05 * np.arange(100), rng.uniform(0, 5, 200)])
        lengths_s = np.concatenate(
            [rng.normal(1e-3, 2e-5, 100), np.exp(rng.uniform(np.log(5e-6), np.log(8e-3), 200))]
        )
        order = np.argsort(at_s)
        found = period_of(at_s[order], lengths_s[order])
        assert found is not None
        assert found.period_s == pytest.approx(0.050, rel=0.05)
        assert found.length_s == pytest.approx(1e-3, rel=0.05)


def test_what_comes_at_random_has_no_period() -> None:
    """0 false ones in 100: at random all the time, and in bursts."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        even = np.sort(rng.uniform(0, 5, 400))
        assert period_of(even, rng.lognormal(-9, 0.5, 400)) is None
        bursts = np.sort(rng.choice([0.3, 2.2, 4.1], 300) + rng.uniform(0, 0.2, 300))
        assert period_of(bursts, np.full(300, 1e-4)) is None
        few = np.sort(rng.choice([0.1, 1.3], 12) + rng.uniform(0, 0.01, 12))
        assert period_of(few, np.full(12, 1e-4)) is None


def test_a_core_that_changes_its_speed_has_no_detours() -> None:
    (noise,) = noise_of(stamps(np.zeros(100_000), slow=slice(30_000, 70_000)))
    assert noise.lost < 0.005  # of the two blocks in which it changes
    (quiet,) = noise_of(stamps(np.zeros(100_000)))
    assert len(quiet.at_s) == 0
    assert quiet.median_s == quiet.largest_s == quiet.lost == 0
    assert quiet.period is None


def test_ranks_are_told_apart() -> None:
    first, second = stamps(np.zeros(20_000)), stamps(periodic(500, 2e5, 20_000))
    both = Sample(
        start_ns=np.hstack([first.start_ns, second.start_ns]),
        stop_ns=np.hstack([first.stop_ns, second.stop_ns]),
    )
    quiet, noisy = noise_of(both)
    assert (quiet.rank, len(quiet.at_s)) == (0, 0)
    assert (noisy.rank, len(noisy.at_s)) == (1, 40)
    assert noisy.quantum_s == pytest.approx(20e-6, rel=0.01)
