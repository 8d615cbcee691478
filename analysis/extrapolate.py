"""Extrapolate: a fit, or a fabric, asked for other ranks and sizes.

From measurements, times are draws of the series' `ensemble`. On a fabric, a draw is the fastest
model of the collective under one draw of the fabric's figures, times exp(m e), e standard normal,
for what the models leave out; nothing measured enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fabrics import draw_costs
from .fit import LEAST_SCALES_BEYOND
from .models import models_of, time_s
from .prediction import predict_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .dataset import Row
    from .fabrics import Fabric
    from .fit import Fit
    from .prediction import Prediction, Times

__all__ = ["LARGEST_FACTOR", "Extrapolator", "supported_ranks"]

DRAWS = 2000
"""Draws behind an interval: its ends are good to about 2 % of its width."""

LARGEST_FACTOR = 64
"""Ranks over the largest measured scale beyond which nothing is called extrapolated. Intervals were
checked on machines up to 32 times the fitted scale (and just past it here, to the next doubling);
no machine grew further without another tier, another switch or another algorithm."""

_MODEL_SD = 0.2
"""Standard deviation of log(time / model) of a physical model used far from data, m above: its
median error was 12 to 15 % at 8 to 32 times the fitted scale on Alps (median |e| is 0.67 sd)."""

_WIDEST = 10.0  # high90 / low90; a wider interval supports no decision
_Z = {50: 0.6745, 90: 1.6449, 95: 1.9600}  # two-sided quantiles of the standard normal distribution
_QUANTILES = (0.5, 0.25, 0.75, 0.05, 0.95)  # in the order of Times


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extrapolator:
    """One series' fit, the fabric to go on with, and the seed of all draws."""

    fit: Fit
    fabric: Fabric | None = None
    seed: int = 0

    def predict(self, ranks: Sequence[int], sizes: Sequence[int]) -> list[Prediction]:
        """Return one prediction per number of ranks and size in bytes, ranks slowest.

        The median of a row that was measured is given as it is, whatever could be fitted.
        """
        return [found for count in ranks for found in self._at(count, sizes)]

    def _at(self, ranks: int, sizes: Sequence[int]) -> list[Prediction]:
        key = self.fit.key
        known = {n: row for n in sizes if (row := self.fit.rows.find(ranks, n)) is not None}
        inside = ranks <= supported_ranks(self.fit) and self.fit.curve is not None
        on_fabric = (
            self.fabric is not None
            and ranks <= self.fabric.endpoints.value
            and bool(models_of(key.collective))
        )
        fitted = dict(zip(sizes, self.curve_s(ranks, sizes), strict=True)) if inside else {}
        assumed = dict(zip(sizes, self.fabric_s(ranks, sizes), strict=True)) if on_fabric else {}
        return [self._one(ranks, n, known.get(n), fitted.get(n), assumed.get(n)) for n in sizes]

    def _one(
        self, ranks: int, n: int, row: Row | None, fitted: Times | None, assumed: Times | None
    ) -> Prediction:
        key = self.fit.key
        if row is not None:
            return predict_as("measured", key, ranks, n, times_s=_measured(row))
        if fitted is not None and self._trusted(ranks, fitted):
            return predict_as("extrapolated", key, ranks, n, times_s=fitted)
        if assumed is not None and self.fabric is not None:
            return predict_as(
                "conditional",
                key,
                ranks,
                n,
                times_s=assumed,
                fabric=self.fabric.name,
                assumed_tiers=self.assumed_tiers(ranks),
            )
        return predict_as("unsupported", key, ranks, n, times_s=fitted)

    def _trusted(self, ranks: int, times_s: Times) -> bool:
        """Whether a fitted time may be called extrapolated."""
        beyond = ranks > max(self.fit.scales)
        enough = not beyond or len(self.fit.scales) >= LEAST_SCALES_BEYOND
        near = ranks <= LARGEST_FACTOR * max(self.fit.scales)
        return enough and near and times_s[4] <= _WIDEST * times_s[3]

    def assumed_tiers(self, ranks: int) -> tuple[str, ...]:
        """Return the fabric's tiers that this many ranks use."""
        if self.fabric is None:
            return ()
        inner = (1, *self.fabric.sizes[:-1])
        return tuple(
            tier.name for tier, size in zip(self.fabric.tiers, inner, strict=True) if size < ranks
        )

    def curve_s(self, ranks: int, sizes: Sequence[int]) -> list[Times]:
        """Return fitted times with intervals; only for a fit that has a curve."""
        ensemble = self.fit.ensemble
        assert ensemble is not None, "asked for the curve of a fit without one"
        return _times(ensemble.draw_s(ranks, sizes, DRAWS, self.seed))

    def fabric_s(self, ranks: int, sizes: Sequence[int]) -> list[Times]:
        """Return times on the fabric with intervals over its own uncertainty."""
        assert self.fabric is not None, "asked for times on a fabric without one"
        n = np.array(sizes, dtype=float)
        models = models_of(self.fit.key.collective, len(self.fabric.tiers))
        drawn = [
            time_s(
                model.demand(ranks, self.fabric.sizes),
                n,
                draw_costs(self.fabric, model.pattern, DRAWS, self.seed),
            )
            for model in models
        ]
        noise = np.random.default_rng((self.seed, ranks)).standard_normal((DRAWS, 1))
        return _times(np.min(drawn, axis=0) * np.exp(_MODEL_SD * noise))


def supported_ranks(fit: Fit) -> float:
    """Return the most ranks whose tiers were all crossed in the rows that were fitted.

    On one host these are its cores, or the most ranks measured where that is not known. With
    several hosts there is no limit, unless a level of the network is known of which only one
    domain was used.
    """
    used = [row for row in fit.rows if row.fit_for_fitting]
    if not used:
        return 0.0
    largest = max(row.ranks for row in used)
    most_hosts = max(row.hosts for row in used)
    if most_hosts == 1:
        on_host = [row.cores for row in used if fit.key.memory == "host"]
        return float(max([largest, *on_host]))
    levels = (
        max(getattr(row, level) for row in used) for level in ("nvlink_domains", "leaves", "pods")
    )
    if any(count == 1 for count in levels):
        return float(largest)
    return math.inf


def _measured(row: Row) -> Times:
    """Rescale the 95 % interval of the median, taken as lognormal on each side, to 50 and 90 %."""
    time, low, high = float(row.median_s), row.low_s, row.high_s
    if not (low > 0 and high > 0):
        low = high = time

    def end(bound: float, level: int) -> float:
        return float(time * (bound / time) ** (_Z[level] / _Z[95]))

    return time, end(low, 50), end(high, 50), end(low, 90), end(high, 90)


def _times(drawn: NDArray[np.float64]) -> list[Times]:
    """Return median and intervals of draws of shape (draw, size)."""
    found = np.quantile(drawn, _QUANTILES, axis=0)
    return [(a, b, c, d, e) for a, b, c, d, e in found.T.tolist()]
