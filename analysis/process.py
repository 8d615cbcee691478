"""Process: a member's error as a Gaussian process, carried on to places that were not measured.

    log T = member + b + m (x - x_max) + m' max(0, x - x_max) + u + e
    cov(u, u') = [ K_4 (a^2 + q^2 (min(x, x') - x_0)) + a^2/10 ] [same tier]
                 + d^2 K_12 (x - x_max)(x' - x_max)
    K_l = exp(-|c - c'| / l),   var(e) = s^2 + r^2

b is a level per tier, a the misfit of a size, q a random walk over doublings of ranks: what was
wrong at the largest scale stays wrong, and wrong by more the further one goes. d is a drift per
doubling, m its mean, m' the same as far as the member is in doubt. a, q and s are those of greatest
likelihood on a grid. r, where known, is a cell's own spread, how far the median of its iterations
lies above their fifth percentile: between a quiet and a crowded network a median falls anywhere. A
cell that all others speak against is one launch's mishap and is given up.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), sections 2.2, 2.7
and 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .cells import Cells
    from .member import Member

__all__ = ["MEAN_DRIFT", "Process", "condition", "doubt"]

_SIZE_LENGTH = 4.0
"""Doublings of size over which a misfit is shared; 2 and 8 scored the same on public tables."""

_DRIFT_LENGTH = 12.0
"""Doublings of size over which a drift is shared: latency and bandwidth drift apart."""

_SHARED = 0.1  # share of the misfit's variance that all sizes have in common
MEAN_DRIFT = 0.02
"""m: efficiency falls with scale. Hash routing over 64 uplinks loses 2 % (64 flows each) to 6 %
(one) per doubling in simulation; held-out scales of public tables were slower than forecast by 2
to 3 % per doubling without it."""

_NO_MISFIT = 0.01  # medians of one launch are seldom nearer to a formula
_FULL_MISFIT = 0.09
"""Beyond that: a series that strays from its formula by so much may do anything else, too."""

_WALKS = (0.003, 0.01, 0.03, 0.1, 0.2)
_ODD = 3.0  # standard deviations; beyond lie 0.3 % of a normal distribution
_NOISES = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Process:
    """A member, conditioned on measured times."""

    member: Member
    cells: Cells
    misfit: float
    """a."""

    walk: float
    drift: float
    mean_drift: float
    beyond: float
    """m'."""

    noise: float
    """s and the usual r together."""

    levels: dict[int, float]
    factor: tuple[NDArray[np.float64], bool]
    """Cholesky factor of the cells' covariance."""

    weights: NDArray[np.float64]
    """Inverse covariance times the member's errors, shape (cell,)."""

    def log_s(self, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the logarithm of time in seconds, shape (cell,)."""
        from scipy.linalg import cho_solve

        near = _covariance(cells, self.cells, self)
        mean = near @ self.weights + _trend(cells, self.cells, self.levels, self.mean_drift)
        distance = cells.x - self.cells.x.max()
        mean = mean + self.beyond * np.maximum(distance, 0.0)
        own = self.misfit**2 * (1 + _SHARED) + self.walk**2 * (cells.x - self.cells.x.min())
        own = own + (self.drift * distance) ** 2 + self.noise**2
        variance = own - np.einsum("ij,ji->i", near, cho_solve(self.factor, near.T))
        sd = np.sqrt(np.maximum(variance, (0.1 * self.noise) ** 2))
        return mean + self.member.log_s(cells), np.asarray(sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scales:
    misfit: float
    walk: float
    drift: float


def condition(
    member: Member,
    cells: Cells,
    time_s: NDArray[np.float64],
    spread: NDArray[np.float64],
    *,
    misfits: tuple[float, ...],
    drift: float,
    mean_drift: float,
    beyond: float = 0.0,
    strayed: float = 0.0,
) -> Process:
    """Return the process of a member given times, with the most likely of the misfits.

    Parameters
    ----------
    time_s, spread
        Of the cells, shape (cell,); NaN where no spread is known.
    beyond
        m' of a member in full doubt.
    strayed
        The drift that the member has itself.
    """
    from scipy.linalg import cho_factor, cho_solve

    errors = np.log(time_s) - member.log_s(cells)
    tiers = cells.tier
    levels = {int(tier): float(np.median(errors[tiers == tier])) for tier in np.unique(tiers)}
    errors = errors - _trend(cells, cells, levels, mean_drift)
    # Misfit and walk are linear in their variances: build each matrix once.
    base = _covariance(cells, cells, _Scales(misfit=1.0, walk=0.0, drift=0.0))
    walked = _covariance(cells, cells, _Scales(misfit=0.0, walk=1.0, drift=0.0))
    drifted = _covariance(cells, cells, _Scales(misfit=0.0, walk=0.0, drift=drift))
    own = np.nan_to_num(spread) ** 2
    extra = own.copy()
    diagonal = np.arange(len(errors)), np.arange(len(errors))

    def matrix_of(misfit: float, walk: float, noise: float) -> NDArray[np.float64]:
        found = misfit**2 * base + walk**2 * walked + drifted
        found[diagonal] += noise**2 + extra
        return found

    for last in (False, True):
        misfit, walk, noise = _likeliest(
            lambda *scales: _log_likelihood(matrix_of(*scales), errors), (misfits, _WALKS, _NOISES)
        )
        matrix = matrix_of(misfit, walk, noise)
        if last:
            break
        odd = _odd(matrix, errors)
        if not odd.any():
            break
        extra = own + odd
    factor = cho_factor(matrix)
    return Process(
        member=member,
        cells=cells,
        misfit=misfit,
        walk=walk,
        drift=drift,
        mean_drift=mean_drift,
        beyond=beyond * doubt(misfit, strayed),
        noise=float(np.hypot(noise, np.median(np.sqrt(own)))),
        levels=levels,
        factor=factor,
        weights=cho_solve(factor, errors),
    )


def _likeliest(
    likelihood: Callable[[float, float, float], float], grid: tuple[tuple[float, ...], ...]
) -> tuple[float, float, float]:
    """Return the likeliest place of a grid: along one axis after the other, till nothing moves."""
    known: dict[tuple[float, ...], float] = {}

    def at(place: tuple[float, ...]) -> float:
        if place not in known:
            known[place] = likelihood(*place)
        return known[place]

    best = tuple(axis[len(axis) // 2] for axis in grid)
    while True:
        before = best
        for j, axis in enumerate(grid):
            best = max(((*best[:j], value, *best[j + 1 :]) for value in axis), key=at)
        if at(best) <= at(before):
            return before[0], before[1], before[2]


def _log_likelihood(matrix: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    from scipy.linalg import cholesky, solve_triangular

    lower = cholesky(matrix, lower=True, check_finite=False)
    white = solve_triangular(lower, errors, lower=True, check_finite=False)
    return -0.5 * float(white @ white) - float(np.log(np.diag(lower)).sum())


def _odd(matrix: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return variance to add to cells that lie far from what all others say of them.

    Left out, a cell i is forecast with error r_i = (K^-1 e)_i / (K^-1)_ii and variance
    1 / (K^-1)_ii; beyond 3 standard deviations r_i^2 is added: it then says next to nothing.
    """
    inverse = np.linalg.inv(matrix)
    variance = 1 / np.diag(inverse)
    left_out = inverse @ errors * variance
    return np.asarray(np.where(left_out**2 > _ODD**2 * variance, left_out**2, 0.0))


def _trend(
    cells: Cells, known: Cells, levels: dict[int, float], mean_drift: float
) -> NDArray[np.float64]:
    middle = float(np.mean(list(levels.values())))
    level = np.array([levels.get(tier, middle) for tier in cells.tier.tolist()])
    found: NDArray[np.float64] = level + mean_drift * (cells.x - known.x.max())
    return found


def _covariance(cells: Cells, known: Cells, scales: Process | _Scales) -> NDArray[np.float64]:
    apart = np.abs(cells.c[:, None] - known.c)
    sized = np.exp(-apart / _SIZE_LENGTH)
    walked = np.minimum(cells.x[:, None], known.x) - known.x.min()
    own = sized * (scales.misfit**2 + scales.walk**2 * walked) + _SHARED * scales.misfit**2
    same = cells.tier[:, None] == known.tier
    last = known.x.max()
    drifted = scales.drift**2 * np.exp(-apart / _DRIFT_LENGTH)
    found: NDArray[np.float64] = own * same + drifted * (
        (cells.x[:, None] - last) * (known.x - last)
    )
    return found


def doubt(misfit: float, drift: float = 0.0) -> float:
    """Return how far a series is thought capable of what no formula says, 0 to 1.

    Parameters
    ----------
    misfit
        Standard deviation of log time by which the best cost model misses sizes and scales.
    drift
        By which its latency or rate changes per doubling; what exceeds `MEAN_DRIFT` counts.
    """
    strayed = max(0.0, misfit - _NO_MISFIT) + max(0.0, abs(drift) - MEAN_DRIFT)
    return min(1.0, strayed / _FULL_MISFIT)
