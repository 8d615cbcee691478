"""Figures of a forecast against figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.score import clopper_pearson, score, winkler

TRUE = np.array([1.0, 2.0, 4.0, 8.0])
# time, 50 % interval, 90 % interval
TIMES = np.array(
    [
        [1.1, 0.9, 1.2, 0.8, 1.3],  # inside both
        [1.0, 0.8, 1.2, 0.5, 2.5],  # inside 90 % alone
        [5.0, 4.5, 5.5, 4.2, 6.0],  # outside both
        [8.0, 7.0, 9.0, 6.0, 10.0],
    ]
)


def test_figures_by_hand():
    found = score(TRUE, TIMES, ["a", "a", "b", "b"], ["m", "m", "m", "n"])
    assert found.median_error == pytest.approx((0.1 + 0.25) / 2)
    assert found.bias == pytest.approx(0.05)  # of 1.1, 0.5, 1.25, 1.0: the middle two's mean
    assert found.coverage_50 == 0.5
    assert found.coverage_90 == 0.75
    assert (found.series, found.clusters, found.cells) == (2, 2, 4)
    widths = [1.3 / 0.8, 5.0, 6 / 4.2, 10 / 6]
    assert found.width_90 == pytest.approx(np.median(widths))
    outside = 20 * np.log(4.2 / 4)
    assert found.winkler_90 == pytest.approx((np.log(widths).sum() + outside) / 4)


def test_clusters_are_the_trials():
    # Mean coverage by cluster: (2/3 + 1) / 2, of two trials.
    found = score(TRUE, TIMES, ["a"] * 4, ["m", "m", "m", "n"])
    expected = clopper_pearson(5 / 3, 2)
    assert (found.coverage_90_low, found.coverage_90_high) == pytest.approx(expected)


def test_cells_without_a_number_do_not_count():
    holes = np.vstack([TIMES, np.full((1, 5), np.nan)])
    with_hole = score(np.append(TRUE, 1.0), holes, ["a"] * 5, ["m"] * 5)
    assert with_hole == score(TRUE, TIMES, ["a"] * 4, ["m"] * 4)


def test_nothing_has_no_figures():
    found = score(np.empty(0), np.empty((0, 5)), [], [])
    assert np.isnan(found.median_error)
    assert found.cells == 0


def test_clopper_pearson_as_in_tables():
    # Clopper and Pearson (1934): 8 of 10 at 95 %.
    assert clopper_pearson(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_winkler_rewards_narrow_and_punishes_outside():
    one, low = np.array([1.0]), np.array([0.9])
    assert winkler(one, low, np.array([1.1])) < winkler(one, low, np.array([1.2]))
    assert winkler(one, np.array([1.05]), np.array([1.1])) > winkler(one, low, np.array([1.1]))
