"""Latency and rate drift apart, and the fit says how well it knows either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.cells import cells_of
from collcast.analysis.curve import fit_curve
from collcast.analysis.dataset import Dataset
from collcast.analysis.drift import drifting

SCALES = (2, 4, 8, 16, 32, 64)
PRIOR = (0.02, 0.05)


def slowed(rows, truth, latency, rate):
    """The rows with latency and rate that change by these per doubling, against the largest."""

    def factor(row):
        y = np.log2(row.ranks / SCALES[-1])
        fixed, carried = (
            truth(("ring",), row.ranks, [row.message_bytes], values=values)[0]
            for values in ((3e-6, 2e-6, 0.0, 0.0), (0.0, 0.0, 1e-10, 0.0))
        )
        return (fixed * np.exp(latency * y) + carried * np.exp(rate * y)) / (fixed + carried)

    return Dataset(tuple(replace(row, median_s=row.median_s * factor(row)) for row in rows))


@pytest.mark.parametrize("drifts", [(0.0, 0.0), (0.0, 0.06), (0.02, -0.03)])
def test_the_drifts_of_latency_and_rate_are_found(rows_of, truth, drifts):
    _, rows = rows_of("ring", scales=SCALES, noise=0.005)
    known = slowed(rows, truth, *drifts)
    found = drifting(fit_curve(known, bootstraps=0), known, PRIOR, PRIOR)
    assert found.drifts == pytest.approx(drifts, abs=0.01)
    logs = found.log_s(cells_of(known, np.inf))
    assert np.abs(logs - np.log(known.column("median_s"))).max() < 0.03


def test_noise_and_few_scales_leave_a_drift_unknown(rows_of):
    def sd(**fields):
        _, rows = rows_of("ring", **fields)
        return drifting(fit_curve(rows, bootstraps=0), rows, PRIOR, PRIOR).drift_sd(
            cells_of(rows, np.inf).where(np.arange(len(rows)) == len(rows) - 1)
        )[0]

    clear = sd(scales=SCALES, noise=0.01)
    assert 0.01 <= clear < 0.011
    assert 1.3 * clear < sd(scales=SCALES, noise=0.1) < PRIOR[1]
    assert 1.1 * clear < sd(scales=SCALES[:3], noise=0.01) < PRIOR[1]
