"""A process believes a cell as far as its iterations agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.fit import fit
from collcast.analysis.process import MEAN_DRIFT, doubt

SIZES = (8, 1 << 10, 1 << 15, 1 << 20, 1 << 25)


def test_a_cell_met_by_traffic_does_not_bend_the_forecast(rows_of, truth):
    key, rows = rows_of("ring", scales=(2, 4, 8, 16, 32, 64), sizes=SIZES)

    def error(spread):
        crowded = tuple(
            replace(row, median_s=1.4 * row.median_s, spread=spread) if row.ranks == 64 else row
            for row in rows
        )
        ensemble = fit(key, Dataset(crowded), bootstraps=5).ensemble
        found = np.median(ensemble.draw_s(128, SIZES, 500, 0), axis=0)
        return np.median(np.abs(np.log(found / truth(("ring",), 128, SIZES))))

    assert error(np.log(1.4)) < 0.7 * error(np.nan)


def test_the_usual_spread_is_noise_of_the_next_launch_too(rows_of):
    key, rows = rows_of("ring", scales=(2, 4, 8, 16, 32), sizes=SIZES)
    spread = Dataset(tuple(replace(row, spread=0.3) for row in rows))
    quiet, loud = (fit(key, known, bootstraps=5).ensemble for known in (rows, spread))
    assert loud.processes[0].noise > 0.3 / 2 > quiet.processes[0].noise


def test_straying_and_drifting_cast_doubt():
    assert doubt(0.01, MEAN_DRIFT) == 0.0
    assert doubt(0.055) == pytest.approx(0.5)
    assert doubt(0.01, -0.065) == pytest.approx(0.5)
    assert doubt(1.0) == 1.0
