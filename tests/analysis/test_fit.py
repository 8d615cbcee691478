"""Fits recover known truths, leave out what must be left out, and say when there is no curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.curve import fit_curve
from collcast.analysis.dataset import Dataset
from collcast.analysis.fit import fit

TRUTHS = [
    ("ring",),
    ("recursive_doubling",),
    ("rabenseifner",),
    ("pairwise",),
    ("bruck",),
]


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("names", TRUTHS, ids="+".join)
def test_known_truths_are_recovered(rows_of, names, noise):
    curve = fit_curve(rows_of(*names, noise=noise)[1], bootstraps=50)
    assert curve.model == names[0]
    values = {p.name: p for p in curve.parameters}
    for name, true in (("overhead", 3e-6), ("alpha", 2e-6), ("beta", 1e-10)):
        assert values[name].value == pytest.approx(true, rel=1.5 * noise + 0.02)
        assert not values[name].at_bound
    assert curve.residual_sd == pytest.approx(noise, rel=0.5)


def test_a_library_that_switches_by_size_is_recovered(rows_of):
    rows = rows_of("recursive_doubling", "ring", scales=(2, 4, 8, 16, 32, 64, 128))[1]
    curve = fit_curve(rows, bootstraps=20)
    assert curve.model.startswith("fastest of")
    assert curve.values[:3] == pytest.approx([3e-6, 2e-6, 1e-10], rel=0.05)


def test_two_tiers_are_told_apart(rows_of):
    truth = (3e-6, 1e-6, 5e-6, 2e-11, 1e-10, 0.0)
    _, rows = rows_of(
        "pairwise", scales=(2, 4, 8, 16, 32, 64), per_host=8, tiers=(8, 1 << 62), values=truth
    )
    curve = fit_curve(rows, bootstraps=20)
    assert curve.sizes == (8, 1 << 62)
    assert curve.values == pytest.approx(truth, rel=0.1)


def test_intervals_cover(rows_of):
    inside = 0
    for seed in range(20):
        curve = fit_curve(rows_of("ring", noise=0.05, seed=seed)[1], bootstraps=60)
        alpha = next(p for p in curve.parameters if p.name == "alpha")
        inside += alpha.low <= 2e-6 <= alpha.high
    assert inside >= 14  # of 20 at 90 %: fewer than 14 has a chance below 0.3 %


def test_left_out_rows_are_counted_and_change_nothing(rows_of):
    key, rows = rows_of("ring")
    clean = fit(key, rows, bootstraps=0)
    broken = tuple(
        replace(rows.rows[index], median_s=7.0, **{field: value})
        for index, (field, value) in enumerate(
            [
                ("labels", ("copy",)),
                ("labels", ("oversubscribed",)),
                ("labels", ("ranks_per_gpu",)),
                ("suspect", "physics"),
                ("wrong", 5),
            ]
        )
    )
    found = fit(key, Dataset(rows.rows + broken), bootstraps=0)
    assert found.dropped == dict.fromkeys(
        ("copy", "oversubscribed", "ranks_per_gpu", "suspect", "wrong"), 1
    )
    assert np.array_equal(found.curve.values, clean.curve.values)
    assert found.cells == clean.cells


def test_fewer_than_three_scales_is_a_value_that_says_so(rows_of):
    found = fit(*rows_of("ring", scales=(2, 4)))
    assert found.curve is None
    assert "no curve: 2 of 3 numbers of ranks" in found.reason
    assert "usable: 2, 4" in found.reason


def test_three_scales_give_a_curve(rows_of):
    assert fit(*rows_of("ring", scales=(2, 4, 8)), bootstraps=5).curve is not None


def test_too_few_cells_is_a_value_that_says_so(rows_of):
    found = fit(*rows_of("ring", scales=(2, 4, 8), sizes=(8,)))
    assert found.curve is None
    assert "cells needed" in found.reason


def test_a_collective_without_model_says_so(rows_of):
    key, rows = rows_of("ring")
    found = fit(replace(key, collective="barrier"), rows)
    assert found.reason == "no model of barrier"


def test_a_parameter_without_trace_is_at_its_bound(rows_of):
    rows = rows_of("ring", values=(0.0, 2e-6, 1e-10, 0.0), noise=0.0)[1]
    curve = fit_curve(rows, bootstraps=5)
    assert curve.parameters[0].at_bound
    assert curve.unidentified == ("gamma",)


def test_the_same_seed_gives_the_same_fit(rows_of):
    first, again = (fit(*rows_of("ring"), bootstraps=10, seed=3) for _ in range(2))
    other = fit(*rows_of("ring"), bootstraps=10, seed=4)
    assert np.array_equal(first.curve.drawn_values, again.curve.drawn_values)
    assert not np.array_equal(first.curve.drawn_values, other.curve.drawn_values)
