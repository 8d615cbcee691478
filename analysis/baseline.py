"""Baselines: what a forecast must beat. None knows any physics.

    power law    log T = a + b log P, least squares per size; Student's prediction interval
    last value   T(P_max); +- z s sqrt|lg P/P_max|, s the root mean square change per doubling
    PMNF         T = c0 + c1 P^i lg^j P, the (i, j) of least leave-one-out error per size; Student's
                 interval. The search space is Extra-P's single-parameter one, small

For all-to-all a size is the bytes per peer, n / P: what stays the same as P grows in most sweeps.
Where a scale lacks a size, its time is read off between its sizes, on logarithms.

Source: Calotoiu, Hoefler, Poke and Wolf, "Using automated performance modeling to find scalability
bugs in complex codes", SC13 (the performance model normal form).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .dataset import Dataset

__all__ = ["BASELINES", "curve_at"]

Place = tuple[int, int]
"""Ranks and message bytes."""

_Z_50, _Z_90 = 0.6745, 1.6449  # of the standard normal distribution, two-sided
_LEAST_SPREAD = 0.02  # of a logarithm; medians of one launch are seldom nearer to a curve
_POWERS = (0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0, 1.25, 1.5, 2.0)
_LOGS = (0, 1, 2)


def curve_at(rows: Dataset, place: Place) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scales that hold a place's size, ascending, and the times there, in seconds.

    A scale holds a size that lies between its least and largest, or at most a factor of 2 outside.
    """
    collective = rows.rows[0].key.collective
    ranks, message_bytes = place
    found = []
    for count in sorted({row.ranks for row in rows}):
        per_peer = collective == "all_to_all"
        wanted = message_bytes / ranks * count if per_peer else message_bytes
        here = sorted((row.message_bytes, row.median_s) for row in rows if row.ranks == count)
        sizes, times = np.log(np.maximum(np.array(here).T, 1e-12))
        if sizes[0] - np.log(2) <= np.log(wanted) <= sizes[-1] + np.log(2):
            found.append((count, float(np.exp(np.interp(np.log(wanted), sizes, times)))))
    scales, times_s = np.array(found).reshape(-1, 2).T
    return scales, times_s


def _power_law(scales: NDArray[np.float64], times: NDArray[np.float64], at: int) -> Sequence[float]:
    if len(scales) < 3:
        return [np.nan] * 5
    x = np.column_stack([np.ones(len(scales)), np.log(scales)])
    new = np.array([1.0, np.log(at)])
    middle, sd = _ordinary(x, np.log(times), new)
    half = max(sd, _LEAST_SPREAD)
    return _ends(middle, half, len(scales) - 2, log=True)


def _last_value(
    scales: NDArray[np.float64], times: NDArray[np.float64], at: int
) -> Sequence[float]:
    if len(scales) < 2:
        return [np.nan] * 5
    steps = np.diff(np.log(times)) / np.sqrt(np.diff(np.log2(scales)))
    spread = max(float(np.sqrt(np.mean(steps**2))), _LEAST_SPREAD)
    return _ends(np.log(times[-1]), spread * np.sqrt(abs(np.log2(at / scales[-1]))), 0, log=True)


def _pmnf(scales: NDArray[np.float64], times: NDArray[np.float64], at: int) -> Sequence[float]:
    if len(scales) < 4:
        return [np.nan] * 5
    best = (np.inf, 0.0, 0.0)
    for power in _POWERS:
        for log in _LOGS:
            column = scales**power * np.log2(scales) ** log
            x = np.column_stack([np.ones(len(scales)), column])
            used = x if power or log else x[:, :1]
            hat = used @ np.linalg.pinv(used)
            left_out = (times - hat @ times) / np.maximum(1 - np.diag(hat), 1e-9)
            error = float(np.mean(np.abs(left_out) / times))
            if error < best[0]:
                new = np.array([1.0, at**power * np.log2(at) ** log])[: used.shape[1]]
                best = (error, *_ordinary(used, times, new))
    _, middle, sd = best
    return _ends(middle, max(sd, _LEAST_SPREAD * abs(middle)), len(scales) - 2, log=False)


def _ordinary(
    x: NDArray[np.float64], y: NDArray[np.float64], new: NDArray[np.float64]
) -> tuple[float, float]:
    """Return prediction and its standard deviation of ordinary least squares at a new place."""
    inverse = np.linalg.pinv(x.T @ x)
    values = inverse @ x.T @ y
    rest = y - x @ values
    variance = float(rest @ rest) / max(len(y) - x.shape[1], 1)
    return float(new @ values), float(np.sqrt(variance * (1 + new @ inverse @ new)))


def _ends(middle: float, sd: float, freedom: int, *, log: bool) -> list[float]:
    """Return time and intervals; freedom 0 takes the normal distribution."""
    from scipy.stats import t

    z50, z90 = (float(t.ppf(q, freedom)) for q in (0.75, 0.95)) if freedom else (_Z_50, _Z_90)
    ends = [middle, middle - z50 * sd, middle + z50 * sd, middle - z90 * sd, middle + z90 * sd]
    if log:
        return [float(np.exp(end)) for end in ends]
    # A time is positive: a fit on times can say otherwise.
    return [max(end, 1e-9) for end in ends]


def _predict(
    one: Callable[[NDArray[np.float64], NDArray[np.float64], int], Sequence[float]],
    rows: Dataset,
    places: Sequence[Place],
) -> NDArray[np.float64]:
    return np.array([one(*curve_at(rows, place), place[0]) for place in places]).reshape(-1, 5)


def power_law(rows: Dataset, places: Sequence[Place]) -> NDArray[np.float64]:
    """Return time, 50 and 90 % interval in seconds, shape (place, 5); NaN where none is given."""
    return _predict(_power_law, rows, places)


def last_value(rows: Dataset, places: Sequence[Place]) -> NDArray[np.float64]:
    """As `power_law`."""
    return _predict(_last_value, rows, places)


def pmnf(rows: Dataset, places: Sequence[Place]) -> NDArray[np.float64]:
    """As `power_law`."""
    return _predict(_pmnf, rows, places)


BASELINES = {"power_law": power_law, "last_value": last_value, "pmnf": pmnf}
"""Baselines by name."""
