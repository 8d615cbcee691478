"""Drift: a cost model whose latency and rate each change by a factor with every doubling of ranks.

    T = (overhead + sum steps a) exp(d_a y) + (sum bytes b + reduced c) exp(d_b y),  y = lg P/P_max

d_a and d_b have normal priors of mean 0 and are fitted together with all parameters, from the fit
without them on. Beyond the data only losses go on, d > 0: nothing makes links faster the more of
them there are, and a gain is what the formula misses. Links that hash routing fills unevenly cost
rate but no latency.

How well the drifts are known follows from the curvature at the solution, with half of the cells
taken as independent, since a protocol bends many sizes together, and never better than f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .design import design_of, identify, parameter_names
from .solve import solve, spread_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Cells
    from .curve import Curve
    from .dataset import Dataset
    from .models import Model

__all__ = ["Drifting", "drifting"]

_MOST_DRIFT = 3.0  # prior standard deviations that a drift may lie off
_LEAST_DRIFT_SD = 0.01
"""f: half the drift of 2 % per doubling that public tables show on average; nothing says that it
goes on as it did."""

_DEPENDENT = 2.0  # cells for one that is independent
_ROUNDS = 2  # the second knows the spread that the first left
_TINY_S = 1e-12  # no collective takes less; keeps logarithms finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drifting:
    """A fitted cost model with its drifts."""

    models: tuple[Model, ...]
    sizes: tuple[int, ...]
    values: NDArray[np.float64]
    drifts: NDArray[np.float64]
    """Of latency and of rate, log time per doubling."""

    covariance: NDArray[np.float64]
    """Of the drifts, shape (2, 2)."""

    last: float
    """Scale at which the factors are 1, in doublings."""

    def log_s(self, cells: Cells) -> NDArray[np.float64]:
        """Return the logarithm of times in seconds, shape (cell,)."""
        return np.asarray(np.log(self._parts(cells).sum(axis=1)))

    def drift_sd(self, cells: Cells) -> NDArray[np.float64]:
        """Return how well the drift per doubling of the whole time is known, shape (cell,)."""
        share = self._parts(cells)
        share /= share.sum(axis=1)[:, None]
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", share, self.covariance, share)))

    @property
    def strayed(self) -> float:
        """The larger drift."""
        return float(np.abs(self.drifts).max())

    def _parts(self, cells: Cells) -> NDArray[np.float64]:
        """Return what latency and rate take in the fastest model, shape (cell, 2)."""
        columns = design_of(
            self.models, cells.ranks.astype(np.int64), cells.message_bytes, self.sizes
        )
        columns = columns * self.values
        rate = _is_rate(len(self.sizes))
        parts = np.stack([columns[:, :, ~rate].sum(axis=2), columns[:, :, rate].sum(axis=2)], -1)
        y = (cells.x - self.last)[:, None]
        parts *= np.exp(y * np.where(y > 0, np.maximum(self.drifts, 0.0), self.drifts))
        fastest = parts.sum(axis=2).argmin(axis=0)
        return np.asarray(np.maximum(parts[fastest, np.arange(len(fastest))], _TINY_S))


def _is_rate(tiers: int) -> NDArray[np.bool_]:
    return np.array([name.startswith(("beta", "gamma")) for name in parameter_names(tiers)])


def drifting(
    curve: Curve, used: Dataset, prior_sd: tuple[float, float], usual_sd: tuple[float, float]
) -> Drifting:
    """Fit a curve's models anew, together with drifts of latency and rate.

    Parameters
    ----------
    prior_sd
        Standard deviation of each drift, log time per doubling.
    usual_sd
        The same without what few scales shrink it by: they make a drift no better known.
    """
    from scipy.optimize import least_squares

    models = curve.candidates[curve.choice]
    ranks, time_s = used.column("ranks"), used.column("median_s")
    columns = design_of(models, ranks, used.column("message_bytes"), curve.sizes)
    if curve.prior is not None:
        columns, time_s, ranks = curve.prior.beside(columns, time_s, ranks)
    kept = np.array(identify(columns, time_s, len(curve.sizes)).kept)
    y = np.log2(np.where(ranks > 0, ranks, ranks.max()) / ranks.max())  # beliefs do not drift
    first = solve(columns[:, :, kept], time_s)
    free = first.values > 0
    kept = kept[free]
    scaled = columns[:, :, kept] * first.values[free]
    rate = _is_rate(len(curve.sizes))[kept]
    cells, sd = np.arange(len(y)), np.array(prior_sd)

    def parts(at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the fastest model's columns with their drifts, and its time, over the cells."""
        grown = np.exp(np.outer(y, np.where(rate, at[-1], at[-2])))
        times = (scaled * grown) @ at[:-2]
        fastest = times.argmin(axis=0)
        return scaled[fastest, cells] * grown, np.maximum(times[fastest, cells], _TINY_S)

    def residuals(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([np.log(parts(at)[1] / time_s), spread * at[-2:] / sd])

    def jacobian(at: NDArray[np.float64]) -> NDArray[np.float64]:
        part, times = parts(at)
        carried = part * at[:-2]
        found = np.zeros((len(y) + 2, len(at)))
        found[:-2, :-2] = part / times[:, None]
        found[:-2, -2] = carried[:, ~rate].sum(axis=1) * y / times
        found[:-2, -1] = carried[:, rate].sum(axis=1) * y / times
        found[-2, -2], found[-1, -1] = spread / sd
        return found

    at = np.concatenate([np.ones(len(kept)), [0.0, 0.0]])
    edges = np.concatenate([np.full(len(kept), np.inf), _MOST_DRIFT * sd])
    lower = np.concatenate([np.zeros(len(kept)), -_MOST_DRIFT * sd])
    spread = spread_of(first.residuals)
    for _ in range(_ROUNDS):
        at = least_squares(
            residuals, at, jac=jacobian, bounds=(lower, edges), loss="soft_l1", f_scale=spread,
            xtol=1e-6, ftol=1e-6, gtol=1e-6, max_nfev=50,
        ).x  # fmt: skip
        spread = spread_of(residuals(at)[:-2])
    slope = jacobian(at)[:-2]
    slope = slope[:, (at > lower + 1e-9) | (lower < 0)]
    precision = slope.T @ slope / (_DEPENDENT * spread**2)
    precision[-2:, -2:] += np.diag(np.array(usual_sd) ** -2)
    covariance = np.linalg.pinv(precision, hermitian=True)[-2:, -2:]
    values = np.zeros(columns.shape[2])
    values[kept] = at[:-2] * first.values[free]
    return Drifting(
        models=models,
        sizes=curve.sizes,
        values=values,
        drifts=at[-2:],
        covariance=covariance + _LEAST_DRIFT_SD**2 * np.eye(2),
        last=float(np.log2(ranks.max())),
    )
