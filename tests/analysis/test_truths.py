"""Forecasts of known truths 4,096 times further than the data, noise and drift included.

COLLCAST_TRUTH_TRIALS and COLLCAST_TRUTH_SEED ask for more trials with other seeds: the long form.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.efficiency import efficiency
from collcast.analysis.extrapolate import Extrapolator
from collcast.analysis.fit import fit

TRIALS = int(os.environ.get("COLLCAST_TRUTH_TRIALS", "2"))
SEED = int(os.environ.get("COLLCAST_TRUTH_SEED", "100"))
SCALES = (2, 4, 8, 16, 32, 64, 128, 256)
SIZES = (8, 1 << 10, 1 << 15, 1 << 20, 1 << 25, 1 << 30)
TARGET = 1 << 20
TWO_TIERS = {
    "per_host": 8,
    "tiers": (8, 1 << 62),
    "values": (3e-6, 1e-6, 5e-6, 2e-11, 1e-10, 0.0),
}
TRUTHS = {
    ("ring",): {},
    ("recursive_doubling",): {},
    ("rabenseifner",): {},
    ("two_level",): TWO_TIERS,
    ("ring", "recursive_doubling"): {},
    ("pairwise",): {},
}


def forecast(rows_of, truth, names, settings, noise, drift, seed):
    """Return ratio to the truth, whether the 90 % interval holds it, and its width, per size."""
    key, rows = rows_of(*names, scales=SCALES, sizes=SIZES, noise=noise, seed=seed, **settings)
    drifted = tuple(
        replace(row, median_s=row.median_s * np.exp(drift * np.log2(row.ranks))) for row in rows
    )
    extrapolator = Extrapolator(fit=fit(key, Dataset(drifted), bootstraps=20))
    times = np.array(extrapolator.curve_s(TARGET, SIZES))
    where = {name: settings[name] for name in ("tiers", "values") if name in settings}
    true = truth(names, TARGET, SIZES, **where) * np.exp(drift * np.log2(TARGET))
    inside = (times[:, 3] <= true) & (true <= times[:, 4])
    return times[:, 0] / true, inside, times[:, 4] / times[:, 3]


@pytest.mark.parametrize("drift", [0.0, 0.015])
@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("names", TRUTHS, ids="+".join)
def test_a_known_truth_is_met_and_covered(rows_of, truth, names, noise, drift):
    trials = [
        forecast(rows_of, truth, names, TRUTHS[names], noise, drift, SEED + number)
        for number in range(TRIALS)
    ]
    ratio, inside, width = (np.array(part) for part in zip(*trials, strict=True))
    # The median over all trials lies within 10 %; that over few, within their scatter too.
    allowed = 0.1 + (0.0 if TRIALS >= 8 else 2 * noise)
    assert 1 - allowed <= np.median(ratio) <= 1 + allowed
    assert inside.mean() >= 0.85
    if noise == 0.02:
        assert np.median(width) <= 1.8


def at_power(ranks):
    """A rate that falls by 5 % with every doubling."""
    return ranks**-0.07


def by_max_load(ranks):
    """What hash routing leaves over 64 uplinks per leaf of 4 ranks, 4 flows each."""
    return efficiency("hash", 64, leaves=max(1, ranks // 4), flows_per_uplink=4)


@pytest.mark.parametrize("target", [256, TARGET])
@pytest.mark.parametrize("eta", [at_power, by_max_load])
def test_an_efficiency_that_falls_with_scale_is_covered(rows_of, truth, eta, target):
    inside = []
    for seed in range(SEED, SEED + TRIALS):
        scales = [ranks for ranks in SCALES if 8 * ranks <= target]
        key, rows = rows_of("ring", scales=scales, sizes=SIZES, seed=seed)

        def slowing(ranks, sizes):
            fixed, beta = (
                truth(("ring",), ranks, sizes, values=values)
                for values in ((3e-6, 2e-6, 0.0, 0.0), (0.0, 0.0, 1e-10, 0.0))
            )
            return (fixed + beta / eta(ranks)) / (fixed + beta)

        slowed = tuple(
            replace(row, median_s=row.median_s * slowing(row.ranks, [row.message_bytes])[0])
            for row in rows
        )
        extrapolator = Extrapolator(fit=fit(key, Dataset(slowed), bootstraps=20))
        times = np.array(extrapolator.curve_s(target, SIZES))
        true = truth(("ring",), target, SIZES) * slowing(target, SIZES)
        inside.append((times[:, 3] <= true) & (true <= times[:, 4]))
        assert inside[-1].mean() >= 0.8
    assert np.mean(inside) >= 0.9


def test_an_algorithm_switch_above_the_data_is_covered(rows_of, truth):
    names, switched = ("ring", "recursive_doubling"), (1 << 22, 3 << 21)
    for ranks, fastest in ((SCALES[-1], "ring"), (2048, "recursive_doubling")):
        assert truth(names, ranks, switched) == pytest.approx(truth((fastest,), ranks, switched))
    for seed in range(SEED, SEED + TRIALS):
        key, rows = rows_of(*names, scales=SCALES, sizes=(*SIZES, *switched), seed=seed)
        extrapolator = Extrapolator(fit=fit(key, rows, bootstraps=20))
        for p, true in zip(
            extrapolator.predict([2048], switched), truth(names, 2048, switched), strict=True
        ):
            inside = p.low90_us <= true * 1e6 <= p.high90_us
            assert inside or p.status in {"conditional", "unsupported"}


def test_a_tier_that_the_data_do_not_reach_is_not_extrapolated(rows_of):
    key, rows = rows_of("ring", scales=SCALES, sizes=SIZES, per_host=8)
    below_one_leaf = Dataset(tuple(replace(row, leaves=1) for row in rows))
    extrapolator = Extrapolator(fit=fit(key, below_one_leaf, bootstraps=5))
    found = extrapolator.predict([TARGET], SIZES)
    assert {p.status for p in found} == {"unsupported"}


def test_a_scale_left_out_in_the_middle_is_read_off_across_a_jump(rows_of):
    key, rows = rows_of("ring", scales=SCALES, sizes=SIZES, noise=0.03)
    jumped = [
        replace(row, median_s=row.median_s * (3 if row.message_bytes > 1 << 15 else 1))
        for row in rows
    ]
    known = Dataset(tuple(row for row in jumped if row.ranks != 32))
    extrapolator = Extrapolator(fit=fit(key, known, bootstraps=5))
    true = np.array([row.median_s for row in jumped if row.ranks == 32])
    times = np.array(extrapolator.curve_s(32, SIZES))[:, 0]
    assert np.median(np.abs(times / true - 1)) <= 0.12


def test_one_mishap_does_not_bend_the_forecast(rows_of, truth):
    key, rows = rows_of("ring", scales=SCALES, sizes=SIZES)
    spoiled = Dataset(
        tuple(
            replace(row, median_s=10 * row.median_s)
            if (row.ranks, row.message_bytes) == (256, 1 << 15)
            else row
            for row in rows
        )
    )
    times = Extrapolator(fit=fit(key, spoiled, bootstraps=5)).curve_s(2048, [1 << 15])[0]
    assert times[0] == pytest.approx(truth(("ring",), 2048, [1 << 15])[0], rel=0.15)
