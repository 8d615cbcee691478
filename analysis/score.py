"""Score: how far predictions lay from what was measured, and how often their intervals held it.

    error     |predicted / true - 1|
    bias      median of predicted / true - 1
    skill     median of |log(predicted / true)| over that of the noise between launches, the floor
    coverage  share of cells whose true time lies in the interval
    Winkler   of the interval (l, u) at 90 %, on u = log time:  (u - l) + 2/0.1 (distance outside);
              on logarithms, so that a microsecond and a second weigh alike

Cells of one machine and collective err together: they are one sample, a cluster. The range of the
coverage is that of Clopper and Pearson for as many trials as there are clusters, of which the mean
coverage by cluster, times their number, succeeded (not a whole number, in general).

Sources: Winkler, J. Amer. Statist. Assoc. 67 (1972); Gneiting and Raftery, JASA 102 (2007), section
6.2; Clopper and Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Score", "clopper_pearson", "score", "winkler"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Figures over cells; NaN where there is none."""

    median_error: float
    p90_error: float
    bias: float
    coverage_50: float
    coverage_90: float
    coverage_90_low: float
    """Ends of the 95 % range of the coverage, clusters being the trials."""

    coverage_90_high: float
    width_90: float
    """Median of upper over lower end of the 90 % interval."""

    winkler_90: float
    series: int
    clusters: int
    skill: float
    """NaN where no cell's noise is known."""

    cells: int

    def values(self) -> dict[str, float | int]:
        """Return the figures by name, the number of cells excepted."""
        return {name: value for name, value in asdict(self).items() if name != "cells"}


def score(
    true_s: NDArray[np.float64],
    times_s: NDArray[np.float64],
    series: Sequence[str],
    clusters: Sequence[str],
    noise: NDArray[np.float64] | None = None,
) -> Score:
    """Score predictions.

    Parameters
    ----------
    true_s
        Measured times, shape (cell,).
    times_s
        Time, 50 % and 90 % interval, shape (cell, 5), in the unit of `true_s`; cells with NaN do
        not count.
    series, clusters
        Names of each cell's series and cluster, shape (cell,).
    noise
        Standard deviation of log time between launches, shape (cell,); NaN where not known.
    """
    known = np.isfinite(times_s).all(axis=1)
    true, times = true_s[known], times_s[known]
    if not len(true):
        nothing = dict.fromkeys(Score.__slots__, math.nan)
        return Score(**(nothing | {"series": 0, "clusters": 0, "cells": 0}))  # type: ignore[arg-type]
    middle, low50, high50, low90, high90 = times.T
    inside = (low90 <= true) & (true <= high90)
    names = np.asarray(clusters)[known]
    by_cluster = [float(inside[names == name].mean()) for name in np.unique(names)]
    low, high = clopper_pearson(sum(by_cluster), len(by_cluster))
    error = np.abs(middle / true - 1)
    return Score(
        median_error=float(np.median(error)),
        p90_error=float(np.quantile(error, 0.9)),
        bias=float(np.median(middle / true - 1)),
        coverage_50=float(((low50 <= true) & (true <= high50)).mean()),
        coverage_90=float(inside.mean()),
        coverage_90_low=low,
        coverage_90_high=high,
        width_90=float(np.median(high90 / low90)),
        winkler_90=float(winkler(true, low90, high90).mean()),
        series=len(set(np.asarray(series)[known])),
        clusters=len(by_cluster),
        skill=_skill(middle / true, noise[known]) if noise is not None else math.nan,
        cells=len(true),
    )


def _skill(ratio: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    known = noise > 0
    if not known.any():
        return math.nan
    error = np.abs(np.log(np.maximum(ratio[known], 1e-9)))
    return float(np.median(error) / np.median(noise[known]))


def winkler(
    true_s: NDArray[np.float64], low_s: NDArray[np.float64], high_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the interval score of 90 % intervals on log time, shape (cell,); less is better."""
    true, low, high = np.log(true_s), np.log(low_s), np.log(high_s)
    outside = np.maximum(low - true, 0) + np.maximum(true - high, 0)
    found: NDArray[np.float64] = high - low + 2 / 0.1 * outside
    return found


def clopper_pearson(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the range of a binomial's probability; successes need not be a whole number."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes > 0 else 0.0
    high = (
        float(beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    )
    return low, high
