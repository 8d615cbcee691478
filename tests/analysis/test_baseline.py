"""Baselines do what they say, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.baseline import BASELINES, curve_at
from collcast.analysis.dataset import Dataset

SCALES, SIZES = (2, 4, 8, 16, 32), (8, 1024, 1 << 20)


def made(rows_of, time_s, names=("ring",)):
    _, rows = rows_of(*names, scales=SCALES, sizes=SIZES)
    return Dataset(
        tuple(replace(row, median_s=time_s(row.ranks, row.message_bytes)) for row in rows)
    )


def test_a_power_law_is_met_by_all_but_the_last_value(rows_of):
    rows = made(rows_of, lambda ranks, n: 1e-6 * ranks**0.5 + 0 * n)
    found = {name: predict(rows, [(128, 1024)])[0] for name, predict in BASELINES.items()}
    assert found["power_law"][0] == pytest.approx(1e-6 * 128**0.5)
    assert found["pmnf"][0] == pytest.approx(1e-6 * 128**0.5)
    assert found["last_value"][0] == pytest.approx(1e-6 * 32**0.5)


def test_the_search_finds_a_logarithm(rows_of):
    rows = made(rows_of, lambda ranks, n: 5e-6 + 2e-6 * np.log2(ranks) + 0 * n)
    assert BASELINES["pmnf"](rows, [(1024, 8)])[0, 0] == pytest.approx(25e-6)
    assert BASELINES["power_law"](rows, [(1024, 8)])[0, 0] > 26e-6


def test_intervals_hold_and_widen(rows_of):
    _, rows = rows_of("ring", noise=0.1)
    for predict in BASELINES.values():
        near, far = predict(rows, [(128, 1 << 12), (4096, 1 << 12)])
        for time, low50, high50, low90, high90 in (near, far):
            assert low90 < low50 < time < high50 < high90
        assert far[4] / far[3] > near[4] / near[3]


def test_sizes_of_all_to_all_are_those_of_one_peer(rows_of):
    rows = made(rows_of, lambda ranks, n: 1e-9 * n + 0 * ranks, ("pairwise",))
    per_peer = Dataset(
        tuple(replace(row, message_bytes=row.message_bytes * row.ranks) for row in rows)
    )
    scales, times = curve_at(per_peer, (64, 1024 * 64))
    assert scales.tolist() == list(SCALES)
    assert np.allclose(times, 1e-9 * np.array([8, 1024, 1 << 20])[1])


def test_between_sizes_times_are_read_off(rows_of):
    rows = made(rows_of, lambda ranks, n: 1e-9 * n + 0 * ranks)
    assert curve_at(rows, (64, 1 << 15))[1] == pytest.approx([1e-9 * 2**15] * 5)
    assert len(curve_at(rows, (64, 1 << 22))[0]) == 0  # four times the largest


def test_without_enough_scales_there_is_no_number(rows_of):
    _, rows = rows_of("ring", scales=(2, 4))
    assert np.isnan(BASELINES["power_law"](rows, [(8, 8)])).all()
    assert np.isnan(BASELINES["pmnf"](rows, [(8, 8)])).all()
