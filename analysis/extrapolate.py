"""Extrapolate: a fit, or a fabric, asked for other ranks and sizes.

From measurements, times are draws of the series' `ensemble`; on a fabric, of `conditional`, in
which nothing measured enters but what the fabric's file took from a campaign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .bound import bound_of, least_out
from .conditional import Conditional
from .fabrics.draw import FROM_DATA
from .fit import LEAST_SCALES_BEYOND
from .named import model_on
from .outcome import boil_down, iteration_variance, shares_of, switching
from .prediction import LARGEST_FACTOR, predict_as
from .select import WALK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .dataset import Row
    from .fabrics import Fabric
    from .fabrics.fabric import Tier
    from .fit import Fit
    from .outcome import Outcome, Times
    from .prediction import Prediction

__all__ = ["Extrapolator", "supported_ranks"]

DRAWS = 2000
"""Draws behind an interval: its ends are good to about 2 % of its width."""

_WIDEST = 10.0  # high90 / low90; a wider interval supports no decision
_NIC_BYTES_PER_S = 2e11
"""Per rank: 1.6 Tbit/s, the fastest NIC announced (ConnectX-9, 2026). Hosts that exchange more lie
in one scale-up domain."""

_T_4 = 2.0  # variance of Student's t with 4 degrees of freedom, of which an ensemble's errors are
_Z = {50: 0.6745, 90: 1.6449, 95: 1.9600}  # two-sided quantiles of the standard normal distribution


@dataclass(frozen=True, kw_only=True, eq=False)
class Extrapolator:
    """One series' fit, the fabric to go on with, and the seed of all draws."""

    fit: Fit
    fabric: Fabric | None = None
    seed: int = 0
    algorithm: str = ""
    """A model by its name. With one, or a layout, everything is asked of the fabric: what was
    measured had its own."""

    scatter: float | None = None
    """Of the layout on the fabric: 0 contiguous, 1 random; None is contiguous, unasked."""

    def predict(self, ranks: Sequence[int], sizes: Sequence[int]) -> list[Prediction]:
        """Return one prediction per number of ranks and size in bytes, ranks slowest.

        The median of a row that was measured is given as it is, whatever could be fitted.
        """
        return [found for count in ranks for found in self._at(count, sizes)]

    def _at(self, ranks: int, sizes: Sequence[int]) -> list[Prediction]:
        supposed = bool(self.algorithm) or self.scatter is not None
        rows = self.fit.rows
        known = {n: row for n in sizes if (row := rows.find(ranks, n)) is not None}
        inside = ranks <= supported_ranks(self.fit) and self.fit.curve is not None
        on_fabric = (
            self.fabric is not None
            and ranks <= self.fabric.endpoints.value
            and bool(self._conditional.models)
            and (bool(self.algorithm) or not self._conditional.lacks(ranks))
        )
        if supposed:
            known, inside = {}, False
        fitted = dict(zip(sizes, self.curve_at(ranks, sizes), strict=True)) if inside else {}
        assumed = dict(zip(sizes, self.fabric_at(ranks, sizes), strict=True)) if on_fabric else {}
        return [self._one(ranks, n, known.get(n), fitted.get(n), assumed.get(n)) for n in sizes]

    def _one(
        self, ranks: int, n: int, row: Row | None, fitted: Outcome | None, assumed: Outcome | None
    ) -> Prediction:
        key, measured = self.fit.key, self._largest()
        if row is not None:
            return predict_as("measured", key, ranks, n, measured, times_s=_measured(row))
        if fitted is not None and self._trusted(ranks, fitted.times_s):
            return predict_as("extrapolated", key, ranks, n, measured, fitted)
        if assumed is not None and self.fabric is not None:
            return predict_as(
                "conditional" if _narrow(assumed.times_s) else "unsupported",
                key,
                ranks,
                n,
                measured,
                assumed,
                fabric=self.fabric.name,
                assumed_tiers=self.assumed_tiers(ranks),
            )
        return predict_as("unsupported", key, ranks, n, measured, fitted)

    def _largest(self) -> int:
        """Return the largest scale that was fitted, or else measured; 0 for none."""
        return max(self.fit.scales or [row.ranks for row in self.fit.rows], default=0)

    def _trusted(self, ranks: int, times_s: Times) -> bool:
        """Whether a fitted time may be called extrapolated."""
        beyond = ranks > max(self.fit.scales)
        enough = not beyond or len(self.fit.scales) >= LEAST_SCALES_BEYOND
        near = ranks <= LARGEST_FACTOR * max(self.fit.scales)
        return enough and near and _narrow(times_s)

    def assumed_tiers(self, ranks: int) -> tuple[str, ...]:
        """Return the fabric's tiers that this many ranks use and that no campaign measured."""
        if self.fabric is None:
            return ()
        inner = (1, *self.fabric.sizes[:-1])
        return tuple(
            tier.name
            for tier, size in zip(self.fabric.tiers, inner, strict=True)
            if size < ranks and not _known(tier)
        )

    def curve_s(self, ranks: int, sizes: Sequence[int]) -> list[Times]:
        """Return fitted times with intervals; only for a fit that has a curve."""
        return [found.times_s for found in self.curve_at(ranks, sizes)]

    def curve_at(self, ranks: int, sizes: Sequence[int]) -> list[Outcome]:
        """Return what the fit says; only for one that has a curve.

        Of the variance of log time, the bootstrap and the drift make `parameters`; s^2 of the
        members (weighted) and the walk beyond the data `launch`, less that of a median over
        iterations; the rest, `model`, is what members misfit and how they differ.
        """
        ensemble, curve = self.fit.ensemble, self.fit.curve
        assert ensemble is not None, "asked for the curve of a fit without one"
        assert curve is not None, "asked for the curve of a fit without one"
        drawn = ensemble.draw_s(ranks, sizes, DRAWS, self.seed)
        n, last = np.array(sizes, dtype=float), max(self.fit.scales)
        here = curve.fastest(ranks, n)
        before = curve.fastest(last, n)
        beyond = max(0.0, math.log2(ranks / last))
        bootstraps = np.log(np.maximum(curve.draws_s(ranks, n), 1e-12))
        iteration = iteration_variance(self.fit.rows)
        walked = beyond * (WALK * ensemble.doubt) ** 2
        noises = np.array([process.noise for process in ensemble.processes])
        shares, chosen = [], []
        drift_sd = ensemble.drift_sd(ranks, sizes)
        for j, size in enumerate(sizes):
            weights = ensemble.weights(ranks, size)
            noise = _T_4 * float(weights @ noises**2) + walked
            grown = float(bootstraps[:, j].var()) if len(bootstraps) else 0.0
            fitted = float(weights[0]) * (grown + float(drift_sd[j] * beyond) ** 2)
            whole = float(np.log(drawn[:, j]).var())
            chosen.append(switching(here[:, j], before[:, j]))
            shares.append(
                shares_of(
                    parameters=fitted,
                    model=whole - fitted - noise,
                    launch=noise - iteration,
                    iteration=min(noise, iteration),
                )
            )
        return boil_down(drawn, bound_of(self.fit.key.collective, ranks, sizes), shares, chosen)

    def fabric_at(self, ranks: int, sizes: Sequence[int]) -> list[Outcome]:
        """Return what the fabric says."""
        curve, found = self.fit.curve, None
        if curve is not None and not self.algorithm:
            names = curve.fastest(max(self.fit.scales), np.array(sizes, dtype=float))
            found = [switching(names[:, j], None)[0] for j in range(len(sizes))]
        return self._conditional.at(ranks, sizes, found)

    @cached_property
    def _conditional(self) -> Conditional:
        assert self.fabric is not None, "asked for times on a fabric without one"
        return Conditional(
            collective=self.fit.key.collective,
            fabric=self.fabric,
            draws=DRAWS,
            seed=self.seed,
            algorithm=self.algorithm or model_on(self.fit.key, len(self.fabric.tiers)),
            transport=self.fit.key.transport,
            scatter=self.scatter or 0.0,
            iteration=iteration_variance(self.fit.rows),
            measured=self._largest(),
        )


def supported_ranks(fit: Fit) -> float:
    """Return the most ranks whose tiers were all crossed in the rows that were fitted.

    On one host these are its cores, or the most ranks measured where that is not known. With
    several hosts there is no limit, unless a level of the network is known of which only one
    domain was used, or all hosts of the largest scale exchanged more than any NIC carries.
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
    outermost = [row for row in used if row.ranks == largest]
    if any(count == 1 for count in levels) or any(map(_beyond_nics, outermost)):
        return float(largest)
    return math.inf


def _narrow(times_s: Times) -> bool:
    """Whether an interval supports a decision."""
    return times_s[4] <= _WIDEST * times_s[3]


def _beyond_nics(row: Row) -> bool:
    """Whether the hosts of a row must have exchanged more than NICs carry."""
    if row.hosts < 2 or not row.median_s > 0:
        return False
    per_host = -(-row.ranks // row.hosts)
    out = row.message_bytes * least_out(row.key.collective, row.ranks, per_host) / per_host
    return out > _NIC_BYTES_PER_S * row.median_s


def _known(tier: Tier) -> bool:
    """Whether a campaign gave everything that a message pays there."""
    figures = (tier.rate, tier.latency, *tier.efficiency.values())
    return all(figure.status in FROM_DATA for figure in figures)


def _measured(row: Row) -> Times:
    """Rescale the 95 % interval of the median, taken as lognormal on each side, to 50 and 90 %."""
    time, low, high = float(row.median_s), row.low_s, row.high_s
    if not (low > 0 and high > 0):
        low = high = time

    def end(bound: float, level: int) -> float:
        return float(time * (bound / time) ** (_Z[level] / _Z[95]))

    return time, end(low, 50), end(high, 50), end(low, 90), end(high, 90)
