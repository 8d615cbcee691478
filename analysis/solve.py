"""Solve: parameters >= 0 that bring a model's times closest to measured ones.

    minimise  sum_i rho(log(min_a (X_a p)_i / t_i) / s),   rho(r) = 2 (sqrt(1 + r^2) - 1),   p >= 0

Start: non-negative least squares of X p / t = 1, then twice again with the outliers' weights
reduced; s is their spread. Where several models stand side by side, each cell belongs to the
fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Solution", "solve", "spread_of"]

_LEAST_SPREAD = 0.02  # medians of one launch are seldom nearer to a smooth curve; keeps rho curved
_START_ROUNDS = 3
_TOLERANCE = 1e-7
_NEAR_TOLERANCE = 1e-4  # resamplings differ by percents
_SMALL_SHARE = 0.01  # of what a parameter would be if it alone made the fastest cells' times
_LOW_QUANTILE = 0.1  # of cells may be too fast to be true
_NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, normal distribution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Parameters and how well they do."""

    values: NDArray[np.float64]
    """Shape (parameter,)."""

    residuals: NDArray[np.float64]
    """log(model / measured), shape (cell,)."""

    @property
    def error(self) -> float:
        """Mean of |log(model / measured)|: what candidates are compared by."""
        return float(np.abs(self.residuals).mean())


def solve(
    matrix: NDArray[np.float64],
    time_s: NDArray[np.float64],
    near: NDArray[np.float64] | None = None,
) -> Solution:
    """Fit columns of shape (model, cell, parameter) to times of shape (cell,), in seconds.

    Parameters
    ----------
    near
        Parameters found for much the same cells, shape (parameter,): the only start then, with
        those that were lost made small; saves most of the time.
    """
    if near is not None:
        alone = _positive_start(matrix, time_s)
        starts = [np.where(near > 0, near, _SMALL_SHARE * alone)]
    else:
        start = _start(matrix, time_s)
        # Where the start lost a parameter, one that has them all may lead further.
        starts = [start] if start.all() else [start, _positive_start(matrix, time_s)]
    found = []
    for first in starts:
        free = np.flatnonzero(first > 0)
        values = np.zeros(matrix.shape[2])
        if len(free):
            tolerance = _TOLERANCE if near is None else _NEAR_TOLERANCE
            values[free] = _refine(matrix[:, :, free], time_s, first[free], tolerance)
        residuals = _log_ratio(matrix, values, time_s)[0]
        found.append(Solution(values=values, residuals=residuals))
    return min(found, key=lambda solution: solution.error)


def _positive_start(
    matrix: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return for each parameter what it would be if it alone made the fastest cells' times.

    Times far too short, as of calls that returned without doing their work, weigh so much in
    relative least squares that parameters vanish; they move a quantile by little.
    """
    least = matrix.min(axis=0)
    alone = np.zeros(matrix.shape[2])
    for j, column in enumerate(least.T):
        if column.any():
            alone[j] = np.quantile(time_s[column > 0] / column[column > 0], _LOW_QUANTILE)
    return alone


def _start(matrix: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import nnls

    cells = np.arange(len(time_s))
    best, best_error = np.zeros(matrix.shape[2]), np.inf
    for first in range(len(matrix)):
        fastest = np.full(len(cells), first)
        weights = np.ones(len(cells))
        for _ in range(_START_ROUNDS):
            scaled = matrix[fastest, cells] * (weights / time_s)[:, None]
            # Columns of bytes and of seconds differ by 1e9; nnls compares them with one tolerance.
            lengths = np.linalg.norm(scaled, axis=0)
            lengths[lengths == 0] = 1.0
            values = nnls(scaled / lengths, weights)[0] / lengths
            residuals, fastest = _log_ratio(matrix, values, time_s)
            weights = (1 + (residuals / spread_of(residuals)) ** 2) ** -0.25
        error = float(np.abs(residuals).mean())
        if error < best_error:
            best, best_error = values, error
    return best


def _refine(
    matrix: NDArray[np.float64],
    time_s: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.float64]:
    from scipy.optimize import least_squares

    scaled = matrix * start  # in units of the start, every parameter is about 1
    cells = np.arange(len(time_s))

    def residuals(share: NDArray[np.float64]) -> NDArray[np.float64]:
        return _log_ratio(scaled, share, time_s)[0]

    def jacobian(share: NDArray[np.float64]) -> NDArray[np.float64]:
        fastest = _log_ratio(scaled, share, time_s)[1]
        columns = scaled[fastest, cells]
        gradient: NDArray[np.float64] = columns / np.maximum(columns @ share, 1e-300)[:, None]
        return gradient

    spread = spread_of(residuals(np.ones(len(start))))
    found = least_squares(
        residuals,
        np.ones(len(start)),
        jac=jacobian,
        bounds=(0.0, np.inf),
        loss="soft_l1",
        f_scale=spread,
        xtol=tolerance,
        ftol=tolerance,
        gtol=tolerance,
        max_nfev=50,
    )
    return np.asarray(found.x) * start


def _log_ratio(
    matrix: NDArray[np.float64], values: NDArray[np.float64], time_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return log(model / measured) per cell, and the fastest model of each."""
    times = matrix @ values
    fastest = times.argmin(axis=0)
    modelled = np.take_along_axis(times, fastest[None], axis=0)[0]
    return np.log(np.maximum(modelled, 1e-300) / time_s), fastest


def spread_of(residuals: NDArray[np.float64]) -> float:
    """Return a robust standard deviation."""
    return max(_LEAST_SPREAD, _NORMAL_MAD * float(np.median(np.abs(residuals))))
