"""Statistics against hand-computed values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collcast.analysis.summary import (
    algbw_bytes_per_s,
    busbw_factor,
    median_interval,
    summarise,
)
from collcast.bench.errors import CaseError


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [
        # Ranks of the ends from the usual table of the sign test, 95 %.
        (6, 1, 6),
        (8, 1, 8),
        (9, 2, 8),
        (10, 2, 9),
        (20, 6, 15),
        (50, 18, 33),
        (100, 40, 61),
    ],
)
def test_median_interval_is_the_table_s(n, low, high):
    sample = np.random.default_rng(0).permutation(np.arange(1, n + 1)).astype(float)
    assert median_interval(sample) == (low, high)


def test_median_interval_of_five_is_unknown():
    assert all(math.isnan(end) for end in median_interval(np.arange(5.0)))


def test_large_samples_agree_with_the_exact_ranks_at_the_seam():
    low, high = median_interval(np.arange(1.0, 1002))
    exact_low, exact_high = median_interval(np.arange(1.0, 1001))
    assert abs(low - exact_low) <= 1
    assert abs(high - exact_high) <= 2


def test_coverage_of_the_interval():
    generator = np.random.default_rng(3)
    inside = 0
    for _ in range(2000):
        low, high = median_interval(generator.exponential(size=25))
        inside += low <= math.log(2) <= high
    assert 0.94 <= inside / 2000 <= 0.98  # 0.957 exactly


def test_one_launch():
    found = summarise([np.array([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])])
    assert (found.median_s, found.low_s, found.high_s) == (3.5, 1.0, 6.0)


def test_three_launches_are_three_values_not_three_hundred():
    launches = [np.full(100, value) for value in (1.0, 2.0, 4.0)]
    found = summarise(launches)
    assert found.median_s == 2.0
    # Logs to base 2: 0, 1, 2: mean 1, sd 1, t(2) = 4.303.
    assert found.low_s == pytest.approx(2 ** (1 - 4.303 / math.sqrt(3)))
    assert found.high_s == pytest.approx(2 ** (1 + 4.303 / math.sqrt(3)))


def test_six_launches_use_order_statistics():
    found = summarise([np.array([value]) for value in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)])
    assert (found.median_s, found.low_s, found.high_s) == (3.5, 1.0, 6.0)


@pytest.mark.parametrize("launches", [[], [np.array([])]])
def test_nothing_is_refused(launches):
    with pytest.raises(CaseError, match="expected at least 1"):
        summarise(launches)


@pytest.mark.parametrize(
    ("collective", "ranks", "factor"),
    [
        ("all_reduce", 4, 1.5),
        ("all_to_all", 4, 0.75),
        ("all_reduce", 1, 0.0),
        ("broadcast", 4, 1.0),
    ],
)
def test_busbw_factors_are_those_of_nccl_tests(collective, ranks, factor):
    assert busbw_factor(collective, ranks) == factor


def test_algbw():
    assert algbw_bytes_per_s(1000, 1e-6) == pytest.approx(1e9)
    assert math.isnan(algbw_bytes_per_s(0, 1e-6))
    assert math.isnan(algbw_bytes_per_s(8, 0.0))
