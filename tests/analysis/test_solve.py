"""The solver against least squares by hand and planted outliers."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.solve import solve

X = np.column_stack([np.ones(40), np.geomspace(1, 1e9, 40)])


def test_exact_times_are_met():
    found = solve(X[None], X @ [3e-6, 1e-10])
    assert found.values == pytest.approx([3e-6, 1e-10], rel=1e-6)
    assert found.error < 1e-6


def test_outliers_do_not_bend_the_fit():
    times = X @ [3e-6, 1e-10] * np.exp(0.01 * np.random.default_rng(0).standard_normal(40))
    times[::8] *= 30
    assert solve(X[None], times).values == pytest.approx([3e-6, 1e-10], rel=0.05)


def test_times_too_short_to_be_true_take_no_parameter_away():
    times = X @ [3e-6, 1e-10] * np.exp(0.01 * np.random.default_rng(0).standard_normal(40))
    times[-4:] = 1e-6  # calls of the largest sizes that returned at once
    assert solve(X[None], times).values == pytest.approx([3e-6, 1e-10], rel=0.1)


def test_parameters_are_not_negative():
    falling = 1e-6 / X[:, 1] ** 0.01
    assert (solve(X[None], falling).values >= 0).all()


def test_each_cell_belongs_to_the_fastest_model():
    slow_start = np.column_stack([np.full(40, 10.0), np.geomspace(1, 1e9, 40)])
    slow_bytes = np.column_stack([np.ones(40), 5 * np.geomspace(1, 1e9, 40)])
    both = np.stack([slow_start, slow_bytes])
    times = (both @ [3e-6, 1e-10]).min(axis=0)
    found = solve(both, times)
    assert found.values == pytest.approx([3e-6, 1e-10], rel=1e-4)
    assert solve(both[:1], times).error > 10 * found.error
